// Package exchange moves secrets between this machine and the store: save, upload and
// download at login, import, and taking off the machine what rhx put there.
package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/expiry"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// Exchange needs the machine, the providers and the store. Its fields are set once.
type Exchange struct {
	Specs    *spec.Registry
	Guests   provider.Guests
	Dirs     config.Dirs
	Local    machine.Machine
	Records  *records.Records
	Detector *detect.Detector
	Deliver  *deliver.Deliverer
	Book     *session.Book
}

// Saved is the outcome of saving one secret.
type Saved struct {
	Name    string
	Action  provider.Action
	Version int
	// Keys are the keys that are new, gone or have another value.
	Keys []string
	Err  error
	// Notes are what extraction had to say.
	Notes []string
}

// SaveOptions say what to save.
type SaveOptions struct {
	// Names are secrets as Detect names them; empty with All.
	Names []string
	All   bool
	// From is another file to read; FromEnv reads the variables only.
	From    string
	FromEnv bool
	// Provider reads the secret, where its name does not say it.
	Provider string
	// As is the name in the store of a single secret; "" keeps its own.
	As string
	// At is the machine's place.
	At place.Place
	// Overwrite saves values from which the store has gone on, too.
	Overwrite bool
}

// Save extracts secrets from a machine and saves them to the store. The error
// is for the whole; what is wrong with one secret is in its Saved.
func (x *Exchange) Save(ctx context.Context, m machine.Machine, opts SaveOptions) ([]Saved, error) {
	// Before anything is read: opening a store may start rhx anew.
	st, err := x.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	opts.Names = slices.Clone(opts.Names)
	for i, name := range opts.Names {
		opts.Names[i] = x.canonical(name)
	}
	found, failed, err := x.extract(ctx, m, opts)
	if err != nil {
		return nil, err
	}
	if opts.As != "" {
		if len(found)+len(failed) != 1 {
			return nil, fault.WithKind(errors.New("a name in the store can be given to one secret only"), fault.Usage)
		}
		if len(found) == 1 {
			found[0].Name = opts.As
		}
	}
	isNew := func(string) bool { return false }
	if len(found) >= manySecrets {
		if names, ok := records.Names(ctx, st); ok {
			isNew = func(name string) bool {
				_, there := slices.BinarySearch(names, name)
				return !there
			}
		}
	}
	out := make([]Saved, len(found))
	x.Records.Each("saving", len(found), func(i int) {
		sec := &found[i].Secret
		saved := false
		if isNew(sec.Name) {
			out[i], saved = create(ctx, st, sec)
		}
		if !saved {
			out[i] = put(ctx, st, sec, func(old *store.Record) error {
				if opts.Overwrite {
					return nil
				}
				return x.stale(ctx, st, opts.At, sec, old)
			})
		}
		out[i].Notes = append(out[i].Notes, found[i].Notes...)
	})
	x.saw(ctx, opts.At, st, out)
	return append(out, failed...), nil
}

// manySecrets is from how many secrets on it pays to list the store first, so
// that what is new there need not be asked for one by one.
const manySecrets = 32

// create saves a secret that the store most likely does not have: without a look,
// and only if it is so. False means that it has one.
func create(ctx context.Context, st store.Store, sec *secret.Secret) (Saved, bool) {
	sec.Expires = expiry.Of(sec)
	s := Saved{Name: sec.Name, Action: provider.Created, Keys: sec.Values.Keys()}
	s.Version, s.Err = st.Put(ctx, sec, 0)
	if errors.Is(s.Err, store.ErrConflict) {
		return Saved{}, false
	}
	if s.Err != nil {
		s.Action, s.Keys = provider.Failed, nil
	}
	return s, true
}

// SaveSecret saves values that the user gave.
func (x *Exchange) SaveSecret(ctx context.Context, sec *secret.Secret) (Saved, error) {
	if err := secret.ValidName(sec.Name); err != nil {
		return Saved{}, fault.WithKind(err, fault.Usage)
	}
	st, err := x.Records.Store(ctx)
	if err != nil {
		return Saved{}, err
	}
	s := put(ctx, st, sec, func(*store.Record) error { return nil })
	return s, s.Err
}

// Replace saves a secret with other values than those of a version of it, which has to be
// the newest still: else the error matches [store.ErrConflict].
func (x *Exchange) Replace(ctx context.Context, old *store.Record, values secret.Values) (Saved, error) {
	st, err := x.Records.Store(ctx)
	if err != nil {
		return Saved{}, err
	}
	sec := old.Secret.Clone()
	sec.Values, sec.Expires = values, time.Time{} // which was that of the old values
	sec.Expires = expiry.Of(sec)
	s := Saved{Name: sec.Name, Action: provider.Updated, Keys: values.Diff(old.Secret.Values)}
	// To a store a version that was deleted is the newest still.
	if _, err := st.Get(ctx, sec.Name, 0); errors.Is(err, store.ErrNotFound) {
		s.Action, s.Err = provider.Failed, fault.Mark(fmt.Errorf("%s was deleted meanwhile", sec.Name), store.ErrConflict)
		return s, s.Err
	}
	putExpecting(ctx, st, sec, old.Version, &s)
	return s, s.Err
}

// Rollback saves the values of an older version as a new one.
func (x *Exchange) Rollback(ctx context.Context, name string, to int) (Saved, error) {
	if to < 1 {
		return Saved{}, fault.WithKind(errors.New("versions count from 1"), fault.Usage)
	}
	rec, err := x.version(ctx, name, to)
	if err != nil {
		return Saved{}, err
	}
	return x.SaveSecret(ctx, &rec.Secret)
}

// put saves a secret as a new version, unless the newest has the same values. Before
// another version is replaced, may is asked. What is replaced is the version that was
// read: a save by somebody else in between is a conflict.
func put(ctx context.Context, st store.Store, sec *secret.Secret, may func(old *store.Record) error) Saved {
	s := Saved{Name: sec.Name}
	sec.Expires = expiry.Of(sec)
	old, err := st.Get(ctx, sec.Name, 0)
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.Action, s.Keys = provider.Created, sec.Values.Keys()
	case errors.Is(err, store.ErrDenied):
		// A token may be allowed to write and not to read. If it may do neither,
		// writing says so.
		s.Action, s.Keys = provider.Updated, sec.Values.Keys()
		if putExpecting(ctx, st, sec, store.AnyVersion, &s); s.Err == nil {
			s.Notes = []string{"it could not be read first, so what was there before, if anything, is replaced: " + err.Error()}
		}
		return s
	case err != nil:
		s.Action, s.Err = provider.Failed, err
		return s
	case same(old, sec):
		s.Action, s.Version = provider.Unchanged, old.Version
		return s
	default:
		// Values that a person gives come from no file: the secret stays where it was.
		if len(sec.Sources) == 0 && sec.Provider == old.Secret.Provider && sec.Profile == old.Secret.Profile {
			sec.Sources = slices.Clone(old.Secret.Sources)
		}
		s.Action, s.Keys = provider.Updated, sec.Values.Diff(old.Secret.Values)
		if s.Err = may(old); s.Err != nil {
			s.Action = provider.Conflict
			return s
		}
	}
	expect := 0
	if old != nil {
		expect = old.Version
	}
	putExpecting(ctx, st, sec, expect, &s)
	return s
}

// same reports whether saving a secret would change nothing.
func same(old *store.Record, sec *secret.Secret) bool {
	return old.Secret.Provider == sec.Provider && old.Secret.Profile == sec.Profile && old.Secret.Values.Equal(sec.Values)
}

// putExpecting saves a secret over the version that the caller knows.
func putExpecting(ctx context.Context, st store.Store, sec *secret.Secret, expect int, s *Saved) {
	var err error
	if s.Version, err = st.Put(ctx, sec, expect); err != nil {
		s.Action, s.Err = provider.Failed, err
		if errors.Is(err, store.ErrConflict) {
			s.Err = fault.WithHint(err, "somebody saved "+sec.Name+" meanwhile: look at rhx show "+sec.Name+", then save again")
		}
	}
}

// extract returns the secrets to save, and those that were asked for by name
// and cannot be had.
func (x *Exchange) extract(ctx context.Context, m machine.Machine, opts SaveOptions) ([]provider.Found, []Saved, error) {
	if opts.From != "" || opts.FromEnv {
		return x.extractFrom(ctx, m, opts)
	}
	if opts.All {
		found, err := x.Detector.On(ctx, m)
		if err != nil && len(found) == 0 {
			return nil, nil, err
		}
		st, err := x.Records.Store(ctx)
		if err != nil {
			return nil, nil, err
		}
		keep, failed := split(slices.DeleteFunc(found, func(f provider.Found) bool { return opens(f, st) }))
		return keep, failed, nil
	}
	var keep []provider.Found
	var failed []Saved
	var names []string
	for _, name := range opts.Names {
		names = append(names, x.providerOf(name, opts))
	}
	found, err := x.Detector.On(ctx, m, names...)
	if err != nil {
		return nil, nil, err
	}
	for i, name := range opts.Names {
		sp, err := x.Specs.Get(names[i])
		if err != nil {
			return nil, nil, err
		}
		other := x.ownName(sp, name)
		f, err := pick(found, sp, name, other)
		if err != nil {
			failed = append(failed, Saved{Name: name, Action: provider.Failed, Err: x.whyNot(ctx, m, sp, name, err)})
			continue
		}
		if other {
			f.Name = name
		}
		if !slices.ContainsFunc(keep, func(k provider.Found) bool { return k.Name == f.Name }) {
			keep = append(keep, f)
		}
	}
	return keep, failed, nil
}

// whyNot returns what is wrong with the file of a secret that was not found, or else
// why.
func (x *Exchange) whyNot(ctx context.Context, m machine.Machine, sp *spec.Spec, name string, why error) error {
	_, profile := secret.SplitName(name)
	snap, err := provider.Take(ctx, m, x.Detector.Guests, []*spec.Spec{sp})
	if err != nil || profile == "" {
		return why
	}
	if err := snap.WhyNot(sp, profile); err != nil {
		return err
	}
	return why
}

// canonical returns a secret's name with the provider's own name in place of an
// alias, so that a secret has one name however it is saved.
func (x *Exchange) canonical(name string) string {
	p, rest, deep := strings.Cut(name, "/")
	if x.Specs.Known(p) {
		return name
	}
	sp, err := x.Specs.Get(p)
	switch {
	case err != nil:
		return name // which is reported where the spec is needed
	case deep:
		return sp.Name + "/" + rest
	}
	return sp.Name
}

// providersOwn reports whether a path, as sources have it, is one at which a provider
// keeps secrets by default.
func providersOwn(sp *spec.Spec, path string) bool {
	for i := range sp.Files {
		f := &sp.Files[i]
		for _, p := range f.Paths.All() {
			before, after, any := strings.Cut(p, "{profile}")
			if p == path || any && strings.HasPrefix(path, before) && strings.HasSuffix(path, after) {
				return true
			}
		}
	}
	return false
}

// ownName reports whether a secret's name is the user's own, and does not begin with
// its provider.
func (x *Exchange) ownName(sp *spec.Spec, name string) bool {
	p, _ := secret.SplitName(name)
	named, err := x.Specs.Get(p)
	return err != nil || named.Name != sp.Name
}

func (x *Exchange) providerOf(name string, opts SaveOptions) string {
	if opts.Provider != "" {
		return opts.Provider
	}
	p, _ := secret.SplitName(name)
	return p
}

// split parts what has values from what is broken. What is kept in a keyring
// or got by a command is not a failure: there is nothing to save.
func split(found []provider.Found) (keep []provider.Found, failed []Saved) {
	for _, f := range found {
		switch f.State {
		case provider.HasValue:
			keep = append(keep, f)
		case provider.Invalid:
			failed = append(failed, Saved{Name: f.Name, Action: provider.Failed, Err: f.Err})
		}
	}
	return keep, failed
}

// pick returns the secret that a user means by name. A provider's own name,
// where it has no default profile, means its only profile.
func pick(found []provider.Found, sp *spec.Spec, name string, other bool) (provider.Found, error) {
	_, rest, deep := strings.Cut(name, "/")
	want := sp.Name
	if deep && !other {
		want += "/" + rest
	}
	var mine []provider.Found
	var names []string
	var broken error
	for _, f := range found {
		if f.Provider != sp.Name {
			continue
		}
		if f.State == provider.Invalid {
			if f.Name == want || f.Profile == "" {
				broken = f.Err
			}
			continue
		}
		if f.Name == want || deep && !other && f.Profile == rest {
			return state(f)
		}
		mine, names = append(mine, f), append(names, f.Name)
	}
	switch {
	case broken != nil:
		return provider.Found{}, broken
	case (!deep || other) && len(mine) == 1:
		return state(mine[0])
	case (!deep || other) && len(mine) > 1:
		return provider.Found{}, fault.WithHint(fmt.Errorf("%s has no default profile here", sp.Name), "name one: "+strings.Join(names, ", "))
	case fault.Nearest(want, names) != "":
		return provider.Found{}, fault.WithHint(fmt.Errorf("no %s on this machine", name), "did you mean "+fault.Nearest(want, names)+"?")
	}
	return provider.Found{}, fault.WithHint(fmt.Errorf("no %s on this machine", name), "rhx providers "+sp.Name+" shows where rhx looks"+typed(sp, name))
}

// typed says how values that lie nowhere are saved; "" for those that nobody types, such as
// keys of SSH: what people type fits a variable.
func typed(sp *spec.Spec, name string) string {
	words := ""
	for _, v := range sp.Values {
		if v.Optional {
			continue
		}
		if len(v.Env) == 0 {
			return ""
		}
		words += " " + v.Name + "=-"
	}
	if words == "" {
		return ""
	}
	return "; rhx save " + name + words + " saves what you type"
}

// state returns a finding that has values, or says why there is nothing to save.
func state(f provider.Found) (provider.Found, error) {
	switch f.State {
	case provider.InKeyring:
		return f, fmt.Errorf("%s: the value is in the system's keyring, not in %s", f.Name, f.Sources[0])
	case provider.BySignIn:
		return f, fmt.Errorf("%s: the tool signs in for it, as %s says; there is no value to save", f.Name, f.Sources[0])
	case provider.ByRole:
		return f, fmt.Errorf("%s: the tool makes it of another profile, which %s names; there is no value to save", f.Name, f.Sources[0])
	case provider.ByCommand:
		return f, fmt.Errorf("%s: the value comes from a command that %s names, which rhx does not run", f.Name, f.Sources[0])
	}
	return f, nil
}

// extractFrom reads secrets from a file or the variables that the user named.
func (x *Exchange) extractFrom(ctx context.Context, m machine.Machine, opts SaveOptions) ([]provider.Found, []Saved, error) {
	if opts.From != "" && opts.FromEnv || opts.All || len(opts.Names) == 0 && opts.Provider == "" {
		return nil, nil, fault.WithKind(errors.New("one source, --from or --from-env, is for one secret"), fault.Usage)
	}
	if len(opts.Names) > 1 {
		return nil, nil, fault.WithKind(errors.New("--from and --from-env are for one secret"), fault.Usage)
	}
	name := opts.Provider
	if len(opts.Names) == 1 {
		name = opts.Names[0]
	}
	sp, err := x.Specs.Get(x.providerOf(name, opts))
	if err != nil {
		return nil, nil, err
	}
	if opts.FromEnv {
		snap, err := provider.Take(ctx, m, x.Guests, []*spec.Spec{sp})
		if err != nil {
			return nil, nil, err
		}
		f, err := snap.ExtractEnv(sp)
		if err != nil {
			return nil, nil, err
		}
		if f.Name = name; !x.ownName(sp, name) {
			_, f.Profile = secret.SplitName(name)
			f.Name = secret.Name(sp.Name, f.Profile)
		}
		return []provider.Found{f}, nil, nil
	}
	snap, err := provider.Take(ctx, m, x.Guests, []*spec.Spec{sp}, opts.From, opts.From+".pub")
	if err != nil {
		return nil, nil, err
	}
	found, err := snap.ExtractFile(ctx, sp, opts.From)
	if err != nil {
		return nil, nil, err
	}
	var f provider.Found
	if len(found) == 1 {
		f, err = state(found[0])
		if f.State == provider.Invalid {
			err = f.Err
		}
	} else {
		f, err = pick(found, sp, name, x.ownName(sp, name))
	}
	if err != nil {
		return nil, nil, err
	}
	for i := range f.Sources {
		src := &f.Sources[i]
		src.Own = src.Kind == secret.SourceFile && !providersOwn(sp, src.Path)
	}
	_, profile := secret.SplitName(name)
	switch {
	case x.ownName(sp, name):
		f.Name = name
	case len(found) == 1 && (profile != "" || sp.HasDefault()):
		// The only secret of a file that was named is the one that is meant.
		f.Profile, f.Name = profile, secret.Name(sp.Name, profile)
	}
	return []provider.Found{f}, nil, nil
}
