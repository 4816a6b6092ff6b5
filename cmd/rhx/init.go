package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/manifest"
)

type initCmd struct{}

func (c *initCmd) Help() string {
	return `Writes rhx.yaml in this folder, or the file that --manifest names: the names of the secrets that rhx detect finds, those of the .env files in this folder among them, and a bundle "default" of those that have variables. No value is written. Comments show what else can be said. With --store the manifest says where the secrets are kept. A file that is there is left alone. Then rhx import dotenv and rhx save --all keep what they name, and rhx run -- COMMAND gives it to a command.

Examples:
  rhx init
  rhx init --store vault://secret/ml-team`
}

// initJSON is init's JSON.
type initJSON struct {
	File    string   `json:"file"`
	Secrets []string `json:"secrets"`
	Bundle  []string `json:"bundle"`
}

func (c *initCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	path := a.Manifest
	if path == "" {
		path = manifest.FileName
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	taken := fault.WithHint(fmt.Errorf("%s is there already", a.shortPath(path)), "rhx trust shows what it says; --manifest FILE names another")
	if _, err := os.Lstat(path); err == nil {
		return taken
	}
	draft, err := e.Project.DraftManifest(ctx, filepath.Dir(path))
	if draft == nil {
		return err
	}
	if err != nil {
		a.warn(err.Error())
	}
	draft.Store = a.Store
	text := draft.Text()
	if _, err := manifest.Parse(a.shortPath(path), text, e.Project.ManifestOptions("")); err != nil {
		return fault.WithKind(err, fault.Usage) // what was given for --store is no store
	}
	if err := create(path, text); errors.Is(err, fs.ErrExist) {
		return taken
	} else if err != nil {
		return err
	}
	if err := a.made.Added.TrustManifest(path, text); err != nil {
		return err
	}
	for _, err := range draft.Broken {
		a.warn(err.Error() + ": it is not in " + a.shortPath(path))
	}
	out := initJSON{File: path, Secrets: []string{}, Bundle: []string{}}
	for _, s := range draft.Secrets {
		out.Secrets = append(out.Secrets, s.Name)
		if s.Bundled {
			out.Bundle = append(out.Bundle, s.Name)
		}
	}
	if done, err := a.data(out); done {
		return cmp.Or(err, partlyDone(len(draft.Broken) > 0))
	}
	a.say(term.Linef("%s: written, with the secrets %s", a.shortPath(path), list(out.Secrets)))
	if len(out.Secrets) > 0 {
		a.say(draft.SavedBy() + "; then rhx run -- COMMAND has the variables of " + term.Line(list(out.Bundle)))
	}
	return partlyDone(len(draft.Broken) > 0)
}

// create writes a file that is not there yet.
func create(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) // it is for others, and has no value
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path)
		return err
	}
	return nil
}
