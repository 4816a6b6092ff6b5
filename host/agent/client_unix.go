//go:build linux || darwin

package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

// Supported reports whether this system has agents.
const Supported = true

// private returns an error where a folder is not this user's alone; forbidden are the bits
// of its mode that it may not have.
func private(path string, info fs.FileInfo, forbidden fs.FileMode) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || !info.IsDir():
		return fault.Mark(fmt.Errorf("%s is not a folder", path), ErrForeign)
	case int(st.Uid) != os.Geteuid():
		return fault.Mark(fmt.Errorf("%s belongs to another user", path), ErrForeign)
	case info.Mode().Perm()&forbidden != 0:
		return fault.WithHint(fault.Mark(fmt.Errorf("others can use %s (mode %04o)", path, info.Mode().Perm()), ErrForeign), "chmod 700 "+path)
	}
	return nil
}

// peer returns whose process the other side of a connection is.
func peer(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	uid = -1
	e := raw.Control(func(fd uintptr) { uid, err = peerOf(int(fd)) })
	return uid, errors.Join(e, err)
}

// dial connects to the agent in a folder, and makes sure that it is a process of this user.
// Its error is ErrNone where nobody is there.
func dial(dir string, until time.Time) (*net.UnixConn, error) {
	return dialName(dir, socketName, until)
}

// dialName is dial for the socket of a name.
func dialName(dir, name string, until time.Time) (*net.UnixConn, error) {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err == nil {
		err = private(dir, info, 0o077)
	}
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Deadline: until}
	conn, err := d.Dial("unix", filepath.Join(dir, name))
	// At a path that is too long for a socket (EINVAL) nobody is.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EINVAL) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("the agent: %w", fault.Cause(err))
	}
	c := conn.(*net.UnixConn)
	uid, err := peer(c)
	if err == nil && uid != os.Geteuid() {
		err = fault.Mark(fmt.Errorf("a process of another user (%d) has the socket %s", uid, filepath.Join(dir, name)), ErrForeign)
	}
	if err == nil {
		err = c.SetDeadline(until)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}
