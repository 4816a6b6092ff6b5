//go:build unix

package project_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of this machine that cannot be read is said, and not only called another value.
func TestStatusOfAFileThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.aws("aws", "A")
	w.save("openai", "api_key", "sk-fake-fake-fake-fake-fake")
	file := filepath.Join(w.home, ".aws/credentials")
	w.write(".aws/credentials", "")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, file); err != nil { // leads to itself
		t.Fatal(err)
	}
	s, err := w.Status(t.Context(), nil, w.fleet())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Err(); len(s.Broken) != 1 || !strings.HasPrefix(err.Error(), "aws: ") || !strings.Contains(err.Error(), ".aws/credentials") {
		t.Error(err)
	}
	if where, err := w.Locate(t.Context(), nil, "aws"); err == nil || !strings.Contains(err.Error(), ".aws/credentials") {
		t.Errorf("%+v, %v", where, err)
	}
}
