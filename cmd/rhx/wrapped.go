package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/store"
)

// unwrap returns the secrets of the tokens that the user gives, and the outcome
// of those that cannot be had. m is the machine that they are for.
func (c *loadCmd) unwrap(ctx context.Context, a *app, m string) ([]*store.Record, []host.Loaded, error) {
	switch {
	case c.Wrapped != "-":
		return nil, nil, fault.WithHint(fault.WithKind(errors.New("the wrapping token is on the command line, where every process can read it"), fault.Usage),
			"--wrapped - takes it from stdin, or asks for it; count this one as known to others")
	case c.All || len(c.Secrets) > 0:
		return nil, nil, fault.WithKind(errors.New("--wrapped goes without names and --all: the tokens say what is loaded"), fault.Usage)
	}
	unwrap, err := a.unwrapper()
	if err != nil {
		return nil, nil, err
	}
	var data []byte
	if a.InTTY {
		text, err := a.hidden("wrapping token: ")
		if err != nil {
			return nil, nil, err
		}
		data = []byte(text)
	} else if data, err = a.readInput("-"); err != nil {
		return nil, nil, err
	}
	tokens, err := host.ParseTokens(data)
	if err != nil {
		return nil, nil, err
	}
	if c.To != "" && len(tokens) != 1 {
		return nil, nil, fault.WithKind(errors.New("--to is for the file of one secret"), fault.Usage)
	}
	recs := []*store.Record{}
	var failed []host.Loaded
	for i, t := range tokens {
		rec, err := unwrap(ctx, t.Name, t.Token)
		if err != nil && len(tokens) == 1 && t.Name == "" {
			return nil, nil, err
		}
		if err != nil {
			if t.Name == "" {
				t.Name = fmt.Sprintf("token %d", i+1)
			}
			failed = append(failed, host.Loaded{Machine: m, Secret: t.Name, Placement: provider.Placement{Action: provider.Failed, Err: err}})
			continue
		}
		recs = append(recs, rec)
	}
	return recs, failed, nil
}
