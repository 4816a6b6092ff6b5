//go:build !slim

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/rhx-dev/rhx/host/author"
	"github.com/rhx-dev/rhx/host/sandbox"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

func (c *providerTestCmd) Run(ctx context.Context, a *app) error {
	p, box, err := a.openPackage("provider test", c.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = box.Close(context.WithoutCancel(ctx)) }()
	if n := len(p.Module.Wasm); n > author.LargeModule {
		a.warn(fmt.Sprintf("%s.wasm has %d KB; above %d KB a module takes noticeably long to start", p.Module.Name, n>>10, author.LargeModule>>10))
	}
	t := &author.Tester{Run: box.Run, Reported: reported, OS: runtime.GOOS}
	results, err := t.Test(ctx, p)
	if err != nil {
		return err
	}
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

func (c *providerDescribeCmd) Run(ctx context.Context, a *app) error {
	p, box, err := a.openPackage("provider describe", c.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = box.Close(context.WithoutCancel(ctx)) }()
	resp, err := box.Run(ctx, p.Module, &abi.Request{Op: abi.Describe})
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

// openPackage opens a package and a sandbox that keeps nothing: a module that is
// being written changes with each build.
func (a *app) openPackage(command, dir string) (*author.Package, *sandbox.Sandbox, error) {
	if err := a.localOnly(command); err != nil {
		return nil, nil, err
	}
	p, err := author.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	return p, sandbox.New(sandbox.Config{Warn: a.warn}), nil
}

// reported returns the code and line of an error that a module reported.
func reported(err error) (code string, line int, ok bool) {
	var ge *sandbox.GuestError
	if !errors.As(err, &ge) {
		return "", 0, false
	}
	return string(ge.Code), ge.Line, true
}
