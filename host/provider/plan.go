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
	"unicode"
	"unicode/utf8"

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
	// Files that repeat this one's values follow it, where they exist.
	if opts.To == "" && out[0].Action != Conflict && out[0].Action != Failed {
		for i := range sp.Files {
			if m := &sp.Files[i]; m.Mirror && m != f && p.holdsProfile(m, sec.Profile) {
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

// complete returns an error for a secret that lacks what its file must have, so
// that no half of one is written.
func complete(sp *spec.Spec, f *spec.File, sec *secret.Secret) error {
	texts := map[string]string{}
	for k, v := range sec.Values {
		if !v.Empty() {
			texts[k] = v.Reveal()
		}
	}
	if len(texts) == 0 {
		return errors.New("the secret has no values")
	}
	var lacks []string
	switch {
	case f.Wasm != "":
		for _, v := range sp.Values {
			if !v.Optional && texts[v.Name] == "" {
				lacks = append(lacks, v.Name)
			}
		}
	case f.Format == "keypair":
		if texts["private_key"] == "" {
			lacks = []string{"private_key"}
		}
	default:
		for _, k := range f.Keys {
			if k.Profile {
				texts[k.Value] = "the profile's name says it"
			}
		}
		lacks = lacking(sp, f, texts)
	}
	if len(lacks) > 0 {
		return fmt.Errorf("the secret has no value for %s", strings.Join(lacks, ", "))
	}
	return nil
}

// target chooses the file that a secret goes to: the one that has values of its
// profile already, else the first of those that can hold all of its values with
// the fewest places left empty.
func (p *Plan) target(sp *spec.Spec, sec *secret.Secret, opts Options) (*spec.File, string, error) {
	var best *spec.File
	bestPath, bestEmpty := "", 0
	for i := range sp.Files {
		f := &sp.Files[i]
		if f.ReadOnly || f.Mirror || !p.holdsProfile(f, sec.Profile) {
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
		empty, whole := fit(sp, f, sec)
		path, has := p.among(sp, f, paths, p.profileName(f, sec))
		if has && whole {
			return f, path, nil
		}
		if !whole {
			empty += 1000
		}
		if best == nil || empty < bestEmpty {
			best, bestPath, bestEmpty = f, path, empty
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
// A profile that is a file's name stays in its folder, is seen when the folder
// is read again, and is no other file's name on any file system.
func (p *Plan) holdsProfile(f *spec.File, profile string) bool {
	switch {
	case profile == "":
		return !f.PerFile() && (f.Profiles == nil || f.Profiles.Default != "")
	case !f.PerFile():
		return f.Profiles != nil
	}
	bad := func(r rune) bool {
		return r == '/' || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError ||
			p.snap.Info.OS == "windows" && strings.ContainsRune(`\:*?"<>|`, r)
	}
	return profile[0] != '.' && !strings.ContainsFunc(profile, bad) && !f.Excluded(profile) &&
		!(p.snap.Info.OS == "windows" && strings.TrimRight(profile, ". ") != profile)
}

// fit counts the places of a file that a secret would leave empty; whole
// reports that every value that some file of the spec has a place for has one
// in this file.
func fit(sp *spec.Spec, f *spec.File, sec *secret.Secret) (empty int, whole bool) {
	if f.Wasm != "" || f.Format == "keypair" {
		return 0, true
	}
	names := func(f *spec.File, value string) bool {
		return slices.ContainsFunc(f.Keys, func(k spec.Key) bool { return k.Value == value || k.Value == "*" })
	}
	for _, k := range f.Keys {
		if _, ok := sec.Values[k.Value]; !ok && k.Value != "*" {
			empty++
		}
	}
	for k := range sec.Values {
		if !names(f, k) && slices.ContainsFunc(sp.Files, func(o spec.File) bool { return names(&o, k) }) {
			return empty, false
		}
	}
	return empty, true
}

// among chooses one of several files that a variable lists: the one that has
// values of the profile, else the profile, else the first that is there, else
// the last (as kubectl does). has reports that values are there.
func (p *Plan) among(sp *spec.Spec, f *spec.File, paths []string, name string) (path string, has bool) {
	path = paths[len(paths)-1]
	rank := 0
	for _, q := range paths {
		r := p.holds(sp, f, q, name)
		if r > rank {
			path, rank = q, r
		}
	}
	return path, rank == 3
}

// holds grades a file: 0 it is not there, 1 it is, 2 it has the profile, 3 with
// values of the provider.
func (p *Plan) holds(sp *spec.Spec, f *spec.File, path, name string) int {
	if file := p.files[path]; missing(p.snap.files[path]) && (file == nil || file.remove) {
		return 0
	}
	if f.Wasm != "" || f.Format == "keypair" {
		return 3
	}
	root, _, err := p.decode(f, path)
	if err != nil {
		return 1
	}
	for _, e := range entries(f, root) {
		if e.name != name {
			continue
		}
		texts, _, err := readEntry(sp, f, root, e)
		if err != nil || counts(sp, f, texts) {
			return 3
		}
		return 2
	}
	return 1
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
		return nil, nil, p.snap.readError(path, err)
	}
	return root, format, nil
}

// putKeys merges a secret into a file that a codec edits.
func (p *Plan) putKeys(sp *spec.Spec, f *spec.File, path string, sec *secret.Secret, opts Options) Placement {
	src := p.snap.fileSource(path)
	refuse := func(err error) Placement { return failed(src, fmt.Errorf("write %s: %w", src.Path, err)) }
	root, format, err := p.decode(f, path)
	if err != nil {
		return failed(src, err)
	}
	if err := shape(f, root); err != nil {
		return refuse(err)
	}
	root = p.snap.inlined(f, path, root)
	w := writer{sp: sp, f: f, root: root, e: place(f, root, p.profileName(f, sec)), texts: map[string]string{}}
	for k, v := range sec.Values {
		if !v.Empty() {
			w.texts[k] = v.Reveal()
		}
	}
	if err := w.keys(); err != nil {
		return refuse(err)
	}
	if len(w.differ) > 0 && !opts.Overwrite {
		slices.Sort(w.differ)
		w.differ = slices.Compact(w.differ)
		return Placement{src, Conflict, w.differ, &ConflictError{src.Path, w.differ}}
	}
	if len(w.edits) == 0 {
		if err := w.readsBack(root); err != nil {
			return refuse(err)
		}
		return Placement{src, Unchanged, nil, nil}
	}
	w.fixed()
	file, err := p.open(path, f.Mode)
	if err != nil {
		return failed(src, err)
	}
	data, err := codec.Apply(format, file.data, w.edits)
	if err != nil {
		return refuse(err)
	}
	after, err := format.Decode(data)
	if err == nil {
		err = w.readsBack(p.snap.inlined(f, path, after))
	}
	if err != nil {
		return refuse(err)
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
	// cleared are edits that turn an empty text into the map that others fill.
	cleared []codec.Edit
}

func (w *writer) holes() func(string) (string, bool) { return holes(w.e.name, w.texts) }

func (w *writer) keys() error {
	w.pending = map[string]string{}
	for _, k := range w.f.Keys {
		text := w.texts[k.Value]
		switch {
		case k.Value == "*":
			w.any(k)
		case k.Profile && text != "" && text != w.e.name:
			return fmt.Errorf("the value %s is not the profile %q", k.Value, w.e.name)
		case k.Profile:
		case text == "":
			w.stale(k)
		default:
			if err := w.value(k, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// places returns every place of a key that exists, else the first that can be
// named. Spellings of one key must agree: tools differ in which one they prefer.
func (w *writer) places(k spec.Key) (there []codec.Path, first codec.Path) {
	for _, p := range k.At {
		at, ok := resolve(w.f, w.root, w.e, p, k.Root, w.holes())
		switch {
		case !ok:
		case w.root.Find(at) != nil:
			there = append(there, at)
		case first == nil:
			first = at
		}
	}
	return there, first
}

// mirrors are the places that repeat a key and whose surroundings exist.
func (w *writer) mirrors(k spec.Key) []codec.Path {
	var out []codec.Path
	for _, p := range k.Mirror {
		at, ok := resolve(w.f, w.root, w.e, p, k.Root, w.holes())
		if ok && len(at) > 0 && w.root.Find(at[:len(at)-1]) != nil {
			out = append(out, at)
		}
	}
	return out
}

// stale plans to take out a secret value that the stored secret does not have,
// such as an old session token, which would spoil the new ones.
func (w *writer) stale(k spec.Key) {
	if v, _ := w.sp.Value(k.Value); v.Public || k.As != "" {
		return
	}
	there, _ := w.places(k)
	for _, at := range append(there, w.mirrors(k)...) {
		if n := w.root.Find(at); n != nil && (!n.Scalar() || n.Text != "") {
			w.differ = append(w.differ, k.Value)
			w.edits = append(w.edits, codec.Edit{Path: at})
		}
	}
}

// value plans one value at its places and at those that repeat it.
func (w *writer) value(k spec.Key, text string) error {
	there, first := w.places(k)
	if len(there) == 0 {
		if _, n := findKey(w.f, w.root, w.e, k, w.texts); n != nil {
			// Inherited from another section.
			if have, _, err := nodeText(n, k); err == nil && have == text {
				return nil
			}
		}
		if first == nil {
			return fmt.Errorf("there is no place for %s", k.Value)
		}
		there = []codec.Path{first}
	}
	for _, at := range append(there, w.mirrors(k)...) {
		if err := w.one(k, at, w.root.Find(at), text); err != nil {
			return err
		}
	}
	return nil
}

// edit plans to put a value at a place.
func (w *writer) edit(at codec.Path, value *codec.Node) {
	// gh writes "" for an account whose token is elsewhere.
	for i := 1; i < len(at); i++ {
		if n := w.root.Find(at[:i]); n.Scalar() && n.Kind == codec.String && n.Text == "" &&
			!slices.ContainsFunc(w.cleared, func(e codec.Edit) bool { return slices.Equal(e.Path, at[:i]) }) {
			w.cleared = append(w.cleared, codec.Edit{Path: at[:i], Value: &codec.Node{Kind: codec.Map}})
		}
	}
	w.edits = append(w.edits, codec.Edit{Path: at, Value: value})
}

// readsBack reports why a document would not be read as having the secret.
func (w *writer) readsBack(root *codec.Node) error {
	e := place(w.f, root, w.e.name)
	if w.f.Profiles != nil && !slices.ContainsFunc(entries(w.f, root), func(e entry) bool { return e.name == w.e.name }) {
		return fmt.Errorf("the file's format cannot hold a profile of the name %q", w.e.name)
	}
	texts, _, err := readEntry(w.sp, w.f, root, e)
	if err != nil {
		return err
	}
	if state, wins := readState(w.f, root, e, texts); wins {
		return elsewhere(state)
	}
	for _, k := range w.f.Keys {
		if k.Value != "*" && !sameText(k, texts[k.Value], w.texts[k.Value]) && (w.texts[k.Value] != "" || !w.sp.Public(k.Value)) {
			return fmt.Errorf("the value %s cannot be held there, it would be read as another one", k.Value)
		}
		if k.Value == "*" {
			for name, text := range w.texts {
				if !sameText(k, texts[name], text) {
					return fmt.Errorf("the value %s cannot be held there, it would be read as another one", name)
				}
			}
		}
	}
	if !counts(w.sp, w.f, texts) {
		return errors.New("it holds secrets, and public values alone would not be found there")
	}
	return nil
}

// elsewhere says why values in a file would be of no use.
func elsewhere(state State) error {
	if state == InKeyring {
		return errors.New("the file says that the tool keeps its secrets in the system's keyring; it would not use what is written here")
	}
	return errors.New("the file says that a command gives the secret; the tool would not use what is written here")
}

// sameText reports whether two texts are one value of a key.
func sameText(k spec.Key, a, b string) bool {
	if a == b {
		return true
	}
	if !k.Tree && k.Value != "*" || a == "" || b == "" || a[0] != '{' && a[0] != '[' {
		return false
	}
	m, err1 := codec.FromJSON([]byte(a))
	n, err2 := codec.FromJSON([]byte(b))
	return err1 == nil && err2 == nil && codec.Equal(m, n)
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
	switch {
	case node.Scalar():
		old = node.Text
	case node != nil:
		return &codec.Error{Line: node.Line, Msg: "a single value was expected here"}
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
	w.edit(at, codec.Text(encoded))
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
	w.edit(at, tree)
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
	values := w.edits
	w.edits = nil
	for _, fx := range w.f.Add {
		at, ok := resolve(w.f, w.root, w.e, fx.At, fx.Root, w.holes())
		text, ok2 := spec.Fill(fx.Text, w.holes())
		if !ok || !ok2 {
			continue
		}
		if n := w.root.Find(at); n == nil || n.Kind == codec.Null || n.Scalar() && n.Text == "" {
			w.edit(at, codec.Text(text))
		}
	}
	// Before the values, so that a new file begins with what says what it is.
	w.edits = slices.Concat(w.cleared, w.edits, values)
}

// putKeyPair plans the two files of a key pair: both or none, because a pair
// that does not match is of no use.
func (p *Plan) putKeyPair(path string, sec *secret.Secret, opts Options) []Placement {
	format, err := codec.New("keypair", codec.Options{})
	if err == nil {
		_, err = format.Decode([]byte(sec.Values["private_key"].Reveal()))
	}
	if err != nil {
		return []Placement{failed(p.snap.fileSource(path), fmt.Errorf("the value private_key: %w", err))}
	}
	var out []Placement
	var files []*planned
	var differ []string
	conflict := ""
	for i, key := range []string{"private_key", "public_key"} {
		at := path
		if i == 1 {
			at += ".pub"
		}
		file, err := p.open(at, 0o600)
		if err != nil {
			return []Placement{failed(p.snap.fileSource(at), err)}
		}
		text := sec.Values[key].Reveal()
		pl := Placement{Source: p.snap.fileSource(at), Action: Updated, Keys: []string{key}}
		switch {
		case text != "" && file.data != nil && string(file.data) == text:
			pl.Action, pl.Keys = Unchanged, nil
		case text == "" && (file.data == nil || out[0].Action == Unchanged):
			continue // no public key, and none that would not match
		case text == "":
			pl.Action = Removed
		case file.old == nil:
			pl.Action = Created
		}
		if pl.Action != Unchanged && len(file.data) > 0 {
			if differ = append(differ, key); conflict == "" {
				conflict = pl.Source.Path
			}
		}
		out, files = append(out, pl), append(files, file)
	}
	if len(differ) > 0 && !opts.Overwrite {
		return []Placement{{secret.Source{Kind: secret.SourceFile, Path: conflict}, Conflict, differ, &ConflictError{conflict, differ}}}
	}
	for i, pl := range out {
		if pl.Action == Unchanged {
			continue
		}
		key, at := pl.Keys[0], path
		if key == "public_key" {
			at += ".pub"
		}
		files[i].remove = pl.Action == Removed
		if files[i].data = nil; !files[i].remove {
			files[i].data = []byte(sec.Values[key].Reveal())
		}
		p.files[at] = files[i]
	}
	return out
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
