package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tailscale/hujson"
)

// jsonFormat is JSON (RFC 8259), read with the comments and trailing commas
// that editors and tools allow in it (JWCC). Of duplicate keys the last counts,
// as in most readers.
type jsonFormat struct{}

// Decode reads a JSON document.
func (jsonFormat) Decode(data []byte) (*Node, error) {
	root, err := jsonParse(data)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return &Node{Kind: Map}, nil
	}
	return jsonNode(root, &treeLines{data: data})
}

// Splice makes edits in a JSON document.
func (f jsonFormat) Splice(data []byte, edits []Edit) ([]byte, error) {
	return treeSplice(f, data, edits)
}

// jsonParse returns the syntax tree of data, with offsets into data, or nil
// where data is blank.
func jsonParse(data []byte) (*hujson.Value, error) {
	if err := treeInvalidUTF8(data); err != nil {
		return nil, err
	}
	if err := jsonDepth(data); err != nil {
		return nil, err
	}
	text := bytes.TrimPrefix(data, []byte(treeBOM))
	skipped := len(data) - len(text)
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	// A comment on the last line need not end with a newline.
	root, err := hujson.Parse(append(text[:len(text):len(text)], '\n'))
	if err != nil {
		return nil, jsonError(err, skipped)
	}
	for v := range root.All() {
		v.StartOffset += skipped
		v.EndOffset += skipped
	}
	return &root, nil
}

// jsonError turns an error of hujson, which may quote the file, into an [Error].
func jsonError(err error, skipped int) error {
	e := &Error{Msg: "not valid JSON"}
	text := err.Error()
	if rest, ok := strings.CutPrefix(text, "hujson: line "); ok {
		line, rest, _ := strings.Cut(rest, ", column ")
		column, _, _ := strings.Cut(rest, ":")
		e.Line, _ = strconv.Atoi(line)
		e.Column, _ = strconv.Atoi(column)
		if e.Line == 1 {
			e.Column += skipped
		}
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Msg += ": it ends too early"
	case strings.Contains(text, "invalid literal"):
		e.Msg += ": expected a string, a number, true, false or null"
	case strings.HasSuffix(text, "at start of object name"):
		e.Msg += ": expected a key in double quotes"
	case strings.HasSuffix(text, "after object name"):
		e.Msg += ": expected a colon after the key"
	case strings.HasSuffix(text, "(expecting ',' or '}')"):
		e.Msg += ": expected a comma or a closing brace"
	case strings.HasSuffix(text, "(expecting ',' or ']')"):
		e.Msg += ": expected a comma or a closing bracket"
	case strings.HasSuffix(text, "after top-level value"):
		e.Msg += ": unexpected text after the document"
	case strings.HasSuffix(text, "at start of value"):
		e.Msg += ": expected a value"
	}
	return e
}

// jsonDepth returns an error where values nest too deeply for a recursive
// parser. It looks at nothing else.
func jsonDepth(data []byte) error {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth++; depth > treeMaxDepth {
				line, column := treeLine(data, i)
				return &Error{line, column, "values nest too deeply"}
			}
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
		case '/':
			i = jsonSkipComment(data, i) - 1
		}
	}
	return nil
}

// jsonSkipComment returns the offset after the comment at data[i], without the
// newline that ends a line comment; after data[i] where there is no comment.
func jsonSkipComment(data []byte, i int) int {
	var end int
	switch rest := data[i:]; {
	case bytes.HasPrefix(rest, []byte("//")):
		end = bytes.IndexByte(rest, '\n')
	case bytes.HasPrefix(rest, []byte("/*")):
		if end = bytes.Index(rest[2:], []byte("*/")); end >= 0 {
			end += 4
		}
	default:
		return i + 1
	}
	if end < 0 {
		return len(data)
	}
	return i + end
}

func jsonNode(v *hujson.Value, lines *treeLines) (*Node, error) {
	n := &Node{Line: lines.at(v.StartOffset)}
	switch t := v.Value.(type) {
	case *hujson.Object:
		n.Kind = Map
		for i := range t.Members {
			m := &t.Members[i]
			key, err := jsonText(&m.Name, lines)
			if err != nil {
				return nil, err
			}
			value, err := jsonNode(&m.Value, lines)
			if err != nil {
				return nil, err
			}
			n.set(key, value)
		}
	case *hujson.Array:
		n.Kind = List
		for i := range t.Elements {
			item, err := jsonNode(&t.Elements[i], lines)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
	case hujson.Literal:
		switch t.Kind() {
		case 'n':
		case 't', 'f':
			n.Kind, n.Text = Bool, string(t)
		case '0':
			n.Kind, n.Text = Number, string(t)
		default:
			text, err := jsonText(v, lines)
			if err != nil {
				return nil, err
			}
			n.Kind, n.Text = String, text
		}
	}
	return n, nil
}

// jsonText returns the text of a string literal. encoding/json would replace
// half a surrogate pair by U+FFFD: a changed secret, so it is an error here.
func jsonText(v *hujson.Value, lines *treeLines) (string, error) {
	lit, _ := v.Value.(hujson.Literal)
	high := false
	for i := 0; i < len(lit); i++ {
		wasHigh := high
		high = false
		low := false
		if lit[i] == '\\' && i+1 < len(lit) {
			if i++; lit[i] == 'u' && i+4 < len(lit) {
				unit, _ := strconv.ParseUint(string(lit[i+1:i+5]), 16, 16)
				i += 4
				high = unit >= 0xD800 && unit < 0xDC00
				low = unit >= 0xDC00 && unit < 0xE000
			}
		}
		if wasHigh != low {
			return "", &Error{Line: lines.at(v.StartOffset), Msg: "a string holds half of a surrogate pair, which is no character"}
		}
	}
	var s string
	if err := json.Unmarshal(lit, &s); err != nil {
		return "", &Error{Line: lines.at(v.StartOffset), Msg: "not a valid string"}
	}
	return s, nil
}

// jsonStyle is how new JSON is laid out.
type jsonStyle struct {
	lines bool   // one entry per line, else all on one line
	eol   string // line ending
	unit  string // one level of indentation
	comma string // between a comma and the next entry on the same line
	colon string // the colon with the blanks around it
}

// value appends n. indent is that of the line it begins on.
func (s jsonStyle) value(out []byte, n *Node, indent string) []byte {
	if n == nil {
		return append(out, "null"...)
	}
	open, closing, count := byte('{'), byte('}'), len(n.Pairs)
	switch n.Kind {
	case Bool:
		return strconv.AppendBool(out, n.Text == "true")
	case Number:
		return append(out, treeNumber(n.Text)...)
	case String:
		return jsonString(out, n.Text)
	case List:
		open, closing, count = '[', ']', len(n.Items)
	case Map:
	default:
		return append(out, "null"...)
	}
	out = append(out, open)
	for i := range count {
		if i > 0 {
			out = append(out, ',')
		}
		if s.lines {
			out = append(out, s.eol+indent+s.unit...)
		} else if i > 0 {
			out = append(out, s.comma...)
		}
		if n.Kind == List {
			out = s.value(out, n.Items[i], indent+s.unit)
		} else {
			out = s.member(out, n.Pairs[i].Key, n.Pairs[i].Value, indent+s.unit)
		}
	}
	if s.lines && count > 0 {
		out = append(out, s.eol+indent...)
	}
	return append(out, closing)
}

func (s jsonStyle) member(out []byte, key string, value *Node, indent string) []byte {
	out = jsonString(out, key)
	if s.colon == "" {
		out = append(out, ':')
	} else {
		out = append(out, s.colon...)
	}
	return s.value(out, value, indent)
}

// jsonString appends s as a string literal with no more escapes than needed.
func jsonString(out []byte, s string) []byte {
	return append(out, hujson.String(s)...)
}

// jsonWritable returns an error for a value that JSON cannot hold.
func jsonWritable(n *Node) error {
	if n == nil {
		return nil
	}
	if n.Kind == String && !utf8.ValidString(n.Text) {
		return &Error{Msg: "the new value is not UTF-8 text, which JSON cannot hold"}
	}
	if n.Kind == Number && !treeIsJSONNumber(n.Text) {
		return &Error{Msg: "the new value is not a number that JSON can hold"}
	}
	for _, i := range n.Items {
		if err := jsonWritable(i); err != nil {
			return err
		}
	}
	for _, p := range n.Pairs {
		if !utf8.ValidString(p.Key) {
			return &Error{Msg: "a new key is not UTF-8 text, which JSON cannot hold"}
		}
		if err := jsonWritable(p.Value); err != nil {
			return err
		}
	}
	return nil
}
