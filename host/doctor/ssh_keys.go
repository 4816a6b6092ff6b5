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
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasSuffix(e.Name(), ".pub") || !isPrivateKey(path) {
			continue
		}
		found, err := d.open(path, 0o077, "others can read the private key %s", "ssh refuses to use it, and whoever read it can log in as you.")
		if err != nil {
			return out, err
		}
		out = append(out, found...)
	}
	return out, nil
}}

// isPrivateKey looks at the first line of a plain file.
func isPrivateKey(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head, _ := io.ReadAll(io.LimitReader(f, 64))
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return bytes.HasPrefix(line, []byte("-----BEGIN ")) && bytes.Contains(line, []byte("PRIVATE KEY-----"))
}
