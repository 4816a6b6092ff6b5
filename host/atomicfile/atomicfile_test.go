package atomicfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/atomicfile"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, c := range []struct {
		text string
		mode os.FileMode
	}{{"one", 0o600}, {"two", 0o644}, {"", 0o600}} {
		if err := atomicfile.Write(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		info, err2 := os.Stat(path)
		if err != nil || err2 != nil || string(data) != c.text || runtime.GOOS != "windows" && info.Mode().Perm() != c.mode {
			t.Errorf("%q, %v, %v", data, info.Mode(), err)
		}
	}
	// What cannot be replaced stays, nothing is left beside it, and the error names it.
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(filepath.Join(dir, "folder"), []byte("x"), 0o600); err == nil || !strings.HasPrefix(err.Error(), "write "+filepath.Join(dir, "folder")+": ") {
		t.Errorf("a folder was replaced: %v", err)
	}
	if err := atomicfile.Write(filepath.Join(dir, "absent", "f"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), atomicfile.Prefix) {
		t.Errorf("a folder was made: %v", err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"f", "folder"}) {
		t.Errorf("left over: %v", got)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// At each step there is the old file or the new one, and the new one is made in
// the folder that was named.
func TestEveryStepOfAWrite(t *testing.T) {
	dir, temp := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	var seen []string
	o := atomicfile.Options{Temp: temp, Step: func() {
		data, err := os.ReadFile(path)
		if err != nil || !slices.Equal(names(t, dir), []string{"f"}) {
			t.Error(err, names(t, dir))
		}
		what := string(data)
		for _, n := range names(t, temp) {
			if !strings.HasPrefix(n, atomicfile.Prefix) {
				t.Error(n)
			}
			part, err := os.ReadFile(filepath.Join(temp, n))
			if err != nil {
				t.Error(err)
			}
			what += "+" + string(part)
		}
		seen = append(seen, what)
	}}
	if err := o.Write(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"old", "old+", "old+new", "old+new", "new"}
	if runtime.GOOS == "windows" {
		want = want[:4]
	}
	if !slices.Equal(seen, want) {
		t.Errorf("%q", seen)
	}
}

func TestMkdirAll(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "a", "b", "c")
	steps := 0
	o := atomicfile.Options{Step: func() { steps++ }}
	if err := o.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
	// Three folders, and the sync of the one above each.
	if want := 6; steps != want && runtime.GOOS != "windows" {
		t.Errorf("%d steps", steps)
	}
	if steps = 0; o.MkdirAll(dir) != nil || steps != 0 {
		t.Errorf("a folder that is there took %d steps", steps)
	}
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{file, filepath.Join(file, "below")} {
		if err := atomicfile.MkdirAll(d); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", d, err)
		}
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	if err := atomicfile.Sweep(filepath.Join(dir, "absent")); err != nil {
		t.Error(err)
	}
	old := time.Now().Add(-61 * time.Minute)
	for name, when := range map[string]time.Time{".new-old": old, ".new-young": time.Now().Add(-59 * time.Minute), "mine": old, ".newer": old} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, ".new-dir", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(dir, ".new-dir"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Sweep(dir); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{".new-young", ".newer", "mine"}) {
		t.Error(got)
	}
	if err := atomicfile.Sweep(filepath.Join(dir, "mine")); err == nil {
		t.Error("a file was swept without an error")
	}
}
