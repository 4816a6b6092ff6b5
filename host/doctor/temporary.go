package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/atomicfile"
)

// temporaryCheck looks for files that were being written when something was killed, in the
// folders of rhx and beside the files in which it placed secrets.
var temporaryCheck = Check{Name: "temporary", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	forms := map[string]func(string) bool{} // by folder
	if conf, err := d.Engine.Stores.Config(); err == nil {
		for _, at := range conf.Secrets {
			for _, path := range append([]string{at.Path}, at.Also...) {
				if path != "" {
					forms[filepath.Dir(d.home(path))] = placing
				}
			}
		}
	}
	for _, dir := range []string{d.Engine.Dirs.Config, d.Engine.Dirs.Data, d.Engine.Dirs.State, filepath.Join(d.Engine.Dirs.Data, "store", "tmp")} {
		forms[dir] = replacing
	}
	var out []Finding
	var errs error
	for _, dir := range slices.Sorted(maps.Keys(forms)) {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = errors.Join(errs, err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			left, err := isLeft(path, forms[dir])
			if err != nil {
				errs = errors.Join(errs, err)
			}
			if !left {
				continue
			}
			out = append(out, Finding{
				Level: Warning, What: d.short(path) + " was being written when rhx was killed", Why: "It may hold a secret in plaintext.",
				Command: "rm " + d.short(path),
				Fix: func() error {
					left, err := isLeft(path, forms[dir])
					if err == nil && !left {
						err = fmt.Errorf("%s is not what was looked at any more: it was not removed", path)
					}
					if err != nil {
						return err
					}
					return os.Remove(path)
				},
			})
		}
	}
	return out, errs
}}

// replacing is the form of names in package atomicfile, which writes in rhx's own folders.
func replacing(name string) bool {
	number, ok := strings.CutPrefix(name, atomicfile.Prefix)
	return ok && digits(number)
}

// placing is that of package machine, which writes in folders of the user's.
func placing(name string) bool {
	rest, ok := strings.CutPrefix(name, ".rhx-")
	rest, temporary := strings.CutSuffix(rest, ".tmp")
	pid, _, both := strings.Cut(rest, "-")
	return ok && temporary && both && digits(pid)
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isLeft reports a file as rhx makes them: other things may have such names.
func isLeft(path string, form func(string) bool) (bool, error) {
	if !form(filepath.Base(path)) {
		return false, nil
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	private := info.Mode().Perm() == 0o600 || runtime.GOOS == "windows"
	// What is younger may still be in use.
	return info.Mode().IsRegular() && private && own(info) && time.Since(info.ModTime()) > time.Hour, nil
}
