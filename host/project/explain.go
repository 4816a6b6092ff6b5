package project

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/store"
)

// Why says how a variable of a bundle comes to be.
type Why struct {
	Variable, Bundle string
	// How is secret, text, unset, stripped (the manifest has it elsewhere) or absent.
	How string
	// Secret is the name in the manifest, Stored that in the store, Version the
	// newest there, 0 for none; Key is the value's.
	Secret, Stored, Key string
	Version             int
	// Text is the entry of env as it is written, where it refers to values; From is
	// the bundle that has the entry or names the secret.
	Text, From string
}

// ExplainVariable says how a variable of a bundle comes to be; it reads no values.
func (p *Project) ExplainVariable(ctx context.Context, m *manifest.Manifest, name, variable string) (*Why, error) {
	b := m.Bundle(name)
	if b == nil {
		return nil, fault.WithKind(fmt.Errorf("%s has no bundle %q%s", m.File, name, fault.DidYouMean(name, m.BundleNames())), fault.Usage)
	}
	w := &Why{Variable: variable, Bundle: name}
	if slices.Contains(b.Unset, variable) {
		w.How = "unset"
		return w, nil
	}
	for _, v := range b.Env {
		if v.Name == variable {
			w.How, w.From = "text", b.From[variable]
			// A text without references may be a value that somebody wrote down.
			if slices.ContainsFunc(v.Text, func(part manifest.Part) bool { return part.Secret != "" || part.EnvVar != "" }) {
				w.Text = v.Text.String()
			}
			return w, nil
		}
	}
	for _, s := range b.Secrets {
		d := m.Secret(s)
		key, err := p.keyOf(d, variable)
		if err != nil {
			return nil, err
		}
		if key == "" {
			continue
		}
		w.How, w.Secret, w.Stored, w.Key, w.From = "secret", s, d.StoreName(), key, b.From[s]
		stored, err := p.Records.Those(ctx, []string{w.Stored})
		if rec := stored[w.Stored]; rec != nil {
			w.Version = rec.Info.Version
		}
		return w, err
	}
	w.How = "absent"
	if slices.Contains(p.strip(m, nil), variable) {
		w.How = "stripped"
	}
	return w, nil
}

// keyOf is the key of a secret that a variable has the value of; "" for none.
func (p *Project) keyOf(s *manifest.Secret, variable string) (string, error) {
	if s.Provider == "" {
		if slices.ContainsFunc(s.Values, func(v manifest.Value) bool { return v.Key == variable }) {
			return variable, nil
		}
		return "", nil
	}
	sp, err := p.Specs.Get(s.Provider)
	if err != nil {
		return "", err
	}
	for _, v := range sp.Values {
		if len(v.Env) > 0 && v.Env[0] == variable {
			return v.Name, nil
		}
	}
	if sp.Document == variable {
		return "all values, as JSON", nil
	}
	return "", nil
}

// Where says where a secret is and goes.
type Where struct {
	Secret, Stored string
	// Version is the newest in the store, 0 for none.
	Version int
	// Local is its state on this machine, as in Status; "" where it can have none.
	Local string
	// Came are the places that it was saved from.
	Came []string
	// Variables and Files are the bundles that give it so; Texts those that have a
	// value of it in a text.
	Variables, Files, Texts []string
	// Hosts are the groups that get one of the bundles.
	Hosts []string
	// Expires says when it is to be taken out of a machine again, where it is.
	Expires map[string]time.Time
}

// Locate says where a secret is and goes. m is nil without a manifest.
func (p *Project) Locate(ctx context.Context, m *manifest.Manifest, name string) (*Where, error) {
	w := &Where{Secret: name, Stored: name, Local: StateMissing}
	if m != nil {
		if s := m.Secret(name); s != nil {
			w.Stored = s.StoreName()
		} else if i := slices.IndexFunc(m.Secrets, func(s *manifest.Secret) bool { return s.StoreName() == name }); i >= 0 {
			w.Secret = m.Secrets[i].Name
		}
	}
	expires, err := p.expires()
	if err != nil {
		return nil, err
	}
	for at, due := range expires[w.Stored] {
		if w.Expires == nil {
			w.Expires = map[string]time.Time{}
		}
		w.Expires[at.String()] = due
	}
	rec, err := p.Records.Get(ctx, w.Stored, 0)
	declared := m != nil && m.Secret(w.Secret) != nil
	if errors.Is(err, store.ErrNotFound) {
		w.Local = stateHere("", m, w.Secret, nil)
	}
	if err != nil && (!declared || !errors.Is(err, store.ErrNotFound)) {
		return nil, err
	}
	if err == nil {
		w.Version = rec.Info.Version
		for _, src := range rec.Secret.Sources {
			w.Came = append(w.Came, src.String())
		}
		here, unread, err := p.here(ctx, map[string]*store.Record{w.Stored: rec})
		if err = errors.Join(append(unread, err)...); err != nil {
			return nil, err
		}
		w.Local = stateHere(here[w.Stored], m, w.Secret, rec)
	}
	if m == nil {
		return w, nil
	}
	var bundles []string
	for _, b := range m.Bundles {
		uses := false
		for _, list := range []struct {
			to *[]string
			in bool
		}{
			{&w.Variables, slices.Contains(b.Secrets, w.Secret)},
			{&w.Files, slices.Contains(b.Files, w.Secret)},
			{&w.Texts, slices.ContainsFunc(b.Env, func(v manifest.Variable) bool {
				return slices.ContainsFunc(v.Text, func(part manifest.Part) bool { return part.Secret == w.Secret })
			})},
		} {
			if list.in {
				*list.to = append(*list.to, b.Name)
				uses = true
			}
		}
		if uses {
			bundles = append(bundles, b.Name)
		}
	}
	for _, g := range m.Hosts {
		if slices.ContainsFunc(g.Bundles, func(b string) bool { return slices.Contains(bundles, b) }) {
			w.Hosts = append(w.Hosts, g.Name+" ("+strings.Join(g.Addresses, ", ")+")")
		}
	}
	return w, nil
}
