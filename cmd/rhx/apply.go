package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/provider"
)

type planCmd struct {
	ExitCode  bool `help:"End with status 4 if something would change."`
	Overwrite bool `help:"Plan to replace what was changed by hand."`
	Parallel  int  `help:"Hosts asked at once." default:"32" placeholder:"32"`
	AcceptNew bool `help:"Add the key of a host that is not known yet; a changed key is refused all the same."`
	Yes       bool `short:"y" help:"Trust the manifest without asking."`
}

func (c *planCmd) Help() string {
	return `Compares, of every secret on every machine of the manifest, what rhx put there last, what is there, and what is wanted; nothing is changed. Values are shown as short fingerprints that mean something on this machine only: key was>is.

What was changed by hand is a conflict, which rhx apply leaves alone.`
}

type applyCmd struct {
	Overwrite bool `help:"Replace what was changed by hand."`
	Parallel  int  `help:"Hosts served at once." default:"32" placeholder:"32"`
	AcceptNew bool `help:"Add the key of a host that is not known yet; a changed key is refused all the same."`
	Yes       bool `short:"y" help:"Do not ask; trust the manifest."`
}

func (c *applyCmd) Help() string {
	return `Does what rhx plan says: makes the values that the manifest has generated, asks for those that it has you asked for, and brings every machine to what its bundles say. Conflicts and failures stop nothing else; then the exit status is 3. rhx undo takes it back.`
}

// stepJSON is one element of plan's and apply's JSON.
type stepJSON struct {
	loadedJSON
	Was map[string]string `json:"was,omitempty"`
	Is  map[string]string `json:"is,omitempty"`
}

func (c *planCmd) Run(ctx context.Context, a *app) error {
	h, m, err := a.manifestHost(ctx, "plan", c.Yes)
	if err != nil {
		return err
	}
	steps, err := h.Apply(ctx, m, host.ApplyOptions{DryRun: true, Overwrite: c.Overwrite, Parallel: c.Parallel, Open: a.opener(h, c.AcceptNew), Getenv: a.Getenv, Warn: a.warn})
	if err != nil {
		return err
	}
	if err := a.printSteps(steps, true); err != nil {
		return err
	}
	if err := stepStatus(steps); err != nil {
		return err
	}
	if c.ExitCode && slices.ContainsFunc(steps, func(s host.Step) bool { return s.Changes() }) {
		return exitCode(4)
	}
	return nil
}

func (c *applyCmd) Run(ctx context.Context, a *app) error {
	h, m, err := a.manifestHost(ctx, "apply", c.Yes)
	if err != nil {
		return err
	}
	opts := host.ApplyOptions{Overwrite: c.Overwrite, Parallel: c.Parallel, Open: a.opener(h, c.AcceptNew), Getenv: a.Getenv, Warn: a.warn}
	if !c.Yes {
		plan := opts
		plan.DryRun = true
		steps, err := h.Apply(ctx, m, plan)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(steps, func(s host.Step) bool { return s.Changes() }) {
			if err := a.printSteps(steps, true); err != nil {
				return err
			}
			return stepStatus(steps)
		}
		if !a.canAsk() {
			return fault.WithHint(fault.WithKind(errors.New("rhx apply needs a yes"), fault.Usage), "rhx plan shows what it would do; --yes says it ahead")
		}
		for _, s := range steps {
			if line := stepLine(s, true); line != "" {
				fmt.Fprintln(a.Err, line)
			}
		}
		if !a.ask("Do this?") {
			return errors.New("nothing was changed")
		}
	}
	if a.hasTerminal() {
		opts.Ask = func(prompt string) (string, error) { return a.hidden(prompt + ": ") }
	}
	if a.Output == "table" {
		opts.Done = func(steps []host.Step) {
			for _, s := range steps {
				a.printStep(s, false)
			}
		}
	}
	h.Begin("apply")
	steps, err := h.Apply(ctx, m, opts)
	a.log(h, "apply", loadedOf(steps))
	if err != nil {
		return err
	}
	if err := h.Record(ctx, placedHere(m, steps)); err != nil {
		a.warn("the places were not noted in rhx's configuration: " + err.Error())
	}
	if a.Output != "table" {
		if err := a.printSteps(steps, false); err != nil {
			return err
		}
	}
	return stepStatus(steps)
}

// manifestHost returns what a command on the whole manifest needs.
func (a *app) manifestHost(ctx context.Context, command string, yes bool) (*host.Host, *manifest.Manifest, error) {
	h, err := a.hostHere(command)
	if err != nil {
		return nil, nil, err
	}
	m, err := a.manifest(ctx, yes)
	return h, m, err
}

// opener opens machines by their addresses.
func (a *app) opener(h *host.Host, acceptNew bool) func(string) machine.Machine {
	return func(address string) machine.Machine {
		if address == host.LocalPlace {
			return h.Local
		}
		return a.ssh(address, acceptNew)
	}
}

// placedHere are the secrets that came onto this machine, by their names in the
// store, for logout.
func placedHere(m *manifest.Manifest, steps []host.Step) []host.Loaded {
	var out []host.Loaded
	for _, s := range steps {
		if d := m.Secret(s.Secret); d != nil && s.Machine == host.LocalPlace {
			l := s.Loaded
			l.Secret = d.StoreName()
			out = append(out, l)
		}
	}
	return out
}

func loadedOf(steps []host.Step) []host.Loaded {
	var out []host.Loaded
	for _, s := range steps {
		out = append(out, s.Loaded)
	}
	return out
}

// log notes what was brought where.
func (a *app) log(h *host.Host, command string, loaded []host.Loaded) {
	if err := h.Log(host.LoadedEvents(command, loaded)); err != nil {
		a.warn("the log could not be written: " + err.Error())
	}
}

func stepStatus(steps []host.Step) error { return loadedStatus(loadedOf(steps)) }

func (a *app) printSteps(steps []host.Step, plan bool) error {
	out := make([]stepJSON, 0, len(steps))
	for _, s := range steps {
		out = append(out, stepJSON{toLoadedJSON(s.Loaded), s.Was, s.Is})
	}
	if done, err := a.data(out); done {
		return err
	}
	for _, s := range steps {
		a.printStep(s, plan)
	}
	return nil
}

// printStep prints one step in a line: MACHINE: SECRET: PLACE ACTION (KEY WAS>IS).
func (a *app) printStep(s host.Step, plan bool) {
	name := s.Machine + ": " + s.Secret
	switch s.Action {
	case provider.Unchanged:
		a.note("%s: already there, in %s", name, s.Source)
	case provider.Conflict:
		a.report(name, fault.WithHint(fmt.Errorf("%w, which rhx did not put there%s", s.Err, prints(s.Was, nil)), "nothing was changed there; --overwrite replaces them, rhx save --on takes them into the store"))
	case provider.Failed:
		a.report(name, s.Err)
	default:
		a.say(stepLine(s, plan))
	}
}

// stepLine is the line of a step that changes something, or does not get to it; ""
// for one that changes nothing.
func stepLine(s host.Step, plan bool) string {
	name, place := s.Machine+": "+s.Secret, s.Source.String()
	switch {
	case s.Action == provider.Unchanged:
		return ""
	case s.Err != nil:
		return fmt.Sprintf("%s: %v", name, s.Err)
	case s.Machine == host.StoreMachine:
		place = "values"
	}
	keys := prints(s.Was, s.Is)
	if keys == "" && len(s.Keys) > 0 {
		keys = " (" + strings.Join(s.Keys, ", ") + ")"
	}
	would := ""
	if plan {
		would = "would be "
	}
	return fmt.Sprintf("%s: %s %s%s%s", name, place, would, s.Action, keys)
}

// prints writes fingerprints: (key was>is, new >is).
func prints(was, is map[string]string) string {
	keys := slices.Sorted(maps.Keys(is))
	for k := range was {
		if _, ok := is[k]; !ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	slices.Sort(keys)
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k + " " + was[k] + ">" + is[k]
		if is[k] == "" {
			parts[i] = k + " " + was[k]
		}
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
