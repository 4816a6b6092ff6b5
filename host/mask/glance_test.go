package mask

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// A long value is found whichever of its characters are escapes, and wherever the text
// ends: so many characters around an escape are looked at as are needed.
func TestGlanceMissesNothing(t *testing.T) {
	const value = `fake"key/with 'all' of\it & 1234567890 -- and more`
	m := masker(value)
	escape := map[string]func(c byte) string{
		"percent":   func(c byte) string { return fmt.Sprintf("%%%02x", c) },
		"backslash": func(c byte) string { return fmt.Sprintf(`\u%04x`, c) },
		"entity":    func(c byte) string { return fmt.Sprintf("&#%d;", c) },
	}
	for name, as := range escape {
		for from := range len(value) {
			for n := 1; n < 4 && from+n <= len(value); n++ {
				look := ""
				for i, c := range []byte(value) {
					switch {
					case from <= i && i < from+n:
						look += as(c)
					case c == '\\' && name == "backslash":
						look += `\\` // else it would be an escape
					default:
						look += string(c)
					}
				}
				for _, size := range []int{1000, 7, 1} {
					if got := inPieces(m, "x"+look+"y", size); got != "x********y" {
						t.Fatalf("%s of %d from %d, in pieces of %d: %q", name, n, from, size, got)
					}
				}
			}
		}
	}
	code := base64.StdEncoding.EncodeToString([]byte("ab" + value + "cd"))
	for at := range len(code) {
		for _, end := range []string{"\n", "\r\n  ", "\n\t\n"} {
			look := code[:at] + end + code[at:]
			if got := whole(m, look); len(got) > len("********")+len(end)+8 {
				t.Fatalf("broken at %d by %q: %q", at, end, got)
			}
		}
	}
}

// The text of most programs needs no second look, for all its escapes.
func TestGlancePassesText(t *testing.T) {
	var values []string
	for i := range 50 {
		values = append(values, fmt.Sprintf("Q%dz/FAKE+%x-fakeFAKE_%d", i*7919, i*104729, i))
	}
	m := masker(values...)
	for name, text := range map[string]string{
		"log":    strings.Repeat("2026-01-01T00:00:00Z INFO step=120 100% of the work\n", 9),
		"json":   strings.Repeat(`{"msg":"some \"quoted\" text\nwith lines \u0026 more","path":"a\\b\/c"}`+"\r\n", 9),
		"code":   strings.Repeat("func f() {\n\tif a && b {\n\t\treturn fmt.Sprintf(\"%d%%\\n\", a)\n\t}\n\n\n}\n", 9),
		"prose":  strings.Repeat("a line of words\nthat goes on and on\n", 9),
		"html":   strings.Repeat(`<a href="x?a=1&amp;b=2%20c">&lt;it&#39;s&gt;</a>`+"\n", 9),
		"base64": strings.Repeat("aGVsbG8gd29ybGQsIHRoaXMgaXMgbm8gc2Vj\ncmV0\n", 9) + ".",
	} {
		var g glance
		for i := range m.readings {
			r := &m.readings[i]
			if g.look(r, m.words, []byte(text+"."), false) {
				t.Errorf("%s is looked at again for what begins with %q", name, r.leads[0])
			}
		}
	}
}
