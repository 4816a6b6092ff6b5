package project

import (
	"context"
	"fmt"
	"slices"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// used is what an environment was made of.
type used struct {
	rec *store.Record
	// declared is the secret in the manifest; nil where it is not of one.
	declared *manifest.Secret
}

// Hidden returns what must not be seen of an environment and its files: the values
// that its secrets keep secret, and the texts that were made of them. What the
// manifest itself says, such as a default, is no secret. It is an error where that cannot
// be told of a secret.
func (p *Project) Hidden(env *Environment) ([]secret.Value, error) {
	out := slices.Clone(env.texts)
	for _, u := range env.used {
		out = p.hiddenOf(u, out)
		if u.rec.Secret.Provider == "" {
			continue
		}
		sp, err := p.Specs.Get(u.rec.Secret.Provider)
		if err != nil {
			return nil, fmt.Errorf("mask %s: %w", u.rec.Secret.Name, err)
		}
		if sp.Document != "" {
			out = append(out, document(env, sp.Document))
		}
	}
	return out, nil
}

// HiddenOfAll are the values that the secrets keep secret which a manifest declares, as
// far as the store has them.
func (p *Project) HiddenOfAll(ctx context.Context, m *manifest.Manifest) ([]secret.Value, error) {
	var names []string
	for _, s := range m.Secrets {
		if !slices.Contains(names, s.StoreName()) {
			names = append(names, s.StoreName())
		}
	}
	stored, err := p.Records.Those(ctx, names)
	if err != nil {
		return nil, err
	}
	var out []secret.Value
	for _, s := range m.Secrets {
		if rec := stored[s.StoreName()]; rec != nil {
			out = p.hiddenOf(used{rec, s}, out)
		}
	}
	return out, nil
}

// hiddenOf adds the values that one keeps secret.
func (p *Project) hiddenOf(u used, out []secret.Value) []secret.Value {
	public := p.public(u)
	for key, v := range u.rec.Secret.Values {
		if public(key) {
			continue
		}
		out = append(out, v)
		if tree, ok := codec.TreeIn(v.Reveal()); ok {
			out = leaves(tree, out)
		}
	}
	return out
}

// public says which values of a secret may be seen.
func (p *Project) public(u used) func(key string) bool {
	if u.rec.Secret.Provider != "" {
		sp, err := p.Specs.Get(u.rec.Secret.Provider)
		if err != nil {
			sp = nil
		}
		return provider.Public(sp, u.rec.Secret.Values)
	}
	seen := map[string]bool{}
	if u.declared != nil {
		for _, v := range u.declared.Values {
			if v.Default != nil && u.rec.Secret.Values[v.Key].Reveal() == *v.Default {
				seen[v.Key] = true
			}
			if v.Generate != nil {
				seen[v.Generate.Public(v.Key)] = true
			}
		}
	}
	return func(key string) bool { return seen[key] }
}

func document(env *Environment, name string) secret.Value {
	for _, v := range env.Vars {
		if v.Name == name {
			return v.Value
		}
	}
	return secret.Value{}
}

// leaves appends the texts in a tree: a program may show one of them by itself.
func leaves(n *codec.Node, out []secret.Value) []secret.Value {
	if n.Kind == codec.String {
		out = append(out, secret.NewValue(n.Text))
	}
	for _, pair := range n.Pairs {
		out = leaves(pair.Value, out)
	}
	for _, item := range n.Items {
		out = leaves(item, out)
	}
	return out
}
