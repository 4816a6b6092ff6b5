//go:build unix

package scan

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Nothing waits for the other end of a pipe, and what cannot be read is named.
func TestSpecialFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"found": value, "folder/file": value, "file": value})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := searcher(t)
	paths := []string{dir, filepath.Join(dir, "pipe")}
	want := 4
	if os.Geteuid() != 0 {
		for _, name := range []string{"folder", "file"} {
			if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
				t.Fatal(err)
			}
		}
		defer func() { _ = os.Chmod(filepath.Join(dir, "folder"), 0o700) }()
	}
	if err := s.Trees(context.Background(), paths); err != nil {
		t.Fatal(err)
	}
	// Root reads all: the pipe alone is not read.
	if got := lines(s); len(got) != want {
		t.Errorf("%q", got)
	}
}
