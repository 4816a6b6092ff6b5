package deliver

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// PrivateFiles renders secrets as the files that their tools read, in a folder for one
// command, and returns the variables that have the tools read them there: their values
// are paths in that folder. It writes nothing. onHost says that the command is to run on
// a host.
func (d *Deliverer) PrivateFiles(ctx context.Context, recs []*store.Record, onHost bool, opts Options) ([]machine.RunFile, []machine.Var, error) {
	if len(recs) == 0 {
		return nil, nil, nil
	}
	const dir = "/private" // in m
	m := machine.NewMemory("the bundle's files")
	type moved struct {
		name string
		file string
		f    *spec.File
	}
	var all []moved
	var errs []error
	for _, rec := range recs {
		if rec.Secret.Provider == "" {
			errs = append(errs, fault.WithHint(fmt.Errorf("%s cannot be a file of one command: it is no provider's", rec.Secret.Name), "rhx apply and rhx sync -b write it to its path"))
			continue
		}
		sp, err := d.Specs.Get(rec.Secret.Provider)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		movable := false
		for i := range sp.Files {
			f := &sp.Files[i]
			o, moves := mover(f)
			if f.ReadOnly || !moves || slices.ContainsFunc(all, func(o moved) bool { return o.f == f }) {
				movable = movable || moves && !f.ReadOnly
				continue
			}
			movable = true
			at := path.Join(dir, sp.Name)
			file := path.Join(at, path.Base(f.Path("linux")))
			value := file
			if o.Rel != "" {
				file, value = path.Join(at, o.Rel), at
			}
			m.SetEnv(o.Var, value)
			all = append(all, moved{o.Var, file, f})
		}
		if !movable {
			errs = append(errs, fault.WithHint(fmt.Errorf("%s cannot be a file of one command: no variable says where %s reads it", rec.Secret.Name, sp.Title),
				otherWays(sp, rec.Secret.Name, onHost)))
		}
	}
	if len(errs) > 0 {
		return nil, nil, errors.Join(errs...)
	}
	w := &delivering{d: d, what: Delivery{Files: recs}, opts: opts}
	if err := w.read(ctx, m); err != nil {
		return nil, nil, err
	}
	w.putFiles(ctx)
	for _, o := range w.out {
		if o.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", o.Secret, o.Err))
		}
	}
	written, err := m.Write(ctx, w.changes)
	errs = append(append(errs, written...), err)
	var files []machine.RunFile
	var vars []machine.Var
	for _, o := range all {
		data, mode, ok := m.File(o.file)
		if !ok {
			continue // nothing of the secret goes there
		}
		files = append(files, machine.RunFile{Path: strings.TrimPrefix(o.file, dir+"/"), Data: data, Mode: mode.Perm()})
		value := o.file
		if mv, _ := mover(o.f); mv.Rel != "" {
			value = o.file[:len(o.file)-len(mv.Rel)-1]
		}
		vars = append(vars, machine.Var{Name: o.name, Value: strings.TrimPrefix(value, dir+"/")})
	}
	return files, vars, errors.Join(errs...)
}

// otherWays says how a command can have a secret of which it cannot have a file.
func otherWays(sp *spec.Spec, name string, onHost bool) string {
	var vars []string
	for _, v := range sp.Values {
		if len(v.Env) > 0 {
			vars = append(vars, v.Env[0])
		}
	}
	load := "rhx load " + name
	if onHost {
		load = "rhx sync HOST -s " + name
	}
	text := load + " writes the file where it is read, and rhx undo takes it away after the command"
	if len(vars) > 0 {
		text = fmt.Sprintf("the bundle sets %s where %s is in its secrets; %s", strings.Join(vars, ", "), name, text)
	}
	return text
}

// mover is the first variable that moves a file by itself, not along with another.
func mover(f *spec.File) (spec.Override, bool) {
	i := slices.IndexFunc(f.Override, func(o spec.Override) bool { return !o.Beside() })
	if i < 0 {
		return spec.Override{}, false
	}
	return f.Override[i], true
}
