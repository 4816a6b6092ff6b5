//go:build !windows

package machinetest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// OS is Files on the real file system. What it makes gets the owner UID and
// GID where UID is not 0.
type OS struct {
	T        testing.TB
	UID, GID int
}

func (o OS) check(err error) {
	o.T.Helper()
	if err != nil {
		o.T.Fatal(err)
	}
}

func (o OS) own(p string) {
	o.T.Helper()
	if o.UID != 0 {
		o.check(os.Lchown(p, o.UID, o.GID))
	}
}

// PutFile is that of Files.
func (o OS) PutFile(p string, data []byte, mode fs.FileMode) {
	o.T.Helper()
	o.folders(filepath.Dir(p))
	o.check(os.WriteFile(p, data, 0o600))
	o.check(os.Chmod(p, mode))
	o.own(p)
}

// PutFolder is that of Files.
func (o OS) PutFolder(p string, mode fs.FileMode) {
	o.T.Helper()
	o.folders(p)
	o.check(os.Chmod(p, mode))
}

// PutLink is that of Files.
func (o OS) PutLink(target, p string) {
	o.T.Helper()
	o.folders(filepath.Dir(p))
	o.check(os.Symlink(target, p))
	o.own(p)
}

// PutPipe is that of Files.
func (o OS) PutPipe(p string) {
	o.T.Helper()
	o.folders(filepath.Dir(p))
	o.check(syscall.Mkfifo(p, 0o600))
	o.own(p)
}

func (o OS) folders(p string) {
	o.T.Helper()
	if _, err := os.Stat(p); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	o.folders(filepath.Dir(p))
	o.check(os.Mkdir(p, 0o700))
	o.own(p)
}

// File is that of Files.
func (o OS) File(p string) ([]byte, fs.FileMode, bool) {
	o.T.Helper()
	info, err := os.Lstat(p)
	if err != nil {
		return nil, 0, false
	}
	if !info.Mode().IsRegular() {
		return nil, info.Mode(), true
	}
	data, err := os.ReadFile(p)
	if errors.Is(err, fs.ErrPermission) {
		o.check(os.Chmod(p, 0o600))
		data, err = os.ReadFile(p)
		o.check(os.Chmod(p, info.Mode()))
	}
	o.check(err)
	return data, info.Mode(), true
}

// Names is that of Files.
func (o OS) Names(p string) []string {
	o.T.Helper()
	entries, err := os.ReadDir(p)
	o.check(err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
