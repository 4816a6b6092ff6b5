package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

func TestLeft(t *testing.T) {
	t.Parallel()
	const alone = "the names and shared memory of your processes, your other terminals"
	for _, c := range []struct {
		p    Plan
		want string
	}{
		{Plan{Namespaces: true, ABI: 6}, ""},
		{Plan{Namespaces: true, ABI: 5}, "signals to the command's process group, abstract sockets"},
		{Plan{Namespaces: true, ABI: 5, Offline: true}, "signals to the command's process group"},
		{Plan{ABI: 9}, alone},
		{Plan{ABI: 9, Offline: true}, alone + ", connections from outside"},
		{Plan{ABI: 8}, alone + ", Unix sockets by their path (ssh-agent, docker, D-Bus)"},
		{Plan{ABI: 5, Offline: true}, alone + ", Unix sockets by their path (ssh-agent, docker, D-Bus), abstract sockets and signals, connections from outside"},
		{Plan{ABI: 3, Offline: true}, alone + ", Unix sockets by their path (ssh-agent, docker, D-Bus), abstract sockets and signals, TCP"},
	} {
		if got := c.p.Left(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.p, got, c.want)
		}
	}
}

// Landlock has a hold on truncate(2) since its third version; before that the filter has.
func TestHiddenFilesAreNotTruncated(t *testing.T) {
	t.Parallel()
	newest, err := ll.LandlockGetABIVersion()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, abi := range []int{1, 2, newest} {
		dir := t.TempDir()
		hidden, other := filepath.Join(dir, "hidden"), filepath.Join(dir, "other")
		for _, name := range []string{hidden, other} {
			if err := os.WriteFile(name, []byte("FAKE"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p := Plan{Dir: "/", ABI: abi, Hidden: []string{hidden}}
		if status, err := started(t, p, func(*Run) {}, self, "truncate", hidden); status != 7 || err != nil {
			t.Errorf("ABI %d: %d %v", abi, status, err)
		}
		if got, err := os.ReadFile(hidden); string(got) != "FAKE" || err != nil {
			t.Errorf("ABI %d: %q %v", abi, got, err)
		}
		status, err := started(t, p, func(*Run) {}, self, "truncate", other)
		if closed := abi < abiTruncate; err != nil || closed != (status == 7) {
			t.Errorf("ABI %d, another file: %d %v", abi, status, err)
		}
	}
}

// A call that was refused has done nothing: that is no path that is not there.
func TestRefusedIsNotGone(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		unix.ENOENT: true, unix.EACCES: true, unix.ENOTDIR: true,
		unix.EPERM: false, unix.EINVAL: false, errors.New("another"): false,
	} {
		if gone(fmt.Errorf("mount: %w", err)) != want {
			t.Errorf("%v", err)
		}
	}
}

// The confined process that asks is this test's; see [started].
func TestHides(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "hidden/data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "closed"), 0); err != nil {
		t.Fatal(err)
	}
	if Hides(filepath.Join(dir, "hidden")) {
		t.Error("hidden from nobody")
	}
	spaces, why, err := Check(Plan{Dir: "/", Hidden: []string{filepath.Join(dir, "hidden")}})
	if err != nil || why != nil {
		t.Fatal(why, err)
	}
	alone := Plan{Dir: "/", ABI: spaces.ABI, Hidden: spaces.Hidden}
	for _, p := range []Plan{spaces, alone} {
		for name, want := range map[string]int{"hidden": 7, "hidden/data": 7, "closed": 0, "none": 0, "none/below": 0} {
			if !p.Namespaces && name == "none" || !p.Namespaces && name == "none/below" {
				want = 7 // the folder that it would be in cannot be listed either
			}
			if status, err := started(t, p, func(*Run) {}, self, "hides", filepath.Join(dir, name)); status != want || err != nil {
				t.Errorf("namespaces %t, %s: %d %v", p.Namespaces, name, status, err)
			}
		}
	}
}
