package helper

import (
	"bytes"

	"github.com/rhx-dev/rhx/host/codec"
)

// treeConfig is a configuration in one of the formats of package codec.
type treeConfig struct {
	format  string
	options codec.Options
	// put are the edits that put rhx in.
	put func(root *codec.Node, e *entry) ([]codec.Edit, error)
	// rhx are the places at which rhx is: what is there is taken out, or, of a list, the
	// item at the path's end.
	rhx func(root *codec.Node) []codec.Edit
	// other are the other helpers.
	other func(root *codec.Node) []string
}

func (c treeConfig) open(data []byte) (codec.Format, *codec.Node, error) {
	format, err := codec.New(c.format, c.options)
	if err != nil {
		return nil, nil, err
	}
	root, err := format.Decode(data)
	return format, root, err
}

func (c treeConfig) add(data []byte, e *entry) ([]byte, error) {
	format, root, err := c.open(data)
	if err != nil {
		return nil, err
	}
	edits, err := c.put(root, e)
	if err != nil {
		return nil, err
	}
	return codec.Apply(format, data, edits)
}

func (c treeConfig) take(data []byte) ([]byte, bool, error) {
	format, root, err := c.open(data)
	if err != nil {
		return nil, false, err
	}
	edits := c.rhx(root)
	if len(edits) == 0 {
		return data, false, nil
	}
	for n := range edits {
		if edits[n].Value == nil {
			edits[n].Path = emptied(root, edits[n].Path)
		}
	}
	out, err := codec.Apply(format, data, edits)
	// The empty line that a new section at the end was set apart by.
	for _, eol := range []string{"\n", "\r\n"} {
		if blank := []byte(eol + eol); bytes.HasSuffix(out, blank) && !bytes.HasSuffix(data, blank) {
			out = out[:len(out)-len(eol)]
		}
	}
	return out, true, err
}

func (c treeConfig) others(data []byte) ([]string, error) {
	_, root, err := c.open(data)
	if err != nil || c.other == nil {
		return nil, err
	}
	return c.other(root), nil
}

// emptied is the place of the outermost map that has nothing else than what is at a path.
func emptied(root *codec.Node, p codec.Path) codec.Path {
	for len(p) > 1 {
		above := root.Find(p[:len(p)-1])
		if above == nil || above.Kind != codec.Map || len(above.Pairs) != 1 {
			break
		}
		p = p[:len(p)-1]
	}
	return p
}

// set is an edit that gives a place a text.
func set(text string, keys ...string) codec.Edit {
	return codec.Edit{Path: codec.Keys(keys...), Value: codec.Text(text)}
}

// unset is one that removes it.
func unset(keys ...string) codec.Edit { return codec.Edit{Path: codec.Keys(keys...)} }

// textAt is the scalar at a place; "" for none.
func textAt(root *codec.Node, keys ...string) string {
	if n := root.Find(codec.Keys(keys...)); n.Scalar() && n.Kind != codec.Null {
		return n.Text
	}
	return ""
}

// texts are the texts of a list.
func texts(n *codec.Node) []string {
	var out []string
	if n != nil {
		for _, item := range n.Items {
			out = append(out, item.Text)
		}
	}
	return out
}

// list is a node with texts.
func list(items ...string) *codec.Node {
	n := &codec.Node{Kind: codec.List}
	for _, item := range items {
		n.Items = append(n.Items, codec.Text(item))
	}
	return n
}

// free is an error where a place holds another text than the one that is to go there.
func free(root *codec.Node, e *entry, want string, keys ...string) error {
	if have := textAt(root, keys...); have != "" && have != want && !e.replace && !isCommand(have) {
		return &OthersError{[]string{have}}
	}
	return nil
}

// wholeFile is a file that is rhx's own.
type wholeFile struct {
	mark string
	text string
}

func (w wholeFile) add(data []byte, _ *entry) ([]byte, error) {
	if len(data) > 0 && !w.is(data) {
		return nil, &OthersError{[]string{"a file of somebody else"}}
	}
	return []byte(w.mark + w.text), nil
}

func (w wholeFile) take(data []byte) ([]byte, bool, error) {
	if !w.is(data) {
		return data, false, nil
	}
	return []byte{}, true, nil
}

func (wholeFile) others([]byte) ([]string, error) { return nil, nil }

func (w wholeFile) is(data []byte) bool {
	return len(data) >= len(w.mark) && string(data[:len(w.mark)]) == w.mark
}
