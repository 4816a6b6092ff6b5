package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/project"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/session"
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

What was changed by hand is a conflict, which rhx apply leaves alone.

Examples:
  rhx plan
  rhx plan --exit-code -o json`
}

type applyCmd struct {
	Overwrite bool `help:"Replace what was changed by hand."`
	Parallel  int  `help:"Hosts served at once." default:"32" placeholder:"32"`
	AcceptNew bool `help:"Add the key of a host that is not known yet; a changed key is refused all the same."`
	Yes       bool `short:"y" help:"Do not ask; trust the manifest."`
}

func (c *applyCmd) Help() string {
	return `Does what rhx plan says: makes the values that the manifest has generated, asks for those that it has you asked for, and brings every machine to what its bundles say. Conflicts and failures stop nothing else; then the exit status is 3. rhx undo takes it back.

Examples:
  rhx apply
  rhx apply --yes --parallel 8`
}

// stepJSON is one element of plan's and apply's JSON.
type stepJSON struct {
	loadedJSON
	Was map[string]string `json:"was,omitempty"`
	Is  map[string]string `json:"is,omitempty"`
}

func (c *planCmd) Run(ctx context.Context, a *app) error {
	e, m, err := a.manifestEngine(ctx, c.Yes)
	if err != nil {
		return err
	}
	defer a.tellInterrupt(ctx)()
	report, err := e.Project.Plan(ctx, m, project.ApplyOptions{Overwrite: c.Overwrite, Fleet: a.fleet(e, c.Parallel, c.AcceptNew), Warn: a.warn})
	if err != nil {
		return err
	}
	if err := a.printPlan(report, m); err != nil {
		return err
	}
	if c.ExitCode && report.Changes() {
		return exitCode(4)
	}
	return nil
}

func (c *applyCmd) Run(ctx context.Context, a *app) error {
	e, m, err := a.manifestEngine(ctx, c.Yes)
	if err != nil {
		return err
	}
	opts := project.ApplyOptions{Overwrite: c.Overwrite, Fleet: a.fleet(e, c.Parallel, c.AcceptNew), Warn: a.warn}
	defer a.tellInterrupt(ctx)()
	if !c.Yes {
		report, err := e.Project.Plan(ctx, m, opts)
		if err != nil {
			return err
		}
		if !report.Changes() {
			return a.printPlan(report, m)
		}
		if !a.canAsk() {
			return notConfirmed("rhx apply", "rhx plan shows what it would do")
		}
		a.printPlanLines(report)
		if !a.ask("Do this?") {
			return errors.New("nothing was changed")
		}
	}
	if a.hasTerminal() {
		opts.Ask = func(prompt string) (string, error) { return a.hidden(prompt + ": ") }
	}
	tell := a.collectFailures()
	if a.Output == "table" {
		opts.Done = func(r session.Result) {
			a.printResult(r, func(o session.Outcome) { a.printStep(o, false) })
		}
	}
	report, err := e.Project.Apply(ctx, m, opts)
	tell()
	if err != nil {
		return err
	}
	if a.Output != "table" {
		if err := a.printSteps(report, false); err != nil {
			return err
		}
	}
	a.sayOutcome(report, m, "rhx apply tries again")
	return loadedStatus(report.Outcomes())
}

// notConfirmed is the error of what is asked about where nobody can answer; look
// says how to see what it would do, "" for nothing.
func notConfirmed(what, look string) error {
	hint := "pass --yes to confirm"
	if look != "" {
		hint = look + "; " + hint
	}
	return fault.WithHint(fault.Unasked(errors.New(what+": not confirmed")), hint)
}

// confirmed asks before what cannot be undone, unless yes.
func (a *app) confirmed(yes bool, what, question string) (bool, error) {
	switch {
	case yes:
		return true, nil
	case !a.canAsk():
		return false, notConfirmed(what, "")
	case !a.ask(question):
		return false, errors.New("nothing was changed")
	}
	return true, nil
}

// manifestEngine returns what a command on the whole manifest needs.
func (a *app) manifestEngine(ctx context.Context, yes bool) (*engine.Engine, *manifest.Manifest, error) {
	e, err := a.engine()
	if err != nil {
		return nil, nil, err
	}
	m, err := a.manifest(ctx, yes)
	return e, m, err
}

// printResult prints what became of one machine: one line where the machine as a
// whole failed, else each outcome by one.
func (a *app) printResult(r session.Result, one func(session.Outcome)) {
	if r.Err != nil {
		a.failedAt(r.At, "", r.Err)
		return
	}
	for _, o := range r.Value {
		one(o)
	}
}

// printPlanLines prints what would change, for the question whether to do it.
func (a *app) printPlanLines(report session.Report) {
	defer a.collectFailures()()
	for _, r := range report {
		a.printResult(r, func(o session.Outcome) {
			if o.Err != nil {
				a.printStep(o, true)
			} else if line := stepLine(o, true); line != "" {
				fmt.Fprintln(a.Err, line)
			}
		})
	}
}

// printPlan prints a plan that is not carried out. Its error is the exit status.
func (a *app) printPlan(report session.Report, m *manifest.Manifest) error {
	if err := a.printSteps(report, true); err != nil {
		return err
	}
	a.sayOutcome(report, m, "")
	return loadedStatus(report.Outcomes())
}

// sayOutcome ends the lines of a plan or of what was done: on how many machines it
// failed, or why there was nothing to do.
func (a *app) sayOutcome(report session.Report, m *manifest.Manifest, again string) {
	failed := report.FailedAt()
	a.sayFailed(failed, len(report), again)
	if len(failed) > 0 || report.Changes() || a.Output != "table" {
		return
	}
	here := slices.ContainsFunc(m.Hosts, func(g *manifest.HostGroup) bool {
		return slices.ContainsFunc(g.Addresses, func(address string) bool { return place.InManifest(address) == place.Here })
	})
	switch {
	case len(m.Hosts) == 0:
		a.say("Nothing to do: " + m.File + " has no hosts that would get something.")
	case !here:
		a.say("Nothing to do: all is as " + m.File + " says. This machine is not in its hosts; there, the address local stands for it.")
	default:
		a.say("Nothing to do: all is as " + m.File + " says.")
	}
}

func (a *app) printSteps(report session.Report, plan bool) error {
	out := []stepJSON{}
	for _, o := range report.Outcomes() {
		out = append(out, stepJSON{toLoadedJSON(o), o.Was, o.Is})
	}
	if done, err := a.data(out); done {
		return err
	}
	defer a.collectFailures()()
	for _, r := range report {
		a.printResult(r, func(o session.Outcome) { a.printStep(o, plan) })
	}
	return nil
}

// printStep prints one step in a line: MACHINE: SECRET: PLACE ACTION (KEY WAS>IS).
func (a *app) printStep(s session.Outcome, plan bool) {
	name := s.At.String() + ": " + s.Secret
	switch s.Action {
	case provider.Unchanged:
		a.note("%s: already there, in %s", name, s.Source)
	case provider.Conflict:
		a.failedAt(s.At, s.Secret, fault.WithHint(fmt.Errorf("%w, which rhx did not put there%s", s.Err, prints(s.Was, nil)), "nothing was changed there; --overwrite replaces them, rhx save --on takes them into the store"))
	case provider.Failed:
		a.failedAt(s.At, s.Secret, s.Err)
	default:
		a.say(term.Line(stepLine(s, plan)))
	}
}

// stepLine is the line of a step that changes something, or does not get to it; ""
// for one that changes nothing.
func stepLine(s session.Outcome, plan bool) string {
	name, where := s.At.String()+": "+s.Secret, s.Source.String()
	switch {
	case s.Action == provider.Unchanged:
		return ""
	case s.Err != nil:
		return fmt.Sprintf("%s: %v", name, s.Err)
	case s.At == place.Store:
		where = "values"
	}
	keys := prints(s.Was, s.Is) + modeAlone(s)
	if keys == "" && len(s.Keys) > 0 {
		keys = " (" + strings.Join(s.Keys, ", ") + ")"
	}
	would := ""
	if plan {
		would = "would be "
	}
	return fmt.Sprintf("%s: %s %s%s%s", name, where, would, s.Action, keys)
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
