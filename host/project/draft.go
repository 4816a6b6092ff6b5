package project

import (
	"context"
	"fmt"
	"slices"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/spec"
)

// DraftManifest returns what a new manifest in the folder dir says: the secrets of the
// project's own files of variables, then those of this machine. Its bundle has those that
// have variables, as far as no two set the same one; the project's own go before. Like
// that of [detect.Detector.On] the error is about specs, and the rest is valid.
func (p *Project) DraftManifest(ctx context.Context, dir string) (*manifest.Draft, error) {
	found, specErr := p.Detector.On(ctx, p.Local)
	if found == nil {
		return nil, specErr
	}
	files, err := p.Detector.ProjectIn(ctx, p.Local, dir, "")
	if err != nil {
		return nil, err
	}
	d := &manifest.Draft{}
	var in []provider.Found
	for _, file := range files {
		if file.Err != nil {
			d.Broken = append(d.Broken, fmt.Errorf("%s: %w", file.Name, file.Err))
		}
		for _, f := range file.Secrets {
			if err := p.draw(d, &in, f, file.Name); err != nil {
				return nil, err
			}
			d.OfFiles = true
		}
	}
	for _, f := range found {
		if f.State == provider.Invalid {
			d.Broken = append(d.Broken, fmt.Errorf("%s: %w", f.Name, f.Err))
		}
		if f.State != provider.HasValue {
			continue
		}
		if err := p.draw(d, &in, f, ""); err != nil {
			return nil, err
		}
	}
	return d, specErr
}

// draw adds a secret to a draft, unless it has it. file is that of the project in which it
// was found; in are those of the bundle.
func (p *Project) draw(d *manifest.Draft, in *[]provider.Found, f provider.Found, file string) error {
	if slices.ContainsFunc(d.Secrets, func(s manifest.DraftSecret) bool { return s.Name == f.Name }) {
		return nil
	}
	s := manifest.DraftSecret{Name: f.Name, Title: file}
	if f.Provider != "" {
		sp, err := p.Specs.Get(f.Provider)
		if err != nil {
			return err
		}
		s.Title = sp.Title
	} else {
		s.Keys = f.Values.Keys()
	}
	vars, err := p.varsOf(f)
	switch by := p.clash(*in, vars); {
	case err != nil:
		s.Why = "it has no variables"
	case by != "":
		s.Why = "it sets variables that " + by + " sets"
	default:
		s.Bundled = true
		*in = append(*in, f)
	}
	d.Secrets = append(d.Secrets, s)
	return nil
}

// clash returns the first of several secrets that sets one of these variables, too, even
// to the same value: one of them may change.
func (p *Project) clash(in []provider.Found, vars []string) string {
	for _, o := range in {
		others, _ := p.varsOf(o) // who put it there has seen that there is no error
		if slices.ContainsFunc(others, func(name string) bool { return slices.Contains(vars, name) }) {
			return o.Name
		}
	}
	return ""
}

// varsOf are the names of a secret's variables.
func (p *Project) varsOf(f provider.Found) ([]string, error) {
	var sp *spec.Spec
	if f.Provider != "" {
		var err error
		if sp, err = p.Specs.Get(f.Provider); err != nil {
			return nil, err
		}
	}
	var env bundle.Env
	env.Add(sp, &f.Secret)
	vars, err := env.Vars()
	var out []string
	for _, v := range vars {
		out = append(out, v.Name)
	}
	return out, err
}
