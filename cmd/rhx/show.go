package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/expiry"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

type showCmd struct {
	Secret  string `arg:"" predictor:"stored" help:"The secret's name."`
	Reveal  bool   `help:"Show the values themselves."`
	Version int    `predictor:"version" help:"An older version." placeholder:"N"`
}

func (c *showCmd) Help() string {
	return `With -o json or yaml, a value that is not UTF-8 is under "binary", in base64.

Examples:
  rhx show aws/prod
  rhx show openai --version 2 --reveal`
}

// showJSON is show's JSON.
type showJSON struct {
	Name      string            `json:"name"`
	Provider  string            `json:"provider"`
	Profile   string            `json:"profile"`
	Version   int               `json:"version"`
	Updated   time.Time         `json:"updated"`
	Expires   *time.Time        `json:"expires,omitempty"`
	Locations []secret.Source   `json:"locations"`
	Values    map[string]string `json:"values"`
	Binary    map[string]string `json:"binary,omitempty"` // what is not UTF-8, in base64
	// Versions is null where the store does not tell them.
	Versions []versionJSON `json:"versions"`
}

type versionJSON struct {
	Version int       `json:"version"`
	Updated time.Time `json:"updated"`
	Deleted bool      `json:"deleted,omitempty"`
	By      string    `json:"by,omitempty"`
}

func (c *showCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if err := a.storedOne(&c.Secret); err != nil {
		return err
	}
	rec, err := e.Records.Get(ctx, c.Secret, c.Version)
	if err != nil {
		return err
	}
	history, err := e.Records.History(ctx, c.Secret)
	unknown := errors.Is(err, store.ErrDenied)
	if err != nil && !unknown {
		return err
	}
	sp := specOf(e, rec.Secret.Provider)
	j := showJSON{
		Name: rec.Info.Name, Provider: rec.Secret.Provider, Profile: rec.Secret.Profile, Version: rec.Version,
		Updated: rec.Updated, Locations: rec.Secret.Sources, Values: shownAll(sp, rec.Secret.Values, c.Reveal),
	}
	j.Binary = secret.Binary(j.Values)
	if j.Locations == nil {
		j.Locations = []secret.Source{}
	}
	if end := expiry.Of(&rec.Secret); !end.IsZero() {
		j.Expires = &end
	}
	var versions []string
	if unknown {
		// In Vault, a policy for the values alone does not open the history.
		versions = append(versions, "not known: "+err.Error())
	}
	for _, v := range history {
		j.Versions = append(j.Versions, versionJSON{v.Version, v.Updated, v.Deleted, v.By})
		text := fmt.Sprintf("%d (%s)", v.Version, v.Updated.Local().Format("2006-01-02 15:04"))
		if v.Deleted {
			text += " deleted"
		}
		versions = append(versions, text)
	}
	if done, err := a.data(j); done {
		return err
	}
	rows := [][2]string{{"name", j.Name}, {"provider", j.Provider}, {"profile", j.Profile},
		{"version", strconv.Itoa(j.Version)}, {"updated", rec.Updated.Local().Format(time.RFC1123)}}
	if j.Expires != nil {
		rows = append(rows, [2]string{"expires", j.Expires.Local().Format(time.RFC1123) + " (" + until(*j.Expires, time.Now()) + ")"})
	}
	rows = append(rows, [2]string{"locations", placesCell(rec.Secret.Sources)}, [2]string{"versions", strings.Join(versions, ", ")})
	for _, r := range rows {
		if r[1] != "" {
			fmt.Fprintf(a.Out, "%-10s %s\n", r[0]+":", term.Line(r[1]))
		}
	}
	fmt.Fprintln(a.Out, "values:")
	text := shown(sp, rec.Secret.Values, c.Reveal)
	for _, k := range keysOf(sp, rec.Secret.Values) {
		fmt.Fprintf(a.Out, "  %s: %s\n", term.Line(k), strings.ReplaceAll(strings.TrimRight(text(k), "\n"), "\n", "\n    "))
	}
	return nil
}

// specOf returns a provider's spec, or nil for a base secret and for a
// provider that this machine does not know.
func specOf(e *engine.Engine, name string) *spec.Spec {
	if name == "" {
		return nil
	}
	sp, err := e.Specs.Get(name)
	if err != nil {
		return nil
	}
	return sp
}
