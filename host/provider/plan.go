package provider

import (
	"bytes"
	"context"
	"errors"
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
}

// ConflictError is a place that holds other values than the secret's.
type ConflictError struct {
	Path string
	Keys []string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s has other values for %s", e.Path, strings.Join(e.Keys, ", "))
}

// Options of putting a secret.
type Options struct {
	// Overwrite replaces values that differ.
	Overwrite bool
	// To is another file to write, absolute; "" for the provider's own.
	To string
}

// Plan collects what is to change on the machine of a snapshot. Secrets that
// share a file build on one another, and the file is written once.
type Plan struct {
	snap  *Snapshot
	files map[string]*planned
}

// planned is one file's content as it will be.
type planned struct {
	old    []byte // nil: there is no file
	data   []byte
	mode   fs.FileMode
	remove bool
}

// NewPlan returns an empty plan.
func NewPlan(snap *Snapshot) *Plan {
	return &Plan{snap: snap, files: map[string]*planned{}}
}

// Changes returns what to write, by path. Files whose bytes stay are left out.
func (p *Plan) Changes() []machine.Change {
	var out []machine.Change
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		f := p.files[path]
		switch {
		case f.remove && f.old != nil:
			out = append(out, machine.Change{Path: path, Remove: true, Old: f.old})
		case !f.remove && (f.old == nil && f.data != nil || !bytes.Equal(f.old, f.data)):
			out = append(out, machine.Change{Path: path, Data: f.data, Old: f.old, Mode: f.mode})
		}
	}
	return out
}

// open returns the file at an absolute path as planned so far.
func (p *Plan) open(path string, mode fs.FileMode) (*planned, error) {
	if f := p.files[path]; f != nil {
		return f, nil
	}
	read := p.snap.files[path]
	if read.Err != nil && !missing(read) {
		return nil, fmt.Errorf("read %s: %w", p.snap.Short(path), read.Err)
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
	f, path, err := p.target(sp, sec, opts)
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
	// Files that repeat this one's values follow it, where they exist.
	if opts.To == "" && out[0].Action != Conflict && out[0].Action != Failed {
		for i := range sp.Files {
			if m := &sp.Files[i]; m.Mirror && m != f && holdsProfile(m, sec.Profile) {
				for _, mp := range p.snap.locate(m) {
					if !missing(p.snap.files[mp]) {
						out = append(out, p.putKeys(sp, m, mp, sec, Options{Overwrite: true}))
					}
				}
			}
		}
	}
	return out
}

func failed(src secret.Source, err error) Placement {
	return Placement{Source: src, Action: Failed, Err: err}
}

// target chooses the file that a secret goes to: the one that has its profile
// already, else the first of those that can hold all of its values with the
// fewest places left empty.
func (p *Plan) target(sp *spec.Spec, sec *secret.Secret, opts Options) (*spec.File, string, error) {
	var best *spec.File
	bestPath, bestEmpty := "", 0
	for i := range sp.Files {
		f := &sp.Files[i]
		if f.ReadOnly || f.Mirror || !holdsProfile(f, sec.Profile) {
			continue
		}
		paths := p.snap.locate(f)
		if opts.To != "" {
			paths = []string{opts.To}
		} else if f.PerFile() {
			for i := range paths {
				paths[i] = strings.Replace(paths[i], "{profile}", sec.Profile, 1)
			}
		}
		if len(paths) == 0 {
			continue
		}
		empty, whole := fit(f, sec)
		for _, path := range paths {
			if p.has(f, path, p.profileName(f, sec)) && whole {
				return f, path, nil
			}
		}
		if !whole {
			empty += 1000
		}
		if best == nil || empty < bestEmpty {
			best, bestPath, bestEmpty = f, paths[0], empty
		}
	}
	switch {
	case best != nil:
		return best, bestPath, nil
	case len(sp.Files) == 0:
		return nil, "", fmt.Errorf("%s has variables only, no file", sp.Name)
	case sec.Profile == "":
		return nil, "", fmt.Errorf("%s has no default profile, so a secret needs one: name it %s/PROFILE", sp.Name, sp.Name)
	}
	return nil, "", fmt.Errorf("%s has no file that can hold the profile %q", sp.Name, sec.Profile)
}

// holdsProfile reports whether a file can hold a profile ("" for the default).
func holdsProfile(f *spec.File, profile string) bool {
	switch {
	case profile == "":
		return !f.PerFile() && (f.Profiles == nil || f.Profiles.Default != "")
	case f.PerFile():
		return !strings.ContainsAny(profile, "/\x00") && profile != "." && profile != ".." && !f.Excluded(profile)
	}
	return f.Profiles != nil
}

// fit counts the places of a file that a secret would leave empty; whole
// reports that every value of the secret has a place.
func fit(f *spec.File, sec *secret.Secret) (empty int, whole bool) {
	if f.Wasm != "" || f.Format == "keypair" {
		return 0, true
	}
	placed := 0
	for _, k := range f.Keys {
		if k.Value == "*" {
			return 0, true
		}
		if _, ok := sec.Values[k.Value]; ok {
			placed++
		} else {
			empty++
		}
	}
	// A value that no file of the spec has a place for counts against none.
	return empty, placed == len(sec.Values)
}

// profileName is the secret's profile as the file spells it. A value that is
// the profile's own name decides for the default profile.
func (p *Plan) profileName(f *spec.File, sec *secret.Secret) string {
	if f.PerFile() || f.Profiles == nil {
		return ""
	}
	if sec.Profile != "" {
		return sec.Profile
	}
	for _, k := range f.Keys {
		if v, ok := sec.Values[k.Value]; k.Profile && ok && !v.Empty() {
			return v.Reveal()
		}
	}
	return f.Profiles.Default
}

// has reports whether a file holds a profile already.
func (p *Plan) has(f *spec.File, path, name string) bool {
	if f.Profiles == nil || f.Wasm != "" {
		return !missing(p.snap.files[path])
	}
	root, _, err := p.decode(f, path)
	return err == nil && slices.ContainsFunc(entries(f, root), func(e entry) bool { return e.name == name })
}

func (p *Plan) decode(f *spec.File, path string) (*codec.Node, codec.Format, error) {
	file, err := p.open(path, f.Mode)
	if err != nil {
		return nil, nil, err
	}
	format, err := codec.New(f.Format, f.Options)
	if err != nil {
		return nil, nil, err
	}
	root, err := format.Decode(file.data)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", p.snap.Short(path), err)
	}
	return root, format, nil
}

// putKeys merges a secret into a file that a codec edits.
func (p *Plan) putKeys(sp *spec.Spec, f *spec.File, path string, sec *secret.Secret, opts Options) Placement {
	src := p.snap.fileSource(path)
	root, format, err := p.decode(f, path)
	if err != nil {
		return failed(src, err)
	}
	root = p.snap.inlined(f, path, root)
	w := writer{sp: sp, f: f, root: root, e: place(f, root, p.profileName(f, sec)), texts: map[string]string{}}
	for k, v := range sec.Values {
		w.texts[k] = v.Reveal()
	}
	if err := w.keys(); err != nil {
		return failed(src, fmt.Errorf("write %s: %w", src.Path, err))
	}
	if len(w.differ) > 0 && !opts.Overwrite {
		return Placement{src, Conflict, w.differ, &ConflictError{src.Path, w.differ}}
	}
	if len(w.edits) == 0 {
		return Placement{src, Unchanged, nil, nil}
	}
	w.fixed()
	file, err := p.open(path, f.Mode)
	if err != nil {
		return failed(src, err)
	}
	data, err := codec.Apply(format, file.data, w.edits)
	if err != nil {
		return failed(src, fmt.Errorf("write %s: %w", src.Path, err))
	}
	return p.set(src, path, file, data, append(w.differ, w.added...))
}

// set plans a file's new content.
func (p *Plan) set(src secret.Source, path string, file *planned, data []byte, keys []string) Placement {
	action := Updated
	if file.old == nil {
		action = Created
	}
	if file.old != nil && bytes.Equal(file.data, data) {
		return Placement{src, Unchanged, nil, nil}
	}
	file.data, file.remove = data, false
	p.files[path] = file
	slices.Sort(keys)
	return Placement{src, action, slices.Compact(keys), nil}
}

// writer works out the edits that bring a secret into one profile of a file.
type writer struct {
	sp            *spec.Spec
	f             *spec.File
	root          *codec.Node
	e             entry
	texts         map[string]string
	edits         []codec.Edit
	added, differ []string
	// pending holds texts that several keys build up together, by place.
	pending map[string]string
}

func (w *writer) holes() func(string) (string, bool) { return holes(w.e.name, w.texts) }

func (w *writer) keys() error {
	w.pending = map[string]string{}
	for _, k := range w.f.Keys {
		if k.Value == "*" {
			w.any(k)
			continue
		}
		if k.Profile {
			continue
		}
		at, node := findKey(w.f, w.root, w.e, k, w.texts)
		text, has := w.texts[k.Value]
		switch {
		case at == nil && has && text != "":
			return fmt.Errorf("there is no place for %s", k.Value)
		case at == nil:
		case !has || text == "":
			// A secret value that the stored secret does not have, such as an old
			// session token, would spoil the new ones.
			if v, _ := w.sp.Value(k.Value); node != nil && !v.Public && w.root.Find(at) != nil && k.As == "" {
				w.differ = append(w.differ, k.Value)
				w.edits = append(w.edits, codec.Edit{Path: at})
			}
		default:
			if err := w.value(k, at, node, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// value plans one value at its place and at those that repeat it.
func (w *writer) value(k spec.Key, at codec.Path, node *codec.Node, text string) error {
	if err := w.one(k, at, node, text); err != nil {
		return err
	}
	for _, m := range k.Mirror {
		mat, ok := resolve(w.f, w.root, w.e, m, k.Root, w.holes())
		if !ok || len(mat) == 0 || w.root.Find(mat[:len(mat)-1]) == nil {
			continue
		}
		if err := w.one(k, mat, w.root.Find(mat), text); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) one(k spec.Key, at codec.Path, node *codec.Node, text string) error {
	if k.Tree {
		tree, err := codec.FromJSON([]byte(text))
		if err != nil {
			return fmt.Errorf("the value %s is not JSON", k.Value)
		}
		w.tree(k.Value, at, node, tree)
		return nil
	}
	old, place := "", at.String()
	if node.Scalar() {
		old = node.Text
	}
	if p, ok := w.pending[place]; ok {
		old = p
	}
	had, err := "", error(nil)
	if node.Scalar() && node.Text != "" {
		if had, err = decodeAs(k.As, node.Text); err != nil && k.As != "" {
			old = "" // of another form: replaced whole
		}
	}
	if err == nil && had == text {
		return nil
	}
	encoded, err := encodeAs(k.As, old, text)
	if err != nil {
		return fmt.Errorf("%s: %w", k.Value, err)
	}
	w.pending[place] = encoded
	if had == "" && (node == nil || node.Kind == codec.Null || node.Text == "") {
		w.added = append(w.added, k.Value)
	} else {
		w.differ = append(w.differ, k.Value)
	}
	w.edits = append(w.edits, codec.Edit{Path: at, Value: codec.Text(encoded)})
	return nil
}

func (w *writer) tree(key string, at codec.Path, node, tree *codec.Node) {
	switch {
	case node == nil || node.Kind == codec.Null:
		w.added = append(w.added, key)
	case codec.Equal(node, tree):
		return
	default:
		w.differ = append(w.differ, key)
	}
	w.edits = append(w.edits, codec.Edit{Path: at, Value: tree})
}

// any plans the values that no other key of the file names.
func (w *writer) any(k spec.Key) {
	base, m := findKey(w.f, w.root, w.e, k, w.texts)
	for _, key := range w.sp.Order(slices.Collect(maps.Keys(w.texts))) {
		at := join(base, codec.Step{Key: key})
		if takenByOther(w.f, w.root, w.e, at, w.texts) || slices.ContainsFunc(w.f.Keys, func(o spec.Key) bool { return o.Value == key }) {
			continue
		}
		node, value := w.root.Find(at), codec.Text(w.texts[key])
		if t := w.texts[key]; (node == nil || !node.Scalar()) && t != "" && (t[0] == '{' || t[0] == '[') {
			if tree, err := codec.FromJSON([]byte(t)); err == nil {
				value = tree
			}
		}
		if node.Scalar() && node.Kind != codec.Null && value.Scalar() && node.Text == value.Text {
			continue
		}
		w.tree(key, at, node, value)
	}
	if m == nil || m.Kind != codec.Map {
		return
	}
	for _, pair := range m.Pairs {
		at := join(base, codec.Step{Key: pair.Key})
		if _, ok := w.texts[pair.Key]; !ok && !takenByOther(w.f, w.root, w.e, at, w.texts) && pair.Value.Kind != codec.Null {
			w.differ = append(w.differ, pair.Key)
			w.edits = append(w.edits, codec.Edit{Path: at})
		}
	}
}

// fixed plans the entries that the file needs beside the values.
func (w *writer) fixed() {
	var first []codec.Edit
	for _, fx := range w.f.Add {
		at, ok := resolve(w.f, w.root, w.e, fx.At, fx.Root, w.holes())
		text, ok2 := spec.Fill(fx.Text, w.holes())
		if !ok || !ok2 {
			continue
		}
		if n := w.root.Find(at); n == nil || n.Kind == codec.Null || n.Scalar() && n.Text == "" {
			first = append(first, codec.Edit{Path: at, Value: codec.Text(text)})
		}
	}
	// Before the values, so that a new file begins with what says what it is.
	w.edits = append(first, w.edits...)
}

// putKeyPair plans the two files of a key pair.
func (p *Plan) putKeyPair(path string, sec *secret.Secret, opts Options) []Placement {
	private, ok := sec.Values["private_key"]
	if !ok {
		return []Placement{failed(p.snap.fileSource(path), errors.New("the secret has no private_key"))}
	}
	format, err := codec.New("keypair", codec.Options{})
	if err == nil {
		_, err = format.Decode([]byte(private.Reveal()))
	}
	if err != nil {
		return []Placement{failed(p.snap.fileSource(path), fmt.Errorf("the value private_key: %w", err))}
	}
	public, hasPublic := sec.Values["public_key"]
	// Both halves or none: a pair that does not match is of no use.
	out := []Placement{p.whole(path, "private_key", private.Reveal(), opts)}
	if hasPublic {
		out = append(out, p.whole(path+".pub", "public_key", public.Reveal(), opts))
	} else if _, stale := p.snap.files[path+".pub"]; stale && out[0].Action == Updated {
		out = append(out, p.removeFile(path+".pub"))
	}
	if i := slices.IndexFunc(out, func(pl Placement) bool { return pl.Action == Conflict || pl.Action == Failed }); i >= 0 {
		delete(p.files, path)
		delete(p.files, path+".pub")
		return out[i : i+1]
	}
	return out
}

// whole plans a file whose whole content is one value.
func (p *Plan) whole(path, key, text string, opts Options) Placement {
	src := p.snap.fileSource(path)
	file, err := p.open(path, 0o600)
	switch {
	case err != nil:
		return failed(src, err)
	case file.old != nil && string(file.data) == text:
		return Placement{src, Unchanged, nil, nil}
	case len(file.old) > 0 && !opts.Overwrite:
		return Placement{src, Conflict, []string{key}, &ConflictError{src.Path, []string{key}}}
	}
	return p.set(src, path, file, []byte(text), []string{key})
}

func (p *Plan) removeFile(path string) Placement {
	src := p.snap.fileSource(path)
	file, err := p.open(path, 0o600)
	if err != nil {
		return failed(src, err)
	}
	file.remove, file.data = true, nil
	p.files[path] = file
	return Placement{src, Removed, nil, nil}
}
