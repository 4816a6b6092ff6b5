//go:build unix

package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rhx-dev/rhx/host/helper"
)

// A file that cannot be read is no file without credentials: it is told, and so is its mode.
func TestBrokenFilesAreFindings(t *testing.T) {
	t.Parallel()
	d := newDoctor(t)
	path := filepath.Join(d.Home, ".netrc")
	write(t, path, 0o600)
	if err := os.WriteFile(path, []byte("machine h.example login jane password fake-fake\ngarbage here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for dir := d.Home; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	found, err := modesCheck.Look(t.Context(), d)
	if err != nil || len(found) != 2 {
		t.Fatalf("%+v, %v", found, err)
	}
	if !strings.HasPrefix(found[0].What, "broken: read ~/.netrc: line 2: ") || strings.Contains(found[0].What, "fake-fake") || found[0].Command != "rhx detect" {
		t.Errorf("%+v", found[0])
	}
	if found[1].What != "others can read ~/.netrc, which has credentials (mode 0644)" {
		t.Errorf("%+v", found[1])
	}
}

// What cannot be looked at is an error, and what comes after it is looked at all the same.
func TestErrorsAreNotHidden(t *testing.T) {
	t.Parallel()
	d := newDoctor(t)
	at := func(name string) string { return filepath.Join(d.Home, name) }
	write(t, at(".ssh/id_b"), 0o600)
	write(t, at(".docker/config.json"), 0o600) // "fake" is no JSON
	write(t, at(".config/rhx/config.yaml"), 0o600)
	write(t, at("file"), 0o600)
	if err := errors.Join(
		os.Symlink("id_a", at(".ssh/id_a")), // a loop
		os.WriteFile(at(".ssh/id_b"), []byte("-----BEGIN FAKE PRIVATE KEY-----\n"), 0o600), os.Chmod(at(".ssh/id_b"), 0o644),
		os.WriteFile(at(".config/rhx/config.yaml"), []byte("secrets: {aws: ~/file/below, netrc: ~/gone}\n"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	found, err := sshKeysCheck.Look(t.Context(), d)
	if len(found) != 1 || !errors.Is(err, syscall.ELOOP) {
		t.Errorf("%+v, %v", found, err)
	}
	found, err = placedCheck.Look(t.Context(), d)
	if len(found) != 1 || !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("%+v, %v", found, err)
	}
	d.Installer = &helper.Installer{Local: d.Engine.Local, Dirs: d.Engine.Dirs}
	if _, err := helpersCheck.Look(t.Context(), d); err == nil || !strings.Contains(err.Error(), "~/.docker/config.json") {
		t.Errorf("%v", err)
	}
	local, err := d.Engine.Stores.Local()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(local.KeyPath(), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := keyPlaceCheck.Look(t.Context(), d); err == nil {
		t.Error("the key cannot be read, and nothing is said")
	}
}
