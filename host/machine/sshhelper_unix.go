//go:build !windows

package machine

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// ownGroup starts cmd in a process group of its own and reports whether it does.
// Where there is a terminal it does not: only those in the foreground group may
// ask there, and Ctrl-C reaches them anyway.
func ownGroup(cmd *exec.Cmd) bool {
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0); err == nil {
		tty.Close()
		return false
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return true
}

// end ends a process, or its whole group: by a hangup, as ssh ends its
// ProxyCommand, or at once.
func end(p *os.Process, group, atOnce bool) error {
	sig := syscall.SIGHUP
	if atOnce {
		sig = syscall.SIGKILL
	}
	if group {
		return syscall.Kill(-p.Pid, sig)
	}
	return p.Signal(sig)
}

// ownSocket refuses a socket that another user, who is not root, has made; one
// that is not there is none.
func ownSocket(p string) error {
	info, err := os.Stat(p)
	if err != nil {
		return nil //nolint:nilerr // ssh says what is wrong with it
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() && st.Uid != 0 {
		return fmt.Errorf("ControlPath %s: %w", p, errForeignSocket)
	}
	return nil
}

// openToOthers reports whether a private key file of this user can be read or
// written by others, which ssh refuses.
func openToOthers(p string) bool {
	info, err := os.Stat(p)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid() && info.Mode().Perm()&0o077 != 0
}
