package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/store"
)

type historyCmd struct {
	Secret string `arg:"" predictor:"stored" help:"The secret's name."`
}

func (c *historyCmd) Help() string {
	return `Examples:
  rhx history aws/prod`
}

func (c *historyCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if err := a.storedOne(&c.Secret); err != nil {
		return err
	}
	infos, historyErr := e.Records.History(ctx, c.Secret)
	if historyErr != nil && fault.KindOf(historyErr) != fault.Partial {
		return historyErr
	}
	out := make([]versionJSON, 0, len(infos))
	rows := make([][]string, 0, len(infos))
	now := time.Now()
	header := []string{"VERSION", "WRITTEN", ""}
	by := slices.ContainsFunc(infos, func(i store.Info) bool { return i.By != "" })
	if by {
		header = append(header, "BY")
	}
	for _, v := range infos {
		out = append(out, versionJSON{v.Version, v.Updated, v.Deleted, v.By})
		state := ""
		if v.Deleted {
			state = "deleted"
		}
		row := []string{strconv.Itoa(v.Version), ago(v.Updated, now), state}
		if by {
			row = append(row, v.By)
		}
		rows = append(rows, row)
	}
	if done, err := a.data(out); done {
		return cmp.Or(err, historyErr)
	}
	return cmp.Or(a.table(header, rows), historyErr)
}

type rollbackCmd struct {
	Secret string `arg:"" predictor:"stored" help:"The secret's name."`
	To     int    `predictor:"version" required:"" help:"The version whose values to bring back." placeholder:"N"`
}

func (c *rollbackCmd) Help() string {
	return `Saves the values of an older version as a new one; nothing is lost by it.

Examples:
  rhx rollback aws/prod --to 3`
}

func (c *rollbackCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if err := a.storedOne(&c.Secret); err != nil {
		return err
	}
	saved, err := e.Exchange.Rollback(ctx, c.Secret, c.To)
	if err != nil {
		return err
	}
	if done, err := a.data([]savedJSON{{Name: saved.Name, Action: saved.Action, Version: saved.Version, Keys: saved.Keys}}); done {
		return err
	}
	a.say(rolledBack(saved, c.To))
	return nil
}

func rolledBack(s exchange.Saved, to int) string {
	if s.Action == provider.Unchanged {
		return fmt.Sprintf("%s: version %d has the values of version %d already", s.Name, s.Version, to)
	}
	return fmt.Sprintf("%s: version %d restored, as version %d", s.Name, to, s.Version)
}
