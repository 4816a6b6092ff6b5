package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/host/exchange"
)

type deleteCmd struct {
	Secrets  []string `arg:"" predictor:"stored" name:"secret" help:"The secrets' names in the store."`
	Contents bool     `help:"Remove them from this machine's files too."`
	Destroy  bool     `help:"Remove every version, beyond recovery."`
	Yes      bool     `short:"y" help:"Do not ask."`
}

func (c *deleteCmd) Help() string {
	return `The older versions of a deleted secret stay readable by number (rhx get --version) until --destroy. --contents takes the secret's keys out of its native files, and the file only where nothing else is left in it; values that differ from the stored ones are left.

Examples:
  rhx delete openai
  rhx delete aws/prod --contents`
}

// deletedJSON is one element of delete's JSON.
type deletedJSON struct {
	Name    string   `json:"name"`
	Action  string   `json:"action"`
	Removed []string `json:"removed,omitempty"`
	Error   string   `json:"error,omitempty"`
}

func (c *deleteCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if !c.Contents {
		if err := a.localOnly("delete without --contents"); err != nil {
			return err
		}
	}
	if c.Secrets, err = a.stored(c.Secrets...); err != nil {
		return err
	}
	// Before anything is asked: opening a store may start rhx anew.
	if _, err := e.Records.Store(ctx); err != nil {
		return err
	}
	if (c.Contents || c.Destroy) && !c.Yes {
		what := "Delete " + strings.Join(c.Secrets, ", ")
		if c.Destroy {
			what += " with all versions"
		}
		if c.Contents {
			what += ", from this machine's files too"
		}
		if !a.canAsk() {
			return notConfirmed("rhx delete", "")
		}
		if !a.ask(what + "?") {
			return errors.New("nothing was deleted")
		}
	}
	deleted, err := e.Exchange.Delete(ctx, a.at(), a.machine(e), c.Secrets, exchange.DeleteOptions{Contents: c.Contents, Destroy: c.Destroy})
	if err != nil {
		return err
	}
	out := make([]deletedJSON, 0, len(deleted))
	bad, partly := 0, false
	for _, d := range deleted {
		j := deletedJSON{Name: d.Name, Action: "deleted"}
		for _, src := range d.Removed {
			j.Removed = append(j.Removed, src.String())
		}
		partly = partly || d.Err != nil && len(d.Removed) > 0
		if d.Err != nil {
			bad++
			j.Action, j.Error = "failed", d.Err.Error()
		}
		out = append(out, j)
	}
	if done, err := a.data(out); done {
		if err != nil {
			return err
		}
		return deletedStatus(bad, len(deleted), partly)
	}
	for i, d := range deleted {
		if d.Err != nil {
			a.report(d.Name, d.Err)
			continue
		}
		text := d.Name + ": deleted"
		if len(out[i].Removed) > 0 {
			text += fmt.Sprintf(", also from %s", strings.Join(out[i].Removed, ", "))
		}
		a.say(text)
		if kept, err := e.Exchange.HasDraft(ctx, d.Name); err != nil {
			a.warn(err.Error())
		} else if kept {
			a.warn(fmt.Sprintf("what was typed for %s and not saved is kept: rhx edit %s --kept drops it", d.Name, d.Name))
		}
	}
	return deletedStatus(bad, len(deleted), partly)
}

// deletedStatus is the exit status: a secret that was taken from some of its places
// is partly deleted.
func deletedStatus(bad, all int, partly bool) error {
	return cmp.Or(partlyDone(partly), outcome(bad, all))
}
