package host

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/store"
)

// The states of a secret at a place.
const (
	StateSame        = "same"
	StateDiffers     = "differs"
	StateMissing     = "missing"
	StateUnreachable = "unreachable"
)

// SecretStatus is one row of the matrix of secrets and places.
type SecretStatus struct {
	// Secret is the name in the manifest, or in the store without one.
	Secret string
	// Places has a state for each place that the secret is to be at.
	Places map[string]string
}

// LocalPlace is what status calls this machine.
const LocalPlace = "local"

// Status says of every secret whether the store has it, this machine, and each
// host that is to have it. m is nil for all of the store and this machine alone.
// places are in the order of the columns.
func (h *Host) Status(ctx context.Context, m *manifest.Manifest, opts ApplyOptions) (rows []SecretStatus, places []string, err error) {
	names, in := []string(nil), map[string]string{}
	if m != nil {
		for _, s := range m.Secrets {
			names = append(names, s.Name)
			in[s.Name] = s.StoreName()
		}
	} else {
		infos, err := h.List(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, info := range infos {
			names = append(names, info.Name)
			in[info.Name] = info.Name
		}
	}
	var wanted []string
	for _, n := range names {
		wanted = append(wanted, in[n])
	}
	stored, err := h.getThose(ctx, wanted)
	if err != nil {
		return nil, nil, err
	}
	here, err := h.here(ctx, stored)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		row := SecretStatus{n, map[string]string{StoreMachine: StateMissing, LocalPlace: here[in[n]]}}
		if stored[in[n]] != nil {
			row.Places[StoreMachine] = StateSame
		}
		if row.Places[LocalPlace] == "" {
			row.Places[LocalPlace] = StateMissing
		}
		rows = append(rows, row)
	}
	places = []string{StoreMachine, LocalPlace}
	if m == nil {
		return rows, places, nil
	}
	hosts, err := h.statusOfHosts(ctx, m, opts)
	for _, t := range targetsOf(m) {
		if t.address == LocalPlace {
			continue
		}
		places = append(places, t.address)
		for i := range rows {
			if state := hosts[t.address][rows[i].Secret]; state != "" {
				rows[i].Places[t.address] = state
			}
		}
	}
	return rows, places, err
}

// here compares what this machine has with the store.
func (h *Host) here(ctx context.Context, stored map[string]*store.Record) (map[string]string, error) {
	found, err := h.Detect(ctx, h.Local)
	if err != nil && len(found) == 0 {
		return nil, err
	}
	out := map[string]string{}
	for _, f := range found {
		rec := stored[f.Name]
		switch {
		case rec == nil:
		case f.State == provider.HasValue && subset(rec, &f):
			out[f.Name] = StateSame
		default:
			out[f.Name] = StateDiffers
		}
	}
	return out, nil
}

// subset reports whether a machine has every value of a record.
func subset(rec *store.Record, f *provider.Found) bool {
	for k, v := range rec.Secret.Values {
		if f.Values[k] != v {
			return false
		}
	}
	return true
}

// statusOfHosts says, of each host, which state each of its secrets is in.
func (h *Host) statusOfHosts(ctx context.Context, m *manifest.Manifest, opts ApplyOptions) (map[string]map[string]string, error) {
	targets := slices.DeleteFunc(targetsOf(m), func(t *target) bool { return t.address == LocalPlace })
	envs, broken := h.environments(ctx, m, targets, opts.Getenv, true)
	out := map[string]map[string]string{}
	var errs []error
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(max(1, opts.Parallel))
	for _, t := range targets {
		env, err := envs[t.key()], broken[t.key()]
		if err != nil {
			errs = append(errs, err)
			continue
		}
		g.Go(func() error {
			mach := opts.Open(t.address)
			defer func() { _ = mach.Close() }()
			load := SyncOptions{Bundle: env, LoadOptions: LoadOptions{DryRun: true}}
			loaded, err := h.syncOne(ctx, mach, nil, load)
			mu.Lock()
			defer mu.Unlock()
			out[t.address] = map[string]string{}
			if err != nil {
				for _, name := range load.wanted(nil) {
					out[t.address][name] = StateUnreachable
				}
				return nil
			}
			for _, l := range loaded {
				out[t.address][l.Secret] = worse(out[t.address][l.Secret], stateOf(l, env))
			}
			return nil
		})
	}
	_ = g.Wait()
	return out, errors.Join(errs...)
}

func stateOf(l Loaded, env *Environment) string {
	switch l.Action {
	case provider.Unchanged:
		return StateSame
	case provider.Created:
		return StateMissing
	case provider.Updated:
		// All keys are new where the file has other things.
		i := slices.IndexFunc(env.Files, func(r *store.Record) bool { return r.Info.Name == l.Secret })
		if i >= 0 && len(l.Keys) == len(env.Files[i].Secret.Values) {
			return StateMissing
		}
	}
	return StateDiffers
}

// worse is the state of a secret with places in two states.
func worse(a, b string) string {
	switch {
	case a == "" || a == b:
		return b
	case a == StateDiffers || b == StateDiffers || a == StateSame || b == StateSame:
		return StateDiffers
	}
	return b
}
