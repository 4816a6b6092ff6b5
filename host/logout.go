package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// Placed is one place where load or login placed a secret on this machine, as
// config.yaml says: a file, or variables.
type Placed struct {
	Name string
	config.Location
}

// Where names the place for people.
func (p Placed) Where() string {
	if p.Path != "" {
		return p.Path
	}
	return joined(p.Vars)
}

func joined(list []string) string { return strings.Join(list, ", ") }

// Placed returns what load and login placed on this machine: files first, then
// variables, by name.
func (h *Host) Placed() ([]Placed, error) {
	conf, err := config.Load(h.Dirs)
	if err != nil {
		return nil, err
	}
	var files, vars []Placed
	for _, name := range slices.Sorted(maps.Keys(conf.Secrets)) {
		l := conf.Secrets[name]
		for _, path := range append([]string{l.Path}, l.Also...) {
			if path != "" {
				files = append(files, Placed{name, config.Location{Path: path}})
			}
		}
		if len(l.Vars) > 0 {
			vars = append(vars, Placed{name, config.Location{Vars: l.Vars}})
		}
	}
	return append(files, vars...), nil
}

// ErrGone is the Err of a secret that is not where it was placed any more.
var ErrGone = errors.New("it is not there any more")

// Unplace is what taking one placed secret off this machine would do.
type Unplace struct {
	Placed
	// Differs are the keys whose values are not the stored ones: they may be
	// nowhere else.
	Differs []string
	// NotStored reports that the store does not have the secret at all.
	NotStored bool
	// NotCompared says why the store could not be asked, where it is there.
	NotCompared error
	// Err says why nothing can be taken away; ErrGone where nothing is left.
	Err error

	changes []machine.Change
}

// PlanUnplace works out how to take a secret off this machine: its keys only,
// with what is empty then. The store is asked for it if askStore; where it
// cannot be asked, which the second result says, the plan does without.
func (h *Host) PlanUnplace(ctx context.Context, p Placed, askStore bool) (Unplace, error) {
	if !askStore {
		return h.planUnplace(ctx, p, nil), nil
	}
	stored, err := h.Get(ctx, p.Name, 0)
	missing := errors.Is(err, store.ErrNotFound)
	u := h.planUnplace(ctx, p, stored)
	if u.NotStored = missing; missing {
		err = nil
	}
	return u, err
}

func (h *Host) planUnplace(ctx context.Context, p Placed, stored *store.Record) Unplace {
	u := Unplace{Placed: p}
	if p.Path == "" {
		u.planVars(ctx, h, stored)
		return u
	}
	sp, err := h.specOf(p, stored)
	if err != nil {
		u.Err = err
		return u
	}
	snap, err := provider.Take(ctx, h.Local, h.Guests, []*spec.Spec{sp}, p.Path, p.Path+".pub")
	if err != nil {
		u.Err = err
		return u
	}
	created, err := config.Created(h.Dirs)
	if err != nil {
		u.Err = err
		return u
	}
	// A file that was there before rhx wrote it stays, with nothing in it.
	add := func(c machine.Change) {
		if c.Remove && !slices.Contains(created, snap.Short(c.Path)) {
			c.Remove, c.Data, c.Mode = false, emptied(c.Old), 0o600
		}
		u.changes = append(u.changes, c)
	}
	at := snap.Abs(p.Path)
	if strings.HasSuffix(at, ".pub") && sp.Files[0].Format == "keypair" {
		// rhx placed this half only: the other one was there.
		u.planPublic(ctx, h, at, stored, add)
		return u
	}
	here, err := h.secretAt(ctx, snap, sp, p, stored)
	if err != nil {
		u.Err = err
		return u
	}
	if stored != nil {
		u.Differs = differing(provider.NewPlan(snap).RemoveAt(ctx, sp, &stored.Secret, at))
	}
	plan := provider.NewPlan(snap)
	placed := plan.RemoveAt(ctx, sp, here, at)
	for _, pl := range placed {
		if pl.Err != nil {
			u.Err = pl.Err
			return u
		}
	}
	if len(placed) == 0 {
		u.Err = ErrGone
		return u
	}
	for _, c := range plan.Changes() {
		add(c)
	}
	return u
}

// planPublic takes away the public half of a key pair.
func (u *Unplace) planPublic(ctx context.Context, h *Host, at string, stored *store.Record, add func(machine.Change)) {
	files, err := h.Local.Read(ctx, []string{machine.Quote(at)})
	switch {
	case err != nil:
		u.Err = err
	case len(files) == 0 || missing(files[0]):
		u.Err = ErrGone
	case files[0].Err != nil:
		u.Err = files[0].Err
	default:
		if stored != nil && stored.Secret.Values["public_key"].Reveal() != string(files[0].Data) {
			u.Differs = []string{"public_key"}
		}
		add(machine.Change{Path: at, Old: files[0].Data, Remove: true})
	}
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

// specOf returns the spec by which a placed secret was written.
func (h *Host) specOf(p Placed, stored *store.Record) (*spec.Spec, error) {
	switch {
	case stored == nil:
		sp, err := h.Specs.Get(first(p.Name))
		if err != nil || len(sp.Files) == 0 {
			err = fault.WithHint(fmt.Errorf("what of %s belongs to %s, only the store can say, and it cannot be asked", p.Path, p.Name), "take it out by hand")
		}
		return sp, err
	case stored.Secret.Provider == "":
		return baseSpec(&stored.Secret, p.Path)
	}
	sp, err := h.Specs.Get(stored.Secret.Provider)
	if err == nil && len(sp.Files) == 0 {
		return baseSpec(&stored.Secret, p.Path)
	}
	return sp, err
}

// secretAt reads a placed secret as it is now.
func (h *Host) secretAt(ctx context.Context, snap *provider.Snapshot, sp *spec.Spec, p Placed, stored *store.Record) (*secret.Secret, error) {
	if snap.Missing(p.Path) {
		return nil, ErrGone
	}
	found, err := snap.ExtractFile(ctx, sp, p.Path)
	if err != nil {
		return nil, ErrGone // a file that can be read, and has no secret of this kind
	}
	_, profile := secret.SplitName(p.Name)
	if stored != nil {
		profile = stored.Secret.Profile
	}
	for _, f := range found {
		switch {
		case f.State == provider.Invalid && (f.Profile == profile || f.Profile == ""):
			return nil, f.Err
		case f.State != provider.HasValue:
		case f.Profile == profile, f.Name == p.Name, len(found) == 1 && len(sp.Files) > 0 && sp.Files[0].PerFile():
			sec := f.Secret.Clone()
			sec.Profile = profile
			return sec, nil
		}
	}
	return nil, ErrGone
}

// emptied is what is left of a file's content when all its values go.
func emptied(old []byte) []byte {
	if bytes.HasPrefix(bytes.TrimLeft(old, "\ufeff \t\r\n"), []byte("{")) {
		return []byte("{}\n")
	}
	return []byte{}
}

// planVars takes a secret's variables out of the env file.
func (u *Unplace) planVars(ctx context.Context, h *Host, stored *store.Record) {
	file, head, have, err := readEnvFile(ctx, h.Local, filepath.ToSlash(h.EnvFile()))
	if err != nil {
		u.Err = err
		return
	}
	left := slices.DeleteFunc(slices.Clone(have), func(v bundle.Var) bool { return slices.Contains(u.Vars, v.Name) })
	if len(left) == len(have) {
		u.Err = ErrGone
		return
	}
	if stored != nil {
		want, err := h.vars([]*store.Record{stored})
		for _, v := range have {
			if slices.Contains(u.Vars, v.Name) && (err != nil || !slices.ContainsFunc(want, func(w bundle.Var) bool { return w.Name == v.Name && w.Value == v.Value })) {
				u.Differs = append(u.Differs, v.Name)
			}
		}
	}
	c := machine.Change{Path: file.Path, Old: file.Data}
	if c.Remove = len(left) == 0 && string(head) == envHead; !c.Remove {
		text, err := bundle.Format("shell", left)
		if err != nil {
			u.Err = err
			return
		}
		c.Data = slices.Concat(head, text)
	}
	u.changes = []machine.Change{c}
}

// Unplace takes a secret off this machine as planned, and its note out of
// config.yaml.
func (h *Host) Unplace(ctx context.Context, u Unplace) error {
	if u.Err != nil && !errors.Is(u.Err, ErrGone) {
		return u.Err
	}
	if len(u.changes) > 0 {
		errs, err := h.Local.Write(ctx, u.changes)
		if err := errors.Join(append(errs, err)...); err != nil {
			return err
		}
	}
	return config.Remove(ctx, h.Dirs, h.Local, map[string]config.Location{u.Name: u.Location})
}
