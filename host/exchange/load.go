package exchange

import (
	"context"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

// LoadOptions say what to load, and how.
type LoadOptions struct {
	// Names are secrets of the store; empty with All.
	Names []string
	All   bool
	// Records, where they are set, are secrets that are at hand already: the store
	// is not asked.
	Records []*store.Record
	// Env brings variables into rhx's env file, instead of native files.
	Env bool
	// To is the file to write, in place of the provider's own.
	To string
	// TTL is after how long the secrets are taken out again; 0 for never.
	TTL time.Duration
	// DryRun changes nothing, and asks nothing.
	DryRun bool
	// Resolve decides what happens where another value stands; nil keeps all.
	Resolve func(deliver.Conflict) deliver.Decision
	// Unsafe is that of [deliver.Options].
	Unsafe bool
	// Warn is told what a user should know beside the outcome; nil for nobody.
	Warn func(text string)
}

// Load brings secrets from the store to a machine. What fails for one secret is in
// its outcome, and stops no other. An error of kind [fault.Partial] beside outcomes is about
// damaged entries of the store, of which it cannot tell which secrets they are.
func (x *Exchange) Load(ctx context.Context, at place.Place, m machine.Machine, opts LoadOptions) ([]session.Outcome, error) {
	recs, unread, unlisted, err := x.wanted(ctx, opts)
	if err != nil {
		return nil, err
	}
	out, err := x.load(ctx, at, m, recs, opts)
	if err != nil {
		return nil, fault.Join(unlisted, err)
	}
	for _, r := range unread {
		out = append(out, session.Failure(at, r.Name, r.Err))
	}
	return out, fault.WithKind(unlisted, fault.Partial)
}

func (x *Exchange) load(ctx context.Context, at place.Place, m machine.Machine, recs []*store.Record, opts LoadOptions) ([]session.Outcome, error) {
	what := deliver.Delivery{Files: recs}
	if opts.Env {
		what = deliver.Delivery{Vars: x.Deliver.Groups(recs, !opts.All)}
	}
	if opts.Records == nil {
		what.Store = x.storeURL(ctx)
	}
	if opts.To != "" {
		what.Paths = map[string]string{}
		for _, rec := range recs {
			what.Paths[rec.Secret.Name] = opts.To
		}
	}
	what.Last(opts.TTL)
	with := deliver.Options{Resolve: opts.Resolve, Unsafe: opts.Unsafe, Warn: opts.Warn}
	if opts.DryRun {
		return x.Deliver.Plan(ctx, at, m, what, with)
	}
	s := x.Book.Begin("load")
	defer s.End()
	return x.Deliver.Deliver(ctx, s, at, m, what, with)
}

// wanted returns records that are at hand, all of the store, or those named. Those that cannot
// be read stop no other; it is an error where none can, or where one is not there.
func (x *Exchange) wanted(ctx context.Context, opts LoadOptions) (recs []*store.Record, unread []records.Read, unlisted, err error) {
	switch {
	case opts.Records != nil:
		return opts.Records, nil, nil, nil
	case opts.All:
		return x.Records.AllReadable(ctx)
	}
	recs, unread, err = x.Records.NamedReadable(ctx, opts.Names)
	return recs, unread, nil, err
}

// storeURL is the URL of the store, which is open by now; "" where secrets are at
// hand without one.
func (x *Exchange) storeURL(ctx context.Context) string {
	st, err := x.Records.Store(ctx)
	if err != nil {
		return ""
	}
	return st.URL()
}

// SyncOptions say what goes to hosts, and how.
type SyncOptions struct {
	// Names are secrets of the store: they go into native files, and those that have
	// variables only into each host's env file.
	Names []string
	// Env brings all of Names into the env file.
	Env bool
	// To is the file of a single secret there, in place of its provider's own.
	To string
	// Bundle, where it is set, is also brought there.
	Bundle *deliver.Delivery
	// Wrap, where it is not 0, sends each host only wrapping tokens of the store,
	// good for so long; the host gets the secrets from the store itself. Not with
	// Bundle, which is composed here.
	Wrap time.Duration
	// TTL is after how long the secrets are taken out again; 0 for never, but for those
	// of which Bundle says it.
	TTL time.Duration
	// Overwrite replaces values that differ.
	Overwrite bool
	// Unsafe is that of [deliver.Options].
	Unsafe bool
	// DryRun changes nothing.
	DryRun bool
	Fleet  fleet.Fleet
	// Done, where it is set, is told each host's result as it comes, one at a time.
	Done func(session.Result)
	// Warn is called by several goroutines.
	Warn func(text string)
}

// Sync brings secrets to several machines at once.
func (x *Exchange) Sync(ctx context.Context, hosts []place.Place, opts SyncOptions) (session.Report, error) {
	var s *session.Session
	if !opts.DryRun {
		s = x.Book.Begin("sync")
		defer s.End()
	}
	what, one, err := x.syncOne(ctx, s, opts)
	if err != nil {
		return nil, err
	}
	whole := func(r session.Result) session.Result {
		if r.Err != nil {
			r.Value = what.Failed(r.At, r.Err)
		}
		return r
	}
	done := func(r session.Result) {
		if opts.Done != nil {
			opts.Done(whole(r))
		}
	}
	var out session.Report
	for _, r := range fleet.Each(ctx, opts.Fleet, hosts, one, done) {
		out = append(out, whole(r))
	}
	return out, nil
}

// syncOne returns what goes to each machine, and what brings it there.
func (x *Exchange) syncOne(ctx context.Context, s *session.Session, opts SyncOptions) (*deliver.Delivery, func(context.Context, place.Place, machine.Machine) ([]session.Outcome, error), error) {
	if opts.Wrap > 0 {
		b, err := x.byToken(ctx, opts)
		if err != nil {
			return nil, nil, err
		}
		what := &deliver.Delivery{}
		for _, name := range opts.Names {
			what.Vars = append(what.Vars, deliver.Group{Name: name, Stored: name})
		}
		return what, func(ctx context.Context, at place.Place, m machine.Machine) ([]session.Outcome, error) {
			return b.Deliver(ctx, s, at, m)
		}, nil
	}
	recs, err := x.Records.GetAll(ctx, opts.Names)
	if err != nil {
		return nil, nil, err
	}
	what := x.Deliver.Compose(recs, opts.Env)
	what.Store = x.storeURL(ctx)
	if opts.To != "" {
		what = deliver.Delivery{Store: what.Store, Files: recs, Paths: map[string]string{}}
		for _, rec := range recs {
			what.Paths[rec.Secret.Name] = opts.To
		}
	}
	if opts.Bundle != nil {
		what.Paths, what.TTL = opts.Bundle.Paths, opts.Bundle.TTL
		what.Files = append(what.Files, opts.Bundle.Files...)
		what.Vars = append(what.Vars, opts.Bundle.Vars...)
	}
	what.Last(opts.TTL)
	with := deliver.Options{Unsafe: opts.Unsafe, Warn: opts.Warn}
	if opts.Overwrite {
		with.Resolve = deliver.ReplaceAll
	}
	return &what, func(ctx context.Context, at place.Place, m machine.Machine) ([]session.Outcome, error) {
		if s == nil {
			return x.Deliver.Plan(ctx, at, m, what, with)
		}
		return x.Deliver.Deliver(ctx, s, at, m, what, with)
	}, nil
}

func (x *Exchange) byToken(ctx context.Context, opts SyncOptions) (*deliver.ByToken, error) {
	st, err := x.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	return deliver.NewByToken(st, deliver.ByToken{
		Deliverer: x.Deliver, TTL: opts.Wrap, Keep: opts.TTL, Names: opts.Names, Env: opts.Env, Overwrite: opts.Overwrite, Warn: opts.Warn,
		Missing: func(ctx context.Context, name string) error { return x.Records.NotFound(ctx, st, name, 0) },
		Records: sync.OnceValues(func() ([]*store.Record, error) { return x.Records.GetAll(ctx, opts.Names) }),
	})
}
