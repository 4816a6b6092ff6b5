//go:build !windows

package machine

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// ownSession starts cmd in a session of its own: a Ctrl-C at the terminal is for rhx, which
// passes it on.
func ownSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// openTerminal makes the terminal that cmd is started on: docker and kubectl ask for one
// where the command in the container is to have one. It neither echoes nor interprets
// anything; that is done by the one in the container.
func openTerminal(cmd *exec.Cmd, columns, lines uint32) (near, tty *os.File, err error) {
	near, tty, err = pty.Open()
	if err != nil {
		return nil, nil, err
	}
	if _, err = term.MakeRaw(int(tty.Fd())); err == nil {
		err = resizeTerminal(near, columns, lines)
	}
	if err != nil {
		return nil, nil, errors.Join(err, near.Close(), tty.Close())
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return near, tty, nil
}

func resizeTerminal(near *os.File, columns, lines uint32) error {
	return pty.Setsize(near, &pty.Winsize{Cols: uint16(columns), Rows: uint16(lines)})
}

// isEndOfTerminal reports the error of a read when nobody has the far end any more.
func isEndOfTerminal(err error) bool { return errors.Is(err, syscall.EIO) }
