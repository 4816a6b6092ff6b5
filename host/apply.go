package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Step is one thing that applying a manifest does, or would do.
type Step struct {
	Loaded
	// Was and Is are fingerprints of the values before and after, by key; a key that
	// is new has no Was.
	Was, Is map[string]string
}

// StoreMachine is the Machine of steps that are about the store.
const StoreMachine = "store"

// ApplyOptions say how a manifest is applied.
type ApplyOptions struct {
	// DryRun only plans.
	DryRun bool
	// Overwrite replaces values that somebody else wrote.
	Overwrite bool
	// Parallel bounds the machines that are served at once.
	Parallel int
	// Open returns a machine by its address; "local" is this one.
	Open func(address string) machine.Machine
	// Ask asks a person for a value; nil where nobody can be asked.
	Ask func(prompt string) (string, error)
	// Getenv is for texts that name a variable of this environment.
	Getenv func(string) string
	// Done, where it is set, is told each machine's steps as they come, one at a time.
	Done func(steps []Step)
	// Warn is told what a user should know beside the outcome.
	Warn func(string)
}

// pendingText stands for a value that is not made yet.
const pendingText = "rhx-to-be-made"

// Apply brings the store, this machine and every host to what a manifest says, or
// plans that. Values are compared three ways: what rhx put there last, what is
// there, and what is wanted. What somebody changed by hand is a conflict, and stays.
// A part that fails stops no other.
func (h *Host) Apply(ctx context.Context, m *manifest.Manifest, opts ApplyOptions) ([]Step, error) {
	a, err := h.loadApplied()
	if err != nil {
		return nil, err
	}
	steps, err := h.applyStore(ctx, m, a, opts)
	if err != nil {
		return nil, err
	}
	if opts.Done != nil && len(steps) > 0 {
		opts.Done(steps)
	}
	targets := targetsOf(m)
	envs, broken := h.environments(ctx, m, targets, opts.Getenv, opts.DryRun)
	results := make([][]Step, len(targets))
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(max(1, opts.Parallel))
	for i, t := range targets {
		g.Go(func() error {
			var got []Step
			if err := broken[t.key()]; err != nil {
				got = []Step{{Loaded: failedOn(t.address, "bundles "+strings.Join(t.bundles, ", "), err)}}
			} else {
				got = h.applyOn(ctx, t.address, envs[t.key()], a, opts)
			}
			mu.Lock()
			defer mu.Unlock()
			results[i] = got
			if opts.Done != nil {
				opts.Done(got)
			}
			return nil
		})
	}
	_ = g.Wait()
	steps = append(steps, slices.Concat(results...)...)
	if opts.DryRun {
		return steps, nil
	}
	var names []string
	for _, t := range targets {
		names = append(names, t.address)
	}
	if err := a.save(names); err != nil && opts.Warn != nil {
		opts.Warn("what was written is not noted, so the next apply will call it a conflict: " + err.Error())
	}
	return steps, nil
}

// target is a machine and all bundles that it gets.
type target struct {
	address string
	bundles []string
}

func (t *target) key() string { return strings.Join(t.bundles, "\x00") }

// targetsOf are the machines of a manifest, each once.
func targetsOf(m *manifest.Manifest) []*target {
	var out []*target
	for _, g := range m.Hosts {
		for _, address := range g.Addresses {
			i := slices.IndexFunc(out, func(t *target) bool { return t.address == address })
			if i < 0 {
				i = len(out)
				out = append(out, &target{address: address})
			}
			for _, b := range g.Bundles {
				if !slices.Contains(out[i].bundles, b) {
					out[i].bundles = append(out[i].bundles, b)
				}
			}
		}
	}
	return out
}

// environments composes what each target gets, once for all that get the same; what
// they come to, and the errors, are by a target's key.
func (h *Host) environments(ctx context.Context, m *manifest.Manifest, targets []*target, getenv func(string) string, pending bool) (envs map[string]*Environment, broken map[string]error) {
	envs, broken = map[string]*Environment{}, map[string]error{}
	for _, t := range targets {
		if key := t.key(); envs[key] == nil && broken[key] == nil {
			envs[key], broken[key] = h.environment(ctx, m, t.bundles, nil, getenv, pending)
		}
	}
	return envs, broken
}

// applyOn brings one machine to what it is to have.
func (h *Host) applyOn(ctx context.Context, address string, env *Environment, a *applied, opts ApplyOptions) []Step {
	m := opts.Open(address)
	if m != h.Local {
		defer func() { _ = m.Close() }()
	}
	wanted := valuesOf(env)
	was := map[string]map[string]string{}
	var mu sync.Mutex
	load := SyncOptions{Bundle: env, LoadOptions: LoadOptions{DryRun: opts.DryRun, Warn: opts.Warn, Known: func(name, sec string, c *provider.ConflictError) bool {
		mu.Lock()
		defer mu.Unlock()
		if was[sec] == nil {
			was[sec] = map[string]string{}
		}
		for key, v := range c.Have {
			was[sec][key] = a.Fingerprint(v)
		}
		return opts.Overwrite || a.known(name, sec, c)
	}}}
	loaded, err := h.syncOne(ctx, m, nil, load)
	if err != nil {
		loaded = nil
		for _, name := range load.wanted(nil) {
			loaded = append(loaded, failedOn(m.Name(), name, err))
		}
	}
	if !opts.DryRun {
		a.note(loaded, wanted)
	}
	var out []Step
	for _, l := range loaded {
		s := Step{Loaded: l, Was: map[string]string{}, Is: map[string]string{}}
		keys := l.Keys
		if l.Source.Var != "" {
			keys = []string{l.Source.Var}
		}
		for _, key := range keys {
			if f := was[l.Secret][key]; f != "" {
				s.Was[key] = short(f)
			}
			if v, ok := wanted[l.Secret][key]; ok && !strings.Contains(v.Reveal(), pendingText) {
				s.Is[key] = short(a.Fingerprint(v))
			}
		}
		out = append(out, s)
	}
	return out
}

// valuesOf are the values that an environment puts onto a machine, by secret: of
// files by key, of variables by name.
func valuesOf(env *Environment) map[string]secret.Values {
	out := map[string]secret.Values{}
	set := func(name, key string, v secret.Value) {
		if out[name] == nil {
			out[name] = secret.Values{}
		}
		out[name][key] = v
	}
	for _, rec := range env.Files {
		for key, v := range rec.Secret.Values {
			set(rec.Info.Name, key, v)
		}
	}
	for _, v := range env.Vars {
		set(v.Secret, v.Name, v.Value)
	}
	return out
}

// applyStore makes the values that the manifest has generated, and asks for those
// that it has a person asked for.
func (h *Host) applyStore(ctx context.Context, m *manifest.Manifest, a *applied, opts ApplyOptions) ([]Step, error) {
	var names []string
	for _, s := range m.Secrets {
		if slices.ContainsFunc(s.Values, func(v manifest.Value) bool { return v.Generate != nil || v.Prompt != "" }) {
			names = append(names, s.StoreName())
		}
	}
	stored, err := h.getThose(ctx, names)
	if err != nil {
		return nil, err
	}
	var out []Step
	for _, s := range m.Secrets {
		if !slices.Contains(names, s.StoreName()) {
			continue
		}
		step, err := h.makeValues(ctx, s, stored[s.StoreName()], a, opts)
		if err != nil {
			step.Action, step.Err = provider.Failed, err
		}
		if step.Action != "" {
			out = append(out, step)
		}
	}
	return out, nil
}

// makeValues makes the values of one secret that the store does not have.
func (h *Host) makeValues(ctx context.Context, s *manifest.Secret, rec *store.Record, a *applied, opts ApplyOptions) (Step, error) {
	step := Step{Loaded: Loaded{Machine: StoreMachine, Secret: s.StoreName()}, Was: map[string]string{}, Is: map[string]string{}}
	sec, version := &secret.Secret{Name: s.StoreName(), Values: secret.Values{}}, 0
	if rec != nil {
		if rec.Secret.Provider != "" {
			return step, fmt.Errorf("it is of the provider %s in the store", rec.Secret.Provider)
		}
		sec, version = rec.Secret.Clone(), rec.Info.Version
		step.Action = provider.Updated
	} else {
		step.Action = provider.Created
	}
	for _, v := range s.Values {
		if !sec.Values[v.Key].Empty() || v.Generate == nil && v.Prompt == "" || chosen(s, v.Key, sec.Values) {
			continue
		}
		step.Keys = append(step.Keys, v.Key)
		if opts.DryRun {
			continue
		}
		text, public, err := "", "", error(nil)
		switch {
		case v.Generate != nil:
			text, public, err = v.Generate.Make()
		case opts.Ask == nil:
			err = fmt.Errorf("%s is to be asked for, and there is nobody to ask", v.Key)
		default:
			if text, err = opts.Ask(v.Prompt); err == nil && text == "" {
				err = fmt.Errorf("%s: no value was given", v.Key)
			}
		}
		if err != nil {
			return step, err
		}
		sec.Values[v.Key] = secret.NewValue(text)
		if public != "" {
			sec.Values[v.Generate.Public(v.Key)] = secret.NewValue(public)
		}
		step.Is[v.Key] = short(a.Fingerprint(sec.Values[v.Key]))
	}
	if len(step.Keys) == 0 {
		step.Action = ""
		return step, nil
	}
	if opts.DryRun {
		return step, nil
	}
	st, err := h.Store(ctx)
	if err != nil {
		return step, err
	}
	_, err = st.Put(ctx, sec, version)
	return step, err
}

// chosen reports whether another key of a group of which one is enough is there.
func chosen(s *manifest.Secret, key string, have secret.Values) bool {
	for _, group := range s.OneOf {
		if slices.Contains(group, key) && slices.ContainsFunc(group, func(k string) bool { return k != key && !have[k].Empty() }) {
			return true
		}
	}
	return false
}

// Changes reports whether a step changes something, or would.
func (s *Step) Changes() bool {
	return s.Action == provider.Created || s.Action == provider.Updated || s.Action == provider.Removed
}

// Places are the machines of a manifest, in order, for a matrix.
func Places(m *manifest.Manifest) []string {
	var out []string
	for _, t := range targetsOf(m) {
		out = append(out, t.address)
	}
	return out
}

// Begin starts a session of the journal for a command: what it changes from now on
// can be undone.
func (h *Host) Begin(command string) {
	if h.Journal == nil {
		return
	}
	note, err := os.ReadFile(h.appliedFile())
	if err != nil {
		note = nil // then there is nothing to go back to
	}
	h.session = h.Journal.Begin(command, note)
}

var errNoJournal = errors.New("nothing is kept for undo here")
