package ownfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadIsBounded(t *testing.T) {
	path := write(t, "12345678", 0o600)
	if data, err := Read(path, 8); err != nil || string(data) != "12345678" {
		t.Errorf("%q %v", data, err)
	}
	if _, err := Read(path, 7); err == nil || !strings.Contains(err.Error(), path+" is larger than") {
		t.Error(err)
	}
	if _, err := Read(path+"x", 8); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, read := range []func(string) error{
		func(p string) error { _, err := Read(p, 8); return err },
		Plain,
		func(p string) error { _, err := Lock(t.Context(), p); return err },
	} {
		if err := read(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "is not a plain file") {
			t.Error(err)
		}
	}
}

func TestDir(t *testing.T) {
	path := write(t, "x", 0o600)
	if err := Dir(filepath.Dir(path)); err != nil {
		t.Error(err)
	}
	if err := Dir(path + "x"); err != nil {
		t.Error("a folder that is not there:", err)
	}
	if err := Dir(path); err == nil || !strings.Contains(err.Error(), "is not a folder") {
		t.Error(err)
	}
	if err := Dir(filepath.Join(path, "below")); err == nil {
		t.Error("a file in the place of a folder above is no error")
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Lock(short, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("taken twice:", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := again(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Error(info.Mode(), err)
	}
}

// What is overwritten is the beginning of the file; what is no file is left alone.
func TestOverwrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	for _, c := range [][2]string{{"one", "one"}, {"two!", "two!"}, {"ab", "abo!"}} {
		if err := Overwrite(path, []byte(c[0])); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != c[1] {
			t.Errorf("%q, %v", got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := Overwrite(t.TempDir(), []byte("x")); err == nil || !strings.Contains(err.Error(), "is not a plain file") {
		t.Error(err)
	}
}
