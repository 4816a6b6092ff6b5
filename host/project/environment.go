// Package project does what rhx.yaml says: it composes bundles, compares every machine
// and the store with what they are to have, and brings them to it.
package project

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// Project is what manifests need of the rest. Its fields are set once.
type Project struct {
	Specs    *spec.Registry
	Records  *records.Records
	Detector *detect.Detector
	Deliver  *deliver.Deliverer
	Book     *session.Book
	// Local is this machine.
	Local machine.Machine
	// Getenv is for texts that name a variable of this environment.
	Getenv func(string) string
}

// Environment is what bundles come to.
type Environment struct {
	Vars []bundle.Var
	// Skipped are the keys that cannot be names and were left out, as SECRET: KEY.
	Skipped []string
	// Strip are variables that the manifest declares and that are not in these
	// bundles: a command gets none of them from the environment of rhx either.
	Strip []string
	// Files are the records of secrets that are also wanted as native files.
	Files []*store.Record
	// Paths are the files of secrets of Files in place of their providers' own.
	Paths map[string]string
	// TTL is after how long secrets of Files are taken out again, where it is said.
	TTL map[string]time.Duration
	// store is the URL of the store that the secrets come from.
	store string
	// stored are the names in the store of the secrets, by their names here.
	stored map[string]string
	again  func(Swap) (*Environment, error)
	// used and texts are what Hidden needs.
	used  []used
	texts []secret.Value
}

// Delivery is the environment as it is brought to a machine.
func (e *Environment) Delivery() deliver.Delivery {
	return deliver.Delivery{Store: e.store, Files: e.Files, Paths: e.Paths, TTL: e.TTL, Vars: deliver.GroupsOf(e.Vars, func(name string) string { return e.stored[name] })}
}

// Swap returns what a command is to have in the place of a secret's values, before
// anything is made of them. limits are what the bundles say of its use.
type Swap func(rec *store.Record, limits []manifest.Limit) (secret.Values, error)

// ManifestOptions are what manifests are read with, with the providers that are known here.
func (p *Project) ManifestOptions(profile string) manifest.Options {
	return manifest.Options{Profile: profile, Providers: p.Specs.Names(), Aliases: func() []string {
		var names []string
		specs, _ := p.Specs.All() // what is wrong with one is not what was asked
		for _, s := range specs {
			names = append(names, s.Aliases...)
		}
		return names
	}}
}

// Environment returns what bundles of a manifest and further secrets of the store
// come to; m may be nil where there are no bundles. names says which keys can be the
// names of variables. The error joins everything that is missing or in conflict.
func (p *Project) Environment(ctx context.Context, m *manifest.Manifest, bundles, secrets []string, names bundle.Names) (*Environment, error) {
	return p.environment(ctx, m, bundles, secrets, names, nil, false)
}

// SwappedEnvironment is Environment with other values.
func (p *Project) SwappedEnvironment(ctx context.Context, m *manifest.Manifest, bundles, secrets []string, names bundle.Names, swap Swap) (*Environment, error) {
	return p.environment(ctx, m, bundles, secrets, names, swap, false)
}

// Again is the same environment, of the same records, with other values.
func (e *Environment) Again(swap Swap) (*Environment, error) { return e.again(swap) }

// environment is Environment; pending lets values that apply would make be absent.
func (p *Project) environment(ctx context.Context, m *manifest.Manifest, bundles, secrets []string, names bundle.Names, swap Swap, pending bool) (*Environment, error) {
	var chosen []*manifest.Bundle
	var uses []string
	for _, name := range bundles {
		b := m.Bundle(name)
		if b == nil {
			return nil, fault.WithKind(fmt.Errorf("%s has no bundle %q%s", m.File, name, fault.DidYouMean(name, m.BundleNames())), fault.Usage)
		}
		chosen = append(chosen, b)
		uses = append(uses, b.Uses()...)
	}
	recs, err := p.declared(ctx, m, uses, pending)
	if err != nil {
		return nil, err
	}
	more, err := p.Records.GetAll(ctx, secrets)
	if err != nil {
		return nil, err
	}
	url := ""
	if len(recs)+len(secrets) > 0 {
		st, err := p.Records.Store(ctx)
		if err != nil {
			return nil, err
		}
		url = st.URL()
	}
	again := func(swap Swap) (*Environment, error) {
		recs, more := maps.Clone(recs), slices.Clone(more)
		if swap != nil {
			if err := swapped(m, chosen, recs, more, swap); err != nil {
				return nil, err
			}
		}
		return p.compose(m, chosen, recs, more, names, url)
	}
	out, err := again(swap)
	if err != nil {
		return nil, err
	}
	out.again = again
	return out, nil
}

// compose makes an environment of bundles with their records, and of further ones.
func (p *Project) compose(m *manifest.Manifest, chosen []*manifest.Bundle, recs map[string]*store.Record, more []*store.Record, names bundle.Names, url string) (*Environment, error) {
	env := bundle.Env{Names: names}
	out := &Environment{store: url, stored: map[string]string{}, Paths: map[string]string{}, TTL: map[string]time.Duration{}}
	for name, rec := range recs {
		out.stored[name] = rec.Info.Name
		out.used = append(out.used, used{rec, m.Secret(name)})
	}
	for _, b := range chosen {
		for _, name := range b.Secrets {
			p.addVars(&env, recs[name])
		}
		for _, v := range b.Env {
			text, err := v.Text.Expand(func(part manifest.Part) (string, error) { return valueOf(recs, part, p.Getenv) })
			if err != nil {
				env.Fail(fmt.Errorf("%s of the bundle %s: %w", v.Name, b.Name, err))
				continue
			}
			env.AddText(v.Name, secret.NewValue(text), "the bundle "+b.Name)
			if slices.ContainsFunc(v.Text, func(part manifest.Part) bool { return part.Secret != "" }) {
				out.texts = append(out.texts, secret.NewValue(text))
			}
		}
		for _, name := range b.Files {
			if !slices.Contains(out.Files, recs[name]) {
				out.Files = append(out.Files, recs[name])
			}
			if path := b.Paths[name]; path != "" {
				out.Paths[name] = path
			}
			if ttl := b.TTL[name]; ttl > 0 && (out.TTL[name] == 0 || ttl < out.TTL[name]) {
				out.TTL[name] = ttl // of two bundles, the shorter time
			}
		}
	}
	for _, rec := range more {
		if err := bundle.Unasked(&rec.Secret); err != nil && !names.Unsafe {
			env.Fail(err)
			continue
		}
		p.addVars(&env, rec)
		out.stored[rec.Secret.Name] = rec.Info.Name
		out.used = append(out.used, used{rec: rec})
	}
	for _, b := range chosen {
		env.Drop(b.Unset)
	}
	var err error
	if out.Vars, err = env.Vars(); err != nil {
		return nil, err
	}
	out.Skipped = env.Skipped
	out.Strip = p.strip(m, out.Vars)
	return out, nil
}

// swapped replaces the values of records, which it copies. The error joins those of all.
func swapped(m *manifest.Manifest, chosen []*manifest.Bundle, recs map[string]*store.Record, more []*store.Record, swap Swap) error {
	var errs []error
	one := func(rec *store.Record) *store.Record {
		var limits []manifest.Limit
		for _, b := range chosen {
			for _, l := range b.Broker {
				if m.Secret(l.Secret).StoreName() == rec.Info.Name {
					limits = append(limits, l)
				}
			}
		}
		made := *rec
		var err error
		if made.Secret.Values, err = swap(rec, limits); err != nil {
			errs = append(errs, err)
		}
		return &made
	}
	for _, name := range slices.Sorted(maps.Keys(recs)) {
		recs[name] = one(recs[name])
	}
	for i, rec := range more {
		more[i] = one(rec)
	}
	return errors.Join(errs...)
}

func (p *Project) addVars(env *bundle.Env, rec *store.Record) {
	if rec.Secret.Provider == "" {
		env.Add(nil, &rec.Secret)
		return
	}
	sp, err := p.Specs.Get(rec.Secret.Provider)
	if err != nil {
		env.Fail(fmt.Errorf("secret %s: %w", rec.Secret.Name, err))
		return
	}
	if err := provider.Unasked(sp, &rec.Secret); err != nil && !env.Names.Unsafe {
		env.Fail(err)
		return
	}
	env.Add(sp, &rec.Secret)
}

// declared returns the records of declared secrets by their name in the manifest,
// with defaults in the place of values that the store does not have.
func (p *Project) declared(ctx context.Context, m *manifest.Manifest, uses []string, pending bool) (map[string]*store.Record, error) {
	recs := map[string]*store.Record{}
	var errs []error
	var from []string
	for _, name := range uses {
		if s := m.Secret(name); !slices.Contains(from, s.StoreName()) {
			from = append(from, s.StoreName())
		}
	}
	stored, err := p.Records.Those(ctx, from)
	if err != nil {
		return nil, err
	}
	for _, name := range uses {
		s := m.Secret(name)
		if recs[name] != nil {
			continue
		}
		rec := stored[s.StoreName()]
		switch {
		case rec == nil && s.Provider != "":
			errs = append(errs, fault.WithHint(fmt.Errorf("no secret %q in the store", s.StoreName()), "rhx save "+s.StoreName()+" takes it from this machine"))
			continue
		case rec == nil:
			rec = &store.Record{}
		case rec.Secret.Provider != s.Provider:
			errs = append(errs, fmt.Errorf("%s is of the provider %q in the store, and of %q in the manifest", name, rec.Secret.Provider, s.Provider))
			continue
		}
		made := *rec
		made.Secret = *rec.Secret.Clone()
		made.Secret.Name, made.Info.Name = name, s.StoreName()
		if err := fillIn(s, &made.Secret, pending); err != nil {
			errs = append(errs, err)
			continue
		}
		recs[name] = &made
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return recs, nil
}

// fillIn gives a base secret the defaults of its keys and checks that it has all
// that it must; keys that the manifest does not declare are left out.
func fillIn(s *manifest.Secret, sec *secret.Secret, pending bool) error {
	if s.Provider != "" {
		return nil
	}
	values, lacks, made := filled(s, sec.Values, pending)
	sec.Values = values
	if len(lacks) > 0 {
		hint := "rhx save " + s.StoreName() + " KEY=- keeps a value"
		if made {
			hint = "rhx apply makes what is to be generated, and asks for the rest"
		}
		return fault.WithHint(fmt.Errorf("%s has no value for %s in the store", s.Name, strings.Join(lacks, ", ")), hint)
	}
	return notOne(s, values)
}

// filled are the values of a base secret that the manifest declares, with defaults, and the
// keys that lack one; made reports that apply would make one of these, or ask for it.
func filled(s *manifest.Secret, have secret.Values, pending bool) (values secret.Values, lacks []string, made bool) {
	values = secret.Values{}
	for _, v := range s.Values {
		keys := []string{v.Key}
		if v.Generate != nil && v.Generate.Public(v.Key) != "" {
			keys = append(keys, v.Generate.Public(v.Key))
		}
		for _, key := range keys {
			if v := have[key]; !v.Empty() {
				values[key] = v
			}
		}
		switch {
		case !values[v.Key].Empty():
		case v.Default != nil:
			values[v.Key] = secret.NewValue(*v.Default)
		case pending && (v.Generate != nil || v.Prompt != "") && !chosen(s, v.Key, have):
			for _, key := range keys {
				values[key] = secret.NewValue(pendingText)
			}
		case !v.Optional:
			lacks = append(lacks, v.Key)
			made = made || v.Generate != nil || v.Prompt != ""
		}
	}
	return values, lacks, made
}

// notOne is the error for a group of keys of which there is not exactly one.
func notOne(s *manifest.Secret, values secret.Values) error {
	for _, group := range s.OneOf {
		var have []string
		for _, key := range group {
			if !values[key].Empty() {
				have = append(have, key)
			}
		}
		if len(have) != 1 {
			return fmt.Errorf("%s must have exactly one of %s, and has %d of them", s.Name, strings.Join(group, ", "), len(have))
		}
	}
	return nil
}

// valueOf looks up what a text refers to.
func valueOf(recs map[string]*store.Record, p manifest.Part, getenv func(string) string) (string, error) {
	if p.EnvVar != "" {
		if v := getenv(p.EnvVar); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("the variable %s is not set in this environment", p.EnvVar)
	}
	values := recs[p.Secret].Secret.Values
	v := values[p.Key]
	if v.Empty() {
		keys := values.Keys()
		return "", fault.WithHint(fmt.Errorf("%s has no value for %s%s", p.Secret, p.Key, fault.DidYouMean(p.Key, keys)), "it has "+strings.Join(keys, ", "))
	}
	return v.Reveal(), nil
}

// strip returns the variables of all that the manifest declares that are not in vars.
func (p *Project) strip(m *manifest.Manifest, vars []bundle.Var) []string {
	if m == nil {
		return nil
	}
	var out []string
	add := func(name string) {
		if spec.ValidVar(name) && !slices.ContainsFunc(vars, func(v bundle.Var) bool { return v.Name == name }) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, b := range m.Bundles {
		for _, v := range b.Env {
			add(v.Name)
		}
		for _, name := range b.Unset {
			add(name)
		}
		for _, name := range b.Secrets {
			s := m.Secret(name)
			for _, v := range s.Values {
				add(v.Key)
			}
			if s.Provider == "" {
				continue
			}
			sp, err := p.Specs.Get(s.Provider)
			if err != nil {
				continue
			}
			for _, v := range sp.Values {
				for _, e := range v.Env {
					add(e)
				}
			}
			add(sp.Document)
		}
	}
	return out
}
