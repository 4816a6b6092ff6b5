//go:build unix

package ownfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/rhx-dev/rhx/host/nameservice"
)

// check compares the owner and the mode with those that a file of rhx's may have.
func check(path string, info fs.FileInfo) error {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return checkOwner(path, s.Uid, s.Gid, info.Mode(), uint32(os.Geteuid()))
}

func checkOwner(path string, uid, gid uint32, mode fs.FileMode, me uint32) error {
	if uid != me && uid != 0 {
		hint := "if it ought to be yours, look at what is in it and chown it; or set RHX_HOME to a folder of your own"
		if me == 0 {
			hint = "run rhx as that user (sudo -u), or with root's own folders (sudo -H)"
		}
		return foreign(fmt.Sprintf("%s belongs to %s, and rhx runs as %s: it is not used", path, nameOf(uid), nameOf(me)), hint)
	}
	if mode.Perm()&0o002 != 0 || mode.Perm()&0o020 != 0 && !ownGroup(gid, me) {
		return foreign(fmt.Sprintf("other users can write %s (mode %04o): it is not used", path, mode.Perm()), "look at what is in it, then: chmod go-w "+path)
	}
	return nil
}

// foreignHome looks for whom a folder belongs to, where this is root.
func foreignHome(dir string) error {
	return checkHome(dir, os.Geteuid())
}

func checkHome(dir string, me int) error {
	if me != 0 {
		return nil
	}
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		// What leads nowhere is not made: a link to a folder that is not there.
		if errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
			now, gone := os.Lstat(at)
			if errors.Is(gone, fs.ErrNotExist) {
				continue
			}
			if gone == nil && now.Mode()&fs.ModeSymlink == 0 {
				info, err = now, nil // another process has made it meanwhile
			}
		}
		if err != nil {
			return err
		}
		s, ok := info.Sys().(*syscall.Stat_t)
		if !ok || s.Uid == 0 {
			return nil
		}
		return foreign(fmt.Sprintf("%s belongs to %s, and rhx runs as root: it would take orders from there, and leave files that %s cannot read",
			at, nameOf(s.Uid), nameOf(s.Uid)),
			fmt.Sprintf("sudo -H rhx uses root's own home folder; for the secrets of %s, run rhx as %s", nameOf(s.Uid), nameOf(s.Uid)))
	}
}

// ownGroup reports whether a group is the user's own, which has the user's name on
// systems where every user has one: files are made group-writable there (umask 002).
// root's group lets nobody else in either.
func ownGroup(gid, me uint32) bool {
	if gid == 0 {
		return true
	}
	group, err := nameservice.Group(strconv.FormatUint(uint64(gid), 10))
	if err != nil {
		return false
	}
	u, err := nameservice.User(strconv.FormatUint(uint64(me), 10))
	return err == nil && u.Username == group
}

func nameOf(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := nameservice.User(id); err == nil {
		return u.Username
	}
	return "user " + id
}
