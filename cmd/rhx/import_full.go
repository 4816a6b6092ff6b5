//go:build !slim

package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/rhx-dev/rhx/host/foreign"
	"github.com/rhx-dev/rhx/host/foreign/awsvault"
)

// Run reads the keyring of aws-vault.
func (c *importAWSVaultCmd) Run(ctx context.Context, a *app) error {
	home, err := a.home()
	if err != nil {
		return err
	}
	dir := c.Dir
	if dir == "" {
		if dir = a.Getenv("AWS_VAULT_FILE_DIR"); dir == "" {
			dir = filepath.Join(home, ".awsvault", "keys")
		}
	}
	return a.importItems(ctx, "aws-vault", a.shortPath(dir), c.itemFlags, func() (*foreign.Export, error) {
		e, err := awsvault.Read(dir, func() (string, error) {
			if p := a.Getenv("AWS_VAULT_FILE_PASSPHRASE"); p != "" {
				return p, nil
			}
			return a.importPassphrase("Passphrase of " + a.shortPath(dir))
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", a.shortPath(dir), err)
		}
		return e, nil
	})
}
