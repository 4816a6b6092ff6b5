package term

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ in, text, line string }{
		{"", "", ""},
		{"plain text, ünd 日本語 🔑 \ufffd", "plain text, ünd 日本語 🔑 \ufffd", "plain text, ünd 日本語 🔑 \ufffd"},
		{"a\nb\tc", "a\nb\tc", `a\nb\tc`},
		{"a\r\nb", "a\\r\nb", `a\r\nb`},
		{"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`, `\x1b[31mred\x1b[0m`},
		{"\x00\x07\x08\x7f", `\x00\x07\x08\x7f`, `\x00\x07\x08\x7f`},
		{"\u0080\u009b31m\u009f\u00a0", `\u0080\u009b31m\u009f` + "\u00a0", `\u0080\u009b31m\u009f` + "\u00a0"},
		{"\x9b31m\xff\xc3", `\x9b31m\xff\xc3`, `\x9b31m\xff\xc3`},
		{"\u202a\u202b\u202c\u202d\u202e", `\u202a\u202b\u202c\u202d\u202e`, `\u202a\u202b\u202c\u202d\u202e`},
		{"\u2066\u2067\u2068\u2069\u200e\u200f\u061c", `\u2066\u2067\u2068\u2069\u200e\u200f\u061c`, `\u2066\u2067\u2068\u2069\u200e\u200f\u061c`},
		{"\u200b\u200c\u200d\u2060\ufeff\u00ad", `\u200b\u200c\u200d\u2060\ufeff\u00ad`, `\u200b\u200c\u200d\u2060\ufeff\u00ad`},
		{"\u2028\u2029", `\u2028\u2029`, `\u2028\u2029`},
		{"\U000e0041", `\U000e0041`, `\U000e0041`},
		{`C:\x1b\n`, `C:\x1b\n`, `C:\x1b\n`},
	} {
		if got := Text(c.in); got != c.text {
			t.Errorf("Text(%q) = %q, not %q", c.in, got, c.text)
		}
		if got := Line(c.in); got != c.line {
			t.Errorf("Line(%q) = %q, not %q", c.in, got, c.line)
		}
	}
	if Safe("a\x1b") || Safe("a\xff") || !Safe("a\nb") {
		t.Error("Safe")
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a\nb", "\x1b[2J", "\u202e", "\xff\x00", "é\u0301", "\u2028\U000e0001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, line := Text(s), Line(s)
		for what, got := range map[string]string{"Text": text, "Line": line} {
			if !utf8.ValidString(got) {
				t.Errorf("%s(%q) is not UTF-8: %q", what, s, got)
			}
			for _, r := range got {
				layout := what == "Text" && (r == '\n' || r == '\t')
				if !layout && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
					t.Errorf("%s(%q) has %U", what, s, r)
				}
			}
		}
		if Text(text) != text || Line(line) != line || Line(text) != line {
			t.Errorf("%q: twice is not once", s)
		}
		if got := strings.Count(text, "\n"); got != strings.Count(s, "\n") {
			t.Errorf("%q has %d line breaks", s, got)
		}
	})
}
