package project

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

// ApplyOptions say how a manifest is applied.
type ApplyOptions struct {
	Fleet fleet.Fleet
	// Overwrite replaces values that somebody else wrote.
	Overwrite bool
	// Ask asks a person for a value; nil where nobody can be asked.
	Ask func(prompt string) (string, error)
	// Done, where it is set, is told what was done at each place as it comes, one at
	// a time.
	Done func(session.Result)
	// Warn is told what a user should know beside the outcome.
	Warn func(string)
}

// pendingText stands for a value that is not made yet.
const pendingText = "rhx-to-be-made"

// Plan says what Apply would do; it changes nothing.
func (p *Project) Plan(ctx context.Context, m *manifest.Manifest, opts ApplyOptions) (session.Report, error) {
	return p.apply(ctx, m, opts, nil)
}

// Apply brings the store, this machine and every host to what a manifest says.
// Values are compared three ways: what rhx put there last, what is there, and what
// is wanted. What somebody changed by hand is a conflict, and stays. A part that
// fails stops no other.
func (p *Project) Apply(ctx context.Context, m *manifest.Manifest, opts ApplyOptions) (session.Report, error) {
	s := p.Book.Begin("apply")
	defer s.End()
	return p.apply(ctx, m, opts, s)
}

// apply is Apply, or Plan without a session.
func (p *Project) apply(ctx context.Context, m *manifest.Manifest, opts ApplyOptions, s *session.Session) (session.Report, error) {
	var out session.Report
	done := func(r session.Result) {
		if opts.Done != nil {
			opts.Done(r)
		}
	}
	steps, err := p.applyStore(ctx, m, opts, s == nil)
	if err != nil {
		return nil, err
	}
	if len(steps) > 0 {
		out = append(out, session.Result{At: place.Store, Value: steps})
		done(out[0])
	}
	if s != nil {
		s.Relay(steps)
	}
	targets := targetsOf(m)
	envs, broken := p.environments(ctx, m, targets, s == nil)
	results := fleet.Each(ctx, opts.Fleet, placesOf(targets), func(ctx context.Context, at place.Place, m machine.Machine) ([]session.Outcome, error) {
		t := targetAt(targets, at)
		if err := broken[t.key()]; err != nil {
			return []session.Outcome{session.Failure(at, "bundles "+strings.Join(t.bundles, ", "), err)}, nil
		}
		return p.applyOn(ctx, s, at, m, envs[t.key()], opts)
	}, func(r session.Result) { done(whole(r, targets, envs)) })
	for _, r := range results {
		out = append(out, whole(r, targets, envs))
	}
	return out, nil
}

// whole is a result with an outcome for each secret, where the machine as a whole
// failed.
func whole(r session.Result, targets []*target, envs map[string]*Environment) session.Result {
	if env := envs[targetAt(targets, r.At).key()]; r.Err != nil && env != nil {
		d := env.Delivery()
		r.Value = d.Failed(r.At, r.Err)
	}
	return r
}

// target is a machine and all bundles that it gets.
type target struct {
	at      place.Place
	bundles []string
}

func (t *target) key() string { return strings.Join(t.bundles, "\x00") }

func targetAt(targets []*target, at place.Place) *target {
	return targets[slices.IndexFunc(targets, func(t *target) bool { return t.at == at })]
}

func placesOf(targets []*target) []place.Place {
	out := make([]place.Place, len(targets))
	for i, t := range targets {
		out[i] = t.at
	}
	return out
}

// targetsOf are the machines of a manifest, each once.
func targetsOf(m *manifest.Manifest) []*target {
	var out []*target
	for _, g := range m.Hosts {
		for _, address := range g.Addresses {
			at := place.InManifest(address)
			i := slices.IndexFunc(out, func(t *target) bool { return t.at == at })
			if i < 0 {
				i = len(out)
				out = append(out, &target{at: at})
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
func (p *Project) environments(ctx context.Context, m *manifest.Manifest, targets []*target, pending bool) (envs map[string]*Environment, broken map[string]error) {
	envs, broken = map[string]*Environment{}, map[string]error{}
	for _, t := range targets {
		if key := t.key(); envs[key] == nil && broken[key] == nil {
			envs[key], broken[key] = p.environment(ctx, m, t.bundles, nil, bundle.Names{}, nil, pending)
		}
	}
	return envs, broken
}

// applyOn brings one machine to what it is to have, or without a session says what
// that would change.
func (p *Project) applyOn(ctx context.Context, s *session.Session, at place.Place, m machine.Machine, env *Environment, opts ApplyOptions) ([]session.Outcome, error) {
	what := env.Delivery()
	was := map[string]secret.Values{}
	load := deliver.Options{Warn: opts.Warn, Resolve: func(c deliver.Conflict) deliver.Decision {
		if was[c.Secret] == nil {
			was[c.Secret] = secret.Values{}
		}
		for key, v := range c.Have {
			was[c.Secret][key] = v
		}
		name := c.Stored
		if name == "" {
			name = c.Secret
		}
		mine, err := p.Book.Wrote(at, name, c.ConflictError)
		if err != nil && opts.Warn != nil {
			opts.Warn("what rhx wrote last is not known, so it counts as somebody else's: " + err.Error())
		}
		return deliver.Decision(opts.Overwrite || mine)
	}}
	var out []session.Outcome
	var err error
	if s == nil {
		out, err = p.Deliver.Plan(ctx, at, m, what, load)
	} else {
		out, err = p.Deliver.Deliver(ctx, s, at, m, what, load)
	}
	if err != nil {
		return nil, err
	}
	wanted := what.Values()
	for i := range out {
		if err := p.fingerprint(&out[i], was[out[i].Secret], wanted[out[i].Secret]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fingerprint notes what the values of an outcome were and are, for people.
func (p *Project) fingerprint(o *session.Outcome, was, is secret.Values) error {
	o.Was, o.Is = map[string]string{}, map[string]string{}
	keys := o.Keys
	if o.Source.Var != "" {
		keys = []string{o.Source.Var}
	}
	var err error
	for _, key := range keys {
		if v, ok := was[key]; ok && err == nil {
			o.Was[key], err = p.Book.Fingerprint(v)
		}
		if v, ok := is[key]; ok && err == nil && !strings.Contains(v.Reveal(), pendingText) {
			o.Is[key], err = p.Book.Fingerprint(v)
		}
	}
	return err
}

// applyStore makes the values that the manifest has generated, and asks for those
// that it has a person asked for.
func (p *Project) applyStore(ctx context.Context, m *manifest.Manifest, opts ApplyOptions, dryRun bool) ([]session.Outcome, error) {
	var names []string
	for _, s := range m.Secrets {
		if slices.ContainsFunc(s.Values, func(v manifest.Value) bool { return v.Generate != nil || v.Prompt != "" }) {
			names = append(names, s.StoreName())
		}
	}
	stored, err := p.Records.Those(ctx, names)
	if err != nil {
		return nil, err
	}
	var out []session.Outcome
	for _, s := range m.Secrets {
		if !slices.Contains(names, s.StoreName()) {
			continue
		}
		step, err := p.makeValues(ctx, s, stored[s.StoreName()], opts, dryRun)
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
func (p *Project) makeValues(ctx context.Context, s *manifest.Secret, rec *store.Record, opts ApplyOptions, dryRun bool) (session.Outcome, error) {
	step := session.Outcome{At: place.Store, Secret: s.StoreName(), Stored: s.StoreName(), Was: map[string]string{}, Is: map[string]string{}}
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
		if dryRun {
			continue
		}
		text, public, err := makeValue(v, opts.Ask)
		if err != nil {
			return step, err
		}
		sec.Values[v.Key] = secret.NewValue(text)
		if public != "" {
			sec.Values[v.Generate.Public(v.Key)] = secret.NewValue(public)
		}
		if step.Is[v.Key], err = p.Book.Fingerprint(sec.Values[v.Key]); err != nil {
			return step, err
		}
	}
	if len(step.Keys) == 0 {
		step.Action = ""
	}
	if len(step.Keys) == 0 || dryRun {
		return step, nil
	}
	st, err := p.Records.Store(ctx)
	if err != nil {
		return step, err
	}
	_, err = st.Put(ctx, sec, version)
	return step, err
}

// makeValue generates a value, or asks for it. public is the public half of a pair.
func makeValue(v manifest.Value, ask func(string) (string, error)) (text, public string, err error) {
	switch {
	case v.Generate != nil:
		return v.Generate.Make()
	case ask == nil:
		return "", "", fault.Unasked(fmt.Errorf("%s has to be typed in, and there is no terminal to ask at", v.Key))
	}
	if text, err = ask(v.Prompt); err == nil && text == "" {
		err = fmt.Errorf("%s: no value was given", v.Key)
	}
	return text, "", err
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
