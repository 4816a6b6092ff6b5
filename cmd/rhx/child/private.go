package child

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gofrs/flock"
)

const privatePrefix = "rhx-run-"

// PrivateFolder makes a folder that only the user can read, in memory where the
// system has a place for it, and removes those that a killed rhx has left.
func PrivateFolder(getenv func(string) string) (dir string, release func() error, err error) {
	base := memoryFolder(getenv)
	sweepPrivate(base)
	dir, err = os.MkdirTemp(base, privatePrefix+strconv.Itoa(os.Getuid())+"-*") // mode 0700
	if err != nil {
		return "", nil, fmt.Errorf("make a folder for the files of the command: %w", err)
	}
	// Whoever can take the lock knows that this process is gone.
	lock := flock.New(filepath.Join(dir, ".lock"), flock.SetPermissions(0o600))
	if _, err := lock.TryLock(); err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	endWatch := watch(dir)
	return dir, func() error {
		err := os.RemoveAll(dir)
		_ = lock.Unlock()
		endWatch()
		if err != nil {
			return fmt.Errorf("the command's files are still there: %w", err)
		}
		return nil
	}, nil
}

// InMemory reports whether private folders are in memory, and never on a disk.
func InMemory(getenv func(string) string) bool { return memoryFolder(getenv) != os.TempDir() }

// PrivateFolders are the folders of that kind that there are.
func PrivateFolders(getenv func(string) string) []string {
	var out []string
	for _, base := range []string{getenv("XDG_RUNTIME_DIR"), "/dev/shm", os.TempDir()} {
		if filepath.IsAbs(base) {
			found, _ := filepath.Glob(filepath.Join(base, privatePrefix+strconv.Itoa(os.Getuid())+"-*"))
			out = append(out, found...)
		}
	}
	return out
}

// memoryFolder is where files are that never reach a disk: XDG_RUNTIME_DIR or
// /dev/shm. Without one of them it is the folder for temporary files.
func memoryFolder(getenv func(string) string) string {
	for _, dir := range []string{getenv("XDG_RUNTIME_DIR"), "/dev/shm"} {
		if filepath.IsAbs(dir) && writable(dir) {
			return dir
		}
	}
	return os.TempDir()
}

func writable(dir string) bool {
	test, err := os.MkdirTemp(dir, privatePrefix+"test-*")
	if err != nil {
		return false
	}
	return os.Remove(test) == nil
}

// sweepPrivate removes the user's folders whose rhx is gone.
func sweepPrivate(base string) {
	left, _ := filepath.Glob(filepath.Join(base, privatePrefix+strconv.Itoa(os.Getuid())+"-*"))
	for _, dir := range left {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || !ownFolder(info) {
			continue // anybody can make a folder of that name in /dev/shm
		}
		lock := flock.New(filepath.Join(dir, ".lock"), flock.SetPermissions(0o600))
		if ok, err := lock.TryLock(); err == nil && ok {
			_ = os.RemoveAll(dir)
			_ = lock.Unlock()
		}
	}
}
