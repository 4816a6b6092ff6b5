//go:build unix

package host_test

import (
	"errors"
	"os"
	"testing"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/ownfile"
)

// What others can write says nothing to a program with the library either.
func TestOpenRefusesFoldersOfOthers(t *testing.T) {
	home, shared := t.TempDir(), t.TempDir()
	if err := os.Chmod(shared, 0o777); err != nil {
		t.Fatal(err)
	}
	env := func(name string) string { return map[string]string{"RHX_HOME": shared}[name] }
	if _, err := host.Open(host.Options{Home: home, Getenv: env}); !errors.Is(err, ownfile.ErrForeign) {
		t.Error(err)
	}
	none := func(string) string { return "" }
	h, err := host.Open(host.Options{Home: home, Getenv: none})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if os.Geteuid() != 0 {
		return // a user's rhx may have the home that it is given
	}
	if err := os.Chown(home, 4100, 4100); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Open(host.Options{Home: home, Getenv: none}); !errors.Is(err, ownfile.ErrForeign) {
		t.Error(err)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
}
