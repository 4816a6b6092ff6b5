// Package records reads the secrets of a store, many at once, and says what to do
// about those that are not there.
package records

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/parallel"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Records is a store, opened when it is first needed. Its fields are set once.
type Records struct {
	// Open opens the store; it is called at most once.
	Open func(context.Context) (store.Store, error)
	// Known reports whether a provider is known by a name; nil knows none.
	Known func(provider string) bool
	// Progress, where it is set, is told of work in many parts: what is being done
	// ("saving") and to how many. It returns what to call after each part, from
	// any goroutine, and at the end.
	Progress func(doing string, parts int) (step, end func())
	// Read, where it is set, is told what was read from the store with its values, at
	// once for what was read together.
	Read func(url string, read []store.Info)
	// Others, where it is set, is told of secrets that are left out of all, since they are not shared
	// with the user.
	Others func(names []string)
	// Ends, where it is set, keeps when secrets stop working.
	Ends *Ends

	once     sync.Once
	store    store.Store
	storeErr error
}

// Store returns the store, opened at the first call.
func (r *Records) Store(ctx context.Context) (store.Store, error) {
	r.once.Do(func() { r.store, r.storeErr = r.Open(ctx) })
	return r.store, r.storeErr
}

// Close releases the store, if it was opened.
func (r *Records) Close() error {
	if r.store == nil {
		return nil
	}
	return r.store.Close()
}

// Each calls do for 0 to n-1, several at once, and shows how far it is.
func (r *Records) Each(doing string, n int, do func(i int)) {
	step, end := func() {}, func() {}
	if r.Progress != nil && n > 1 {
		step, end = r.Progress(doing, n)
	}
	defer end()
	parallel.Do(parallel.Requests, n, func(i int) {
		do(i)
		step()
	})
}

// List returns what the store holds.
func (r *Records) List(ctx context.Context) ([]store.Info, error) {
	st, err := r.Store(ctx)
	if err != nil {
		return nil, err
	}
	return st.List(ctx)
}

// Readable is List without what is not shared with the user, and where some secrets of the store
// cannot be told, which stop no other: unread names them.
func (r *Records) Readable(ctx context.Context) (infos []store.Info, unread, err error) {
	infos, err = r.List(ctx)
	if err != nil && fault.KindOf(err) != fault.Partial {
		return nil, nil, err
	}
	unread = err
	infos, err = r.mineOf(ctx, infos, r.Others)
	return infos, unread, err
}

// mineOf is Mine of what is listed.
func (r *Records) mineOf(ctx context.Context, infos []store.Info, tell func([]string)) ([]store.Info, error) {
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name
	}
	mine, err := r.mine(ctx, names, tell)
	if err != nil || len(mine) == len(infos) {
		return infos, err
	}
	is := map[string]bool{}
	for _, name := range mine {
		is[name] = true
	}
	return slices.DeleteFunc(slices.Clone(infos), func(i store.Info) bool { return !is[i.Name] }), nil
}

// Mine are those of names, which are all of the store, that are shared with the user; all where the
// store has nothing that is not.
func (r *Records) Mine(ctx context.Context, names []string) ([]string, error) {
	return r.mine(ctx, names, r.Others)
}

func (r *Records) mine(ctx context.Context, names []string, tell func([]string)) ([]string, error) {
	st, err := r.Store(ctx)
	if err != nil {
		return nil, err
	}
	sharer, ok := store.As[store.Sharer](st)
	if !ok {
		return names, nil
	}
	others, err := sharer.Others(ctx, names)
	if err != nil || len(others) == 0 {
		return names, err
	}
	if tell != nil {
		tell(others)
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) }), nil
}

// Names returns the names of a store's secrets, and perhaps of deleted ones,
// sorted, where it can be asked for them cheaply and answers.
func Names(ctx context.Context, st store.Store) ([]string, bool) {
	n, ok := store.As[store.Namer](st)
	if !ok {
		return nil, false
	}
	names, err := n.Names(ctx)
	if err != nil {
		return nil, false
	}
	return names, true
}

// Get returns one version of a secret, 0 for the newest. For a name that the
// store does not have the error names the nearest one.
func (r *Records) Get(ctx context.Context, name string, version int) (*store.Record, error) {
	st, err := r.Store(ctx)
	if err != nil {
		return nil, err
	}
	if err := secret.ValidName(name); err != nil {
		return nil, fault.WithKind(err, fault.Usage)
	}
	rec, err := st.Get(ctx, name, version)
	if errors.Is(err, store.ErrNotFound) {
		return nil, r.NotFound(ctx, st, name, version)
	}
	if err == nil && r.Read != nil {
		r.Read(st.URL(), []store.Info{rec.Info})
	}
	return rec, err
}

// NotFound says what a user can do about a name that the store does not have.
func (r *Records) NotFound(ctx context.Context, st store.Store, name string, version int) error {
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
		if !old[0].Destroyed {
			hint += "; rhx undelete " + name + " brings it back"
		}
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
		case r.Known != nil && r.Known(providerOf(name)):
			hint = "rhx save " + name + " saves it from this machine"
		}
	}
	return fault.WithHint(fault.Mark(errors.New(what), store.ErrNotFound), hint)
}

// History returns the versions of a secret, newest first.
func (r *Records) History(ctx context.Context, name string) ([]store.Info, error) {
	st, err := r.Store(ctx)
	if err != nil {
		return nil, err
	}
	infos, err := st.History(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, r.NotFound(ctx, st, name, 0)
	}
	return infos, err
}

// Read is what the store has under one name: a record, or why not.
type Read struct {
	Name   string
	Record *store.Record
	// Err matches store.ErrNotFound where there is no such secret.
	Err error
}

// ReadMany reads the newest versions of secrets, in the order of names. What is
// wrong with one is in its Read; the error is that of the store as a whole. For no
// names the store is not opened.
func (r *Records) ReadMany(ctx context.Context, names []string) ([]Read, error) {
	if len(names) == 0 {
		return nil, nil
	}
	st, err := r.Store(ctx)
	if err != nil {
		return nil, err
	}
	if t, ok := store.As[store.Together](st); ok && len(names) > 1 {
		defer t.Together()()
	}
	out := make([]Read, len(names))
	r.Each("reading", len(names), func(i int) {
		out[i].Name = names[i]
		if out[i].Err = fault.WithKind(secret.ValidName(names[i]), fault.Usage); out[i].Err == nil {
			out[i].Record, out[i].Err = st.Get(ctx, names[i], 0)
		}
	})
	var infos []store.Info
	for _, read := range out {
		if read.Err == nil {
			infos = append(infos, read.Record.Info)
		}
	}
	if len(infos) > 0 && r.Read != nil {
		r.Read(st.URL(), infos)
	}
	return out, Unavailable(out, func(read Read) error { return read.Err })
}

// Unavailable is the error of a list of which every part failed because the store cannot
// be had at all, or because nobody can be asked for its passphrase: one error says that
// better than many.
func Unavailable[T any](all []T, errOf func(T) error) error {
	var first error
	for _, one := range all {
		err := errOf(one)
		if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, fault.ErrUnasked) {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// GetAll returns the newest versions of secrets, in the order of names. The
// error joins one for each that cannot be had, and then there is no result.
func (r *Records) GetAll(ctx context.Context, names []string) ([]*store.Record, error) {
	reads, err := r.ReadMany(ctx, names)
	if err != nil {
		return nil, err
	}
	recs := make([]*store.Record, len(reads))
	var errs []error
	for i, read := range reads {
		if errors.Is(read.Err, store.ErrNotFound) {
			read.Err = r.NotFound(ctx, r.store, read.Name, 0)
		}
		recs[i], errs = read.Record, append(errs, read.Err)
	}
	if err := fault.Join(errs...); err != nil {
		return nil, err
	}
	return recs, nil
}

// Those returns the records that the store has of those named, by name. One that
// is there and cannot be read is an error.
func (r *Records) Those(ctx context.Context, names []string) (map[string]*store.Record, error) {
	reads, err := r.ReadMany(ctx, names)
	if err != nil {
		return nil, err
	}
	out := map[string]*store.Record{}
	for _, read := range reads {
		switch {
		case read.Err == nil:
			out[read.Name] = read.Record
		case !errors.Is(read.Err, store.ErrNotFound):
			return nil, read.Err
		}
	}
	return out, nil
}

// ThoseReadable is Those where some cannot be read, which stop no other; it is an error where none
// can.
func (r *Records) ThoseReadable(ctx context.Context, names []string) (out map[string]*store.Record, unread map[string]error, err error) {
	reads, err := r.ReadMany(ctx, names)
	if err != nil {
		return nil, nil, err
	}
	out, unread = map[string]*store.Record{}, map[string]error{}
	for _, read := range reads {
		switch {
		case read.Err == nil:
			out[read.Name] = read.Record
		case !errors.Is(read.Err, store.ErrNotFound):
			unread[read.Name] = read.Err
			err = cmp.Or(err, read.Err)
		}
	}
	if len(out) > 0 || len(unread) == 0 {
		return out, unread, nil
	}
	return nil, nil, err
}

// All returns every secret of the store.
func (r *Records) All(ctx context.Context) ([]*store.Record, error) {
	recs, unread, unlisted, err := r.AllReadable(ctx)
	if err != nil {
		return nil, err
	}
	if err := fault.Join(unlisted, joined(unread)); err != nil {
		return nil, err
	}
	return recs, nil
}

// AllReadable is All that goes on past secrets which cannot be read, and returns those as unread.
// unlisted is about damaged entries of which the store cannot tell the names. It is an error
// where none can be read.
func (r *Records) AllReadable(ctx context.Context) (recs []*store.Record, unread []Read, unlisted, err error) {
	st, err := r.Store(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	names, ok := Names(ctx, st)
	if !ok {
		infos, err := st.List(ctx)
		if err != nil && fault.KindOf(err) != fault.Partial {
			return nil, nil, nil, err
		}
		unlisted = err
		for _, info := range infos {
			names = append(names, info.Name)
		}
	}
	if names, err = r.Mine(ctx, names); err != nil {
		return nil, nil, nil, err
	}
	reads, err := r.ReadMany(ctx, names)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, read := range reads {
		switch {
		case read.Err == nil:
			recs = append(recs, read.Record)
		case !errors.Is(read.Err, store.ErrNotFound): // deleted, before or meanwhile
			unread = append(unread, read)
		}
	}
	if len(recs) == 0 {
		return nil, nil, nil, fault.Join(unlisted, joined(unread))
	}
	return recs, unread, unlisted, nil
}

// NamedReadable is GetAll that goes on past secrets which cannot be read, and returns those as
// unread. It is an error where none can be read, and where the store has no secret of a name:
// the name may be mistyped.
func (r *Records) NamedReadable(ctx context.Context, names []string) (recs []*store.Record, unread []Read, err error) {
	reads, err := r.ReadMany(ctx, names)
	if err != nil {
		return nil, nil, err
	}
	stop := false
	for _, read := range reads {
		switch {
		case read.Err == nil:
			recs = append(recs, read.Record)
			continue
		case errors.Is(read.Err, store.ErrNotFound):
			read.Err = r.NotFound(ctx, r.store, read.Name, 0)
			stop = true
		case fault.KindOf(read.Err) == fault.Usage:
			stop = true
		}
		unread = append(unread, read)
	}
	if stop || len(recs) == 0 {
		return nil, nil, joined(unread)
	}
	return recs, unread, nil
}

// joined is why secrets cannot be had.
func joined(unread []Read) error {
	errs := make([]error, len(unread))
	for i, read := range unread {
		errs[i] = read.Err
	}
	return fault.Join(errs...)
}

// providerOf is the provider that a secret's name begins with.
func providerOf(name string) string {
	p, _ := secret.SplitName(name)
	return p
}

// Versions returns every version of secrets that can still be read, in the order of names
// and the newest first; for no names of all secrets. What cannot be read is joined in the
// error, beside the others.
func (r *Records) Versions(ctx context.Context, names []string) ([]*store.Record, error) {
	st, err := r.Store(ctx)
	if err != nil {
		return nil, err
	}
	var listErr error
	if len(names) == 0 {
		var infos []store.Info
		if infos, listErr = st.List(ctx); listErr != nil && fault.KindOf(listErr) != fault.Partial {
			return nil, listErr
		}
		for _, info := range infos {
			names = append(names, info.Name)
		}
		if names, err = r.Mine(ctx, names); err != nil {
			return nil, err
		}
	}
	recs, err := r.versions(ctx, st, names)
	return recs, fault.Join(listErr, err)
}

func (r *Records) versions(ctx context.Context, st store.Store, names []string) ([]*store.Record, error) {
	if len(names) == 0 {
		return nil, nil
	}
	type all struct {
		recs []*store.Record
		err  error
	}
	found := make([]all, len(names))
	r.Each("reading", len(names), func(i int) {
		infos, err := r.History(ctx, names[i])
		if err != nil && fault.KindOf(err) != fault.Partial {
			found[i].err = err
			return
		}
		for _, info := range infos {
			if info.Deleted {
				continue
			}
			rec, getErr := st.Get(ctx, names[i], info.Version)
			if getErr == nil {
				found[i].recs = append(found[i].recs, rec)
			} else if !errors.Is(getErr, store.ErrNotFound) { // deleted meanwhile
				err = fault.Join(err, getErr)
			}
		}
		found[i].err = err
	})
	var recs []*store.Record
	var infos []store.Info
	var errs []error
	for _, f := range found {
		if len(f.recs) > 0 {
			infos = append(infos, f.recs[0].Info)
		}
		recs, errs = append(recs, f.recs...), append(errs, f.err)
	}
	if len(infos) > 0 && r.Read != nil {
		r.Read(st.URL(), infos)
	}
	return recs, fault.Join(errs...)
}
