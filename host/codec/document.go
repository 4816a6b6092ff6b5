package codec

import "slices"

// Document is a decoded file that is edited in steps and spliced once, which for many
// edits of a long file is much less work than an [Apply] for each. It is immutable:
// Edit and Settle return another one.
type Document struct {
	format   Format
	data     []byte
	root     *Node
	edits    *pending // in root, and not in data yet
	readings readings // of data, by its clients
}

// pending is a linked list of edits, last first. Documents that come from one another
// share its older part.
type pending struct {
	before *pending
	edits  []Edit
}

// all returns the edits in their order.
func (p *pending) all() []Edit {
	var parts [][]Edit
	for ; p != nil; p = p.before {
		parts = append(parts, p.edits)
	}
	slices.Reverse(parts)
	return slices.Concat(parts...)
}

// Open decodes a file.
func Open(f Format, data []byte) (Document, error) {
	d := Document{format: f, data: data}
	var err error
	if c, ok := f.(clientele); ok {
		d.root, d.readings, err = decodeFor(c, data)
	} else {
		d.root, err = f.Decode(data)
	}
	if err != nil {
		return Document{}, err
	}
	return d, nil
}

// Unreadable is as [Unreadable] for Data.
func (d Document) Unreadable() error { return d.readings.unreadable() }

// Root is the document with all edits made. It must not be changed.
func (d Document) Root() *Node { return d.root }

// Data is the file as it was opened or last settled.
func (d Document) Data() []byte { return d.data }

// Pending reports whether there are edits that Data does not have yet.
func (d Document) Pending() bool { return d.edits != nil }

// Edit returns the document with edits made in memory, and whether they change
// anything. It does not write: whether the format can hold the new values is an error of
// Settle.
func (d Document) Edit(edits []Edit) (Document, bool, error) {
	todo := make([]Edit, 0, len(edits))
	norm, _ := d.format.(normalizer)
	own := owner{}
	for _, e := range edits {
		if norm != nil {
			e = norm.normal(d.root, e)
		}
		if same(d.root.Find(e.Path), e.Value) {
			continue
		}
		e.Value = e.Value.undisputed()
		var err error
		if d.root, err = d.root.edited(e.Path, e.Value, own); err != nil {
			return Document{}, false, err
		}
		todo = append(todo, e)
	}
	if len(todo) > 0 {
		d.edits = &pending{d.edits, todo}
	}
	return d, len(todo) > 0, nil
}

// errDisputed is an edit that not all readers of the file would see alike.
var errDisputed = &Error{Msg: "not all programs that read this file would find the new value; nothing was changed"}

// Settle returns the document with all edits made in its bytes, after checking
// that they decode to what Root is, and that the clients of the file agree.
func (d Document) Settle() (Document, error) {
	if !d.Pending() {
		return d, nil
	}
	edits := d.edits.all()
	out, err := d.format.Splice(d.data, edits)
	if err != nil {
		return Document{}, err
	}
	after, _ := Open(d.format, out) // what does not parse has no root
	if !Equal(after.root, d.root) {
		return Document{}, ErrVerify
	}
	if err := d.readings.agree(after.readings, edits); err != nil {
		return Document{}, err
	}
	if !same(after.root, d.root) {
		return Document{}, errDisputed
	}
	return after, nil
}
