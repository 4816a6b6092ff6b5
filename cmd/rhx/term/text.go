package term

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text makes s fit for a terminal. What a terminal would obey, or would not show,
// becomes visible: U+001B is shown as \x1b, U+202E as \u202e, a byte that is not
// UTF-8 as \xff. Those are control characters, format characters (which turn the
// direction of text or have no width), the separators of lines and paragraphs.
// Line breaks and tabs stay. Text(Text(s)) is Text(s).
func Text(s string) string { return visible(s, "\n\t") }

// Line is [Text] for what has to stay on one line, such as a name, a path or the
// cell of a table: line breaks and tabs become visible, too.
func Line(s string) string { return visible(s, "") }

// Linef is [Line] of a formatted text.
func Linef(format string, args ...any) string { return Line(fmt.Sprintf(format, args...)) }

// Safe reports that a terminal shows s as it is, in one line or in several.
func Safe(s string) bool {
	return Text(s) == s
}

func visible(s, keep string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !obeyed(r) || strings.ContainsRune(keep, r):
			b.WriteString(s[i : i+n])
		default:
			b.WriteString(escaped(r))
		}
		i += n
	}
	return b.String()
}

// plain reports that s is printable ASCII, as most text is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// obeyed reports whether a terminal acts on r, or shows nothing for it.
func obeyed(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// escaped is how r is shown: as Go, Python and, from U+0080 on, JSON write it.
func escaped(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}
