package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/session"
)

type sweepCmd struct {
	Local     bool `help:"This machine alone, no hosts."`
	DryRun    bool `help:"Say what would be taken out; change nothing."`
	Parallel  int  `help:"Hosts served at once." default:"32" placeholder:"32"`
	AcceptNew bool `help:"Add the key of a host that is not known yet; a changed key is refused all the same."`
}

func (c *sweepCmd) Help() string {
	return `Takes out what was placed with --ttl, or with ttl: in a manifest, and whose time has passed, on this machine and on hosts. Of this machine, load, save, sync, run, apply, delete, import, login and logout do so by themselves before anything else.

What somebody gave another value since is left, and said. rhx undo brings back what was taken out, for good.

Examples:
  rhx sweep
  rhx sweep --local --dry-run`
}

func (c *sweepCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	opts := exchange.SweepOptions{DryRun: c.DryRun}
	if !c.Local {
		defer a.tellInterrupt(ctx)()
		opts.Fleet = a.fleet(e, c.Parallel, c.AcceptNew)
	}
	report, err := e.Exchange.Sweep(ctx, opts)
	if err != nil {
		return err
	}
	var all []session.Outcome
	for _, r := range report {
		if r.Err != nil {
			r.Value = []session.Outcome{session.Failure(r.At, "", r.Err)}
		}
		all = append(all, r.Value...)
	}
	if done, err := a.data(loadedList(all)); done {
		if err != nil {
			return err
		}
		return sweptStatus(all)
	}
	for _, o := range all {
		a.printSwept(o, c.DryRun, a.say)
	}
	if len(all) == 0 {
		a.say("There is nothing to take out.")
	}
	return sweptStatus(all)
}

// sweptStatus is the exit status: what somebody changed is theirs, and no failure.
func sweptStatus(all []session.Outcome) error {
	return loadedStatus(slices.DeleteFunc(slices.Clone(all), func(o session.Outcome) bool { return o.Action == provider.Conflict }))
}

// sweepHere takes out of this machine what is to go, before a command that changes
// something. It costs one look for a file where nothing is.
func (a *app) sweepHere(ctx context.Context) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	report, err := e.Exchange.Sweep(ctx, exchange.SweepOptions{})
	if interrupted := exitCode(0); errors.As(err, &interrupted) {
		return err
	}
	if err != nil {
		a.warn(err.Error())
	}
	for _, o := range report.Outcomes() {
		a.printSwept(o, false, func(text string) {
			if !a.Quiet {
				fmt.Fprintln(a.Err, text)
			}
		})
	}
	return nil
}

func (a *app) printSwept(o session.Outcome, dryRun bool, say func(string)) {
	name := o.Secret
	if o.At != place.Here {
		name = strings.TrimSuffix(o.At.String()+": "+name, ": ")
	}
	switch {
	case o.Action == provider.Conflict:
		a.warn(fmt.Sprintf("%s: %s: %v", name, o.Source, o.Err))
	case o.Err != nil:
		next := "rhx"
		if o.At != place.Here {
			next = "rhx sync there, or rhx sweep,"
		}
		a.placementFailed(o, fault.WithHint(o.Err, "it was not taken out; the next "+next+" tries again"))
	case dryRun:
		say(term.Linef("%s: would be taken out of %s: its time has passed", name, o.Source))
	default:
		say(term.Linef("%s: taken out of %s: its time has passed", name, o.Source))
	}
}

// expiresIn says when a secret goes.
func expiresIn(due, now time.Time) string {
	if !due.After(now) {
		return "is to be taken out now: rhx sweep does it"
	}
	left := due.Sub(now).Round(time.Second)
	return fmt.Sprintf("is taken out at %s, in %s", due.Local().Format("2006-01-02 15:04:05"), left)
}
