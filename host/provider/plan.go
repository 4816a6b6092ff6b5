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
