package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/project"
)

type statusCmd struct {
	HTML      string `name:"html" help:"Write it to this file, as a page that needs nothing else." placeholder:"FILE"`
	Parallel  int    `help:"Hosts asked at once." default:"32" placeholder:"32"`
	AcceptNew bool   `help:"Add the key of a host that is not known yet; a changed key is refused all the same."`
	Yes       bool   `short:"y" help:"Trust the manifest without asking."`
}

func (c *statusCmd) Help() string {
	return `A row for each secret of the manifest, a column for the store, this machine and each host: same, differs, missing, unreachable, or nothing where it is not to be. Without a manifest: all of the store, and this machine.

Examples:
  rhx status
  rhx status --html status.html`
}

// statusJSON is one element of status's JSON.
type statusJSON struct {
	Secret string            `json:"secret"`
	Places map[string]string `json:"places"`
	// Expires says when it is taken out of a place again, where it is.
	Expires map[string]time.Time `json:"expires,omitempty"`
	// ValidUntil says when the secret itself stops working, where that is known.
	ValidUntil *time.Time `json:"valid_until,omitempty"`
}

func (c *statusCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	m, err := a.manifestIfAny(ctx, c.Yes)
	if err != nil {
		return err
	}
	defer a.tellInterrupt(ctx)()
	status, err := e.Project.Status(ctx, m, a.fleet(e, c.Parallel, c.AcceptNew))
	if err != nil {
		return err
	}
	for _, err := range status.Broken {
		a.warn(err.Error())
	}
	a.tellUnreachable(status)
	var partly error // a host that could not be asked, or a bundle that is broken
	if len(status.Unreachable)+len(status.Broken) > 0 {
		partly = exitCode(3)
	}
	if c.HTML != "" {
		if err := atomicfile.Write(c.HTML, statusPage(status, m), 0o644); err != nil {
			return err
		}
		a.say("written: " + c.HTML)
		return partly
	}
	ends, now := false, time.Now()
	out := make([]statusJSON, 0, len(status.Rows))
	table := make([][]string, 0, len(status.Rows))
	for _, r := range status.Rows {
		j := statusJSON{Secret: r.Secret, Places: map[string]string{}}
		for at, due := range r.Expires {
			if j.Expires == nil {
				j.Expires = map[string]time.Time{}
			}
			j.Expires[at.String()] = due
		}
		cells := []string{r.Secret}
		for _, at := range status.Places {
			if state := r.States[at]; state != "" {
				j.Places[at.String()] = state
			}
			cells = append(cells, cmp.Or(r.States[at], "-"))
		}
		if !r.Ends.IsZero() {
			j.ValidUntil, ends = &r.Ends, true
			cells = append(cells, until(r.Ends, now))
		}
		out, table = append(out, j), append(table, cells)
	}
	if done, err := a.data(out); done {
		return cmp.Or(err, partly)
	}
	if len(status.Rows) == 0 {
		if partly == nil {
			a.say("There is no secret yet. rhx save --all saves what rhx detect finds.")
		}
		return partly
	}
	header := []string{"SECRET"}
	for _, at := range status.Places {
		header = append(header, at.String())
	}
	if ends {
		header = append(header, "EXPIRES")
	}
	if err := a.stateTable(header, table, 1); err != nil {
		return err
	}
	a.tellExpiring(status)
	return partly
}

// tellExpiring says what is taken out again, and when; also of hosts that the table does
// not have.
func (a *app) tellExpiring(s *project.Status) {
	now := time.Now()
	for _, r := range s.Rows {
		places := slices.SortedFunc(maps.Keys(r.Expires), func(x, y place.Place) int { return strings.Compare(x.String(), y.String()) })
		for _, at := range places {
			a.say(fmt.Sprintf("%s on %s %s", r.Secret, at, expiresIn(r.Expires[at], now)))
		}
	}
}

// tellUnreachable says why hosts could not be asked.
func (a *app) tellUnreachable(s *project.Status) {
	defer a.collectFailures()()
	for _, at := range s.Places {
		if err := s.Unreachable[at]; err != nil {
			a.failedAt(at, "", err)
		}
	}
}
