package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rhx-dev/rhx/host/dburl"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

type brokerCmd struct {
	Check brokerCheckCmd `cmd:"" help:"Say what would be put into a request to a URL, and where."`
}

type brokerCheckCmd struct {
	URL    string   `arg:"" name:"url" help:"The URL of a request, or of a database."`
	Secret []string `short:"s" sep:"none" predictor:"stored" help:"A secret of the store; may be given several times." placeholder:"SECRET"`
	Bundle []string `short:"b" sep:"none" predictor:"bundle" help:"The secrets of a bundle of the manifest; may be given several times." placeholder:"BUNDLE"`
	Yes    bool     `short:"y" help:"Trust the manifest without asking."`
}

func (c *brokerCheckCmd) Help() string {
	return `By the rules of the providers, as rhx run --broker follows them, with no request and no value. The exit status is 1 where nothing would be put in.

Examples:
  rhx broker check https://api.github.com/user -s github
  rhx broker check https://api.openai.com/v1/models -b train
  rhx broker check postgres://alice@db.example/app -s database-url`
}

// brokerJSON is what would be put in for one secret by one rule.
type brokerJSON struct {
	Secret string `json:"secret"`
	Host   string `json:"host"`
	// How says where in a request the values go.
	How  string   `json:"how"`
	Keys []string `json:"keys"`
	// Methods are those that the manifest allows; none for all.
	Methods []string `json:"methods,omitempty"`
}

func (b brokerJSON) text() string {
	text := fmt.Sprintf("%s: %s", b.Secret, b.How)
	if len(b.Methods) > 0 {
		text += " (" + strings.Join(b.Methods, ", ") + " only)"
	}
	return text
}

func (c *brokerCheckCmd) Run(ctx context.Context, a *app) error {
	if len(c.Secret)+len(c.Bundle) == 0 {
		return fault.WithHint(fault.WithKind(errors.New("nothing is named"), fault.Usage), "-s SECRET or -b BUNDLE")
	}
	target, err := brokerTargetOf(c.URL)
	if err != nil {
		return err
	}
	if len(c.Bundle) > 0 {
		if target.allows, err = a.brokerLimits(ctx, target, c.Bundle, c.Yes); err != nil {
			return err
		}
	}
	names, err := a.stored(c.Secret...)
	if err == nil {
		names, err = a.withBundles(ctx, names, c.Bundle, c.Yes)
	}
	if err != nil {
		return err
	}
	found, err := a.brokerPuts(ctx, target, names)
	if err != nil {
		return err
	}
	if done, err := a.data(found); done || err != nil {
		return errors.Join(err, brokerStatus(found))
	}
	for _, f := range found {
		a.say(f.text())
	}
	if len(found) == 0 {
		a.say(fmt.Sprintf("Nothing of %s is put into requests to %s:%d.", list(slices.Concat(c.Secret, c.Bundle)), target.host, target.port))
	}
	return brokerStatus(found)
}

// brokerPuts says what would be put into a request to a server, of secrets by their names in
// the store.
func (a *app) brokerPuts(ctx context.Context, t *brokerTarget, names []string) ([]brokerJSON, error) {
	e, err := a.engine()
	if err != nil {
		return nil, err
	}
	if _, err := a.openStore(ctx); err != nil {
		return nil, err
	}
	recs, err := e.Records.GetAll(ctx, names)
	if err != nil {
		return nil, err
	}
	found := []brokerJSON{}
	for _, rec := range recs {
		uses := dburl.Uses(&rec.Secret)
		if rec.Secret.Provider != "" {
			sp, err := e.Specs.Get(rec.Secret.Provider)
			if err != nil {
				return nil, fmt.Errorf("secret %s: %w", rec.Secret.Name, err)
			}
			uses = sp.Use
		}
		for _, u := range uses {
			lacks := func(key string) bool { return rec.Secret.Values[key].Empty() && !u.Optional(key) }
			methods, ok := []string(nil), true
			if t.allows != nil {
				methods, ok = t.allows(rec.Info.Name)
			}
			if ok && t.meets(&rec.Secret, &u) && !slices.ContainsFunc(u.Keys(), lacks) {
				found = append(found, brokerJSON{rec.Secret.Name, t.host, u.How(), u.Keys(), methods})
			}
		}
	}
	return found, nil
}

func brokerStatus(found []brokerJSON) error {
	if len(found) == 0 {
		return exitCode(1)
	}
	return nil
}

// brokerTarget is what the broker would take a request to.
type brokerTarget struct {
	url  *url.URL
	host string
	port int
	// database is nil for a request of HTTP.
	database *dburl.URL
	// allows reports whether the manifest has a secret put in there, by its name in the store,
	// and with which methods: none for all. It is nil where there is no manifest.
	allows func(name string) (methods []string, ok bool)
}

// meets reports whether a rule is for the target.
func (t *brokerTarget) meets(sec *secret.Secret, u *spec.Use) bool {
	if t.database == nil || u.Database == nil {
		return t.database == nil && u.Covers(t.host, t.port)
	}
	kind, at, err := dburl.Of(sec, u.Database)
	fits := func(of, asked string) bool { return of == "" || asked == "" || of == asked }
	return err == nil && kind == t.database.Kind && strings.EqualFold(at.Host, t.host) && int(at.Port) == t.port &&
		fits(at.User, t.database.User) && (kind == dburl.Redis || fits(at.Database, t.database.Database))
}

func brokerTargetOf(text string) (*brokerTarget, error) {
	if dburl.Is(text) {
		u, err := dburl.Where(text)
		if err != nil {
			return nil, fault.WithKind(err, fault.Usage)
		}
		return &brokerTarget{host: u.Host, port: int(u.Port), database: u}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, fault.WithKind(errors.New("this is no URL such as https://api.example.com/path"), fault.Usage)
	}
	if u.Scheme != "https" {
		return nil, fault.WithKind(errors.New("the broker puts values into https, and logs in to databases (postgres, redis, rediss)"), fault.Usage)
	}
	port := spec.DefaultPort
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil || port < 1 || port > 65535 {
			return nil, fault.WithKind(errors.New("the URL has no port that there can be"), fault.Usage)
		}
	}
	return &brokerTarget{url: u, host: strings.ToLower(u.Hostname()), port: port}, nil
}
