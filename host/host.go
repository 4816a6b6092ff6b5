// Package host ties providers, machines and a store together: one method of
// [Host] for each thing a user can do.
package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// parallel bounds the requests to a store that are under way at once.
const parallel = 32

// Host is what the use cases need. Its fields are set once.
type Host struct {
	Specs  *spec.Registry
	Guests provider.Guests
	Dirs   config.Dirs
	// Local is this machine.
	Local machine.Machine
	// Journal keeps what files were, for Undo; nil where nothing is kept.
	Journal *journal.Journal
	// OpenStore opens the store; it is called at most once, when a store is needed.
	OpenStore func(context.Context) (store.Store, error)
	// Progress, where it is set, is told of work in many parts: what is being done
	// ("saving") and to how many. It returns what to call after each part, from
	// any goroutine, and at the end.
	Progress func(doing string, parts int) (step, end func())

	session  *journal.Session
	once     sync.Once
	store    store.Store
	storeErr error
}

// Store returns the store, opened at the first call.
func (h *Host) Store(ctx context.Context) (store.Store, error) {
	h.once.Do(func() { h.store, h.storeErr = h.OpenStore(ctx) })
	return h.store, h.storeErr
}

// Close releases the store, if it was opened.
func (h *Host) Close() error {
	if h.store == nil {
		return nil
	}
	return h.store.Close()
}

// each calls do for 0 to n-1, several at once.
func (h *Host) each(doing string, n int, do func(i int)) {
	step, end := func() {}, func() {}
	if h.Progress != nil && n > 1 {
		step, end = h.Progress(doing, n)
	}
	defer end()
	// Each worker goes on with the stack that it has: those of new goroutines would
	// have to grow for every request.
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(parallel, n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
				step()
			}
		})
	}
	workers.Wait()
}

// Detect returns the secrets on a machine, of the providers names or, without
// names, of all. The error joins what is wrong with specs; the secrets that
// were found are valid all the same.
func (h *Host) Detect(ctx context.Context, m machine.Machine, names ...string) ([]provider.Found, error) {
	specs, specErr := h.specs(names)
	if specErr != nil && (len(specs) == 0 || len(names) > 0) {
		return nil, specErr
	}
	snap, err := provider.Take(ctx, m, h.Guests, specs)
	if err != nil {
		return nil, err
	}
	found := []provider.Found{}
	for _, sp := range specs {
		found = append(found, snap.Extract(ctx, sp)...)
	}
	return found, specErr
}

// specs returns the specs called names, or all.
func (h *Host) specs(names []string) ([]*spec.Spec, error) {
	if len(names) == 0 {
		return h.Specs.All()
	}
	var specs []*spec.Spec
	for _, name := range names {
		sp, err := h.Specs.Get(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(specs, sp) {
			specs = append(specs, sp)
		}
	}
	return specs, nil
}

// List returns what the store holds.
func (h *Host) List(ctx context.Context) ([]store.Info, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	return st.List(ctx)
}

// Get returns one version of a secret, 0 for the newest. For a name that the
// store does not have the error names the nearest one.
func (h *Host) Get(ctx context.Context, name string, version int) (*store.Record, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	if err := secret.ValidName(name); err != nil {
		return nil, fault.WithKind(err, fault.Usage)
	}
	rec, err := st.Get(ctx, name, version)
	if errors.Is(err, store.ErrNotFound) {
		return nil, h.notFound(ctx, st, name, version)
	}
	return rec, err
}

// notFound says what a user can do about a name that the store does not have.
func (h *Host) notFound(ctx context.Context, st store.Store, name string, version int) error {
	where := st.URL()
	if where == "local" {
		where = "the local store"
	}
	what := fmt.Sprintf("no secret %q in %s", name, where)
	if version > 0 {
		what = fmt.Sprintf("no version %d of %q in %s", version, name, where)
	}
	hint := "rhx list shows what is there"
	if old, err := st.History(ctx, name); err == nil && version == 0 && len(old) > 0 {
		hint = "it was deleted"
		if i := slices.IndexFunc(old, func(v store.Info) bool { return !v.Deleted }); i >= 0 {
			hint += fmt.Sprintf("; rhx get %s KEY --version %d reads the version before", name, old[i].Version)
		}
	} else if infos, err := st.List(ctx); err == nil {
		names := make([]string, len(infos))
		for i, info := range infos {
			names[i] = info.Name
		}
		switch {
		case version > 0 && slices.Contains(names, name):
			hint = "rhx show " + name + " lists its versions"
		case len(names) == 0:
			hint = "the store is empty; rhx save --all saves what rhx detect finds"
		case fault.Nearest(name, names) != "":
			hint = "did you mean " + fault.Nearest(name, names) + "?"
		case h.Specs.Known(first(name)):
			hint = "rhx save " + name + " saves it from this machine"
		}
	}
	return fault.WithHint(fault.Mark(errors.New(what), store.ErrNotFound), hint)
}

func first(name string) string {
	p, _, _ := strings.Cut(name, "/")
	return p
}

// History returns the versions of a secret, newest first.
func (h *Host) History(ctx context.Context, name string) ([]store.Info, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	infos, err := st.History(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, h.notFound(ctx, st, name, 0)
	}
	return infos, err
}

// GetAll returns the newest versions of secrets, in the order of names. The
// error joins one for each that cannot be had, and then there is no result.
func (h *Host) GetAll(ctx context.Context, names []string) ([]*store.Record, error) {
	recs := make([]*store.Record, len(names))
	errs := make([]error, len(names))
	h.each("reading", len(names), func(i int) {
		recs[i], errs[i] = h.Get(ctx, names[i], 0)
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return recs, nil
}

// all returns every secret of the store.
func (h *Host) all(ctx context.Context) ([]*store.Record, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	names, ok := namesIn(ctx, st)
	if !ok {
		infos, err := st.List(ctx)
		if err != nil {
			return nil, err
		}
		for _, info := range infos {
			names = append(names, info.Name)
		}
	}
	recs := make([]*store.Record, len(names))
	errs := make([]error, len(names))
	h.each("reading", len(names), func(i int) {
		if recs[i], errs[i] = st.Get(ctx, names[i], 0); errors.Is(errs[i], store.ErrNotFound) {
			recs[i], errs[i] = nil, nil // deleted, before or meanwhile
		}
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(recs, func(r *store.Record) bool { return r == nil }), nil
}

// namesIn returns the names of a store's secrets, and perhaps of deleted ones,
// where it can be asked for them cheaply and answers.
func namesIn(ctx context.Context, st store.Store) ([]string, bool) {
	n, ok := st.(store.Namer)
	if !ok {
		return nil, false
	}
	names, err := n.Names(ctx)
	return names, err == nil
}
