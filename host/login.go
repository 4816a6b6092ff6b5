package host

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Upload is one secret of this machine beside what the store has of it.
type Upload struct {
	Found provider.Found
	// Action is what an upload would do: Created, Updated (its values differ),
	// Unchanged, or Failed, then Err says why.
	Action provider.Action
	// Version is that in the store, 0 for none.
	Version int
	// Keys are those that are new, gone or have another value.
	Keys []string
	Err  error
}

// PlanUpload compares the secrets of a machine with those in the store, and
// changes nothing. One that cannot be read is in the plan as Failed.
func (h *Host) PlanUpload(ctx context.Context, m machine.Machine) ([]Upload, error) {
	found, err := h.Detect(ctx, m)
	if err != nil && len(found) == 0 {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(f provider.Found) bool { return f.State != provider.HasValue && f.State != provider.Invalid })
	return h.planUpload(ctx, found)
}

// planUpload compares secrets with those in the store.
func (h *Host) planUpload(ctx context.Context, found []provider.Found) ([]Upload, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Upload, len(found))
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, f := range found {
		g.Go(func() error {
			out[i] = Upload{Found: f, Action: provider.Failed, Err: f.Err}
			if f.State != provider.Invalid {
				compareStored(ctx, st, &out[i])
			}
			return nil
		})
	}
	_ = g.Wait()
	return out, unreachable(out, func(u Upload) error { return u.Err })
}

func compareStored(ctx context.Context, st store.Store, u *Upload) {
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
		}
	}
}

// unreachable is the error of a list of which every part failed because the
// store cannot be had at all: one error says that better than many.
func unreachable[T any](all []T, errOf func(T) error) error {
	var first error
	for _, one := range all {
		err := errOf(one)
		if !errors.Is(err, store.ErrUnavailable) {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// Upload saves what is new in a plan and, with replace, what differs, as new
// versions of what was compared: a save by somebody else in between is a
// conflict. Without replace, what differs is reported as a Conflict.
func (h *Host) Upload(ctx context.Context, plan []Upload, replace bool) ([]Saved, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Saved, len(plan))
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, u := range plan {
		g.Go(func() error {
			s := Saved{Name: u.Found.Name, Action: u.Action, Version: u.Version, Keys: u.Keys, Err: u.Err, Notes: u.Found.Notes}
			switch {
			case u.Action == provider.Updated && !replace:
				s.Action = provider.Conflict
				s.Err = fault.WithHint(&StoredDiffersError{u.Keys}, "not uploaded; rhx save "+u.Found.Name+" replaces it, rhx load "+u.Found.Name+" --overwrite takes it")
			case u.Action == provider.Created, u.Action == provider.Updated:
				putExpecting(ctx, st, &plan[i].Found.Secret, u.Version, &s)
			}
			out[i] = s
			return nil
		})
	}
	_ = g.Wait()
	return out, nil
}

// StoredDiffersError is a secret of which the store has other values.
type StoredDiffersError struct{ Keys []string }

func (e *StoredDiffersError) Error() string {
	return "the store has other values for " + joined(e.Keys)
}

// Download is what bringing the secrets of the store to this machine would do.
type Download struct {
	// Loaded has one or more elements for each secret.
	Loaded []Loaded
	// Left are secrets that no file or variable of a provider is for.
	Left []string

	recs []*store.Record
}

// PlanDownload compares the secrets in the store with this machine, and changes
// nothing. One that cannot be read is in the plan as Failed.
func (h *Host) PlanDownload(ctx context.Context) (*Download, error) {
	infos, err := h.List(ctx)
	if err != nil {
		return nil, err
	}
	recs := make([]*store.Record, len(infos))
	errs := make([]error, len(infos))
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, info := range infos {
		g.Go(func() error {
			recs[i], errs[i] = h.Get(ctx, info.Name, 0)
			return nil
		})
	}
	_ = g.Wait()
	if err := unreachable(errs, func(e error) error { return e }); err != nil {
		return nil, err
	}
	d := &Download{}
	for i, rec := range recs {
		switch {
		case errors.Is(errs[i], store.ErrNotFound): // deleted meanwhile
		case errs[i] != nil:
			d.Loaded = append(d.Loaded, failedOn(h.Local.Name(), infos[i].Name, errs[i]))
		case rec.Secret.Provider == "":
			d.Left = append(d.Left, rec.Info.Name)
		default:
			d.recs = append(d.recs, rec)
		}
	}
	loaded, err := h.bring(ctx, d.recs, LoadOptions{DryRun: true})
	d.Loaded = append(loaded, d.Loaded...)
	return d, err
}

// Download carries a plan out. With overwrite, values that differ are
// replaced; else they are reported as a Conflict.
func (h *Host) Download(ctx context.Context, d *Download, overwrite bool) ([]Loaded, error) {
	loaded, err := h.bring(ctx, d.recs, LoadOptions{Overwrite: overwrite})
	for _, l := range d.Loaded {
		// What could not be read in the first place.
		if l.Action == provider.Failed && !slices.ContainsFunc(loaded, func(m Loaded) bool { return m.Secret == l.Secret }) {
			loaded = append(loaded, l)
		}
	}
	return loaded, err
}

// bring loads secrets into their files and those that have variables only into
// the env file, unless the environment has their values already.
func (h *Host) bring(ctx context.Context, recs []*store.Record, opts LoadOptions) ([]Loaded, error) {
	placed, err := h.place(ctx, h.Local, recs, opts)
	if err != nil {
		return nil, err
	}
	var out []Loaded
	var vars []*store.Record
	var names []string
	for _, l := range placed {
		if !errors.Is(l.Err, ErrVariablesOnly) {
			out = append(out, l)
			continue
		}
		i := slices.IndexFunc(recs, func(r *store.Record) bool { return r.Info.Name == l.Secret })
		vars, names = append(vars, recs[i]), append(names, recs[i].Secret.Provider)
	}
	if len(vars) == 0 {
		return out, nil
	}
	here, _ := h.Detect(ctx, h.Local, names...)
	vars = slices.DeleteFunc(vars, func(r *store.Record) bool {
		i := slices.IndexFunc(here, func(f provider.Found) bool { return f.Name == r.Info.Name && f.Values.Equal(r.Secret.Values) })
		if i < 0 || len(here[i].Sources) == 0 {
			return false
		}
		out = append(out, Loaded{h.Local.Name(), r.Info.Name, provider.Placement{Source: here[i].Sources[0], Action: provider.Unchanged}})
		return true
	})
	if len(vars) == 0 {
		return out, nil
	}
	loaded, err := h.placeEnv(ctx, h.Local, filepath.ToSlash(h.EnvFile()), h.groups(vars, true), opts)
	return append(out, loaded...), err
}
