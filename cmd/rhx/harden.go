package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/harden"
	"github.com/rhx-dev/rhx/host/helper"
	"github.com/rhx-dev/rhx/host/paths"
)

type hardenCmd struct {
	Providers []string `arg:"" predictor:"provider" optional:"" name:"provider" help:"Only these providers, or these secrets, such as aws/prod."`
	All       bool     `help:"Also take out what no client can ask rhx for: it is in the store alone then, and rhx run gives it to commands."`
	Bin       string   `help:"Write the names by which clients look for rhx into a folder of PATH." placeholder:"DIR"`
	DryRun    bool     `help:"Say what would be done; change nothing."`
	Yes       bool     `short:"y" help:"Do not ask."`
}

func (c *hardenCmd) Help() string {
	return `Takes credentials out of files where they lie in plaintext. Each is saved to the store and read back; its client (aws, cargo, docker, git, kubectl, podman, terraform) is told to ask rhx for it; then it is taken out of the file, and what else is there stays. rhx asks as the client does, and has the client itself ask where it is installed and needs no network for that: where the credential does not arrive, all of that client is put back.

What no client can ask for stays where it is, and is listed; --all takes it out, too.

rhx undo brings all back, the client's configuration too.

Examples:
  rhx harden --dry-run
  rhx harden aws git`
}

// hardenJSON is one credential in harden's JSON.
type hardenJSON struct {
	Secret   string   `json:"secret"`
	Provider string   `json:"provider"`
	Files    []string `json:"files"`
	// Client is who asks rhx for it.
	Client string `json:"client,omitempty"`
	// Action is helper, taken out, left or failed: what was done, or would be.
	Action  harden.Action `json:"action"`
	Why     string        `json:"why,omitempty"`
	Checked []string      `json:"checked,omitempty"`
	Notes   []string      `json:"notes,omitempty"`
	Error   string        `json:"error,omitempty"`
}

func (c *hardenCmd) Run(ctx context.Context, a *app) error {
	e, i, err := a.installer()
	if err != nil {
		return err
	}
	if !c.DryRun {
		if err := a.sweepHere(ctx); err != nil {
			return err
		}
	}
	h, err := a.hardener(e, i)
	if err != nil {
		return err
	}
	opts := harden.Options{Names: c.Providers, All: c.All, Bin: a.path(c.Bin)}
	items, err := h.Plan(ctx, opts)
	if err != nil {
		return err
	}
	todo := slices.ContainsFunc(items, changes)
	if !c.DryRun && todo {
		// Before anything is asked: opening a store may start rhx anew.
		if _, err := e.Records.Store(ctx); err != nil {
			return err
		}
		if !c.Yes {
			if !a.canAsk() {
				return notConfirmed("rhx harden", "rhx harden --dry-run shows what it would do")
			}
			if err := a.printHardened(items, true); err != nil {
				return err
			}
			if !a.ask("Do so?") {
				return errors.New("nothing was changed")
			}
		}
		if err := h.Apply(ctx, items, opts); err != nil {
			return err
		}
	}
	out := make([]hardenJSON, 0, len(items))
	var errs []error
	for _, i := range items {
		j := hardenJSON{Secret: i.Secret, Provider: i.Provider, Files: append([]string{}, i.Files...), Client: i.Client, Action: i.Action, Why: i.Why, Checked: i.Checked, Notes: i.Notes}
		if i.Action != harden.Left || i.Err != nil {
			errs = append(errs, i.Err)
		}
		if i.Err != nil {
			j.Error = i.Err.Error()
		}
		out = append(out, j)
	}
	if done, err := a.data(out); done {
		return cmp.Or(err, outcomeOf(errs))
	}
	if err := a.printHardened(items, c.DryRun); err != nil {
		return err
	}
	return outcomeOf(errs)
}

// changes reports whether something is to be done about a credential.
func changes(i *harden.Item) bool { return i.Action == harden.Helper || i.Action == harden.TakenOut }

// printHardened prints what was done, or is to be.
func (a *app) printHardened(items []*harden.Item, plan bool) error {
	if len(items) == 0 {
		a.say("No credential lies in plaintext where rhx looks.")
		return nil
	}
	var rows [][]string
	for _, i := range items {
		what := ""
		switch i.Action {
		case harden.Helper:
			if what = i.Client + " is to ask rhx"; !plan {
				what = i.Client + " asks rhx (shown by " + strings.Join(i.Checked, ", ") + ")"
			}
		case harden.TakenOut:
			if what = "in the store alone: rhx run -s " + i.Secret + " -- COMMAND"; i.Provider == "ssh" {
				what = "in the store alone: rhx agent ssh"
			}
		case harden.Left:
			what = "left: " + i.Why
		default:
			what = "failed"
		}
		rows = append(rows, []string{i.Secret, strings.Join(i.Files, ", "), what})
	}
	if a.Output == "table" {
		if err := a.table([]string{"SECRET", "IN PLAINTEXT IN", "WHAT"}, rows); err != nil {
			return err
		}
	}
	noHelper := false
	for _, i := range items {
		for _, note := range i.Notes {
			a.warn(i.Secret + ": " + note)
		}
		if i.Err != nil {
			a.report(i.Secret, fault.WithHint(i.Err, fault.Hint(i.Err)))
		}
		noHelper = noHelper || i.Action == harden.Left && i.Why == harden.NoHelper
	}
	if noHelper && a.Output == "table" {
		a.say("What no client can ask for: rhx harden --all takes it out of the files, and rhx run -s SECRET -- COMMAND gives it to a command.")
	}
	return nil
}

// hardener is what takes credentials out of files.
func (a *app) hardener(e *engine.Engine, i *helper.Installer) (*harden.Hardener, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	key, err := e.Stores.IdentityFile()
	if err != nil {
		return nil, err
	}
	return &harden.Hardener{
		Specs: e.Specs, Guests: e.Guests, Local: e.Local, Detector: e.Detector, Records: e.Records, Exchange: e.Exchange, Book: e.Book,
		Helpers: a.helpers(e), Installer: i,
		Run: func(ctx context.Context, q *helper.Question) ([]byte, bool, error) {
			return runClient(ctx, home, a.environ(), q)
		},
		Opens: func(path string) bool {
			if rest, ok := strings.CutPrefix(path, "~/"); ok {
				path = filepath.Join(home, rest)
			}
			return paths.Same(key, path)
		},
	}, nil
}

// clientWithin is how long a client may take, which may wait for a passphrase.
const clientWithin = 2 * time.Minute

// runClient runs a client that is installed. What it prints is a secret, and is kept in
// memory alone; what it says may have one in it, and is not shown.
func runClient(ctx context.Context, home string, environ []string, q *helper.Question) (out []byte, ok bool, err error) {
	path, err := exec.LookPath(q.Argv[0])
	if err != nil {
		return nil, false, nil //nolint:nilerr // it is not installed
	}
	ctx, cancel := context.WithTimeout(ctx, clientWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, q.Argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = home, append(environ, q.Env...), bytes.NewReader(q.Stdin)
	if out, err = cmd.Output(); err != nil {
		err = fmt.Errorf("%s: %w", q.Argv[0], err)
	}
	return out, true, err
}
