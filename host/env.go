package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Env returns the variables of secrets in the store, in the order of names.
// Everything that is missing or in conflict is in the error at once.
func (h *Host) Env(ctx context.Context, names []string) ([]bundle.Var, error) {
	recs, err := h.GetAll(ctx, names)
	if err != nil {
		return nil, err
	}
	return h.vars(recs)
}

func (h *Host) vars(recs []*store.Record) ([]bundle.Var, error) {
	var env bundle.Env
	for _, rec := range recs {
		if rec.Secret.Provider == "" {
			env.Add(nil, &rec.Secret)
			continue
		}
		sp, err := h.Specs.Get(rec.Secret.Provider)
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", rec.Info.Name, err)
		}
		env.Add(sp, &rec.Secret)
	}
	return env.Vars()
}

// EnvFile is the file in which LoadEnv keeps variables, for shells to source.
func (h *Host) EnvFile() string { return filepath.Join(h.Dirs.Config, "env") }

// LoadEnv brings secrets from the store into the env file, beside the variables
// that are there already.
func (h *Host) LoadEnv(ctx context.Context, opts LoadOptions) ([]Loaded, error) {
	recs, err := h.records(ctx, opts.Names, opts.All)
	if err != nil {
		return nil, err
	}
	path := filepath.ToSlash(h.EnvFile())
	files, err := h.Local.Read(ctx, []string{path})
	if err != nil {
		return nil, err
	}
	file := files[0]
	if file.Err != nil && !missing(file) {
		return nil, fmt.Errorf("read %s: %w", path, file.Err)
	}
	have, ok := bundle.ParseShell(file.Data)
	if !ok {
		return nil, fault.WithHint(fmt.Errorf("%s is not as rhx wrote it", path), "move it away; rhx makes a new one")
	}
	var out []Loaded
	for _, rec := range recs {
		vars, err := h.vars([]*store.Record{rec})
		if err != nil {
			if opts.All {
				continue // a secret of files only
			}
			out = append(out, Loaded{h.Local.Name(), rec.Info.Name, provider.Placement{Action: provider.Failed, Err: err}})
			continue
		}
		for _, v := range vars {
			p := provider.Placement{Source: secret.Source{Kind: secret.SourceEnv, Var: v.Name}, Action: provider.Created}
			i := slices.IndexFunc(have, func(o bundle.Var) bool { return o.Name == v.Name })
			switch {
			case i < 0:
				have = append(have, v)
			case have[i].Value == v.Value:
				p.Action = provider.Unchanged
			default:
				p.Action, p.Err = provider.Conflict, &provider.ConflictError{Path: path, Keys: []string{v.Name}}
				if opts.Overwrite || opts.Confirm != nil && !opts.DryRun && opts.Confirm(rec.Info.Name, p) {
					p.Action, p.Err = provider.Updated, nil
					have[i].Value = v.Value
				}
			}
			out = append(out, Loaded{h.Local.Name(), rec.Info.Name, p})
		}
	}
	changed := slices.ContainsFunc(out, func(l Loaded) bool { return l.Action == provider.Created || l.Action == provider.Updated })
	if opts.DryRun || !changed {
		return out, nil
	}
	text, err := bundle.Format("shell", have)
	if err != nil {
		return nil, err
	}
	text = append([]byte("# Written by rhx load --env.\n"), text...)
	errs, err := h.Local.Write(ctx, []machine.Change{{Path: path, Data: text, Old: file.Data}})
	return out, errors.Join(append(errs, err)...)
}

func missing(f machine.File) bool { return errors.Is(f.Err, fs.ErrNotExist) }
