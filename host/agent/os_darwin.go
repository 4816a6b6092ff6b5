package agent

import (
	"errors"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bootClock counts a suspended machine on macOS.
const bootClock = unix.CLOCK_MONOTONIC

// peer returns whose process the other side of a connection is.
func peer(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	uid = -1
	e := raw.Control(func(fd uintptr) {
		var cred *unix.Xucred
		if cred, err = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); err == nil {
			uid = int(cred.Uid)
		}
	})
	return uid, errors.Join(e, err)
}

// lockMemory does nothing: macOS encrypts what it swaps.
func lockMemory(unsafe.Pointer) bool { return false }

// traced finds nothing.
func traced() bool { return false }
