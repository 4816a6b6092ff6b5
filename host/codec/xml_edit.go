package codec

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// Splice implements [Format].
func (f xmlFormat) Splice(data []byte, edits []Edit) ([]byte, error) {
	return treeSplice(f, data, edits)
}

// normal implements [normalizer]: what XML has only one way to write, Decode has one
// tree for.
func (f xmlFormat) normal(doc *Node, e Edit) Edit {
	if len(e.Path) == 0 {
		if e.Value != nil && e.Value.Kind == Map {
			e.Value = f.normalMap(e.Value)
		}
		return e
	}
	last := e.Path[len(e.Path)-1]
	if last.Key == xmlText && doc.Find(e.Path[:len(e.Path)-1]).plain() {
		return f.normal(doc, Edit{e.Path[:len(e.Path)-1], e.Value})
	}
	if e.Value = f.normalValue(last.Key, e.Value); e.Value != nil {
		if len(e.Path) > 1 && f.listed(last.Key) && e.Value.Kind != List {
			e.Value = &Node{Kind: List, Items: []*Node{e.Value}}
		}
		return e
	}
	if doc.Find(e.Path) == nil || len(e.Path) == 1 {
		return e
	}
	// An element without anything is empty, and one with text alone is its text.
	above := e.Path[:len(e.Path)-1]
	switch in := doc.Find(above); {
	case in.Kind == List && len(in.Items) == 1:
		return f.normal(doc, Edit{Path: above})
	case in.Kind == List && len(in.Items) == 2 && !f.listed(above[len(above)-1].Key):
		return Edit{above, in.Items[1-slices.Index(in.Items, doc.Find(e.Path))]}
	case in.Kind == Map && len(in.Pairs) == 1:
		return Edit{above, &Node{}}
	case in.Kind == Map && len(in.Pairs) == 2 && in.Get(xmlText) != nil && last.Key != xmlText:
		return Edit{above, Text(in.Get(xmlText).Text)}
	}
	return e
}

// plain reports whether n is no element with parts.
func (n *Node) plain() bool { return n == nil || n.Scalar() }

// normalValue is a value as Decode has it at an entry of a Map; nil if it has none there.
func (f xmlFormat) normalValue(key string, n *Node) *Node {
	attr := strings.HasPrefix(key, xmlAttr)
	switch {
	case n == nil:
		return nil
	case n.Scalar() && (attr || n.Text != ""):
		return Text(n.Text)
	case n.Scalar():
		return &Node{}
	case n.Kind == Map:
		return f.normalMap(n).orText()
	}
	out := &Node{Kind: List}
	for _, item := range n.Items {
		if item == nil || item.Kind != List { // which XML does not have in a list
			item = cmp.Or(f.normalValue("", item), &Node{})
		}
		out.Items = append(out.Items, item)
	}
	if len(out.Items) == 0 {
		return nil
	}
	return out
}

func (f xmlFormat) normalMap(n *Node) *Node {
	out := &Node{Kind: Map}
	for _, p := range n.Pairs {
		value := f.normalValue(p.Key, p.Value)
		if value != nil && value.Kind == Null && p.Key == xmlText {
			value = nil
		}
		if value != nil && f.listed(p.Key) && value.Kind != List {
			value = &Node{Kind: List, Items: []*Node{value}}
		}
		if value != nil {
			out.set(p.Key, value)
		}
	}
	return out
}

// orText is a Map, or what an element with so little is.
func (n *Node) orText() *Node {
	switch {
	case len(n.Pairs) == 0:
		return &Node{}
	case len(n.Pairs) == 1 && n.Pairs[0].Key == xmlText:
		return n.Pairs[0].Value
	}
	return n
}

// xmlPlace is what a path leads to: one of them is set, or none for the document.
type xmlPlace struct {
	in      *xmlElement // the element that has what follows; nil for the document
	element *xmlElement
	group   []*xmlElement // of one name
	attr    *xmlAttribute
	text    bool
}

// find follows a path.
func (f xmlFormat) find(d *xmlDoc, path []treeStep) (xmlPlace, bool) {
	var p xmlPlace
	for i, step := range path {
		switch {
		case step.key == nil && step.index < len(p.group):
			p = xmlPlace{in: p.in, element: p.group[step.index]}
		case step.key == nil:
			return p, false
		case i == 0 && d.root != nil && d.root.name == *step.key:
			p = xmlPlace{element: d.root}
		case p.element == nil:
			return p, false
		default:
			p = f.inside(p.element, *step.key)
			if p.element == nil && p.attr == nil && !p.text && len(p.group) == 0 {
				return p, false
			}
		}
	}
	return p, true
}

// inside is what an element has under a key.
func (f xmlFormat) inside(e *xmlElement, key string) xmlPlace {
	p := xmlPlace{in: e}
	if name, ok := strings.CutPrefix(key, xmlAttr); ok {
		if i := slices.IndexFunc(e.attrs, func(a xmlAttribute) bool { return a.name == name }); i >= 0 {
			p.attr = &e.attrs[i]
		}
		return p
	}
	if p.text = key == xmlText; p.text {
		return p
	}
	for _, kid := range e.kids {
		if kid.name == key {
			p.group = append(p.group, kid)
		}
	}
	if len(p.group) == 1 && !f.listed(key) {
		p.element, p.group = p.group[0], nil
	}
	return p
}

var (
	errXMLHolds = &Error{Msg: "XML cannot hold the new value: it has control characters, or is not UTF-8 text"}
	errXMLMixed = &Error{Msg: "text stands beside elements here, which can be read, but not edited in place"}
	errXMLRoot  = &Error{Msg: "an XML file has one root element"}
	errXMLName  = &Error{Msg: "XML cannot have an element or attribute of this name"}
	errXMLList  = &Error{Msg: "elements of this name are a list where their name is not said to be one, or the other way round"}
	errXMLParts = &Error{Msg: "attributes and text of XML hold text only"}
)

// change makes one primitive change; see [treeEditor].
func (f xmlFormat) change(data []byte, op treeOp) ([]byte, error) {
	d, err := xmlParse(data)
	if err != nil {
		return nil, err
	}
	p, ok := f.find(d, op.path)
	if !ok {
		return nil, ErrVerify
	}
	w := d.writer(f)
	switch op.action {
	case treeRemove:
		return d.remove(p)
	case treeReplace:
		return d.replace(w, p, op.value)
	case treeAppend:
		return d.insert(w, p.in, p.group[0].name, &Node{Kind: List, Items: []*Node{op.value}})
	}
	return d.insert(w, p.element, op.key, op.value)
}

// remove takes out what is at a place, of several elements the last one.
func (d *xmlDoc) remove(p xmlPlace) ([]byte, error) {
	e := p.element
	switch {
	case p.attr != nil:
		return treePut(d.data, p.attr.start, p.attr.end, ""), nil
	case p.text:
		return d.setText(p.in, "")
	case p.group != nil:
		e = p.group[len(p.group)-1]
	case e == nil:
		return nil, errXMLRoot
	}
	if p.in != nil && p.in.solid() {
		return nil, errXMLMixed
	}
	start, end := e.start, e.end
	if from, to := treeLineStart(d.data, start), treeLineEnd(d.data, end); xmlBlank(d.data[max(from, bomLen(d.data)):start]) && xmlBlank(d.data[end:to]) {
		start, end = max(from, bomLen(d.data)), to
	}
	return treePut(d.data, start, end, ""), nil
}

// replace gives a place another value. Where that is of another kind it only takes out
// what is there.
func (d *xmlDoc) replace(w xmlWriter, p xmlPlace, value *Node) ([]byte, error) {
	e := p.element
	switch {
	case p.attr != nil && value.Kind == String:
		text, ok := xmlEscape(value.Text, d.data[p.attr.from-1])
		if !ok {
			return nil, errXMLHolds
		}
		return treePut(d.data, p.attr.from, p.attr.to, text), nil
	case p.attr != nil, p.text && value.Kind != String:
		return nil, errXMLParts
	case p.text:
		return d.setText(p.in, value.Text)
	case p.group != nil:
		lines := &treeLines{data: d.data}
		other := slices.DeleteFunc(p.group, func(e *xmlElement) bool { return same(w.node(e, lines), value) })
		return d.remove(xmlPlace{in: p.in, group: other})
	case e == nil:
		return nil, errXMLRoot
	case value.Kind == List:
		if len(value.Items) == 1 {
			return nil, errXMLList
		}
		return d.remove(p)
	case len(e.kids) > 0:
		return d.remove(xmlPlace{in: e, group: e.kids})
	case len(e.attrs) > 0:
		return d.remove(xmlPlace{in: e, attr: &e.attrs[len(e.attrs)-1]})
	case value.Kind != Map:
		return d.setText(e, value.Text)
	case e.solid():
		return d.setText(e, "")
	}
	return d.insert(w, e, value.Pairs[0].Key, value.Pairs[0].Value)
}

// setText gives an element without elements a text. Comments in it stay.
func (d *xmlDoc) setText(e *xmlElement, text string) ([]byte, error) {
	if len(e.kids) > 0 {
		return nil, errXMLMixed
	}
	escaped, ok := xmlEscape(text, 0)
	if !ok {
		return nil, errXMLHolds
	}
	if e.empty {
		return d.opened(e, escaped), nil
	}
	patches := []patch{}
	at := slices.IndexFunc(e.texts, func(p xmlPiece) bool { return p.solid })
	for i, piece := range e.texts {
		switch {
		case i == at:
			patches = append(patches, patch{piece.from, piece.to, escaped})
		case text != "" || piece.solid:
			patches = append(patches, patch{piece.from, piece.to, ""})
		}
	}
	if at < 0 {
		patches = append(patches, patch{e.close, e.close, escaped})
	}
	return apply(d.data, patches), nil
}

// opened writes <a/> as <a> with something in it.
func (d *xmlDoc) opened(e *xmlElement, inner string) []byte {
	tag := len(bytes.TrimRight(d.data[:e.end-2], xmlSpace))
	return treePut(d.data, tag, e.end, ">"+inner+"</"+e.name+">")
}

// insert puts an attribute, text or elements under a new key into an element, or a root
// element into the document, where in is nil.
func (d *xmlDoc) insert(w xmlWriter, in *xmlElement, key string, value *Node) ([]byte, error) {
	if in == nil {
		return d.insertRoot(w, key, value)
	}
	if name, ok := strings.CutPrefix(key, xmlAttr); ok {
		text, err := w.attribute(name, value)
		if err != nil {
			return nil, err
		}
		at := in.start + 1 + len(in.name)
		if n := len(in.attrs); n > 0 {
			at = in.attrs[n-1].end
		}
		return treePut(d.data, at, at, text), nil
	}
	if key == xmlText {
		if value.Kind != String {
			return nil, errXMLParts
		}
		return d.setText(in, value.Text)
	}
	if in.solid() {
		return nil, errXMLMixed
	}
	indent := treeIndent(d.data, in.start)
	inner := indent + w.unit
	if len(in.kids) > 0 && d.ownLine(in.kids[len(in.kids)-1]) {
		inner = treeIndent(d.data, in.kids[len(in.kids)-1].start)
	}
	closed := bytes.ContainsRune(d.data[in.last:in.close], '\n') // the end tag has its line
	w.lines = closed || w.lines && in.last == in.tag
	elements, err := w.elements(key, value, inner)
	if err != nil {
		return nil, err
	}
	text := w.before(inner) + strings.Join(elements, w.before(inner))
	if !closed {
		text += w.before(indent)
	}
	if in.empty {
		return d.opened(in, text), nil
	}
	return treePut(d.data, in.last, in.last, text), nil
}

func (d *xmlDoc) insertRoot(w xmlWriter, key string, value *Node) ([]byte, error) {
	switch {
	case d.root != nil || value.Kind == List:
		return nil, errXMLRoot
	case !xmlNameOK(key):
		return nil, errXMLName
	}
	w.lines = true
	text, err := w.element(key, value, "")
	if err != nil {
		return nil, err
	}
	before := ""
	switch {
	case xmlBlank(d.data[bomLen(d.data):]):
		before = `<?xml version="1.0" encoding="UTF-8"?>` + w.eol
		return treePut(d.data, bomLen(d.data), len(d.data), before+text+w.eol), nil
	case !bytes.HasSuffix(d.data, []byte("\n")):
		before = w.eol
	}
	return treePut(d.data, len(d.data), len(d.data), before+text+w.eol), nil
}

// ownLine reports whether nothing stands before an element on its line.
func (d *xmlDoc) ownLine(e *xmlElement) bool {
	return xmlBlank(d.data[treeLineStart(d.data, e.start):e.start])
}

// xmlWriter writes elements.
type xmlWriter struct {
	xmlFormat
	eol, unit string
	lines     bool // elements have lines of their own
}

// writer has the habits of a file.
func (d *xmlDoc) writer(f xmlFormat) xmlWriter {
	w := xmlWriter{f, treeEOL(d.data), "  ", true}
	if d.root == nil || len(d.root.kids) == 0 {
		w.lines = d.root == nil || bytes.ContainsRune(d.data[d.root.tag:d.root.close], '\n') || d.root.empty
		return w
	}
	if w.lines = d.ownLine(d.root.kids[0]); w.lines {
		if deeper, ok := strings.CutPrefix(treeIndent(d.data, d.root.kids[0].start), treeIndent(d.data, d.root.start)); ok && deeper != "" {
			w.unit = deeper
		}
	}
	return w
}

// before is what stands before an element, or before the end tag after elements.
func (w xmlWriter) before(indent string) string {
	if w.lines {
		return w.eol + indent
	}
	return ""
}

func (w xmlWriter) attribute(name string, value *Node) (string, error) {
	if value.Kind != String {
		return "", errXMLParts
	}
	text, ok := xmlEscape(value.Text, '"')
	switch {
	case !ok:
		return "", errXMLHolds
	case !xmlNameOK(name):
		return "", errXMLName
	}
	return " " + name + `="` + text + `"`, nil
}

// elements writes the elements of a name.
func (w xmlWriter) elements(name string, value *Node, indent string) ([]string, error) {
	switch {
	case !xmlNameOK(name):
		return nil, errXMLName
	case value.Kind != List && !w.listed(name):
		text, err := w.element(name, value, indent)
		return []string{text}, err
	case value.Kind != List, len(value.Items) == 1 && !w.listed(name):
		return nil, errXMLList
	}
	var all []string
	for _, item := range value.Items {
		text, err := w.element(name, item, indent)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

func (w xmlWriter) element(name string, value *Node, indent string) (string, error) {
	switch value.Kind {
	case List:
		return "", errXMLList
	case Map:
	case Null:
		return "<" + name + "/>", nil
	default:
		text, ok := xmlEscape(value.Text, 0)
		if !ok {
			return "", errXMLHolds
		}
		return "<" + name + ">" + text + "</" + name + ">", nil
	}
	tag, inner, elements := "<"+name, "", false
	for _, p := range value.Pairs {
		if attr, ok := strings.CutPrefix(p.Key, xmlAttr); ok {
			text, err := w.attribute(attr, p.Value)
			if err != nil {
				return "", err
			}
			tag += text
			continue
		}
		if p.Key == xmlText {
			text, ok := xmlEscape(p.Value.Text, 0)
			switch {
			case p.Value.Kind != String:
				return "", errXMLParts
			case !ok:
				return "", errXMLHolds
			case inner != "":
				return "", errXMLMixed
			}
			inner = text
			continue
		}
		all, err := w.elements(p.Key, p.Value, indent+w.unit)
		switch {
		case err != nil:
			return "", err
		case value.Get(xmlText) != nil:
			return "", errXMLMixed
		}
		elements = true
		inner += w.before(indent+w.unit) + strings.Join(all, w.before(indent+w.unit))
	}
	switch {
	case inner == "":
		return tag + " />", nil
	case elements:
		inner += w.before(indent)
	}
	return tag + ">" + inner + "</" + name + ">", nil
}

// xmlNameOK reports whether a new element or attribute can have a name.
func xmlNameOK(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return !xmlNameStart(r) && !strings.ContainsRune("-.0123456789", r) }) && xmlNameStart(rune(name[0]))
}

func xmlNameStart(r rune) bool { return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
