package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

// Undelete brings a deleted secret back, with the version that was the newest. It
// returns that version.
func (x *Exchange) Undelete(ctx context.Context, name string) (int, error) {
	st, err := x.Records.Store(ctx)
	if err != nil {
		return 0, err
	}
	if rec, err := st.Get(ctx, name, 0); err == nil {
		return 0, fault.WithKind(fmt.Errorf("%s is not deleted: it has version %d", name, rec.Version), fault.Usage)
	}
	err = st.Undelete(ctx, name, 0)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, x.Records.NotFound(ctx, st, name, 0)
	case err != nil:
		return 0, err
	}
	rec, err := st.Get(ctx, name, 0)
	if err != nil {
		return 0, err
	}
	return rec.Version, nil
}

// version returns one version of a secret, also a deleted one, which is brought back
// for that.
func (x *Exchange) version(ctx context.Context, name string, number int) (*store.Record, error) {
	rec, err := x.Records.Get(ctx, name, number)
	if !errors.Is(err, store.ErrNotFound) {
		return rec, err
	}
	st, openErr := x.Records.Store(ctx)
	if openErr != nil {
		return nil, openErr
	}
	if st.Undelete(ctx, name, number) != nil {
		return nil, err // which says what can be done
	}
	return x.Records.Get(ctx, name, number)
}

// Undo takes back a session: its files on all machines, and what it deleted from the
// store.
func (x *Exchange) Undo(ctx context.Context, last *journal.Last, f fleet.Fleet, opts journal.UndoOptions) (undone []session.Undone, restored []string, err error) {
	deleted, err := session.Deletes(last)
	if err != nil {
		return nil, nil, err
	}
	if !opts.DryRun && len(deleted) > 0 {
		// Before any file is written: opening a store may start rhx anew.
		if _, err := x.Records.Store(ctx); err != nil {
			return nil, nil, err
		}
	}
	timed, err := x.Book.Expiring()
	if err != nil {
		timed = nil // which Undo says
	}
	if undone, err = x.Book.Undo(ctx, last, f, opts); err != nil || opts.DryRun {
		return undone, nil, err
	}
	x.endTimers(ctx, f, timed, undone)
	var errs []error
	for _, name := range deleted {
		st, err := x.Records.Store(ctx)
		if err != nil {
			return undone, restored, err
		}
		if _, err := st.Get(ctx, name, 0); err == nil {
			continue // it was not deleted, or somebody saved it since
		}
		if err := st.Undelete(ctx, name, 0); err != nil && !errors.Is(err, store.ErrNotFound) {
			errs = append(errs, fmt.Errorf("bring %s back in the store: %w", name, err))
		} else if err == nil {
			restored = append(restored, name)
		}
	}
	return undone, restored, errors.Join(errs...)
}

// endTimers ends what was to remove files of hosts that were brought back to what they
// were: the same bytes may be placed there again, for good.
func (x *Exchange) endTimers(ctx context.Context, f fleet.Fleet, timed []session.Expiry, undone []session.Undone) {
	files := map[place.Place][]string{}
	var hosts []place.Place
	for _, u := range undone {
		if u.At == place.Here || !u.Restored || !slices.ContainsFunc(timed, func(e session.Expiry) bool {
			return e.Whole != "" && e.Machine == u.At.String() && e.File == u.Path
		}) {
			continue
		}
		if files[u.At] == nil {
			hosts = append(hosts, u.At)
		}
		files[u.At] = append(files[u.At], u.Path)
	}
	for _, r := range fleet.Each(ctx, f, hosts, func(ctx context.Context, at place.Place, m machine.Machine) (struct{}, error) {
		return struct{}{}, deliver.EndTimers(ctx, m, files[at])
	}, nil) {
		if r.Err != nil && x.Book.Warn != nil {
			x.Book.Warn(fmt.Sprintf("%s: what was to remove files there was not ended: if they are placed there again before, they go: %v", r.At, r.Err))
		}
	}
}
