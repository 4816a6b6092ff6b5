//go:build !windows

package scan

import "syscall"

const (
	// noWait keeps an open from waiting for the other end of a pipe.
	noWait   = syscall.O_NONBLOCK | syscall.O_NOCTTY
	noFollow = syscall.O_NOFOLLOW
)
