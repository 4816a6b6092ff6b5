// Package ownfile reads the files that rhx keeps for itself or takes its orders
// from. Such a file is used only if nobody but this user and root can have written
// it, as OpenSSH and git have it: a folder that another user made, such as a
// RHX_HOME in /tmp, could otherwise say where secrets go.
//
// What is no plain file, such as a pipe, is an error and never waited for.
package ownfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/rhx-dev/rhx/host/fault"
)

// ErrForeign is what is wrong with a file or folder that others can have written.
var ErrForeign = errors.New("others can write it")

// Read returns the content of a plain file of at most limit bytes that is this
// user's or root's. The error for one that is not there matches fs.ErrNotExist.
func Read(path string, limit int64) ([]byte, error) { return read(Open, path, limit) }

// ReadNoLink is Read of what is no symbolic link itself: in a folder that others write to,
// such as one that git brings, a link could lead anywhere.
func ReadNoLink(path string, limit int64) ([]byte, error) { return read(OpenNoLink, path, limit) }

func read(open func(string) (*os.File, error), path string, limit int64) ([]byte, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d KiB", path, limit>>10)
	}
	return data, nil
}

// OpenNoLink is Open of what is no symbolic link itself. A link to what is not there is
// not there.
func OpenNoLink(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if err := NoLink(path); err != nil {
			if _, there := os.Stat(path); errors.Is(there, fs.ErrNotExist) {
				return nil, there
			}
			return nil, err
		}
		return Open(path)
	}
	if !info.Mode().IsRegular() {
		return nil, notPlain(path)
	}
	return open(path)
}

// NoLink returns an error where path is a symbolic link. What is not there is none.
func NoLink(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return fault.WithHint(fault.Mark(fmt.Errorf("%s is a symbolic link", path), syscall.ELOOP), "rhx makes none there: somebody else did. Look where it leads, and remove it")
	}
	return nil
}

// Open opens a plain file for reading that is this user's or root's.
func Open(path string) (*os.File, error) {
	// Opening a pipe would wait for somebody who writes to it.
	if err := Plain(path); err != nil {
		return nil, err
	}
	return open(path)
}

// open is Open of what was a plain file just now.
func open(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = check(path, info)
	}
	if err == nil && !info.Mode().IsRegular() {
		err = notPlain(path)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Overwrite puts data in place of as much of a file, in one write: who is killed leaves
// the old or the new. It is for data that never gets shorter; what is behind it stays.
func Overwrite(path string, data []byte) error {
	if err := Plain(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // opening a pipe would wait
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return errors.Join(err, f.Close())
}

// Plain returns an error where path is there and is no plain file, and the error of
// looking, as for one that is not there.
func Plain(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = notPlain(path)
	}
	return err
}

func notPlain(path string) error {
	return fault.WithHint(fmt.Errorf("%s is not a plain file", path), "move it away: rhx keeps a file of its own there")
}

// Dir returns an error where a folder is there and is not this user's or root's
// alone to write.
func Dir(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", path)
	}
	return check(path, info)
}

// Check returns an error where a file or folder that is there can have been written
// by somebody else than this user and root.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return check(path, info)
}

// Home returns an error where rhx runs as root and dir, which need not exist, is in a
// folder of another user: what sudo -E and su do to HOME. That user says what is in
// such a folder and where its links lead, and could not use what root would leave.
func Home(dir string) error { return foreignHome(dir) }

func foreign(what, hint string) error {
	return fault.WithHint(fault.Mark(errors.New(what), ErrForeign), hint)
}

// lockEvery is how often a lock that somebody else holds is tried.
const lockEvery = 2 * time.Millisecond

// Lock makes a file and holds a lock on it until unlock is called or the process
// ends. It waits for whoever holds it, until ctx ends.
func Lock(ctx context.Context, path string) (unlock func() error, err error) {
	if err := Plain(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("lock %s: %w", path, fault.Cause(err))
	}
	l := flock.New(path, flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, lockEvery); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("lock %s: %w", path, fault.Cause(err))
	}
	return func() error {
		if err := l.Unlock(); err != nil {
			return fmt.Errorf("unlock %s: %w", path, err)
		}
		return nil
	}, nil
}
