package codec

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// xmlFormat is XML 1.0 as configuration files have it, without document types, and so
// without entities of its own. An element is
//
//   - null where it is empty: no attribute, no element, white space at most;
//   - a String where it has text alone, exactly as it is in the file;
//   - a Map else: "@NAME" for an attribute, the name of an element in it, "#text" for
//     text beside these, which is Opaque where there are elements.
//
// Names keep their prefix. Elements of one name are a List where there are several, or
// where the name is one of lists, as [Options] has them. Comments and the like are
// no part of the tree, and stay.
type xmlFormat struct{ lists []string }

const (
	xmlText = "#text"
	xmlAttr = "@"
	// xmlMaxParts is how many elements and attributes a file may have, which bounds the
	// memory that a hostile one takes.
	xmlMaxParts = 100_000
)

// xmlElement is an element. Its numbers are offsets into the file.
type xmlElement struct {
	name       string
	start, end int // with its tags
	// tag is where the start tag ends: its text begins there. close is where the end
	// tag begins. For <a/> both are where the tag ends.
	tag, close int
	empty      bool // <a/>
	attrs      []xmlAttribute
	kids       []*xmlElement
	// last is the end of the last comment, instruction or element in it, or tag.
	last int
	text strings.Builder
	// texts are the pieces of text in it.
	texts []xmlPiece
}

// xmlPiece is text between tags, comments and the like: data[from:to]. It is solid if it
// is not only white space written as itself.
type xmlPiece struct {
	from, to int
	solid    bool
}

// solid reports whether an element has text.
func (e *xmlElement) solid() bool {
	return slices.ContainsFunc(e.texts, func(p xmlPiece) bool { return p.solid })
}

// xmlAttribute is an attribute: data[start:end] is the space before it, its name and
// its value, data[from:to] the value between the quotes.
type xmlAttribute struct {
	name, value string
	start, end  int
	from, to    int
}

// xmlDoc is a parsed file.
type xmlDoc struct {
	data []byte
	root *xmlElement // nil for none
}

// Decode implements [Format].
func (f xmlFormat) Decode(data []byte) (*Node, error) {
	d, err := xmlParse(data)
	if err != nil {
		return nil, err
	}
	out := &Node{Kind: Map}
	if d.root != nil {
		out.set(d.root.name, f.node(d.root, &treeLines{data: data}))
	}
	return out, nil
}

func (f xmlFormat) node(e *xmlElement, lines *treeLines) *Node {
	n := &Node{Line: lines.at(e.start)}
	if len(e.attrs)+len(e.kids) == 0 {
		if e.solid() {
			n.Kind, n.Text = String, e.text.String()
		}
		return n
	}
	n.Kind = Map
	for _, a := range e.attrs {
		n.set(xmlAttr+a.name, &Node{Kind: String, Text: a.value, Line: lines.at(a.from)})
	}
	for _, kid := range e.kids {
		value := f.node(kid, lines)
		switch old := n.Get(kid.name); {
		case old == nil:
			n.set(kid.name, value)
		case old.Kind == List:
			old.Items = append(old.Items, value)
		default:
			n.set(kid.name, &Node{Kind: List, Items: []*Node{old, value}, Line: old.Line})
		}
	}
	if e.solid() {
		n.set(xmlText, &Node{Kind: String, Text: e.text.String(), Line: n.Line, Opaque: len(e.kids) > 0})
	}
	for i, p := range n.Pairs {
		if p.Value.Kind != List && f.listed(p.Key) {
			n.Pairs[i].Value = &Node{Kind: List, Items: []*Node{p.Value}, Line: p.Value.Line}
		}
	}
	return n
}

// listed reports whether elements of a name are a List, however many there are.
func (f xmlFormat) listed(name string) bool { return slices.Contains(f.lists, name) }

// xmlParse reads a file. Of encoding/xml it takes where the tokens are, and what is
// wrong with one; what a document is made of, it checks itself.
func xmlParse(data []byte) (*xmlDoc, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	if err := treeInvalidUTF8(data); err != nil {
		return nil, err
	}
	d := &xmlDoc{data: data}
	mark := bomLen(data)
	dec := xml.NewDecoder(bytes.NewReader(data[mark:]))
	dec.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errXMLEncoding }
	var open []*xmlElement
	parts := 0
	for {
		start := mark + int(dec.InputOffset())
		token, err := dec.RawToken()
		end := mark + int(dec.InputOffset())
		fail := func(msg string) error {
			line, column := treeLine(data, start)
			return &Error{line, column, msg}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, xmlError(data, end, err)
		}
		var in *xmlElement
		if len(open) > 0 {
			in = open[len(open)-1]
		}
		if err != nil {
			if in != nil {
				return nil, fail("not valid XML: an element is not closed")
			}
			return d, nil
		}
		switch t := token.(type) {
		case xml.StartElement:
			e := &xmlElement{name: xmlName(t.Name), start: start, tag: end, last: end}
			parts += 1 + len(t.Attr)
			switch {
			case in == nil && d.root != nil:
				return nil, fail("not valid XML: there is more than one root element")
			case len(open) == treeMaxDepth:
				return nil, fail("elements nest too deeply")
			case parts > xmlMaxParts:
				return nil, fail("there are too many elements and attributes")
			case !e.attributes(data, t.Attr):
				return nil, fail("not valid XML: the attributes of an element are not all of the form NAME=\"VALUE\", or two have one name")
			}
			if in == nil {
				d.root = e
			} else {
				in.kids = append(in.kids, e)
			}
			open = append(open, e)
		case xml.EndElement:
			if in == nil || in.name != xmlName(t.Name) {
				return nil, fail("not valid XML: an end tag that closes nothing")
			}
			in.close, in.end, in.empty = start, end, start == end
			if open = open[:len(open)-1]; len(open) > 0 {
				open[len(open)-1].last = end
			}
		case xml.CharData:
			if in != nil {
				in.text.Write(t)
				in.texts = append(in.texts, xmlPiece{start, end, !xmlBlank(data[start:end])})
			} else if !xmlBlank(data[start:end]) {
				return nil, fail("not valid XML: text outside the root element")
			}
		case xml.Directive:
			return nil, fail("the file has a document type, whose entities rhx does not expand")
		case xml.ProcInst:
			if t.Target == "xml" && start != mark {
				return nil, fail("not valid XML: the declaration comes first")
			}
			if in != nil {
				in.last = end
			}
		case xml.Comment:
			if in != nil {
				in.last = end
			}
		}
	}
}

var errXMLEncoding = errors.New("the file is in another encoding than UTF-8; save it as UTF-8")

// xmlError says what encoding/xml found wrong, without what it quotes.
func xmlError(data []byte, at int, err error) error {
	line, column := treeLine(data, at)
	var syntax *xml.SyntaxError
	switch {
	case errors.Is(err, errXMLEncoding):
		return &Error{Line: 1, Msg: errXMLEncoding.Error()}
	case !errors.As(err, &syntax):
		return &Error{line, column, "not valid XML"}
	}
	msg := "not valid XML"
	switch has := func(part string) bool { return strings.Contains(syntax.Msg, part) }; {
	case has("unexpected EOF"):
		msg += ": it ends too early"
	case has("invalid character entity"):
		msg += ": an & that begins no entity; as text it is &amp;"
	case has("unescaped <"):
		msg += ": a < in an attribute; as text it is &lt;"
	case has("element name"):
		msg += ": a < that begins no element; as text it is &lt;"
	}
	return &Error{line, column, msg}
}

// xmlSpace is the white space of XML.
const xmlSpace = " \t\r\n"

func xmlBlank(text []byte) bool { return len(bytes.Trim(text, xmlSpace)) == 0 }

// xmlName is a name as it is in the file.
func xmlName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// attributes finds the attributes of a start tag, of which encoding/xml tells the names
// and, but for white space, the values. It returns false where they are not well formed.
func (e *xmlElement) attributes(data []byte, attrs []xml.Attr) bool {
	pos := e.start + 1 + len(e.name)
	seen := map[string]bool{}
	for _, a := range attrs {
		at := xmlAttribute{name: xmlName(a.Name), start: pos}
		name := pos + len(data[pos:e.tag]) - len(bytes.TrimLeft(data[pos:e.tag], xmlSpace))
		equals := bytes.IndexByte(data[name:e.tag], '=')
		if equals < 0 || name == pos || strings.TrimRight(string(data[name:name+equals]), xmlSpace) != at.name || seen[at.name] {
			return false
		}
		seen[at.name] = true
		rest := bytes.TrimLeft(data[name+equals+1:e.tag], xmlSpace)
		at.from = e.tag - len(rest) + 1
		length := -1
		if len(rest) > 0 && (rest[0] == '"' || rest[0] == '\'') {
			length = bytes.IndexByte(rest[1:], rest[0])
		}
		if length < 0 {
			return false
		}
		at.to = at.from + length
		at.end, pos = at.to+1, at.to+1
		at.value = xmlAttributeValue(data[at.from:at.to], a.Value)
		e.attrs = append(e.attrs, at)
	}
	return true
}

// xmlAttributeValue is the value of an attribute: as encoding/xml has it, but that white
// space which is written as itself is a blank.
func xmlAttributeValue(raw []byte, value string) string {
	if !bytes.ContainsAny(raw, "\t\r\n") {
		return value
	}
	text := strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ", `"`, "&quot;").Replace(string(raw))
	if t, err := xml.NewDecoder(strings.NewReader(`<a b="` + text + `"/>`)).RawToken(); err == nil {
		if s, ok := t.(xml.StartElement); ok {
			return s.Attr[0].Value
		}
	}
	return value
}

// xmlEscape writes a text, or with quote the value of an attribute, in ASCII. ok is
// false for what XML cannot hold.
func xmlEscape(text string, quote byte) (escaped string, ok bool) {
	if !utf8.ValidString(text) {
		return "", false
	}
	blank := xmlBlank([]byte(text)) // alone, it is no text
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"' && quote == '"':
			b.WriteString("&quot;")
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0xfffe, r == 0xffff:
			return "", false
		case r == '\r', quote == '\'' && r == '\'', r < ' ' && quote != 0, blank && quote == 0, r > '~':
			b.WriteString("&#" + strconv.Itoa(int(r)) + ";")
		default:
			b.WriteRune(r)
		}
	}
	return b.String(), true
}
