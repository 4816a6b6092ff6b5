package child

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

const privatePrefix = "rhx-run-"

// PrivateFolder makes a folder that only the user can read, in memory where the
// system has a place for it, and removes those that a killed rhx has left.
func PrivateFolder(getenv func(string) string) (dir string, release func() error, err error) {
	base := memoryFolder(getenv)
	sweepPrivate(base)
	// Until a folder is locked, another rhx can take it for one that was left. Each of them
	// sweeps once, so one of these stays.
	var lock *flock.Flock
	for tries := 0; lock == nil; tries++ {
		if dir, err = os.MkdirTemp(base, privateName()); err != nil { // mode 0700
			return "", nil, fmt.Errorf("make a folder for the files of the command: %w", err)
		}
		if lock, err = lockPrivate(dir); err != nil && tries == 100 {
			return "", nil, fmt.Errorf("lock %s: %w", dir, err)
		}
	}
	endWatch := watch(dir)
	return dir, func() error {
		err := os.RemoveAll(dir)
		for tries := 0; err != nil && tries < 100; tries++ {
			err = os.RemoveAll(dir) // another rhx put a lock there when ours had gone
		}
		_ = lock.Unlock()
		endWatch()
		if err != nil {
			return fmt.Errorf("the command's files are still there: %w", err)
		}
		return nil
	}, nil
}

// lockPrivate locks a folder that was just made: whoever can take the lock knows that this
// process is gone. Where another rhx has taken it, and maybe the folder, it is an error.
func lockPrivate(dir string) (*flock.Flock, error) {
	lock := lockOf(dir)
	ok, err := lock.TryLock()
	if err == nil && !ok {
		err = errors.New("another rhx has locked it")
	}
	if err == nil {
		// The lock may be that of a folder that is gone, and its name somebody else's.
		var info os.FileInfo
		if info, err = os.Lstat(dir); err == nil && (!info.IsDir() || !ownFolder(info)) {
			err = errors.New("it is not the folder that was made")
		}
	}
	if err != nil {
		_ = lock.Unlock()
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return lock, nil
}

// lockOf is the lock of a folder. A command that runs can put anything in its place: a link
// is not followed, since who tries the lock would make a file where that leads, and a pipe
// is not waited for.
func lockOf(dir string) *flock.Flock {
	return flock.New(filepath.Join(dir, ".lock"), flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDWR|plainFile))
}

func privateName() string { return privatePrefix + strconv.Itoa(os.Getuid()) + "-*" }

// InMemory reports whether private folders are in memory, and never on a disk.
func InMemory(getenv func(string) string) bool { return memoryFolder(getenv) != os.TempDir() }

// PrivateFolders are the folders of that kind that there are.
func PrivateFolders(getenv func(string) string) ([]string, error) {
	var out []string
	for _, base := range []string{getenv("XDG_RUNTIME_DIR"), "/dev/shm", os.TempDir()} {
		if !filepath.IsAbs(base) {
			continue
		}
		found, err := os.ReadDir(base)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look for files of other commands: %w", err)
		}
		for _, e := range found {
			if strings.HasPrefix(e.Name(), privatePrefix+strconv.Itoa(os.Getuid())+"-") {
				out = append(out, filepath.Join(base, e.Name()))
			}
		}
	}
	return out, nil
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

// sweepPrivate removes the user's folders whose rhx is gone. A folder is first moved to
// another name: while its files go, an rhx that just made it cannot lock it anew.
func sweepPrivate(base string) {
	eachLeft(base, func(dir string) {
		gone, err := os.MkdirTemp(base, privateName())
		if err != nil {
			return
		}
		err = os.Rename(dir, filepath.Join(gone, "left"))
		_ = os.RemoveAll(gone)
		if err != nil && runtime.GOOS == "windows" { // which moves no folder with an open file
			_ = os.RemoveAll(dir)
		}
	})
}

// Left are the private folders whose rhx is gone, and which are still there.
func Left(getenv func(string) string) (dirs []string) {
	eachLeft(memoryFolder(getenv), func(dir string) { dirs = append(dirs, dir) })
	return dirs
}

// eachLeft calls do for the user's folders whose rhx is gone.
func eachLeft(base string, do func(dir string)) {
	left, _ := filepath.Glob(filepath.Join(base, privateName()))
	for _, dir := range left {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || !ownFolder(info) {
			continue // anybody can make a folder of that name in /dev/shm
		}
		lock := lockOf(dir)
		if ok, err := lock.TryLock(); err == nil && ok {
			do(dir)
			_ = lock.Unlock()
		}
	}
}
