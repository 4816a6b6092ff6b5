package mask

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// percent is of the escapes of URLs.
func percent(text, raw []byte) ([]byte, int) {
	n, size := digits(raw[1:], 2)
	if size < 2 {
		return nil, missing(raw[1:], size)
	}
	return append(text, byte(n)), 3
}

// backslash is of the escapes of JSON, C, and a shell's $'...', and of a single
// character that a shell is not to read. Where these contradict each other JSON is
// right.
func backslash(text, raw []byte) ([]byte, int) {
	if len(raw) < 2 {
		return nil, incomplete
	}
	c := raw[1]
	switch i := strings.IndexByte("abefnrtv", c); {
	case i >= 0:
		return append(text, "\a\b\x1b\f\n\r\t\v"[i]), 2
	case c == 'x':
		n, size := digits(raw[2:], 2)
		if size < 2 {
			return nil, missing(raw[2:], size)
		}
		return append(text, byte(n)), 4
	case c == 'u':
		return unicodeEscape(text, raw)
	case c == 'U':
		n, size := digits(raw[2:], 8)
		if size < 8 {
			return nil, missing(raw[2:], size)
		}
		return utf8.AppendRune(text, n), 10
	case '0' <= c && c <= '3':
		return octal(text, raw)
	case c > ' ' && c < 0x7f && !isLetter(c) && !isDigit(c) || c == ' ':
		return append(text, c), 2
	}
	return nil, 0
}

// unicodeEscape is of \uXXXX, and of two such that are one character.
func unicodeEscape(text, raw []byte) ([]byte, int) {
	r, size := digits(raw[2:], 4)
	if size < 4 {
		return nil, missing(raw[2:], size)
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(text, r), 6
	}
	rest := raw[6:]
	switch low, size := digits(rest[min(2, len(rest)):], 4); {
	case !strings.HasPrefix(`\u`, string(rest[:min(2, len(rest))])):
	case size < 4:
		return nil, missing(raw[6:], min(2, len(rest))+size)
	case utf16.DecodeRune(r, low) != utf8.RuneError:
		return utf8.AppendRune(text, utf16.DecodeRune(r, low)), 12
	}
	return nil, 0
}

func octal(text, raw []byte) ([]byte, int) {
	var n byte
	for i := 1; i < 4; i++ {
		if i == len(raw) {
			return nil, incomplete
		}
		d := raw[i] - '0'
		if d > 7 {
			return nil, 0
		}
		n = n*8 + d
	}
	return append(text, n), 4
}

// quote is of a quote in a quoted text: of a shell, SQL, YAML, CSV.
func quote(text, raw []byte) ([]byte, int) {
	cut := false
	for _, s := range []string{`''`, `""`, `'\''`, `'"'"'`} {
		if bytes.HasPrefix(raw, []byte(s)) {
			return append(text, raw[0]), len(s)
		}
		cut = cut || strings.HasPrefix(s, string(raw[:min(len(raw), len(s))]))
	}
	if cut {
		return nil, incomplete
	}
	return nil, 0
}

// longestEntity is the length of the longest that is read, such as &#x10FFFF; .
const longestEntity = 10

// entity is of the entities of XML.
func entity(text, raw []byte) ([]byte, int) {
	for i := 1; i < longestEntity; i++ {
		if i == len(raw) {
			return nil, incomplete
		}
		switch c := raw[i]; {
		case c == ';':
			if r, ok := entityName(raw[1:i]); ok {
				return utf8.AppendRune(text, r), i + 1
			}
			return nil, 0
		case !isLetter(c) && !isDigit(c) && (c != '#' || i > 1):
			return nil, 0
		}
	}
	return nil, 0
}

func entityName(name []byte) (rune, bool) {
	switch string(name) {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	number, numeric := bytes.CutPrefix(name, []byte("#"))
	base := 10
	if len(number) > 0 && number[0]|0x20 == 'x' {
		number, base = number[1:], 16
	}
	r, err := strconv.ParseUint(string(number), base, 31)
	return rune(r), numeric && err == nil
}

const (
	// mostBreaks and mostIndent bound what stands between two lines of one encoding, and
	// so what must be kept.
	mostBreaks = 4
	mostIndent = 64
)

// lineBreak is of a line's end and the next one's indent, which stand for nothing.
// A blank line is what separates texts.
func lineBreak(text, raw []byte) ([]byte, int) {
	i := 0
	for i < len(raw) && (raw[i] == '\r' || raw[i] == '\n') {
		i++
	}
	breaks := i
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t') {
		i++
	}
	switch {
	case breaks > mostBreaks || i-breaks > mostIndent:
		return nil, 0
	case i == len(raw):
		return nil, incomplete
	}
	return text, i
}

// digits reads up to n hexadecimal digits.
func digits(raw []byte, n int) (number rune, size int) {
	for size < n && size < len(raw) {
		d := raw[size] - '0'
		if letter := raw[size] | 0x20 - 'a'; letter < 6 {
			d = letter + 10
		} else if d > 9 {
			break
		}
		number = number<<4 | rune(d)
		size++
	}
	return number, size
}

// missing is the length of an escape whose digits are too few.
func missing(raw []byte, size int) int {
	if size == len(raw) {
		return incomplete
	}
	return 0
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
