//go:build !slim

package main

import (
	"context"
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
		return e, a.folderError(err, dir, "rhx import aws-vault DIR names the folder of its file backend; where it has another: aws-vault exec PROFILE --no-session -- rhx save aws --from-env")
	})
}
