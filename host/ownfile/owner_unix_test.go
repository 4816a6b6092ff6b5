//go:build unix

package ownfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
)

func TestOwners(t *testing.T) {
	const me, other, nogroup = 4100, 4200, 4300 // of nobody on this machine
	for _, c := range []struct {
		uid, gid uint32
		mode     fs.FileMode
		me       uint32
		want     string
	}{
		{me, nogroup, 0o600, me, ""},
		{me, nogroup, 0o644, me, ""},
		{0, nogroup, 0o644, me, ""},
		{0, 0, 0o664, me, ""},
		{other, nogroup, 0o600, me, "belongs to user 4200, and rhx runs as user 4100"},
		{other, nogroup, 0o600, 0, "belongs to user 4200, and rhx runs as root"},
		{me, nogroup, 0o600, 0, "belongs to user 4100"},
		{me, nogroup, 0o602, me, "other users can write /f (mode 0602)"},
		{me, nogroup, 0o620, me, "other users can write /f (mode 0620)"},
		{0, 0, 0o602, me, "other users can write /f (mode 0602)"},
	} {
		err := checkOwner("/f", c.uid, c.gid, c.mode, c.me)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), c.want) || fault.Hint(err) == "") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if h := fault.Hint(checkOwner("/f", other, 0, 0o600, 0)); !strings.Contains(h, "sudo -u") {
		t.Error(h)
	}
}

func TestForeignFilesAreNotRead(t *testing.T) {
	path := write(t, "x", 0o666)
	if _, err := Read(path, 8); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	if err := Check(path); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	dir := filepath.Dir(path)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Dir(dir); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
}

// Nobody writes to the pipe: reading it would wait for ever.
func TestPipesAreNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 8); err == nil || !strings.Contains(err.Error(), "not a plain file") {
		t.Error(err)
	}
	if _, err := Lock(t.Context(), path); err == nil || !strings.Contains(err.Error(), "not a plain file") {
		t.Error(err)
	}
	if _, err := Read("/dev/zero", 8); err == nil || !strings.Contains(err.Error(), "not a plain file") {
		t.Error(err)
	}
}
