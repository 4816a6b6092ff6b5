//go:build unix && !linux

package child

import (
	"os"
	"syscall"
)

// endWithRhx: only Linux has a way.
func endWithRhx(attr *syscall.SysProcAttr) *syscall.SysProcAttr { return attr }

// isStopped: what is not known is taken for it. To go on twice does no harm.
func isStopped(int) bool { return true }

// passedOnTerminal has no TSTP: see whileDefault.
var passedOnTerminal = passed

// whileDefault calls f. A signal that was not notified has its effect.
func whileDefault(_ syscall.Signal, f func()) { f() }

// stopAs stops this process. Other signals that Go once had notified would not.
func stopAs(syscall.Signal) { _ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) }
