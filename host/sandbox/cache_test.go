package sandbox

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// cached runs mylogin once with a cache in dir and returns the warnings.
func cached(t *testing.T, dir string) (warnings []string) {
	t.Helper()
	box := New(Config{CacheDir: dir, Warn: func(s string) { warnings = append(warnings, s) }})
	defer func() { _ = box.Close(t.Context()) }()
	resp, err := box.Run(t.Context(), mylogin(t), loginFile(t))
	if err != nil || len(resp.Secrets) != 3 {
		t.Fatalf("%v, %v", resp, err)
	}
	return warnings
}

// compiled returns the files of native code in a cache.
func compiled(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, sumSuffix) })
	if len(files) != 1 {
		t.Fatalf("%d compiled files: %v", len(files), files)
	}
	return files
}

func needsCompiler(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("wazero compiles for amd64 and arm64 only")
	}
}

func TestCompiledCodeIsKept(t *testing.T) {
	needsCompiler(t)
	dir := filepath.Join(t.TempDir(), "a", "cache")
	if w := cached(t, dir); len(w) > 0 {
		t.Errorf("warned %q", w)
	}
	first, err := os.Stat(compiled(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	if w := cached(t, dir); len(w) > 0 {
		t.Errorf("warned %q", w)
	}
	second, err := os.Stat(compiled(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(first, second) || first.ModTime() != second.ModTime() {
		t.Error("the module was compiled again")
	}
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v", info.Mode(), err)
	}
}

// Each damage is found before the runtime reads the file, and healed.
func TestDamagedEntryIsCompiledAgain(t *testing.T) {
	needsCompiler(t)
	for name, damage := range map[string]func(t *testing.T, file string, code []byte){
		"truncated": func(t *testing.T, f string, code []byte) { put_(t, f, code[:len(code)/2]) },
		"empty":     func(t *testing.T, f string, code []byte) { put_(t, f, nil) },
		"too many parts": func(t *testing.T, f string, code []byte) {
			copy(code[6+1+5:], "\xff\xff\xff\x7f\xff\xff\xff\x7f")
			put_(t, f, code)
		},
		"a flipped bit": func(t *testing.T, f string, code []byte) { code[len(code)/2] ^= 1; put_(t, f, code) },
		"no checksum": func(t *testing.T, f string, _ []byte) {
			if err := os.Remove(f + sumSuffix); err != nil {
				t.Fatal(err)
			}
		},
		"a folder in its place": func(t *testing.T, f string, _ []byte) {
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(f, 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"a link in its place": func(t *testing.T, f string, code []byte) {
			put_(t, f+".moved", code)
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(f+".moved", f); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			cached(t, dir)
			file := compiled(t, dir)[0]
			good, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			damage(t, file, slices.Clone(good))
			if w := cached(t, dir); len(w) > 0 {
				t.Errorf("warned %q", w)
			}
			if again, err := os.ReadFile(compiled(t, dir)[0]); err != nil || len(again) != len(good) {
				t.Errorf("the entry was not compiled again: %v", err)
			}
			if !(entry{filepath.Dir(filepath.Dir(file))}).check() {
				t.Error("the new entry is not good")
			}
		})
	}
}

func TestFolderThatOthersCanReachIsNotUsed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing on Windows")
	}
	base := t.TempDir()
	if err := os.Mkdir(filepath.Join(base, "open"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(base, "open"), 0o770); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	put_(t, filepath.Join(base, "file"), nil)
	cases := map[string]string{"open": "must have 0700", "link": "not a folder", "file": "not a folder"}
	if os.Geteuid() == 0 {
		cases["theirs"] = "another user"
		if err := os.Mkdir(filepath.Join(base, "theirs"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(base, "theirs"), 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range cases {
		w := cached(t, filepath.Join(base, name))
		if len(w) != 1 || !strings.Contains(w[0], want) {
			t.Errorf("%s: warned %q, want %q", name, w, want)
		}
		if files, _ := filepath.Glob(filepath.Join(base, name, "*")); len(files) > 0 {
			t.Errorf("%s: used all the same: %v", name, files)
		}
	}
}

func put_(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
