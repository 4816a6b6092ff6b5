package project

import (
	"context"
	"fmt"
	"slices"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/provider"
)

// DraftManifest returns what a new manifest says of the secrets on this machine. Its
// bundle has those that have variables, as far as no two set the same one. Like
// that of [detect.Detector.On] the error is about specs, and the rest is valid.
func (p *Project) DraftManifest(ctx context.Context) (*manifest.Draft, error) {
	found, specErr := p.Detector.On(ctx, p.Local)
	if found == nil {
		return nil, specErr
	}
	d := &manifest.Draft{}
	var in []provider.Found
	for _, f := range found {
		if f.State == provider.Invalid {
			d.Broken = append(d.Broken, fmt.Errorf("%s: %w", f.Name, f.Err))
		}
		if f.State != provider.HasValue {
			continue
		}
		sp, err := p.Specs.Get(f.Provider)
		if err != nil {
			return nil, err
		}
		s := manifest.DraftSecret{Name: f.Name, Title: sp.Title}
		var alone bundle.Env
		alone.Add(sp, &f.Secret)
		if _, err := alone.Vars(); err != nil {
			s.Why = "it has no variables"
		} else if by := p.clash(in, f); by != "" {
			s.Why = "it sets variables that " + by + " sets"
		} else {
			s.Bundled = true
			in = append(in, f)
		}
		d.Secrets = append(d.Secrets, s)
	}
	return d, specErr
}

// clash returns the first of several secrets that sets a variable of f's, too, even
// to the same value: one of them may change.
func (p *Project) clash(in []provider.Found, f provider.Found) string {
	vars := p.varsOf(f)
	for _, o := range in {
		for _, name := range p.varsOf(o) {
			if slices.Contains(vars, name) {
				return o.Name
			}
		}
	}
	return ""
}

func (p *Project) varsOf(f provider.Found) []string {
	var env bundle.Env
	sp, err := p.Specs.Get(f.Provider)
	if err != nil {
		return nil
	}
	env.Add(sp, &f.Secret)
	vars, _ := env.Vars() // who asks has seen that there is no error
	var out []string
	for _, v := range vars {
		out = append(out, v.Name)
	}
	return out
}
