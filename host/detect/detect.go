// Package detect finds the secrets that a machine has.
package detect

import (
	"context"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/spec"
)

// Detector knows the providers.
type Detector struct {
	Specs  *spec.Registry
	Guests provider.Guests
}

// On returns the secrets on a machine, of the providers names or, without names,
// of all. The error joins what is wrong with specs; the secrets that were found
// are valid all the same. They are in the order of their providers' names.
func (d *Detector) On(ctx context.Context, m machine.Machine, names ...string) ([]provider.Found, error) {
	specs, specErr := d.possible(m, names)
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
	return found, specErr
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
