//go:build slim

package main

import (
	"os"
)

// Both commands go on as rhx-full, which has the wasm runtime.

func (c *providerTestCmd) Run(a *app) error     { return a.asFull() }
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
