package main

import (
	"context"
	"fmt"
	"strings"

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

func (c *providerTestCmd) Help() string {
	return `A case is a folder cases/NAME with home/ (files, as the tool leaves them in the home folder), env (variables as KEY=VALUE lines, if any) and expect.json:

  {"secrets": [{"profile": "default", "values": {"token": "fake-token"}}]}

or, for a file that is broken in line 3, {"error": {"code": "invalid", "line": 3}}. rhx must find just that, and bring each secret back.`
}

func (c *providerTestCmd) Run(ctx context.Context, a *app) error {
	if err := a.localOnly("provider test"); err != nil {
		return err
	}
	p, err := author.Open(c.Dir)
	if err != nil {
		return err
	}
	t := &author.Tester{}
	if !p.Declarative() {
		done, err := a.runModules(ctx, t)
		if err != nil {
			return err
		}
		defer done()
		if n := len(p.Module.Wasm); n > author.LargeModule {
			a.warn(fmt.Sprintf("%s.wasm has %d KB; above %d KB a module takes noticeably long to start", p.Module.Name, n>>10, author.LargeModule>>10))
		}
	}
	results, err := t.Test(ctx, p)
	if err != nil {
		return err
	}
	return a.printChecks(results)
}

func (a *app) printChecks(results []author.Result) error {
	rows, failed := make([]checkJSON, 0, len(results)), 0
	for _, r := range results {
		row := checkJSON{Check: r.Name, OK: r.Err == nil}
		if r.Err != nil {
			row.Error = r.Err.Error()
			failed++
		}
		rows = append(rows, row)
	}
	printed, err := a.data(rows)
	if err != nil {
		return err
	}
	if !printed {
		for _, r := range rows {
			if r.OK {
				fmt.Fprintf(a.Out, "ok    %s\n", r.Check)
			} else {
				fmt.Fprintf(a.Out, "FAIL  %s\n      %s\n", r.Check, strings.ReplaceAll(r.Error, "\n", "\n      "))
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(rows))
	}
	return nil
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
