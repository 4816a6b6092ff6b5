package doctor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

var sshKeysCheck = Check{Name: "ssh-keys", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	dir := filepath.Join(d.Home, ".ssh")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Finding
	var errs error
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasSuffix(e.Name(), ".pub") {
			continue
		}
		is, err := isPrivateKey(path)
		if errs = errors.Join(errs, err); !is {
			continue
		}
		found, err := d.open(path, 0o077, "others can read the private key %s", "ssh refuses to use it, and whoever read it can log in as you.")
		errs = errors.Join(errs, err)
		out = append(out, found...)
	}
	return out, errs
}}

// isPrivateKey looks at the first line of a plain file.
func isPrivateKey(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return false, err
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return bytes.HasPrefix(line, []byte("-----BEGIN ")) && bytes.Contains(line, []byte("PRIVATE KEY-----")), nil
}
