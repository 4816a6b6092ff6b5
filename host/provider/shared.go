package provider

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// ErrUnsafe is a value that makes a tool run a program, or read another file, and
// was not asked for.
var ErrUnsafe = errors.New("makes the tool run a program, or read another file; it is written only when asked for")

// ErrUnread is in the error of a file that is there and cannot be read.
var ErrUnread = errors.New("the file cannot be read")

// safe returns an error for a new value that the spec calls unsafe: whoever can write
// to the store must not be able to make this machine run programs.
func safe(sp *spec.Spec, want, have map[string]string, changed []string, opts Options) error {
	if opts.Unsafe {
		return nil
	}
	for _, pattern := range sp.Unsafe {
		for _, key := range changed {
			if want[key] == "" {
				continue
			}
			if ok, _ := path.Match(pattern, key); ok {
				return fmt.Errorf("the value %s %w", key, ErrUnsafe)
			}
			field, ok := cutField(pattern, key)
			if !ok {
				continue
			}
			tree, _ := codec.TreeIn(want[key])
			there, _ := codec.TreeIn(have[key])
			if n := tree.Find(field); n != nil && !codec.Equal(n, there.Find(field)) {
				return fmt.Errorf("the field %s of the value %s %w", field, key, ErrUnsafe)
			}
		}
	}
	return nil
}

// Unasked returns an error for a secret that goes into a variable as a whole document,
// with a value in it that the spec calls unsafe.
func Unasked(sp *spec.Spec, sec *secret.Secret) error {
	if sp.Document == "" {
		return nil
	}
	values := map[string]string{}
	for k, v := range sec.Values {
		values[k] = v.Reveal()
	}
	if err := safe(sp, values, nil, sec.Values.Keys(), Options{}); err != nil {
		return fmt.Errorf("%s: %w", sec.Name, err)
	}
	return nil
}

// cutField returns the place inside the value key that "KEY.FIELD" names.
func cutField(pattern, key string) (codec.Path, bool) {
	p, err := spec.ParsePath(pattern)
	if err != nil || len(p) < 2 || p[0].Key != key {
		return nil, false
	}
	return p[1:].Expand(noHoles)
}

// othersOf returns the names of the other secrets of the file whose values a write
// would change, because they use the same entry. What this plan put there for another
// secret must stay, whatever the user confirms.
func (p *Plan) othersOf(w *writer, path string, sec *secret.Secret) ([]string, error) {
	var places []codec.Path
	for _, e := range w.edits {
		if i := slices.IndexFunc(e.Path, func(s codec.Step) bool { return s.Field != "" }); i >= 0 && w.root.Find(e.Path) != nil && w.rooted(e.Path) {
			places = append(places, e.Path[:i+1])
			if by := p.shared[sharedPlace{path, e.Path[:i+1].String()}]; by != nil && by != sec {
				return nil, fmt.Errorf("%s has other values for the same %s", by.Name, e.Path[:i+1])
			}
		}
	}
	if len(places) == 0 {
		return nil, nil
	}
	var out []string
	view := w.view(w.root)
	for _, e := range entries(w.f, view) {
		if e.name != w.e.name && slices.ContainsFunc(places, func(at codec.Path) bool { return uses(w.f, view, e, at) }) {
			profile := e.name
			if profile == w.f.Default() {
				profile = ""
			}
			out = append(out, secret.Name(w.sp.Name, profile))
		}
	}
	return out, nil
}

// rooted reports whether a place is that of a key whose path begins at the document's
// root: profiles may share such a place.
func (w *writer) rooted(at codec.Path) bool {
	return slices.ContainsFunc(w.f.Keys, func(k spec.Key) bool {
		return k.Root && slices.ContainsFunc(k.At, func(p spec.Path) bool {
			q, ok := resolve(w.f, w.root, w.e, p, true, w.holes())
			return ok && slices.Equal(q, at)
		})
	})
}

// sharedPlace is an entry in a file that several profiles may use.
type sharedPlace struct{ path, at string }

// noteShared remembers which entries hold what a secret has.
func (p *Plan) noteShared(w *writer, path string, sec *secret.Secret) {
	for _, k := range w.f.Keys {
		if !k.Root {
			continue
		}
		at, n := findKey(w.f, w.root, w.e, k, w.texts)
		if i := slices.IndexFunc(at, func(s codec.Step) bool { return s.Field != "" }); i >= 0 || n != nil {
			p.shared[sharedPlace{path, at[:i+1].String()}] = sec
		}
	}
}

// uses reports whether a profile of the document has a value in a list's entry.
func uses(f *spec.File, root *codec.Node, e entry, at codec.Path) bool {
	texts := map[string]string{}
	for _, k := range f.Keys {
		texts[k.Value], _ = readKey(f, root, e, k, texts)
		for _, p := range k.At {
			if q, ok := resolve(f, root, e, p, k.Root, holes(e.name, texts)); ok && len(q) > len(at) && slices.Equal(q[:len(at)], at) {
				return true
			}
		}
	}
	return false
}
