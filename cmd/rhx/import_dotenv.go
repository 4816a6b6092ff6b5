package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/rhx-dev/rhx/host/exchange"
)

type importDotenvCmd struct {
	File      string `arg:"" optional:"" help:"One file, whatever it is called, or a folder: all project files in it and below; without it all that rhx detect lists in this folder."`
	Name      string `help:"What the secrets are called by, if not by the folder: N, and PROVIDER/N." placeholder:"N"`
	DryRun    bool   `help:"Say what would be saved; save nothing."`
	Yes       bool   `short:"y" help:"Do not ask; replace values that the file held before."`
	Overwrite bool   `help:"Also replace what the store has from elsewhere, or newer than this machine has seen."`
}

func (c *importDotenvCmd) Help() string {
	return `Reads .env, .env.NAME and the other files of docs/projects.md in this folder, and saves their variables: those that a provider knows as PROVIDER/FOLDER (OPENAI_API_KEY of the folder api as openai/api), all others as one secret that is called as the folder is. Another file than .env adds its own name: .env.prod gives api.prod. What is empty, a placeholder or refers to other variables is left. The file is not changed; rhx load writes the same variables into it again.

Examples:
  rhx import dotenv
  rhx import dotenv .env.prod --name api.prod --dry-run
  rhx import dotenv ~/src`
}

func (c *importDotenvCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	opts := exchange.DotenvOptions{Project: c.Name, Overwrite: c.Overwrite}
	from := "this folder"
	if c.File != "" {
		opts.File = a.path(c.File)
		dir := opts.File
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			dir = filepath.Dir(dir)
		}
		if dir = a.shortPath(dir); dir != "." {
			from = dir
		}
	}
	im, err := e.Exchange.PlanDotenv(ctx, opts)
	if err != nil {
		return err
	}
	return a.doImport(im, from, c.DryRun, c.Yes || c.Overwrite, func(plan []exchange.Upload, replace bool) ([]exchange.Saved, error) {
		return e.Exchange.SaveDotenv(ctx, plan, replace)
	})
}
