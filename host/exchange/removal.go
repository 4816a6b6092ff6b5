package exchange

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/bundle"
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

// LocalCopy is one place where rhx put a secret on this machine, as config.yaml says:
// a file, or variables of the env file.
type LocalCopy struct {
	// Name is the secret's in the store.
	Name string
	config.Location
}

// Where names the place for people.
func (p LocalCopy) Where() string {
	if p.Path != "" {
		return p.Path
	}
	return joined(p.Vars)
}

func joined(list []string) string { return strings.Join(list, ", ") }

// LocalCopies returns where rhx put secrets on this machine: files first, then variables,
// by name.
func (x *Exchange) LocalCopies() ([]LocalCopy, error) {
	conf, err := config.Load(x.Dirs)
	if err != nil {
		return nil, err
	}
	var files, vars []LocalCopy
	for _, name := range slices.Sorted(maps.Keys(conf.Secrets)) {
		l := conf.Secrets[name]
		for _, path := range append([]string{l.Path}, l.Also...) {
			if path != "" {
				files = append(files, LocalCopy{name, config.Location{Path: path}})
			}
		}
		if len(l.Vars) > 0 {
			vars = append(vars, LocalCopy{name, config.Location{Vars: l.Vars}})
		}
	}
	return append(files, vars...), nil
}

// ErrGone is the Err of a secret that is not where it was placed any more.
var ErrGone = deliver.ErrGone

// Removal is what taking one placed secret off this machine would do.
type Removal struct {
	LocalCopy
	// Differs are the keys whose values are not the stored ones: they may be
	// nowhere else.
	Differs []string
	// NotStored reports that the store does not have the secret at all.
	NotStored bool
	// NotCompared says why the store could not be asked, where it is there.
	NotCompared error
	// Err says why nothing can be taken away; ErrGone where nothing is left.
	Err error

	file    string // absolute
	changes []machine.Change
}

// PlanRemoval works out how to take a secret off this machine: its keys only,
// with what is empty then. The store is asked for it if askStore; where it
// cannot be asked, which the second result says, the plan does without.
func (x *Exchange) PlanRemoval(ctx context.Context, p LocalCopy, askStore bool) (Removal, error) {
	if !askStore {
		return x.planRemoval(ctx, p, nil), nil
	}
	stored, err := x.Records.Get(ctx, p.Name, 0)
	missing := errors.Is(err, store.ErrNotFound)
	r := x.planRemoval(ctx, p, stored)
	if r.NotStored = missing; missing {
		err = nil
	}
	return r, err
}

func (x *Exchange) planRemoval(ctx context.Context, p LocalCopy, stored *store.Record) Removal {
	r := Removal{LocalCopy: p}
	if p.Path == "" {
		r.Err = x.planVars(ctx, &r, stored)
	} else {
		r.Err = x.planFile(ctx, &r, stored)
	}
	return r
}

// planFile takes a secret out of a file.
func (x *Exchange) planFile(ctx context.Context, r *Removal, stored *store.Record) error {
	sp, want, err := x.specOf(r.LocalCopy, stored)
	if err != nil {
		return err
	}
	snap, err := provider.Take(ctx, x.Local, x.Guests, []*spec.Spec{sp}, r.Path, r.Path+".pub")
	if err != nil {
		return err
	}
	created, err := config.Created(x.Dirs)
	if err != nil {
		return err
	}
	// A file that was there before rhx wrote it stays, with nothing in it.
	add := func(c machine.Change) {
		if c.Remove && !slices.Contains(created, snap.Short(c.Path)) {
			c.Remove, c.Data, c.Mode = false, deliver.Emptied(c.Old), 0o600
		}
		r.changes = append(r.changes, c)
	}
	r.file = snap.Abs(r.Path)
	if strings.HasSuffix(r.file, ".pub") && sp.Files[0].Format == "keypair" {
		// rhx placed this half only: the other one was there.
		return r.planPublic(snap, stored, add)
	}
	here, err := deliver.SecretAt(ctx, snap, sp, r.Path, r.Name, want)
	if err != nil {
		return err
	}
	if want != nil {
		r.Differs = differing(provider.NewPlan(snap).RemoveAt(ctx, sp, want, r.file))
	}
	plan := provider.NewPlan(snap)
	placed := plan.RemoveAt(ctx, sp, here, r.file)
	for _, pl := range placed {
		if pl.Err != nil {
			return pl.Err
		}
	}
	if len(placed) == 0 {
		return ErrGone
	}
	for _, c := range plan.Changes() {
		add(c)
	}
	return nil
}

// planPublic takes away the public half of a key pair.
func (r *Removal) planPublic(snap *provider.Snapshot, stored *store.Record, add func(machine.Change)) error {
	file := snap.File(r.file)
	switch {
	case errors.Is(file.Err, fs.ErrNotExist):
		return ErrGone
	case file.Err != nil:
		return file.Err
	}
	if stored != nil && stored.Secret.Values["public_key"].Reveal() != string(file.Data) {
		r.Differs = []string{"public_key"}
	}
	add(machine.Change{Path: r.file, Old: file.Data, Remove: true})
	return nil
}

func differing(placed []provider.Placement) []string {
	var keys []string
	for _, p := range placed {
		if p.Action == provider.Conflict {
			keys = append(keys, p.Keys...)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// specOf returns the spec by which a placed secret was written, and the secret as it
// was written there; nil where the store cannot be asked.
func (x *Exchange) specOf(p LocalCopy, stored *store.Record) (*spec.Spec, *secret.Secret, error) {
	if stored == nil {
		name, _ := secret.SplitName(p.Name)
		sp, err := x.Specs.Get(name)
		if err != nil || len(sp.Files) == 0 {
			err = fault.WithHint(fmt.Errorf("what of %s belongs to %s, only the store can say, and it cannot be asked", p.Path, p.Name), "take it out by hand")
		}
		return sp, nil, err
	}
	var sp *spec.Spec
	if stored.Secret.Provider != "" {
		var err error
		if sp, err = x.Specs.Get(stored.Secret.Provider); err != nil {
			return nil, nil, err
		}
	}
	return deliver.SpecAt(sp, &stored.Secret, p.Path)
}

// planVars takes a secret's variables out of the env file.
func (x *Exchange) planVars(ctx context.Context, r *Removal, stored *store.Record) error {
	r.file = filepath.ToSlash(x.Deliver.EnvFile())
	files, err := x.Local.Read(ctx, []string{machine.Quote(r.file)})
	if err != nil {
		return err
	}
	if len(files) == 0 || errors.Is(files[0].Err, fs.ErrNotExist) {
		return ErrGone
	}
	file, err := deliver.ParseEnvFile(files[0])
	if err != nil {
		return err
	}
	change, err := file.Without(r.Vars)
	switch {
	case err != nil:
		return err
	case change == nil:
		return ErrGone
	}
	r.changes = []machine.Change{*change}
	if stored == nil {
		return nil
	}
	want, err := x.Deliver.VarsOf([]*store.Record{stored})
	for _, v := range file.Vars() {
		if slices.Contains(r.Vars, v.Name) && (err != nil || !slices.ContainsFunc(want, func(w bundle.Var) bool { return w.Name == v.Name && w.Value == v.Value })) {
			r.Differs = append(r.Differs, v.Name)
		}
	}
	return nil
}

// Remove takes a secret off this machine as planned, and its note out of
// config.yaml.
func (x *Exchange) Remove(ctx context.Context, s *session.Session, r *Removal) error {
	if r.Err != nil && !errors.Is(r.Err, ErrGone) {
		return r.Err
	}
	w := &session.Work{At: place.Here, Machine: x.Local, Changes: r.changes, Outcomes: r.outcomes(), Displaced: map[string]config.Location{r.Name: r.Location}}
	if err := s.Write(ctx, w); err != nil {
		return err
	}
	for _, o := range w.Outcomes {
		if o.Err != nil {
			return o.Err
		}
	}
	return nil
}

// outcomes are those of a removal, a line for each place.
func (r *Removal) outcomes() []session.Outcome {
	if r.Err != nil {
		return nil
	}
	o := session.Outcome{At: place.Here, Secret: r.Name, Stored: r.Name, File: r.file}
	if r.Path != "" {
		o.Placement = provider.Placement{Source: secret.Source{Kind: secret.SourceFile, Path: r.Path}, Action: provider.Removed}
		return []session.Outcome{o}
	}
	var out []session.Outcome
	for _, name := range r.Vars {
		o.Placement = provider.Placement{Source: secret.Source{Kind: secret.SourceEnv, Var: name}, Action: provider.Removed, Keys: []string{name}}
		out = append(out, o)
	}
	return out
}
