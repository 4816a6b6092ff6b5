package exchange

import (
	"context"
	"fmt"
	"slices"

	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/session"
)

// SweepOptions say where to take out what is to go.
type SweepOptions struct {
	// Fleet says how hosts are reached; without Open only this machine is swept.
	Fleet fleet.Fleet
	// DryRun changes nothing.
	DryRun bool
}

// Sweep takes out of this machine, and of hosts that can be reached, every secret whose
// time there has passed: see [deliver.Deliverer.Sweep]. It may be called at any time and
// as often as wanted; where nothing expires it costs one look for a file. The error is
// that nothing is known of what is to go.
func (x *Exchange) Sweep(ctx context.Context, opts SweepOptions) (session.Report, error) {
	due, err := x.Book.Due()
	if err != nil {
		return nil, err
	}
	if opts.Fleet.Open == nil {
		due = slices.DeleteFunc(due, func(e session.Expiry) bool { return place.Parse(e.Machine) != place.Here })
	}
	if len(due) == 0 {
		return nil, nil
	}
	// Once, and not for each secret.
	if err := x.Book.CanCompare(ctx); err != nil {
		return nil, fmt.Errorf("what is to be taken out waits: %w", err)
	}
	var at []place.Place
	of := map[place.Place][]session.Expiry{}
	for _, e := range due {
		p := place.Parse(e.Machine)
		if !slices.Contains(at, p) {
			at = append(at, p)
		}
		of[p] = append(of[p], e)
	}
	var s *session.Session
	if !opts.DryRun {
		s = x.Book.Begin("sweep")
		defer s.End()
	}
	f := opts.Fleet
	f.Open = func(p place.Place) machine.Machine {
		if p == place.Here {
			return x.Local
		}
		return opts.Fleet.Open(p)
	}
	return fleet.Each(ctx, f, at, func(ctx context.Context, at place.Place, m machine.Machine) ([]session.Outcome, error) {
		if at != place.Here {
			// An error of the host is one, and not one of each secret.
			if _, err := m.Info(ctx, nil); err != nil {
				return nil, fmt.Errorf("what is to be taken out there waits: %w", err)
			}
		}
		return x.Deliver.Sweep(ctx, x.Book, s, at, m, of[at]), nil
	}, nil), nil
}
