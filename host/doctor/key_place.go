package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/ownfile"
)

// keyPlaceCheck looks whether a key without a passphrase is in a folder that goes elsewhere.
var keyPlaceCheck = Check{Name: "key-place", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	local, err := d.Engine.Stores.Local()
	if err != nil {
		return nil, nil // config says why
	}
	path := local.KeyPath()
	data, err := ownfile.Read(path, 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // store says so
	}
	if err != nil {
		return nil, err
	}
	defer clear(data)
	if !bytes.Contains(data, []byte("AGE-SECRET-KEY-1")) {
		return nil, nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	by := goesElsewhere(filepath.Dir(real))
	if by == "" {
		return nil, nil
	}
	return []Finding{{
		Level: Warning, What: fmt.Sprintf("the store's key %s has no passphrase, and lies in a folder that is copied elsewhere (%s)", d.short(path), by),
		Why:     "Whoever gets such a copy has the store and its key.",
		Command: "RHX_AGE_IDENTITY=passphrase rhx store rekey",
	}}, nil
}}

// goesElsewhere says by what a folder is copied to other machines; "" for nothing.
func goesElsewhere(dir string) string {
	services := []string{"dropbox", "onedrive", "nextcloud", "owncloud", "google drive", "googledrive", "syncthing", "mobile documents"}
	for {
		for mark, by := range map[string]string{".git": "a git repository", ".stfolder": "Syncthing", ".dropbox": "Dropbox"} {
			if _, err := os.Lstat(filepath.Join(dir, mark)); err == nil {
				return by
			}
		}
		name := strings.ToLower(filepath.Base(dir))
		if slices.ContainsFunc(services, func(s string) bool { return strings.HasPrefix(name, s) }) {
			return filepath.Base(dir)
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}
