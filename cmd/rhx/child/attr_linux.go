package child

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// endWithRhx has a command end where rhx is killed: without rhx it would be ended itself.
// The kernel means the thread that starts it, which has to stay.
func endWithRhx(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	attr.Pdeathsig = syscall.SIGKILL
	return attr
}

// isStopped reports whether a process is.
func isStopped(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	i := bytes.LastIndexByte(stat, ')') // its name may have anything in it
	return err != nil || bytes.HasPrefix(stat[i+1:], []byte(" T"))
}

// passedOnTerminal are the signals that a command on a terminal of its own gets from rhx.
var passedOnTerminal = append(passed[:len(passed):len(passed)], syscall.SIGTSTP)

// whileDefault calls f while a signal does to this process what it does to one that has
// said nothing of it. signal.Reset leaves a signal that once was notified without any
// effect, where it would stop the process.
func whileDefault(s syscall.Signal, f func()) {
	var byDefault, before [16]uint64 // struct sigaction, and more; zero is SIG_DFL
	set := func(act, old *[16]uint64) syscall.Errno {
		_, _, no := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
		return no
	}
	if set(&byDefault, &before) == 0 { // STOP is always so
		defer func() { _ = set(&before, nil) }()
	}
	f()
}

// stopAs stops this process by a signal. Sent to the thread, which has to stay, it has
// come when the call returns.
func stopAs(s syscall.Signal) {
	whileDefault(s, func() { _ = unix.Tgkill(os.Getpid(), unix.Gettid(), s) })
}
