package main

import (
	"context"
	"errors"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/session"
)

type undoCmd struct {
	DryRun    bool `help:"Say what would be restored; change nothing."`
	Overwrite bool `help:"Restore files that were changed since, too."`
	Yes       bool `short:"y" help:"Do not ask."`
}

func (c *undoCmd) Help() string {
	return `Brings every file that the last apply, load, sync, harden, helper install or uninstall, login, logout or delete --contents changed back to what it was before, byte for byte, on hosts too. A file that was changed since is left alone. What delete --contents deleted from the store is there again; what was saved to it stays: rhx rollback is for that.

Examples:
  rhx undo --dry-run
  rhx undo`
}

// undoneJSON is one element of undo's JSON.
type undoneJSON struct {
	Machine string `json:"machine"`
	Path    string `json:"path"`
	Action  string `json:"action"`
	Error   string `json:"error,omitempty"`
}

func (c *undoCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	last, err := e.Book.LastSession(ctx)
	if err != nil {
		return err
	}
	hosts := a.fleet(e, fleet.DefaultParallel, false)
	if !c.DryRun && !c.Yes {
		if !a.canAsk() {
			return notConfirmed("rhx undo", "rhx undo --dry-run shows what it would restore")
		}
		// Nothing is written before the question, nor at it.
		undone, _, err := e.Exchange.Undo(ctx, last, hosts, journal.UndoOptions{DryRun: true, Overwrite: c.Overwrite})
		if err != nil {
			return err
		}
		for _, u := range undone {
			a.printUndone(u, true)
		}
		if !a.ask("Undo " + last.Describe() + "?") {
			return errors.New("nothing was changed")
		}
	}
	defer a.tellInterrupt(ctx)()
	undone, restored, undoErr := e.Exchange.Undo(ctx, last, hosts, journal.UndoOptions{DryRun: c.DryRun, Overwrite: c.Overwrite})
	if undoErr != nil && len(undone) == 0 {
		return undoErr
	}
	out := make([]undoneJSON, 0, len(undone))
	failed := 0
	for _, u := range undone {
		j := undoneJSON{Machine: u.At.String(), Path: u.Path, Action: u.Action()}
		if u.Err != nil {
			failed++
			j.Error = u.Err.Error()
		}
		out = append(out, j)
	}
	if done, err := a.data(out); done {
		if err != nil {
			return err
		}
		return outcome(failed, len(undone))
	}
	for _, u := range undone {
		a.printUndone(u, c.DryRun)
	}
	for _, name := range restored {
		a.say(term.Line("store: " + name + ": not deleted any more"))
	}
	if undoErr != nil {
		return fault.WithKind(undoErr, fault.Partial)
	}
	return outcome(failed, len(undone))
}

func (a *app) printUndone(u session.Undone, plan bool) {
	name := u.At.String()
	if u.Path == "" {
		a.report(name, u.Err)
		return
	}
	name += ": " + u.Short
	would := ""
	if plan {
		would = "would be "
	}
	if u.Err != nil {
		a.report(name, fault.WithHint(u.Err, "it was left as it is; --overwrite restores it all the same"))
		return
	}
	a.say(term.Linef("%s: %s%s", name, would, u.Action()))
}
