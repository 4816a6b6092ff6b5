package mask

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
)

func standIns(t testing.TB, pairs ...string) *Masker {
	t.Helper()
	var list []StandIn
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, StandIn{secret.NewValue(pairs[i]), pairs[i+1]})
	}
	m, err := NewStandIns(list)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A value becomes its text, and an encoded one the text in that encoding.
func TestStandIns(t *testing.T) {
	const value, text = `fake-key/+1234=" x`, `FAKE-KEY/+9876=" y`
	m := standIns(t, value, text, "other-fake", "OTHER_FAKE")
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for in, want := range map[string]string{
		"a " + value + " b other-fake c":                    "a " + text + " b OTHER_FAKE c",
		strings.ReplaceAll(value, " ", "+"):                 strings.ReplaceAll(text, " ", "+"),
		b64(value):                                          b64(text),
		b64("ab:" + value + "tail"):                         b64("ab:" + text + "tail"),
		hex.EncodeToString([]byte(value)):                   hex.EncodeToString([]byte(text)),
		fmt.Sprintf("%X", value):                            fmt.Sprintf("%X", text),
		base64.RawURLEncoding.EncodeToString([]byte(value)): base64.RawURLEncoding.EncodeToString([]byte(text)),
		wide(value):               wide(text),
		url.PathEscape(value):     strings.Repeat("*", len(url.PathEscape(value))),
		`fake-key/+1234=\" x`:     strings.Repeat("*", len(value)+1),
		`\u0066ake-key/+1234=" x`: strings.Repeat("*", len(value)+5),
		"nothing of it":           "nothing of it",
	} {
		if got := m.Replace(in); got != want {
			t.Errorf("%q is %q, not %q", in, got, want)
		}
		for size := range 9 {
			if got := inPieces(m, in, size); got != want {
				t.Errorf("%q in pieces of %d is %q, not %q", in, size, got, want)
			}
		}
	}
}

// Where values overlap nothing of them is left, and the length stays.
func TestStandInsThatOverlap(t *testing.T) {
	m := standIns(t, "abcdabcd", "ABCDABCD", "cdabcdxy", "QRSTUVWX", "abcd", "WXYZ")
	for in, want := range map[string]string{"-abcdabcd-": "-ABCDABCD-", "-abcdabcdxy-": "-**********-", "abcdabcdabcd": "************", "abcd": "WXYZ"} {
		if got := m.Replace(in); got != want {
			t.Errorf("%q is %q, not %q", in, got, want)
		}
	}
}

// What was shown because nothing came for long is not shown again, and the rest is
// asterisks.
func TestStandInAfterARelease(t *testing.T) {
	s := standIns(t, "abcdefghijklmnop", "ABCDEFGHIJKLMNOP").stream()
	out := s.write(nil, []byte("--abcde"))
	out = s.release(out, some)
	if string(out) != "--abcde" {
		t.Fatalf("%q", out)
	}
	out = s.finish(s.write(out, []byte("fghijklmnop--")))
	if string(out) != "--abcdeFGHIJKLMNOP--" {
		t.Errorf("%q", out)
	}
}

func TestWhatCannotStandIn(t *testing.T) {
	for _, c := range [][2]string{{"abc", "ABC"}, {"abcde", "ABCD"}, {" abcd", " ABCD"}, {"abc d", "ABCDE"}, {"abcdé", "ABCDEF"}, {"abcdef", "ABCDé"}, {"ab\ncd", "AB\nCD"}, {"abcd\x7f", "ABCDE"}} {
		if _, err := NewStandIns([]StandIn{{secret.NewValue(c[0]), c[1]}}); err == nil {
			t.Errorf("%q for %q", c[1], c[0])
		}
	}
}

// The length stays for any text in any pieces, and nothing but values changes.
func FuzzStandIns(f *testing.F) {
	f.Add("fake-key/1234", "x fake-key/1234 abcdef fake%2Dkey/1234 \\u0066ake-key/1234", 3)
	f.Add("aaaa", "aaaaaabaaab", 1)
	f.Add("p@ss \"w\"", `p@ss \"w\" %70%40ss+%22w%22`, 7)
	f.Fuzz(func(t *testing.T, value, text string, size int) {
		stand := strings.Map(func(r rune) rune {
			if r == ' ' {
				return r
			}
			return '~'
		}, value)
		m, err := NewStandIns([]StandIn{{secret.NewValue(value), stand}})
		if err != nil || len(value) > 200 || len(text) > 400 {
			return
		}
		got := inPieces(m, text, size&15)
		if len(got) != len(text) {
			t.Fatalf("%q without %q is %q", text, value, got)
		}
		masked := whole(masker(value), text)
		if (masked == text) != (got == text) && !strings.Contains(text, secret.Redacted) && value != stand {
			t.Fatalf("%q without %q is %q, and masked %q", text, value, got, masked)
		}
		asJSON, _ := json.Marshal(value)
		for _, look := range []string{value, string(asJSON[1 : len(asJSON)-1]), hex.EncodeToString([]byte(value))} {
			if out := inPieces(m, `"`+look+`"`, size&15); value != stand && strings.Contains(out, look) {
				t.Fatalf("%q survives", look)
			}
		}
	})
}
