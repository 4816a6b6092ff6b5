package main

import (
	"context"
	"fmt"
)

type undeleteCmd struct {
	Secret string `arg:"" predictor:"deleted" help:"The deleted secret's name."`
}

func (c *undeleteCmd) Help() string {
	return `Brings a deleted secret back, with the values of its newest version. What rhx delete --destroy removed is gone for good.

Examples:
  rhx undelete openai`
}

// undeletedJSON is undelete's JSON.
type undeletedJSON struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
}

func (c *undeleteCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if err := a.storedOne(&c.Secret); err != nil {
		return err
	}
	version, err := e.Exchange.Undelete(ctx, c.Secret)
	if err != nil {
		return err
	}
	if done, err := a.data(undeletedJSON{c.Secret, version}); done {
		return err
	}
	a.say(fmt.Sprintf("%s: restored, version %d", c.Secret, version))
	return nil
}
