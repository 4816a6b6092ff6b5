//go:build !slim

package main

import (
	"context"
	"errors"

	"github.com/rhx-dev/rhx/host/doctor"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaultstore"
)

// slimProgram reports that this is the rhx that has an rhx-full beside it.
const slimProgram = false

// vaultHealth asks the server of a store in Vault.
func vaultHealth(ctx context.Context, st store.Store) (*doctor.Health, error) {
	v, ok := store.As[*vaultstore.Store](st)
	if !ok {
		return nil, errors.New("the store is not in Vault")
	}
	h, err := v.Health(ctx)
	if err != nil {
		return nil, err
	}
	return &doctor.Health{Address: h.Address, Skew: h.Skew, Expires: h.Expires, Life: h.Life, Renews: h.Renews, Root: h.Root}, nil
}
