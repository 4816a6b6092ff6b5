// Package detect finds the secrets that a machine has.
package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// ErrNone is that of a secret that the machine has not.
var ErrNone = errors.New("not on this machine")

// Detector knows the providers.
type Detector struct {
	Specs  *spec.Registry
	Guests provider.Guests
}

// On returns the secrets on a machine, in the order of their providers' names: all, or
// those that names has, each a provider (aws) or a secret (aws/prod). A secret of
// names that is not there is an error, which suggests another one. An error beside
// secrets joins what is wrong with specs; the secrets are valid all the same.
func (d *Detector) On(ctx context.Context, m machine.Machine, names ...string) ([]provider.Found, error) {
	var providers, secrets []string
	for _, name := range names {
		p, _ := secret.SplitName(name)
		if providers = append(providers, p); p != name {
			secrets = append(secrets, name)
		}
	}
	specs, specErr := d.possible(m, providers)
	if specErr != nil && (len(specs) == 0 || len(names) > 0) {
		return nil, specErr
	}
	snap, err := provider.Take(ctx, m, d.Guests, specs)
	if err != nil {
		return nil, err
	}
	found := []provider.Found{}
	for _, sp := range slices.SortedStableFunc(slices.Values(specs), func(a, b *spec.Spec) int { return strings.Compare(a.Name, b.Name) }) {
		found = append(found, snap.Extract(ctx, sp)...)
	}
	if len(secrets) > 0 {
		var err error
		if found, err = d.only(found, names, secrets); err != nil {
			return nil, err
		}
	}
	return found, specErr
}

// only returns what is of the providers or secrets that names are; secrets are those
// of names that name one secret.
func (d *Detector) only(found []provider.Found, names, secrets []string) ([]provider.Found, error) {
	wanted := map[string]bool{}
	for _, name := range names {
		p, profile := secret.SplitName(name)
		sp, err := d.Specs.Get(p)
		if err != nil {
			return nil, err
		}
		if p != name {
			wanted[secret.Name(sp.Name, profile)] = true
		} else {
			wanted[sp.Name] = true
		}
	}
	whole := func(name string) bool { return slices.Contains(names, name) && !slices.Contains(secrets, name) }
	var there []string
	out := slices.DeleteFunc(slices.Clone(found), func(f provider.Found) bool {
		there = append(there, f.Name)
		return !wanted[f.Name] && !(whole(f.Provider) && wanted[f.Provider]) && !(f.State == provider.Invalid && f.Profile == "")
	})
	for _, name := range secrets {
		p, profile := secret.SplitName(name)
		sp, _ := d.Specs.Get(p) // it was there above
		if full := secret.Name(sp.Name, profile); !slices.Contains(there, full) && !slices.ContainsFunc(out, func(f provider.Found) bool { return f.State == provider.Invalid }) {
			return nil, fault.WithHint(fault.Mark(fmt.Errorf("no %s on this machine%s", name, fault.DidYouMean(full, there)), ErrNone), "rhx detect "+sp.Name+" lists what there is of it")
		}
	}
	return out, nil
}

// possible returns the specs called names or, without names, those of which there
// may be something on the machine: of the hundreds that there are, most have nothing.
func (d *Detector) possible(m machine.Machine, names []string) ([]*spec.Spec, error) {
	if l, ok := m.(machine.Looker); ok && len(names) == 0 {
		return d.Specs.Possible(l.Look(d.Specs.Paths()))
	}
	return d.specs(names)
}

// specs returns the specs called names, or all.
func (d *Detector) specs(names []string) ([]*spec.Spec, error) {
	if len(names) == 0 {
		return d.Specs.All()
	}
	var specs []*spec.Spec
	for _, name := range names {
		sp, err := d.Specs.Get(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(specs, sp) {
			specs = append(specs, sp)
		}
	}
	return specs, nil
}
