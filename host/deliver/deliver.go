// Package deliver brings secrets to a machine: into the native files of their
// tools, or as variables into rhx's env file there.
package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// ErrVariablesOnly is the Err of a secret that has no file to be brought into.
var ErrVariablesOnly = errors.New("it has variables only, no file")

// Deliverer knows the providers, and rhx's own folders on this machine.
type Deliverer struct {
	Specs  *spec.Registry
	Guests provider.Guests
	Dirs   config.Dirs
}

// Delivery is what is to be brought to one machine. A record's Secret.Name is what
// people call it, its Info.Name that in the store.
type Delivery struct {
	// Store is the URL of the store that the secrets come from.
	Store string
	// Files are secrets that go into native files.
	Files []*store.Record
	// Vars go into the env file.
	Vars []Group
	// Paths are the files of secrets of Files in place of their providers' own, by
	// Secret.Name.
	Paths map[string]string
	// TTL is after how long secrets are to be taken out again, by Secret.Name.
	TTL map[string]time.Duration
}

// Last has every secret of a delivery be taken out again after ttl, unless its own is
// said; 0 is for good.
func (d *Delivery) Last(ttl time.Duration) {
	if ttl == 0 {
		return
	}
	own := d.TTL
	d.TTL = map[string]time.Duration{}
	for _, name := range d.Names() {
		d.TTL[name] = cmp.Or(own[name], ttl)
	}
}

// Group is variables that go into an env file together or not at all: half of an
// old and half of a new key pair is of no use.
type Group struct {
	// Name is the secret that they come from, Stored its name in the store; "" for
	// a text of a manifest.
	Name, Stored string
	Vars         []bundle.Var
	// Ambient are variables by which a machine says that it has a role of its own for
	// this; Title is the provider's.
	Ambient []string
	Title   string
	// Err says why there are none, Unasked why they are given only with Options.Unsafe.
	Err, Unasked error
}

// Compose returns how secrets are brought to a machine: those whose provider has a
// file as that, the others as variables; with env all as variables.
func (d *Deliverer) Compose(recs []*store.Record, env bool) Delivery {
	var out Delivery
	var vars []*store.Record
	for _, rec := range recs {
		sp, err := d.Specs.Get(rec.Secret.Provider)
		known := rec.Secret.Provider != "" && err == nil
		homeless := ofVariables(&rec.Secret) && (OwnPath(&rec.Secret) == "" || d.notBackTo(&rec.Secret, OwnPath(&rec.Secret)) != "")
		if env || rec.Secret.Provider == "" || known && (len(sp.Files) == 0 || homeless) {
			vars = append(vars, rec)
		} else {
			out.Files = append(out.Files, rec)
		}
	}
	out.Vars = d.Groups(vars, true)
	return out
}

// Names are those of all secrets of a delivery, each once.
func (d *Delivery) Names() []string {
	var out []string
	add := func(name string) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, rec := range d.Files {
		add(rec.Secret.Name)
	}
	for _, g := range d.Vars {
		add(g.Name)
	}
	return out
}

// brings reports whether a secret, by its name in the store, is in a delivery.
func (d *Delivery) brings(stored string) bool {
	return slices.ContainsFunc(d.Files, func(rec *store.Record) bool { return rec.Info.Name == stored }) ||
		slices.ContainsFunc(d.Vars, func(g Group) bool { return cmp.Or(g.Stored, g.Name) == stored })
}

// Values are those that a machine has after a delivery, by the secret's name and
// key; a variable's key is its name.
func (d *Delivery) Values() map[string]secret.Values {
	out := map[string]secret.Values{}
	of := func(name string) secret.Values {
		if out[name] == nil {
			out[name] = secret.Values{}
		}
		return out[name]
	}
	for _, rec := range d.Files {
		for key, v := range rec.Secret.Values {
			of(rec.Secret.Name)[key] = v
		}
	}
	for _, g := range d.Vars {
		for _, v := range g.Vars {
			of(g.Name)[v.Name] = v.Value
		}
	}
	return out
}

// versions are those of the secrets, by their names in the store.
func (d *Delivery) versions() map[string]session.Version {
	out := map[string]session.Version{}
	for _, rec := range d.Files {
		if rec.Version > 0 {
			out[rec.Info.Name] = session.Version{Number: rec.Version, Store: d.Store}
		}
	}
	return out
}

// Failed are the outcomes of a delivery of which nothing came to a machine: one for
// each secret.
func (d *Delivery) Failed(at place.Place, err error) []session.Outcome {
	var out []session.Outcome
	for _, name := range d.Names() {
		out = append(out, session.Failure(at, name, err))
	}
	return out
}

// Conflict is a place that holds other values than the secret's.
type Conflict struct {
	At place.Place
	// Secret and Stored are as those of an outcome.
	Secret, Stored string
	*provider.ConflictError
}

// Decision is what happens where another value stands.
type Decision bool

// The decisions.
const (
	Keep    Decision = false
	Replace Decision = true
)

// Options say how a delivery is made.
type Options struct {
	// Resolve decides what happens where another value stands; nil keeps all. It is
	// asked once for each place, from the goroutine of the delivery.
	Resolve func(Conflict) Decision
	// Unsafe writes values, too, that make a tool run a program or read another file:
	// see provider.ErrUnsafe and bundle.ErrRuns.
	Unsafe bool
	// Warn is told what a user should know beside the outcome; nil for nobody.
	Warn func(text string)
}

// ReplaceAll is the Resolve of those who want no question. It is about the secrets of
// the delivery: what would change the values of another one is kept.
func ReplaceAll(c Conflict) Decision { return Decision(len(c.Others) == 0) }

// Plan says what a delivery would do; it changes nothing.
func (d *Deliverer) Plan(ctx context.Context, at place.Place, m machine.Machine, what Delivery, opts Options) ([]session.Outcome, error) {
	return d.deliver(ctx, nil, at, m, what, opts)
}

// Deliver brings secrets to a machine, in three round trips, as one write of s. What
// fails for one secret is in its outcome, and stops no other; the error is that of
// the machine as a whole.
func (d *Deliverer) Deliver(ctx context.Context, s *session.Session, at place.Place, m machine.Machine, what Delivery, opts Options) ([]session.Outcome, error) {
	d.letThrough(ctx, at)
	swept := d.sweepFor(ctx, s, at, m, what, opts.Warn)
	out, err := d.deliver(ctx, s, at, m, what, opts)
	for n := range changedTries {
		left := changedMeanwhile(out, what)
		if err != nil || len(left.Files)+len(left.Vars) == 0 || ctx.Err() != nil {
			break
		}
		if n == 0 {
			defer d.takeTurn(ctx, at)()
		}
		again, err := d.deliver(ctx, s, at, m, left, opts)
		if err != nil {
			break // the outcomes say already that it failed
		}
		out = instead(out, again)
	}
	return append(swept, out...), err
}

// sweepFor takes out of a host what is to go, but for what a delivery brings there. Of this
// machine commands take it out before anything else.
func (d *Deliverer) sweepFor(ctx context.Context, s *session.Session, at place.Place, m machine.Machine, what Delivery, warn func(string)) []session.Outcome {
	if at == place.Here {
		return nil
	}
	due, err := s.Book().Due()
	if err != nil {
		return nil // which the session says when it writes
	}
	due = slices.DeleteFunc(due, func(e session.Expiry) bool { return e.Machine != at.String() || what.brings(e.Secret) })
	return slices.DeleteFunc(d.Sweep(ctx, s.Book(), s, at, m, due), func(o session.Outcome) bool {
		// What somebody changed is theirs, and no failure of the delivery.
		theirs := errors.Is(o.Err, ErrChangedSince)
		if theirs && warn != nil {
			warn(fmt.Sprintf("%s: %s: %s: %v", at, o.Secret, o.Source, o.Err))
		}
		return theirs
	})
}

// changedTries is how often a delivery is made again because another program wrote
// the file at the same time.
const changedTries = 10

// Of many processes that write one file of this machine, those that came too late go on
// one after the other, and new ones let them through: else most would try in vain. The
// lock makes that likely and no more; nothing depends on it.
const (
	turnWithin = time.Minute
	letWithin  = 5 * time.Second
)

func (d *Deliverer) turnFile() string { return filepath.Join(d.Dirs.State, "deliver.lock") }

// takeTurn waits until no other process has a turn on this machine, and has one until
// end is called.
func (d *Deliverer) takeTurn(ctx context.Context, at place.Place) (end func()) {
	if at != place.Here {
		return func() {}
	}
	ctx, cancel := context.WithTimeout(ctx, turnWithin)
	defer cancel()
	unlock, err := ownfile.Lock(ctx, d.turnFile())
	if err != nil {
		return func() {}
	}
	return func() { _ = unlock() }
}

// letThrough waits while another process has a turn on this machine.
func (d *Deliverer) letThrough(ctx context.Context, at place.Place) {
	if _, err := os.Lstat(d.turnFile()); err != nil || at != place.Here {
		return // there never was one
	}
	ctx, cancel := context.WithTimeout(ctx, letWithin)
	defer cancel()
	if unlock, err := ownfile.Lock(ctx, d.turnFile()); err == nil {
		_ = unlock()
	}
}

// changedMeanwhile is the part of a delivery whose file another program changed
// between the reading and the writing.
func changedMeanwhile(out []session.Outcome, what Delivery) Delivery {
	var names []string
	for _, o := range out {
		if errors.Is(o.Err, machine.ErrChanged) {
			names = append(names, o.Secret)
		}
	}
	left := Delivery{Store: what.Store, Paths: what.Paths, TTL: what.TTL}
	if len(names) == 0 {
		return left
	}
	for _, rec := range what.Files {
		if slices.Contains(names, rec.Secret.Name) {
			left.Files = append(left.Files, rec)
		}
	}
	for _, g := range what.Vars {
		if slices.Contains(names, g.Name) {
			left.Vars = append(left.Vars, g)
		}
	}
	return left
}

// instead returns outcomes with those of another try in the place of the secrets' own,
// where these are not done yet.
func instead(out, again []session.Outcome) []session.Outcome {
	for _, o := range again {
		i := slices.IndexFunc(out, func(was session.Outcome) bool { return was.Secret == o.Secret && was.Source == o.Source })
		switch {
		case i < 0:
			out = append(out, o)
		case out[i].Err != nil:
			out[i] = o
		}
	}
	return out
}

func (d *Deliverer) deliver(ctx context.Context, s *session.Session, at place.Place, m machine.Machine, what Delivery, opts Options) ([]session.Outcome, error) {
	w := &delivering{d: d, at: at, what: what, opts: opts}
	if err := w.read(ctx, m); err != nil {
		return nil, err
	}
	w.putFiles(ctx)
	if err := w.putVars(); err != nil {
		return nil, err
	}
	if s == nil {
		return w.out, nil
	}
	had := timed(s, at)
	work := &session.Work{At: at, Machine: m, Changes: w.changes, Outcomes: w.out, Values: what.Values(), Versions: what.versions(), Expiring: w.expiring()}
	if err := s.Write(ctx, work); err != nil {
		return w.out, err
	}
	w.setTimers(ctx, m, had, work)
	return w.out, nil
}

// delivering is one delivery under way.
type delivering struct {
	d    *Deliverer
	at   place.Place
	what Delivery
	opts Options

	snap    *provider.Snapshot
	warned  map[string]bool // of paths that are not used
	specs   []*spec.Spec    // of each of Files; nil where there is none
	errs    []error
	envPath string

	out     []session.Outcome
	changes []machine.Change
	forms   map[string]form // in which secrets are in files, by name
}

// read takes what the delivery needs to know of the machine.
func (w *delivering) read(ctx context.Context, m machine.Machine) error {
	w.specs, w.errs = make([]*spec.Spec, len(w.what.Files)), make([]error, len(w.what.Files))
	var specs []*spec.Spec
	var also provider.Also
	for i, rec := range w.what.Files {
		if to := w.path(rec); to != "" {
			also.Paths = append(also.Paths, to, to+".pub")
		}
		if rec.Secret.Provider == "" {
			continue
		}
		sp, err := w.d.Specs.Get(rec.Secret.Provider)
		if w.errs[i] = err; err != nil {
			continue // one secret of a provider that is not known here stops no other
		}
		if w.specs[i] = sp; !slices.Contains(specs, sp) {
			specs = append(specs, sp)
		}
	}
	if len(w.what.Vars) > 0 {
		also.Vars = envFileVars()
		for _, g := range w.what.Vars {
			also.Vars = append(also.Vars, g.Ambient...)
		}
		also.Found = func(info machine.Info) []string {
			w.envPath = w.d.envFileOn(w.at, info)
			return []string{w.envPath}
		}
	}
	var err error
	w.snap, err = provider.TakeWith(ctx, m, w.d.Guests, specs, also)
	return err
}

// putFiles merges the secrets into the files.
func (w *delivering) putFiles(ctx context.Context) {
	plan := provider.NewPlan(w.snap)
	if len(w.what.Files) > 1 {
		plan = provider.NewBatch(w.snap)
	}
	placed := make([][]provider.Placement, len(w.what.Files))
	secrets := make([]*secret.Secret, len(w.what.Files))
	for i, rec := range w.what.Files {
		placed[i], secrets[i] = w.putFile(ctx, plan, i, rec)
	}
	failed := plan.Settle()
	for i, rec := range w.what.Files {
		if err := failed[secrets[i]]; err != nil {
			placed[i] = []provider.Placement{{Source: placed[i][0].Source, Action: provider.Failed, Err: err}}
		}
		for _, p := range placed[i] {
			o := session.Outcome{At: w.at, Secret: rec.Secret.Name, Stored: rec.Info.Name, Placement: p}
			if p.Source.Kind == secret.SourceFile {
				o.File = w.snap.Abs(p.Source.Path)
			}
			w.out = append(w.out, o)
		}
		if sp := w.specs[i]; sp != nil {
			w.warnOfRole(rec.Secret.Name, sp.Title, sp.Ambient, placed[i])
		}
	}
	w.changes = plan.Changes()
}

func (w *delivering) putFile(ctx context.Context, plan *provider.Plan, i int, rec *store.Record) ([]provider.Placement, *secret.Secret) {
	sec := &rec.Secret
	if w.errs[i] != nil {
		return []provider.Placement{{Action: provider.Failed, Err: w.errs[i]}}, sec
	}
	to := w.path(rec)
	if to != "" {
		if w.what.Paths[rec.Secret.Name] == "" {
			if err := w.leadsElsewhere(&rec.Secret, to); err != nil {
				return []provider.Placement{{Action: provider.Failed, Err: err}}, sec
			}
		}
		to = w.snap.Abs(to)
	}
	sp, sec, err := formFor(w.specs[i], sec, to)
	if err != nil {
		return []provider.Placement{{Action: provider.Failed, Err: err}}, sec
	}
	w.form(rec.Secret.Name, sp, sp == w.specs[i], sec)
	return plan.Put(ctx, sp, sec, provider.Options{To: to, Unsafe: w.opts.Unsafe, Resolve: w.resolver(rec.Secret.Name, rec.Info.Name)}), sec
}

// path is the file into which a secret goes, in place of its provider's own: the one
// that is said, or the one that it was saved from; "" for the provider's own.
func (w *delivering) path(rec *store.Record) string {
	if to := w.what.Paths[rec.Secret.Name]; to != "" {
		return to
	}
	from := OwnPath(&rec.Secret)
	if from == "" {
		return ""
	}
	if why := w.d.notBackTo(&rec.Secret, from); why != "" {
		if !w.warned[from] && w.opts.Warn != nil {
			usual := "it goes to the usual place; "
			if ofVariables(&rec.Secret) {
				usual = ""
			}
			w.opts.Warn(fmt.Sprintf("%s was saved from %s, %s: %s--to PATH writes it there", rec.Secret.Name, from, why, usual))
		}
		if w.warned == nil {
			w.warned = map[string]bool{}
		}
		w.warned[from] = true
		return ""
	}
	return from
}

// resolver is Options.Resolve for one secret.
func (w *delivering) resolver(name, stored string) func(*provider.ConflictError) bool {
	if w.opts.Resolve == nil {
		return nil
	}
	return func(c *provider.ConflictError) bool {
		// Those that come along have their own say.
		c.Others = slices.DeleteFunc(c.Others, func(other string) bool {
			return slices.ContainsFunc(w.what.Files, func(rec *store.Record) bool { return rec.Secret.Name == other })
		})
		return bool(w.opts.Resolve(Conflict{w.at, name, stored, c}))
	}
}

// warnOfRole says that a machine to which a secret comes has a role of its own.
func (w *delivering) warnOfRole(name, title string, ambient []string, placed []provider.Placement) {
	if w.opts.Warn == nil || !slices.ContainsFunc(placed, func(p provider.Placement) bool {
		return p.Action == provider.Created || p.Action == provider.Updated
	}) {
		return
	}
	for _, v := range ambient {
		if w.snap.Info.Env[v] != "" {
			w.opts.Warn(fmt.Sprintf("%s has a role of its own for %s ($%s is set there); programs may now use %s instead", w.at, title, v, name))
			return
		}
	}
}

// putVars merges the variables into the env file.
func (w *delivering) putVars() error {
	if len(w.what.Vars) == 0 {
		return nil
	}
	file, err := parseEnvFile(w.snap.File(w.envPath))
	if err != nil {
		return err
	}
	for _, g := range w.what.Vars {
		if g.Err == nil && !w.opts.Unsafe {
			g.Err = g.Unasked
		}
		placed := []provider.Placement{{Action: provider.Failed, Err: g.Err}}
		if g.Err == nil {
			placed = file.put(g.Name, g.Vars, w.resolver(g.Name, g.Stored))
		}
		for _, p := range placed {
			w.out = append(w.out, session.Outcome{At: w.at, Secret: g.Name, Stored: g.Stored, Placement: p, File: file.path})
		}
		w.warnOfRole(g.Name, g.Title, g.Ambient, placed)
	}
	change, err := file.change()
	if err == nil && change != nil {
		w.changes = append(w.changes, *change)
	}
	return err
}

// EnvFile is the file in which variables are kept on this machine, for shells to
// source.
func (d *Deliverer) EnvFile() string { return filepath.Join(d.Dirs.Config, "env") }

func (d *Deliverer) envFileOn(at place.Place, info machine.Info) string {
	if at == place.Here {
		return filepath.ToSlash(d.EnvFile())
	}
	return envFileAt(info)
}
