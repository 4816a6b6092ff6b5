package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/journal"
)

type undoCmd struct {
	DryRun    bool `help:"Say what would be restored; change nothing."`
	Overwrite bool `help:"Restore files that were changed since, too."`
	Yes       bool `short:"y" help:"Do not ask."`
}

func (c *undoCmd) Help() string {
	return `Brings every file that the last apply, load, sync, login or delete --contents changed back to what it was before, byte for byte, on hosts too. A file that was changed since is left alone. What was saved to the store stays there: rhx rollback is for that.`
}

// undoneJSON is one element of undo's JSON.
type undoneJSON struct {
	Machine string `json:"machine"`
	Path    string `json:"path"`
	Action  string `json:"action"`
	Error   string `json:"error,omitempty"`
}

func (c *undoCmd) Run(ctx context.Context, a *app) error {
	h, err := a.hostHere("undo")
	if err != nil {
		return err
	}
	last, err := h.LastSession(ctx)
	if err != nil {
		return err
	}
	open := a.opener(h, false)
	if !c.DryRun && !c.Yes {
		if !a.canAsk() {
			return fault.WithHint(fault.WithKind(errors.New("rhx undo needs a yes"), fault.Usage), "--dry-run shows what it would restore; --yes says it ahead")
		}
		undone, err := h.Undo(ctx, last, open, journal.UndoOptions{DryRun: true, Overwrite: c.Overwrite})
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
	undone, err := h.Undo(ctx, last, open, journal.UndoOptions{DryRun: c.DryRun, Overwrite: c.Overwrite})
	if err != nil {
		return err
	}
	out := make([]undoneJSON, 0, len(undone))
	failed := 0
	var events []host.Event
	for _, u := range undone {
		j := undoneJSON{Machine: u.Machine, Path: u.Path, Action: undoneAction(u)}
		if u.Err != nil {
			failed++
			j.Error = u.Err.Error()
		}
		out = append(out, j)
		events = append(events, host.Event{Command: "undo", Machine: u.Machine, Path: u.Path, Action: j.Action})
	}
	if !c.DryRun {
		if err := h.Log(events); err != nil {
			a.warn("the log could not be written: " + err.Error())
		}
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
	return outcome(failed, len(undone))
}

func undoneAction(u journal.Undone) string {
	switch {
	case u.Err != nil:
		return "failed"
	case u.Removed:
		return "removed"
	}
	return "restored"
}

func (a *app) printUndone(u journal.Undone, plan bool) {
	name := u.Machine + ": " + u.Path
	would := ""
	if plan {
		would = "would be "
	}
	if u.Err != nil {
		a.report(name, fault.WithHint(u.Err, "it was left as it is; --overwrite restores it all the same"))
		return
	}
	a.say(fmt.Sprintf("%s: %s%s", name, would, undoneAction(u)))
}
