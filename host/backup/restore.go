package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/semaphore"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Step is what becomes, or would become, of one secret of a backup.
type Step struct {
	Name string
	// Action is Created where the store does not have the secret, Updated where versions
	// are added to those that it has, Unchanged, Conflict or Failed.
	Action provider.Action
	// Keys are the keys whose values differ from the store's.
	Keys []string
	// Added is how many versions are put into the store.
	Added int
	// After is the store's version that they follow; 0 for none.
	After int
	// Deleted reports that the secret is deleted in the backup, and so then.
	Deleted bool
	// Differs reports that the store has other values, or has what is deleted in the
	// backup.
	Differs bool
	// Version is the newest one in the store, when that is done.
	Version int
	Err     error

	put       []version
	overwrite bool
	// expect is the newest version that the store has, or 0 for none that is not deleted.
	expect int
	// first reports that the store's newest version is deleted before.
	first bool
}

// memory bounds the values that are in memory at once, in bytes. A version with many
// short values takes expands times as much as its text.
const (
	memory  = 128 << 20
	expands = 16
)

// Plan compares a backup with the store. With overwrite other values in the store are
// replaced.
func (b *Backup) Plan(ctx context.Context, f *File, overwrite bool) ([]Step, error) {
	st, err := b.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	steps := make([]Step, len(f.secrets))
	b.each(ctx, f, "comparing", func(i int) {
		steps[i] = f.plan(ctx, st, f.secrets[i], overwrite)
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return steps, records.Unavailable(steps, func(s Step) error { return s.Err })
}

// each calls do for every secret of a backup, several at once.
func (b *Backup) each(ctx context.Context, f *File, doing string, do func(i int)) {
	room := semaphore.NewWeighted(memory)
	b.Records.Each(doing, len(f.secrets), func(i int) {
		size := 1
		for _, v := range f.secrets[i].all {
			size = max(size, v.size)
		}
		need := min(int64(size)*expands, memory)
		if room.Acquire(ctx, need) == nil {
			defer room.Release(need)
		}
		do(i)
	})
}

// plan compares one secret.
func (f *File) plan(ctx context.Context, st store.Store, s versions, overwrite bool) Step {
	step, err := f.compare(ctx, st, s, overwrite)
	step.Name, step.overwrite = s.name, overwrite
	if step.Err = err; err != nil && step.Action == "" {
		step.Action = provider.Failed
	}
	return step
}

func (f *File) compare(ctx context.Context, st store.Store, s versions, overwrite bool) (Step, error) {
	if err := ctx.Err(); err != nil {
		return Step{}, err
	}
	newest := s.all[len(s.all)-1]
	want, err := f.secret(s.name, newest)
	if err != nil {
		return Step{}, err
	}
	now, err := st.Get(ctx, s.name, 0)
	live := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Step{}, err
	}
	if live && !s.deleted && same(&now.Secret, want) {
		return Step{Action: provider.Unchanged, Version: now.Version}, nil
	}
	known, err := st.History(ctx, s.name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Step{}, err
	}
	known = slices.DeleteFunc(known, func(i store.Info) bool { return i.Destroyed })
	slices.Reverse(known)
	if len(known) == 0 {
		return Step{Action: provider.Created, Added: len(s.all), Deleted: s.deleted, put: s.all}, nil
	}
	last := known[len(known)-1]
	expect := last.Version
	if last.Deleted {
		expect = 0
	}
	behind, err := f.behind(ctx, st, s, known)
	switch {
	case err != nil:
		return Step{}, err
	case behind:
		return Step{Action: provider.Updated, Added: len(s.all) - len(known), After: last.Version, Deleted: s.deleted,
			put: s.all[len(known):], expect: expect, first: !last.Deleted && s.all[len(known)-1].deleted}, nil
	case !live && s.deleted:
		return Step{Action: provider.Unchanged, Version: last.Version, Deleted: true}, nil
	case !live:
		return Step{Action: provider.Created, Added: 1, After: last.Version, put: []version{newest}}, nil
	}
	step := Step{Action: provider.Conflict, After: now.Version, Deleted: s.deleted, Differs: true, expect: now.Version}
	why := fault.WithHint(errors.New("it is deleted in the backup, and the store has it"), "--overwrite deletes it")
	if step.first = s.deleted; !s.deleted {
		step.put, step.Keys = []version{newest}, want.Values.Diff(now.Secret.Values)
		why = fault.WithHint(fmt.Errorf("the store has other values: version %d", now.Version), "--overwrite replaces them")
	}
	if !overwrite {
		return step, why
	}
	step.Action, step.Added = provider.Updated, len(step.put)
	return step, nil
}

// behind reports whether all that the store knows of a secret are the first versions of
// the backup, and not all of them: an import that did not end left it so.
func (f *File) behind(ctx context.Context, st store.Store, s versions, known []store.Info) (bool, error) {
	if len(known) >= len(s.all) {
		return false, nil
	}
	for i, info := range known {
		v := s.all[i]
		// The last one may still have to be deleted.
		if info.Deleted != v.deleted && (info.Deleted || i < len(known)-1) {
			return false, nil
		}
		rec, err := getAny(ctx, st, info)
		if err != nil {
			return false, err
		}
		want, err := f.secret(s.name, v)
		if err != nil {
			return false, err
		}
		if rec != nil && !same(&rec.Secret, want) {
			return false, nil
		}
	}
	return true, nil
}

// same reports whether putting a secret would change nothing.
func same(now, want *secret.Secret) bool {
	return now.Provider == want.Provider && now.Profile == want.Profile && now.Values.Equal(want.Values)
}

// Import does what was planned. A secret that fails stops no other. What was done when
// it ends early stays, and another import goes on from there. Of several at once on one
// machine, one after the other does its part.
func (b *Backup) Import(ctx context.Context, f *File, steps []Step) (out []Step, err error) {
	st, err := b.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	unlock, err := b.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	out = slices.Clone(steps)
	b.each(ctx, f, "importing", func(i int) {
		s := &out[i]
		if s.Action != provider.Created && s.Action != provider.Updated {
			return
		}
		// Another import may have been first: that a secret is not there, or deleted, is
		// true between two of its versions, too.
		now := f.plan(ctx, st, f.secrets[i], s.overwrite)
		switch {
		case now.Action == provider.Unchanged || now.Action == provider.Failed:
			*s = now
			return
		case now.Action != s.Action || now.After != s.After || now.Added != s.Added:
			s.Action, s.Err = provider.Failed, fault.WithHint(fault.Mark(errors.New("the store has changed since it was compared"), store.ErrConflict), "import again")
			return
		}
		if err := f.putAll(ctx, st, s); err != nil {
			s.Action, s.Err = provider.Failed, err
		}
	})
	return out, records.Unavailable(out, func(s Step) error { return s.Err })
}

// putAll puts the versions of a secret into the store, in their order. Somebody's save
// in between is an error.
func (f *File) putAll(ctx context.Context, st store.Store, s *Step) error {
	expect := s.expect
	if s.first {
		if err := st.Delete(ctx, s.Name); err != nil {
			return err
		}
		expect, s.Version = 0, s.expect
	}
	for i, v := range s.put {
		if err := ctx.Err(); err != nil {
			return err
		}
		sec, err := f.secret(s.Name, v)
		if err != nil {
			return err
		}
		n, err := st.Put(ctx, sec, expect)
		if err != nil {
			s.Added = i
			return err
		}
		if expect, s.Version = n, n; v.deleted {
			if err := st.Delete(ctx, s.Name); err != nil {
				return fmt.Errorf("version %d is saved, and is not deleted as in the backup: %w", n, err)
			}
			expect = 0
		}
	}
	return nil
}
