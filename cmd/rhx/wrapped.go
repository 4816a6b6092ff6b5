package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

// unwrap returns the secrets of the tokens that the user gives, and the outcome
// of those that cannot be had. at is the place that they are for.
func (c *loadCmd) unwrap(ctx context.Context, a *app, at place.Place) ([]*store.Record, []session.Outcome, error) {
	switch {
	case c.Wrapped != "-":
		return nil, nil, fault.WithHint(fault.WithKind(errors.New("the wrapping token is on the command line, where every process can read it"), fault.Usage),
			"--wrapped - takes it from stdin, or asks for it; count this one as known to others")
	case c.All || len(c.Secrets) > 0:
		return nil, nil, fault.WithKind(errors.New("--wrapped cannot be combined with names or --all: the tokens say what is loaded"), fault.Usage)
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
	} else if data, err = a.input(ctx, "-", maxInput); err != nil {
		return nil, nil, err
	}
	tokens, err := deliver.ParseTokens(data)
	if err != nil {
		return nil, nil, err
	}
	if c.To != "" && len(tokens) != 1 {
		return nil, nil, fault.WithKind(errors.New("--to is for the file of one secret"), fault.Usage)
	}
	e, err := a.engine()
	if err != nil {
		return nil, nil, err
	}
	recs := []*store.Record{}
	var failed []session.Outcome
	for i, t := range tokens {
		rec, err := unwrap(ctx, t.Name, t.Token)
		if err != nil && len(tokens) == 1 && t.Name == "" {
			return nil, nil, err
		}
		if err != nil {
			if t.Name == "" {
				t.Name = fmt.Sprintf("token %d", i+1)
			}
			failed = append(failed, session.Failure(at, t.Name, err))
			continue
		}
		recs = append(recs, rec)
		e.Book.NoteRead("wrapping token", []store.Info{rec.Info})
	}
	return recs, failed, nil
}
