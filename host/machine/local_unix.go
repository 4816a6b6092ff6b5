//go:build !windows

package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

// openFlags keep an open from waiting for the other end of a pipe.
const openFlags = syscall.O_NONBLOCK | syscall.O_NOCTTY

// own gives the temporary file f the owner and group that target is to have,
// and returns mode without what a group that could not be kept would get.
func (l *local) own(f *os.File, target string, old fs.FileInfo, mode fs.FileMode) (fs.FileMode, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	root := os.Geteuid() == 0
	if old == nil {
		if !root || !l.inHome(target) {
			return mode, nil
		}
		if old, err = os.Stat(l.home); err != nil {
			return mode, nil //nolint:nilerr // without a home there is no owner to follow
		}
	}
	is, want := owner(info), owner(old)
	if is == want {
		return mode, nil
	}
	if root {
		return mode, f.Chown(want.uid, want.gid)
	}
	// Only root can give a file away. The group often can be kept; where not,
	// the new group must not get the rights of the old one.
	if is.gid != want.gid && f.Chown(-1, want.gid) != nil {
		mode &^= 0o070
	}
	return mode, nil
}

// ownFolder gives a new folder inside home the owner of home.
func (l *local) ownFolder(dir string) error {
	if os.Geteuid() != 0 || !l.inHome(dir) {
		return nil
	}
	home, err := os.Stat(l.home)
	if err != nil || owner(home) == (ids{}) {
		return nil //nolint:nilerr // without a home there is no owner to follow
	}
	return os.Lchown(dir, owner(home).uid, owner(home).gid)
}

// ForeignHome reports, for a process that runs as root, that home belongs to another
// user, and which. What such a user has put there, root must not follow or change:
// it is what sudo -E and su lead to.
func ForeignHome(home string) (uid int, foreign bool) {
	info, err := os.Stat(home)
	if os.Geteuid() != 0 || err != nil {
		return 0, false
	}
	uid = owner(info).uid
	return uid, uid != 0
}

type ids struct{ uid, gid int }

func owner(info fs.FileInfo) ids {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ids{}
	}
	return ids{int(st.Uid), int(st.Gid)}
}

func setMode(f *os.File, mode fs.FileMode) error { return f.Chmod(mode) }

// syncFolder makes a rename or a new name in dir durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil // a folder that may be written but not read
	}
	if err != nil {
		return fault.Cause(err)
	}
	defer d.Close()
	// Some file systems cannot do it: nothing more is to be had there.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return fault.Cause(err)
	}
	return nil
}

// alive reports whether there is a process pid.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// placeNew gives the file temp the name target, unless that is taken. Where the
// system or the file system has no such rename, it goes through a second name, and a
// kill between the two calls leaves temp for the next sweep.
func placeNew(temp, target string) error {
	err := renameNew(temp, target)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		if err = os.Link(temp, target); err == nil {
			return os.Remove(temp)
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return ErrChanged
	}
	return os.Rename(temp, target) // a file system without second names
}

// lock keeps other processes that lock it, too, from changing the file at target
// until unlock. The lock is of the file and not of its name: who waited for one that
// was replaced meanwhile locks the new one. Where locks cannot be had, there is none.
func lock(ctx context.Context, target string) (unlock func(), err error) {
	none := func() {}
	deadline := time.Now().Add(lockWithin)
	for {
		f, err := os.OpenFile(target, os.O_RDONLY|openFlags, 0)
		if err != nil {
			return none, nil //nolint:nilerr // current says why, if it matters
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			is, err1 := f.Stat()
			now, err2 := os.Lstat(target)
			if err1 != nil || err2 != nil || os.SameFile(is, now) {
				return func() { f.Close() }, nil //nolint:nilerr // who reads or replaces it next says so
			}
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			f.Close()
			return none, nil
		}
		f.Close()
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("another program has locked it for more than %v", lockWithin)
		}
		select {
		case <-time.After(time.Duration(1+rand.IntN(5)) * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
