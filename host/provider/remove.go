package provider

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Remove plans to take a secret out of the machine's files: its keys and, where
// nothing else is left in them, its profile and the file. A place that holds
// other values than the secret's is left and reported as a conflict: they may
// be newer, and nowhere else. The modules of all files have the time of one call.
func (p *Plan) Remove(ctx context.Context, sp *spec.Spec, sec *secret.Secret) []Placement {
	var out []Placement
	ctx = abi.WithBudget(ctx)
	for i := range sp.Files {
		f := &sp.Files[i]
		if f.ReadOnly || !p.holdsProfile(f, sec.Profile) {
			continue
		}
		paths, _ := p.snap.locate(sp, f) // where no file is named, none has it
		for _, path := range paths {
			path = strings.ReplaceAll(path, "{profile}", sec.Profile)
			out = append(out, p.removeFrom(ctx, sp, f, p.current(path), sec)...)
		}
	}
	return out
}

// RemoveAt is Remove for one file, at an absolute path that was read, and for
// those that repeat its values.
func (p *Plan) RemoveAt(ctx context.Context, sp *spec.Spec, sec *secret.Secret, at string) []Placement {
	var out []Placement
	ctx = abi.WithBudget(ctx)
	file := p.current(at)
	for _, f := range byName(sp, path.Base(at)) {
		if out = p.removeFrom(ctx, sp, f, file, sec); len(out) > 0 && out[0].Action != Failed {
			break
		}
	}
	if len(out) == 0 || out[0].Action != Removed {
		return out
	}
	for i := range sp.Files {
		m := &sp.Files[i]
		if !m.Mirror || !p.holdsProfile(m, sec.Profile) {
			continue
		}
		paths, _ := p.snap.locate(sp, m)
		for _, mp := range paths {
			out = append(out, p.removeFrom(ctx, sp, m, p.current(mp), sec)...)
		}
	}
	return out
}

// current is a file as the plan leaves it so far.
func (p *Plan) current(path string) machine.File {
	p.settle(path)
	file := p.snap.files[path]
	if f := p.files[path]; f != nil {
		file = machine.File{Path: path, Data: f.data}
		if f.remove {
			file.Err = fs.ErrNotExist
		}
	}
	return file
}

func (p *Plan) removeFrom(ctx context.Context, sp *spec.Spec, f *spec.File, file machine.File, sec *secret.Secret) []Placement {
	src := p.snap.fileSource(file.Path)
	profile := ""
	if f.PerFile() {
		profile = sec.Profile
	}
	// The default profile may be spelled out.
	name := sec.Profile
	if !f.PerFile() {
		if name = p.profileName(f, sec); name == f.Default() {
			name = ""
		}
	}
	found := p.snap.extractOne(ctx, sp, f, file, profile)
	i := slices.IndexFunc(found, func(g Found) bool { return g.Profile == name && g.State != InKeyring && g.State != ByCommand })
	if i < 0 {
		// A file that cannot be read at all may have it.
		i = slices.IndexFunc(found, func(g Found) bool { return g.State == Invalid && g.Profile == "" })
	}
	switch {
	case i < 0:
		return nil
	case found[i].State == Invalid:
		return []Placement{failed(src, found[i].Err)}
	}
	if differ := lost(sp, f, found[i].Values, sec.Values); len(differ) > 0 {
		return []Placement{{Source: src, Action: Conflict, Keys: differ, Err: &ConflictError{Path: src.Path, Keys: differ}}}
	}
	switch {
	case f.Format == "keypair":
		out := []Placement{p.removeFile(file.Path)}
		if _, ok := found[i].Values["public_key"]; ok {
			out = append(out, p.removeFile(file.Path+".pub"))
		}
		return out
	case f.Wasm != "":
		return []Placement{p.removeWasm(ctx, sp, f, file, p.profileName(f, sec))}
	case f.Format == "text" || f.Profiles == nil && slices.ContainsFunc(f.Keys, func(k spec.Key) bool { return k.Value == "*" }):
		return []Placement{p.removeFile(file.Path)}
	}
	return []Placement{p.removeKeys(sp, f, file.Path, sec)}
}

// lost returns the keys whose values on the machine are not in the secret: they
// may be nowhere else. Public ones that the secret does not have do not count.
func lost(sp *spec.Spec, f *spec.File, have, sec secret.Values) []string {
	var out []string
	for _, name := range have.Keys() {
		key := spec.Key{Value: name}
		for _, k := range f.Keys {
			if k.Value == name || k.Value == "*" && f.Profiles == nil {
				key = k
			}
		}
		w := sec[name]
		ok := !w.Empty()
		if ok && !sameText(key, have[name].Reveal(), w.Reveal()) || !ok && !sp.Public(name) {
			out = append(out, name)
		}
	}
	return out
}

// removeKeys takes a profile's keys out of a file that a codec edits, and with
// them what is empty then, or has only what rhx adds beside values.
func (p *Plan) removeKeys(sp *spec.Spec, f *spec.File, path string, sec *secret.Secret) Placement {
	src := p.snap.fileSource(path)
	doc, err := p.document(f, path)
	if err != nil {
		return failed(src, err)
	}
	root := doc.Root()
	e := place(f, root, p.profileName(f, sec))
	texts := revealed(sec.Values)
	edits := removals(f, root, e, texts)
	if differ := lostToo(sp, f, root, edits, e, texts); len(differ) > 0 {
		return Placement{Source: src, Action: Conflict, Keys: differ, Err: &ConflictError{Path: src.Path, Keys: differ}}
	}
	after, err := codec.EditTree(root, edits)
	if err != nil {
		return failed(src, fmt.Errorf("write %s: %w", src.Path, err))
	}
	for _, x := range slices.Clone(edits) {
		for n := len(x.Path) - 1; n > 0; n-- {
			at := x.Path[:n]
			node := after.Find(at)
			if node == nil {
				continue
			}
			if f.Format == "ini" && at[0].Key == "" || !onlyFixed(f, after, e, at, texts) {
				break
			}
			edits = append(edits, codec.Edit{Path: at})
			if after, err = codec.EditTree(after, edits[len(edits)-1:]); err != nil {
				return failed(src, fmt.Errorf("write %s: %w", src.Path, err))
			}
		}
	}
	file, err := p.open(path, f.Mode)
	if err != nil {
		return failed(src, err)
	}
	format, err := codec.New(f.Format, f.Options)
	if err != nil {
		return failed(src, err)
	}
	data, err := codec.Apply(format, file.data, edits)
	if err != nil {
		return failed(src, fmt.Errorf("write %s: %w", src.Path, err))
	}
	// Where only what rhx adds is left, and no comment, the file goes.
	left := data
	if onlyFixed(f, after, e, nil, texts) {
		for _, pair := range after.Pairs {
			edits = append(edits, codec.Edit{Path: codec.Keys(pair.Key)})
		}
		if rest, err := codec.Apply(format, file.data, edits); err == nil {
			left = rest
		}
	}
	if len(strings.TrimSpace(strings.Trim(string(left), "\ufeff{}"))) == 0 {
		return p.removeFile(path)
	}
	pl := p.set(src, path, file, data, nil)
	if pl.Action == Updated {
		pl.Action = Removed
	}
	return pl
}

// lostToo returns the keys that have, in a second place that the edits would
// remove, another value than the secret's: under another spelling of the key, or
// where a mirror of it was meant to be.
func lostToo(sp *spec.Spec, f *spec.File, root *codec.Node, edits []codec.Edit, e entry, texts map[string]string) []string {
	var out []string
	for _, k := range f.Keys {
		if sp.Public(k.Value) || k.Value == "*" {
			continue
		}
		for _, p := range append(slices.Clone(k.Mirror), k.At...) {
			at, ok := resolve(f, root, e, p, k.Root, holes(e.name, texts))
			if !ok || !slices.ContainsFunc(edits, func(x codec.Edit) bool { return len(x.Path) <= len(at) && slices.Equal(x.Path, at[:len(x.Path)]) }) {
				continue
			}
			n := root.Find(at)
			if n == nil {
				continue
			}
			text, has, err := nodeText(n, k)
			if err != nil || has && !sameText(k, text, texts[k.Value]) {
				out = append(out, k.Value)
				break
			}
		}
	}
	return out
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
		for _, p := range slices.Concat(k.Mirror, k.At, k.Also) {
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
	// What was added about this profile, such as which one is in use.
	for _, fx := range f.Add {
		if len(fx.At.Holes())+len(spec.Holes(fx.Text)) == 0 {
			continue
		}
		at, ok := resolve(f, root, e, fx.At, fx.Root, holes(e.name, texts))
		text, ok2 := spec.Fill(fx.Text, holes(e.name, texts))
		if n := root.Find(at); ok && ok2 && n.Scalar() && n.Text == text {
			remove(at)
		}
	}
	return edits
}

// shared reports whether another profile of the file uses a list entry too, as
// two kubeconfig contexts may one cluster.
func shared(f *spec.File, root *codec.Node, e entry, at codec.Path) bool {
	return slices.ContainsFunc(entries(f, root), func(other entry) bool { return other.name != e.name && uses(f, root, other, at) })
}

// onlyFixed reports whether the map or list at a place is empty, or holds
// nothing but what rhx adds beside values.
func onlyFixed(f *spec.File, root *codec.Node, e entry, around codec.Path, texts map[string]string) bool {
	n := root.Find(around)
	if n.Scalar() || len(n.Items) > 0 {
		return false
	}
	for _, pair := range n.Pairs {
		at := join(around, codec.Step{Key: pair.Key})
		if !slices.ContainsFunc(f.Add, func(fx spec.Fixed) bool {
			q, ok := resolve(f, root, e, fx.At, fx.Root, holes(e.name, texts))
			return ok && slices.Equal(q, at)
		}) {
			return false
		}
	}
	return true
}
