//go:build slim

package main

import (
	"context"
	"os"

	"github.com/rhx-dev/rhx/host/author"
)

// A module is tried by rhx-full, which has the wasm runtime.

func (a *app) runModules(context.Context, *author.Tester) (func(), error) { return nil, a.asFull() }

func (c *providerDescribeCmd) Run(a *app) error { return a.asFull() }

func (a *app) asFull() error {
	path, err := full()
	if err != nil {
		return err
	}
	a.close()
	a.stopSignals()
	return execute(append([]string{path}, os.Args[1:]...), os.Environ(), a)
}
