//go:build !slim

package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/rhx-dev/rhx/host/broker"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
)

// besideThere runs the command on the hosts that --on names. Each has a broker of its own,
// here, which the command reaches through the connection to its host: what one host knows
// is of no use on another.
func (c *runCmd) besideThere(ctx context.Context, a *app, first *placeholders, argv []string, uses *useLog) (int, error) {
	hosts, err := a.hostsOn(ctx)
	if err != nil {
		return 0, err
	}
	s, elsewhere := first.s, first.elsewhere
	parties := map[place.Place]*placeholders{}
	for i, host := range hosts {
		p := first
		if i > 0 {
			if p, err = first.again(ctx, c); err != nil {
				return 0, err
			}
			hidden, err := s.e.Project.Hidden(p.env)
			if err != nil {
				return 0, err
			}
			elsewhere = append(elsewhere, hidden...)
		}
		parties[place.Host(host)] = p
	}
	masker, err := c.masker(s.e, first.env, elsewhere...)
	if err != nil {
		return 0, err
	}
	var told sync.Once
	prepare := func(at place.Place, m machine.Machine, spec *machine.RunSpec) (func(), error) {
		p := parties[at]
		b, err := broker.Start(broker.Options{Secrets: p.s.secrets(), Only: c.BrokerOnly, Away: true, Getenv: a.Getenv, Used: uses.of(at), Warn: func(text string) { a.warn(at.String() + ": " + text) }})
		if err != nil {
			return nil, err
		}
		hidden := p.give(b, spec)
		told.Do(func() { a.sayHidden(hidden) })
		spec.Reach = &machine.Reach{Address: b.Address(), Opened: func(ctx context.Context, address string, spec *machine.RunSpec) error {
			return leadTo(ctx, b, address, m, spec)
		}}
		return func() { a.shut(b) }, nil
	}
	// Where nothing is plain, the files have placeholders and certificates.
	spec := machine.RunSpec{Argv: argv, TTY: c.TTY, Disk: len(s.plain) == 0}
	return 0, c.remote(ctx, a, s.e, hosts, spec, masker, prepare, func(at place.Place) { logGivenAs(s.e, "run", at, argv[0], s.action, first.env) })
}

// again are other placeholders of the same values.
func (p *placeholders) again(ctx context.Context, c *runCmd) (*placeholders, error) {
	out := &placeholders{s: newStandIns(p.s.e, p.s.plain)}
	var err error
	if out.env, err = p.env.Again(out.s.swap); err != nil {
		return nil, err
	}
	out.files, out.vars, err = p.s.e.Deliver.PrivateFiles(ctx, out.env.Files, true, deliver.Options{Unsafe: c.Unsafe})
	return out, err
}

// give adds the bundle's variables and files to a command, and returns the names of those
// that had values from elsewhere.
func (p *placeholders) give(b *broker.Broker, spec *machine.RunSpec) (hidden []string) {
	var environ []string
	for _, v := range p.env.Vars {
		environ = append(environ, v.Name+"="+v.Value.Reveal())
	}
	hidden = p.s.hide(b, environ, p.files)
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		spec.Env = append(spec.Env, machine.Var{Name: name, Value: value})
	}
	spec.Unset, spec.Files, spec.FileVars = bundleUnsets(p.env), p.files, p.vars
	return hidden
}

// leadTo has the clients of a command on a host use a broker, which is reached there by an
// address. The roots are those of the host.
func leadTo(ctx context.Context, b *broker.Broker, address string, m machine.Machine, spec *machine.RunSpec) error {
	info, err := m.Info(ctx, broker.Asked())
	if err != nil {
		return err
	}
	for _, name := range spec.Unset {
		delete(info.Env, name)
	}
	for _, v := range spec.Env {
		info.Env[v.Name] = v.Value
	}
	getenv := func(name string) string { return info.Env[name] }
	files, err := m.Read(ctx, broker.Read(getenv))
	if err != nil {
		return err
	}
	read := func(path string) ([]byte, error) {
		for _, f := range files {
			switch {
			case f.Path != path:
			case f.Err != nil:
				return nil, f.Err
			default:
				return f.Data, broker.CheckRoots(path, f.Data)
			}
		}
		return nil, fmt.Errorf("%s was not read", path)
	}
	client, err := b.Client(broker.Where{Getenv: getenv, Read: read, Address: address})
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name(), err)
	}
	more, vars := filesOf(client)
	spec.Files, spec.FileVars = append(spec.Files, more...), append(spec.FileVars, vars...)
	spec.Unset = append(spec.Unset, client.Unset...)
	for _, v := range client.Vars {
		spec.Env = append(spec.Env, machine.Var{Name: v[0], Value: v[1]})
	}
	return nil
}
