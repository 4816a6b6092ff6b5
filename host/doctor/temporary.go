package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/atomicfile"
)

// temporaryCheck looks for files that were being written when something was killed, in the
// folders of rhx and beside the files in which it placed secrets.
var temporaryCheck = Check{Name: "temporary", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	dirs := []string{d.Engine.Dirs.Config, d.Engine.Dirs.Data, d.Engine.Dirs.State, filepath.Join(d.Engine.Dirs.Data, "store", "tmp")}
	if conf, err := d.Engine.Stores.Config(); err == nil {
		for _, at := range conf.Secrets {
			for _, path := range append([]string{at.Path}, at.Also...) {
				if dir := filepath.Dir(d.home(path)); path != "" && !slices.Contains(dirs, dir) {
					dirs = append(dirs, dir)
				}
			}
		}
	}
	var out []Finding
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return out, err
		}
		for _, e := range entries {
			info, err := e.Info()
			// What is younger may still be in use.
			if err != nil || !strings.HasPrefix(e.Name(), atomicfile.Prefix) || time.Since(info.ModTime()) < time.Hour {
				continue
			}
			path := filepath.Join(dir, e.Name())
			out = append(out, Finding{
				Level: Warning, What: d.short(path) + " was being written when rhx was killed", Why: "It may hold a secret in plaintext.",
				Command: "rm -r " + d.short(path),
				Fix:     func() error { return os.RemoveAll(path) },
			})
		}
	}
	return out, nil
}}
