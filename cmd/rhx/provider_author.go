package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/host/author"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

type providerBuildCmd struct {
	Dir string `arg:"" optional:"" default:"." help:"The package's folder."`
}

func (c *providerBuildCmd) Help() string {
	return `Examples:
  rhx provider build ./acme`
}

func (c *providerBuildCmd) Run(ctx context.Context, a *app) error {
	module, err := author.Build(ctx, c.Dir)
	if err != nil {
		return err
	}
	p, err := author.Open(c.Dir)
	if err != nil {
		return err
	}
	if _, err := a.compiled(ctx, p.Module); err != nil {
		return fmt.Errorf("%s is built, but rhx would not run it: %w", module, err)
	}
	if !a.Quiet {
		fmt.Fprintln(a.Out, module)
	}
	return nil
}

type providerTestCmd struct {
	Dir string `arg:"" optional:"" default:"." help:"The package's folder."`
}

func (c *providerTestCmd) Help() string {
	return `A case is a folder cases/NAME with home/ (files, as the tool leaves them in the home folder), env (variables as KEY=VALUE lines, if any) and expect.json:

  {"secrets": [{"profile": "default",
    "values": {"token": "fake-token"}}]}

The profile is as the file spells it. For a file that is broken in line 3 there is {"error": {"code": "invalid", "line": 3}}, and for a secret that the tool keeps elsewhere "state": "keyring" or "exec" instead of values. rhx must find just that, and bring each secret back.

Examples:
  rhx provider test ./acme`
}

func (c *providerTestCmd) Run(ctx context.Context, a *app) error {
	p, err := author.Open(c.Dir)
	if err != nil {
		return err
	}
	t := &author.Tester{}
	if !p.Declarative() {
		r, err := a.compiled(ctx, p.Module)
		if err != nil {
			return err
		}
		t.Run, t.Reported = r.Run, reported
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

func (c *providerDescribeCmd) Help() string {
	return `Examples:
  rhx provider describe ./acme`
}

func (c *providerDescribeCmd) Run(ctx context.Context, a *app) error {
	p, err := author.Open(c.Dir)
	if err == nil {
		err = p.NeedsModule()
	}
	if err != nil {
		return err
	}
	r, err := a.compiled(ctx, p.Module)
	if err != nil {
		return err
	}
	resp, err := r.Run(ctx, p.Module, &abi.Request{Op: abi.Describe})
	if err != nil {
		return err
	}
	j := describeJSON{Name: resp.Name, Version: resp.Version, Ops: make([]string, 0, len(resp.Ops)), Bytes: len(p.Module.Wasm)}
	for _, op := range resp.Ops {
		j.Ops = append(j.Ops, string(op))
	}
	if printed, err := a.data(j); printed || err != nil {
		return err
	}
	fmt.Fprintf(a.Out, "%s %s, %d bytes: %s\n", j.Name, j.Version, j.Bytes, strings.Join(j.Ops, ", "))
	return nil
}

// compiled returns what runs a module that is not part of rhx, and has compiled
// it: no later run waits for that, and one that cannot be compiled is an error.
func (a *app) compiled(ctx context.Context, m abi.Module) (engine.Runner, error) {
	if _, err := a.engine(); err != nil {
		return nil, err
	}
	r, err := a.made.Guests.Runner()
	if err != nil {
		return nil, err
	}
	return r, r.Compile(ctx, m)
}

// reported returns the code and line of an error that a module reported.
func reported(err error) (code string, line int, ok bool) {
	var ge *abi.GuestError
	if !errors.As(err, &ge) {
		return "", 0, false
	}
	return string(ge.Code), ge.Line, true
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
