package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/manifest"
)

type whyCmd struct {
	Variable string `arg:"" help:"The variable's name."`
	Bundle   string `short:"b" predictor:"bundle" help:"The bundle of the manifest; without it the one that is called default." placeholder:"BUNDLE"`
	Yes      bool   `short:"y" help:"Trust the manifest without asking."`
}

func (c *whyCmd) Help() string {
	return `Examples:
  rhx why DATABASE_URL
  rhx why DATABASE_URL -b train`
}

// whyJSON is why's JSON.
type whyJSON struct {
	Variable string `json:"variable"`
	Bundle   string `json:"bundle"`
	How      string `json:"how"`
	Secret   string `json:"secret,omitempty"`
	Stored   string `json:"stored,omitempty"`
	Version  int    `json:"version,omitempty"`
	Key      string `json:"key,omitempty"`
	Text     string `json:"text,omitempty"`
	From     string `json:"from,omitempty"`
}

func (c *whyCmd) Run(ctx context.Context, a *app) error {
	e, m, err := a.manifestEngine(ctx, c.Yes)
	if err != nil {
		return err
	}
	if c.Bundle == "" {
		bundles, err := a.bundlesOr(ctx, nil, nil, c.Yes)
		if err != nil {
			return err
		}
		c.Bundle = bundles[0] // there is a manifest
	}
	w, err := e.Project.ExplainVariable(ctx, m, c.Bundle, c.Variable)
	if err != nil {
		return err
	}
	if done, err := a.data(whyJSON{w.Variable, w.Bundle, w.How, w.Secret, w.Stored, w.Version, w.Key, w.Text, w.From}); done {
		return err
	}
	say := func(format string, args ...any) { a.say(term.Line(c.Variable + ": " + fmt.Sprintf(format, args...))) }
	switch w.How {
	case "secret":
		at := fmt.Sprintf("version %d of %s in the store", w.Version, w.Stored)
		if w.Version == 0 {
			at = w.Stored + ", which the store does not have"
		}
		say("the value %s of the secret %s (%s), which the bundle %s names", w.Key, w.Secret, at, w.From)
	case "text":
		if w.Text == "" {
			say("a text that is written in the bundle %s", w.From)
		} else {
			say("the text %q of the bundle %s", w.Text, w.From)
		}
	case "unset":
		say("the bundle %s takes it away", c.Bundle)
	case "stripped":
		say("not in the bundle %s; another one of the manifest has it, so it is taken away", c.Bundle)
	default:
		say("the manifest does not have it; a command gets it from the environment of rhx, if it is there")
	}
	return nil
}

type whereCmd struct {
	Secret string `arg:"" predictor:"stored" help:"The secret's name, in the manifest or in the store."`
	Yes    bool   `short:"y" help:"Trust the manifest without asking."`
}

func (c *whereCmd) Help() string {
	return `Where it is: the store, this machine, the places that it was saved from; and, with a manifest, where it goes: bundles and hosts. rhx status asks the hosts.

Examples:
  rhx where aws/prod`
}

// whereJSON is where's JSON.
type whereJSON struct {
	Secret    string   `json:"secret"`
	Stored    string   `json:"stored"`
	Version   int      `json:"version"`
	Local     string   `json:"local,omitempty"`
	Came      []string `json:"came,omitempty"`
	Variables []string `json:"variables,omitempty"`
	Files     []string `json:"files,omitempty"`
	Texts     []string `json:"texts,omitempty"`
	Hosts     []string `json:"hosts,omitempty"`
	// Expires says, by machine, when it is taken out there again.
	Expires map[string]time.Time `json:"expires,omitempty"`
}

func (c *whereCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	m, err := a.manifestIfAny(ctx, c.Yes)
	if err != nil {
		return err
	}
	w, err := e.Project.Locate(ctx, m, c.Secret)
	if err != nil {
		return err
	}
	if done, err := a.data(whereJSON(*w)); done {
		return err
	}
	at := fmt.Sprintf("%s, version %d", w.Stored, w.Version)
	if w.Version == 0 {
		at = "missing"
	}
	rows := [][]string{{"store", at}, {"this machine", cmp.Or(w.Local, "-")}}
	for _, r := range []struct {
		what string
		list []string
	}{{"saved from", w.Came}, {"variables of bundles", w.Variables}, {"files of bundles", w.Files}, {"in texts of bundles", w.Texts}, {"hosts", w.Hosts}} {
		if len(r.list) > 0 {
			rows = append(rows, []string{r.what, strings.Join(r.list, ", ")})
		}
	}
	for _, at := range slices.Sorted(maps.Keys(w.Expires)) {
		rows = append(rows, []string{"on " + at, expiresIn(w.Expires[at], time.Now())})
	}
	return a.stateTable([]string{"PLACE", strings.ToUpper(w.Secret)}, rows, 1)
}

// manifestIfAny returns the manifest that applies here, nil where there is none.
func (a *app) manifestIfAny(ctx context.Context, yes bool) (*manifest.Manifest, error) {
	if a.Manifest == "" {
		if _, err := findManifest(); err != nil {
			if fault.KindOf(err) == fault.Usage {
				return nil, nil
			}
			return nil, err
		}
	}
	return a.manifest(ctx, yes)
}
