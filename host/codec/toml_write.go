package codec

import (
	"strings"
	"unicode/utf8"

	gotoml "github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlKey returns one part of a key.
func tomlKey(key string) string {
	if key != "" && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == "" {
		return key
	}
	return tomlBasic(key, false)
}

// tomlKeys returns a dotted key.
func tomlKeys(keys []string) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = tomlKey(k)
	}
	return strings.Join(parts, ".")
}

// tomlBasic returns s in double quotes; lines is whether in three of them, with
// its line ends as they are.
func tomlBasic(s string, lines bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	quote := `"`
	if lines {
		quote = `"""`
	}
	b.WriteString(quote)
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n' && lines:
			b.WriteByte('\n')
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\u00`)
			b.WriteByte(hex[r>>4])
			b.WriteByte(hex[r&15])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteString(quote)
	return b.String()
}

// tomlString returns s in the quotes of old, the text of a string, where they
// can hold it, or else in double quotes.
func tomlString(s, old, eol string) string {
	control := strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' || r == 0x7f })
	newline := strings.Contains(s, "\n")
	begin := ""
	if len(old) > 3 && (old[3] == '\n' || old[3] == '\r') {
		begin = eol
	}
	switch {
	case newline && eol != "\n": // readers differ on line ends inside strings
	case strings.HasPrefix(old, `"""`) && (begin != "" || !strings.HasPrefix(s, "\n")):
		return `"""` + begin + tomlBasic(s, true)[3:]
	case strings.HasPrefix(old, "'''") && !control && !strings.Contains(s, "'''") && !strings.HasSuffix(s, "'") && (begin != "" || !strings.HasPrefix(s, "\n")):
		return "'''" + begin + s + "'''"
	case strings.HasPrefix(old, "'") && !strings.HasPrefix(old, "'''") && !control && !newline && !strings.Contains(s, "'"):
		return "'" + s + "'"
	}
	return tomlBasic(s, false)
}

// tomlValue returns n as a value on one line.
func tomlValue(n *Node) string {
	switch n.Kind {
	case String:
		return tomlBasic(n.Text, false)
	case List:
		parts := make([]string, len(n.Items))
		for i, item := range n.Items {
			parts[i] = tomlValue(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case Map:
		if len(n.Pairs) == 0 {
			return "{}"
		}
		parts := make([]string, len(n.Pairs))
		for i, p := range n.Pairs {
			parts[i] = tomlKey(p.Key) + " = " + tomlValue(p.Value)
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	}
	return n.Text
}

// tomlKindOf returns the kind that text has as a value, or Invalid.
func tomlKindOf(text string) unstable.Kind {
	if text == "" || strings.ContainsAny(text, "#\n\r") || strings.TrimSpace(text) != text {
		return unstable.Invalid
	}
	doc := []byte("k = " + text)
	var all map[string]any
	if gotoml.Unmarshal(doc, &all) != nil {
		return unstable.Invalid
	}
	p := &unstable.Parser{}
	p.Reset(doc)
	if !p.NextExpression() {
		return unstable.Invalid
	}
	return p.Expression().Value().Kind
}

// tomlIsDate reports whether text is a date or a time.
func tomlIsDate(text string) bool {
	switch tomlKindOf(text) {
	case unstable.DateTime, unstable.LocalDateTime, unstable.LocalDate, unstable.LocalTime:
		return true
	}
	return false
}

// tomlWritable returns an error for a value that TOML cannot hold.
func tomlWritable(n *Node) error {
	switch {
	case n == nil || n.Kind == Null:
		return &Error{Msg: "TOML has no null"}
	case n.Kind == String && !utf8.ValidString(n.Text):
		return &Error{Msg: "the new value is not UTF-8 text, which TOML cannot hold"}
	case n.Kind == Bool && n.Text != "true" && n.Text != "false":
		return &Error{Msg: "the new value is not true or false"}
	case n.Kind == Number:
		if k := tomlKindOf(n.Text); k != unstable.Integer && k != unstable.Float {
			return &Error{Msg: "the new value is not a number that TOML can hold"}
		}
	}
	for _, i := range n.Items {
		if err := tomlWritable(i); err != nil {
			return err
		}
	}
	for _, p := range n.Pairs {
		if !utf8.ValidString(p.Key) {
			return &Error{Msg: "a new key is not UTF-8 text, which TOML cannot hold"}
		}
		if err := tomlWritable(p.Value); err != nil {
			return err
		}
	}
	return nil
}

// tomlIsTables reports whether n is best written as [table]s: a Map with
// entries, or a List of such.
func tomlIsTables(n *Node) bool {
	if n.Kind == List {
		for _, i := range n.Items {
			if i.Kind != Map || len(i.Pairs) == 0 {
				return false
			}
		}
		return len(n.Items) > 0
	}
	return n.Kind == Map && len(n.Pairs) > 0
}

// tomlLayout is how new statements are laid out.
type tomlLayout struct {
	eol    string
	equals string // the equals sign with the blanks around it
	indent string // before keys, beyond the blanks before their header
	blank  bool   // a blank line before a header
}

// table returns n as sections, the first of them headed by path in brackets;
// outer is what the headers are indented by.
func (y tomlLayout) table(path []string, n *Node, list bool, outer string) string {
	var b strings.Builder
	if y.blank {
		b.WriteString(y.eol)
	}
	open, closing := "[", "]"
	if list {
		open, closing = "[[", "]]"
	}
	b.WriteString(outer + open + tomlKeys(path) + closing + y.eol)
	for _, p := range n.Pairs {
		if !tomlIsTables(p.Value) {
			b.WriteString(outer + y.indent + tomlKey(p.Key) + y.equals + tomlValue(p.Value) + y.eol)
		}
	}
	for _, p := range n.Pairs {
		if tomlIsTables(p.Value) {
			b.WriteString(y.tables(append(path[:len(path):len(path)], p.Key), p.Value, outer))
		}
	}
	return b.String()
}

// tables returns n, a Map or a List of Maps, as sections.
func (y tomlLayout) tables(path []string, n *Node, outer string) string {
	if n.Kind == Map {
		return y.table(path, n, false, outer)
	}
	var b strings.Builder
	for _, item := range n.Items {
		b.WriteString(y.table(path, item, true, outer))
	}
	return b.String()
}
