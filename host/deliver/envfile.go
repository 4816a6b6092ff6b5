package deliver

import (
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

// VarsOf returns the variables of secrets, in the order of recs. Everything that
// is missing or in conflict is in the error at once.
func (d *Deliverer) VarsOf(recs []*store.Record) ([]bundle.Var, error) {
	var env bundle.Env
	for _, rec := range recs {
		if rec.Secret.Provider == "" {
			env.Add(nil, &rec.Secret)
			continue
		}
		sp, err := d.Specs.Get(rec.Secret.Provider)
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", rec.Secret.Name, err)
		}
		env.Add(sp, &rec.Secret)
	}
	return env.Vars()
}

// Groups are the variables of each secret. withNone keeps the secrets that have
// none, with that as their error.
func (d *Deliverer) Groups(recs []*store.Record, withNone bool) []Group {
	var out []Group
	for _, rec := range recs {
		vars, err := d.VarsOf([]*store.Record{rec})
		if !withNone && errors.Is(err, bundle.ErrNoVariables) {
			continue
		}
		g := Group{Name: rec.Secret.Name, Stored: rec.Info.Name, Vars: vars, Err: err, Unasked: bundle.Unasked(&rec.Secret)}
		if sp, err := d.Specs.Get(rec.Secret.Provider); rec.Secret.Provider != "" && err == nil {
			g.Ambient, g.Title, g.Unasked = sp.Ambient, sp.Title, provider.Unasked(sp, &rec.Secret)
		}
		out = append(out, g)
	}
	return out
}

// GroupsOf divides variables by the secrets that they come from; storedName returns a
// secret's name in the store.
func GroupsOf(vars []bundle.Var, storedName func(string) string) []Group {
	var out []Group
	for _, v := range vars {
		i := slices.IndexFunc(out, func(g Group) bool { return g.Name == v.Secret })
		if i < 0 {
			i = len(out)
			out = append(out, Group{Name: v.Secret, Stored: storedName(v.Secret)})
		}
		out[i].Vars = append(out[i].Vars, v)
	}
	return out
}

// envHead begins a new env file.
const envHead = "# Written by rhx load --env.\n"

// envFileVars are the variables that say where the env file is.
func envFileVars() []string { return []string{"RHX_HOME", "XDG_CONFIG_HOME"} }

// envFileAt is the env file of a machine.
func envFileAt(info machine.Info) string {
	dirs := config.NewDirs(info.Home, func(name string) string { return info.Env[name] })
	return filepath.ToSlash(filepath.Join(dirs.Config, "env"))
}

// EnvFile is an env file as it will be.
type EnvFile struct {
	path    string
	old     []byte
	head    []byte
	vars    []bundle.Var
	changed bool
	// by says which secret of this delivery has set a variable.
	by map[string]string
}

// parseEnvFile reads an env file; one that is not there is empty.
func parseEnvFile(file machine.File) (*EnvFile, error) {
	if file.Err != nil && !errors.Is(file.Err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", file.Path, file.Err)
	}
	head, vars, ok := bundle.ParseShell(file.Data)
	if !ok {
		return nil, fault.WithHint(fmt.Errorf("%s is not as rhx wrote it", file.Path), "move it away; rhx makes a new one")
	}
	if len(head) == 0 {
		head = []byte(envHead)
	}
	return &EnvFile{path: file.Path, old: file.Data, head: head, vars: vars, by: map[string]string{}}, nil
}

// ParseEnvFile reads the env file of this machine as it was read.
func ParseEnvFile(file machine.File) (*EnvFile, error) { return parseEnvFile(file) }

// change is what is to be written; nil where nothing changes.
func (e *EnvFile) change() (*machine.Change, error) {
	if !e.changed {
		return nil, nil
	}
	text, err := bundle.Format("shell", e.vars)
	if err != nil {
		return nil, err
	}
	return &machine.Change{Path: e.path, Data: slices.Concat(e.head, text), Old: e.old}, nil
}

// Vars are the variables in the file.
func (e *EnvFile) Vars() []bundle.Var { return e.vars }

// Without returns what takes variables out of the file, nil where none is in it. A
// file that rhx made goes when it is empty.
func (e *EnvFile) Without(names []string) (*machine.Change, error) {
	left := slices.DeleteFunc(slices.Clone(e.vars), func(v bundle.Var) bool { return slices.Contains(names, v.Name) })
	if len(left) == len(e.vars) {
		return nil, nil
	}
	if len(left) == 0 && string(e.head) == envHead {
		return &machine.Change{Path: e.path, Old: e.old, Remove: true}, nil
	}
	text, err := bundle.Format("shell", left)
	return &machine.Change{Path: e.path, Old: e.old, Data: slices.Concat(e.head, text)}, err
}

func (e *EnvFile) index(name string) int {
	return slices.IndexFunc(e.vars, func(v bundle.Var) bool { return v.Name == name })
}

// put brings the variables of one secret into the file.
func (e *EnvFile) put(name string, vars []bundle.Var, resolve func(*provider.ConflictError) bool) []provider.Placement {
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
	if all := append(slices.Clone(differ), clear...); len(all) > 0 {
		c := &provider.ConflictError{Path: e.path, Keys: all, Have: secret.Values{}}
		for _, key := range all {
			c.Have[key] = e.vars[e.index(key)].Value
		}
		if resolve == nil || !resolve(c) {
			return []provider.Placement{{Source: envSource(all[0]), Action: provider.Conflict, Keys: all, Err: c}}
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
