//go:build !slim

package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/broker"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/confine"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/project"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// brokerFiles is the folder of the broker's files among those of the command.
const brokerFiles = "broker"

// brokered runs a command with placeholders, beside the broker.
func (c *runCmd) brokered(ctx context.Context, a *app, argv []string) (err error) {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if c.Bundle, err = a.bundlesOr(ctx, c.Bundle, c.Secret, c.Yes); err != nil {
		return err
	}
	p, err := a.placeholders(ctx, e, c, a.On != "")
	if err != nil {
		return err
	}
	run := c.besideHere
	if a.On != "" {
		run = c.besideThere
	}
	uses := newUseLog(e.Book.Log, "run")
	status, err := run(ctx, a, p, argv, uses)
	if left := uses.close(); left != nil {
		a.warn(left.Error())
	}
	return endedAs(status, err)
}

// besideHere runs the command on this machine.
func (c *runCmd) besideHere(ctx context.Context, a *app, p *placeholders, argv []string, uses *useLog) (status int, err error) {
	masker, err := c.masker(p.s.e, p.env, p.elsewhere...)
	if err != nil {
		return 0, err
	}
	confined, err := c.confined(ctx, a, p.s.e)
	if err != nil {
		return 0, err
	}
	opts := broker.Options{Secrets: p.s.secrets(), Only: c.BrokerOnly || confined != nil, Getenv: a.Getenv, Used: uses.of(place.Here), Warn: a.warn}
	if confined != nil {
		opts.Listen = confined.Listen
	}
	b, err := broker.Start(opts)
	if err != nil {
		return 0, err
	}
	defer a.shut(b)
	return c.beside(a, p, b, argv, masker, confined)
}

func (a *app) shut(b *broker.Broker) {
	if err := b.Close(); err != nil {
		a.warn(err.Error())
	}
}

// placeholders are what a command gets in the place of values, and what it may read
// elsewhere.
type placeholders struct {
	s         *standIns
	env       *project.Environment
	files     []machine.RunFile
	vars      []machine.Var // which name files
	elsewhere []secret.Value
}

// placeholders makes those of a command, here or on a host.
func (a *app) placeholders(ctx context.Context, e *engine.Engine, c *runCmd, onHost bool) (*placeholders, error) {
	if err := broker.CheckProxy(a.Getenv); err != nil {
		return nil, err
	}
	plain, err := a.stored(c.Plain...)
	if err != nil {
		return nil, err
	}
	p := &placeholders{s: newStandIns(e, plain)}
	p.s.agent = a.command == "mcp"
	if p.env, err = a.swappedEnvironment(ctx, e, c.Bundle, c.Secret, bundle.Names{Skip: c.SkipUnnamable, Unsafe: c.Unsafe, Brokered: true}, c.Yes, p.s.swap); err != nil {
		return nil, err
	}
	if err := p.s.check(); err != nil {
		return nil, err
	}
	if p.files, p.vars, err = e.Deliver.PrivateFiles(ctx, p.env.Files, onHost, deliver.Options{Unsafe: c.Unsafe}); err != nil {
		return nil, hintUnsafe(err)
	}
	for _, one := range p.s.secrets() {
		p.elsewhere = append(p.elsewhere, one.Hidden()...)
		if onHost && one.ForDatabase() {
			return nil, fault.WithKind(fmt.Errorf("%s: a database is for a command on this machine, and cannot be combined with --on", one.Name), fault.Usage)
		}
		if one.InQuery() {
			a.warn(one.Name + " goes into URLs, which servers write into their logs")
		}
	}
	return p, nil
}

// beside runs the command of a broker that listens.
func (c *runCmd) beside(a *app, p *placeholders, b *broker.Broker, argv []string, masker *mask.Masker, confined *confine.Run) (int, error) {
	environ, err := p.meet(a, b, a.environ())
	if err != nil {
		return 0, err
	}
	logGivenAs(p.s.e, "run", place.Here, argv[0], p.s.action, p.env)
	r := a.runner(masker)
	r.Connections, r.Confined = true, confined
	return c.withFiles(a, r, argv, environ, p.files, p.vars)
}

// meet returns an environment with the placeholders and what leads to a broker, and adds
// the broker's files to those of the command.
func (p *placeholders) meet(a *app, b *broker.Broker, environ []string) ([]string, error) {
	environ = bundle.Environ(environ, p.env.Vars, p.env.Strip...)
	a.sayHidden(p.s.hide(b, environ, p.files))
	client, err := b.Client(b.Here(getenvOf(environ)))
	if err != nil {
		return nil, err
	}
	files, vars := filesOf(client)
	p.files, p.vars = append(p.files, files...), append(p.vars, vars...)
	var set []bundle.Var
	for _, v := range client.Vars {
		set = append(set, bundle.Var{Name: v[0], Value: secret.NewValue(v[1])})
	}
	return bundle.Environ(environ, set, client.Unset...), nil
}

// filesOf are the broker's files for a command, and the variables that name them.
func filesOf(client *broker.Client) (files []machine.RunFile, vars []machine.Var) {
	for name, data := range client.Files {
		files = append(files, machine.RunFile{Path: path.Join(brokerFiles, name), Data: data, Mode: 0o600})
	}
	for _, v := range client.FileVars {
		vars = append(vars, machine.Var{Name: v[0], Value: path.Join(brokerFiles, v[1])})
	}
	return files, vars
}

// hide puts placeholders where an environment, or a file for the command, has the values
// from elsewhere: of a variable by another name, or of a text of the manifest. It returns
// the names of such variables.
func (s *standIns) hide(b *broker.Broker, environ []string, files []machine.RunFile) (names []string) {
	for i, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		value = b.Lead(value)
		environ[i] = name + "=" + value
		if hidden := b.HideElsewhere(value); hidden != value && !s.isPlain(b, value) {
			environ[i] = name + "=" + hidden
			names = append(names, name)
		}
	}
	for i, f := range files {
		text := b.Lead(string(f.Data))
		if !s.isPlain(b, text) {
			text = b.HideElsewhere(text)
		}
		files[i].Data = []byte(text)
	}
	return names
}

// sayHidden says of which variables hide took the values.
func (a *app) sayHidden(names []string) {
	if len(names) > 0 {
		a.warn(strings.Join(names, ", ") + " of the command's environment had values that the broker puts in; the command gets placeholders there, too")
	}
}

// isPlain reports that a text has a value of --plain that holds one of the others.
func (s *standIns) isPlain(b *broker.Broker, text string) bool {
	return slices.ContainsFunc(s.shown, func(v secret.Value) bool {
		return b.HideElsewhere(v.Reveal()) != v.Reveal() && strings.Contains(text, v.Reveal())
	})
}

// getenvOf looks variables up in a list of NAME=VALUE.
func getenvOf(environ []string) func(string) string {
	return func(name string) string {
		for _, kv := range slices.Backward(environ) {
			if n, value, _ := strings.Cut(kv, "="); n == name {
				return value
			}
		}
		return ""
	}
}

// standIns makes the placeholders of a command's secrets.
type standIns struct {
	e     *engine.Engine
	plain []string                  // names in the store
	made  map[string]*broker.Secret // by the name in the store
	used  map[string]bool           // of plain
	given map[string]bool           // the secrets that the command gets themselves
	shown []secret.Value            // those of plain
	order []string
	agent bool // it is for an agent, who has no --plain
}

func newStandIns(e *engine.Engine, plain []string) *standIns {
	return &standIns{e: e, plain: plain, made: map[string]*broker.Secret{}, used: map[string]bool{}, given: map[string]bool{}}
}

func (s *standIns) swap(rec *store.Record, limits []manifest.Limit) (secret.Values, error) {
	name := rec.Secret.Name
	if slices.Contains(s.plain, rec.Info.Name) {
		s.used[rec.Info.Name], s.given[name] = true, true
		for _, key := range rec.Secret.Values.Keys() {
			s.shown = append(s.shown, rec.Secret.Values[key])
		}
		return rec.Secret.Values, nil
	}
	one := s.made[rec.Info.Name]
	if one == nil {
		var sp *spec.Spec
		var err error
		if rec.Secret.Provider != "" {
			if sp, err = s.e.Specs.Get(rec.Secret.Provider); err != nil {
				return nil, fmt.Errorf("secret %s: %w", name, err)
			}
		}
		if one, err = broker.NewSecret(sp, &rec.Secret); err != nil {
			return nil, s.hint(name, err)
		}
		s.made[rec.Info.Name] = one
		s.order = append(s.order, rec.Info.Name)
	}
	for _, l := range limits {
		if host := one.Beyond(l.Hosts); host != "" {
			return nil, fmt.Errorf("the manifest allows %s for %s, which is no host of its provider", name, host)
		}
		one.Limits = append(one.Limits, broker.Limit{Hosts: l.Hosts, Methods: l.Methods, Paths: l.Paths})
	}
	return one.Given(), nil
}

// action is what the log says that became of a secret.
func (s *standIns) action(name string) string {
	if s.given[name] {
		return "given"
	}
	return "given a placeholder"
}

func (s *standIns) hint(name string, err error) error {
	if s.agent {
		return fault.WithHint(err, fmt.Sprintf("leave %s out of the bundle. rhx providers NAME has the rules of a provider", name))
	}
	return fault.WithHint(err, fmt.Sprintf("--plain %s gives the command the value itself; or leave %s out. rhx providers NAME has the rules of a provider", name, name))
}

// check refuses a secret that was to be plain and is not there: it may be misspelled.
func (s *standIns) check() error {
	for _, name := range s.plain {
		if !s.used[name] {
			return fault.WithKind(fmt.Errorf("--plain %s: the command gets no such secret", name), fault.Usage)
		}
	}
	return nil
}

func (s *standIns) secrets() []*broker.Secret {
	var out []*broker.Secret
	for _, name := range s.order {
		out = append(out, s.made[name])
	}
	return out
}

// brokerLimits is what bundles say of where their secrets are put in: see brokerTarget.
func (a *app) brokerLimits(ctx context.Context, t *brokerTarget, bundles []string, yes bool) (func(string) ([]string, bool), error) {
	m, err := a.manifest(ctx, yes)
	if err != nil {
		return nil, err
	}
	limits := map[string][]broker.Limit{} // by the names in the store
	for _, name := range bundles {
		if _, err := storeNames(m, name); err != nil {
			return nil, err
		}
		for _, l := range m.Bundle(name).Broker {
			stored := m.Secret(l.Secret).StoreName()
			limits[stored] = append(limits[stored], broker.Limit{Hosts: l.Hosts, Methods: l.Methods, Paths: l.Paths})
		}
	}
	return func(name string) (methods []string, ok bool) {
		for _, l := range limits[name] {
			if !l.Covers(t.host, t.port, t.url) {
				return nil, false
			}
			switch {
			case len(methods) == 0:
				methods = l.Methods
			case len(l.Methods) > 0:
				methods = slices.DeleteFunc(slices.Clone(methods), func(m string) bool { return !slices.Contains(l.Methods, m) })
				if len(methods) == 0 {
					return nil, false
				}
			}
		}
		return methods, true
	}, nil
}
