package exchange

import (
	"context"
	"fmt"
	"slices"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

// StaleError is a machine's secret that the store has gone on from: to save it would
// bring old values back.
type StaleError struct {
	Name string
	// Has is the version that the machine has, or had last; Newest that of the store.
	Has, Newest int
	// Changed reports that the machine's values are none that the store knows.
	Changed bool
}

func (e *StaleError) Error() string {
	if e.Changed {
		return fmt.Sprintf("this machine last had version %d, its values were changed here since, and the store has version %d by now", e.Has, e.Newest)
	}
	return fmt.Sprintf("this machine has version %d, and the store has version %d", e.Has, e.Newest)
}

// olderVersions bounds how many versions before the newest are compared.
const olderVersions = 5

// stale reports whether a secret of a machine is older than old, the newest version
// in the store, from which it differs.
func (x *Exchange) stale(ctx context.Context, st store.Store, at place.Place, sec *secret.Secret, old *store.Record) error {
	seen, err := x.Book.Seen(ctx, at, sec.Name, st.URL())
	if err != nil {
		return err
	}
	if seen == old.Version {
		return nil // the machine's values are newer than it
	}
	stale := &StaleError{Name: sec.Name, Has: seen, Newest: old.Version, Changed: seen > 0}
	versions, err := st.History(ctx, sec.Name)
	if err != nil {
		versions = nil // a token may not be allowed to list them; the newest could be read
	}
	versions = slices.DeleteFunc(versions, func(v store.Info) bool { return v.Version >= old.Version || v.Deleted })
	for _, v := range versions[:min(len(versions), olderVersions)] {
		if rec, err := st.Get(ctx, sec.Name, v.Version); err == nil && same(rec, sec) {
			stale.Has, stale.Changed = v.Version, false
			break
		}
	}
	if stale.Has == 0 || stale.Has > old.Version {
		return nil
	}
	return fault.WithHint(stale, "rhx load "+sec.Name+" --overwrite takes what is stored; rhx save "+sec.Name+" --overwrite saves what is here")
}

// saw notes that a machine has the versions that were saved or found equal.
func (x *Exchange) saw(ctx context.Context, at place.Place, st store.Store, saved []Saved) {
	versions := map[string]session.Version{}
	for _, s := range saved {
		if s.Err == nil && s.Version > 0 && s.Action != provider.Failed {
			versions[s.Name] = session.Version{Number: s.Version, Store: st.URL()}
		}
	}
	x.Book.Saw(ctx, at, versions)
}
