//go:build !slim

package main

import (
	"context"
	"io"
	"os"

	"github.com/rhx-dev/rhx/host/sandbox"
	"github.com/rhx-dev/rhx/host/trust"
	"github.com/rhx-dev/rhx/host/trust/fetch"
)

// fetchPackage gets a provider package over https.
func (a *app) fetchPackage(ctx context.Context, url string) (*trust.Package, error) {
	return fetch.Package(ctx, url)
}

// newRunner returns what runs wasm modules: a sandbox in this process, which
// starts this program again for the modules of others.
func newRunner(cache string, warn func(string)) (runner, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return sandbox.New(sandbox.Config{CacheDir: cache, Limits: limits(), Warn: warn, Child: []string{exe, guestArg}}), nil
}

// serveGuest runs one module for another rhx.
func serveGuest(in io.Reader, out io.Writer) int { return sandbox.Serve(in, out) }
