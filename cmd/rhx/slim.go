//go:build slim

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rhx-dev/rhx/host/doctor"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/sandbox/child"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/trust"
)

// rhx as it is installed is built without the Vault client and the wasm
// runtime: their packages cost every start of a program that has them a
// millisecond. rhx-full, beside it, is the same program with them. git does so
// with curl.

// full returns the path of rhx-full.
func full() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(exe), "rhx-full"+filepath.Ext(exe))
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fault.WithHint(fmt.Errorf("%s, which speaks to Vault and runs wasm modules, is not there", path), "it comes with rhx: install both again from where rhx is from (make install puts it beside rhx)")
	}
	return path, nil
}

// openVault goes on as rhx-full. A command opens its store before it has read
// its input, asked or done anything.
func (a *app) openVault(string) (store.Store, error) { return nil, a.asFull() }

// login and logout go on as rhx-full, before anything is read or asked.
func (a *app) login(context.Context, *loginCmd) error { return a.asFull() }

func (a *app) logout(context.Context, *logoutCmd) error { return a.asFull() }

// brokerLimits goes on as rhx-full, too.
func (a *app) brokerLimits(context.Context, *brokerTarget, []string, bool) (func(string) ([]string, bool), error) {
	return nil, a.asFull()
}

// brokered goes on as rhx-full, which has an HTTP server.
func (c *runCmd) brokered(_ context.Context, a *app, _ []string) error { return a.asFull() }

// serveAgents goes on as rhx-full, which has the server, before anything is read.
func (a *app) serveAgents(context.Context) error { return a.asFull() }

// unwrapper goes on as rhx-full, before anything is read.
func (a *app) unwrapper() (func(context.Context, string, secret.Value) (*store.Record, error), error) {
	return nil, a.asFull()
}

// fetchPackage goes on as rhx-full, which has an HTTP client. Nothing has been
// asked or done yet.
func (a *app) fetchPackage(context.Context, string) (*trust.Package, error) { return nil, a.asFull() }

// Run goes on as rhx-full, which opens JWEs. Nothing has been asked or read yet.
func (c *importAWSVaultCmd) Run(a *app) error { return a.asFull() }

// withZstd goes on as rhx-full, which has the library of zstd. Nothing has been read yet.
func (a *app) withZstd() error { return a.asFull() }

// unpackZstd is rhx-full's.
var unpackZstd func(io.Reader) (io.ReadCloser, error)

// asFull replaces this process by rhx-full with the same arguments.
func (a *app) asFull() error {
	path, err := full()
	if err != nil {
		return err
	}
	a.close()
	a.stopSignals()
	return ended(a.runner(nil).Exec(append([]string{path}, os.Args[1:]...), os.Environ()))
}

// openKeyring goes on as rhx-full, which speaks to the session bus. Nothing has been asked
// or done yet.
func (a *app) openKeyring(string) (keyring, error) { return nil, a.asFull() }

// newRunner returns what runs wasm modules: rhx-full, as a child for each module.
func newRunner(cache string, warn func(string)) (engine.Runner, error) {
	path, err := full()
	if err != nil {
		return nil, err
	}
	return &child.Runner{Program: []string{path, guestArg}, CacheDir: cache, Limits: limits(), Warn: warn}, nil
}

// serveGuest is for rhx-full.
func serveGuest(io.Reader, io.Writer) int { return 2 }

// slimProgram reports that this is the rhx that has an rhx-full beside it.
const slimProgram = true

// vaultHealth is rhx-full's, as every store in Vault is.
func vaultHealth(context.Context, store.Store) (*doctor.Health, error) {
	return nil, errors.New("this rhx speaks to no Vault")
}

// logins are rhx-full's.
type logins struct{}

func (*logins) wait() {}
