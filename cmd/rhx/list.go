package main

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

type listCmd struct {
	Patterns []string `arg:"" predictor:"stored" optional:"" name:"pattern" help:"Only secrets of these names, with *, ? and [a-z]; a name without them is that secret, and those below it."`
	Expiring within   `help:"Only what has expired, or does so in this time, such as 7d or 12h: the first comes first." placeholder:"TIME"`
}

func (c *listCmd) Help() string {
	return `When a secret expires is shown where that is known: from the file that it came from, or because its values say it, as JSON Web Tokens and certificates do. Where the local store's key would have to be asked for, rhx list does not read that; --expiring does.

Examples:
  rhx list
  rhx list aws             # aws, aws/prod, aws/staging
  rhx list '*prod*'        # in every provider
  rhx list --expiring 7d
  rhx list -o json`
}

// emptyStore is said where there is no secret.
const emptyStore = "The store is empty. rhx save --all saves what rhx detect finds."

// listJSON is one element of list's JSON.
type listJSON struct {
	Name     string     `json:"name"`
	Provider string     `json:"provider"`
	Version  int        `json:"version"`
	Updated  time.Time  `json:"updated"`
	Expires  *time.Time `json:"expires,omitempty"`
}

func (c *listCmd) Run(ctx context.Context, a *app) error {
	for _, p := range c.Patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fault.WithHint(fault.WithKind(fmt.Errorf("%q is no pattern", p), fault.Usage), `a [ is closed by a ]; \[ stands for itself`)
		}
	}
	e, err := a.engine()
	if err != nil {
		return err
	}
	all, listErr := e.Records.List(ctx)
	if listErr != nil && fault.KindOf(listErr) != fault.Partial {
		return listErr
	}
	infos := slices.DeleteFunc(slices.Clone(all), func(i store.Info) bool { return !named(c.Patterns, i.Name) })
	var ends map[string]time.Time
	if c.Expiring > 0 {
		ends, err = e.Records.Expiries(ctx, infos)
	} else {
		ends, err = e.Records.KnownExpiries(ctx, infos, all)
	}
	if err != nil {
		return err
	}
	now := time.Now()
	if c.Expiring > 0 {
		infos = slices.DeleteFunc(infos, func(i store.Info) bool {
			end, known := ends[i.Name]
			return !known || end.After(now.Add(time.Duration(c.Expiring)))
		})
		slices.SortStableFunc(infos, func(x, y store.Info) int { return ends[x.Name].Compare(ends[y.Name]) })
	}
	out := make([]listJSON, 0, len(infos))
	rows := make([][]string, 0, len(infos))
	header := []string{"NAME", "PROVIDER", "VERSION", "UPDATED"}
	if len(ends) > 0 {
		header = append(header, "EXPIRES")
	}
	for _, i := range infos {
		j := listJSON{Name: i.Name, Provider: i.Provider, Version: i.Version, Updated: i.Updated}
		row := []string{i.Name, i.Provider, strconv.Itoa(i.Version), ago(i.Updated, now)}
		if end, known := ends[i.Name]; known {
			j.Expires = &end
			row = append(row, until(end, now))
		}
		out, rows = append(out, j), append(rows, row)
	}
	if done, err := a.data(out); done {
		return cmp.Or(err, listErr)
	}
	if len(infos) == 0 && listErr == nil {
		a.say(c.none(len(all)))
		return nil
	}
	return cmp.Or(a.stateTable(header, rows, 4), listErr)
}

// none says that nothing is listed, of so many secrets.
func (c *listCmd) none(secrets int) string {
	switch {
	case secrets == 0:
		return emptyStore
	case c.Expiring > 0 && len(c.Patterns) == 0:
		return "No secret is known to expire in that time."
	case c.Expiring > 0:
		return "No secret of such a name is known to expire in that time."
	}
	return "The store has no secret of such a name, and " + plural(secrets, "other") + "."
}

// named reports whether a name is one that patterns say; no pattern says all.
func named(patterns []string, name string) bool {
	if len(patterns) == 0 {
		return true
	}
	// To package path "/" is a border, which a * does not pass.
	flat := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
	return slices.ContainsFunc(patterns, func(p string) bool {
		if !strings.ContainsAny(p, `*?[\`) {
			return name == p || strings.HasPrefix(name, strings.TrimSuffix(p, "/")+"/")
		}
		ok, _ := path.Match(flat(p), flat(name))
		return ok
	})
}

// within is a time to come, also in days and weeks.
type within time.Duration

// UnmarshalText reads the value of a flag.
func (w *within) UnmarshalText(text []byte) error {
	bad := fmt.Errorf("%q is no time, such as 7d, 2w or 12h", text)
	if len(text) == 0 {
		return bad
	}
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[text[len(text)-1]]
	if unit == 0 {
		d, err := time.ParseDuration(string(text))
		if err != nil || d <= 0 {
			return bad
		}
		*w = within(d)
		return nil
	}
	n, err := strconv.ParseUint(string(text[:len(text)-1]), 10, 16)
	if err != nil || n == 0 || time.Duration(n) > 100*365*24*time.Hour/unit {
		return bad
	}
	*w = within(time.Duration(n) * unit)
	return nil
}

// until is a time to come, or one that has passed, for people.
func until(t, now time.Time) string {
	d := t.Sub(now)
	switch {
	case d <= 0:
		return "expired " + ago(t, now)
	case d < time.Minute:
		return "in less than a minute"
	case d < time.Hour:
		return "in " + plural(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return "in " + plural(int(d/time.Hour), "hour")
	case d < 60*24*time.Hour:
		return "in " + plural(int(d/(24*time.Hour)), "day")
	}
	return t.Local().Format("2006-01-02")
}
