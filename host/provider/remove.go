package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Remove plans to take a secret out of the machine's files: its keys and, where
// nothing else is left in them, its profile and the file. A place that holds
// other values than the secret's is left and reported as a conflict: they may
// be newer, and nowhere else.
func (p *Plan) Remove(ctx context.Context, sp *spec.Spec, sec *secret.Secret) []Placement {
	var out []Placement
	for i := range sp.Files {
		f := &sp.Files[i]
		if f.ReadOnly || !holdsProfile(f, sec.Profile) {
			continue
		}
		for _, path := range p.snap.locate(f) {
			if f.PerFile() {
				path = strings.Replace(path, "{profile}", sec.Profile, 1)
			}
			if missing(p.snap.files[path]) {
				continue
			}
			out = append(out, p.removeFrom(ctx, sp, f, path, sec)...)
		}
	}
	return out
}

func (p *Plan) removeFrom(ctx context.Context, sp *spec.Spec, f *spec.File, path string, sec *secret.Secret) []Placement {
	src := p.snap.fileSource(path)
	found := p.snap.extractOne(ctx, sp, f, p.snap.files[path], fileProfile(f, sec))
	i := slices.IndexFunc(found, func(g Found) bool { return g.Profile == sec.Profile && g.State == HasValue })
	if i < 0 {
		for _, g := range found {
			if g.State == Invalid && g.Profile == sec.Profile {
				return []Placement{failed(src, g.Err)}
			}
		}
		return nil
	}
	if differ := sharedDiff(found[i].Values, sec.Values); len(differ) > 0 {
		return []Placement{{src, Conflict, differ, &ConflictError{src.Path, differ}}}
	}
	switch {
	case f.Format == "keypair":
		out := []Placement{p.removeFile(path)}
		if _, ok := found[i].Values["public_key"]; ok {
			out = append(out, p.removeFile(path+".pub"))
		}
		return out
	case f.Wasm != "":
		return []Placement{failed(src, fmt.Errorf("%s cannot take single entries out of %s; use the vendor's tool", sp.Name, src.Path))}
	case f.Format == "text" || slices.ContainsFunc(f.Keys, func(k spec.Key) bool { return k.Value == "*" && f.Profiles == nil }):
		return []Placement{p.removeFile(path)}
	}
	return []Placement{p.removeKeys(f, path, sec)}
}

// fileProfile is the profile that a whole file is, for reading it.
func fileProfile(f *spec.File, sec *secret.Secret) string {
	if f.PerFile() {
		return sec.Profile
	}
	return ""
}

// sharedDiff returns the keys that both have with different texts.
func sharedDiff(a, b secret.Values) []string {
	var out []string
	for _, k := range a.Keys() {
		if w, ok := b[k]; ok && w != a[k] {
			out = append(out, k)
		}
	}
	return out
}

// removeKeys takes a profile's keys out of a file that a codec edits.
func (p *Plan) removeKeys(f *spec.File, path string, sec *secret.Secret) Placement {
	src := p.snap.fileSource(path)
	root, format, err := p.decode(f, path)
	if err != nil {
		return failed(src, err)
	}
	e := place(f, root, p.profileName(f, sec))
	texts := map[string]string{}
	for k, v := range sec.Values {
		texts[k] = v.Reveal()
	}
	edits := removals(f, root, e, texts)
	// What is left may be the empty profile, or only what rhx adds beside values.
	around := []codec.Path{e.at}
	if len(e.at) == 0 {
		around = nil
		for _, x := range edits {
			around = append(around, x.Path[:len(x.Path)-1])
		}
	}
	if after, err := codec.EditTree(root, edits); err == nil {
		for _, at := range around {
			if len(at) > 0 && at[0].Key != "" && onlyFixed(f, after, e, at, texts) {
				edits = append(edits, codec.Edit{Path: at})
			}
		}
	}
	file, err := p.open(path, f.Mode)
	if err != nil {
		return failed(src, err)
	}
	data, err := codec.Apply(format, file.data, edits)
	if err != nil {
		return failed(src, fmt.Errorf("write %s: %w", src.Path, err))
	}
	if len(strings.TrimSpace(strings.Trim(string(data), "\ufeff{}"))) == 0 {
		return p.removeFile(path)
	}
	pl := p.set(src, path, file, data, nil)
	if pl.Action == Updated {
		pl.Action = Removed
	}
	return pl
}

// removals are the edits that remove every place of a profile's values.
func removals(f *spec.File, root *codec.Node, e entry, texts map[string]string) []codec.Edit {
	var edits []codec.Edit
	remove := func(at codec.Path) {
		if len(at) > 0 && root.Find(at) != nil && !slices.ContainsFunc(edits, func(x codec.Edit) bool { return slices.Equal(x.Path, at) }) {
			edits = append(edits, codec.Edit{Path: at})
		}
	}
	for _, k := range f.Keys {
		for _, p := range append(slices.Clone(k.Mirror), k.At...) {
			at, ok := resolve(f, root, e, p, k.Root, holes(e.name, texts))
			if !ok {
				continue
			}
			// The entry of a list that is keyed by a name goes whole.
			if n := len(at); k.Root && n > 1 && at[n-2].Field != "" {
				if shared(f, root, e, at[:n-1]) {
					continue
				}
				at = at[:n-1]
			}
			remove(at)
		}
	}
	if f.Profiles != nil && f.Profiles.Entries != nil {
		remove(e.at)
	}
	return edits
}

// shared reports whether another profile of the file uses a list entry too, as
// two kubeconfig contexts may one cluster.
func shared(f *spec.File, root *codec.Node, e entry, at codec.Path) bool {
	for _, other := range entries(f, root) {
		if other.name == e.name {
			continue
		}
		texts := map[string]string{}
		for _, k := range f.Keys {
			if text, ok, err := readKey(f, root, other, k, texts); ok && err == nil {
				texts[k.Value] = text
			}
			for _, p := range k.At {
				if q, ok := resolve(f, root, other, p, k.Root, holes(other.name, texts)); ok && len(q) > len(at) && slices.Equal(q[:len(at)], at) {
					return true
				}
			}
		}
	}
	return false
}

// onlyFixed reports whether the map at a place holds nothing but what rhx adds
// beside values.
func onlyFixed(f *spec.File, root *codec.Node, e entry, around codec.Path, texts map[string]string) bool {
	n := root.Find(around)
	if n == nil || n.Kind != codec.Map {
		return false
	}
	for _, pair := range n.Pairs {
		at := join(around, codec.Step{Key: pair.Key})
		known := pair.Value.Kind == codec.Map && len(pair.Value.Pairs) == 0
		for _, fx := range f.Add {
			if q, ok := resolve(f, root, e, fx.At, fx.Root, holes(e.name, texts)); ok && slices.Equal(q, at) {
				known = true
			}
		}
		if !known {
			return false
		}
	}
	return true
}
