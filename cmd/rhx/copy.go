package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/provider"
)

// copyFlags are those of copy and move.
type copyFlags struct {
	Secret    string `arg:"" optional:"" predictor:"stored" help:"The secret's name."`
	To        string `arg:"" optional:"" name:"new-name" help:"Its new name; without it the name stays, in another store."`
	ToStore   string `help:"The other store: local, or vault://MOUNT/PREFIX." placeholder:"URL"`
	All       bool   `help:"Every secret of the store, with --to-store."`
	Overwrite bool   `help:"Replace other values there."`
}

type copyCmd struct{ copyFlags }

func (c *copyCmd) Help() string {
	return `Copies the newest version of a secret, with its provider, profile and locations, to another name or another store. What is there with other values is left, unless --overwrite is given.

Examples:
  rhx copy aws/prod aws/staging
  rhx copy openai --to-store vault://secret/ml-team
  rhx copy --all --to-store vault://secret/ml-team`
}

func (c *copyCmd) Run(ctx context.Context, a *app) error { return c.run(ctx, a, false) }

type moveCmd struct{ copyFlags }

func (c *moveCmd) Help() string {
	return `As rhx copy, and then deletes the secret where it was; rhx undelete brings it back there.

Examples:
  rhx move mykey ssh/id_work
  rhx move --all --to-store vault://secret/ml-team`
}

func (c *moveCmd) Run(ctx context.Context, a *app) error { return c.run(ctx, a, true) }

// copiedJSON is one element of copy's and move's JSON.
type copiedJSON struct {
	From    string          `json:"from"`
	Name    string          `json:"name"`
	Action  provider.Action `json:"action"`
	Version int             `json:"version,omitempty"`
	Moved   bool            `json:"moved,omitempty"`
	Error   string          `json:"error,omitempty"`
}

func (c *copyFlags) run(ctx context.Context, a *app, move bool) error {
	command := "copy"
	if move {
		command = "move"
	}
	e, err := a.engine()
	if err != nil {
		return err
	}
	switch {
	case c.All == (c.Secret != ""):
		return fault.WithKind(errors.New("name one secret, or use --all"), fault.Usage)
	case c.All && c.ToStore == "":
		return fault.WithKind(errors.New("--all needs --to-store URL"), fault.Usage)
	case c.To == "" && c.ToStore == "":
		return fault.WithKind(errors.New("give a new name, or another store with --to-store URL"), fault.Usage)
	}
	if c.Secret != "" {
		if err := a.storedOne(&c.Secret); err != nil {
			return err
		}
	}
	opts := exchange.CopyOptions{From: c.Secret, To: c.To, All: c.All, Overwrite: c.Overwrite, Move: move}
	// Before anything is done: opening a store may start rhx anew.
	if _, err := e.Records.Store(ctx); err != nil {
		return err
	}
	if c.ToStore != "" {
		if opts.Store, err = e.Stores.OpenURL(c.ToStore); err != nil {
			return err
		}
	}
	copied, unread := e.Exchange.Copy(ctx, opts)
	if unread != nil && fault.KindOf(unread) != fault.Partial {
		return unread
	}
	out := make([]copiedJSON, 0, len(copied))
	var errs []error
	for _, s := range copied {
		j := copiedJSON{From: s.Name, Name: s.Saved.Name, Action: s.Action, Version: s.Version, Moved: s.Moved}
		errs = append(errs, s.Err)
		if s.Err != nil {
			j.Error = s.Err.Error()
		}
		out = append(out, j)
	}
	if done, err := a.data(out); done {
		if err := cmp.Or(err, unread); err != nil {
			return err
		}
		return outcomeOf(errs)
	}
	if len(copied) == 0 && unread == nil {
		a.say("The store is empty; there is nothing to " + command + ".")
	}
	for _, s := range copied {
		a.printCopied(s)
	}
	return cmp.Or(unread, outcomeOf(errs))
}

func (a *app) printCopied(s exchange.Copied) {
	name := s.Name
	if s.Saved.Name != s.Name {
		name += " to " + s.Saved.Name
	}
	switch {
	case s.Err != nil:
		a.report(name, s.Err)
	case s.Action == provider.Unchanged && !s.Moved:
		a.say(fmt.Sprintf("%s: already there, version %d", name, s.Version))
	case s.Moved:
		a.say(fmt.Sprintf("%s: moved, version %d there", name, s.Version))
	default:
		a.say(fmt.Sprintf("%s: copied, version %d there", name, s.Version))
	}
}
