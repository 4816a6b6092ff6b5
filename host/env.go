package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/config"
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

// envHead begins a new env file.
const envHead = "# Written by rhx load --env.\n"

// LoadEnv brings secrets from the store into the env file, beside the variables
// that are there already. The variables of one secret go there together or not
// at all: half of an old and half of a new key pair is of no use.
func (h *Host) LoadEnv(ctx context.Context, opts LoadOptions) ([]Loaded, error) {
	recs, err := h.records(ctx, opts)
	if err != nil {
		return nil, err
	}
	return h.placeEnv(ctx, h.Local, filepath.ToSlash(h.EnvFile()), h.groups(recs, opts.All), opts)
}

// envGroup is variables that go into an env file together or not at all.
type envGroup struct {
	name string
	vars []bundle.Var
	err  error
}

// groups are the variables of each secret. all leaves out those that have none.
func (h *Host) groups(recs []*store.Record, all bool) []envGroup {
	var out []envGroup
	for _, rec := range recs {
		vars, err := h.vars([]*store.Record{rec})
		if err == nil || !all || !errors.Is(err, bundle.ErrNoVariables) {
			out = append(out, envGroup{rec.Info.Name, vars, err})
		}
	}
	return out
}

// groupsOf divides variables by the secrets that they come from.
func groupsOf(vars []bundle.Var) []envGroup {
	var out []envGroup
	for _, v := range vars {
		i := slices.IndexFunc(out, func(g envGroup) bool { return g.name == v.Secret })
		if i < 0 {
			i = len(out)
			out = append(out, envGroup{name: v.Secret})
		}
		out[i].vars = append(out[i].vars, v)
	}
	return out
}

// envFileOn returns where a machine's rhx keeps its env file, and of more
// variables those that are set there.
func envFileOn(ctx context.Context, m machine.Machine, more []string) (string, map[string]string, error) {
	info, err := m.Info(ctx, append(envFileVars(), more...))
	if err != nil {
		return "", nil, err
	}
	return envFileAt(info), info.Env, nil
}

// envFileVars are the variables that say where the env file is.
func envFileVars() []string { return []string{"RHX_HOME", "XDG_CONFIG_HOME"} }

// envFileAt is the env file of a machine.
func envFileAt(info machine.Info) string {
	dirs := config.NewDirs(info.Home, func(name string) string { return info.Env[name] })
	return filepath.ToSlash(filepath.Join(dirs.Config, "env"))
}

// readEnvFile returns the env file at path on a machine, its comments and its variables.
func readEnvFile(ctx context.Context, m machine.Machine, path string) (file machine.File, head []byte, have []bundle.Var, err error) {
	files, err := m.Read(ctx, []string{machine.Quote(path)})
	if err != nil {
		return file, nil, nil, err
	}
	file = machine.File{Path: path}
	if len(files) > 0 {
		file = files[0]
	}
	if file.Err != nil && !missing(file) {
		return file, nil, nil, fmt.Errorf("read %s: %w", path, file.Err)
	}
	head, have, ok := bundle.ParseShell(file.Data)
	if !ok {
		return file, nil, nil, fault.WithHint(fmt.Errorf("%s is not as rhx wrote it", path), "move it away; rhx makes a new one")
	}
	return file, head, have, nil
}

// placeEnv brings variables into the env file at path on a machine.
func (h *Host) placeEnv(ctx context.Context, m machine.Machine, path string, groups []envGroup, opts LoadOptions) ([]Loaded, error) {
	file, head, have, err := readEnvFile(ctx, m, path)
	if err != nil {
		return nil, err
	}
	if len(head) == 0 {
		head = []byte(envHead)
	}
	env := &envFile{machine: m.Name(), path: path, vars: have, by: map[string]string{}}
	var out []Loaded
	for _, g := range groups {
		if g.err != nil {
			out = append(out, failedOn(m.Name(), g.name, g.err))
			continue
		}
		for _, p := range env.put(g.name, g.vars, opts) {
			out = append(out, Loaded{m.Name(), g.name, p})
		}
	}
	if opts.DryRun || !env.changed {
		return out, nil
	}
	text, err := bundle.Format("shell", env.vars)
	if err != nil {
		return nil, err
	}
	errs, err := h.commit(ctx, m, []machine.Change{{Path: path, Data: slices.Concat(head, text), Old: file.Data}})
	return out, errors.Join(append(errs, err)...)
}

// envFile is the env file as it will be.
type envFile struct {
	machine string
	path    string
	vars    []bundle.Var
	changed bool
	// by says which secret of this run has set a variable.
	by map[string]string
}

func (e *envFile) index(name string) int {
	return slices.IndexFunc(e.vars, func(v bundle.Var) bool { return v.Name == name })
}

// put brings the variables of one secret into the file.
func (e *envFile) put(name string, vars []bundle.Var, opts LoadOptions) []provider.Placement {
	var differ, clear []string
	for _, v := range vars {
		if i := e.index(v.Name); i >= 0 && e.vars[i].Value != v.Value {
			if by := e.by[v.Name]; by != "" {
				return []provider.Placement{{Source: envSource(v.Name), Action: provider.Failed,
					Err: fmt.Errorf("both %s and %s set %s, to different values", by, name, v.Name)}}
			}
			differ = append(differ, v.Name)
		}
		for _, c := range v.Clears {
			if e.index(c) >= 0 {
				clear = append(clear, c)
			}
		}
	}
	if all := append(slices.Clone(differ), clear...); len(all) > 0 && !opts.Overwrite {
		have := secret.Values{}
		for _, key := range all {
			have[key] = e.vars[e.index(key)].Value
		}
		p := provider.Placement{Source: envSource(all[0]), Action: provider.Conflict, Keys: all, Err: &provider.ConflictError{Path: e.path, Keys: all, Have: have}}
		if !opts.settled(e.machine, name, p) {
			return []provider.Placement{p}
		}
	}
	var out []provider.Placement
	for _, v := range vars {
		p := provider.Placement{Source: envSource(v.Name), Action: provider.Unchanged}
		switch i := e.index(v.Name); {
		case i < 0:
			p.Action = provider.Created
			e.vars = append(e.vars, bundle.Var{Name: v.Name, Value: v.Value})
		case e.vars[i].Value != v.Value:
			p.Action, e.vars[i].Value = provider.Updated, v.Value
		}
		e.changed = e.changed || p.Action != provider.Unchanged
		e.by[v.Name] = name
		out = append(out, p)
	}
	for _, c := range clear {
		e.vars = slices.Delete(e.vars, e.index(c), e.index(c)+1)
		e.changed = true
		out = append(out, provider.Placement{Source: envSource(c), Action: provider.Removed})
	}
	return out
}

func envSource(name string) secret.Source {
	return secret.Source{Kind: secret.SourceEnv, Var: name}
}

func missing(f machine.File) bool { return errors.Is(f.Err, fs.ErrNotExist) }
