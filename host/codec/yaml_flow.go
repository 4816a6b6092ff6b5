package codec

import (
	"bytes"
	"strings"

	yamlv3 "gopkg.in/yaml.v3"
)

// looksJSON reports whether the flow collection l is written as JSON, with
// keys (or else items) in double quotes.
func (e *yamlEditor) looksJSON(l *yamlLoc) bool {
	if len(l.entries) == 0 {
		return false
	}
	first := l.entries[0].value
	if l.entries[0].key != nil {
		first = l.entries[0].key
	}
	return first.node.Style&yamlv3.DoubleQuotedStyle != 0 || first.flow() && e.looksJSON(first)
}

// flowLayout returns the layout for new text inside l.
func (e *yamlEditor) flowLayout(l *yamlLoc) yamlLayout {
	y := e.layout
	y.json = e.looksJSON(l) || len(l.entries) == 0 && e.root.flow() && e.looksJSON(e.root)
	return y
}

// replaceFlow gives an entry of a flow collection a new value.
func (e *yamlEditor) replaceFlow(at yamlPlace, n *Node) ([]byte, error) {
	entry := &at.parent.entries[at.index]
	v := entry.value
	y := e.flowLayout(at.parent)
	text := y.flow(n)
	if n != nil && n.Kind == String {
		text = y.scalar(n, true, yamlStyleOf(v))
	}
	if v.node.Anchor != "" {
		text = "&" + v.node.Anchor + " " + text
	}
	switch {
	case !yamlEmpty(v.node):
		if after := v.end; after < len(e.data) && e.data[after] == '#' {
			text += " "
		}
		if v.from-1 == entry.mark && strings.IndexByte("\"{[", text[0]) < 0 {
			text = " " + text
		}
		return treePut(e.data, v.from, v.end, text), nil
	case entry.mark < 0 && (yamlEmpty(entry.key.node) || e.data[entry.key.end-1] == ':' || bytes.Contains(e.data[entry.start:entry.key.end], []byte("\n"))):
		return nil, e.fail(v) // not a key that a colon may follow
	case entry.mark < 0:
		return treePut(e.data, entry.key.end, entry.key.end, " : "+text), nil
	}
	if after := entry.mark + 1; after < len(e.data) && e.data[after] == '#' {
		text += " "
	}
	return treePut(e.data, entry.mark+1, entry.mark+1, " "+text), nil
}

// addFlow gives a flow collection a new last entry. An empty one in block
// context becomes a block.
func (e *yamlEditor) addFlow(at yamlPlace, key *string, value *Node) ([]byte, error) {
	l := at.value
	if l.pair || len(l.entries) > 0 && l.entries[len(l.entries)-1].endsInTag() {
		return nil, e.fail(l)
	}
	inside := e.data[l.start+1 : l.end-1]
	if len(l.entries) == 0 {
		if len(bytes.TrimSpace(inside)) == 0 && (at.parent == nil || at.parent.block()) {
			n := &Node{Kind: List, Items: []*Node{value}}
			if key != nil {
				n = &Node{Kind: Map, Pairs: []Pair{{*key, value}}}
			}
			return e.replace(at, n)
		}
	}
	y := e.flowLayout(l)
	text := y.flow(value)
	if key != nil {
		text = y.member(*key, value)
	}
	if len(l.entries) == 0 {
		if len(bytes.TrimSpace(inside)) > 0 {
			text += " "
		}
		return treePut(e.data, l.start+1, l.start+1, text), nil
	}
	s := &yamlScanner{data: e.data}
	entry := &l.entries[len(l.entries)-1]
	last := treeLast{entry.start, entry.end(), -1}
	if i := s.skip(last.end); s.at(i) == ',' {
		last.comma = i
	}
	return last.follow(e.data, text, y.eol), nil
}

// removeFlow takes an entry out of a flow collection, with one comma.
func (e *yamlEditor) removeFlow(l *yamlLoc, index int) ([]byte, error) {
	if index > 0 && l.entries[index-1].endsInTag() {
		return nil, e.fail(l)
	}
	entry := &l.entries[index]
	s := &yamlScanner{data: e.data}
	start, end := entry.start, entry.end()
	after := s.skip(end)
	switch {
	case s.at(after) == ',' && index+1 < len(l.entries):
		if next := l.entries[index+1].start; !bytes.Contains(e.data[end:next], []byte("#")) {
			end = next
		} else if end == after {
			end = after + 1
		} else {
			return treeCut(e.data, start, end, after), nil
		}
	case index > 0:
		before := l.entries[index-1].end()
		return treeCutLast(e.data, before, s.skip(before), start, end), nil
	case s.at(after) == ',':
		if bytes.Contains(e.data[end:after], []byte("#")) {
			return treeCut(e.data, start, end, after), nil
		}
		end = after + 1
	}
	return treePut(e.data, start, end, ""), nil
}
