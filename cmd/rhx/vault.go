//go:build !novault

package main

import (
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaultstore"
)

// openVault opens a store in HashiCorp Vault.
func (a *app) openVault(url, home string) (store.Store, error) {
	return vaultstore.Open(vaultstore.Options{URL: url, Getenv: a.Getenv, Home: home})
}
