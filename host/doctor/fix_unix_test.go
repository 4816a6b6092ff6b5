//go:build unix

package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func write(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("fake"), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// Only what atomicfile makes is removed: in a home folder there is more of such a name.
func TestOnlyOwnTemporaryFilesAreRemoved(t *testing.T) {
	t.Parallel()
	d := newDoctor(t)
	dir := d.Engine.Dirs.Data
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{".new-1", ".new-project/src", ".new-77/src", ".new-x", ".new-", ".new-2x", ".new-4", ".new-5", "elsewhere"} {
		write(t, at(name), 0o600)
	}
	write(t, at(".new-3"), 0o644)
	if err := errors.Join(os.Symlink(at("elsewhere"), at(".new-8")), syscall.Mkfifo(at(".new-9"), 0o600), os.Link(at(".new-4"), at("same"))); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * time.Hour)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != ".new-5" {
			if err := os.Chtimes(at(e.Name()), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	found, err := temporaryCheck.Look(t.Context(), d)
	if err != nil || len(found) != 1 || found[0].Command != "rm "+d.short(at(".new-1")) {
		t.Fatalf("%+v, %v", found, err)
	}
	// Something else came into its place.
	if err := errors.Join(os.Remove(at(".new-1")), os.Mkdir(at(".new-1"), 0o700), os.Chtimes(at(".new-1"), old, old)); err != nil {
		t.Fatal(err)
	}
	if err := found[0].Fix(); err == nil {
		t.Error("a folder was removed")
	}
	if _, err := os.Lstat(at(".new-1")); err != nil {
		t.Error(err)
	}
	if err := os.Remove(at(".new-1")); err != nil {
		t.Fatal(err)
	}
	write(t, at(".new-1"), 0o600)
	if err := errors.Join(os.Chtimes(at(".new-1"), old, old), found[0].Fix()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(at(".new-1")); err == nil {
		t.Error("it is still there")
	}
}

// Beside a placed file, which may be in the home folder, only what package machine makes counts.
func TestTemporaryFilesBesidePlacedOnes(t *testing.T) {
	t.Parallel()
	d := newDoctor(t)
	write(t, filepath.Join(d.Engine.Dirs.Config, "config.yaml"), 0o600)
	if err := os.WriteFile(filepath.Join(d.Engine.Dirs.Config, "config.yaml"), []byte("secrets: {netrc: ~/.netrc}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * time.Hour)
	for _, name := range []string{".new-1", ".new-project", ".rhx-12-9ab.tmp", ".rhx-x-9ab.tmp", ".rhx-12.tmp", ".rhx-12-9ab"} {
		write(t, filepath.Join(d.Home, name), 0o600)
		if err := os.Chtimes(filepath.Join(d.Home, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	found, err := temporaryCheck.Look(t.Context(), d)
	if err != nil || len(found) != 1 || found[0].Command != "rm ~/.rhx-12-9ab.tmp" {
		t.Errorf("%+v, %v", found, err)
	}
}

// --fix narrows the mode of what was looked at, and of nothing else.
func TestModesAreNarrowedOnlyOfWhatWasLookedAt(t *testing.T) {
	t.Parallel()
	d := newDoctor(t)
	at := func(name string) string { return filepath.Join(d.Home, name) }
	look := func(name string) []Finding {
		t.Helper()
		found, err := d.open(at(name), 0o077, "%s", "why")
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	mode := func(name string) os.FileMode {
		t.Helper()
		info, err := os.Stat(at(name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	write(t, at("file"), 0o666)
	write(t, at("private"), 0o640)
	write(t, at("two"), 0o644)
	if err := errors.Join(os.Mkdir(at("dir"), 0o700), os.Chmod(at("dir"), 0o777|os.ModeSetgid|os.ModeSticky), os.Link(at("two"), at("names")),
		os.Symlink(at("private"), at("link")), os.Symlink("/dev/null", at("null")), os.Symlink(at("none"), at("dangling")),
		syscall.Mkfifo(at("pipe"), 0o600), os.Chmod(at("pipe"), 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"null", "dangling", "none", "pipe"} {
		if found := look(name); len(found) > 0 {
			t.Errorf("%s: %+v", name, found)
		}
	}
	for _, name := range []string{"link", "two"} {
		if found := look(name); len(found) != 1 || found[0].Fix != nil {
			t.Errorf("%s: it is to be told, and not mended: %+v", name, found)
		}
	}
	dir := look("dir")
	if len(dir) != 1 || dir[0].Fix() != nil || mode("dir") != os.ModeDir|0o700|os.ModeSetgid|os.ModeSticky {
		t.Errorf("%+v, %v", dir, mode("dir"))
	}
	// The mode of now counts, not that of then.
	file := look("file")
	if err := os.Chmod(at("file"), 0o440); err != nil {
		t.Fatal(err)
	}
	if err := file[0].Fix(); err != nil || mode("file") != 0o400 {
		t.Errorf("%v, %v", mode("file"), err)
	}
	for what, swap := range map[string]func() error{
		"a link":  func() error { return os.Symlink(at("private"), at("file")) },
		"another": func() error { return os.Link(at("private"), at("file")) },
		"a pipe":  func() error { return syscall.Mkfifo(at("file"), 0o666) },
	} {
		write(t, at("file2"), 0o666)
		if err := os.Rename(at("file2"), at("file")); err != nil {
			t.Fatal(err)
		}
		file := look("file")
		if err := errors.Join(os.Rename(at("file"), at("kept")), swap()); err != nil {
			t.Fatal(err)
		}
		if err := file[0].Fix(); err == nil || mode("private") != 0o640 {
			t.Errorf("%s: %v, %v", what, err, mode("private"))
		}
	}
}

// What is in use again, or was replaced, is not removed.
func TestLeftoversAreLookedAtAgain(t *testing.T) {
	t.Parallel()
	d := newDoctor(t)
	dir := filepath.Join(d.Home, "left")
	write(t, filepath.Join(dir, "file"), 0o600)
	left := []string{dir}
	d.LeftFolders = func() []string { return left }
	found, err := leftoversCheck.Look(t.Context(), d)
	if err != nil || len(found) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	left = nil
	if err := found[0].Fix(); err == nil {
		t.Error("it was removed")
	}
	left = []string{dir}
	if err := found[0].Fix(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Error("it is still there")
	}
}
