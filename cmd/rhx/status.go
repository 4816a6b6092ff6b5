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
	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/backup"
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
	page := ""
	if c.HTML != "" { // a device or a pipe is not replaced by a file
		if page, err = backup.Free(c.HTML, true, e.Dirs.Config, e.Dirs.Data, e.Dirs.State, e.Dirs.Cache); err != nil {
			return err
		}
	}
	m, err := a.manifestIfAny(ctx, c.Yes)
	if err != nil {
		return err
	}
	defer a.tellInterrupt(ctx)()
	board := a.board(c.HTML == "")
	status, err := e.Project.WatchStatus(ctx, m, a.fleet(e, c.Parallel, c.AcceptNew), func(s *project.Status) {
		if board != nil {
			board.Show(statusTable(s, time.Now()))
		}
	})
	board.End()
	if err != nil {
		return err
	}
	for _, err := range status.Broken {
		a.warn(err.Error())
	}
	a.tellUnreachable(status)
	partly := partlyDone(len(status.Unreachable)+len(status.Broken) > 0) // a host that could not be asked, or a bundle that is broken
	if c.HTML != "" {
		if err := atomicfile.Write(page, statusPage(status, m), 0o644); err != nil {
			return err
		}
		a.say("written: " + term.Line(c.HTML))
		return partly
	}
	out := make([]statusJSON, 0, len(status.Rows))
	for _, r := range status.Rows {
		j := statusJSON{Secret: r.Secret, Places: map[string]string{}}
		for at, due := range r.Expires {
			if j.Expires == nil {
				j.Expires = map[string]time.Time{}
			}
			j.Expires[at.String()] = due
		}
		for at, state := range r.States {
			j.Places[at.String()] = state
		}
		if !r.Ends.IsZero() {
			j.ValidUntil = &r.Ends
		}
		out = append(out, j)
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
	if err := a.Print(statusTable(status, time.Now())); err != nil {
		return err
	}
	a.tellExpiring(status)
	return partly
}

// board is what a table is drawn on while it fills in; nil where nobody watches.
func (a *app) board(wanted bool) *term.Board {
	if !wanted || a.Quiet || a.Output != "table" {
		return nil
	}
	return a.Board()
}

// statusTable is the matrix for people. Places that have not answered yet have dots.
func statusTable(s *project.Status, now time.Time) term.Table {
	table := term.Table{Header: []string{"SECRET"}, States: 1}
	for _, at := range s.Places {
		table.Header = append(table.Header, at.String())
	}
	ends := slices.ContainsFunc(s.Rows, func(r project.Row) bool { return !r.Ends.IsZero() })
	if ends {
		table.Header = append(table.Header, "EXPIRES")
	}
	for _, r := range s.Rows {
		cells := []string{r.Secret}
		for _, at := range s.Places {
			none := "-"
			if s.Waiting[at] {
				none = "..."
			}
			cells = append(cells, cmp.Or(r.States[at], none))
		}
		if !r.Ends.IsZero() {
			cells = append(cells, until(r.Ends, now))
		}
		table.Rows = append(table.Rows, cells)
	}
	return table
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
