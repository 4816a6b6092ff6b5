package codec

import (
	"bytes"
	"errors"
	"strings"

	gotoml "github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// toml is TOML 1.0, with what go-toml reads of 1.1. Dates and times are Strings
// with their text as written.
type toml struct{}

// Decode reads a TOML document.
func (toml) Decode(data []byte) (*Node, error) {
	doc, err := tomlParse(data)
	if err != nil {
		return nil, err
	}
	return doc.root.tree(0)
}

// Splice makes edits in a TOML document.
func (f toml) Splice(data []byte, edits []Edit) ([]byte, error) {
	return treeSplice(f, data, edits)
}

// tomlDoc is a parsed file: its statements in order, and the tree they define.
type tomlDoc struct {
	data  []byte
	stmts []tomlStmt
	root  *tomlNode
}

// tomlStmt is one statement: key = value, [table] or [[table]]. Each stands on
// lines of its own.
type tomlStmt struct {
	kind       unstable.Kind // KeyValue, Table or ArrayTable
	start, end int           // its lines, with the last line end
	line       int
	keyStart   int
	keyEnds    []int // after each part of its key
	keys       []string
	value      *tomlNode
}

// tomlNode is a value with its place. A table may be defined in many places.
type tomlNode struct {
	kind       Kind
	text       string
	date       bool // a String written as a date or time
	start, end int  // of the text of a value; -1 for a table or an array of tables
	line       int
	keyStart   int         // of its key inside an inline table, or else start
	stmt       int         // the statement key = value that it is the value of, or -1
	box        *tomlNode   // the array or inline table around it
	entries    []*tomlNode // of an array or inline table, in the file's order
	keys       []string
	kids       []*tomlNode
	index      map[string]*tomlNode

	header int    // the [table] or [[table]] statement, or -1
	last   int    // the last key = value statement directly in it, or -1
	prefix string // for a table made by dotted keys: the text of its key
}

func tomlTable(kind Kind) *tomlNode {
	return &tomlNode{kind: kind, start: -1, end: -1, stmt: -1, header: -1, last: -1}
}

// inline reports whether n is written as a value: on the right of an equals
// sign, or inside one that is.
func (n *tomlNode) inline() bool { return n.start >= 0 }

// child returns the entry key of a table; the last item of an array of tables
// stands for the array, as in headers.
func (n *tomlNode) child(key string) *tomlNode {
	c := n.index[key]
	if c != nil && c.kind == List && !c.inline() && len(c.kids) > 0 {
		return c.kids[len(c.kids)-1]
	}
	return c
}

func (n *tomlNode) add(key string, kid *tomlNode) *tomlNode {
	if n.index == nil {
		n.index = map[string]*tomlNode{}
	}
	n.index[key] = kid
	n.keys = append(n.keys, key)
	n.kids = append(n.kids, kid)
	return kid
}

// tomlParse parses data and builds its tree. go-toml's decoder then checks what
// the statements mean together, such as keys that are defined twice.
func tomlParse(data []byte) (*tomlDoc, error) {
	if err := treeInvalidUTF8(data); err != nil {
		return nil, err
	}
	base := len(data) - len(bytes.TrimPrefix(data, []byte(treeBOM)))
	text := data[base:len(data):len(data)]
	doc := &tomlDoc{data: data}
	parser := &unstable.Parser{}
	parser.Reset(text)
	s := tomlScanner{data, base, treeLines{data: data}}
	for parser.NextExpression() {
		stmt, err := s.statement(parser.Expression())
		if err != nil {
			return nil, err
		}
		doc.stmts = append(doc.stmts, stmt)
	}
	if err := parser.Error(); err != nil {
		return nil, tomlSyntaxError(data, text, err)
	}
	var all map[string]any
	if err := gotoml.Unmarshal(text, &all); err != nil {
		return nil, tomlError(err, base)
	}
	if err := doc.build(); err != nil {
		return nil, err
	}
	return doc, nil
}

func tomlSyntaxError(data, text []byte, err error) error {
	e := &Error{Msg: tomlMessage(err)}
	var at *unstable.ParserError
	if errors.As(err, &at) {
		if offset := cap(text) - cap(at.Highlight); offset >= 0 && offset <= len(text) {
			e.Line, e.Column = treeLine(data, len(data)-len(text)+offset)
		}
	}
	return e
}

func tomlError(err error, base int) error {
	e := &Error{Msg: tomlMessage(err)}
	var at *gotoml.DecodeError
	if errors.As(err, &at) {
		if e.Line, e.Column = at.Position(); e.Line == 1 {
			e.Column += base
		}
	}
	return e
}

// tomlMessage says what is wrong without quoting the file, as go-toml's messages do.
func tomlMessage(err error) string {
	text := err.Error()
	for _, m := range [][2]string{
		{"already", "a key or table is defined twice"},
		{"duplicate", "a key or table is defined twice"},
		{"redefine", "a key or table is defined twice"},
		{"nested more", "values nest too deeply"},
		{"unterminated", "a string does not end"},
		{"not terminated", "a string does not end"},
		{"array is incomplete", "an array does not end"},
		{"inline table is incomplete", "an inline table does not end"},
		{"cannot have new lines", "a string does not end on its line"},
		{"escape", "an unknown escape in a string"},
		{"control characters", "a control character"},
		{"expected '=' after key", "expected an equals sign after the key"},
		{"start of value", "expected a value"},
		{"expected newline", "expected the end of the line"},
		{"to close", "a table name does not end"},
		{"expected ','", "expected a comma or a closing bracket"},
	} {
		if strings.Contains(text, m[0]) {
			return "not valid TOML: " + m[1]
		}
	}
	return "not valid TOML"
}

// errTOMLClash is the message for two statements that contradict each other; go-toml
// finds nearly all of them itself.
const errTOMLClash = "not valid TOML: a key or table is defined twice"

// build makes the tree of the statements.
func (d *tomlDoc) build() error {
	d.root = tomlTable(Map)
	section := d.root
	for i := range d.stmts {
		s := &d.stmts[i]
		from := d.root
		if s.kind == unstable.KeyValue {
			from = section
		}
		for k, key := range s.keys[:len(s.keys)-1] {
			next := from.child(key)
			if next == nil {
				next = from.add(key, tomlTable(Map))
				if s.kind == unstable.KeyValue {
					next.prefix = string(d.data[s.keyStart:s.keyEnds[k]])
				}
			}
			if from = next; from.kind != Map || from.inline() {
				return d.clash(s)
			}
			if s.kind == unstable.KeyValue {
				from.last = i
			}
		}
		key := s.keys[len(s.keys)-1]
		known := from.index[key]
		switch s.kind {
		case unstable.Table:
			if known == nil {
				known = from.add(key, tomlTable(Map))
			}
			if known.kind != Map || known.inline() || known.header >= 0 {
				return d.clash(s)
			}
			section = known
			section.header, section.line = i, s.line
		case unstable.ArrayTable:
			if known == nil {
				known = from.add(key, tomlTable(List))
			}
			if known.kind != List || known.inline() {
				return d.clash(s)
			}
			section = tomlTable(Map)
			section.header, section.line = i, s.line
			known.kids = append(known.kids, section)
		default:
			if known != nil {
				return d.clash(s)
			}
			s.value.stmt = i
			from.add(key, s.value)
			section.last = i
		}
	}
	return nil
}

func (d *tomlDoc) clash(s *tomlStmt) error {
	line, column := treeLine(d.data, s.keyStart)
	return &Error{line, column, errTOMLClash}
}

// tree returns n decoded.
func (n *tomlNode) tree(depth int) (*Node, error) {
	out := &Node{Kind: n.kind, Text: n.text, Line: n.line}
	if depth > treeMaxDepth {
		return nil, &Error{Line: out.Line, Msg: "not valid TOML: values nest too deeply"}
	}
	for i, kid := range n.kids {
		k, err := kid.tree(depth + 1)
		if err != nil {
			return nil, err
		}
		if n.kind == List {
			out.Items = append(out.Items, k)
		} else {
			out.set(n.keys[i], k)
		}
		if out.Line == 0 {
			out.Line = k.Line
		}
	}
	return out, nil
}

// tomlScanner finds where values stand: the parser gives the range of scalars
// and of key-value pairs, but not of arrays and inline tables.
type tomlScanner struct {
	data []byte
	base int // what to add to the parser's offsets
	line treeLines
}

func (s *tomlScanner) statement(n *unstable.Node) (tomlStmt, error) {
	out := tomlStmt{kind: n.Kind}
	if err := s.key(n, &out.keys, &out.keyEnds, &out.keyStart); err != nil {
		return out, err
	}
	out.line = s.line.at(out.keyStart)
	last := out.keyEnds[len(out.keyEnds)-1]
	if n.Kind == unstable.KeyValue {
		var err error
		if out.value, err = s.value(n.Value(), s.afterEquals(last), 0); err != nil {
			return out, err
		}
		out.value.keyStart = out.keyStart
		last = out.value.end
	}
	out.start = treeLineStart(s.data, out.keyStart)
	if out.start < s.base {
		out.start = s.base
	}
	out.end = treeLineEnd(s.data, last)
	return out, nil
}

func (s *tomlScanner) key(n *unstable.Node, keys *[]string, ends *[]int, start *int) error {
	for it := n.Key(); it.Next(); {
		k := it.Node()
		at := s.base + int(k.Raw.Offset)
		if len(*keys) == 0 {
			*start = at
		}
		if len(*keys) >= treeMaxDepth {
			line, column := treeLine(s.data, at)
			return &Error{line, column, "not valid TOML: values nest too deeply"}
		}
		*keys = append(*keys, string(k.Data))
		*ends = append(*ends, at+int(k.Raw.Length))
	}
	return nil
}

// afterEquals returns where the value after the equals sign that follows at begins.
func (s *tomlScanner) afterEquals(at int) int {
	at = s.skip(at, "")
	return s.skip(at+1, "")
}

// skip returns the offset of the next byte that is no blank, no line end, not in a
// comment and not one of also.
func (s *tomlScanner) skip(at int, also string) int {
	for at < len(s.data) {
		switch c := s.data[at]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || strings.IndexByte(also, c) >= 0:
			at++
		case c == '#':
			at = treeLineEnd(s.data, at)
		default:
			return at
		}
	}
	return at
}

// value returns the value n, which begins at offset at.
func (s *tomlScanner) value(n *unstable.Node, at, depth int) (*tomlNode, error) {
	out := tomlTable(Null)
	out.start, out.keyStart, out.line = at, at, s.line.at(at)
	if depth > treeMaxDepth {
		line, column := treeLine(s.data, at)
		return nil, &Error{line, column, "not valid TOML: values nest too deeply"}
	}
	switch n.Kind {
	case unstable.String:
		out.kind, out.text = String, string(n.Data)
	case unstable.Bool:
		out.kind, out.text = Bool, string(n.Data)
	case unstable.Integer, unstable.Float:
		out.kind, out.text = Number, string(n.Data)
	case unstable.Array, unstable.InlineTable:
		return out, s.box(n, out, depth)
	default:
		out.kind, out.text, out.date = String, string(n.Data), true
	}
	out.end = s.base + int(n.Raw.Offset) + int(n.Raw.Length)
	return out, nil
}

// box fills out with the entries of an array or an inline table.
func (s *tomlScanner) box(n *unstable.Node, out *tomlNode, depth int) error {
	at := out.start + 1
	out.kind = List
	if n.Kind == unstable.InlineTable {
		out.kind = Map
	}
	for it := n.Children(); it.Next(); {
		at = s.skip(at, ",")
		c := it.Node()
		if n.Kind == unstable.Array {
			kid, err := s.value(c, at, depth+1)
			if err != nil {
				return err
			}
			kid.box = out
			out.kids = append(out.kids, kid)
			out.entries = append(out.entries, kid)
			at = kid.end
			continue
		}
		var keys []string
		var ends []int
		var start int
		if err := s.key(c, &keys, &ends, &start); err != nil {
			return err
		}
		kid, err := s.value(c.Value(), s.afterEquals(ends[len(ends)-1]), depth+len(keys))
		if err != nil {
			return err
		}
		kid.keyStart, kid.box = start, out
		out.entries = append(out.entries, kid)
		at = kid.end
		into := out
		for _, key := range keys[:len(keys)-1] {
			next := into.index[key]
			if next == nil {
				next = tomlTable(Map)
				next.box = out
				into.add(key, next)
			}
			into = next
		}
		into.add(keys[len(keys)-1], kid)
	}
	out.end = s.skip(at, ",") + 1
	return nil
}
