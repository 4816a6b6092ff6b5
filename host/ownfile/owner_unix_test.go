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

// sudo -E and su leave the HOME of another user, for root.
func TestHomeOfAnotherUser(t *testing.T) {
	theirs := t.TempDir()
	if os.Geteuid() == 0 {
		if err := os.Chown(theirs, 4100, 4100); err != nil {
			t.Fatal(err)
		}
	}
	links := t.TempDir()
	for name, to := range map[string]string{"link": theirs, "nowhere": filepath.Join(theirs, "none")} {
		if err := os.Symlink(to, filepath.Join(links, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{theirs, filepath.Join(theirs, "a", "b"), filepath.Join(links, "link"), filepath.Join(links, "link", "x")} {
		err := checkHome(dir, 0)
		if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), ", and rhx runs as root") || !strings.Contains(fault.Hint(err), "sudo -H rhx") {
			t.Errorf("%s: %v (%s)", dir, err, fault.Hint(err))
		}
		if err := checkHome(dir, 4200); err != nil {
			t.Errorf("%s is not root's affair: %v", dir, err)
		}
	}
	if err := checkHome(filepath.Join(links, "nowhere"), 0); err == nil {
		t.Error("a link that leads nowhere is taken for a folder of root's")
	}
	for _, dir := range []string{"/", "/not-there/at-all", "/etc"} {
		if err := checkHome(dir, 0); err != nil {
			t.Errorf("%s is root's: %v", dir, err)
		}
	}
	if os.Geteuid() == 0 {
		if err := Home(theirs); !errors.Is(err, ErrForeign) {
			t.Error(err)
		}
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
