package mask

import (
	"strings"
	"testing"
)

// What an escape stands for, and where only more text can tell.
func TestEscapes(t *testing.T) {
	type result struct {
		text string
		n    int
	}
	for name, c := range map[string]struct {
		escape escape
		cases  map[string]result
	}{
		"percent": {percent, map[string]result{
			"%41": {"A", 3}, "%4a1": {"J", 3}, "%fF": {"\xff", 3}, "%00": {"\x00", 3},
			"%": {"", incomplete}, "%4": {"", incomplete}, "%g1": {}, "%4g": {}, "%%4": {}, "%4`": {}, "%:0": {},
		}},
		"backslash": {backslash, map[string]result{
			`\"x`: {`"`, 2}, `\\`: {`\`, 2}, `\/`: {`/`, 2}, `\'`: {`'`, 2}, `\ `: {" ", 2}, `\~`: {"~", 2}, `\!`: {"!", 2},
			`\b`: {"\b", 2}, `\f`: {"\f", 2}, `\n`: {"\n", 2}, `\r`: {"\r", 2}, `\t`: {"\t", 2}, `\a`: {"\a", 2}, `\e`: {"\x1b", 2}, `\v`: {"\v", 2},
			`\`: {"", incomplete}, `\z`: {}, `\A`: {}, `\Z`: {}, `\c`: {}, "\\\n": {}, "\\\x1f": {}, "\\\x7f": {}, "\\\x80": {}, `\4`: {}, `\9`: {}, `\412`: {},
			`\u0041f`: {"A", 6}, `\u00fc`: {"ü", 6}, `\u20AC`: {"€", 6}, `\ud83d\ude00x`: {"😀", 12}, `\uD83D\uDE00`: {"😀", 12},
			`\u`: {"", incomplete}, `\u004`: {"", incomplete}, `\u004g`: {}, `\ud83d`: {"", incomplete}, `\ud83d\`: {"", incomplete}, `\ud83d\u`: {"", incomplete},
			`\ud83d\ude0`: {"", incomplete}, `\ud83dx`: {}, `\ud83d\x`: {}, `\ud83d\u0041`: {}, `\ud83d\u00g`: {}, `\ude00`: {"", incomplete}, `\ude00\ud83d`: {},
			`\x41f`: {"A", 4}, `\xff`: {"\xff", 4}, `\x`: {"", incomplete}, `\x4`: {"", incomplete}, `\x4g`: {},
			`\U0001F600x`: {"😀", 10}, `\U0001F60`: {"", incomplete}, `\U0001F6g0`: {},
			`\1012`: {"A", 4}, `\000`: {"\x00", 4}, `\377`: {"\xff", 4}, `\33`: {"", incomplete}, `\0`: {"", incomplete}, `\03x`: {}, `\080`: {}, `\0/0`: {},
		}},
		"quote": {quote, map[string]result{
			`''x`: {`'`, 2}, `""x`: {`"`, 2}, `'\''x`: {`'`, 4}, `'"'"'x`: {`'`, 5},
			`'`: {"", incomplete}, `"`: {"", incomplete}, `'\`: {"", incomplete}, `'\'`: {"", incomplete}, `'"`: {"", incomplete}, `'"'"`: {"", incomplete},
			`"x`: {}, `'x`: {}, `'\x`: {}, `'"x`: {}, `'"'x`: {},
		}},
		"entity": {entity, map[string]result{
			"&amp;x": {"&", 5}, "&lt;": {"<", 4}, "&gt;": {">", 4}, "&quot;": {`"`, 6}, "&apos;": {"'", 6},
			"&#65;": {"A", 5}, "&#x41;": {"A", 6}, "&#X4a;": {"J", 6}, "&#x10FFFF;": {"\U0010FFFF", 10}, "&#1114111;": {"\U0010FFFF", 10}, "&#x20ac;": {"€", 8},
			"&": {"", incomplete}, "&am": {"", incomplete}, "&#": {"", incomplete}, "&#x10FFFF": {"", incomplete}, "&AZaz09": {"", incomplete},
			"&;": {}, "&#;": {}, "&#x;": {}, "&amp ": {}, "&a#;": {}, "&x41;": {}, "&65;": {}, "&#xg;": {}, "&#6a;": {}, "&#x010FFFF;": {}, "&nbsp;": {}, "&@": {}, "&[": {}, "&`": {}, "&{": {}, "&/": {}, "&:": {}, "&123456789": {},
		}},
		"lineBreak": {lineBreak, map[string]result{
			"\nx": {"", 1}, "\r\nx": {"", 2}, "\r\n\r\nx": {"", 4}, "\n \t x": {"", 4}, "\n" + strings.Repeat(" ", 64) + "x": {"", 65}, "\n \nx": {"", 2},
			"\n": {"", incomplete}, "\r\n": {"", incomplete}, "\n\n\n\n": {"", incomplete}, "\n  ": {"", incomplete},
			"\n\n\n\n\nx": {}, "\n\n\n\n\n": {}, "\n" + strings.Repeat("\t", 65) + "x": {}, "\n" + strings.Repeat("\t", 65): {},
		}},
	} {
		for raw, want := range c.cases {
			got, n := c.escape([]byte("<"), []byte(raw))
			if n != want.n || n > 0 && string(got) != "<"+want.text {
				t.Errorf("%s of %q: %q, %d; not %q, %d", name, raw, got, n, want.text, want.n)
			}
		}
	}
}
