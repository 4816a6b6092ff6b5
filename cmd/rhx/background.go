package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/rhx-dev/rhx/host/machine"
)

// backgroundTimeout bounds what goes on beside a command's own work, and so how
// much longer a command can take because of it.
const backgroundTimeout = 3 * time.Second

// inBackground does work that a command's end waits for, within bounds.
func (a *app) inBackground(work func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), backgroundTimeout)
	a.background.Go(func() {
		defer cancel()
		work(ctx)
	})
}

// replaceOwn writes one of rhx's own files, readable by its owner alone, if it
// still is old; nil for a file that is not there.
func (a *app) replaceOwn(ctx context.Context, path string, old, data []byte) error {
	errs, err := a.h.Local.Write(ctx, []machine.Change{{Path: filepath.ToSlash(path), Old: old, Data: data, Mode: 0o600}})
	if err == nil {
		err = errs[0]
	}
	return err
}
