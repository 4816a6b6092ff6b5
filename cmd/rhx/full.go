//go:build !slim

package main

import (
	"context"

	"github.com/rhx-dev/rhx/host/sandbox"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaultstore"
)

// openVault opens a store in HashiCorp Vault.
func (a *app) openVault(url, home string) (store.Store, error) {
	st, err := vaultstore.Open(vaultstore.Options{URL: url, Getenv: a.Getenv, Home: home})
	if err != nil {
		return nil, err // and not a nil *vaultstore.Store, which is no nil store.Store
	}
	return st, nil
}

// newRunner returns what runs wasm modules: a sandbox in this process.
func newRunner(cache string, warn func(string)) runner {
	return sandboxRunner{sandbox.New(sandbox.Config{CacheDir: cache, Warn: warn})}
}

type sandboxRunner struct{ box *sandbox.Sandbox }

func (s sandboxRunner) run(ctx context.Context, m abi.Module, req *abi.Request) (*abi.Response, error) {
	return s.box.Run(ctx, m, req)
}

func (s sandboxRunner) close() { _ = s.box.Close(context.Background()) }
