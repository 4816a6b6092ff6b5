package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/helper"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
)

type detectCmd struct {
	Providers []string `arg:"" predictor:"provider" optional:"" name:"provider" help:"Only these providers, or these secrets, such as aws/prod."`
	Reveal    bool     `help:"Show the values themselves."`
}

func (c *detectCmd) Help() string {
	return `Looks at the default files and variables of every known provider, and at the files of variables (.env and the like) in this folder. Values are masked unless they are public, such as a key's id. A file that is broken is named, with the line, and does not hide the others; the exit status is then 3. With -o json or yaml, a value that is not UTF-8 is under "binary", in base64.

Examples:
  rhx detect
  rhx detect aws github --reveal
  rhx detect --on gpu-01`
}

// foundJSON is one element of detect's JSON.
type foundJSON struct {
	// ProjectFile is the file of the project in this folder; "" for what is elsewhere.
	ProjectFile string            `json:"project_file,omitempty"`
	Name        string            `json:"name"`
	Provider    string            `json:"provider"`
	Profile     string            `json:"profile"`
	Sources     []secret.Source   `json:"sources"`
	State       provider.State    `json:"state"`
	Values      map[string]string `json:"values,omitempty"`
	Binary      map[string]string `json:"binary,omitempty"` // what is not UTF-8, in base64
	Expires     string            `json:"expires,omitempty"`
	// Helper is the client that could ask rhx for what lies in a file.
	Helper string   `json:"helper,omitempty"`
	Notes  []string `json:"notes,omitempty"`
	Error  string   `json:"error,omitempty"`
}

func (c *detectCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if a.On != "" {
		defer a.tellInterrupt(ctx)()
	}
	files, names := c.project(ctx, a, e)
	var found []provider.Found
	if len(names) > 0 || len(c.Providers) == 0 {
		if found, err = e.Detector.On(ctx, a.machine(e), names...); err != nil {
			if found == nil {
				return err
			}
			a.warn(err.Error())
		}
	}
	out := make([]foundJSON, 0, len(found))
	rows := make([][]string, 0, len(found))
	broken := 0
	var could []string
	for _, f := range found {
		sp, err := e.Specs.Get(f.Provider)
		if err != nil {
			return err
		}
		j := foundJSON{
			Name: f.Name, Provider: f.Provider, Profile: f.Profile, Sources: f.Sources, State: f.State,
			Values: shownAll(sp, f.Values, c.Reveal), Notes: f.Notes,
		}
		if f.State == provider.HasValue && slices.ContainsFunc(f.Sources, func(src secret.Source) bool { return src.Kind == secret.SourceFile }) {
			if j.Helper = a.couldAsk(ctx, e, &f.Secret); j.Helper != "" {
				could = append(could, f.Name)
			}
		}
		if !f.Expires.IsZero() {
			j.Expires = f.Expires.Format("2006-01-02T15:04:05Z07:00")
		}
		cell := valuesCell(sp, f.Values, c.Reveal)
		switch f.State {
		case provider.Invalid:
			broken++
			j.Error = f.Err.Error()
			cell = "broken: " + j.Error
		case provider.InKeyring:
			cell = "in the system's keyring"
		case provider.BySignIn:
			cell = "by signing in, which the tool does itself"
		case provider.ByRole:
			cell = "a role, which the tool takes by another profile"
		case provider.ByCommand:
			cell = "from a command, which rhx does not run"
		}
		out = append(out, j)
		rows = append(rows, []string{f.Name, placesCell(f.Sources), cell})
	}
	inProject, err := projectJSON(e, files, c.Reveal)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Err != nil {
			broken++
		}
	}
	all := len(found) + len(files)
	out = append(out, inProject...)
	for i := range out {
		out[i].Binary = secret.Binary(out[i].Values)
	}
	if done, err := a.data(out); done {
		if err != nil {
			return err
		}
		return outcome(broken, all)
	}
	if len(found) == 0 && len(files) == 0 {
		a.say("No credentials found. rhx providers lists where rhx looks.")
		return nil
	}
	if len(found) > 0 {
		if err := a.table([]string{"NAME", "FOUND IN", "VALUES"}, rows); err != nil {
			return err
		}
	}
	if len(could) > 0 && a.On == "" && !a.Quiet {
		fmt.Fprintln(a.Err, "In plaintext, and their clients could ask rhx instead: "+strings.Join(could, ", ")+". rhx harden has them do so.")
	}
	for _, f := range found {
		for _, n := range f.Notes {
			a.warn(f.Name + ": " + n)
		}
	}
	if err := a.printProject(files); err != nil {
		return err
	}
	return outcome(broken, all)
}

// couldAsk is the client that reads a secret from its file and could ask rhx for it; ""
// for none.
func (a *app) couldAsk(ctx context.Context, e *engine.Engine, sec *secret.Secret) string {
	for _, c := range helper.Readers(sec.Provider) {
		if a.helpers(e).Would(ctx, c.Protocol, sec) != nil {
			return c.Name
		}
	}
	return ""
}
