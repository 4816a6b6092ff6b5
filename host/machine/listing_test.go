package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// foldersAsked are many paths in home, of which the first are given.
func foldersAsked(home string, paths ...string) []string {
	out := make([]string, 0, len(paths)+4*listFrom)
	for _, p := range paths {
		out = append(out, home+"/"+p)
	}
	for i := range 2 * listFrom {
		out = append(out, fmt.Sprintf("%s/.tool%d/credentials", home, i), fmt.Sprintf("%s/.config/tool%d/config.yml", home, i))
	}
	return out
}

// read returns what Read gives for the first of many paths: the text, or "absent".
func readText(t *testing.T, home string, paths ...string) []string {
	t.Helper()
	files, err := Local(home, os.Getenv).Read(t.Context(), foldersAsked(home, paths...))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		switch {
		case f.Err == nil:
			out = append(out, string(f.Data))
		case errors.Is(f.Err, fs.ErrNotExist) && f.Data == nil:
			out = append(out, "absent")
		default:
			out = append(out, f.Err.Error())
		}
	}
	return out[:len(out)-4*listFrom]
}

func put(t *testing.T, home, p, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(home, p)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, p), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReadOfManyPaths(t *testing.T) {
	home := t.TempDir()
	if got := readText(t, home, ".a", ".config/a/b"); got[0] != "absent" || got[1] != "absent" {
		t.Errorf("an empty home: %q", got)
	}
	put(t, home, ".a", "1")
	put(t, home, ".config/a/b", "2")
	put(t, home, ".config/\u00e4/b", "3")
	put(t, home, "real/x", "4")
	if err := os.Symlink(filepath.Join(home, "real"), filepath.Join(home, ".config", "linked")); err != nil {
		t.Skip(err) // Windows without the right to make links
	}
	paths := []string{".a", ".config/a/b", ".config/\u00e4/b", ".config/linked/x", ".config/../.a", ".a/b", ".b", ".config/c/d", ".config/a/c"}
	want := []string{"1", "2", "3", "4", "1", "absent", "absent", "absent", "absent"}
	got := readText(t, home, paths...)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: %q, not %q", paths[i], got[i], want[i])
		}
	}
	if got := readText(t, home, ".config/a/*"); len(got) != 1 || got[0] != "2" {
		t.Errorf("a pattern: %q", got)
	}
	if got := readText(t, home, ".config/none/*"); len(got) != 0 {
		t.Errorf("a pattern in a folder that is not there: %q", got)
	}
	if got := readText(t, home, ".config/*"); len(got) != 0 {
		t.Errorf("a pattern that folders match: %q", got)
	}
}

// A name that the listing does not show may still be the file: case does not count
// on every file system.
func TestListingDoesNotKnowCase(t *testing.T) {
	home := t.TempDir()
	put(t, home, ".config/.Tool/A", "1")
	l := newListings(home, foldersAsked(home))
	if l.absent(home+"/.config/.tool/a") || l.absent(home+"/.config/.TOOL/A") {
		t.Error("taken for absent")
	}
	if !l.absent(home + "/.other/a") {
		t.Error("the folder is listed in vain")
	}
	if l.absent(home+"2/.other/a") || l.absent("/etc/passwd") || l.absent(home) || l.absent("") {
		t.Error("a path elsewhere")
	}
}

// A folder that cannot be listed, or that is very large, says nothing.
func TestListingOfFoldersThatSayNothing(t *testing.T) {
	home := t.TempDir()
	for i := range listMost {
		if err := os.Mkdir(filepath.Join(home, fmt.Sprintf("d%d", i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if newListings(home, foldersAsked(home)).absent(home + "/none") {
		t.Error("a very large folder was taken for a list of all")
	}
	closed := t.TempDir()
	put(t, closed, "a", "1")
	if err := os.Chmod(closed, 0o100); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(closed, 0o700) })
	if got := readText(t, closed, "a"); got[0] != "1" {
		t.Errorf("a file in a folder that cannot be listed: %s", got[0])
	}
}

// Few paths are looked for one by one.
func TestNoListingForFewPaths(t *testing.T) {
	home := t.TempDir()
	l := newListings(home, []string{home + "/a", home + "/b"})
	if l.absent(home+"/a") || len(l.names) != 0 {
		t.Error("a folder was listed for two paths")
	}
}

func TestLook(t *testing.T) {
	home := t.TempDir()
	put(t, home, ".tool3/credentials", "1")
	paths := make([]string, 0, 2*listFrom)
	for i := range 2 * listFrom {
		paths = append(paths, fmt.Sprintf("~/.tool%d/credentials", i))
	}
	m, ok := Local(home, func(name string) string { return map[string]string{"A": "x", "EMPTY": ""}[name] }).(Looker)
	if !ok {
		t.Fatal("this machine cannot be looked at")
	}
	set, there := m.Look(paths)
	if !set("A") || set("EMPTY") || set("B") {
		t.Error("variables")
	}
	for _, p := range paths {
		if there(p) != (p == paths[3]) {
			t.Errorf("%s: %v", p, there(p))
		}
	}
	if !there("/etc/passwd") {
		t.Error("a path elsewhere is said to be absent")
	}
}
