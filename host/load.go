package host

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// Loaded is the outcome for one place of one secret on one machine.
type Loaded struct {
	Machine string
	Secret  string
	provider.Placement
}

// ErrVariablesOnly is the Err of a secret that has no file to be loaded into.
var ErrVariablesOnly = errors.New("it has variables only, no file")

// LoadOptions say what to load, and how.
type LoadOptions struct {
	// Names are secrets of the store; empty with All.
	Names []string
	All   bool
	// Records, where they are set, are secrets that are at hand already: the store
	// is not asked.
	Records []*store.Record
	// Overwrite replaces values that differ; Confirm, where it is set, is asked
	// otherwise. Sync asks from several goroutines.
	Overwrite bool
	Confirm   func(secret string, p provider.Placement) bool
	// DryRun changes nothing.
	DryRun bool
	// To is another file to write.
	To string
	// Known reports whether values that differ are those that rhx put there, so that
	// nobody else's are lost with them; then they are replaced. nil: none are.
	Known func(machine, secret string, c *provider.ConflictError) bool
	// Warn is told what a user should know beside the outcome; nil for nobody.
	// Sync calls it from several goroutines.
	Warn func(text string)
}

// Load brings secrets from the store to a machine's native files.
func (h *Host) Load(ctx context.Context, m machine.Machine, opts LoadOptions) ([]Loaded, error) {
	recs, err := h.records(ctx, opts)
	if err != nil {
		return nil, err
	}
	return h.place(ctx, m, recs, opts)
}

// records returns the named records, or all of the store.
func (h *Host) records(ctx context.Context, opts LoadOptions) ([]*store.Record, error) {
	switch {
	case opts.Records != nil:
		return opts.Records, nil
	case opts.All:
		return h.all(ctx)
	}
	return h.GetAll(ctx, opts.Names)
}

// place merges records into a machine's files.
func (h *Host) place(ctx context.Context, m machine.Machine, recs []*store.Record, opts LoadOptions) ([]Loaded, error) {
	specs := make([]*spec.Spec, len(recs))
	errs := make([]error, len(recs))
	var read []*spec.Spec
	for i, rec := range recs {
		if rec.Secret.Provider == "" {
			continue
		}
		sp, err := h.Specs.Get(rec.Secret.Provider)
		if errs[i] = err; err != nil {
			continue // one secret of a provider that is not known here stops no other
		}
		if specs[i] = sp; !slices.Contains(read, sp) {
			read = append(read, sp)
		}
	}
	var named []string
	if opts.To != "" {
		named = []string{opts.To, opts.To + ".pub"}
	}
	snap, err := provider.Take(ctx, m, h.Guests, read, named...)
	if err != nil {
		return nil, err
	}
	if opts.To != "" {
		opts.To = snap.Abs(opts.To)
	}
	opts.Confirm = askOnce(opts.Confirm)
	placed := make([][]provider.Placement, len(recs))
	putAll := func(plan *provider.Plan) error {
		for i, rec := range recs {
			if placed[i] = []provider.Placement{{Action: provider.Failed, Err: errs[i]}}; errs[i] == nil {
				placed[i] = h.putOne(ctx, m, rec.Info.Name, plan, specs[i], &rec.Secret, opts)
			}
		}
		return plan.Settle()
	}
	plan := provider.NewPlan(snap)
	if len(recs) > 1 {
		plan = provider.NewBatch(snap)
	}
	if putAll(plan) != nil {
		// One of the secrets cannot be written: each by itself, to know which.
		plan = provider.NewPlan(snap)
		if err := putAll(plan); err != nil {
			return nil, err
		}
	}
	var out []Loaded
	for i, rec := range recs {
		for _, p := range placed[i] {
			out = append(out, Loaded{m.Name(), rec.Info.Name, p})
		}
		opts.warnOfRole(m, specs[i], snap.Info.Env, rec.Info.Name, placed[i])
	}
	if opts.DryRun {
		return out, nil
	}
	return out, h.write(ctx, m, snap, plan, out)
}

// settled reports whether values that differ are to be replaced.
func (o *LoadOptions) settled(machine, name string, p provider.Placement) bool {
	var c *provider.ConflictError
	if o.Known != nil && errors.As(p.Err, &c) && o.Known(machine, name, c) {
		return true
	}
	return o.Confirm != nil && !o.DryRun && o.Confirm(name, p)
}

// warnOfRole says that a machine to which a secret comes has a role of its own.
func (o *LoadOptions) warnOfRole(m machine.Machine, sp *spec.Spec, env map[string]string, name string, placed []provider.Placement) {
	if o.Warn == nil || sp == nil || !slices.ContainsFunc(placed, func(p provider.Placement) bool {
		return p.Action == provider.Created || p.Action == provider.Updated
	}) {
		return
	}
	for _, v := range sp.Ambient {
		if env[v] != "" {
			o.Warn(fmt.Sprintf("%s has a role of its own for %s ($%s is set there); programs may now use %s instead", m.Name(), sp.Title, v, name))
			return
		}
	}
}

// askOnce remembers the answers to questions.
func askOnce(confirm func(string, provider.Placement) bool) func(string, provider.Placement) bool {
	if confirm == nil {
		return nil
	}
	type question struct{ secret, path string }
	answers := map[question]bool{}
	return func(name string, p provider.Placement) bool {
		q := question{name, p.Source.Path}
		yes, asked := answers[q]
		if !asked {
			yes = confirm(name, p)
			answers[q] = yes
		}
		return yes
	}
}

func (h *Host) putOne(ctx context.Context, m machine.Machine, name string, plan *provider.Plan, sp *spec.Spec, sec *secret.Secret, opts LoadOptions) []provider.Placement {
	if sp == nil || len(sp.Files) == 0 {
		base, err := baseSpec(sec, opts.To)
		if err != nil {
			return []provider.Placement{{Action: provider.Failed, Err: err}}
		}
		sp = base
	}
	put := provider.Options{Overwrite: opts.Overwrite, To: opts.To}
	placed := plan.Put(ctx, sp, sec, put)
	if slices.ContainsFunc(placed, func(p provider.Placement) bool {
		return p.Action == provider.Conflict && opts.settled(m.Name(), name, p)
	}) {
		put.Overwrite = true
		placed = plan.Put(ctx, sp, sec, put)
	}
	return placed
}

// baseSpec is how a secret that has no file of its own is written to one that
// the user named: its keys at the top level, in the format that the file's ending says.
func baseSpec(sec *secret.Secret, to string) (*spec.Spec, error) {
	if to == "" {
		return nil, ErrVariablesOnly
	}
	formats := map[string]string{".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".env": "dotenv"}
	format := formats[path.Ext(to)]
	if format == "" {
		return nil, fault.WithKind(fmt.Errorf("cannot tell the format of %s: its name should end in .json, .yaml, .toml or .env", to), fault.Usage)
	}
	f := spec.File{Paths: map[string]string{"": to}, Format: format, Mode: 0o600}
	sp := &spec.Spec{Name: sec.Name, Any: true}
	for _, k := range sec.Values.Keys() {
		if k == "*" || strings.Contains(k, "{") {
			return nil, fmt.Errorf("the key %q cannot be written to a file", k)
		}
		sp.Values = append(sp.Values, spec.Value{Name: k})
		f.Keys = append(f.Keys, spec.Key{Value: k, At: []spec.Path{{{Key: k}}}})
	}
	sp.Files = []spec.File{f}
	return sp, nil
}

// write makes a plan's changes and notes in out which of them failed.
func (h *Host) write(ctx context.Context, m machine.Machine, snap *provider.Snapshot, plan *provider.Plan, out []Loaded) error {
	changes := plan.Changes()
	if len(changes) == 0 {
		return nil
	}
	errs, err := h.commit(ctx, m, changes)
	if err != nil && len(errs) != len(changes) {
		return err
	}
	// Where the connection was lost, errs says of which changes that is known.
	for i, c := range changes {
		if errs[i] == nil {
			continue
		}
		for j := range out {
			switch a := out[j].Action; {
			case out[j].Source.Path != snap.Short(c.Path):
			case a == provider.Created, a == provider.Updated, a == provider.Removed:
				out[j].Action, out[j].Err = provider.Failed, errs[i]
			}
		}
	}
	return nil
}

// commit has a machine write, in the session that is under way if there is one.
func (h *Host) commit(ctx context.Context, m machine.Machine, changes []machine.Change) ([]error, error) {
	write := func(ctx context.Context) ([]error, error) { return finish(ctx, m, changes) }
	if h.session == nil {
		return write(ctx)
	}
	return h.session.Write(ctx, m.Name(), changes, write)
}

// Record notes in rhx's configuration where secrets were placed on this machine.
// What was there already is not rhx's to remove later, and is not noted.
func (h *Host) Record(ctx context.Context, loaded []Loaded) error {
	placed := map[string]config.Location{}
	var created []string
	for _, l := range loaded {
		if l.Action == provider.Created && l.Source.Path != "" {
			created = append(created, l.Source.Path)
		}
		if l.Action != provider.Created && l.Action != provider.Updated {
			continue
		}
		loc := placed[l.Secret]
		if l.Source.Kind == secret.SourceEnv {
			loc.Vars = append(loc.Vars, l.Source.Var)
		} else if loc.Path == "" {
			loc.Path = l.Source.Path
		}
		placed[l.Secret] = loc
	}
	return config.Add(ctx, h.Dirs, h.Local, placed, created...)
}

// SyncOptions say what goes to which hosts.
type SyncOptions struct {
	LoadOptions
	// Env brings variables into each host's env file, instead of native files.
	Env bool
	// Bundle, where it is set, is also brought there: its files as native files, its
	// variables into the env file.
	Bundle *Environment
	// Wrap, where it is not 0, sends each host only wrapping tokens of the store,
	// good for so long; the host gets the secrets from the store itself. Not with
	// Bundle, which is composed here.
	Wrap time.Duration
	// Parallel bounds the hosts that are served at once.
	Parallel int
	// Began, where it is set, is told of each host that is served from now on, by
	// several goroutines.
	Began func(host string)
	// Done, where it is set, is told each host's outcome as it comes, one at a time.
	Done func(host string, loaded []Loaded, err error)
}

// Sync loads secrets onto several machines at once, and closes them. The
// outcomes are in the order of the machines; an error of a whole machine
// stands for each of its secrets.
func (h *Host) Sync(ctx context.Context, machines []machine.Machine, opts SyncOptions) ([]Loaded, error) {
	names := opts.Names
	var one func(m machine.Machine) ([]Loaded, error)
	if opts.Wrap > 0 {
		c, err := h.courier(ctx, opts)
		if err != nil {
			return nil, err
		}
		one = func(m machine.Machine) ([]Loaded, error) { return c.sync(ctx, m) }
	} else {
		recs, err := h.records(ctx, opts.LoadOptions)
		if err != nil {
			return nil, err
		}
		names = opts.wanted(recs)
		one = func(m machine.Machine) ([]Loaded, error) { return h.syncOne(ctx, m, recs, opts) }
	}
	results := make([][]Loaded, len(machines))
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(max(1, opts.Parallel))
	for i, m := range machines {
		g.Go(func() error {
			if opts.Began != nil {
				opts.Began(m.Name())
			}
			loaded, err := one(m)
			if errors.Is(err, context.Canceled) && ctx.Err() != nil {
				err = errInterrupted
			}
			if err != nil {
				loaded = nil
				for _, name := range names {
					loaded = append(loaded, failedOn(m.Name(), name, err))
				}
			}
			_ = m.Close()
			mu.Lock()
			defer mu.Unlock()
			results[i] = loaded
			if opts.Done != nil {
				opts.Done(m.Name(), loaded, err)
			}
			return nil
		})
	}
	_ = g.Wait()
	return slices.Concat(results...), nil
}

// wanted are the names of all that a sync brings.
func (o *SyncOptions) wanted(recs []*store.Record) []string {
	var out []string
	add := func(name string) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, rec := range recs {
		add(rec.Info.Name)
	}
	if o.Bundle != nil {
		for _, rec := range o.Bundle.Files {
			add(rec.Secret.Name)
		}
		for _, v := range o.Bundle.Vars {
			add(v.Secret)
		}
	}
	return out
}

func (h *Host) syncOne(ctx context.Context, m machine.Machine, recs []*store.Record, opts SyncOptions) ([]Loaded, error) {
	files, groups := recs, []envGroup(nil)
	if opts.Env {
		files, groups = nil, h.groups(recs, false)
	}
	if opts.Bundle != nil {
		files = append(slices.Clone(files), opts.Bundle.Files...)
		groups = append(groups, groupsOf(opts.Bundle.Vars)...)
	}
	if len(files) > 0 && len(groups) > 0 {
		m = &visit{Machine: m, vars: h.ambient(recs)}
	}
	var out []Loaded
	if len(files) > 0 {
		loaded, err := h.place(ctx, m, files, opts.LoadOptions)
		if err != nil {
			return nil, err
		}
		out = loaded
	}
	if len(groups) == 0 {
		return out, nil
	}
	loaded, err := h.syncVars(ctx, m, groups, recs, opts.LoadOptions)
	if err == nil || len(out) == 0 {
		return append(out, loaded...), err
	}
	// The files are there all the same.
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = errors.New("interrupted before the variables were written there")
	}
	var failed []string
	for _, g := range groups {
		if !slices.Contains(failed, g.name) {
			failed = append(failed, g.name)
			out = append(out, failedOn(m.Name(), g.name, err))
		}
	}
	return out, nil
}

// ambient are the variables by which a machine says that it has a role of its own
// for one of the secrets.
func (h *Host) ambient(recs []*store.Record) []string {
	var vars []string
	for _, rec := range recs {
		if sp, err := h.Specs.Get(rec.Secret.Provider); rec.Secret.Provider != "" && err == nil {
			vars = append(vars, sp.Ambient...)
		}
	}
	return vars
}

// syncVars brings variables into a machine's env file.
func (h *Host) syncVars(ctx context.Context, m machine.Machine, groups []envGroup, recs []*store.Record, opts LoadOptions) ([]Loaded, error) {
	specs := map[string]*spec.Spec{}
	for _, rec := range recs {
		if sp, err := h.Specs.Get(rec.Secret.Provider); rec.Secret.Provider != "" && err == nil {
			specs[rec.Info.Name] = sp
		}
	}
	path, env, err := envFileOn(ctx, m, h.ambient(recs))
	if err != nil {
		return nil, err
	}
	loaded, err := h.placeEnv(ctx, m, path, groups, opts)
	for _, g := range groups {
		var placed []provider.Placement
		for _, l := range loaded {
			if l.Secret == g.name {
				placed = append(placed, l.Placement)
			}
		}
		opts.warnOfRole(m, specs[g.name], env, g.name, placed)
	}
	return loaded, err
}

// Deleted is the outcome of deleting one secret.
type Deleted struct {
	Name string
	// Removed are the places on the machine that were cleared.
	Removed []provider.Placement
	Err     error
}

// DeleteOptions say how far a deletion goes.
type DeleteOptions struct {
	// Contents removes the secret from the machine too.
	Contents bool
	// Destroy removes every version from the store, beyond recovery.
	Destroy bool
}

// Delete deletes secrets from the store. With Contents each is first removed
// from the machine; one that differs there is left in both places.
func (h *Host) Delete(ctx context.Context, m machine.Machine, names []string, opts DeleteOptions) ([]Deleted, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	var out []Deleted
	for _, name := range names {
		d := Deleted{Name: name, Err: fault.WithKind(secret.ValidName(name), fault.Usage)}
		if opts.Contents && d.Err == nil {
			d.Removed, d.Err = h.removeContents(ctx, m, name)
		}
		if d.Err == nil {
			if opts.Destroy {
				d.Err = st.Destroy(ctx, name)
			} else {
				d.Err = st.Delete(ctx, name)
			}
			if errors.Is(d.Err, store.ErrNotFound) {
				d.Err = h.notFound(ctx, st, name, 0)
			}
		}
		if d.Err == nil {
			d.Err = config.Record(ctx, h.Dirs, h.Local, map[string]config.Location{name: {}})
		}
		out = append(out, d)
	}
	return out, nil
}

// notedPath is the file that config.yaml notes for a secret, if any, on this machine.
func (h *Host) notedPath(m machine.Machine, name string) ([]string, error) {
	if m != h.Local {
		return nil, nil
	}
	placed, err := h.Placed()
	i := slices.IndexFunc(placed, func(p Placed) bool { return p.Name == name && p.Path != "" })
	if err != nil || i < 0 {
		return nil, err
	}
	return []string{placed[i].Path}, nil
}

func (h *Host) removeContents(ctx context.Context, m machine.Machine, name string) ([]provider.Placement, error) {
	rec, err := h.Get(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	// A secret of no provider is where it was last loaded to, if that is noted.
	var sp *spec.Spec
	var at []string
	if rec.Secret.Provider != "" {
		sp, err = h.Specs.Get(rec.Secret.Provider)
	} else {
		if at, err = h.notedPath(m, name); len(at) > 0 {
			sp, err = baseSpec(&rec.Secret, at[0])
		}
	}
	if err != nil || sp == nil {
		return nil, err
	}
	snap, err := provider.Take(ctx, m, h.Guests, []*spec.Spec{sp}, at...)
	if err != nil {
		return nil, err
	}
	plan := provider.NewPlan(snap)
	var placed []provider.Placement
	if len(at) > 0 {
		placed = plan.RemoveAt(ctx, sp, &rec.Secret, snap.Abs(at[0]))
	} else {
		placed = plan.Remove(ctx, sp, &rec.Secret)
	}
	for _, p := range placed {
		if p.Err != nil {
			return nil, fault.WithHint(fmt.Errorf("%s: not deleted: %w", name, p.Err),
				"rhx save "+name+" keeps what this machine has; rhx load --overwrite "+name+" brings it to what is stored")
		}
	}
	out := make([]Loaded, len(placed))
	for i, p := range placed {
		out[i] = Loaded{m.Name(), name, p}
	}
	if err := h.write(ctx, m, snap, plan, out); err != nil {
		return nil, err
	}
	for i, l := range out {
		if placed[i] = l.Placement; l.Err != nil {
			return nil, fmt.Errorf("%s: not deleted: %w", name, l.Err)
		}
	}
	return placed, nil
}
