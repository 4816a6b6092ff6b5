package codec

import (
	"bytes"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// errTOMLPlace is the message for an edit that has no place in the way that the file is
// written.
const errTOMLPlace = "this spelling of TOML can be read, but not edited in place"

// change makes one primitive change; see [treeEditor].
func (toml) change(data []byte, op treeOp) ([]byte, error) {
	if op.action != treeRemove {
		if err := tomlWritable(&Node{Kind: Map, Pairs: []Pair{{op.key, op.value}}}); err != nil {
			return nil, err
		}
	}
	doc, err := tomlParse(data)
	if err != nil {
		return nil, err
	}
	n, path := doc.root, []string(nil)
	for _, step := range op.path {
		at := step.index
		if step.key != nil {
			at = slices.Index(n.keys, *step.key)
			path = append(path, *step.key)
		}
		if at < 0 || at >= len(n.kids) {
			return nil, ErrVerify
		}
		n = n.kids[at]
	}
	layout := doc.layout(n)
	switch op.action {
	case treeRemove:
		return doc.remove(n)
	case treeReplace:
		return doc.replace(n, op.value, layout)
	case treeInsert:
		return doc.insert(n, path, op.key, op.value, layout)
	}
	return doc.append(n, path, op.value, layout)
}

// subtree returns the statements that define n, in the file's order.
func (n *tomlNode) subtree() []int {
	var all []int
	var walk func(n *tomlNode)
	walk = func(n *tomlNode) {
		if n.header >= 0 {
			all = append(all, n.header)
		}
		if n.stmt >= 0 {
			all = append(all, n.stmt)
		}
		if !n.inline() {
			for _, kid := range n.kids {
				walk(kid)
			}
		}
	}
	walk(n)
	slices.Sort(all)
	return slices.Compact(all)
}

// header reports whether statement i is a [table] or [[table]].
func (d *tomlDoc) header(i int) bool { return d.stmts[i].kind != unstable.KeyValue }

// layout returns the habits of the file, first of all those near n.
func (d *tomlDoc) layout(n *tomlNode) tomlLayout {
	y := tomlLayout{eol: treeEOL(d.data), equals: " = ", blank: true}
	equals, indent, blank := false, false, false
	look := func(i int) {
		s := &d.stmts[i]
		if d.header(i) {
			if i > 0 && !blank {
				blank, y.blank = true, d.blankBefore(s.start)
			}
			return
		}
		if !equals {
			equals = true
			if text := string(d.data[s.keyEnds[len(s.keyEnds)-1]:s.value.start]); strings.Trim(text, "=") == "" {
				y.equals = "="
			}
		}
		if i > 0 && d.header(i-1) && !indent {
			if deeper, ok := strings.CutPrefix(treeIndent(d.data, s.keyStart), treeIndent(d.data, d.stmts[i-1].keyStart)); ok {
				indent, y.indent = true, deeper
			}
		}
	}
	for _, i := range n.subtree() {
		look(i)
	}
	for i := range d.stmts {
		look(i)
	}
	return y
}

// blankBefore reports whether the line before the line start at, or before the
// comments that stand on it, is blank.
func (d *tomlDoc) blankBefore(at int) bool {
	at = d.aboveComments(at)
	return at > 0 && len(bytes.TrimSpace(d.data[treeLineStart(d.data, at-1):at])) == 0
}

// aboveComments returns the start of the comment lines that end at the line
// start at, or at.
func (d *tomlDoc) aboveComments(at int) int {
	for at > 0 {
		above := treeLineStart(d.data, at-1)
		if line := bytes.TrimLeft(d.data[above:at], " \t"); len(line) == 0 || line[0] != '#' {
			if above > 0 || !bytes.HasPrefix(line, []byte(treeBOM+"#")) {
				break
			}
			return len(treeBOM)
		}
		at = above
	}
	return at
}

// put returns the file with lines inserted at the line start at, or at its end; a file
// without a last line end stays without.
func (d *tomlDoc) put(at int, lines, eol string) []byte {
	before := bytes.TrimPrefix(d.data[:at], []byte(treeBOM))
	if len(before) == 0 {
		lines = strings.TrimPrefix(lines, eol) // no blank line at the beginning
	} else if before[len(before)-1] != '\n' {
		lines = eol + strings.TrimSuffix(lines, eol)
	}
	return treePut(d.data, at, at, lines)
}

// replace gives n a new value.
func (d *tomlDoc) replace(n *tomlNode, value *Node, y tomlLayout) ([]byte, error) {
	if n == d.root {
		return nil, &Error{Msg: "a TOML document is a table; it cannot become another kind of value"}
	}
	if !n.inline() {
		return d.remove(n) // the caller then inserts the new value
	}
	text := tomlValue(value)
	if value.Kind == String {
		if text = tomlString(value.Text, string(d.data[n.start:n.end]), y.eol); n.date && tomlIsDate(value.Text) {
			text = value.Text
		}
	}
	return treePut(d.data, n.start, n.end, text), nil
}

// insert gives the table n, which stands at path, a new entry.
func (d *tomlDoc) insert(n *tomlNode, path []string, key string, value *Node, y tomlLayout) ([]byte, error) {
	if n.inline() {
		return d.addEntry(n, tomlKey(key)+" = "+tomlValue(value), y)
	}
	if n.box != nil {
		return nil, &Error{Line: n.line, Msg: errTOMLPlace}
	}
	all := n.subtree()
	dotted := n.header < 0 && n.prefix != ""
	switch {
	case dotted && n.last >= 0:
		return d.insertKey(n, n.prefix+"."+tomlKey(key), value, y), nil
	case tomlIsTables(value) && !n.inlineHabit():
		text := y.tables(append(path[:len(path):len(path)], key), value, d.outer(n))
		if len(all) == 0 {
			return d.put(len(d.data), text, y.eol), nil
		}
		return d.put(d.stmts[all[len(all)-1]].end, text, y.eol), nil
	case n == d.root || n.header >= 0:
		return d.insertKey(n, tomlKey(key), value, y), nil
	case len(all) == 0:
		return nil, ErrVerify
	}
	// The table exists only by the headers below it: it gets one of its own.
	m := &Node{Kind: Map, Pairs: []Pair{{key, value}}}
	return d.put(d.stmts[all[len(all)-1]].end, y.table(path, m, false, d.outer(n)), y.eol), nil
}

// inlineHabit reports whether the tables in n are all inline.
func (n *tomlNode) inlineHabit() bool {
	found := false
	for _, kid := range n.kids {
		if kid.kind == Map {
			if !kid.inline() {
				return false
			}
			found = true
		}
	}
	return found
}

// outer returns the blanks before the headers in n.
func (d *tomlDoc) outer(n *tomlNode) string {
	for i := len(n.kids) - 1; i >= 0 && !n.inline(); i-- {
		if h := n.kids[i].header; h >= 0 {
			return treeIndent(d.data, d.stmts[h].keyStart)
		}
	}
	return ""
}

// insertKey puts key = value after the last such line of the table n.
func (d *tomlDoc) insertKey(n *tomlNode, key string, value *Node, y tomlLayout) []byte {
	line := key + y.equals + tomlValue(value) + y.eol
	switch {
	case n.last >= 0:
		s := &d.stmts[n.last]
		return d.put(s.end, treeIndent(d.data, s.keyStart)+line, y.eol)
	case n.header >= 0:
		s := &d.stmts[n.header]
		return d.put(s.end, treeIndent(d.data, s.keyStart)+y.indent+line, y.eol)
	case len(d.stmts) == 0:
		return d.put(len(d.data), line, y.eol)
	}
	at := d.aboveComments(d.stmts[0].start)
	return treePut(d.data, at, at, line+y.eol)
}

// append gives the list n, which stands at path, a new last item.
func (d *tomlDoc) append(n *tomlNode, path []string, value *Node, y tomlLayout) ([]byte, error) {
	if !n.inline() {
		if value.Kind != Map {
			return nil, &Error{Line: n.line, Msg: "an array of tables cannot hold another kind of value"}
		}
		all := n.subtree()
		if len(all) == 0 {
			return nil, ErrVerify
		}
		outer := treeIndent(d.data, d.stmts[all[0]].keyStart)
		return d.put(d.stmts[all[len(all)-1]].end, y.table(path, value, true, outer), y.eol), nil
	}
	if len(n.kids) == 0 && n.stmt >= 0 && len(d.stmts[n.stmt].keys) == 1 && tomlIsTables(value) {
		return d.remove(n) // the caller then inserts an array of tables
	}
	return d.addEntry(n, tomlValue(value), y)
}

// addEntry gives an array or inline table a new last entry.
func (d *tomlDoc) addEntry(n *tomlNode, text string, y tomlLayout) ([]byte, error) {
	s := tomlScanner{data: d.data}
	inside := d.data[n.start+1 : n.end-1]
	if len(n.entries) == 0 {
		switch blank := len(bytes.TrimSpace(inside)) == 0; {
		case blank && n.kind == Map:
			return treePut(d.data, n.start, n.end, "{ "+text+" }"), nil
		case blank:
			return treePut(d.data, n.start, n.end, "["+text+"]"), nil
		}
		return treePut(d.data, n.start+1, n.start+1, text+" "), nil
	}
	entry := n.entries[len(n.entries)-1]
	last := treeLast{entry.keyStart, entry.end, -1}
	if i := s.skip(last.end, ""); d.data[i] == ',' {
		last.comma = i
	}
	return last.follow(d.data, text, y.eol), nil
}

// remove takes n out of the file.
func (d *tomlDoc) remove(n *tomlNode) ([]byte, error) {
	if n.box != nil {
		return d.removeEntry(n)
	}
	gone := n.subtree()
	if len(gone) == 0 {
		return nil, ErrVerify
	}
	out, begin := d.data, len(d.data)+1
	for i := len(gone) - 1; i >= 0; i-- {
		end := d.stmts[gone[i]].end
		// A section goes as a whole, with the comments inside it.
		first := i
		for first > 0 && gone[first-1] == gone[first]-1 && !d.header(gone[first]) {
			first--
		}
		if d.header(gone[first]) {
			i = first
		}
		start := d.cutFrom(gone[i], end)
		out = treePut(out, start, min(end, begin), "")
		begin = start
	}
	return out, nil
}

// cutFrom returns where to cut what begins with statement i and ends at end. A
// header takes one blank line with it; the end of a file without a last line end
// takes the line end above.
func (d *tomlDoc) cutFrom(i, end int) int {
	start := d.stmts[i].start
	if d.header(i) && start > 0 {
		above := treeLineStart(d.data, start-1)
		next := d.data[end:treeLineEnd(d.data, end)]
		if len(bytes.TrimSpace(d.data[above:start])) == 0 && len(bytes.TrimSpace(next)) == 0 {
			start = above
		}
	}
	if end == len(d.data) && !bytes.HasSuffix(d.data, []byte("\n")) {
		start = len(bytes.TrimSuffix(bytes.TrimSuffix(d.data[:start], []byte("\n")), []byte("\r")))
	}
	return start
}

// removeEntry takes n out of the array or inline table around it.
func (d *tomlDoc) removeEntry(n *tomlNode) ([]byte, error) {
	at := slices.Index(n.box.entries, n)
	if at < 0 {
		return nil, &Error{Line: n.line, Msg: errTOMLPlace}
	}
	s := tomlScanner{data: d.data}
	start, end := n.keyStart, n.end
	line := treeLineStart(d.data, start)
	after := s.skip(end, "")
	switch {
	case d.data[after] == ',':
		rest := d.data[after+1 : treeLineEnd(d.data, after)]
		text := bytes.TrimSpace(rest)
		switch {
		case bytes.IndexByte(d.data[end:after], '#') >= 0:
			return treeCut(d.data, start, end, after), nil
		case len(bytes.TrimSpace(d.data[line:start])) == 0 && (len(text) == 0 || text[0] == '#'):
			start, end = line, treeLineEnd(d.data, after)
		case at+1 < len(n.box.entries) && len(text) > 0 && text[0] != '#':
			end = n.box.entries[at+1].keyStart
		default:
			end = after + 1
		}
	case at > 0:
		before := n.box.entries[at-1].end
		return treeCutLast(d.data, before, s.skip(before, ""), start, end), nil
	}
	return treePut(d.data, start, end, ""), nil
}
