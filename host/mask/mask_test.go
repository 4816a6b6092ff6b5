package mask

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/secret"
)

func masker(values ...string) *Masker {
	var v []secret.Value
	for _, text := range values {
		v = append(v, secret.NewValue(text))
	}
	return New(v)
}

// whole masks a text that comes in one piece.
func whole(m *Masker, text string) string { return inPieces(m, text, len(text)) }

func inPieces(m *Masker, text string, size int) string {
	var b bytes.Buffer
	w := m.Writer(&b, Delays{time.Hour, time.Hour, time.Hour})
	for text != "" {
		n := min(max(size, 1), len(text))
		_, _ = io.WriteString(w, text[:n])
		text = text[n:]
	}
	_ = w.Close()
	return b.String()
}

const pem = "-----BEGIN FAKE PRIVATE KEY-----\nFAKEfakeFAKE/fake+FAKE\nshort\nline/of/the+key==\n-----END FAKE PRIVATE KEY-----\n"

func TestMask(t *testing.T) {
	m := masker("fake-key/1234", `p@ss "word"`, "abc", "  wide  ", pem, "abcdef", "defghi", "tail")
	crlf := strings.ReplaceAll(strings.TrimSpace(pem), "\n", "\r\n")
	for text, want := range map[string]string{
		"":                                   "",
		"nothing here":                       "nothing here",
		"key=fake-key/1234!":                 "key=********!",
		"fake-key/123":                       "fake-key/123",
		"fake-keyfake-key/1234":              "fake-key********",
		"fake-key/1234fake-key/1234":         "****************",
		"abc is short, ab too":               "abc is short, ab too",
		"<wide>":                             "<********>",
		"<  wide  >":                         "<  ********  >",
		"xabcdefghix":                        "x********x",
		"abcdefabcdefghi":                    "****************",
		"cut at the end: fake-k":             "cut at the end: fake-k",
		"?q=fake-key%2F1234&":                "?q=********&",
		"?q=fake%2dkey%2f1234&":              "?q=********&",
		"?q=%66ake-key/1234&":                "?q=********&",
		"p%40ss%20%22word%22":                "********",
		"p%40ss+%22word%22":                  "********",
		"100%":                               "100%",
		"100%2":                              "100%2",
		"%%66ake-key/1234%":                  "%********%",
		`"p@ss \"word\""`:                    `"********"`,
		`{"a":"p\u0040ss \u0022word\u0022"}`: `{"a":"********"}`,
		`"fake-key\/1234"`:                   `"********"`,
		`\`:                                  `\`,
		`\u00`:                               `\u00`,
		strings.TrimSpace(pem):               "********",
		pem:                                  "********\n",
		crlf + "\r\n$ ":                      "********\r\n$ ",
		"x FAKEfakeFAKE/fake+FAKE x short":   "x ******** x short",
		"-----BEGIN FAKE PRIVATE KEY-----\n": "-----BEGIN FAKE PRIVATE KEY-----\n",
		hex.EncodeToString([]byte("fake-key/1234")) + "\n":                                                                      "********\n",
		strings.ToUpper(hex.EncodeToString([]byte("<fake-key/1234>"))):                                                          "3C********3E",
		base64.StdEncoding.EncodeToString([]byte("fake-key/1234")):                                                              "********",
		base64.RawURLEncoding.EncodeToString([]byte("fake-key/1234")):                                                           "********",
		base64.StdEncoding.EncodeToString([]byte("user:fake-key/1234"))[:7]:                                                     "dXNlcjp",
		"Basic " + base64.StdEncoding.EncodeToString([]byte("user:fake-key/1234")):                                              "Basic dXNlcjp********",
		base64.StdEncoding.EncodeToString([]byte("fake"))[:4] + "\r\n" + base64.StdEncoding.EncodeToString([]byte("-key/1234")): "ZmFr\r\nLWtleS8xMjM0",
	} {
		if got := whole(m, text); got != want {
			t.Errorf("%q became %q, not %q", text, got, want)
		}
	}
	// base64 and hex as tools break them into lines.
	long := strings.Repeat("fake-key/", 20) + "end"
	m = masker(long)
	for _, enc := range []string{base64.StdEncoding.EncodeToString([]byte("ab" + long + "cd")), hex.EncodeToString([]byte("ab" + long + "cd"))} {
		for _, end := range []string{"\n", "\r\n"} {
			text := strings.Join(slices.Collect(chunks(enc, 60)), end)
			if got := whole(m, text); len(got) > len(secret.Redacted)+9 {
				t.Errorf("%q became %q", text, got)
			}
		}
	}
	if !masker("abc", "", " \n ").Empty() || masker("abcd").Empty() {
		t.Error("Empty")
	}
}

func chunks(text string, size int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for text != "" {
			n := min(size, len(text))
			if !yield(text[:n]) {
				return
			}
			text = text[n:]
		}
	}
}

// An endless run of overlapping values is one mask, and is not kept.
func TestMaskDoesNotGather(t *testing.T) {
	s := masker("aaaa").stream()
	var out []byte
	for range 1000 {
		out = s.write(out, bytes.Repeat([]byte("a"), 100))
		if len(s.raw) > 3 {
			t.Fatalf("%d bytes are held", len(s.raw))
		}
	}
	if out = s.finish(out); string(out) != secret.Redacted {
		t.Errorf("%.100q", out)
	}
}

// What a program waits with, such as a prompt, is shown though it may begin a
// value; what is most of one is not.
func TestDelays(t *testing.T) {
	const value = "password-0123456789"
	for _, c := range []struct {
		first  string
		delays Delays
		after  time.Duration
		want   string
		rest   string
		end    string
	}{
		{"your p", Terminal(), 2 * time.Millisecond, "your p", value[1:], "your p********"},
		{"your p", Pipe(), 5 * time.Millisecond, "your p", "lease", "your please"},
		{"password", Terminal(), 2 * time.Millisecond, "", value[8:], "********"},
		{"password", Terminal(), 20 * time.Millisecond, "password", ": ", "password: "},
		{"password", Pipe(), 9 * time.Second, "", value[8:], "********"},
		{"password", Pipe(), 10 * time.Second, "password", ": ", "password: "},
		{"> password-01234567", Terminal(), 900 * time.Millisecond, "> ", "!", "> password-01234567!"},
		{"> password-01234567", Terminal(), 1100 * time.Millisecond, "> ********", "89!", "> ********!"},
		{"> password-01234567", Terminal(), 1100 * time.Millisecond, "> ********", "xy!", "> ********xy!"},
		{"100%", Terminal(), 2 * time.Millisecond, "100%", "2", "100%2"},
	} {
		t.Run(c.first+c.after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b bytes.Buffer
				w := masker(value).Writer(&b, c.delays)
				_, _ = io.WriteString(w, c.first)
				time.Sleep(c.after) // of the bubble: no time passes
				synctest.Wait()
				w.mu.Lock()
				if b.String() != c.want {
					t.Errorf("after %v: %q, not %q", c.after, &b, c.want)
				}
				w.mu.Unlock()
				_, _ = io.WriteString(w, c.rest)
				_ = w.Close()
				if b.String() != c.end {
					t.Errorf("at the end: %q, not %q", &b, c.end)
				}
			})
		})
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }

func TestWriterFails(t *testing.T) {
	w := masker("fake-key").Writer(broken{}, Pipe())
	if _, err := io.WriteString(w, "text"); err == nil {
		t.Error("the error is lost")
	}
	if err := w.Close(); err == nil {
		t.Error("Close does not say it")
	}
}

// naive masks as the documentation says, without a filter and without pieces.
func naive(values []string, text string) string {
	var words, codes []string
	for _, v := range values {
		for _, p := range parts(v) {
			words = append(append(words, plain(p)...), encoded(p)...)
			codes = append(codes, encoded(p)...)
		}
	}
	var found []span
	search := func(chars []byte, at []span, words []string) {
		for _, w := range words {
			for i := 0; i+len(w) <= len(chars); i++ {
				if string(chars[i:i+len(w)]) == w {
					found = append(found, span{start: at[i].start, end: at[i+len(w)-1].end})
				}
			}
		}
	}
	for _, escape := range []string{
		`^$`, `^%[0-9A-Fa-f]{2}`, `^(?:''|""|'\\''|'"'"')`, `^&(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});`,
		`^\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-3][0-7]{2}|[abefnrtv -/:-@\[-` + "`" + `{-~])`,
	} {
		chars, at := unescaped(text, regexp.MustCompile(escape))
		search(chars, at, words)
	}
	var chars []byte
	var at []span
	for i := 0; i < len(text); i++ {
		all := regexp.MustCompile(`^[\r\n]+[ \t]*`).FindString(text[i:])
		breaks := len(all) - len(strings.TrimLeft(all, "\r\n"))
		if all != "" && breaks <= 4 && len(all)-breaks <= 64 {
			i += len(all) - 1
			continue
		}
		chars, at = append(chars, text[i]), append(at, span{start: i, end: i + 1})
	}
	search(chars, at, codes)
	slices.SortFunc(found, func(a, b span) int { return a.start - b.start })
	var out strings.Builder
	end := 0
	for _, f := range found {
		if f.start < end {
			end = max(end, f.end)
			continue
		}
		out.WriteString(text[end:f.start] + secret.Redacted)
		end = f.end
	}
	return out.String() + text[end:]
}

// unescaped are the characters of a text with escapes, and where each comes from.
func unescaped(text string, escape *regexp.Regexp) (chars []byte, at []span) {
	for i := 0; i < len(text); {
		e := escape.FindString(text[i:])
		c := meaning(e)
		if e == "" || c == "" {
			c, e = text[i:i+1], text[i:i+1]
		}
		for _, b := range []byte(c) {
			chars, at = append(chars, b), append(at, span{start: i, end: i + len(e)})
		}
		i += len(e)
	}
	return chars, at
}

func meaning(e string) string {
	number := func(digits string, base int) rune {
		n, _ := strconv.ParseUint(digits, base, 32)
		return rune(n)
	}
	switch {
	case e == "":
		return ""
	case e[0] == '%':
		return string([]byte{byte(number(e[1:], 16))})
	case e[0] == '\'' || e[0] == '"':
		return e[:1]
	case strings.HasPrefix(e, "&#"):
		if e[2] == 'x' || e[2] == 'X' {
			return string(number(e[3:len(e)-1], 16))
		}
		return string(number(e[2:len(e)-1], 10))
	case e[0] == '&':
		return map[string]string{"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": `"`, "&apos;": "'"}[e]
	case len(e) == 12:
		return string(utf16.DecodeRune(number(e[2:6], 16), number(e[8:], 16)))
	case e[1] == 'u' && utf16.IsSurrogate(number(e[2:], 16)):
		return ""
	case e[1] == 'u' || e[1] == 'U':
		return string(number(e[2:], 16))
	case e[1] == 'x':
		return string([]byte{byte(number(e[2:], 16))})
	case len(e) == 4:
		return string([]byte{byte(number(e[1:], 8))})
	}
	if i := strings.IndexByte("abefnrtv", e[1]); i >= 0 {
		return "\a\b\x1b\f\n\r\t\v"[i : i+1]
	}
	return e[1:]
}

// For any pieces the output is that of the whole, which is what the documentation
// says: nothing else changes.
func FuzzPieces(f *testing.F) {
	f.Add("fake-key/1234", "abcdef", "x fake-key/1234 abcdef fake%2Dkey/1234 \\u0066ake-key/1234", 3)
	f.Add("aaaa", "aaab", "aaaaaabaaab", 1)
	f.Add(pem, "p@ss \"w\"", pem+`p@ss \"w\" %70%40ss+%22w%22`, 7)
	f.Add("\xff\xfe\x00\x01", "ü€😀", `\u00fc\u20ac\ud83d\ude00 \ud83d\u00fc%`, 2)
	f.Add("it's \"x\" & <y>", "a\tb\x1bc", `it'\''s ""x"" &amp; &lt;y&#62; it'"'"'s a\tb\033c \x61\U00000009b\ec it\'s\ \"x\"\ \&\ \<y\>`, 5)
	f.Add("a\r\nbcdefghij", "bcde\\u", `a\r\nbcdefghij Ymiz bcde\u`, 1)
	f.Fuzz(func(t *testing.T, one, two, text string, size int) {
		if len(one)+len(two) > 200 || len(text) > 400 {
			return
		}
		values := []string{one, two}
		m := masker(values...)
		want := naive(values, text)
		if got := whole(m, text); got != want {
			t.Fatalf("%q without %q is %q, not %q", text, values, got, want)
		}
		size &= 15
		if got := inPieces(m, text, size); got != want {
			t.Fatalf("%q without %q in pieces of %d is %q, not %q", text, values, size, got, want)
		}
	})
}

// A value in any of its looks between any other text does not survive.
func FuzzValues(f *testing.F) {
	f.Add("fake-key/1234", "before ", " after", 3)
	f.Add(`p@ss "w" \ % + ü€😀`, "{", "}", 1)
	f.Add(pem, "", "\r\n", 9)
	f.Fuzz(func(t *testing.T, value, before, after string, size int) {
		value = strings.TrimSpace(value)
		if len(value) < MinLength || len(value) > 400 || len(before)+len(after) > 100 {
			return
		}
		asJSON, _ := json.Marshal(value)
		looks := []string{
			value, strings.ReplaceAll(strings.ReplaceAll(value, "\r\n", "\n"), "\n", "\r\n"), url.QueryEscape(value), url.PathEscape(value), hex.EncodeToString([]byte(value)),
			fmt.Sprintf("%X", value), base64.StdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value)),
		}
		if utf8.ValidString(value) {
			looks = append(looks, string(asJSON[1:len(asJSON)-1]))
		}
		m := masker(value)
		for _, look := range looks {
			// Quotes, so that no escape begins in the text before.
			got := inPieces(m, before+`"`+look+`"`+after, size&63)
			if n := strings.Count(before+after, look); strings.Count(got, look) > 0 && n == 0 && !strings.Contains(secret.Redacted, look) && !strings.Contains(`"`+secret.Redacted+`"`, look) {
				t.Fatalf("%q survives in %q", look, got)
			}
		}
		for shift := range 3 {
			enc := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("<", shift) + value + ">"))
			if got := inPieces(m, enc, size&63); len(got) > len(secret.Redacted)+9 {
				t.Fatalf("%q is %q", enc, got)
			}
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	var values []string
	for i := range 10 {
		values = append(values, fmt.Sprintf("fake-%d-%s", i, strings.Repeat("FAKEfake", 4)))
	}
	m := masker(values...)
	for name, text := range map[string]string{
		"log":  "2026-01-01T00:00:00Z INFO step=120 loss=0.1234 some other text of a log line\n",
		"json": `{"msg":"some \"quoted\" text\nwith lines \u0026 more","path":"a\\b\/c"}` + "\n",
		"code": "func f() {\n\tif a && b {\n\t\treturn fmt.Sprintf(\"%d%%\\n\", a)\n\t}\n}\n",
		"zero": "\x00",
	} {
		text := bytes.Repeat([]byte(text), 32<<10/len(text))
		b.Run(name, func(b *testing.B) {
			w := m.Writer(io.Discard, Pipe())
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				_, _ = w.Write(text)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	var values []string
	for i := range 10 {
		values = append(values, fmt.Sprintf("fake-%d-%s", i, strings.Repeat("FAKEfake", 4)))
	}
	for b.Loop() {
		masker(values...)
	}
}
