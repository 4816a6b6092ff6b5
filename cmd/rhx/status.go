package main

import (
	"cmp"
	"context"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/atomicfile"
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
	h, err := a.hostHere("status")
	if err != nil {
		return err
	}
	m, err := a.manifestIfAny(ctx, c.Yes)
	if err != nil {
		return err
	}
	rows, places, err := h.Status(ctx, m, host.ApplyOptions{Parallel: max(1, c.Parallel), Open: a.opener(h, c.AcceptNew), Getenv: a.Getenv})
	if err != nil && rows == nil {
		return err
	}
	if err != nil {
		a.warn(err.Error())
	}
	if c.HTML != "" {
		if err := atomicfile.Write(c.HTML, statusPage(rows, places, m), 0o644); err != nil {
			return err
		}
		a.say("written: " + c.HTML)
		return nil
	}
	out := make([]statusJSON, 0, len(rows))
	table := make([][]string, 0, len(rows))
	for _, r := range rows {
		out = append(out, statusJSON{r.Secret, r.Places})
		cells := []string{r.Secret}
		for _, p := range places {
			cells = append(cells, cmp.Or(r.Places[p], "-"))
		}
		table = append(table, cells)
	}
	if done, err := a.data(out); done {
		return err
	}
	if len(rows) == 0 {
		a.say("There is no secret yet. rhx save --all saves what rhx detect finds.")
		return nil
	}
	return a.stateTable(append([]string{"SECRET"}, places...), table, 1)
}
