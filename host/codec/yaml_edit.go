package codec

import (
	"bytes"
	"strings"

	yamlv3 "gopkg.in/yaml.v3"
)

// yamlEditor makes one change in a file.
type yamlEditor struct {
	data   []byte
	root   *yamlLoc
	layout yamlLayout
	used   map[*yamlv3.Node]bool // nodes that an alias stands for
}

// yamlPlace is an entry of a collection; the root has no parent.
type yamlPlace struct {
	parent *yamlLoc
	index  int
	value  *yamlLoc
}

// change makes one primitive change; see [treeEditor].
func (yaml) change(data []byte, op treeOp) ([]byte, error) {
	if err := yamlWritable(op.value); err != nil {
		return nil, err
	}
	if err := yamlWritableKey(op.key); err != nil {
		return nil, err
	}
	doc, err := yamlParse(data)
	if err != nil {
		return nil, err
	}
	root, err := yamlLocate(doc)
	if err != nil {
		return nil, err
	}
	e := &yamlEditor{data: data, root: root, used: map[*yamlv3.Node]bool{}}
	if root == nil {
		e.layout = yamlHabits(nil, nil, treeEOL(data))
		return e.fillEmpty(op)
	}
	yamlAliased(doc.root, e.used)
	places, err := e.find(op.path)
	if err != nil {
		return nil, err
	}
	at := places[len(places)-1]
	e.layout = yamlHabits(at.value, root, treeEOL(data))
	switch op.action {
	case treeInsert:
		return e.add(at, &op.key, op.value, op.more)
	case treeAppend:
		return e.add(at, nil, op.value, nil)
	}
	if e.holdsUsed(at.value.node) || op.action == treeRemove && at.parent.entries[at.index].key != nil && e.holdsUsed(at.parent.entries[at.index].key.node) {
		return nil, e.failAlias(at.value.node)
	}
	if op.action == treeRemove {
		return e.remove(places)
	}
	return e.replace(at, op.value)
}

// yamlAliased collects the nodes that aliases stand for.
func yamlAliased(n *yamlv3.Node, used map[*yamlv3.Node]bool) {
	if n.Kind == yamlv3.AliasNode {
		used[n.Alias] = true
		return
	}
	for _, c := range n.Content {
		yamlAliased(c, used)
	}
}

func (e *yamlEditor) holdsUsed(n *yamlv3.Node) bool {
	if e.used[n] {
		return true
	}
	for _, c := range n.Content {
		if e.holdsUsed(c) {
			return true
		}
	}
	return false
}

func (e *yamlEditor) failAlias(n *yamlv3.Node) error {
	return &Error{Line: n.Line, Msg: "the value is shared through an anchor and aliases; edit it by hand"}
}

func (e *yamlEditor) fail(l *yamlLoc) error {
	return &Error{Line: l.node.Line, Msg: errYAMLPlace.Error()}
}

// find returns the places on path, from the root on.
func (e *yamlEditor) find(path []treeStep) ([]yamlPlace, error) {
	places := []yamlPlace{{value: e.root}}
	for _, step := range path {
		l := places[len(places)-1].value
		if l.node.Kind == yamlv3.AliasNode || e.used[l.node] {
			return nil, e.failAlias(l.node)
		}
		index, merged := -1, false
		if step.key == nil && step.index < len(l.entries) {
			index = step.index
		}
		for i := range l.entries {
			if k := l.entries[i].key; step.key == nil || k == nil {
				break
			} else if yamlIsMerge(k.node) {
				merged = true
			} else if text, _ := yamlKey(k.node); text == *step.key {
				index = i
			}
		}
		switch {
		case index < 0 && merged:
			return nil, &Error{Line: l.node.Line, Msg: "the value comes from a merge key; edit it by hand"}
		case index < 0:
			return nil, ErrVerify
		}
		places = append(places, yamlPlace{l, index, l.entries[index].value})
	}
	if l := places[len(places)-1].value; l.node.Kind == yamlv3.AliasNode || e.used[l.node] {
		return nil, e.failAlias(l.node)
	}
	return places, nil
}

// yamlHabits returns the layout that is in use near l, or else in root.
func yamlHabits(l, root *yamlLoc, eol string) yamlLayout {
	y := yamlLayout{eol: eol, unit: -1, list: -1, dash: -1}
	y.learn(l)
	y.learn(root)
	if y.unit < 0 {
		y.unit = 2
	}
	if y.list < 0 {
		y.list = 0 // as kubectl and PyYAML write
	}
	if y.dash < 0 {
		y.dash = 2
	}
	return y
}

func (y *yamlLayout) learn(l *yamlLoc) {
	if l == nil || !l.block() {
		return
	}
	for i := range l.entries {
		if v := l.entries[i].value; v.block() {
			step := v.column - l.column
			switch {
			case l.node.Kind == yamlv3.SequenceNode:
				if y.dash < 0 && step >= 2 {
					y.dash = step
				}
			case v.node.Kind == yamlv3.SequenceNode:
				if y.list < 0 && step >= 0 {
					y.list = step
				}
			case y.unit < 0 && step > 0:
				y.unit = step
			}
		}
	}
	for i := range l.entries {
		y.learn(l.entries[i].value)
	}
}

// bodyEnd returns the end of the lines of something that ends at offset end.
func (e *yamlEditor) bodyEnd(end int) int {
	if end > 0 && e.data[end-1] == '\n' {
		return end
	}
	return treeLineEnd(e.data, end)
}

// commentFollows reports whether the next line with text, from the line start at
// on, is an indented comment.
func (e *yamlEditor) commentFollows(at int) bool {
	text := bytes.TrimLeft(e.data[at:], "\r\n\t ")
	begin := len(e.data) - len(text)
	return len(text) > 0 && text[0] == '#' && begin > at && e.data[begin-1] != '\n'
}

// endAsBefore returns out without the last line end where the file had none. open reports
// that this line end belongs to a value.
func (e *yamlEditor) endAsBefore(out []byte, open bool) []byte {
	if open || bytes.HasSuffix(e.data, []byte("\n")) || len(bytes.TrimSpace(bytes.TrimPrefix(e.data, []byte(treeBOM)))) == 0 {
		return out
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(out, []byte("\n")), []byte("\r"))
}

// insertLines returns data with lines put in at offset at, which is a line
// start or the end of the file.
func (e *yamlEditor) insertLines(at int, lines string, open bool) []byte {
	if before := bytes.TrimPrefix(e.data[:at], []byte(treeBOM)); len(before) > 0 && before[len(before)-1] != '\n' {
		lines = e.layout.eol + lines
	}
	return e.endAsBefore(treePut(e.data, at, at, lines), open && at == len(e.data))
}

// fillEmpty writes the first value into a document without one.
func (e *yamlEditor) fillEmpty(op treeOp) ([]byte, error) {
	s := &yamlScanner{data: e.data}
	if i := s.skip(s.documentStart()); i < len(e.data) && !bytes.HasPrefix(e.data[i:], []byte("...")) {
		return nil, s.fail(i) // a tag of nothing
	}
	at := 0
	for at < len(e.data) && !bytes.HasPrefix(e.data[at:], []byte("...")) {
		at = treeLineEnd(e.data, at)
	}
	if op.action == treeInsert {
		lines, open := e.layout.entry(&op.key, op.value, 0, yamlAny)
		return e.insertLines(at, lines, open), nil
	}
	if op.action != treeReplace {
		return nil, ErrVerify
	}
	lines, open := e.rootLines(op.value)
	return e.insertLines(at, lines, open), nil
}

// rootLines returns a whole document.
func (e *yamlEditor) rootLines(n *Node) (lines string, open bool) {
	if n.Scalar() {
		return e.layout.scalar(n, false, yamlDouble) + e.layout.eol, false
	}
	if n == nil || len(n.Items)+len(n.Pairs) == 0 {
		return e.layout.flow(n) + e.layout.eol, false
	}
	return e.layout.lines(n, 0)
}

// replace gives the place at a new value.
func (e *yamlEditor) replace(at yamlPlace, n *Node) ([]byte, error) {
	if v := at.value; !v.block() && bytes.Contains(e.data[v.from:v.start], []byte("#")) {
		return nil, e.fail(v) // a comment between the tag and the value
	}
	switch {
	case at.parent == nil:
		return e.replaceRoot(n)
	case at.parent.flow():
		return e.replaceFlow(at, n)
	}
	entry := &at.parent.entries[at.index]
	v := entry.value
	if entry.mark < 0 {
		return nil, e.fail(at.parent)
	}
	style := yamlAny
	if n != nil && n.Kind == String {
		style = yamlStyleOf(v)
	}
	e.layout.flat = e.commentFollows(e.bodyEnd(entry.end()))
	below := !yamlEmpty(v.node) && bytes.Contains(e.data[entry.mark:v.start], []byte("\n"))
	if entry.key == nil && v.block() && !below {
		e.layout.dash = v.column - at.parent.column
	}
	text := e.layout.value(n, at.parent.column, entry.key == nil, style)
	if v.flow() && len(v.entries) > 0 && !n.Scalar() {
		layout := e.layout
		layout.json = e.looksJSON(v)
		text = yamlText{line: layout.flow(n)}
	}
	if v.block() && n.Scalar() && text.body != "" {
		// Comments inside the old value stay, but not inside a block of text.
		text = yamlText{line: e.layout.scalar(n, false, yamlDouble)}
	}
	if below && !v.block() && v.from-treeLineStart(e.data, v.from) <= at.parent.column {
		return nil, e.fail(v) // yaml.v3 lets some values begin too far left
	}
	if below && entry.key == nil && text.line != "" && !n.Scalar() && len(n.Items)+len(n.Pairs) > 0 {
		// The old value began below its dash: so does the new one.
		column := at.parent.column + e.layout.dash
		if v.block() {
			column = v.column
		}
		text = yamlText{}
		text.body, text.open = e.layout.lines(n, column)
	}
	gap := " "
	if entry.key == nil {
		gap = strings.Repeat(" ", e.layout.gap(n))
	}
	return e.put(entry, text, gap), nil
}

// put writes text in place of the value of an entry of a block collection. The
// value's part of the line of the colon or dash (line), and its lines below
// (body), are replaced; comments after the one and between them stay.
func (e *yamlEditor) put(entry *yamlEntry, text yamlText, gap string) []byte {
	v := entry.value
	lineStart, lineEnd := entry.mark+1, v.end
	empty := yamlEmpty(v.node)
	sameLine := !bytes.Contains(e.data[entry.mark:v.from], []byte("\n"))
	bodyStart, bodyEnd := -1, -1
	switch {
	case empty:
		lineEnd = lineStart
	case v.block():
		if first := v.entries[0].start; bytes.Contains(e.data[entry.mark:first], []byte("\n")) {
			if lineEnd = lineStart; v.props > v.from {
				lineEnd = v.props
			}
			bodyStart, bodyEnd = treeLineStart(e.data, first), e.bodyEnd(v.end)
		} else {
			lineEnd = lineStart + len(bytes.TrimRight(e.data[lineStart:v.end], "\r\n"))
		}
	case v.blockScalar():
		lineEnd = v.head
		bodyStart, bodyEnd = treeLineEnd(e.data, v.head), v.end
	}
	if bodyStart < 0 {
		bodyStart = e.bodyEnd(lineEnd)
		bodyEnd = max(bodyStart, v.end)
	}
	line, wholeLine := text.line, false
	if v.node.Anchor != "" {
		line = strings.TrimSuffix("&"+v.node.Anchor+" "+line, " ")
	}
	switch {
	case !empty && !sameLine && (!v.block() || v.props > v.from):
		// The value began on a line of its own: so does the new one.
		lineStart = v.from
		if line == "" {
			lineStart = treeLineStart(e.data, v.from)
			if rest := e.data[lineEnd:bodyStart]; len(bytes.TrimSpace(rest)) == 0 {
				lineEnd, wholeLine = bodyStart, true
			}
		}
	case line != "" && !empty && sameLine && v.from > lineStart && (v.block() == (text.body != "")):
		lineStart = v.from // keeps the blanks before the value
	case line != "":
		line = gap + line
	}
	rest := string(e.data[lineEnd:bodyStart])
	if strings.HasPrefix(rest, "#") {
		rest = " " + rest
	}
	if text.body != "" && !strings.HasSuffix(rest, "\n") && !wholeLine {
		rest += e.layout.eol
	}
	out := treePut(e.data, lineStart, bodyEnd, line+rest+text.body)
	return e.endAsBefore(out, text.open && bodyEnd == len(e.data))
}

// replaceRoot writes n in place of the document's value.
func (e *yamlEditor) replaceRoot(n *Node) ([]byte, error) {
	l := e.root
	if bytes.Contains(e.data[l.from:l.start], []byte("#")) {
		return nil, e.fail(l)
	}
	end := e.bodyEnd(l.end)
	e.layout.flat = e.commentFollows(end)
	lines, open := e.rootLines(n)
	start := yamlLineStart(e.data, l.from)
	before, after := string(e.data[start:l.from]), ""
	if l.end < end {
		after = string(bytes.TrimSpace(e.data[l.end:end]))
	}
	if before = strings.TrimRight(before, " \t"); before != "" {
		before += e.layout.eol
	}
	if after != "" {
		before += after + e.layout.eol
	}
	return e.endAsBefore(treePut(e.data, start, end, before+lines), open && end == len(e.data)), nil
}

// add gives the collection at a new last entry; key is nil for a list.
func (e *yamlEditor) add(at yamlPlace, key *string, value *Node, more []Pair) ([]byte, error) {
	l := at.value
	if l.flow() {
		return e.addFlow(at, key, value)
	}
	if !l.block() || len(l.entries) == 0 {
		return nil, ErrVerify
	}
	last := &l.entries[len(l.entries)-1]
	end := e.bodyEnd(last.end())
	if end == len(e.data) && !bytes.HasSuffix(e.data, []byte("\n")) && last.endsInBlockScalar() {
		return nil, &Error{Line: last.value.node.Line, Msg: "the file ends inside a block of text without a line end; add one first"}
	}
	e.layout.flat = e.commentFollows(end)
	lines, open := e.layout.entry(key, value, l.column, yamlAny)
	for _, p := range more {
		if open || yamlWritable(p.Value) != nil || yamlWritableKey(p.Key) != nil {
			break
		}
		var next string
		next, open = e.layout.entry(&p.Key, p.Value, l.column, yamlAny)
		lines += next
	}
	return e.insertLines(end, lines, open), nil //nolint:nilerr // what cannot be written here is left for an edit of its own
}

// remove takes out the last of places.
func (e *yamlEditor) remove(places []yamlPlace) ([]byte, error) {
	at := places[len(places)-1]
	l := at.parent
	entry := &l.entries[at.index]
	if len(l.entries) == 1 {
		return e.removeOnly(places[len(places)-2])
	}
	if l.flow() {
		return e.removeFlow(l, at.index)
	}
	start, end := yamlLineStart(e.data, entry.start), e.bodyEnd(entry.end())
	if len(bytes.TrimSpace(e.data[start:entry.start])) == 0 {
		open := at.index > 0 && l.entries[at.index-1].endsInBlockScalar()
		return e.endAsBefore(treePut(e.data, start, end, ""), open), nil
	}
	// The first entry after a dash: the next one moves up, unless comments
	// stand between.
	next := l.entries[at.index+1].start
	if len(bytes.TrimSpace(e.data[end:next])) == 0 {
		return treePut(e.data, entry.start, next, ""), nil
	}
	start += len(bytes.TrimRight(e.data[start:entry.start], " \t"))
	return treePut(e.data, start, end, e.layout.eol), nil
}

// removeOnly empties the collection at.
func (e *yamlEditor) removeOnly(at yamlPlace) ([]byte, error) {
	l := at.value
	n := &Node{Kind: Map}
	if l.node.Kind == yamlv3.SequenceNode {
		n.Kind = List
	}
	if at.parent == nil && l.block() && n.Kind == Map && l.from == l.start && !bytes.Contains(e.data[max(l.end-1, 0):], []byte("\n...")) {
		start := yamlLineStart(e.data, l.start)
		return e.endAsBefore(treePut(e.data, start, e.bodyEnd(l.end), ""), false), nil
	}
	if l.flow() && !l.pair {
		return e.removeFlow(l, 0)
	}
	return e.replace(at, n)
}
