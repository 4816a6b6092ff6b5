package codec

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hcl is the part of HashiCorp's configuration language in which values are: attributes
// whose values are literals, and blocks. What refers to something or computes it is an
// error. (A file of variables may have literals only.)
//
// A block TYPE "LABEL" {…} is an entry LABEL in the Map TYPE; blocks with one type and
// labels are a List. blocks are the types of blocks with one label that an edit makes,
// as [Options] has them; other Maps are written as objects.
//
// Terraform reads its own configuration by HCL 1, where $${ in a string is no escape: in
// a block, a String with it is Disputed.
type hcl struct{ blocks []string }

// hclForm is how a value is written.
type hclForm uint8

const (
	hclScalar hclForm = iota
	hclTuple          // [a, b]
	hclObject         // {a = b}
	hclBody           // the attributes and blocks of a block, or of the file
	hclLabels         // blocks of one type: a Map by their labels
	hclBlocks         // several blocks of one type and one label: a List
)

// hclValue is a value. Its numbers are offsets into the file.
type hclValue struct {
	form       hclForm
	node       Node // of a scalar
	start, end int  // the value; of a body, the block
	open       int  // behind the bracket that opens it
	close      int  // before the one that closes it
	stmt       int  // where the attribute, the entry or the block begins that has it
	comma      int  // behind an entry of an object or tuple, or -1
	keys       []string
	kids       []*hclValue
	at         map[string]int // the keys
}

// get returns the value of a key, or nil.
func (v *hclValue) get(key string) *hclValue {
	if i, ok := v.at[key]; ok {
		return v.kids[i]
	}
	return nil
}

func (v *hclValue) set(key string, kid *hclValue) {
	if v.at == nil {
		v.at = map[string]int{}
	}
	if i, ok := v.at[key]; ok {
		v.kids[i] = kid
		return
	}
	v.at[key] = len(v.kids)
	v.keys, v.kids = append(v.keys, key), append(v.kids, kid)
}

// Decode implements [Format].
func (hcl) Decode(data []byte) (*Node, error) {
	root, err := hclParse(data)
	if err != nil {
		return nil, err
	}
	n := root.tree(&treeLines{data: data})
	n.Line = 0
	return n, nil
}

func (v *hclValue) tree(lines *treeLines) *Node {
	n := v.node
	n.Line = lines.at(v.start)
	switch v.form {
	case hclScalar:
	case hclTuple, hclBlocks:
		n.Kind = List
		for _, kid := range v.kids {
			n.Items = append(n.Items, kid.tree(lines))
		}
	default:
		n.Kind = Map
		for i, kid := range v.kids {
			n.set(v.keys[i], kid.tree(lines))
		}
	}
	return &n
}

// hclParser reads a file. What is wrong stops it by a panic with an *Error, which
// hclParse catches.
type hclParser struct {
	data  []byte
	pos   int
	depth int
	parts int // values and blocks
}

// hclMaxParts bounds the memory that a hostile file takes.
const hclMaxParts = 100_000

// part counts a value or a block.
func (p *hclParser) part(at int) {
	if p.parts++; p.parts > hclMaxParts {
		p.fail(at, "there are too many values")
	}
}

func hclParse(data []byte) (root *hclValue, err error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	if err := treeInvalidUTF8(data); err != nil {
		return nil, err
	}
	p := &hclParser{data: data, pos: bomLen(data)}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			root, err = nil, e
		}
	}()
	root = &hclValue{form: hclBody, start: p.pos, open: p.pos, end: len(data), close: len(data)}
	p.body(root, false)
	return root, nil
}

func (p *hclParser) fail(at int, msg string) {
	line, column := treeLine(p.data, at)
	panic(&Error{line, column, msg})
}

// next is the next byte; 0 at the end.
func (p *hclParser) next() byte {
	if p.pos < len(p.data) {
		return p.data[p.pos]
	}
	return 0
}

func (p *hclParser) has(text string) bool { return bytes.HasPrefix(p.data[p.pos:], []byte(text)) }

// space skips blanks and comments on the line, and with lines also what ends lines.
func (p *hclParser) space(lines bool) {
	for {
		switch c := p.next(); {
		case c == ' ' || c == '\t', lines && (c == '\n' || p.has("\r\n")):
			p.pos++
		case p.has("/*"):
			n := bytes.Index(p.data[p.pos:], []byte("*/"))
			if n < 0 {
				p.fail(p.pos, "the comment that begins here is not closed")
			}
			p.pos += n + 2
		case lines && (c == '#' || p.has("//")):
			p.comment()
		default:
			return
		}
	}
}

// comment skips a comment up to its line ending.
func (p *hclParser) comment() {
	if n := bytes.IndexByte(p.data[p.pos:], '\n'); n >= 0 {
		p.pos += n
	} else {
		p.pos = len(p.data)
	}
}

// ends reports whether the line ends here, and skips the comment before that.
func (p *hclParser) ends() bool {
	p.space(false)
	if p.next() == '#' || p.has("//") {
		p.comment()
	}
	return p.pos == len(p.data) || p.next() == '\n' || p.has("\r\n")
}

// identifier reads a name, or "".
func (p *hclParser) identifier() string {
	from := p.pos
	for p.pos < len(p.data) && hclIdentifier(p.data[p.pos], p.pos > from) {
		p.pos++
	}
	return string(p.data[from:p.pos])
}

func hclIdentifier(c byte, inside bool) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || inside && (c == '-' || c >= '0' && c <= '9')
}

// body reads attributes and blocks; in a block up to the brace that closes it.
func (p *hclParser) body(b *hclValue, block bool) {
	for {
		p.space(true)
		stmt := p.pos
		if block && p.next() == '}' {
			b.close = p.pos
			p.pos++
			return
		}
		if !block && p.pos == len(p.data) {
			return
		}
		oneLine := block && bytes.IndexByte(p.data[b.open:stmt], '\n') < 0
		p.statement(b, stmt, block, oneLine)
		p.space(false)
		if closed := block && p.next() == '}'; closed != oneLine || !closed && !p.ends() {
			p.fail(p.pos, "an attribute or a block ends with its line")
		}
	}
}

// statement reads an attribute of a body, or a block, which one on one line cannot have.
func (p *hclParser) statement(b *hclValue, stmt int, block, oneLine bool) {
	name := p.identifier()
	quoted := name == "" && block && p.next() == '"' // as HCL 1 has them
	if quoted {
		name = p.quoted()
	}
	if p.pos == stmt {
		p.fail(stmt, "not NAME = VALUE, and no block")
	}
	p.space(false)
	if p.next() == '=' && !p.has("==") {
		p.pos++
		p.space(false)
		v := p.value(block)
		v.stmt = stmt
		if b.get(name) != nil {
			p.fail(stmt, "the name occurs twice")
		}
		b.set(name, v)
		return
	}
	path := []string{name}
	for p.next() != '{' {
		at := p.pos
		label := p.identifier()
		if label == "" && p.next() == '"' {
			label = p.quoted()
		}
		if p.pos == at {
			p.fail(stmt, "not NAME = VALUE, and no block")
		}
		path = append(path, label)
		p.space(false)
	}
	if len(path) > 4 || oneLine || quoted {
		p.fail(stmt, "the block has too many labels, or is in a block on one line")
	}
	p.pos++
	p.part(stmt)
	p.deeper(stmt)
	v := &hclValue{form: hclBody, start: stmt, stmt: stmt, open: p.pos}
	p.body(v, true)
	p.depth--
	v.end = p.pos
	for _, label := range path[:len(path)-1] {
		in := b.get(label)
		if in == nil {
			in = &hclValue{form: hclLabels, start: stmt, stmt: stmt}
			b.set(label, in)
		}
		if in.form != hclLabels {
			p.fail(stmt, "an attribute or a block without this label has the name")
		}
		b = in
	}
	switch last := path[len(path)-1]; b.formOf(last) {
	case hclScalar: // there is none
		b.set(last, v)
	case hclBody:
		first := b.get(last)
		b.set(last, &hclValue{form: hclBlocks, start: first.start, stmt: first.stmt, kids: []*hclValue{first, v}})
	case hclBlocks:
		b.get(last).kids = append(b.get(last).kids, v)
	default:
		p.fail(stmt, "an attribute or a block with other labels has the name")
	}
}

// formOf is how the value of a key is written: hclScalar where there is none, hclObject
// for an attribute.
func (v *hclValue) formOf(key string) hclForm {
	switch kid := v.get(key); {
	case kid == nil:
		return hclScalar
	case kid.form == hclScalar || kid.form == hclTuple:
		return hclObject
	default:
		return kid.form
	}
}

func (p *hclParser) deeper(at int) {
	if p.depth++; p.depth > treeMaxDepth {
		p.fail(at, "values nest too deeply")
	}
}

// value reads a literal. block says that it is in a block.
func (p *hclParser) value(block bool) *hclValue {
	v := &hclValue{start: p.pos, stmt: p.pos, comma: -1}
	p.part(p.pos)
	switch c := p.next(); {
	case c == '"':
		v.node = Node{Kind: String, Text: p.quoted()}
		v.node.Disputed = block && (strings.Contains(v.node.Text, "${") || strings.Contains(v.node.Text, "%{"))
	case p.has("<<"):
		v.node = Node{Kind: String, Text: p.heredoc()}
		v.node.Disputed = block // HCL 1 leaves other blanks
	case c == '[' || c == '{':
		p.deeper(p.pos)
		p.box(v, block)
		p.depth--
	case c == '-' || c >= '0' && c <= '9':
		v.node = Node{Kind: Number, Text: p.number()}
	default:
		switch word := p.identifier(); word {
		case "true", "false":
			v.node = Node{Kind: Bool, Text: word}
		case "null":
		default:
			p.fail(v.start, "not a literal value: a text in quotes, a number, true, false, null, a list or a map")
		}
	}
	v.end = p.pos
	return v
}

func (p *hclParser) number() string {
	from := p.pos
	if p.next() == '-' {
		p.pos++
	}
	for p.pos < len(p.data) && (p.next() >= '0' && p.next() <= '9' || strings.IndexByte(".eE", p.next()) >= 0 ||
		strings.IndexByte("+-", p.next()) >= 0 && strings.IndexByte("eE", p.data[p.pos-1]) >= 0) {
		p.pos++
	}
	text := string(p.data[from:p.pos])
	if !treeIsJSONNumber(strings.TrimLeft(strings.TrimPrefix(text, "-"), "0")) && !treeIsJSONNumber(text) || hclIdentifier(p.next(), true) {
		p.fail(from, "not a number")
	}
	return text
}

// box reads a list or a map.
func (p *hclParser) box(v *hclValue, block bool) {
	closing := byte(']')
	if v.form = hclTuple; p.next() == '{' {
		v.form, closing = hclObject, '}'
	}
	opened := p.pos
	p.pos++
	v.open = p.pos
	for {
		ended := func() {
			if p.pos == len(p.data) {
				p.fail(opened, "the bracket that opens here is not closed")
			}
		}
		p.space(true)
		ended()
		if p.next() == closing {
			v.close = p.pos
			p.pos++
			return
		}
		stmt, key := p.pos, ""
		if v.form == hclObject {
			if p.next() == '"' {
				key = p.quoted()
			} else if key = p.identifier(); key == "" {
				p.fail(p.pos, "not KEY = VALUE")
			}
			if v.get(key) != nil {
				p.fail(stmt, "the key occurs twice")
			}
			if p.space(false); p.next() != '=' && p.next() != ':' || p.has("==") {
				p.fail(p.pos, "not KEY = VALUE")
			}
			p.pos++
			p.space(false)
		}
		kid := p.value(block)
		kid.stmt = stmt
		if v.form == hclObject {
			v.set(key, kid)
		} else {
			v.kids = append(v.kids, kid)
		}
		p.space(v.form == hclTuple)
		ended()
		if p.next() == ',' {
			kid.comma = p.pos
			p.pos++
		} else if p.next() != closing && (v.form == hclTuple || !p.ends()) {
			p.fail(p.pos, "a comma or an end of the line has to follow")
		}
	}
}

// quoted reads a text in quotes.
func (p *hclParser) quoted() string {
	from := p.pos
	for p.pos++; p.next() != '"'; p.pos++ {
		if p.next() == '\\' {
			p.pos++
		}
		if p.pos >= len(p.data) || p.next() == '\n' {
			p.fail(from, "the quote that opens here is not closed")
		}
	}
	p.pos++
	return p.literal(from+1, p.pos-1, true)
}

// literal is the text that stands at data[from:to], with escapes if it was in quotes.
func (p *hclParser) literal(from, to int, escapes bool) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		c, rest := p.data[i], p.data[i:to]
		switch {
		case bytes.HasPrefix(rest, []byte("$${")), bytes.HasPrefix(rest, []byte("%%{")):
			b.Write(rest[1:3])
			i += 2
		case bytes.HasPrefix(rest, []byte("${")), bytes.HasPrefix(rest, []byte("%{")):
			p.fail(i, "a text with ${ or %{ in it is no literal value; as text they are $${ and %%{")
		case c == '\\' && escapes:
			r, size := hclEscaped(rest[1:])
			if size == 0 {
				p.fail(i, "no escape of HCL")
			}
			b.WriteRune(r)
			i += size
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// hclEscaped is the character of an escape, and the length of that without the
// backslash; 0 for none.
func hclEscaped(text []byte) (rune, int) {
	digits := 0
	switch text[0] {
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case '"', '\\':
		return rune(text[0]), 1
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	}
	if digits == 0 || len(text) <= digits {
		return 0, 0
	}
	n, err := strconv.ParseUint(string(text[1:digits+1]), 16, 32)
	if err != nil || n > unicode.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, 0
	}
	return rune(n), digits + 1
}

// heredoc reads <<MARKER and the lines up to that.
func (p *hclParser) heredoc() string {
	from := p.pos
	p.pos += 2
	indented := p.next() == '-'
	if indented {
		p.pos++
	}
	marker := p.identifier()
	if p.has("\r") {
		p.pos++
	}
	if marker == "" || p.next() != '\n' {
		p.fail(from, "not <<NAME at the end of the line")
	}
	p.pos++
	var lines []string
	for {
		if p.pos == len(p.data) {
			p.fail(from, "no line ends the text that begins here")
		}
		start, end := p.pos, treeLineEnd(p.data, p.pos)
		if strings.TrimSpace(string(p.data[start:end])) == marker {
			p.pos = start + len(bytes.TrimRight(p.data[start:end], "\r\n"))
			break
		}
		lines = append(lines, p.literal(start, end, false))
		p.pos = end
	}
	if indented {
		hclDedent(lines)
	}
	return strings.Join(lines, "")
}

// hclDedent takes the white space off that all lines begin with which are not blank.
func hclDedent(lines []string) {
	spaces := -1
	blank := func(line string) bool { return strings.TrimSpace(line) == "" }
	for _, line := range lines {
		if n := utf8.RuneCountInString(line) - utf8.RuneCountInString(strings.TrimLeftFunc(line, unicode.IsSpace)); !blank(line) && (spaces < 0 || n < spaces) {
			spaces = n
		}
	}
	for i, line := range lines {
		if !blank(line) {
			lines[i] = string(slices.Delete([]rune(line), 0, spaces))
		}
	}
}
