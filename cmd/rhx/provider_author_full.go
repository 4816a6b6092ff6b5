//go:build !slim

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/host/author"
	"github.com/rhx-dev/rhx/host/sandbox"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// runModules gives a tester a sandbox that keeps nothing: a module that is being
// written changes with each build.
func (a *app) runModules(ctx context.Context, t *author.Tester) (done func(), err error) {
	box := sandbox.New(sandbox.Config{Warn: a.warn})
	t.Run, t.Reported = box.Run, reported
	return func() { _ = box.Close(context.WithoutCancel(ctx)) }, nil
}

func (c *providerDescribeCmd) Run(ctx context.Context, a *app) error {
	if err := a.localOnly("provider describe"); err != nil {
		return err
	}
	p, err := author.Open(c.Dir)
	if err == nil {
		err = p.NeedsModule()
	}
	if err != nil {
		return err
	}
	box := sandbox.New(sandbox.Config{Warn: a.warn})
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

// reported returns the code and line of an error that a module reported.
func reported(err error) (code string, line int, ok bool) {
	var ge *sandbox.GuestError
	if !errors.As(err, &ge) {
		return "", 0, false
	}
	return string(ge.Code), ge.Line, true
}
