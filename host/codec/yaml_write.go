package codec

import (
	"strings"
	"unicode/utf8"

	yamlv3 "gopkg.in/yaml.v3"
)

// yamlMaxKey is how long a new key may be, in bytes: readers look no further
// than 1,024 characters for the colon.
const yamlMaxKey = 1000

// yamlStyle is how a scalar is quoted.
type yamlStyle uint8

const (
	yamlAny    yamlStyle = iota // the simplest that is safe
	yamlSingle                  // 'single'
	yamlDouble                  // "double"
	yamlBlock                   // a literal block, where the text allows it
	yamlFold                    // a folded block, where the text is one line
)

func yamlStyleOf(l *yamlLoc) yamlStyle {
	switch style := l.node.Style; {
	case l.node.Kind != yamlv3.ScalarNode:
	case style&yamlv3.DoubleQuotedStyle != 0:
		return yamlDouble
	case style&yamlv3.SingleQuotedStyle != 0:
		return yamlSingle
	case style&yamlv3.LiteralStyle != 0:
		return yamlBlock
	case style&yamlv3.FoldedStyle != 0:
		return yamlFold
	}
	return yamlAny
}

// yamlLayout is how new values are laid out.
type yamlLayout struct {
	eol  string
	unit int  // columns from a mapping to a mapping inside it
	list int  // columns from a mapping's key to the dashes of its list
	dash int  // columns from a dash to the text after it
	flat bool // no blocks of text: they would swallow the indented comment that follows
	json bool // inside JSON-like text: everything in double quotes
}

// yamlText is a value as new text: the rest of the line of its colon or dash,
// and the lines after it, each with its line end.
type yamlText struct {
	line, body string
	// open reports that body ends with a block scalar, which needs its last line end.
	open bool
}

// value returns n as the value of an entry at column (of the key or of the
// dash); dashed is whether it follows a dash.
func (y yamlLayout) value(n *Node, column int, dashed bool, style yamlStyle) yamlText {
	switch {
	case n.Scalar():
		if body, head := y.blockScalar(n, column+max(y.unit, 1), style); head != "" {
			return yamlText{head, body, !strings.HasSuffix(head, "-")}
		}
		return yamlText{line: y.scalar(n, false, style)}
	case n == nil || len(n.Items)+len(n.Pairs) == 0:
		return yamlText{line: y.flow(n)}
	case dashed:
		text, open := y.lines(n, column+y.dash)
		line, body, _ := strings.Cut(text[column+y.dash:], y.eol)
		return yamlText{line, body, open}
	case n.Kind == List:
		text, open := y.lines(n, column+y.list)
		return yamlText{"", text, open}
	}
	text, open := y.lines(n, column+y.unit)
	return yamlText{"", text, open}
}

// entry returns key (nil in a list) and value as whole lines at column.
func (y yamlLayout) entry(key *string, value *Node, column int, style yamlStyle) (text string, open bool) { //nolint:unparam // as value and lines take it
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", column))
	v := y.value(value, column, key == nil, style)
	if key == nil {
		b.WriteByte('-')
		if v.line != "" {
			b.WriteString(strings.Repeat(" ", y.gap(value)))
		}
	} else {
		b.WriteString(y.key(*key))
		b.WriteByte(':')
		if v.line != "" {
			b.WriteByte(' ')
		}
	}
	b.WriteString(v.line)
	b.WriteString(y.eol)
	b.WriteString(v.body)
	return b.String(), v.open
}

// gap returns the number of blanks between a dash and value.
func (y yamlLayout) gap(value *Node) int {
	if value == nil || len(value.Items)+len(value.Pairs) == 0 {
		return 1
	}
	return y.dash - 1
}

// lines returns the entries of a Map or List as block text at column.
func (y yamlLayout) lines(n *Node, column int) (text string, open bool) {
	var b strings.Builder
	for i := range n.Pairs {
		text, open = y.entry(&n.Pairs[i].Key, n.Pairs[i].Value, column, yamlAny)
		b.WriteString(text)
	}
	for _, item := range n.Items {
		text, open = y.entry(nil, item, column, yamlAny)
		b.WriteString(text)
	}
	return b.String(), open
}

// flow returns n on one line, in brackets.
func (y yamlLayout) flow(n *Node) string {
	if n == nil {
		return "null"
	}
	var parts []string
	switch n.Kind {
	case List:
		for _, item := range n.Items {
			parts = append(parts, y.flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case Map:
		for _, p := range n.Pairs {
			parts = append(parts, y.member(p.Key, p.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return y.scalar(n, true, yamlAny)
}

// member returns one entry of a flow mapping.
func (y yamlLayout) member(key string, value *Node) string {
	return y.scalar(Text(key), true, yamlAny) + ": " + y.flow(value)
}

// key returns a key of a block mapping. One that begins with a colon is a symbol to Ruby,
// which it would not be in quotes.
func (y yamlLayout) key(key string) string {
	if name, symbol := strings.CutPrefix(key, ":"); symbol && !y.json && name != "" && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz_") == "" {
		return key
	}
	return y.scalar(Text(key), false, yamlAny)
}

// scalar returns n on one line.
func (y yamlLayout) scalar(n *Node, flow bool, style yamlStyle) string {
	switch {
	case n == nil || n.Kind == Null:
		return "null"
	case n.Kind != String:
		return n.Text
	case y.json || style == yamlDouble:
	case style == yamlSingle && yamlPrintable(n.Text) && !strings.ContainsAny(n.Text, "\n"):
		return "'" + strings.ReplaceAll(n.Text, "'", "''") + "'"
	case style != yamlSingle && yamlPlainSafe(n.Text, flow):
		return n.Text
	}
	return yamlQuote(n.Text)
}

// blockScalar returns the lines and the indicator of n as a literal or folded
// block at column, or "" where it is better on one line: the text must read
// back the same whatever follows it.
func (y yamlLayout) blockScalar(n *Node, column int, style yamlStyle) (body, head string) {
	s := strings.TrimSuffix(n.Text, "\n")
	several := strings.Contains(s, "\n")
	switch {
	case n.Kind != String || y.json || y.flat || !yamlPrintable(s) || s == "" || strings.IndexByte(" \t\n", s[0]) >= 0 || strings.HasSuffix(s, "\n"):
		return "", ""
	case style == yamlBlock || style == yamlFold:
	case style != yamlAny || !several:
		return "", ""
	}
	indent := strings.Repeat(" ", column)
	var b strings.Builder
	for line := range strings.SplitSeq(s, "\n") {
		if line != "" {
			if strings.TrimRight(line, " \t") == "" {
				return "", ""
			}
			b.WriteString(indent)
			b.WriteString(line)
		}
		b.WriteString(y.eol)
	}
	head = "|"
	if style == yamlFold && !several {
		head = ">"
	}
	if len(s) == len(n.Text) {
		head += "-"
	}
	return b.String(), head
}

// yamlPrintable reports whether all of s may stand in YAML as it is. Characters
// that some readers take for line ends do not count.
func yamlPrintable(s string) bool {
	for _, r := range s {
		switch {
		case r == '\t' || r == '\n':
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff || r == utf8.RuneError:
			return false
		}
	}
	return true
}

// yamlPlainSafe reports whether s reads as that String without quotes, in YAML
// 1.2 and in 1.1 (PyYAML, gh). It may say no to some that would.
func yamlPlainSafe(s string, flow bool) bool {
	switch {
	case s == "" || !yamlPrintable(s) || strings.ContainsAny(s, "\t\n"):
		return false
	case strings.TrimSpace(s) != s || strings.IndexByte("-?:,[]{}#&*!|>'\"%@`", s[0]) >= 0:
		return false
	case strings.Contains(s, ": ") || strings.Contains(s, " #") || strings.HasSuffix(s, ":"):
		return false
	case flow && strings.ContainsAny(s, ",[]{}:?"):
		return false
	case strings.HasPrefix(s, "...") || yamlLooksTyped(s):
		return false
	}
	return yamlPlainKind(s) == String
}

// yamlLooksTyped reports whether a reader may take s, as a plain scalar, for
// something else than text.
func yamlLooksTyped(s string) bool {
	switch strings.ToLower(s) {
	case "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<", ".inf", "+.inf", "-.inf", ".nan":
		return true
	}
	return yamlLooksNumeric(s) || yamlLooksDated(s)
}

// yamlLooksNumeric reports whether a reader may take s for a number, also one
// in base 2, 8, 16 or 60, or of nothing but underscores.
func yamlLooksNumeric(s string) bool {
	s = strings.ToLower(strings.TrimLeft(s, "+-"))
	if len(s) > 1 && s[0] == '0' && strings.IndexByte("xob", s[1]) >= 0 {
		return strings.Trim(s[2:], "0123456789abcdef_") == ""
	}
	mantissa, exponent, has := strings.Cut(s, "e")
	if has {
		if exponent = strings.TrimLeft(exponent, "+-"); strings.Trim(exponent, "0123456789_") != "" {
			return false
		}
	}
	dots := strings.Count(mantissa, ".")
	return strings.ContainsAny(mantissa, "0123456789_") && strings.Trim(mantissa, "0123456789_.:") == "" && (dots <= 1 || strings.Contains(mantissa, ":"))
}

// yamlLooksDated reports whether s begins as a date does, such as 2026-1-2.
func yamlLooksDated(s string) bool {
	rest := strings.TrimLeft(s, "0123456789")
	if len(s)-len(rest) != 4 || !strings.HasPrefix(rest, "-") {
		return false
	}
	month := strings.TrimLeft(rest[1:], "0123456789")
	digits := len(rest) - 1 - len(month)
	if digits < 1 || digits > 2 || !strings.HasPrefix(month, "-") {
		return false
	}
	day := strings.TrimLeft(month[1:], "0123456789")
	digits = len(month) - 1 - len(day)
	return digits >= 1 && digits <= 2 && (day == "" || strings.IndexByte("Tt \t", day[0]) >= 0)
}

// yamlQuote returns s in double quotes, with escapes that JSON knows too.
func yamlQuote(s string) string {
	const hex = "0123456789abcdef"
	quoted := jsonString(nil, s)
	out := make([]byte, 0, len(quoted))
	for _, r := range string(quoted) {
		if r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff {
			out = append(out, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// yamlWritable returns an error for a value that YAML cannot hold.
func yamlWritable(n *Node) error {
	switch {
	case n == nil:
	case n.Kind == String && !utf8.ValidString(n.Text):
		return &Error{Msg: "the new value is not UTF-8 text, which YAML cannot hold"}
	case n.Kind == Number && (yamlPlainKind(n.Text) != Number || !yamlPrintable(n.Text)):
		return &Error{Msg: "the new value is not a number that YAML can hold"}
	case n.Kind == Bool && n.Text != "true" && n.Text != "false":
		return &Error{Msg: "the new value is not true or false"}
	}
	if n == nil {
		return nil
	}
	for _, i := range n.Items {
		if err := yamlWritable(i); err != nil {
			return err
		}
	}
	for _, p := range n.Pairs {
		if err := yamlWritableKey(p.Key); err != nil {
			return err
		}
		if err := yamlWritable(p.Value); err != nil {
			return err
		}
	}
	return nil
}

func yamlWritableKey(key string) error {
	switch {
	case !utf8.ValidString(key):
		return &Error{Msg: "a new key is not UTF-8 text, which YAML cannot hold"}
	case len(yamlQuote(key)) > yamlMaxKey:
		return &Error{Msg: "a new key is too long for YAML"}
	}
	return nil
}
