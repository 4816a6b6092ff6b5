package codec

import (
	"bytes"
	"errors"
	"strings"

	yamlv3 "gopkg.in/yaml.v3"
)

// yamlLoc is where a value stands in the file. yaml.v3 says where nodes begin but not
// where they end, so a scanner that follows the known tree finds both.
type yamlLoc struct {
	node    *yamlv3.Node
	from    int  // where its anchor and tag begin, or else start
	props   int  // where its anchor and tag end, or else from
	start   int  // where the value itself begins
	head    int  // for a block scalar the end of its indicator, else end
	end     int  // after its last byte; for a block scalar after its last line
	column  int  // of a block collection's entries, in bytes from 0
	pair    bool // [a: b] holds a mapping without braces
	entries []yamlEntry
}

// yamlEntry is an entry of a mapping or of a sequence.
type yamlEntry struct {
	start int      // of its key, ? or -, or in a flow sequence of its value
	key   *yamlLoc // nil in a sequence
	mark  int      // of its : or -, or -1
	value *yamlLoc
}

// end returns the offset after the last byte of the entry.
func (e *yamlEntry) end() int {
	if !yamlEmpty(e.value.node) {
		return e.value.end
	}
	if e.mark >= 0 {
		return e.mark + 1
	}
	return e.key.end
}

// flow reports whether l is a flow collection, such as {a: b}.
func (l *yamlLoc) flow() bool { return l.node.Style&yamlv3.FlowStyle != 0 }

// block reports whether l is a block collection.
func (l *yamlLoc) block() bool {
	return (l.node.Kind == yamlv3.MappingNode || l.node.Kind == yamlv3.SequenceNode) && !l.flow()
}

// blockScalar reports whether l is a literal or folded scalar.
func (l *yamlLoc) blockScalar() bool {
	return l.node.Kind == yamlv3.ScalarNode && l.node.Style&(yamlv3.LiteralStyle|yamlv3.FoldedStyle) != 0
}

// endsInBlockScalar reports whether the last bytes of l are lines of a block scalar.
func (l *yamlLoc) endsInBlockScalar() bool {
	if l.block() && len(l.entries) > 0 {
		return l.entries[len(l.entries)-1].endsInBlockScalar()
	}
	return l.blockScalar()
}

func (e *yamlEntry) endsInBlockScalar() bool {
	if e.mark < 0 && yamlEmpty(e.value.node) {
		return e.key.endsInBlockScalar()
	}
	return e.value.endsInBlockScalar()
}

// endsInTag reports whether the entry ends in a tag or an anchor without a
// value, which runs into what is written after it.
func (e *yamlEntry) endsInTag() bool {
	l := e.value
	if e.mark < 0 && e.key != nil && yamlEmpty(l.node) {
		l = e.key
	}
	return l.props > l.from && l.start == l.end
}

// errYAMLPlace is the error where the scanner and the tree do not agree.
var errYAMLPlace = errors.New("this spelling of YAML can be read, but not edited in place")

// yamlScanner finds the places of values.
type yamlScanner struct {
	data  []byte
	lines treeLines
}

// yamlLocate returns the places of the document's values, or nil where it has none.
func yamlLocate(doc *yamlDoc) (*yamlLoc, error) {
	if doc.several {
		return nil, &Error{Msg: "the file holds several documents; only a single one can be edited"}
	}
	text := string(doc.data)
	if strings.ContainsAny(text, "\u0085\u2028\u2029") || strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") ||
		strings.LastIndex(text, treeBOM) > 0 {
		return nil, &Error{Msg: "the file has line ends other than LF and CRLF, or a byte order mark inside; it can be read, but not edited in place"}
	}
	if doc.root == nil {
		return nil, nil
	}
	s := &yamlScanner{data: doc.data, lines: treeLines{data: doc.data}}
	return s.value(doc.root, s.documentStart(), false, -1)
}

// documentStart returns the offset after the directives and the --- line's marker.
func (s *yamlScanner) documentStart() int {
	at := len(s.data) - len(bytes.TrimPrefix(s.data, []byte(treeBOM)))
	for at < len(s.data) {
		line := s.data[at:treeLineEnd(s.data, at)]
		switch {
		case bytes.HasPrefix(line, []byte("---")) && (len(line) == 3 || strings.IndexByte(" \t\r\n", line[3]) >= 0):
			return at + 3
		case line[0] != '%' && line[0] != '#' && len(bytes.TrimSpace(line)) > 0 && bytes.TrimLeft(line, " \t")[0] != '#':
			return at
		}
		at += len(line)
	}
	return at
}

func (s *yamlScanner) fail(at int) error {
	line, _ := treeLine(s.data, at)
	return &Error{Line: line, Msg: errYAMLPlace.Error()}
}

// yamlLineStart returns where the text of the line that holds offset begins: behind
// the byte order mark in the first one.
func yamlLineStart(data []byte, offset int) int {
	start := treeLineStart(data, offset)
	if start == 0 && bytes.HasPrefix(data, []byte(treeBOM)) {
		start = min(len(treeBOM), offset)
	}
	return start
}

// at returns the byte at i, or a newline after the end.
func (s *yamlScanner) at(i int) byte {
	if i < len(s.data) {
		return s.data[i]
	}
	return '\n'
}

// gap reports whether a blank or a line end is at i.
func (s *yamlScanner) gap(i int) bool { return strings.IndexByte(" \t\r\n", s.at(i)) >= 0 }

// skip returns where the next token begins.
func (s *yamlScanner) skip(i int) int {
	for i < len(s.data) {
		switch s.data[i] {
		case ' ', '\t', '\r', '\n':
			i++
		case '#':
			i = treeLineEnd(s.data, i)
		default:
			return i
		}
	}
	return i
}

// value finds n, the next value after the offset at. indent is the column of
// the block collection around it, or -1.
func (s *yamlScanner) value(n *yamlv3.Node, at int, _ bool, indent int) (*yamlLoc, error) {
	l := &yamlLoc{node: n, from: at, props: at, start: at, head: at, end: at, column: -1}
	next := s.skip(at)
	if yamlEmpty(n) {
		if s.at(next) == '!' && s.gap(next+1) {
			return nil, s.fail(next) // the tag "!" of nothing leaves no trace in the tree
		}
		return l, nil
	}
	at = next
	l.from = at
	if s.lines.at(l.from) != n.Line {
		return nil, s.fail(l.from)
	}
	if at, l.props = s.properties(n, at); at < 0 {
		return nil, s.fail(l.from)
	}
	l.start, l.head, l.end = at, at, at
	var err error
	switch {
	case n.Kind == yamlv3.AliasNode:
		l.end = at + 1 + len(n.Value)
		if s.at(at) != '*' || l.end > len(s.data) || string(s.data[at+1:l.end]) != n.Value {
			return nil, s.fail(at)
		}
	case n.Kind == yamlv3.ScalarNode && n.Style&^yamlv3.TaggedStyle == 0 && n.Value == "":
		l.start, l.end = l.props, l.props
	case n.Kind == yamlv3.ScalarNode:
		err = s.scalar(l, indent)
	case l.flow():
		err = s.flowEntries(l)
	case n.Kind == yamlv3.MappingNode:
		err = s.blockMap(l)
	default:
		err = s.blockList(l)
	}
	if err != nil {
		return nil, err
	}
	if !l.blockScalar() {
		l.head = l.end
	}
	return l, nil
}

// properties skips the anchor and the tag of n. It returns where the value
// begins, or -1, and where the properties end.
func (s *yamlScanner) properties(n *yamlv3.Node, at int) (start, end int) {
	end = at
	left := 0
	if n.Anchor != "" {
		left++
	}
	if n.Style&yamlv3.TaggedStyle != 0 {
		left++
	}
	for ; left > 0; left-- {
		i := at + 1
		switch s.at(at) {
		case '&':
			i += len(n.Anchor)
			if i > len(s.data) || string(s.data[at+1:i]) != n.Anchor {
				return -1, 0
			}
		case '!':
			if s.gap(i) {
				return -1, 0
			}
			if s.at(i) == '<' {
				for i < len(s.data) && s.data[i] != '>' {
					i++
				}
				i++
			} else {
				for !s.gap(i) {
					i++
				}
			}
		default:
			return -1, 0
		}
		end = min(i, len(s.data))
		at = s.skip(end)
	}
	if s.at(at) == '!' && n.Kind == yamlv3.ScalarNode {
		return -1, 0 // the tag "!" alone leaves no trace in the tree
	}
	return at, end
}

func (s *yamlScanner) scalar(l *yamlLoc, indent int) error {
	style := l.node.Style &^ yamlv3.TaggedStyle
	switch {
	case style == yamlv3.DoubleQuotedStyle && s.at(l.start) == '"':
		i := l.start + 1
		for ; i < len(s.data) && s.data[i] != '"'; i++ {
			if s.data[i] == '\\' {
				i++
			}
		}
		l.end = i + 1
	case style == yamlv3.SingleQuotedStyle && s.at(l.start) == '\'':
		i := l.start + 1
		for ; i < len(s.data) && (s.data[i] != '\'' || s.at(i+1) == '\''); i++ {
			if s.data[i] == '\'' {
				i++
			}
		}
		l.end = i + 1
	case style == yamlv3.LiteralStyle && s.at(l.start) == '|' || style == yamlv3.FoldedStyle && s.at(l.start) == '>':
		s.blockScalar(l, indent)
	case style == 0:
		l.end = s.plain(l.start, l.node.Value)
	default:
		return s.fail(l.start)
	}
	if l.end <= l.start || l.end > len(s.data) {
		return s.fail(l.start)
	}
	return nil
}

// plain returns where the plain scalar at i that reads as value ends, or -1.
// It follows the folding of lines: one line end is a space, more are one less.
func (s *yamlScanner) plain(i int, value string) int {
	for v := 0; v < len(value); {
		blanks, breaks := i, 0
		for s.gap(blanks) && blanks < len(s.data) {
			if s.data[blanks] == '\n' {
				breaks++
			}
			blanks++
		}
		if breaks > 0 {
			folded := " "
			if breaks > 1 {
				folded = strings.Repeat("\n", breaks-1)
			}
			if !strings.HasPrefix(value[v:], folded) {
				return -1
			}
			v += len(folded)
			i = blanks
			continue
		}
		if i >= len(s.data) || s.data[i] != value[v] {
			return -1
		}
		i++
		v++
	}
	return i
}

// blockScalar finds the end of a literal or folded scalar as yaml.v3's scanner
// does: its lines are those at least as deep as the first one that is not blank.
func (s *yamlScanner) blockScalar(l *yamlLoc, indent int) {
	i := l.start + 1
	keep, depth := false, 0
	for ; strings.IndexByte("+-123456789", s.at(i)) >= 0; i++ {
		switch c := s.data[i]; c {
		case '+':
			keep = true
		case '-':
		default:
			depth = max(indent, 0) + int(c-'0')
		}
	}
	l.head = i
	i = treeLineEnd(s.data, i)
	l.end = i
	for i < len(s.data) {
		// Skip blank lines up to the next line with text.
		deepest, line, spaces := 0, i, 0
		for {
			spaces = 0
			for (depth == 0 || spaces < depth) && line+spaces < len(s.data) && s.data[line+spaces] == ' ' {
				spaces++
			}
			deepest = max(deepest, spaces)
			if at := line + spaces; at >= len(s.data) || s.data[at] != '\n' && s.data[at] != '\r' {
				break
			}
			line = treeLineEnd(s.data, line)
		}
		if keep {
			l.end = line
		}
		if depth == 0 {
			depth = max(deepest, indent+1, 1)
		}
		if spaces != depth || line+spaces >= len(s.data) {
			return
		}
		i = treeLineEnd(s.data, line)
		l.end = i
	}
}

// key finds the key and the colon of a mapping's entry that begins at or after at.
func (s *yamlScanner) key(n *yamlv3.Node, at int, flow bool, indent int) (yamlEntry, int, error) {
	at = s.skip(at)
	e := yamlEntry{start: at, mark: -1}
	if s.at(at) == '?' && s.gap(at+1) {
		at++
	}
	var err error
	if e.key, err = s.value(n, at, flow, indent); err != nil {
		return e, 0, err
	}
	at = e.key.end
	if colon := s.skip(at); s.at(colon) == ':' {
		e.mark, at = colon, colon+1
	}
	return e, at, nil
}

func (s *yamlScanner) blockMap(l *yamlLoc) error {
	at := l.start
	l.column = at - yamlLineStart(s.data, at)
	for i := 0; i+1 < len(l.node.Content); i += 2 {
		e, next, err := s.key(l.node.Content[i], at, false, l.column)
		if err != nil {
			return err
		}
		if e.value, err = s.value(l.node.Content[i+1], next, false, l.column); err != nil {
			return err
		}
		l.entries = append(l.entries, e)
		at = e.end()
	}
	l.end = at
	return nil
}

func (s *yamlScanner) blockList(l *yamlLoc) error {
	at := l.start
	l.column = at - yamlLineStart(s.data, at)
	for _, n := range l.node.Content {
		at = s.skip(at)
		if s.at(at) != '-' || !s.gap(at+1) {
			return s.fail(at)
		}
		e := yamlEntry{start: at, mark: at}
		var err error
		if e.value, err = s.value(n, at+1, false, l.column); err != nil {
			return err
		}
		l.entries = append(l.entries, e)
		at = e.end()
	}
	l.end = at
	return nil
}

func (s *yamlScanner) flowEntries(l *yamlLoc) error {
	closing := byte('}')
	if l.node.Kind == yamlv3.SequenceNode {
		closing = ']'
	}
	at := l.start
	if s.at(at) == '{' && closing == '}' || s.at(at) == '[' && closing == ']' {
		at++
	} else if l.pair = true; s.at(at) == '!' {
		return s.fail(at) // the tag "!" leaves no trace in the tree
	}
	step := 1
	if closing == '}' {
		step = 2
	}
	for i := 0; i+step <= len(l.node.Content); i += step {
		at = s.skip(at)
		if i > 0 {
			if s.at(at) != ',' {
				return s.fail(at)
			}
			at = s.skip(at + 1)
		}
		e, next, err := yamlEntry{start: at, mark: -1}, at, error(nil)
		if step == 2 {
			if e, next, err = s.key(l.node.Content[i], at, true, -1); err != nil {
				return err
			}
		}
		if e.value, err = s.value(l.node.Content[i+step-1], next, true, -1); err != nil {
			return err
		}
		l.entries = append(l.entries, e)
		at = e.end()
	}
	if l.pair {
		l.end = at
		return nil
	}
	if at = s.skip(at); s.at(at) == ',' {
		at = s.skip(at + 1)
	}
	if s.at(at) != closing {
		return s.fail(at)
	}
	l.end = at + 1
	return nil
}
