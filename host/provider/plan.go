package provider

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Action is what was done, or would be, to one place of a secret.
type Action string

// The actions.
const (
	Created   Action = "created"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
	Removed   Action = "removed"
	Conflict  Action = "conflict"
	Failed    Action = "failed"
)

// Placement is the outcome for one place of a secret.
type Placement struct {
	Source secret.Source
	Action Action
	// Keys are the keys that are added or differ.
	Keys []string
	// Err says why Action is Conflict or Failed.
	Err error
	// ModeAlone says of an Updated one that the values were there: others could read the
	// file, and cannot any more.
	ModeAlone bool
}

// ConflictError is a place that holds other values than the secret's.
type ConflictError struct {
	Path string
	Keys []string
	// Have are the values there, of the keys that have one.
	Have secret.Values
	// Others are the names of secrets that use the same entries of the file, whose
	// values would change with them.
	Others []string
}

func (e *ConflictError) Error() string {
	text := fmt.Sprintf("%s has other values for %s", e.Path, strings.Join(e.Keys, ", "))
	if len(e.Others) > 0 {
		text += ", which " + strings.Join(e.Others, ", ") + " would get, too"
	}
	return text
}

// conflict is the error for keys of which a place has other texts.
func conflict(path string, keys []string, have map[string]string) *ConflictError {
	e := &ConflictError{Path: path, Keys: keys, Have: secret.Values{}}
	for _, k := range keys {
		if text := have[k]; text != "" {
			e.Have[k] = secret.NewValue(text)
		}
	}
	return e
}

// Options of putting a secret.
type Options struct {
	// Resolve is asked where a place holds other values, and reports whether they
	// are to be replaced; nil leaves them.
	Resolve func(*ConflictError) bool
	// To is another file to write, absolute; "" for the provider's own.
	To string
	// Unsafe lets values be written that make a tool run a program or read another
	// file: see [ErrUnsafe].
	Unsafe bool
}

// replaces reports whether the values of a conflict are to be replaced.
func (o Options) replaces(c *ConflictError) bool { return o.Resolve != nil && o.Resolve(c) }

// ReplaceAll is the Resolve that replaces whatever is there.
func ReplaceAll(*ConflictError) bool { return true }

// Plan collects what is to change on the machine of a snapshot. Secrets that
// share a file build on one another, and the file is written once.
type Plan struct {
	snap  *Snapshot
	files map[string]*planned
	docs  map[string]document
	// shared says for which secret the plan has written an entry that others may use.
	shared map[sharedPlace]*secret.Secret
	// With batch, edits stay pending in docs until Settle. pending has these edits by
	// path, in order; failed has the errors of secrets whose edits could not be made.
	batch   bool
	putting *secret.Secret
	pending map[string][]pendingEdits
	failed  map[*secret.Secret]error
}

// pendingEdits are the edits of one secret in one file.
type pendingEdits struct {
	sec   *secret.Secret
	edits []codec.Edit
}

// planned is one file's content as it will be.
type planned struct {
	old    []byte // nil: there is no file
	data   []byte
	mode   fs.FileMode
	remove bool
	// mend reports that the mode of the file is to be corrected, even if its bytes
	// stay.
	mend bool
}

// document is a file as a codec reads it, and what the file's bytes were then.
type document struct {
	codec.Document
	format string
	opts   codec.Options
	of     []byte
}

// NewPlan returns an empty plan.
func NewPlan(snap *Snapshot) *Plan {
	return &Plan{snap: snap, files: map[string]*planned{}, docs: map[string]document{}, shared: map[sharedPlace]*secret.Secret{}}
}

// NewBatch returns an empty plan for many secrets: what they change in one file
// is checked once for all of them, in Settle, which must be called before
// Changes.
func NewBatch(snap *Snapshot) *Plan {
	p := NewPlan(snap)
	p.batch = true
	p.pending, p.failed = map[string][]pendingEdits{}, map[*secret.Secret]error{}
	return p
}

// Settle makes the changes that are pending in the files' bytes, and checks that
// these read back as intended. It returns the errors of the secrets, as they were
// given to Put, whose changes do not hold; the others' are made.
func (p *Plan) Settle() map[*secret.Secret]error {
	for path := range p.docs {
		p.settle(path)
	}
	return p.failed
}

func (p *Plan) settle(path string) {
	d, ok := p.docs[path]
	if !ok || !d.Pending() {
		return
	}
	done, err := d.Settle()
	if err != nil {
		if done, err = p.settleEach(path, d); err != nil {
			delete(p.docs, path)
			return
		}
	}
	delete(p.pending, path)
	p.files[path].data = done.Data()
	d.Document, d.of = done, done.Data()
	p.docs[path] = d
}

// settleEach makes the pending changes of a file one secret at a time, and leaves
// out those that do not hold.
func (p *Plan) settleEach(path string, d document) (codec.Document, error) {
	fail := func(sec *secret.Secret, err error) {
		p.failed[sec] = fmt.Errorf("write %s: %w", p.snap.fileSource(path).Path, err)
	}
	format, err := codec.New(d.format, d.opts)
	var doc codec.Document
	if err == nil {
		doc, err = codec.Open(format, p.files[path].data)
	}
	if err != nil {
		for _, e := range p.pending[path] {
			fail(e.sec, err)
		}
		return doc, err
	}
	for _, e := range p.pending[path] {
		next, _, err := doc.Edit(e.edits)
		if err == nil {
			next, err = next.Settle()
		}
		if err != nil {
			fail(e.sec, err)
			continue
		}
		doc = next
	}
	return doc, nil
}

// Changes returns what to write, by path. Files whose bytes stay are left out.
func (p *Plan) Changes() []machine.Change {
	var out []machine.Change
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		f := p.files[path]
		switch {
		case f.remove && f.old != nil:
			out = append(out, machine.Change{Path: path, Remove: true, Old: f.old})
		case f.mend || !bytes.Equal(f.old, f.data):
			out = append(out, machine.Change{Path: path, Data: f.data, Old: f.old, Mode: f.mode})
		}
	}
	return out
}

// open returns the file at an absolute path as planned so far.
func (p *Plan) open(path string, mode fs.FileMode) (*planned, error) {
	p.settle(path)
	return p.file(path, mode)
}

// file is like open, but leaves the edits of its document pending: for callers that
// go on editing that, and do not look at the bytes.
func (p *Plan) file(path string, mode fs.FileMode) (*planned, error) {
	if f := p.files[path]; f != nil {
		return f, nil
	}
	if err := p.snap.notOurs(path); err != nil {
		return nil, p.snap.readError(path, err)
	}
	read := p.snap.files[path]
	if read.Err != nil && !missing(read) {
		return nil, p.snap.readError(path, read.Err)
	}
	f := &planned{mode: mode}
	if !missing(read) {
		f.old = read.Data
		if f.old == nil {
			f.old = []byte{}
		}
		f.data = f.old
	}
	return f, nil
}

// Put plans to bring a secret to the machine, merged into what is there.
func (p *Plan) Put(ctx context.Context, sp *spec.Spec, sec *secret.Secret, opts Options) []Placement {
	p.putting = sec
	f, path, err := p.target(sp, sec, opts)
	if err == nil {
		err = complete(sp, f, sec)
	}
	if err != nil {
		return []Placement{failed(secret.Source{}, err)}
	}
	var out []Placement
	switch {
	case f.Wasm != "":
		out = p.putWasm(ctx, sp, f, path, sec, opts)
	case f.Format == "keypair":
		out = p.putKeyPair(path, sec, opts)
	default:
		out = []Placement{p.putKeys(sp, f, path, sec, opts)}
	}
	p.mend(&out[0], sp, sec, f, path)
	// Files that repeat this one's values follow it, where they exist.
	if opts.To == "" && out[0].Action != Conflict && out[0].Action != Failed {
		for i := range sp.Files {
			if m := &sp.Files[i]; m.Mirror && p.holdsProfile(m, sec.Profile) {
				paths, _ := p.snap.locate(sp, m) // a copy that nothing names is not kept up
				for _, mp := range paths {
					if !missing(p.snap.files[mp]) {
						pl := p.putKeys(sp, m, mp, sec, Options{Resolve: ReplaceAll, Unsafe: opts.Unsafe})
						p.mend(&pl, sp, sec, m, mp)
						out = append(out, pl)
					}
				}
			}
		}
	}
	return out
}

// mend plans to correct the mode of a file that has the values already, but that others
// can read.
func (p *Plan) mend(pl *Placement, sp *spec.Spec, sec *secret.Secret, f *spec.File, path string) {
	if pl.Action != Unchanged || !p.snap.exposed(p.snap.files[path], f.Mode) || !private(sp, revealed(sec.Values)) {
		return
	}
	if file, err := p.file(path, f.Mode); err == nil && !file.mend {
		file.mend = true
		pl.Action, pl.ModeAlone, p.files[path] = Updated, true, file
	}
}

// revealed returns the texts of values that are not empty.
func revealed(values secret.Values) map[string]string {
	texts := map[string]string{}
	for k, v := range values {
		if !v.Empty() {
			texts[k] = v.Reveal()
		}
	}
	return texts
}

func failed(src secret.Source, err error) Placement {
	return Placement{Source: src, Action: Failed, Err: err}
}

// document returns a file as planned so far, as its codec reads it.
func (p *Plan) document(f *spec.File, path string) (codec.Document, error) {
	if d, ok := p.docs[path]; ok && (d.format != f.Format || d.opts != f.Options) {
		p.settle(path)
	}
	file, err := p.file(path, f.Mode)
	if err != nil {
		return codec.Document{}, err
	}
	if d, ok := p.docs[path]; ok && d.format == f.Format && d.opts == f.Options && identical(d.of, file.data) {
		return d.Document, nil
	}
	format, err := codec.New(f.Format, f.Options)
	if err != nil {
		return codec.Document{}, err
	}
	d, err := codec.Open(format, file.data)
	if err == nil {
		err = shape(f, d.Root())
	}
	if err != nil {
		return codec.Document{}, p.snap.readError(path, err)
	}
	p.docs[path] = document{d, f.Format, f.Options, file.data}
	return d, nil
}

// identical reports whether two slices are the same bytes in memory.
func identical(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// edit plans edits of a file's document; readsBack checks the document after them.
func (p *Plan) edit(src secret.Source, f *spec.File, path string, doc codec.Document, edits []codec.Edit, keys []string, readsBack func(*codec.Node) error) (Placement, error) {
	file, err := p.file(path, f.Mode)
	if err != nil {
		return Placement{}, err
	}
	next, changes, err := doc.Edit(edits)
	if err == nil && !p.batch {
		next, err = next.Settle()
	}
	if err == nil {
		err = readsBack(next.Root())
	}
	if err != nil {
		return Placement{}, err
	}
	if !p.batch || !changes {
		pl := p.set(src, path, file, next.Data(), keys)
		p.docs[path] = document{next, f.Format, f.Options, file.data}
		return pl, nil
	}
	p.docs[path] = document{next, f.Format, f.Options, file.data}
	p.pending[path] = append(p.pending[path], pendingEdits{p.putting, edits})
	return p.change(src, path, file, keys), nil
}

// set plans a file's new content.
func (p *Plan) set(src secret.Source, path string, file *planned, data []byte, keys []string) Placement {
	if file.old != nil && bytes.Equal(file.data, data) {
		return Placement{Source: src, Action: Unchanged}
	}
	file.data = data
	return p.change(src, path, file, keys)
}

// change notes that a file changes.
func (p *Plan) change(src secret.Source, path string, file *planned, keys []string) Placement {
	action := Updated
	if file.old == nil {
		action = Created
	}
	file.remove = false
	p.files[path] = file
	slices.Sort(keys)
	return Placement{Source: src, Action: action, Keys: slices.Compact(keys)}
}

func (p *Plan) removeFile(path string) Placement {
	src := p.snap.fileSource(path)
	file, err := p.open(path, 0o600)
	if err != nil {
		return failed(src, err)
	}
	file.remove, file.data = true, nil
	p.files[path] = file
	return Placement{Source: src, Action: Removed}
}
