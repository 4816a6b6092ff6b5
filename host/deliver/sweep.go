package deliver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
)

// ErrChangedSince is the Err of an expired secret that is left where it is, since
// somebody gave it another value.
var ErrChangedSince = errors.New("its time has passed, and it was changed there since: it is left")

// Sweep takes secrets out of one machine whose time there has passed: the keys of each
// alone, as logout does, and only where they have the values that rhx put there. s is nil
// to say what it would do. What cannot be done now is tried again by the next sweep.
func (d *Deliverer) Sweep(ctx context.Context, book *session.Book, s *session.Session, at place.Place, m machine.Machine, due []session.Expiry) []session.Outcome {
	var out []session.Outcome
	for _, e := range due {
		// One by one: several may be in one file.
		t := &taking{d: d, book: book, at: at, m: m, e: e}
		took, over := t.take(ctx, s)
		out = append(out, took...)
		if !over || s == nil {
			continue
		}
		if err := book.DropExpiry(context.WithoutCancel(ctx), e); err != nil {
			out = append(out, t.outcome(provider.Failed, nil, err))
		}
	}
	return out
}

// take takes the secret out, or without a session says that it would. over reports that
// nothing more is to be done about the place.
func (t *taking) take(ctx context.Context, s *session.Session) (out []session.Outcome, over bool) {
	err := t.plan(ctx)
	switch {
	case errors.Is(err, ErrChangedSince):
		return []session.Outcome{t.outcome(provider.Conflict, nil, err)}, true
	case errors.Is(err, ErrGone):
		// Somebody took it out already, which config.yaml does not know.
		err, t.changes, t.out = nil, nil, nil
	}
	if err == nil && s != nil {
		err = s.Write(ctx, &session.Work{At: t.at, Machine: t.m, Changes: t.changes, Outcomes: t.out, Displaced: t.displaced()})
	}
	if err != nil {
		return []session.Outcome{t.outcome(provider.Failed, nil, err)}, false
	}
	return t.out, !slices.ContainsFunc(t.out, func(o session.Outcome) bool { return o.Err != nil })
}

// taking is taking one secret out of one place.
type taking struct {
	d    *Deliverer
	book *session.Book
	at   place.Place
	m    machine.Machine
	e    session.Expiry

	file    string // absolute
	changes []machine.Change
	out     []session.Outcome
}

func (t *taking) outcome(action provider.Action, keys []string, err error) session.Outcome {
	src := secret.Source{Kind: secret.SourceFile, Path: t.e.Path}
	if t.e.Path == "" {
		src = secret.Source{Kind: secret.SourceEnv, Var: strings.Join(t.e.Vars, ", ")}
	}
	return session.Outcome{At: t.at, Secret: t.e.Secret, Stored: t.e.Secret, File: t.file,
		Placement: provider.Placement{Source: src, Action: action, Keys: keys, Err: err}}
}

// displaced is what config.yaml is to forget.
func (t *taking) displaced() map[string]config.Location {
	if t.at != place.Here {
		return nil
	}
	return map[string]config.Location{t.e.Secret: {Path: t.e.Path, Vars: t.e.Vars}}
}

func (t *taking) plan(ctx context.Context) error {
	if t.e.Path == "" {
		return t.planVars(ctx)
	}
	sp, want, err := t.spec()
	if err != nil {
		return err
	}
	snap, err := provider.Take(ctx, t.m, t.d.Guests, []*spec.Spec{sp}, t.e.Path, t.e.Path+".pub")
	if err != nil {
		return err
	}
	t.file = snap.Abs(t.e.Path)
	if strings.HasSuffix(t.file, ".pub") && sp.Files[0].Format == "keypair" {
		return t.planPublic(ctx, snap)
	}
	here, err := SecretAt(ctx, snap, sp, t.e.Path, t.e.Secret, want)
	if err != nil {
		return err
	}
	same, changed, err := t.book.Unchanged(ctx, t.e, here.Values)
	switch {
	case err != nil:
		return err
	case slices.ContainsFunc(changed, func(key string) bool { return !sp.Public(key) }):
		// Half of an old and half of a new pair is of no use.
		return ErrChangedSince
	case len(same) == 0 && len(changed) > 0:
		return ErrChangedSince
	case len(same) == 0:
		return ErrGone
	}
	created, err := t.created(snap)
	if err != nil {
		return err
	}
	plan := provider.NewPlan(snap)
	for _, p := range plan.RemoveAt(ctx, without(sp, same), here, t.file) {
		if p.Err != nil {
			return p.Err
		}
		o := t.outcome(provider.Removed, same, nil)
		o.Source, o.File = p.Source, snap.Abs(p.Source.Path)
		t.out = append(t.out, o)
	}
	if len(t.out) == 0 {
		return ErrGone
	}
	for _, c := range plan.Changes() {
		// A file that was there before rhx wrote it stays, with nothing in it.
		if c.Remove && !created {
			c.Remove, c.Data, c.Mode = false, Emptied(c.Old), 0o600
		}
		t.changes = append(t.changes, c)
	}
	return nil
}

// created reports whether rhx made the file.
func (t *taking) created(snap *provider.Snapshot) (bool, error) {
	if t.e.Created || t.at != place.Here {
		return t.e.Created, nil
	}
	list, err := config.Created(t.d.Dirs)
	return slices.Contains(list, snap.Short(t.file)), err
}

// spec is by which spec the place is read, and the secret in it.
func (t *taking) spec() (*spec.Spec, *secret.Secret, error) {
	want := &secret.Secret{Name: t.e.Secret, Provider: t.e.Provider, Profile: t.e.Profile, Values: secret.Values{}}
	if t.e.Format == "" {
		sp, err := t.d.Specs.Get(t.e.Provider)
		if err == nil && len(sp.Files) == 0 {
			err = fmt.Errorf("the provider %s has no file any more", t.e.Provider)
		}
		return sp, want, err
	}
	for key := range t.e.Prints {
		want.Values[key] = secret.Value{}
	}
	sp, err := BaseSpec(want, t.e.Path, t.e.Format)
	return sp, want, err
}

// without is a spec that leaves public values alone that are not among keys: somebody
// else wrote them.
func without(sp *spec.Spec, keys []string) *spec.Spec {
	foreign := func(key string) bool { return key != "*" && sp.Public(key) && !slices.Contains(keys, key) }
	out := *sp
	out.Together, out.OneOf = nil, nil
	out.Values = slices.Clone(sp.Values)
	for i := range out.Values {
		out.Values[i].Optional = out.Values[i].Optional || foreign(out.Values[i].Name)
	}
	out.Files = slices.Clone(sp.Files)
	for i := range out.Files {
		f := &out.Files[i]
		f.Keys = slices.DeleteFunc(slices.Clone(f.Keys), func(k spec.Key) bool { return foreign(k.Value) })
	}
	return &out
}

// planPublic takes away the public half of a key pair, of which rhx placed no more.
func (t *taking) planPublic(ctx context.Context, snap *provider.Snapshot) error {
	file := snap.File(t.file)
	switch {
	case errors.Is(file.Err, fs.ErrNotExist):
		return ErrGone
	case file.Err != nil:
		return file.Err
	}
	same, _, err := t.book.Unchanged(ctx, t.e, secret.Values{"public_key": secret.NewValue(string(file.Data))})
	if err == nil && len(same) == 0 {
		err = ErrChangedSince
	}
	t.changes = []machine.Change{{Path: t.file, Old: file.Data, Remove: true}}
	t.out = []session.Outcome{t.outcome(provider.Removed, same, nil)}
	return err
}

// planVars takes variables out of the env file.
func (t *taking) planVars(ctx context.Context) error {
	snap, err := provider.TakeWith(ctx, t.m, t.d.Guests, nil, provider.Also{Vars: envFileVars(), Found: func(info machine.Info) []string {
		t.file = t.d.envFileOn(t.at, info)
		return []string{t.file}
	}})
	if err != nil {
		return err
	}
	if errors.Is(snap.File(t.file).Err, fs.ErrNotExist) {
		return ErrGone
	}
	file, err := parseEnvFile(snap.File(t.file))
	if err != nil {
		return err
	}
	have := secret.Values{}
	for _, v := range file.Vars() {
		if slices.Contains(t.e.Vars, v.Name) {
			have[v.Name] = v.Value
		}
	}
	same, changed, err := t.book.Unchanged(ctx, t.e, have)
	switch {
	case err != nil:
		return err
	case len(changed) > 0:
		return ErrChangedSince
	case len(same) == 0:
		return ErrGone
	}
	change, err := file.Without(same)
	if err != nil {
		return err
	}
	t.changes = []machine.Change{*change}
	for _, name := range same {
		o := t.outcome(provider.Removed, []string{name}, nil)
		o.Source.Var = name
		t.out = append(t.out, o)
	}
	return nil
}
