package project

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// The states of a need, beside StateMissing.
const (
	StateThere      = "there"
	StateIncomplete = "incomplete" // some keys are missing
	StateBroken     = "broken"     // it is there, and cannot be used
)

// Need is something that a manifest needs, and whether it is there.
type Need struct {
	// Name is that of a secret in the manifest, of a variable of the environment with "$"
	// before it, or of a bundle.
	Name string
	// Secret is what the manifest says of a secret; nil for other needs.
	Secret  *manifest.Secret
	Bundles []string
	State   string
	// Missing are the keys of which there is no value.
	Missing []string
	// Looked are the places where it was looked for.
	Looked []string
	// Here says that this machine has the secret, where the store has not.
	Here bool
	// Err says what is wrong where it is broken.
	Err error
	// Hint says what to do, "" for nothing.
	Hint string
	// Record is what the store has; nil for nothing.
	Record *store.Record
}

// Check says of all that bundles of a manifest need whether it is there: in the store, and
// in the environment for variables that texts refer to. No bundles stand for the whole
// manifest. It changes nothing.
func (p *Project) Check(ctx context.Context, m *manifest.Manifest, bundles []string) ([]*Need, error) {
	all := len(bundles) == 0
	if all {
		bundles = m.BundleNames()
	}
	for _, name := range bundles {
		if m.Bundle(name) == nil {
			return nil, fault.WithKind(fmt.Errorf("%s has no bundle %q%s", m.File, name, fault.DidYouMean(name, m.BundleNames())), fault.Usage)
		}
	}
	var needs []*Need
	of := map[string]*Need{}
	need := func(name, bundle string) *Need {
		n := of[name]
		if n == nil {
			n = &Need{Name: name, State: StateThere}
			of[name], needs = n, append(needs, n)
		}
		if bundle != "" && !slices.Contains(n.Bundles, bundle) {
			n.Bundles = append(n.Bundles, bundle)
		}
		return n
	}
	for _, s := range m.Secrets {
		for _, b := range bundles {
			if slices.Contains(m.Bundle(b).Uses(), s.Name) {
				need(s.Name, b).Secret = s
			}
		}
		if all {
			need(s.Name, "").Secret = s
		}
	}
	if err := p.checkSecrets(ctx, needs); err != nil {
		return nil, err
	}
	for _, name := range bundles {
		for _, v := range m.Bundle(name).Env {
			for _, part := range v.Text {
				switch {
				case part.EnvVar != "":
					if n := need("$"+part.EnvVar, name); p.Getenv(part.EnvVar) == "" {
						n.State, n.Looked, n.Hint = StateMissing, []string{"this environment"}, "set "+part.EnvVar
					}
				case part.Secret != "":
					of[part.Secret].lacks(part.Key)
				}
			}
		}
	}
	for _, n := range needs {
		if n.Hint == "" {
			n.Hint = p.saves(n)
		}
	}
	for _, name := range bundles {
		// What is there may still not fit together.
		if slices.ContainsFunc(needs, func(n *Need) bool { return n.State != StateThere && slices.Contains(n.Bundles, name) }) {
			continue
		}
		if _, err := p.environment(ctx, m, []string{name}, nil, bundle.Names{}, nil, false); err != nil {
			needs = append(needs, &Need{Name: name, Bundles: []string{name}, State: StateBroken, Err: err, Hint: fault.Hint(err)})
		}
	}
	return needs, nil
}

// saves is the command that saves what a need lacks; "" for none.
func (p *Project) saves(n *Need) string {
	text, group := "", []string(nil)
	for _, q := range p.Asks(n) {
		if !slices.Contains(group, q.Key) {
			text += " " + q.Key + "=-"
		}
		group = append(group, q.Enough...)
	}
	if text == "" {
		return ""
	}
	return "rhx save " + n.Secret.StoreName() + text
}

// lacks notes that a text needs a key, if the store has the secret without it.
func (n *Need) lacks(key string) {
	if n.Record == nil || n.State == StateBroken || slices.Contains(n.Missing, key) {
		return
	}
	values := n.Record.Secret.Values
	if n.Secret.Provider == "" {
		values, _, _ = filled(n.Secret, values, false)
	}
	if v := values[key]; v.Empty() {
		n.State, n.Missing = StateIncomplete, append(n.Missing, key)
	}
}

// checkSecrets looks for secrets in the store, and on this machine for those that are not
// there.
func (p *Project) checkSecrets(ctx context.Context, needs []*Need) error {
	if len(needs) == 0 {
		return nil
	}
	var names []string
	for _, n := range needs {
		names = append(names, n.Secret.StoreName())
	}
	stored, err := p.Records.Those(ctx, names)
	if err != nil {
		return err
	}
	st, err := p.Records.Store(ctx)
	if err != nil {
		return err
	}
	where := st.URL()
	if where == "local" {
		where = "the local store"
	}
	var providers []string
	for _, n := range needs {
		n.Record, n.Looked = stored[n.Secret.StoreName()], []string{where}
		p.checkSecret(n)
		if n.State == StateMissing && n.Secret.Provider != "" {
			providers = append(providers, n.Secret.Provider)
		}
	}
	if len(providers) == 0 {
		return nil
	}
	found, err := p.Detector.On(ctx, p.Local, providers...)
	for _, n := range needs {
		if n.State != StateMissing || n.Secret.Provider == "" {
			continue
		}
		sp, specErr := p.Specs.Get(n.Secret.Provider)
		if specErr != nil {
			n.State, n.Err = StateBroken, specErr
			continue
		}
		n.Looked = append(n.Looked, placesOfSpec(sp)...)
		name := secret.Name(sp.Name, n.Secret.Profile)
		n.Here = err == nil && slices.ContainsFunc(found, func(f provider.Found) bool { return f.Name == name && f.State == provider.HasValue })
		switch {
		case !n.Here:
		case name == n.Secret.StoreName():
			n.Hint = "this machine has it: rhx save " + name
		default:
			n.Hint = "this machine has it: rhx save " + name + " --name " + n.Secret.StoreName()
		}
	}
	return nil
}

// checkSecret compares what the store has with what the manifest says.
func (p *Project) checkSecret(n *Need) {
	s, rec := n.Secret, n.Record
	switch {
	case rec == nil && s.Provider != "":
		n.State = StateMissing
	case rec != nil && rec.Secret.Provider != s.Provider:
		n.State, n.Err = StateBroken, fmt.Errorf("it is of the provider %q in the store, and of %q in the manifest", rec.Secret.Provider, s.Provider)
	case s.Provider != "":
		if sp, err := p.Specs.Get(s.Provider); err != nil {
			n.State, n.Err = StateBroken, err
		} else if n.Missing = required(sp, rec.Secret.Values); len(n.Missing) > 0 {
			n.State = StateIncomplete
		}
	default:
		have := secret.Values{}
		if rec != nil {
			have = rec.Secret.Values
		}
		values, lacks, made := filled(s, have, false)
		if n.Missing = lacks; len(lacks) > 0 {
			if n.State = StateIncomplete; rec == nil {
				n.State = StateMissing
			}
			if made {
				n.Hint = "rhx check --ask, or rhx apply, makes or asks for it"
			}
		} else if err := notOne(s, values); err != nil {
			n.State, n.Err = StateBroken, err
		}
	}
}

// required are the values of a provider that a secret must have and has not.
func required(sp *spec.Spec, values secret.Values) []string {
	var out []string
	for _, v := range sp.Values {
		if have := values[v.Name]; !v.Optional && have.Empty() {
			out = append(out, v.Name)
		}
	}
	return out
}

// placesOfSpec are the files and variables in which a provider's secret is on this machine.
func placesOfSpec(sp *spec.Spec) []string {
	var out []string
	for i := range sp.Files {
		if path := sp.Files[i].Paths.On(runtime.GOOS); path != "" && !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	for _, v := range sp.Values {
		for _, name := range v.Env {
			if name = "$" + name; !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// Asked is a value of a need that a person can be asked for.
type Asked struct {
	Key, Prompt string
	// Public says that it may be seen.
	Public bool
	// Generate makes it instead; nil: it is asked for.
	Generate *manifest.Generate
	// Enough are other keys of which one is enough instead.
	Enough []string
}

// Asks are the values that a need lacks, in order.
func (p *Project) Asks(n *Need) []Asked {
	if n.Secret == nil || n.State != StateMissing && n.State != StateIncomplete {
		return nil
	}
	var out []Asked
	if n.Secret.Provider == "" {
		for _, v := range n.Secret.Values {
			if slices.Contains(n.Missing, v.Key) {
				prompt := v.Prompt
				if prompt == "" {
					prompt = v.Key + " of " + n.Name
				}
				out = append(out, Asked{Key: v.Key, Prompt: strings.TrimSuffix(strings.TrimSpace(prompt), ":"), Generate: v.Generate})
			}
		}
		return out
	}
	sp, err := p.Specs.Get(n.Secret.Provider)
	if err != nil {
		return nil
	}
	have := secret.Values{}
	if n.Record != nil {
		have = n.Record.Secret.Values
	}
	for _, v := range sp.Values {
		var enough []string
		for _, group := range sp.OneOf {
			if slices.Contains(group, v.Name) {
				enough = group
			}
		}
		if value := have[v.Name]; value.Empty() && (!v.Optional || enough != nil || slices.Contains(n.Missing, v.Name)) {
			out = append(out, Asked{Key: v.Name, Prompt: v.Name + " of " + n.Name, Public: v.Public, Enough: enough})
		}
	}
	return out
}
