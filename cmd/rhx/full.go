//go:build !slim

package main

import (
	"context"
	"io"
	"os"

	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/sandbox"
	"github.com/rhx-dev/rhx/host/scan/zstandard"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/trust"
	"github.com/rhx-dev/rhx/host/trust/fetch"
	"github.com/rhx-dev/rhx/host/vaultlogin"
)

// fetchPackage gets a provider package over https.
func (a *app) fetchPackage(ctx context.Context, url string) (*trust.Package, error) {
	return fetch.Package(ctx, url)
}

// newRunner returns what runs wasm modules: a sandbox in this process, which
// starts this program again for the modules of others.
func newRunner(cache string, warn func(string)) (engine.Runner, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return sandbox.New(sandbox.Config{CacheDir: cache, Limits: limits(), Warn: warn, Child: []string{exe, guestArg}}), nil
}

// serveGuest runs one module for another rhx, as often as that asks.
func serveGuest(in io.Reader, out io.Writer) int { return sandbox.Serve(in, out) }

// withZstd is for the program that cannot unpack zstd.
func (a *app) withZstd() error { return nil }

// unpackZstd unpacks zstd.
func unpackZstd(in io.Reader) (io.ReadCloser, error) { return zstandard.Open(in) }

// logins is the login to Vault, made when it is first needed.
type logins struct{ made *vaultlogin.Logins }

func (a *app) vaultLogins() (*vaultlogin.Logins, error) {
	e, err := a.engine()
	if err != nil {
		return nil, err
	}
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	if a.logins.made == nil {
		a.logins.made = &vaultlogin.Logins{Stores: e.Stores, Local: e.Local, Getenv: a.Getenv, Home: home, Warn: a.warn, Note: a.note}
	}
	return a.logins.made, nil
}

// wait waits, within bounds, for what goes on beside the command.
func (l *logins) wait() {
	if l.made != nil {
		l.made.Wait()
	}
}

// openVault opens a store in HashiCorp Vault.
func (a *app) openVault(url string) (store.Store, error) {
	l, err := a.vaultLogins()
	if err != nil {
		return nil, err
	}
	return l.Open(url)
}

// unwrapper returns what uses wrapping tokens.
func (a *app) unwrapper() (func(context.Context, string, secret.Value) (*store.Record, error), error) {
	l, err := a.vaultLogins()
	if err != nil {
		return nil, err
	}
	return l.Unwrap, nil
}
