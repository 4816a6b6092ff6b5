package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/spec"
)

type brokerCmd struct {
	Check brokerCheckCmd `cmd:"" help:"Say what would be put into a request to a URL, and where."`
}

type brokerCheckCmd struct {
	URL    string   `arg:"" name:"url" help:"The URL of a request."`
	Secret []string `short:"s" required:"" sep:"none" predictor:"stored" help:"A secret of the store; may be given several times." placeholder:"SECRET"`
}

func (c *brokerCheckCmd) Help() string {
	return `By the rules of the providers, as rhx run --broker follows them, with no request and no value. The exit status is 1 where nothing would be put in.

Examples:
  rhx broker check https://api.github.com/user -s github`
}

// brokerJSON is what would be put in for one secret by one rule.
type brokerJSON struct {
	Secret string `json:"secret"`
	Host   string `json:"host"`
	// How says where in a request the values go.
	How  string   `json:"how"`
	Keys []string `json:"keys"`
}

func (c *brokerCheckCmd) Run(ctx context.Context, a *app) error {
	host, port, found, err := a.brokerPuts(ctx, c.URL, c.Secret)
	if err != nil {
		return err
	}
	if done, err := a.data(found); done || err != nil {
		return errors.Join(err, brokerStatus(found))
	}
	for _, f := range found {
		a.say(fmt.Sprintf("%s: %s", f.Secret, f.How))
	}
	if len(found) == 0 {
		a.say(fmt.Sprintf("Nothing of %s is put into requests to %s:%d.", list(c.Secret), host, port))
	}
	return brokerStatus(found)
}

// brokerPuts says what would be put into a request to a URL, of secrets as the user calls
// them.
func (a *app) brokerPuts(ctx context.Context, text string, secrets []string) (host string, port int, found []brokerJSON, err error) {
	if host, port, err = brokerTarget(text); err != nil {
		return "", 0, nil, err
	}
	e, err := a.engine()
	if err != nil {
		return "", 0, nil, err
	}
	names, err := a.stored(secrets...)
	if err != nil {
		return "", 0, nil, err
	}
	if _, err := a.openStore(ctx); err != nil {
		return "", 0, nil, err
	}
	recs, err := e.Records.GetAll(ctx, names)
	if err != nil {
		return "", 0, nil, err
	}
	found = []brokerJSON{}
	for _, rec := range recs {
		if rec.Secret.Provider == "" {
			continue
		}
		sp, err := e.Specs.Get(rec.Secret.Provider)
		if err != nil {
			return "", 0, nil, fmt.Errorf("secret %s: %w", rec.Secret.Name, err)
		}
		for _, u := range sp.Use {
			lacks := func(key string) bool { return rec.Secret.Values[key].Empty() && !u.Optional(key) }
			if u.Covers(host, port) && !slices.ContainsFunc(u.Keys(), lacks) {
				found = append(found, brokerJSON{rec.Secret.Name, host, u.How(), u.Keys()})
			}
		}
	}
	return host, port, found, nil
}

func brokerStatus(found []brokerJSON) error {
	if len(found) == 0 {
		return exitCode(1)
	}
	return nil
}

// brokerTarget is the host and the port of a URL that the broker would take.
func brokerTarget(text string) (host string, port int, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "", 0, fault.WithKind(errors.New("this is no URL such as https://api.example.com/path"), fault.Usage)
	}
	if u.Scheme != "https" {
		return "", 0, fault.WithKind(errors.New("the broker puts values into https alone"), fault.Usage)
	}
	port = spec.DefaultPort
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil || port < 1 || port > 65535 {
			return "", 0, fault.WithKind(errors.New("the URL has no port that there can be"), fault.Usage)
		}
	}
	return strings.ToLower(u.Hostname()), port, nil
}
