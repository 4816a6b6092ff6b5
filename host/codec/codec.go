// Package codec decodes the file formats in which tools keep credentials, and
// edits such files in place.
//
// Every format decodes to one tree of [Node]s. An edit names a place in that
// tree by a [Path] and gives it a new value; the format splices the new text
// into the old bytes, so that comments, order, other sections, line endings, a
// byte order mark, quoting style and a missing last newline survive. [Apply]
// then decodes the result again and compares it with what was asked, so that a
// wrong splice is an error and never reaches a file.
//
// A codec knows no files, no providers and no secrets: bytes in, bytes out.
// Its errors name lines and never quote the file's text.
package codec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is the kind of a [Node].
type Kind uint8

// The kinds of node.
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Map
)

// Node is one value in a decoded file.
type Node struct {
	Kind Kind
	// Text is the decoded text of a String; for Bool "true" or "false"; for
	// Number the digits as they are in the file. Formats without types (ini,
	// netrc, dotenv, text) give every scalar as a String.
	Text string
	// Items are the entries of a List.
	Items []*Node
	// Pairs are the entries of a Map in the file's order; keys are unique.
	Pairs []Pair
	// Line is where the value begins, counted from 1; 0 where there is none.
	Line int
	// Opaque reports that Text is as the file has it and not the value: it names a
	// variable, or has escapes that the format leaves alone.
	Opaque bool
	// Disputed reports that another reader of the file takes this scalar for
	// another value, or does not find it. An edit that sets it to the same text
	// writes it anew, so that all of them agree.
	Disputed bool

	index *index // of a large Map, or nil
}

// Pair is one entry of a Map.
type Pair struct {
	Key   string
	Value *Node
}

// Text returns a String node.
func Text(s string) *Node { return &Node{Kind: String, Text: s} }

// undisputed returns n with nothing in it marked Disputed: a value that is written anew is
// written so that all readers agree.
func (n *Node) undisputed() *Node {
	if !n.AnyDisputed() {
		return n
	}
	c := n.copied()
	c.Disputed = false
	for i := range c.Items {
		c.Items[i] = c.Items[i].undisputed()
	}
	for i := range c.Pairs {
		c.Pairs[i].Value = c.Pairs[i].Value.undisputed()
	}
	return c
}

// Scalar reports whether n is neither a List nor a Map. A nil node is not.
func (n *Node) Scalar() bool { return n != nil && n.Kind != List && n.Kind != Map }

// Get returns the value of key in a Map, or nil.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	if i := n.find(key); i >= 0 {
		return n.Pairs[i].Value
	}
	return nil
}

// Find returns the node at path, or nil.
func (n *Node) Find(path Path) *Node {
	for _, s := range path {
		n = s.in(n)
	}
	return n
}

// Step is one step of a [Path]: into the entry Key of a Map, or, where Field is
// set, into the first entry of a List that is a Map whose entry Field is a
// scalar with the text Equals.
type Step struct {
	Key           string
	Field, Equals string
}

func (s Step) in(n *Node) *Node {
	if s.Field == "" {
		return n.Get(s.Key)
	}
	if n == nil {
		return nil
	}
	for _, item := range n.Items {
		if f := item.Get(s.Field); f.Scalar() && f.Text == s.Equals {
			return item
		}
	}
	return nil
}

// Path names a place in a tree; the empty path is the whole document.
type Path []Step

// Keys returns a path of Map keys.
func Keys(keys ...string) Path {
	p := make(Path, len(keys))
	for i, k := range keys {
		p[i].Key = k
	}
	return p
}

// String returns the path for messages, such as `users[name=dev].user.token`.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		if i > 0 && s.Field == "" {
			b.WriteByte('.')
		}
		switch {
		case s.Field != "":
			fmt.Fprintf(&b, "[%s=%s]", s.Field, s.Equals)
		case strings.ContainsAny(s.Key, ".[]\""):
			fmt.Fprintf(&b, "%q", s.Key)
		default:
			b.WriteString(s.Key)
		}
	}
	return b.String()
}

// Edit gives the place at Path the value Value: it replaces what is there, or
// adds it with every Map or List entry on the way. A nil Value removes the
// place; removing what is not there changes nothing.
type Edit struct {
	Path  Path
	Value *Node
}

// Format is one file format. Its methods may be called from several goroutines.
type Format interface {
	// Decode reads a whole file. Empty data is an empty document: an empty Map,
	// or for text an empty String. A file that does not parse gives an [*Error].
	Decode(data []byte) (*Node, error)
	// Splice returns data with edits made in order, changing only the lines of
	// the places they name. data is not written to; no edits return it as it is.
	// Callers use [Apply], which checks the result.
	Splice(data []byte, edits []Edit) ([]byte, error)
}

// Error is a file that does not parse, or that an edit cannot be made in.
type Error struct {
	// Line and Column count from 1; 0 where not known. Columns are in bytes.
	Line, Column int
	// Msg says what is wrong without quoting the file.
	Msg string
}

func (e *Error) Error() string {
	switch {
	case e.Line > 0 && e.Column > 0:
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
	case e.Line > 0:
		return fmt.Sprintf("line %d: %s", e.Line, e.Msg)
	}
	return e.Msg
}

// Names returns the names of the formats, in alphabetical order.
func Names() []string {
	return []string{"dotenv", "hcl", "ini", "json", "keypair", "netrc", "properties", "text", "toml", "xml", "yaml"}
}

// New returns the format called name, or an error that lists the known ones.
func New(name string, opts Options) (Format, error) {
	switch name {
	case "dotenv":
		return dotenv{}, nil
	case "hcl":
		return hcl{strings.Fields(opts.Blocks)}, nil
	case "ini":
		return ini{opts.withDefaults()}, nil
	case "json":
		return jsonFormat{}, nil
	case "keypair":
		return keypair{}, nil
	case "netrc":
		return netrc{opts.Clients}, nil
	case "properties":
		return properties{}, nil
	case "text":
		return text{}, nil
	case "toml":
		return toml{}, nil
	case "xml":
		return xmlFormat{strings.Fields(opts.Lists)}, nil
	case "yaml":
		return yaml{}, nil
	}
	return nil, fmt.Errorf("unknown format %q; known: %s", name, strings.Join(Names(), ", "))
}

// normalizer is a Format in which an edit can ask for a tree that Decode never returns,
// such as one with an ini option in upper case. normal returns an edit of the same
// meaning whose result Decode can return; doc is the tree before the edit.
type normalizer interface {
	normal(doc *Node, e Edit) Edit
}

// ErrVerify is what [Apply] wraps when the edited bytes do not decode to what
// was asked: a defect of the format's Splice that was caught in time.
var ErrVerify = errors.New("the edited file would not read back as intended; nothing was changed")

// Apply returns data with edits made in place, after checking that the result
// decodes to exactly the old document with these edits. Without an edit that
// changes anything it returns data itself.
func Apply(f Format, data []byte, edits []Edit) ([]byte, error) {
	if len(edits) == 0 {
		return data, nil
	}
	d, err := Open(f, data)
	if err != nil {
		return nil, err
	}
	if d, _, err = d.Edit(edits); err != nil {
		return nil, err
	}
	if d, err = d.Settle(); err != nil {
		return nil, err
	}
	return d.Data(), nil
}

func (n *Node) clone() *Node {
	if n == nil {
		return nil
	}
	c := n.copied()
	for i := range c.Items {
		c.Items[i] = c.Items[i].clone()
	}
	for i := range c.Pairs {
		c.Pairs[i].Value = c.Pairs[i].Value.clone()
	}
	return c
}

// with returns n after one edit. n is not changed; the result shares with it what is
// not on the path.
func (n *Node) with(path Path, value *Node) (*Node, error) { return n.edited(path, value, owner{}) }

// copied returns a copy of n whose entries can be changed.
func (n *Node) copied() *Node {
	c := *n
	c.Items, c.Pairs = slices.Clone(n.Items), slices.Clone(n.Pairs)
	return &c
}

// owner is the set of nodes that a series of edits has created. Nobody else refers to
// them, so they are changed in place.
type owner map[*Node]bool

// of returns n if it is in the set, else a copy of it that is: a node that may be
// changed.
func (o owner) of(n *Node) *Node {
	if !o[n] {
		n = n.copied()
		o[n] = true
	}
	return n
}

// edited is with, as one of a series of edits that share own.
func (n *Node) edited(path Path, value *Node, own owner) (*Node, error) {
	if len(path) == 0 {
		if value == nil {
			return &Node{Kind: Map}, nil
		}
		return value.clone(), nil
	}
	step := path[0]
	if n == nil || n.Kind == Null {
		if value == nil {
			return n, nil
		}
		n = &Node{Kind: Map}
		if step.Field != "" {
			n.Kind = List
		}
		own[n] = true
	}
	if (step.Field != "") != (n.Kind == List) || n.Scalar() {
		return nil, &Error{Line: n.Line, Msg: fmt.Sprintf("cannot put %s here: the place holds another kind of value", path)}
	}
	child := step.in(n)
	if child == nil && value == nil {
		return n, nil
	}
	if len(path) == 1 && value == nil {
		n = own.of(n)
		if step.Field != "" {
			n.Items = slices.DeleteFunc(n.Items, func(i *Node) bool { return i == child })
		} else {
			n.Pairs = slices.DeleteFunc(n.Pairs, func(p Pair) bool { return p.Value == child })
			n.reindex()
		}
		return n, nil
	}
	if child == nil && step.Field != "" {
		child = &Node{Kind: Map, Pairs: []Pair{{step.Field, Text(step.Equals)}}}
		n = own.of(n)
		n.Items = append(n.Items, child)
	}
	changed, err := child.edited(path[1:], value, own)
	switch {
	case err != nil:
		return nil, err
	case changed == child:
		return n, nil
	case step.Field != "":
		n = own.of(n)
		n.Items[slices.Index(n.Items, child)] = changed
	case child == nil && !own[n]:
		n = n.plus(step.Key, changed)
	default:
		n = own.of(n)
		n.set(step.Key, changed)
	}
	return n, nil
}

// same reports whether a and b hold the same values, for all readers. The order of
// Map entries and line numbers do not count.
func same(a, b *Node) bool { return alike(a, b, true) }

// Equal reports whether a and b hold the same values as the format reads them;
// the order of Map entries and lines do not count.
func Equal(a, b *Node) bool { return alike(a, b, false) }

func alike(a, b *Node, forAll bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.Text != b.Text || a.Opaque != b.Opaque || forAll && a.Disputed != b.Disputed ||
		len(a.Items) != len(b.Items) || len(a.Pairs) != len(b.Pairs) {
		return false
	}
	for i := range a.Items {
		if !alike(a.Items[i], b.Items[i], forAll) {
			return false
		}
	}
	for i, p := range a.Pairs {
		q := b.Pairs[i] // most often the order is the same
		if q.Key != p.Key {
			q.Value = b.Get(p.Key)
		}
		if !alike(p.Value, q.Value, forAll) {
			return false
		}
	}
	return true
}

// AnyDisputed reports whether n or something in it is Disputed.
func (n *Node) AnyDisputed() bool {
	if n == nil {
		return false
	}
	return n.Disputed || slices.ContainsFunc(n.Items, (*Node).AnyDisputed) ||
		slices.ContainsFunc(n.Pairs, func(p Pair) bool { return p.Value.AnyDisputed() })
}

// EditTree returns root with edits made to it, as [Apply] expects a file to read
// after them. root stays as it is; the result shares with it what no edit names.
func EditTree(root *Node, edits []Edit) (*Node, error) {
	out, err := root, error(nil)
	own := owner{}
	for _, e := range edits {
		if out, err = out.edited(e.Path, e.Value, own); err != nil {
			return nil, err
		}
	}
	return out, nil
}
