package main

import (
	"cmp"
	"context"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/project"
)

type statusCmd struct {
	HTML      string `name:"html" help:"Write it to this file, as a page that needs nothing else." placeholder:"FILE"`
	Parallel  int    `help:"Hosts asked at once." default:"32" placeholder:"32"`
	AcceptNew bool   `help:"Add the key of a host that is not known yet; a changed key is refused all the same."`
	Yes       bool   `short:"y" help:"Trust the manifest without asking."`
}

func (c *statusCmd) Help() string {
	return `A row for each secret of the manifest, a column for the store, this machine and each host: same, differs, missing, unreachable, or nothing where it is not to be. Without a manifest: all of the store, and this machine.`
}

// statusJSON is one element of status's JSON.
type statusJSON struct {
	Secret string            `json:"secret"`
	Places map[string]string `json:"places"`
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
	out := make([]statusJSON, 0, len(status.Rows))
	table := make([][]string, 0, len(status.Rows))
	for _, r := range status.Rows {
		j := statusJSON{r.Secret, map[string]string{}}
		cells := []string{r.Secret}
		for _, at := range status.Places {
			if state := r.States[at]; state != "" {
				j.Places[at.String()] = state
			}
			cells = append(cells, cmp.Or(r.States[at], "-"))
		}
		out, table = append(out, j), append(table, cells)
	}
	if done, err := a.data(out); done {
		return cmp.Or(err, partly)
	}
	if len(status.Rows) == 0 {
		a.say("There is no secret yet. rhx save --all saves what rhx detect finds.")
		return nil
	}
	header := []string{"SECRET"}
	for _, at := range status.Places {
		header = append(header, at.String())
	}
	if err := a.stateTable(header, table, 1); err != nil {
		return err
	}
	return partly
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
