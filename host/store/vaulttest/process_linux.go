package vaulttest

import (
	"os/exec"
	"runtime"
	"syscall"
)

// command returns a command that the kernel kills when this process ends,
// however it ends, and a function that kills it.
func command(name string, args ...string) (cmd *exec.Cmd, stop func()) {
	cmd = exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, func() { _ = cmd.Process.Kill() }
}

// lockToProcess keeps the calling goroutine on its thread: the kernel sends
// Pdeathsig when the thread that started the command ends.
func lockToProcess() (unlock func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
