package codec

import (
	"bytes"
	"strings"

	"github.com/tailscale/hujson"
)

// jsonBox is an object or an array with the range of its entries.
type jsonBox struct {
	start, end int         // of the box, with its brackets
	entries    []jsonEntry // in the file's order
}

// jsonEntry is a member of an object or an element of an array. before is the
// space between the bracket or comma before it and its start.
type jsonEntry struct {
	before     hujson.Extra
	start, end int
	comma      int // offset of the comma after it, or -1
	colon      string
	value      *hujson.Value
}

func jsonOpen(v *hujson.Value) *jsonBox {
	b := &jsonBox{start: v.StartOffset, end: v.EndOffset}
	add := func(first, last *hujson.Value, final bool) {
		e := jsonEntry{before: first.BeforeExtra, start: first.StartOffset, end: last.EndOffset, comma: -1, value: last}
		// hujson keeps "there is a trailing comma" as a non-nil AfterExtra.
		if !final || last.AfterExtra != nil {
			e.comma = last.EndOffset + len(last.AfterExtra)
		}
		b.entries = append(b.entries, e)
	}
	switch t := v.Value.(type) {
	case *hujson.Object:
		for i := range t.Members {
			m := &t.Members[i]
			add(&m.Name, &m.Value, i == len(t.Members)-1)
			b.entries[i].colon = string(m.Name.AfterExtra) + ":" + string(m.Value.BeforeExtra)
		}
	case *hujson.Array:
		for i := range t.Elements {
			add(&t.Elements[i], &t.Elements[i], i == len(t.Elements)-1)
		}
	}
	return b
}

// jsonFind returns the value at path, with the box and the index that hold it;
// of duplicate keys the last, as Decode does. lines is whether the nearest box
// around it that has entries puts each on its own line.
func jsonFind(v *hujson.Value, path []treeStep) (found *hujson.Value, in *jsonBox, index int, lines bool) {
	lines = true
	for _, step := range path {
		in, index = jsonOpen(v), step.index
		if step.key != nil {
			index = -1
			if obj, ok := v.Value.(*hujson.Object); ok {
				for i := range obj.Members {
					if name, err := jsonText(&obj.Members[i].Name, &treeLines{}); err == nil && name == *step.key {
						index = i
					}
				}
			}
		}
		if index < 0 || index >= len(in.entries) {
			return nil, nil, 0, false
		}
		v = in.entries[index].value
		lines = in.multiLine()
	}
	return v, in, index, lines
}

// multiLine reports whether the last entry begins on a line of its own.
func (b *jsonBox) multiLine() bool {
	return len(b.entries) > 0 && bytes.IndexByte(b.entries[len(b.entries)-1].before, '\n') >= 0
}

// jsonLayout returns how data is laid out.
func jsonLayout(data []byte, root *hujson.Value) jsonStyle {
	s := jsonStyle{lines: true, eol: treeEOL(data), unit: "  ", comma: " ", colon: ": "}
	unit, colon := false, false
	for v := range root.All() {
		b := jsonOpen(v)
		if len(b.entries) == 0 {
			continue
		}
		e := b.entries[len(b.entries)-1]
		if e.colon != "" && !colon && strings.Trim(e.colon, " \t:") == "" {
			s.colon, colon = e.colon, true
			if strings.HasSuffix(e.colon, ":") {
				s.comma = ""
			}
		}
		if own, outer := treeIndent(data, e.start), treeIndent(data, b.start); !unit && b.multiLine() {
			if deeper, ok := strings.CutPrefix(own, outer); ok && deeper != "" {
				s.unit, unit = deeper, true
			}
		}
		if unit && colon {
			break
		}
	}
	return s
}

// change makes one primitive change; see [treeEditor].
func (jsonFormat) change(data []byte, op treeOp) ([]byte, error) {
	if err := jsonWritable(&Node{Kind: Map, Pairs: []Pair{{op.key, op.value}}}); err != nil {
		return nil, err
	}
	root, err := jsonParse(data)
	if err != nil {
		return nil, err
	}
	if root == nil {
		bom := data[:len(data)-len(bytes.TrimPrefix(data, []byte(treeBOM)))]
		blank := append(bom[:len(bom):len(bom)], "{}"+treeEOL(data)...)
		if root, err = jsonParse(blank); err != nil {
			return nil, err
		}
		data = blank
	}
	style := jsonLayout(data, root)
	v, in, index, lines := jsonFind(root, op.path)
	if v == nil {
		return nil, ErrVerify
	}
	style.lines = lines
	switch op.action {
	case treeReplace:
		return treePut(data, v.StartOffset, v.EndOffset, string(style.value(nil, op.value, treeIndent(data, v.StartOffset)))), nil
	case treeRemove:
		if in == nil {
			return nil, ErrVerify
		}
		return in.remove(data, index), nil
	}
	write := func(indent string) string {
		if op.action == treeAppend {
			return string(style.value(nil, op.value, indent))
		}
		return string(style.member(nil, op.key, op.value, indent))
	}
	b := jsonOpen(v)
	if len(b.entries) == 0 {
		return b.first(data, style, write), nil
	}
	style.lines = b.multiLine()
	return b.add(data, style, write), nil
}

// first returns data with an entry in the empty box.
func (b *jsonBox) first(data []byte, style jsonStyle, write func(indent string) string) []byte {
	inside := data[b.start+1 : b.end-1]
	comment := bytes.TrimRight(inside, " \t\r\n")
	if !style.lines && len(comment) == 0 {
		return treePut(data, b.start+1, b.end-1, write(""))
	}
	// Comments stay above the entry; a line comment needs a newline after it.
	indent := treeIndent(data, b.start)
	at := b.start + 1 + len(comment)
	return treePut(data, at, b.end-1, style.eol+indent+style.unit+write(indent+style.unit)+style.eol+indent)
}

// add returns data with one more entry after the last one.
func (b *jsonBox) add(data []byte, style jsonStyle, write func(indent string) string) []byte {
	last := b.entries[len(b.entries)-1]
	indent := treeIndent(data, last.start)
	at, text := last.end, write(indent)
	if last.comma >= 0 {
		at, text = last.comma+1, text+","
	}
	tail := jsonLineTail(data, at, b.end-1)
	if style.lines || bytes.Contains(data[at:tail], []byte("//")) {
		text = style.eol + indent + text
	} else {
		text = style.comma + text
	}
	out := treePut(data, tail, tail, text)
	if last.comma < 0 {
		out = treePut(out, last.end, last.end, ",")
	}
	return out
}

// jsonLineTail returns the offset after the comments that follow at on the same
// line, at most limit; at itself where there is none.
func jsonLineTail(data []byte, at, limit int) int {
	for i := at; i < limit; {
		switch data[i] {
		case ' ', '\t':
			i++
		case '/':
			end := jsonSkipComment(data, i)
			if data[i+1] == '*' && bytes.IndexByte(data[i:end], '\n') >= 0 {
				return at
			}
			if end > 0 && data[end-1] == '\r' {
				end--
			}
			i, at = end, end
		default:
			return at
		}
	}
	return at
}

// remove returns data without the entry at index.
func (b *jsonBox) remove(data []byte, index int) []byte {
	e := b.entries[index]
	start, end := e.start, e.end
	if e.comma >= 0 {
		end = e.comma + 1
	}
	last := index == len(b.entries)-1
	cut := -1 // a comma before, which would be left over
	if last && e.comma < 0 && index > 0 {
		cut = b.entries[index-1].comma
	}
	if index == 0 && last && len(bytes.TrimSpace(e.before)) == 0 && len(bytes.TrimSpace(data[end:b.end-1])) == 0 {
		return treePut(data, b.start+1, b.end-1, "")
	}
	tail := jsonLineTail(data, end, b.end-1)
	next := tail
	for next < len(data) && (data[next] == ' ' || data[next] == '\t' || data[next] == '\r') {
		next++
	}
	ownLine := strings.TrimSpace(string(data[treeLineStart(data, start):start])) == ""
	switch {
	case ownLine && next < len(data) && data[next] == '\n':
		start, end = treeLineStart(data, start), next+1
	case !last:
		end = b.entries[index+1].start
		if extra := b.entries[index+1].before; len(bytes.TrimSpace(extra)) > 0 {
			end = e.comma + 1 // keep the next entry's comments
		}
	case cut >= 0 && len(bytes.TrimSpace(data[cut+1:start])) == 0:
		start, cut = cut, -1
	}
	out := treePut(data, start, end, "")
	if cut >= 0 {
		out = treePut(out, cut, cut+1, "")
	}
	return out
}
