package agent

import (
	"bytes"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

const bootClock = unix.CLOCK_BOOTTIME

// peerOf returns whose process the other side of a socket is.
func peerOf(fd int) (uid int, err error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1, err
	}
	return int(cred.Uid), nil
}

// lockMemory keeps what this process has in memory from being swapped to a disk: all of it
// where the limit of the user allows that, else the part of Go's heap that p is in, which is
// all of it as long as the heap is small. It reports whether that worked.
func lockMemory(p unsafe.Pointer) bool {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) == nil && limit.Cur < limit.Max {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit)
	}
	if unix.Mlockall(unix.MCL_CURRENT|unix.MCL_FUTURE|unix.MCL_ONFAULT) == nil {
		return true
	}
	const chunk = 4 << 20 // by which Go's heap grows
	_, _, errno := unix.Syscall(unix.SYS_MLOCK, uintptr(p)&^(chunk-1), chunk, 0)
	return errno == 0
}

// traced reports whether another program follows this one, and so can read its memory.
func traced() bool {
	data, err := os.ReadFile("/proc/self/status")
	return err == nil && !bytes.Contains(data, []byte("\nTracerPid:\t0\n"))
}
