package codec

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Splice implements [Format].
func (f hcl) Splice(data []byte, edits []Edit) ([]byte, error) {
	return treeSplice(f, data, edits)
}

// normal implements [normalizer]: where there is no block of a type, there is no Map
// of them.
func (f hcl) normal(doc *Node, e Edit) Edit {
	if len(e.Path) == 0 && e.Value != nil && e.Value.Kind == Map {
		out := &Node{Kind: Map}
		for _, p := range e.Value.Pairs {
			if p.Value != nil && !f.none(p.Key, p.Value) {
				out.set(p.Key, p.Value)
			}
		}
		e.Value = out
	}
	switch {
	case len(e.Path) == 1 && e.Value != nil && f.none(e.Path[0].Key, e.Value):
		e.Value = nil
	case len(e.Path) == 2 && e.Value == nil && slices.Contains(f.blocks, e.Path[0].Key):
		if in := doc.Find(e.Path[:1]); in != nil && len(in.Pairs) == 1 && doc.Find(e.Path) != nil {
			e.Path = e.Path[:1]
		}
	}
	return e
}

// none reports whether a value is a Map of blocks without any.
func (f hcl) none(key string, value *Node) bool {
	return slices.Contains(f.blocks, key) && value.Kind == Map && len(value.Pairs) == 0
}

var (
	errHCLPlace = &Error{Msg: "this spelling of HCL can be read, but not edited in place"}
	errHCLName  = &Error{Msg: "HCL cannot have an attribute of this name"}
	errHCLBlock = &Error{Msg: "blocks of this type have a label each, and attributes"}
	errHCLHolds = &Error{Msg: "HCL cannot hold the new value: it is not UTF-8 text, or no number"}
	errHCLOlder = &Error{Msg: "the new value has ${ or %{, which versions of HCL read differently in a block"}
)

// change makes one primitive change; see [treeEditor].
func (f hcl) change(data []byte, op treeOp) ([]byte, error) {
	root, err := hclParse(data)
	if err != nil {
		return nil, err
	}
	v, in, block, key := root, (*hclValue)(nil), false, ""
	for _, step := range op.path {
		block = block || v != root && v.form >= hclBody
		if in = v; step.key != nil {
			v, key = in.get(*step.key), *step.key
		} else if v = nil; step.index < len(in.kids) {
			v = in.kids[step.index]
		}
		if v == nil {
			return nil, ErrVerify
		}
	}
	block = block || v != root && v.form == hclBody
	w := hclWriter{hcl: f, eol: treeEOL(data), block: block}
	switch op.action {
	case treeRemove:
		if in.form == hclLabels && len(in.kids) == 1 && !(len(op.path) == 2 && slices.Contains(f.blocks, *op.path[0].key)) {
			return nil, errHCLPlace
		}
		return hclRemove(data, in, v)
	case treeReplace:
		if v.form >= hclBody {
			return nil, errHCLPlace
		}
		text, err := w.value(op.value, treeIndent(data, v.stmt))
		return treePut(data, v.start, v.end, text), err
	case treeAppend:
		if v.form != hclTuple {
			return nil, errHCLPlace
		}
		return w.add(data, v, "", op.value)
	}
	switch {
	case v.form == hclObject:
		return w.add(data, v, op.key, op.value)
	case v.form == hclLabels && len(op.path) == 1 && slices.Contains(f.blocks, key):
		return w.blocksAfter(data, v, key, op)
	case v.form != hclBody:
		return nil, errHCLPlace
	case v == root && slices.Contains(f.blocks, op.key):
		return w.blocks(data, op.key, op.value)
	}
	return w.attribute(data, v, op.key, op.value)
}

// hclRemove returns data without v, which is in.
func hclRemove(data []byte, in, v *hclValue) ([]byte, error) {
	if v.form == hclLabels || v.form == hclBlocks { // of several blocks the last one
		return hclRemove(data, v, v.kids[len(v.kids)-1])
	}
	if in.form == hclBlocks && len(in.kids) == 2 {
		return nil, errHCLPlace
	}
	start, end := v.stmt, v.end
	if end = max(end, v.comma+1); v.form == hclBody {
		end = v.end
	}
	from, to := treeLineStart(data, start), treeLineEnd(data, end)
	from = max(from, bomLen(data))
	tail := bytes.TrimSpace(data[end:to])
	if len(bytes.TrimSpace(data[from:start])) == 0 && (len(tail) == 0 || tail[0] == '#' || bytes.HasPrefix(tail, []byte("//"))) {
		return treePut(data, from, to, ""), nil
	}
	for end < len(data) && data[end] == ' ' {
		end++
	}
	return treePut(data, start, end, ""), nil
}

// hclWriter writes values.
type hclWriter struct {
	hcl
	eol   string
	block bool // into a block
}

// attribute puts an attribute at the end of a body.
func (w hclWriter) attribute(data []byte, body *hclValue, name string, value *Node) ([]byte, error) {
	if !hclName(name) {
		return nil, errHCLName
	}
	if !w.block {
		text, err := w.value(value, "")
		if err != nil {
			return nil, err
		}
		return apply(data, []patch{insertWith(w.eol, data, len(data), name+" = "+text)}), nil
	}
	indent, unit := treeIndent(data, body.stmt), "  "
	inside := data[body.open:body.close]
	first := inside
	if len(body.kids) > 0 {
		first = data[body.open:body.kids[0].stmt]
	}
	if bytes.IndexByte(first, '\n') >= 0 {
		if n := len(body.kids); n > 0 {
			if deeper, ok := strings.CutPrefix(treeIndent(data, body.kids[n-1].stmt), indent); ok {
				unit = deeper
			}
		}
		text, err := w.value(value, indent+unit)
		at := body.open + len(bytes.TrimRight(inside, " \t"))
		return treePut(data, at, at, indent+unit+name+" = "+text+w.eol), err
	}
	text, err := w.value(value, indent+unit)
	old := strings.Trim(string(inside), " \t")
	if old != "" {
		old = w.eol + indent + unit + old
	}
	return treePut(data, body.open, body.close, old+w.eol+indent+unit+name+" = "+text+w.eol+indent), err
}

// blocks puts new blocks of a type at the end of the file.
func (w hclWriter) blocks(data []byte, name string, value *Node) ([]byte, error) {
	if value.Kind != Map {
		return nil, errHCLBlock
	}
	for _, p := range value.Pairs {
		lines, err := w.blockLines(name, p.Key, p.Value)
		if err != nil {
			return nil, err
		}
		if len(data) > bomLen(data) && !bytes.HasSuffix(data, []byte("\n\n")) && !bytes.HasSuffix(data, []byte("\n\r\n")) {
			lines = append([]string{""}, lines...)
		}
		data = apply(data, []patch{insertWith(w.eol, data, len(data), lines...)})
	}
	return data, nil
}

// blocksAfter puts a block behind the last one of its type.
func (w hclWriter) blocksAfter(data []byte, labels *hclValue, name string, op treeOp) ([]byte, error) {
	lines, err := w.blockLines(name, op.key, op.value)
	if err != nil {
		return nil, err
	}
	end := 0
	for _, kid := range labels.kids {
		for _, k := range append(kid.kids, kid) {
			end = max(end, k.end)
		}
	}
	at := treeLineEnd(data, end)
	return apply(data, []patch{insertWith(w.eol, data, at, append([]string{""}, lines...)...)}), nil
}

func (w hclWriter) blockLines(name, label string, value *Node) ([]string, error) {
	w.block = true
	if value == nil || value.Kind != Map {
		return nil, errHCLBlock
	}
	quoted, err := w.quoted(label)
	if err != nil {
		return nil, err
	}
	lines := []string{name + " " + quoted + " {"}
	for _, p := range value.Pairs {
		text, err := w.value(p.Value, "  ")
		switch {
		case err != nil:
			return nil, err
		case !hclName(p.Key):
			return nil, errHCLName
		}
		lines = append(lines, "  "+p.Key+" = "+text)
	}
	return append(lines, "}"), nil
}

// add puts an entry at the end of an object or a tuple.
func (w hclWriter) add(data []byte, box *hclValue, key string, value *Node) ([]byte, error) {
	indent := treeIndent(data, box.stmt)
	write := func(indent string) (string, error) {
		text, err := w.value(value, indent)
		if err == nil && box.form == hclObject {
			var name string
			name, err = w.key(key)
			text = name + " = " + text
		}
		return text, err
	}
	inside := data[box.open:box.close]
	lines := bytes.IndexByte(inside, '\n') >= 0
	if len(box.kids) == 0 {
		if !lines && len(bytes.TrimSpace(inside)) == 0 {
			text, err := write(indent)
			if box.form == hclObject {
				text = " " + text + " "
			}
			return treePut(data, box.open, box.close, text), err
		}
		text, err := write(indent + "  ")
		at := box.open + len(bytes.TrimRight(inside, xmlSpace))
		return treePut(data, at, box.close, w.eol+indent+"  "+text+w.eol+indent), err
	}
	last := box.kids[len(box.kids)-1]
	at, comma := last.end, last.comma >= 0
	if comma {
		at = last.comma + 1
	}
	to := treeLineEnd(data, at)
	own := to <= box.close && len(bytes.TrimSpace(data[treeLineStart(data, last.stmt):last.stmt])) == 0
	if own {
		inner := treeIndent(data, last.stmt)
		text, err := write(inner)
		if comma {
			text += ","
		}
		out := treePut(data, to, to, inner+text+w.eol)
		if box.form == hclTuple && !comma {
			out = treePut(out, last.end, last.end, ",")
		}
		return out, err
	}
	text, err := write(indent)
	if text = " " + text; !comma {
		text = "," + text
	}
	// A comment behind the entry, or the line of a heredoc, goes on before it.
	if tail := bytes.TrimLeft(data[at:min(to, box.close)], " \t"); to <= box.close && len(tail) > 0 {
		text = strings.TrimPrefix(text, ",")
		out := treePut(data, to, to, indent+" "+text+w.eol)
		if !comma && box.form == hclTuple {
			out = treePut(out, last.end, last.end, ",")
		}
		return out, err
	}
	return treePut(data, at, at, text), err
}

// value writes a value.
func (w hclWriter) value(n *Node, indent string) (string, error) {
	if n == nil {
		return "null", nil
	}
	switch n.Kind {
	case Bool:
		return n.Text, nil
	case Number:
		if !treeIsJSONNumber(n.Text) {
			return "", errHCLHolds
		}
		return n.Text, nil
	case String:
		return w.quoted(n.Text)
	case List:
		var items []string
		for _, item := range n.Items {
			text, err := w.value(item, indent)
			if err != nil {
				return "", err
			}
			items = append(items, text)
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	case Map:
		var b strings.Builder
		for _, p := range n.Pairs {
			key, err := w.key(p.Key)
			if err != nil {
				return "", err
			}
			text, err := w.value(p.Value, indent+"  ")
			if err != nil {
				return "", err
			}
			b.WriteString(w.eol + indent + "  " + key + " = " + text)
		}
		if len(n.Pairs) == 0 {
			return "{}", nil
		}
		return "{" + b.String() + w.eol + indent + "}", nil
	}
	return "null", nil
}

// key writes the key of an object.
func (w hclWriter) key(key string) (string, error) {
	if hclName(key) {
		return key, nil
	}
	return w.quoted(key)
}

// quoted writes a text in quotes.
func (w hclWriter) quoted(text string) (string, error) {
	switch {
	case !utf8.ValidString(text):
		return "", errHCLHolds
	case w.block && (strings.Contains(text, "${") || strings.Contains(text, "%{")):
		return "", errHCLOlder
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case (r == '$' || r == '%') && strings.HasPrefix(text[i+1:], "{"):
			b.WriteString(string(r) + string(r))
		case r < ' ' || r != ' ' && !unicode.IsPrint(r):
			b.WriteString(hclUnicode(r))
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`, nil
}

func hclUnicode(r rune) string {
	const hex = "0123456789abcdef"
	digits, form := 4, `\u`
	if r > 0xffff {
		digits, form = 8, `\U`
	}
	for i := digits - 1; i >= 0; i-- {
		form += string(hex[r>>(4*i)&15])
	}
	return form
}

// hclName reports whether a new attribute can have a name.
func hclName(name string) bool {
	for i := range len(name) {
		if !hclIdentifier(name[i], i > 0) {
			return false
		}
	}
	return name != ""
}
