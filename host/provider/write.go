package provider

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// putKeys merges a secret into a file that a codec edits.
func (p *Plan) putKeys(sp *spec.Spec, f *spec.File, path string, sec *secret.Secret, opts Options) Placement {
	src := p.snap.fileSource(path)
	refuse := func(err error) Placement { return failed(src, fmt.Errorf("write %s: %w", src.Path, err)) }
	doc, err := p.document(f, path)
	if err != nil {
		return failed(src, err)
	}
	if err := doc.Unreadable(); err != nil {
		return refuse(err)
	}
	root := p.snap.inlined(f, path, doc.Root())
	w := writer{sp: sp, f: f, root: root, e: place(f, root, p.profileName(f, sec)), texts: revealed(sec.Values)}
	w.before, w.after = p.around(sp, f, path, opts)
	if err := w.keys(); err != nil {
		return refuse(err)
	}
	changed := sorted(w.differ, w.added)
	have, _, _ := readEntry(sp, f, w.view(root), w.e) // what cannot be read differs from all
	if err := safe(sp, w.texts, have, changed, opts); err != nil {
		return refuse(err)
	}
	if w.differ = sorted(w.differ); len(w.differ) > 0 {
		c := conflict(src.Path, w.differ, have)
		var err error
		if c.Others, err = p.othersOf(&w, path, sec); err != nil {
			return refuse(err)
		}
		if !opts.replaces(c) {
			return Placement{Source: src, Action: Conflict, Keys: w.differ, Err: c}
		}
	}
	if len(w.edits) == 0 {
		if err := w.readsBack(root); err != nil {
			return refuse(err)
		}
		return Placement{Source: src, Action: Unchanged}
	}
	w.fixed()
	placed, err := p.edit(src, f, path, doc, w.edits, changed, func(after *codec.Node) error {
		return w.readsBack(p.snap.inlined(f, path, after))
	})
	if err != nil {
		return refuse(err)
	}
	p.noteShared(&w, path, sec)
	return placed
}

// sorted returns the keys of several lists once each, in order.
func sorted(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
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
	// pending has new texts by place: several keys may be parts of one text.
	pending map[string]string
	// before and after are the documents of the files with which the tool merges
	// this one; nil where there are none.
	before, after *codec.Node
	// cleared has edits that turn an empty text into a map, for the edits that put
	// values into it.
	cleared []codec.Edit
}

// view is the document that the tool reads, where this file's is root.
func (w *writer) view(root *codec.Node) *codec.Node {
	if w.before == nil && w.after == nil {
		return root
	}
	return merge(w.f.Profiles.Name, w.before, root, w.after)
}

// elsewhere reports whether another file that the tool merges with this one has the
// value already. Another value in a file that comes before this one is an error: the
// tool would use that.
func (w *writer) elsewhere(k spec.Key, text string) (bool, error) {
	if !k.Root {
		return false, nil
	}
	has := func(doc *codec.Node) (there, same bool) {
		_, n := findKey(w.f, doc, w.e, k, w.texts)
		if n == nil {
			return false, false
		}
		have, _, _ := nodeText(n, k)
		return true, sameText(k, have, text)
	}
	there, same := has(w.before)
	if there && !same {
		return false, fmt.Errorf("a file that comes before it in the list has another %s of that name, which the tool would use", k.Value)
	}
	if _, n := findKey(w.f, w.root, w.e, k, w.texts); !there && n == nil {
		_, same = has(w.after)
	}
	return same, nil
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
			if err := w.stale(k); err != nil {
				return err
			}
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
func (w *writer) stale(k spec.Key) error {
	if v, _ := w.sp.Value(k.Value); v.Public {
		return nil
	}
	there, _ := w.places(k)
	for _, at := range append(there, w.mirrors(k)...) {
		n := w.root.Find(at)
		switch {
		case n == nil || n.Scalar() && n.Text == "":
		case k.As == "basic-password" || k.As == "url-password":
			// The text holds another value, too, which stays.
			if had, err := decodeAs(k.As, n.Text); err != nil || had == "" {
				continue
			}
			if err := w.one(k, at, n, ""); err != nil {
				return err
			}
		default:
			w.differ = append(w.differ, k.Value)
			w.edits = append(w.edits, codec.Edit{Path: at})
		}
	}
	if k = alsoKey(k); k.At != nil {
		return w.stale(k)
	}
	return nil
}

// lineBreaks are what some program takes for the end of a line: those of Unicode are
// Python's, in str.splitlines.
const lineBreaks = "\n\v\f\r\x1c\x1d\x1e\u0085\u2028\u2029"

// value plans one value at its places and at those that repeat it.
func (w *writer) value(k spec.Key, text string) error {
	if w.f.Format == "ini" && strings.ContainsAny(text, lineBreaks) {
		return fmt.Errorf("the value %s has a line break, and some readers of the file take what follows for options of its own", k.Value)
	}
	if done, err := w.elsewhere(k, text); done || err != nil {
		return err
	}
	there, first := w.places(k)
	also := alsoKey(k)
	others, _ := w.places(also)
	if len(there) == 0 && len(others) == 0 {
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
	for _, at := range others {
		if err := w.one(also, at, w.root.Find(at), text); err != nil {
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
	root = w.view(root)
	e, ok := lookup(w.f, root, w.e.name)
	if !ok {
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
	if !k.Tree && k.Value != "*" {
		return false
	}
	m, ok := codec.TreeIn(a)
	// A value that a user gave may have blanks before it.
	n, err := codec.FromJSON([]byte(b))
	return ok && err == nil && codec.Equal(m, n)
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
	had, err := "", error(nil)
	if node.Scalar() && node.Text != "" {
		if had, err = decodeAs(k.As, node.Text); err != nil {
			old = "" // of another form: replaced whole
		}
	}
	if p, ok := w.pending[place]; ok {
		old = p
	}
	if err == nil && had == text && node != nil {
		if node.Disputed { // not all that read the file find it
			w.edit(at, codec.Text(node.Text))
		}
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
	w.edit(at, typed(k.As, node, encoded))
	return nil
}

// typed returns a text as the kind of node that the spec says, or that stands there:
// a number in a document stays one.
func typed(as string, old *codec.Node, text string) *codec.Node {
	var kind codec.Kind
	if old != nil {
		kind = old.Kind
	}
	isBool := text == "true" || text == "false"
	switch {
	case isBool && (as == "bool" || kind == codec.Bool):
		return &codec.Node{Kind: codec.Bool, Text: text}
	case as == "number" || kind == codec.Number:
		if n, err := codec.FromJSON([]byte(text)); err == nil && n.Kind == codec.Number {
			return &codec.Node{Kind: codec.Number, Text: text}
		}
	}
	return codec.Text(text)
}

func (w *writer) tree(key string, at codec.Path, node, tree *codec.Node) {
	switch {
	case node == nil || node.Kind == codec.Null:
		w.added = append(w.added, key)
	case codec.Equal(node, tree) && !node.AnyDisputed():
		return
	case codec.Equal(node, tree): // but not for all that read the file
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
		node := w.root.Find(at)
		value := typed("", node, w.texts[key])
		if tree, ok := codec.TreeIn(w.texts[key]); ok && !node.Scalar() {
			value = tree
		}
		if node.Scalar() && node.Kind != codec.Null && value.Scalar() && node.Text == value.Text && !node.Disputed {
			continue
		}
		w.tree(key, at, node, value)
	}
	if m == nil {
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

// unspelled reports whether a fixed entry belongs to a spelling of a key that the file
// does not use. The login of a netrc machine, for example, belongs to that machine's
// password: if the file has, or gets, the key under another machine only, the login is
// not added.
func (w *writer) unspelled(at codec.Path, planned []codec.Edit) bool {
	beside := false
	for _, k := range w.f.Keys {
		for _, p := range k.At {
			q, ok := resolve(w.f, w.root, w.e, p, k.Root, w.holes())
			if !ok || len(q) != len(at) || len(q) == 0 || !slices.Equal(q[:len(q)-1], at[:len(at)-1]) {
				continue
			}
			if len(k.At) == 1 || w.root.Find(q) != nil || slices.ContainsFunc(planned, func(e codec.Edit) bool { return slices.Equal(e.Path, q) }) {
				return false
			}
			beside = true
		}
	}
	return beside
}

// fixed plans the entries that the file needs in addition to the values.
func (w *writer) fixed() {
	values := w.edits
	w.edits = nil
	for _, fx := range w.f.Add {
		at, ok := resolve(w.f, w.root, w.e, fx.At, fx.Root, w.holes())
		text, ok2 := spec.Fill(fx.Text, w.holes())
		if !ok || !ok2 || w.unspelled(at, values) {
			continue
		}
		root := w.root
		if fx.Root && len(spec.Holes(fx.Text)) > 0 {
			root = w.view(root) // what is selected is so in any of the files
		}
		if n := root.Find(at); n == nil || n.Kind == codec.Null || n.Scalar() && n.Text == "" {
			w.edit(at, codec.Text(text))
		}
	}
	// They come before the values, so that a new file begins with entries such as its
	// version.
	w.edits = slices.Concat(w.cleared, w.edits, values)
}
