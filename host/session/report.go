package session

import (
	"errors"
	"fmt"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/place"
)

// Result is what a command did, or would do, at one place. Where the place as a whole
// failed, Err says so, and Value has an outcome with that error for each secret.
type Result = fleet.Result[[]Outcome]

// Report is what a command did, or would do, place by place.
type Report []Result

// Outcomes are those of all places, in order.
func (r Report) Outcomes() []Outcome {
	var out []Outcome
	for _, p := range r {
		out = append(out, p.Value...)
	}
	return out
}

// FailedAt returns the places at which something failed, in order.
func (r Report) FailedAt() []place.Place {
	var out []place.Place
	for _, p := range r {
		if errOf(p) != nil {
			out = append(out, p.At)
		}
	}
	return out
}

// Changes reports whether something was changed, or would be.
func (r Report) Changes() bool {
	for _, o := range r.Outcomes() {
		if o.Changes() {
			return true
		}
	}
	return false
}

// Err is nil where nothing failed. Else it joins an error for each place that could
// not be had, and for each secret that failed elsewhere; its kind is fault.Partial
// where something was done, or was there already.
func (r Report) Err() error {
	var errs []error
	good := false
	for _, p := range r {
		errs = append(errs, errOf(p))
		for _, o := range p.Value {
			good = good || o.Err == nil
		}
	}
	err := errors.Join(errs...)
	if good {
		err = fault.WithKind(err, fault.Partial)
	}
	return err
}

// errOf is what failed at one place.
func errOf(p Result) error {
	if p.Err != nil {
		return fmt.Errorf("%s: %w", p.At, p.Err)
	}
	var errs []error
	for _, o := range p.Value {
		if o.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", o.At, o.Secret, o.Err))
		}
	}
	return errors.Join(errs...)
}
