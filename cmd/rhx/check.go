package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/project"
	"github.com/rhx-dev/rhx/host/secret"
)

type checkCmd struct {
	Bundle []string `short:"b" sep:"none" predictor:"bundle" help:"Only what this bundle needs; may be given several times." placeholder:"BUNDLE"`
	Ask    bool     `help:"Ask for what is missing, and save it."`
	Yes    bool     `short:"y" help:"Trust the manifest without asking."`
}

func (c *checkCmd) Help() string {
	return `Is all there that the project's rhx.yaml needs? Names what is missing, and where it was looked for; the exit status is 1 then. Nothing is changed.

With --ask it asks for each missing value, at a prompt that does not show it, makes those that are to be generated, and saves them. An empty answer leaves one out.

Examples:
  rhx check              # before the first rhx run
  rhx check -b deploy    # in CI, before the work begins
  rhx check --ask`
}

// needJSON is one element of check's JSON.
type needJSON struct {
	Name    string   `json:"name"`
	Stored  string   `json:"stored,omitempty"`
	Bundles []string `json:"bundles,omitempty"`
	State   string   `json:"state"`
	Missing []string `json:"missing,omitempty"`
	Looked  []string `json:"looked,omitempty"`
	Error   string   `json:"error,omitempty"`
	Hint    string   `json:"hint,omitempty"`
}

func (c *checkCmd) Run(ctx context.Context, a *app) error {
	e, m, err := a.manifestEngine(ctx, c.Yes)
	if err != nil {
		return err
	}
	if c.Ask && !a.hasTerminal() {
		return fault.WithHint(fault.Unasked(errors.New("--ask needs a terminal to ask at")), "rhx save NAME KEY=- takes a value from a pipe")
	}
	needs, err := e.Project.Check(ctx, m, c.Bundle)
	if err != nil {
		return err
	}
	if c.Ask {
		asked, err := a.askFor(ctx, e, needs)
		if err != nil {
			return err
		}
		if asked {
			if needs, err = e.Project.Check(ctx, m, c.Bundle); err != nil {
				return err
			}
		}
	}
	missing := 0
	out := make([]needJSON, 0, len(needs))
	for _, n := range needs {
		j := needJSON{Name: n.Name, Bundles: n.Bundles, State: n.State, Missing: n.Missing}
		if n.Secret != nil {
			j.Stored = n.Secret.StoreName()
		}
		if n.State != project.StateThere {
			missing++
			j.Looked, j.Hint = n.Looked, n.Hint
		}
		if n.Err != nil {
			j.Error = n.Err.Error()
		}
		out = append(out, j)
	}
	if done, err := a.data(out); done {
		if err == nil && missing > 0 {
			err = exitCode(1)
		}
		return err
	}
	return a.printNeeds(m, needs, missing)
}

func (a *app) printNeeds(m *manifest.Manifest, needs []*project.Need, missing int) error {
	for _, n := range needs {
		var text string
		switch {
		case n.State == project.StateThere:
			continue
		case n.Err != nil:
			text = fmt.Sprintf("%s cannot be used: %v", n.Name, n.Err)
		case len(n.Missing) > 0:
			text = n.Name + " lacks " + strings.Join(n.Missing, ", ")
		default:
			text = n.Name + " is missing"
		}
		fmt.Fprintln(a.Out, text)
		for _, line := range [][2]string{{"looked in", strings.Join(n.Looked, ", ")}, {"needed by", strings.Join(n.Bundles, ", ")}, {"to do", n.Hint}} {
			if line[1] != "" && (n.Err == nil || line[0] == "to do") {
				fmt.Fprintln(a.Out, term.Linef("  %-10s %s", line[0]+":", line[1]))
			}
		}
	}
	if missing > 0 {
		a.say(fmt.Sprintf("%s needs %d, and lacks %d of them.", m.File, len(needs), missing))
		return exitCode(1)
	}
	a.say(fmt.Sprintf("All that %s needs is there (%d).", m.File, len(needs)))
	return nil
}

// askFor asks for what is missing and saves it; asked says that something was.
func (a *app) askFor(ctx context.Context, e *engine.Engine, needs []*project.Need) (asked bool, err error) {
	for _, n := range needs {
		given := secret.Values{}
		for _, q := range e.Project.Asks(n) {
			if hasOne(q.Enough, given, n) {
				continue
			}
			if err := a.askOne(q, given); err != nil {
				return asked, err
			}
		}
		if len(given) == 0 {
			continue
		}
		if err := a.saveGiven(ctx, e, n, given); err != nil {
			a.report(n.Name, err)
			continue
		}
		asked = true
	}
	return asked, nil
}

// hasOne reports whether one of several keys is there already.
func hasOne(keys []string, given secret.Values, n *project.Need) bool {
	for _, key := range keys {
		if _, ok := given[key]; ok {
			return true
		}
		if n.Record != nil {
			if v := n.Record.Secret.Values[key]; !v.Empty() {
				return true
			}
		}
	}
	return false
}

// askOne makes one value, or asks for it.
func (a *app) askOne(q project.Asked, into secret.Values) error {
	if q.Generate != nil {
		value, public, err := q.Generate.Make()
		if err != nil {
			return err
		}
		into[q.Key] = secret.NewValue(value)
		if public != "" {
			into[q.Generate.Public(q.Key)] = secret.NewValue(public)
		}
		return nil
	}
	ask := a.hidden
	if q.Public {
		ask = a.line
	}
	text, err := ask(q.Prompt + ": ")
	if err == nil && text != "" {
		into[q.Key] = secret.NewValue(text)
	}
	return err
}

// saveGiven saves what was given for a need, beside the values that the store has.
func (a *app) saveGiven(ctx context.Context, e *engine.Engine, n *project.Need, given secret.Values) error {
	sec, err := e.Exchange.NewSecret(n.Secret.StoreName(), cmp.Or(n.Secret.Provider, exchange.NoProvider))
	if err != nil {
		return err
	}
	if n.Record != nil {
		maps.Copy(sec.Values, n.Record.Secret.Values)
	}
	maps.Copy(sec.Values, given)
	if err := e.Exchange.CheckValues(sec, nil); err != nil {
		return err
	}
	var saved exchange.Saved
	if n.Record != nil {
		saved, err = e.Exchange.Replace(ctx, n.Record, sec.Values)
	} else {
		saved, err = e.Exchange.SaveSecret(ctx, sec)
	}
	if err == nil {
		a.say(fmt.Sprintf("%s: saved as version %d", saved.Name, saved.Version))
	}
	return err
}
