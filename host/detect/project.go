package detect

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/projfile"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// ProjectFile is a file in which a project keeps variables, and the secrets that they
// are: those of providers, then one of all other variables.
type ProjectFile struct {
	projfile.File
	// Path is the file's, with "~/" for the home folder.
	Path    string
	Secrets []provider.Found
}

// Project returns the files of variables in the working folder of this machine. Their
// secrets are called by project; "" is the name of the folder. The error says what was
// not looked at.
func (d *Detector) Project(ctx context.Context, m machine.Machine, project string) ([]ProjectFile, error) {
	info, err := m.Info(ctx, []string{machine.WorkVar})
	dir := info.Env[machine.WorkVar]
	if err != nil || dir == "" {
		return nil, err // a folder that is gone has no files
	}
	return d.projectIn(ctx, info.Home, dir, project)
}

// ProjectIn is Project for another folder, by its absolute path.
func (d *Detector) ProjectIn(ctx context.Context, m machine.Machine, dir, project string) ([]ProjectFile, error) {
	info, err := m.Info(ctx, nil)
	if err != nil {
		return nil, err
	}
	return d.projectIn(ctx, info.Home, dir, project)
}

func (d *Detector) projectIn(ctx context.Context, home, dir, project string) ([]ProjectFile, error) {
	files, err := projfile.Find(dir)
	out := make([]ProjectFile, 0, len(files))
	for _, f := range files {
		pf, err := d.secretsOf(ctx, home, dir, f, project)
		if err != nil {
			return out, err
		}
		out = append(out, pf)
	}
	return out, err
}

// ProjectFile returns one file that the user names by its absolute path. Its secrets
// are called by project; "" is the name of its folder.
func (d *Detector) ProjectFile(ctx context.Context, m machine.Machine, file, project string) (ProjectFile, error) {
	info, err := m.Info(ctx, nil)
	if err != nil {
		return ProjectFile{}, err
	}
	f, err := projfile.Read(file)
	if err == nil {
		err = f.Err
	}
	if err != nil {
		return ProjectFile{}, fmt.Errorf("read %s: %w", file, err)
	}
	dir, _ := projfile.Locate(file)
	return d.secretsOf(ctx, info.Home, dir, f, project)
}

// secretsOf tells the secrets in a file of the folder dir.
func (d *Detector) secretsOf(ctx context.Context, home, dir string, f projfile.File, project string) (ProjectFile, error) {
	pf := ProjectFile{File: f, Path: short(home, filepath.Join(dir, f.Name))}
	if project == "" {
		project = filepath.Base(dir)
	}
	name := projfile.SecretName(project, f.Name)
	own := projfile.Written(f.Name) // it goes back there
	found, rest, err := d.Variables(ctx, f.Vars, func(name string) string { return projfile.Known(f.Name, name) })
	if err != nil {
		return pf, err
	}
	for _, sec := range found {
		sec.Profile = name
		sec.Name = secret.Name(sec.Provider, name)
		for _, v := range sec.Vars {
			sec.Sources = append(sec.Sources, secret.Source{Kind: secret.SourceFile, Path: pf.Path, Var: v, Own: own})
		}
		pf.Secrets = append(pf.Secrets, sec.Found)
	}
	if len(rest) > 0 {
		if d.Provider(name) {
			name += ".env" // it would be taken for that provider's
		}
		pf.Secrets = append(pf.Secrets, provider.Found{State: provider.HasValue, Secret: secret.Secret{
			Name: name, Values: rest, Sources: []secret.Source{{Kind: secret.SourceFile, Path: pf.Path, Own: own}},
		}})
	}
	return pf, nil
}

// OfVariables is a provider's secret that variables are. It has no sources.
type OfVariables struct {
	provider.Found
	// Vars are the variables.
	Vars []string
}

// Variables returns the secrets of providers that are among variables, in the order of the
// providers' names, and the variables that are none of theirs. known says what programs
// call a variable.
func (d *Detector) Variables(ctx context.Context, list []projfile.Var, known func(string) string) ([]OfVariables, secret.Values, error) {
	vars := machine.NewMemory("variables")
	rest := secret.Values{}
	values, names := secret.Values{}, map[string]string{} // as providers call them
	for _, v := range list {
		rest[v.Name] = v.Value
		if name := known(v.Name); values[name].Empty() {
			vars.SetEnv(name, v.Value.Reveal())
			values[name], names[name] = v.Value, v.Name
		}
	}
	specs, err := d.Specs.Possible(func(v string) bool { return !values[v].Empty() }, func(string) bool { return false })
	if err != nil && len(specs) == 0 {
		return nil, nil, err
	}
	snap, err := provider.Take(ctx, vars, d.Guests, specs)
	if err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(specs, func(a, b *spec.Spec) int { return strings.Compare(a.Name, b.Name) })
	var out []OfVariables
	for _, sp := range specs {
		for _, found := range snap.Extract(ctx, sp) {
			taken := variablesOf(sp, &found, values)
			if len(taken) == 0 {
				continue
			}
			found.Sources = nil
			sec := OfVariables{Found: found}
			for _, v := range taken {
				sec.Vars = append(sec.Vars, names[v])
				delete(rest, names[v])
				delete(values, v)
			}
			out = append(out, sec)
		}
	}
	return out, rest, nil
}

// Provider reports whether a name is that of a provider, or another name of one.
func (d *Detector) Provider(name string) bool {
	_, err := d.Specs.Get(name)
	return err == nil || d.Specs.Known(name)
}

// variablesOf returns the variables of a file that a provider's secret was made of. It
// returns nil unless rhx load would write the same values into all of them again: a
// document, for one, may come back in another form.
func variablesOf(sp *spec.Spec, f *provider.Found, vars secret.Values) []string {
	if f.State != provider.HasValue {
		return nil
	}
	var env bundle.Env
	env.Add(sp, &f.Secret)
	written, err := env.Vars()
	if err != nil {
		return nil
	}
	var names []string
	for _, w := range written {
		before := len(names)
		for _, name := range append([]string{w.Name}, w.Also...) {
			if v, ok := vars[name]; ok && v == w.Value {
				names = append(names, name)
			}
		}
		if len(names) == before {
			return nil
		}
	}
	return names
}

// short is a path with "~/" for the home folder.
func short(home, file string) string {
	return machine.Info{Home: path.Clean(filepath.ToSlash(home))}.Short(filepath.ToSlash(file))
}
