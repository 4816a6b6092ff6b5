package project

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/expiry"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

// The states of a secret at a place.
const (
	StateSame        = "same"
	StateDiffers     = "differs"
	StateMissing     = "missing"
	StateUnreachable = "unreachable"
)

// Row is one row of the matrix of secrets and places.
type Row struct {
	// Secret is the name in the manifest, or in the store without one.
	Secret string
	// States has one for each place that the secret is to be at.
	States map[place.Place]string
	// Expires says when the secret is to be taken out of a place again, where it is.
	Expires map[place.Place]time.Time
	// Ends is when the secret itself stops working; zero where that is not known.
	Ends time.Time
}

// Status is the matrix of secrets and places.
type Status struct {
	Rows []Row
	// Places are the columns, in order.
	Places []place.Place
	// Unreachable says why a place could not be asked.
	Unreachable map[place.Place]error
	// Waiting are the places that have not answered yet, while it is being shown.
	Waiting map[place.Place]bool
	// Broken are bundles that could not be composed, and secrets of the store and files of this
	// machine that could not be read.
	Broken []error
}

// Err joins what could not be had.
func (s *Status) Err() error {
	errs := slices.Clone(s.Broken)
	for _, at := range s.Places {
		errs = append(errs, s.Unreachable[at])
	}
	return errors.Join(errs...)
}

// Status says of every secret whether the store has it, this machine, and each
// host that is to have it. m is nil for all of the store and this machine alone.
func (p *Project) Status(ctx context.Context, m *manifest.Manifest, f fleet.Fleet) (*Status, error) {
	return p.WatchStatus(ctx, m, f, func(*Status) {})
}

// WatchStatus is Status, of which shown is told what is known whenever a place has answered,
// one call at a time. The Status is that of the result, and not to be kept.
func (p *Project) WatchStatus(ctx context.Context, m *manifest.Manifest, f fleet.Fleet, shown func(*Status)) (*Status, error) {
	names, in := []string(nil), map[string]string{}
	var broken []error
	if m != nil {
		for _, s := range m.Secrets {
			names = append(names, s.Name)
			in[s.Name] = s.StoreName()
		}
	} else {
		infos, unread, err := p.Records.Readable(ctx)
		if err != nil {
			return nil, err
		}
		if unread != nil {
			broken = append(broken, unread)
		}
		for _, info := range infos {
			names = append(names, info.Name)
			in[info.Name] = info.Name
		}
	}
	var wanted []string
	for _, n := range names {
		wanted = append(wanted, in[n])
	}
	stored, unreadable, err := p.Records.ThoseReadable(ctx, wanted)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(unreadable)) {
		broken = append(broken, fmt.Errorf("%s: %w", name, unreadable[name]))
	}
	out := &Status{Places: []place.Place{place.Store, place.Here}, Unreachable: map[place.Place]error{}, Broken: broken, Waiting: map[place.Place]bool{place.Here: true}}
	if m != nil {
		for _, t := range targetsOf(m) {
			if t.at != place.Here {
				out.Places, out.Waiting[t.at] = append(out.Places, t.at), true
			}
		}
	}
	expires, err := p.expires()
	if err != nil {
		out.Broken = append(out.Broken, err)
	}
	for _, n := range names {
		row := Row{Secret: n, States: map[place.Place]string{place.Store: StateMissing}, Expires: expires[in[n]]}
		if rec := stored[in[n]]; rec != nil {
			row.States[place.Store], row.Ends = StateSame, expiry.Of(&rec.Secret)
		}
		if unreadable[in[n]] != nil {
			row.States[place.Store] = StateUnreachable
		}
		out.Rows = append(out.Rows, row)
	}
	shown(out)
	here, unread, err := p.here(ctx, stored)
	if err != nil {
		return nil, err
	}
	out.Broken = append(unread, out.Broken...)
	for i, n := range names {
		if unreadable[in[n]] != nil {
			continue
		}
		if state := stateHere(here[in[n]], m, n, stored[in[n]]); state != "" {
			out.Rows[i].States[place.Here] = state
		}
	}
	delete(out.Waiting, place.Here)
	shown(out)
	if m != nil {
		p.statusOfHosts(ctx, m, f, out, shown)
	}
	return out, nil
}

// expires says, by a secret's name in the store, when it is to be taken out of which
// place; of several files of a place the first time counts.
func (p *Project) expires() (map[string]map[place.Place]time.Time, error) {
	all, err := p.Book.Expiring()
	out := map[string]map[place.Place]time.Time{}
	for _, e := range all {
		at := place.Parse(e.Machine)
		if out[e.Secret] == nil {
			out[e.Secret] = map[place.Place]time.Time{}
		}
		if was, ok := out[e.Secret][at]; !ok || e.Due.Before(was) {
			out[e.Secret][at] = e.Due
		}
	}
	return out, err
}

// stateHere is the state of a secret on this machine, where it was found in one or
// not; "" for one that no tool reads, which is nowhere to be found.
func stateHere(found string, m *manifest.Manifest, name string, rec *store.Record) string {
	if found != "" {
		return found
	}
	var declared *manifest.Secret
	if m != nil {
		declared = m.Secret(name)
	}
	if rec != nil && rec.Secret.Provider == "" || rec == nil && declared != nil && declared.Provider == "" {
		return ""
	}
	return StateMissing
}

// here compares what this machine has with the store: a secret is the same where
// load would find it there already. unread is what could not be compared.
func (p *Project) here(ctx context.Context, stored map[string]*store.Record) (states map[string]string, unread []error, err error) {
	found, err := p.Detector.On(ctx, p.Local)
	if err != nil && len(found) == 0 {
		return nil, nil, err
	}
	var what deliver.Delivery
	for _, rec := range stored {
		what.Files = append(what.Files, rec)
	}
	planned, err := p.Deliver.Plan(ctx, place.Here, p.Local, what, deliver.Options{Unsafe: true})
	if err != nil {
		return nil, nil, err
	}
	out := map[string]string{}
	for _, o := range planned {
		if errors.Is(o.Err, provider.ErrUnread) {
			unread = append(unread, fmt.Errorf("%s: %w", o.Stored, o.Err))
		}
		// What has no file, or none that is known here, is in no file.
		if o.Err == nil || o.Source.Path != "" {
			out[o.Stored] = worse(out[o.Stored], stateOf(o, stored[o.Stored]))
		}
	}
	for _, f := range found {
		rec := stored[f.Name]
		if rec == nil || out[f.Name] != "" && out[f.Name] != StateMissing {
			continue
		}
		// It is not in its file, and may be in the environment.
		if out[f.Name] = StateDiffers; f.State == provider.HasValue && subset(rec, &f) {
			out[f.Name] = StateSame
		}
	}
	return out, unread, nil
}

// subset reports whether a machine has every value of a record.
func subset(rec *store.Record, f *provider.Found) bool {
	for k, v := range rec.Secret.Values {
		if f.Values[k] != v {
			return false
		}
	}
	return true
}

// statusOfHosts says, of each host, which state each of its secrets is in.
func (p *Project) statusOfHosts(ctx context.Context, m *manifest.Manifest, f fleet.Fleet, out *Status, shown func(*Status)) {
	targets := targetsOf(m)
	envs, broken := p.environments(ctx, m, targets, true)
	asked := slices.DeleteFunc(slices.Clone(targets), func(t *target) bool { return broken[t.key()] != nil })
	for _, t := range targets {
		if err := broken[t.key()]; err != nil && !slices.Contains(out.Broken, err) {
			out.Broken = append(out.Broken, err)
		}
		if broken[t.key()] != nil {
			delete(out.Waiting, t.at)
		}
	}
	fleet.Each(ctx, f, placesOf(asked), func(ctx context.Context, at place.Place, mach machine.Machine) ([]session.Outcome, error) {
		return p.Deliver.Plan(ctx, at, mach, envs[targetAt(targets, at).key()].Delivery(), deliver.Options{Unsafe: true})
	}, func(r session.Result) {
		env := envs[targetAt(targets, r.At).key()]
		states := map[string]string{}
		if r.Err != nil {
			out.Unreachable[r.At] = r.Err
			what := env.Delivery()
			for _, name := range what.Names() {
				states[name] = StateUnreachable
			}
		}
		for _, o := range r.Value {
			states[o.Secret] = worse(states[o.Secret], stateOf(o, env.file(o.Secret)))
		}
		for i := range out.Rows {
			// What this machine's tools have was looked up; what is in the env file for want
			// of a tool was not.
			have := out.Rows[i].States
			if state := states[out.Rows[i].Secret]; state != "" && have[r.At] == "" {
				have[r.At] = state
			}
		}
		delete(out.Waiting, r.At)
		shown(out)
	})
}

// file is the record of a secret that is also a native file; nil where it is none.
func (e *Environment) file(name string) *store.Record {
	for _, rec := range e.Files {
		if rec.Secret.Name == name {
			return rec
		}
	}
	return nil
}

// stateOf is the state that a planned outcome tells of; rec is the secret that goes
// into a file, nil for variables.
func stateOf(o session.Outcome, rec *store.Record) string {
	switch o.Action {
	case provider.Unchanged:
		return StateSame
	case provider.Created:
		return StateMissing
	case provider.Updated:
		if o.ModeAlone {
			return StateSame
		}
		// All keys are new where the file has other things.
		if rec != nil && len(o.Keys) == len(rec.Secret.Values) {
			return StateMissing
		}
	}
	return StateDiffers
}

// worse is the state of a secret with places in two states: what is there in part
// differs.
func worse(a, b string) string {
	if a == "" || a == b {
		return b
	}
	return StateDiffers
}
