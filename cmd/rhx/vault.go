package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/store"
)

// vaultCmd is what there is for a store in Vault alone.
type vaultCmd struct {
	Policy vaultPolicyCmd `cmd:"" help:"Print the least policy for reading secrets, in HCL."`
}

type vaultPolicyCmd struct {
	Secret []string `short:"s" predictor:"stored" sep:"none" placeholder:"SECRET" help:"For this secret alone. Can be given several times; without it, for all in the store."`
	Bundle []string `short:"b" sep:"none" predictor:"bundle" placeholder:"BUNDLE" help:"For the secrets of this bundle of the manifest."`
	Yes    bool     `short:"y" help:"Trust the manifest without asking."`
	Write  bool     `help:"For saving, deleting and undeleting, too."`
}

func (c *vaultPolicyCmd) Help() string {
	return `Asks Vault which engine is at the store's path, so the token must be allowed something there.

Without --write it is what run, env, get, load and show need. "delete --destroy" needs "delete" on the metadata besides.

Examples:
  rhx vault policy -s aws -s openai | vault policy write ci -`
}

func (c *vaultPolicyCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	names, err := a.stored(c.Secret...)
	if err == nil {
		names, err = a.withBundles(ctx, names, c.Bundle, c.Yes)
	}
	if err != nil {
		return err
	}
	st, err := e.Records.Store(ctx)
	if err != nil {
		return err
	}
	// The package of such a store is not in every rhx.
	v, ok := store.As[interface {
		Policy(ctx context.Context, names []string, write bool) (string, error)
	}](st)
	if !ok {
		return fault.WithHint(fault.WithKind(fmt.Errorf("the store %s is not in Vault", st.URL()), fault.Usage), "--store vault://MOUNT/PREFIX names one that is")
	}
	policy, err := v.Policy(ctx, names, c.Write)
	if err != nil {
		return err
	}
	if done, err := a.data(policyJSON{policy}); done {
		return err
	}
	return a.exact("this policy", policy)
}

// withBundles are names in the store, and those of what bundles need.
func (a *app) withBundles(ctx context.Context, names, bundles []string, yes bool) ([]string, error) {
	if len(bundles) == 0 {
		return names, nil
	}
	m, err := a.manifest(ctx, yes)
	if err != nil {
		return nil, err
	}
	for _, b := range bundles {
		used, err := storeNames(m, b)
		if err != nil {
			return nil, err
		}
		names = append(names, used...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// storeNames are the names in the store of what a bundle needs.
func storeNames(m *manifest.Manifest, name string) ([]string, error) {
	b := m.Bundle(name)
	if b == nil {
		return nil, fault.WithKind(fmt.Errorf("%s has no bundle %q%s", m.File, name, fault.DidYouMean(name, m.BundleNames())), fault.Usage)
	}
	var out []string
	for _, s := range b.Uses() {
		out = append(out, m.Secret(s).StoreName())
	}
	return out, nil
}

// policyJSON is vault policy's JSON.
type policyJSON struct {
	Policy string `json:"policy"`
}
