package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// Deleted is the outcome of deleting one secret.
type Deleted struct {
	Name string
	// Removed are the places on the machine that were cleared.
	Removed []secret.Source
	// Left are places on the machine where rhx put the secret and from which it could
	// not be taken; then it is still in the store.
	Left []error
	Err  error
}

// DeleteOptions say how far a deletion goes.
type DeleteOptions struct {
	// Contents removes the secret from the machine too, everywhere that rhx put it.
	Contents bool
	// Destroy removes every version from the store, beyond recovery.
	Destroy bool
}

// Delete deletes secrets from the store. With Contents each is first removed
// from the machine at; one that differs there is left in both places.
func (x *Exchange) Delete(ctx context.Context, at place.Place, m machine.Machine, names []string, opts DeleteOptions) ([]Deleted, error) {
	st, err := x.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	// What is to be beyond recovery is not kept for undo either.
	s := x.Book.BeginFinal("delete --contents")
	if !opts.Destroy {
		s = x.Book.Begin("delete --contents", names...)
	}
	defer s.End()
	out := make([]Deleted, len(names))
	for i, name := range names {
		d := &out[i]
		d.Name, d.Err = name, fault.WithKind(secret.ValidName(name), fault.Usage)
		if opts.Contents && d.Err == nil {
			d.Err = x.removeContents(ctx, s, at, m, d)
		}
		if d.Err == nil {
			d.Err = x.deleteStored(ctx, st, name, opts.Destroy)
		}
	}
	return out, nil
}

func (x *Exchange) deleteStored(ctx context.Context, st store.Store, name string, destroy bool) error {
	del := st.Delete
	if destroy {
		del = st.Destroy
	}
	err := del(ctx, name)
	if destroy && (err == nil || errors.Is(err, store.ErrNotFound)) {
		// Beyond recovery is also what was typed for it, of which nothing can be made any more.
		dropped, dropErr := x.DropDrafts(ctx, name)
		if dropErr != nil {
			return dropErr
		}
		if dropped {
			err = nil
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		err = x.Records.NotFound(ctx, st, name, 0)
	}
	if err != nil {
		return err
	}
	return config.Record(ctx, x.Dirs, x.Local, map[string]config.Location{name: {}})
}

// removeContents takes a secret off a machine: out of its provider's own files, and
// on this machine out of every place where rhx put it.
func (x *Exchange) removeContents(ctx context.Context, s *session.Session, at place.Place, m machine.Machine, d *Deleted) error {
	rec, err := x.Records.Get(ctx, d.Name, 0)
	if err != nil {
		return err
	}
	w, err := x.planOwn(ctx, at, m, rec)
	if err != nil {
		return err
	}
	removals, err := x.planNoted(ctx, at, rec, w)
	if err != nil {
		return err
	}
	// All is planned before anything is written: what differs stays everywhere.
	for _, r := range removals {
		if len(r.Differs) > 0 {
			return keeps(d.Name, fmt.Errorf("%s has other values for %s", r.Where(), joined(r.Differs)))
		}
	}
	if w != nil {
		if err := s.Write(ctx, w); err != nil {
			return err
		}
		for _, o := range w.Outcomes {
			if o.Err != nil {
				return fmt.Errorf("%s: not deleted: %w", d.Name, o.Err)
			}
			d.Removed = append(d.Removed, o.Source)
		}
	}
	for i := range removals {
		r := &removals[i]
		err := x.Remove(ctx, s, r)
		switch {
		case err != nil:
			d.Left = append(d.Left, fmt.Errorf("%s is still in %s: %w", d.Name, r.Where(), err))
		case r.Err == nil:
			for _, o := range r.outcomes() {
				d.Removed = append(d.Removed, o.Source)
			}
		}
	}
	if err := errors.Join(d.Left...); err != nil {
		return fault.WithHint(fault.WithKind(err, fault.Partial), "it was not deleted from the store; take it out by hand and delete it again")
	}
	return nil
}

func keeps(name string, err error) error {
	return fault.WithHint(fmt.Errorf("%s: not deleted: %w", name, err),
		"rhx save "+name+" keeps what this machine has; rhx load --overwrite "+name+" brings it to what is stored")
}

// planOwn plans to take a secret out of its provider's own files; nil where it has
// none.
func (x *Exchange) planOwn(ctx context.Context, at place.Place, m machine.Machine, rec *store.Record) (*session.Work, error) {
	if rec.Secret.Provider == "" || deliver.OwnPath(&rec.Secret) != "" {
		return nil, nil // it is where it was put, which is noted
	}
	sp, err := x.Specs.Get(rec.Secret.Provider)
	if err != nil || len(sp.Files) == 0 {
		return nil, err
	}
	snap, err := provider.Take(ctx, m, x.Guests, []*spec.Spec{sp})
	if err != nil {
		return nil, err
	}
	plan := provider.NewPlan(snap)
	w := &session.Work{At: at, Machine: m, Displaced: map[string]config.Location{}}
	for _, p := range plan.Remove(ctx, sp, &rec.Secret) {
		if p.Err != nil {
			return nil, keeps(rec.Info.Name, p.Err)
		}
		w.Outcomes = append(w.Outcomes, session.Outcome{At: at, Secret: rec.Info.Name, Stored: rec.Info.Name, Placement: p, File: snap.Abs(p.Source.Path)})
		l := w.Displaced[rec.Info.Name]
		l.AddPath(p.Source.Path)
		w.Displaced[rec.Info.Name] = l
	}
	w.Changes = plan.Changes()
	return w, nil
}

// planNoted plans to take a secret out of the places of this machine that config.yaml
// notes, but for those that own clears already.
func (x *Exchange) planNoted(ctx context.Context, at place.Place, rec *store.Record, own *session.Work) ([]Removal, error) {
	if at != place.Here {
		return nil, nil
	}
	placed, err := x.LocalCopies()
	if err != nil {
		return nil, err
	}
	// A secret of a file of its own is there also where rhx did not put it.
	if own := deliver.OwnPath(&rec.Secret); own != "" && !slices.ContainsFunc(placed, func(p LocalCopy) bool { return p.Name == rec.Info.Name && p.Path == own }) {
		placed = append(placed, LocalCopy{rec.Info.Name, config.Location{Path: own}})
	}
	var out []Removal
	for _, p := range placed {
		cleared := own != nil && slices.ContainsFunc(own.Outcomes, func(o session.Outcome) bool { return o.Source.Path != "" && o.Source.Path == p.Path })
		if p.Name == rec.Info.Name && !cleared {
			out = append(out, x.planRemoval(ctx, p, rec))
		}
	}
	return out, nil
}
