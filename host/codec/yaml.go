package codec

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	yamlv3 "gopkg.in/yaml.v3"
)

// yamlMaxAliased bounds the nodes that aliases may expand to: a few lines of
// YAML can otherwise stand for billions.
const yamlMaxAliased = 100_000

// yaml is YAML as yaml.v3 reads it: 1.2 with what is left of 1.1 in use. Aliases
// and merge keys are resolved. Timestamps and values with a tag of their own
// are Strings. Of several documents the first is read; edits need a single one.
type yaml struct{}

// Decode reads the first YAML document.
func (yaml) Decode(data []byte) (*Node, error) {
	doc, err := yamlParse(data)
	if err != nil {
		return nil, err
	}
	return doc.tree()
}

// Splice makes edits in a YAML document. One that is JSON stays JSON: programs that
// read nothing else read it too.
func (f yaml) Splice(data []byte, edits []Edit) ([]byte, error) {
	if isJSON(data) {
		out, err := treeSplice(jsonFormat{}, data, edits)
		if err == nil && f.readsAsJSON(out) {
			return out, nil
		}
	}
	return treeSplice(f, data, edits)
}

// isJSON reports whether data is a list or an object in JSON that has something in
// it: {} is as good a beginning of YAML.
func isJSON(data []byte) bool {
	n, err := FromJSON(bytes.TrimPrefix(data, []byte(treeBOM)))
	return err == nil && len(n.Items)+len(n.Pairs) > 0
}

// readsAsJSON reports whether data is the same value in JSON and in YAML.
func (f yaml) readsAsJSON(data []byte) bool {
	a, errA := f.Decode(data)
	b, errB := jsonFormat{}.Decode(data)
	return errA == nil && errB == nil && same(a, b)
}

// yamlDoc is a parsed file.
type yamlDoc struct {
	data    []byte
	root    *yamlv3.Node // nil where there is no value at all
	several bool         // there are more documents
}

// yamlParse parses data. yaml.v3 panics on some input; that is an error here.
func yamlParse(data []byte) (doc *yamlDoc, err error) {
	defer func() {
		if recover() != nil {
			doc, err = nil, &Error{Msg: "not valid YAML"}
		}
	}()
	if err := yamlCharacters(data); err != nil {
		return nil, err
	}
	doc = &yamlDoc{data: data}
	decoder := yamlv3.NewDecoder(bytes.NewReader(yamlVersion(data)))
	var first, second yamlv3.Node
	if err := decoder.Decode(&first); errors.Is(err, io.EOF) {
		return doc, nil
	} else if err != nil {
		return nil, yamlError(data, err)
	}
	// The next document must be read, too: bad indentation can look like the end of a
	// document.
	if err := decoder.Decode(&second); err == nil {
		doc.several = true
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlError(data, err)
	}
	if len(first.Content) == 1 && !yamlEmpty(first.Content[0]) {
		doc.root = first.Content[0]
	}
	return doc, nil
}

// yamlCharacters returns an error for bytes that YAML does not allow. It runs before
// the parser, which would not say where they are, and would read UTF-16.
func yamlCharacters(data []byte) error {
	if err := treeInvalidUTF8(data); err != nil {
		return err
	}
	for i, r := range string(data) {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f || r >= 0x80 && r < 0xa0 && r != 0x85 || r == 0xfffe || r == 0xffff {
			line, column := treeLine(data, i)
			return &Error{line, column, "a control character, which YAML does not allow"}
		}
	}
	return nil
}

// yamlVersion returns data with %YAML 1.2 changed to 1.1, the only version that yaml.v3
// accepts in a directive.
func yamlVersion(data []byte) []byte {
	at := 0
	if bytes.HasPrefix(data, []byte(treeBOM)) {
		at = len(treeBOM)
	}
	for at < len(data) {
		line := data[at:treeLineEnd(data, at)]
		if bytes.HasPrefix(line, []byte("%YAML ")) {
			if dot := bytes.Index(line, []byte("1.2")); dot > 0 {
				return treePut(data, at+dot, at+dot+3, "1.1")
			}
			return data
		}
		if line[0] != '#' && line[0] != '%' && len(bytes.TrimSpace(line)) > 0 {
			return data
		}
		at += len(line)
	}
	return data
}

// yamlError turns an error of yaml.v3, which may quote the file, into an [Error].
func yamlError(data []byte, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	e := &Error{Line: 1, Msg: "not valid YAML"}
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, message, _ := strings.Cut(rest, ": ")
		e.Line, _ = strconv.Atoi(number)
		text = message
		// Errors of the parser, unlike those of the scanner, count from 0.
		switch text {
		case "did not find expected key", "did not find expected '-' indicator", "did not find expected ',' or ']'", "did not find expected ',' or '}'",
			"did not find expected node content", "did not find expected <document start>", "found undefined tag handle":
			e.Line++
		}
		e.Line = min(e.Line, max(1, bytes.Count(data, []byte("\n"))+1))
	}
	if rest, ok := strings.CutPrefix(text, "unknown anchor '"); ok {
		e.Msg = "an alias names an anchor that does not stand before it"
		name, _, _ := strings.Cut(rest, "'")
		if i := bytes.Index(data, []byte("*"+name)); i >= 0 {
			e.Line, _ = treeLine(data, i)
		}
		return e
	}
	for _, known := range []string{"did not find ", "found ", "could not find ", "mapping values ", "block sequence entries ", "block collection ", "exceeded max depth"} {
		if strings.HasPrefix(text, known) {
			e.Msg += ": " + text
			break
		}
	}
	return e
}

// yamlEmpty reports whether n is a value that is not written at all.
func yamlEmpty(n *yamlv3.Node) bool {
	return n.Kind == yamlv3.ScalarNode && n.Style == 0 && n.Value == "" && n.Anchor == ""
}

// tree returns the decoded document.
func (d *yamlDoc) tree() (*Node, error) {
	if d.root == nil {
		return &Node{Kind: Map}, nil
	}
	return (&yamlReader{}).node(d.root, 0)
}

// yamlReader turns nodes of yaml.v3 into [Node]s.
type yamlReader struct {
	aliases int // how many aliases the present node is inside of
	aliased int // nodes read inside aliases
}

var (
	errYAMLDeep  = errors.New("values nest too deeply")
	errYAMLBomb  = errors.New("aliases expand to too many values")
	errYAMLKey   = errors.New("a key that is not a plain text")
	errYAMLTwice = errors.New("a key stands twice in one mapping")
	errYAMLMerge = errors.New("a merge key needs a mapping or a list of mappings")
	errYAMLTag   = errors.New("a value does not fit its tag")
)

func yamlFail(n *yamlv3.Node, err error) error {
	return &Error{Line: n.Line, Msg: err.Error()}
}

func (r *yamlReader) node(n *yamlv3.Node, depth int) (*Node, error) {
	if depth > treeMaxDepth {
		return nil, yamlFail(n, errYAMLDeep)
	}
	if r.aliases > 0 {
		if r.aliased++; r.aliased > yamlMaxAliased {
			return nil, yamlFail(n, errYAMLBomb)
		}
	}
	switch n.Kind {
	case yamlv3.AliasNode:
		r.aliases++
		target, err := r.node(n.Alias, depth+1)
		r.aliases--
		return target, err
	case yamlv3.SequenceNode:
		list := &Node{Kind: List, Line: n.Line}
		for _, c := range n.Content {
			item, err := r.node(c, depth+1)
			if err != nil {
				return nil, err
			}
			list.Items = append(list.Items, item)
		}
		return list, nil
	case yamlv3.MappingNode:
		return r.mapping(n, depth)
	}
	kind, err := yamlKind(n)
	if err != nil {
		return nil, err
	}
	text := n.Value
	switch kind {
	case Null:
		text = ""
	case Bool:
		text = strings.ToLower(text)
	}
	return &Node{Kind: kind, Text: text, Line: n.Line, Disputed: n.Style == 0 && yamlDisputed(kind, text)}, nil
}

// yamlDisputed reports whether readers disagree about the value of a plain scalar:
// `yes` is true for kubectl, 010 is eight or ten.
func yamlDisputed(kind Kind, text string) bool {
	switch kind {
	case String:
		return yamlLooksTyped(text)
	case Number:
		return !yamlCommonNumber(text)
	}
	return false
}

// yamlCommonNumber reports whether all readers take text for the same number, and
// write it in this way.
func yamlCommonNumber(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	whole, fraction, dot := strings.Cut(digits, ".")
	number := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return len(text) <= 15 && number(whole) && (whole == "0" || whole[0] != '0') && digits+text != "0-0" &&
		(!dot || number(fraction) && (!strings.HasSuffix(fraction, "0") || fraction == "0"))
}

func (r *yamlReader) mapping(n *yamlv3.Node, depth int) (*Node, error) {
	m := &Node{Kind: Map, Line: n.Line}
	var merged []Pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if yamlIsMerge(key) {
			more, err := r.merge(value, depth)
			if err != nil {
				return nil, err
			}
			merged = append(merged, more...)
			continue
		}
		text, ok := yamlKey(key)
		if !ok {
			return nil, yamlFail(key, errYAMLKey)
		}
		if m.Get(text) != nil {
			return nil, yamlFail(key, errYAMLTwice)
		}
		v, err := r.node(value, depth+1)
		if err != nil {
			return nil, err
		}
		if yamlEmpty(value) {
			v.Line = key.Line // yaml.v3 says where the next token is
		}
		m.set(text, v)
	}
	for _, p := range merged {
		if m.Get(p.Key) == nil {
			m.set(p.Key, p.Value)
		}
	}
	return m, nil
}

// merge returns the entries that a merge key brings, the ones that count first.
func (r *yamlReader) merge(value *yamlv3.Node, depth int) ([]Pair, error) {
	from, err := r.node(value, depth+1)
	if err != nil {
		return nil, err
	}
	maps := []*Node{from}
	if from.Kind == List {
		maps = from.Items
	}
	var pairs []Pair
	for _, m := range maps {
		if m.Kind != Map {
			return nil, yamlFail(value, errYAMLMerge)
		}
		pairs = append(pairs, m.Pairs...)
	}
	return pairs, nil
}

func yamlIsMerge(key *yamlv3.Node) bool { return key.Kind == yamlv3.ScalarNode && key.Tag == "!!merge" }

// yamlKey returns the text of a key.
func yamlKey(key *yamlv3.Node) (string, bool) {
	if key.Kind == yamlv3.AliasNode {
		key = key.Alias
	}
	return key.Value, key.Kind == yamlv3.ScalarNode
}

// yamlKind returns the kind of a scalar.
func yamlKind(n *yamlv3.Node) (Kind, error) {
	kind := yamlTagKind(n.ShortTag())
	if kind != String && n.Style&yamlv3.TaggedStyle != 0 {
		if plain := yamlPlainKind(n.Value); plain != kind {
			return Null, yamlFail(n, errYAMLTag)
		}
	}
	return kind, nil
}

func yamlTagKind(tag string) Kind {
	switch tag {
	case "!!null":
		return Null
	case "!!bool":
		return Bool
	case "!!int", "!!float":
		return Number
	}
	return String
}

// yamlPlainKind returns the kind that text has as a plain scalar.
func yamlPlainKind(text string) Kind {
	n := yamlv3.Node{Kind: yamlv3.ScalarNode, Value: text}
	return yamlTagKind(n.ShortTag())
}
