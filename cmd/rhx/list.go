package main

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

type listCmd struct{}

func (c *listCmd) Help() string {
	return `Examples:
  rhx list
  rhx list -o json`
}

// emptyStore is said where there is no secret.
const emptyStore = "The store is empty. rhx save --all saves what rhx detect finds."

// listJSON is one element of list's JSON.
type listJSON struct {
	Name     string    `json:"name"`
	Provider string    `json:"provider"`
	Version  int       `json:"version"`
	Updated  time.Time `json:"updated"`
}

func (c *listCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	infos, listErr := e.Records.List(ctx)
	if listErr != nil && fault.KindOf(listErr) != fault.Partial {
		return listErr
	}
	out := make([]listJSON, 0, len(infos))
	rows := make([][]string, 0, len(infos))
	now := time.Now()
	for _, i := range infos {
		out = append(out, listJSON{i.Name, i.Provider, i.Version, i.Updated})
		rows = append(rows, []string{i.Name, i.Provider, strconv.Itoa(i.Version), ago(i.Updated, now)})
	}
	if done, err := a.data(out); done {
		return cmp.Or(err, listErr)
	}
	if len(infos) == 0 && listErr == nil {
		a.say(emptyStore)
		return nil
	}
	return cmp.Or(a.table([]string{"NAME", "PROVIDER", "VERSION", "UPDATED"}, rows), listErr)
}
