package main

import (
	"context"
	"fmt"

	"github.com/rhx-dev/rhx/host/author"
)

type providerBuildCmd struct {
	Dir string `arg:"" optional:"" default:"." help:"The package's folder."`
}

func (c *providerBuildCmd) Run(ctx context.Context, a *app) error {
	if err := a.localOnly("provider build"); err != nil {
		return err
	}
	module, err := author.Build(ctx, c.Dir)
	if err == nil && !a.Quiet {
		fmt.Fprintln(a.Out, module)
	}
	return err
}

type providerTestCmd struct {
	Dir string `arg:"" optional:"" default:"." help:"The package's folder."`
}

type providerDescribeCmd struct {
	Dir string `arg:"" optional:"" default:"." help:"The package's folder."`
}

// describeJSON is provider describe's JSON.
type describeJSON struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Ops     []string `json:"ops"`
	Bytes   int      `json:"bytes"`
}

// checkJSON is one check in provider test's JSON.
type checkJSON struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}
