package exchange

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/parallel"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

// Upload is one secret of this machine beside what the store has of it.
type Upload struct {
	Found provider.Found
	// Action is what an upload would do: Created, Updated (its values differ),
	// Unchanged, or Failed or Conflict, then Err says why.
	Action provider.Action
	// Version is that in the store, 0 for none.
	Version int
	// Keys are those that are new, gone or have another value.
	Keys []string
	Err  error
}

// PlanUpload compares the secrets of a machine with those in the store, and
// changes nothing. One that cannot be read is in the plan as Failed.
func (x *Exchange) PlanUpload(ctx context.Context, m machine.Machine) ([]Upload, error) {
	found, err := x.Detector.On(ctx, m)
	if err != nil && len(found) == 0 {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(f provider.Found) bool { return f.State != provider.HasValue && f.State != provider.Invalid })
	st, err := x.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	return x.planUpload(ctx, slices.DeleteFunc(found, func(f provider.Found) bool { return opens(f, st) }), nil)
}

// opens reports whether a secret is what opens the store: it is of no use in it, and
// whoever can read the store would get it.
func opens(f provider.Found, st store.Store) bool {
	return f.Provider == "vault" && strings.HasPrefix(st.URL(), "vault://")
}

// planUpload compares secrets with those in the store. may, where it is set, is asked
// about one whose values differ: its error makes it a Conflict.
func (x *Exchange) planUpload(ctx context.Context, found []provider.Found, may func(sec *secret.Secret, old *store.Record) error) ([]Upload, error) {
	st, err := x.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Upload, len(found))
	parallel.Do(parallel.Requests, len(found), func(i int) {
		f := found[i]
		out[i] = Upload{Found: f, Action: provider.Failed, Err: f.Err}
		if f.State != provider.Invalid {
			compareStored(ctx, st, &out[i], may)
		}
	})
	return out, records.Unavailable(out, func(u Upload) error { return u.Err })
}

func compareStored(ctx context.Context, st store.Store, u *Upload, may func(*secret.Secret, *store.Record) error) {
	if u.Err = secret.ValidName(u.Found.Name); u.Err != nil {
		return
	}
	old, err := st.Get(ctx, u.Found.Name, 0)
	switch {
	case errors.Is(err, store.ErrNotFound):
		u.Action, u.Keys = provider.Created, u.Found.Values.Keys()
	case err != nil:
		u.Err = err
	default:
		u.Version, u.Action = old.Version, provider.Unchanged
		if !same(old, &u.Found.Secret) {
			u.Action, u.Keys = provider.Updated, u.Found.Values.Diff(old.Secret.Values)
			if may == nil {
				return
			}
			if u.Err = may(&u.Found.Secret, old); u.Err != nil {
				u.Action = provider.Conflict
			}
		}
	}
}

// Upload saves what is new in a plan and, with replace, what differs, as new
// versions of what was compared: a save by somebody else in between is a
// conflict. Without replace, what differs is reported as a Conflict.
func (x *Exchange) Upload(ctx context.Context, plan []Upload, replace bool) ([]Saved, error) {
	st, err := x.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Saved, len(plan))
	x.Records.Each("saving", len(plan), func(i int) {
		u := plan[i]
		s := Saved{Name: u.Found.Name, Action: u.Action, Version: u.Version, Keys: u.Keys, Err: u.Err, Notes: u.Found.Notes}
		switch {
		case u.Action == provider.Updated && !replace:
			s.Action = provider.Conflict
			s.Err = fault.WithHint(&StoredDiffersError{u.Keys}, "not uploaded; rhx save "+u.Found.Name+" replaces it, rhx load "+u.Found.Name+" --overwrite takes it")
		case u.Action == provider.Created, u.Action == provider.Updated:
			putExpecting(ctx, st, &plan[i].Found.Secret, u.Version, &s)
		}
		out[i] = s
	})
	return out, nil
}

// StoredDiffersError is a secret of which the store has other values.
type StoredDiffersError struct{ Keys []string }

func (e *StoredDiffersError) Error() string {
	return "the store has other values for " + strings.Join(e.Keys, ", ")
}

// Download is what bringing the secrets of the store to this machine would do.
type Download struct {
	// Outcomes has one or more elements for each secret.
	Outcomes []session.Outcome
	// Left are secrets that no file or variable of a provider is for.
	Left []string

	what   deliver.Delivery
	there  []session.Outcome // of what the environment has already
	unread []session.Outcome // of what cannot be read
}

// PlanDownload compares the secrets in the store with this machine, and changes
// nothing. One that cannot be read is in the plan as Failed; those of which not even the name can
// be had are the error, beside the plan.
func (x *Exchange) PlanDownload(ctx context.Context) (*Download, error) {
	infos, unread, err := x.Records.Readable(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name
	}
	reads, err := x.Records.ReadMany(ctx, names)
	if err != nil {
		return nil, err
	}
	d := &Download{}
	var recs []*store.Record
	for _, r := range reads {
		switch {
		case errors.Is(r.Err, store.ErrNotFound): // deleted meanwhile
		case r.Err != nil:
			d.unread = append(d.unread, session.Failure(place.Here, r.Name, r.Err))
		case r.Record.Secret.Provider == "":
			d.Left = append(d.Left, r.Name)
		default:
			recs = append(recs, r.Record)
		}
	}
	d.what, d.there = x.fitting(ctx, recs)
	d.what.Store = x.storeURL(ctx)
	planned, err := x.Deliver.Plan(ctx, place.Here, x.Local, d.what, deliver.Options{})
	d.Outcomes = slices.Concat(planned, d.there, d.unread)
	return d, cmp.Or(err, unread)
}

// fitting divides secrets into those with files and those with variables only, of
// which the ones that the environment has already are left out: they are there.
func (x *Exchange) fitting(ctx context.Context, recs []*store.Record) (what deliver.Delivery, there []session.Outcome) {
	var vars []*store.Record
	var names []string
	for _, rec := range recs {
		if sp, err := x.Specs.Get(rec.Secret.Provider); err == nil && len(sp.Files) == 0 {
			vars, names = append(vars, rec), append(names, sp.Name)
		} else {
			what.Files = append(what.Files, rec)
		}
	}
	if len(vars) == 0 {
		return what, nil
	}
	here, _ := x.Detector.On(ctx, x.Local, names...) // what cannot be read is not there
	vars = slices.DeleteFunc(vars, func(r *store.Record) bool {
		i := slices.IndexFunc(here, func(f provider.Found) bool { return f.Name == r.Info.Name && f.Values.Equal(r.Secret.Values) })
		if i < 0 || len(here[i].Sources) == 0 {
			return false
		}
		there = append(there, session.Outcome{At: place.Here, Secret: r.Info.Name, Stored: r.Info.Name,
			Placement: provider.Placement{Source: here[i].Sources[0], Action: provider.Unchanged}})
		return true
	})
	what.Vars = x.Deliver.Groups(vars, false)
	return what, there
}

// Download carries a plan out. With overwrite, values that differ are
// replaced; else they are reported as a Conflict.
func (x *Exchange) Download(ctx context.Context, d *Download, overwrite bool) ([]session.Outcome, error) {
	s := x.Book.Begin("login")
	defer s.End()
	var opts deliver.Options
	if overwrite {
		opts.Resolve = deliver.ReplaceAll
	}
	done, err := x.Deliver.Deliver(ctx, s, place.Here, x.Local, d.what, opts)
	return slices.Concat(done, d.there, d.unread), err
}
