//go:build unix

package child

import (
	"io"
	"os"
	"os/exec"
	"syscall"
)

// witness is a process of rhx's own group that any signal to the group ends or stops.
// The kernel gives a signal to all of a group at once, and a process that has one to
// die or stop by does nothing more: one that still answers has got none. So it tells
// what a terminal sent from what was sent to rhx alone, which Go does not say.
type witness struct {
	cmd *exec.Cmd
	// ask is a pipe. Its other end is open here, too: to write to nobody would be a
	// SIGPIPE, which only rhx gets.
	ask, asks *os.File
	answers   chan byte
	changed   chan syscall.WaitStatus // ended or stopped
	asked     byte
	// seen are signals to the group that rhx itself has not come to yet: Go does not
	// give them in the order in which they came.
	seen map[syscall.Signal]bool
}

func newWitness() *witness {
	w := &witness{seen: map[syscall.Signal]bool{}}
	w.begin()
	return w
}

// begin starts the process: cat, which answers with what it is asked.
func (w *witness) begin() {
	w.cmd = nil
	cmd := exec.Command("/bin/sh", "-c", "ulimit -c 0; exec cat")
	cmd.Env = []string{"PATH=/bin:/usr/bin"} // and no secret
	asks, ask, err := os.Pipe()
	if err != nil {
		return
	}
	cmd.Stdin = asks
	answer, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		_, _ = ask.Close(), asks.Close()
		return
	}
	w.cmd, w.ask, w.asks = cmd, ask, asks
	answers, changed := make(chan byte, 256), make(chan syscall.WaitStatus, 8)
	w.answers, w.changed = answers, changed
	go func() {
		for b := [1]byte{}; ; {
			if _, err := io.ReadFull(answer, b[:]); err != nil {
				return
			}
			answers <- b[0]
		}
	}()
	go func() {
		for {
			ws, err := await(cmd.Process.Pid)
			changed <- ws
			if err != nil || !ws.Stopped() {
				_ = cmd.Wait() // closes the pipes
				return
			}
		}
	}()
}

// got reports whether a signal that rhx has got went to its whole group. Without a
// witness it did not: a signal that comes twice is better than none.
func (w *witness) got(s syscall.Signal) bool {
	if w.seen[s] {
		delete(w.seen, s)
		return true
	}
	if w.cmd == nil {
		return false
	}
	// The kernel holds its list of processes while it gives a signal to a group, and
	// this call, which changes nothing, waits for that list.
	_ = syscall.Setpgid(0, syscall.Getpgrp())
	w.asked++
	_, _ = w.ask.Write([]byte{w.asked}) // where it is gone, changed says so
	for {
		select {
		case b := <-w.answers:
			if b == w.asked {
				return false
			}
		case ws := <-w.changed:
			by := ws.StopSignal()
			if ws.Stopped() {
				w.goOn() // to answer the next time: the command may have gone on
			} else {
				by = ws.Signal()
				w.end()
				w.begin()
			}
			if by != s {
				w.seen[by] = true
			}
			return by == s
		}
	}
}

// goOn continues a process that stopped with the group.
func (w *witness) goOn() {
	if w.cmd != nil {
		_ = syscall.Kill(w.cmd.Process.Pid, syscall.SIGCONT)
	}
}

func (w *witness) end() {
	if w.cmd != nil {
		_, _ = w.ask.Close(), w.asks.Close()
		_ = w.cmd.Process.Kill()
	}
}

// watch has a process of its own remove a folder when this one is gone, however it
// ends. It is out of reach of what is sent to this one's group or terminal.
func watch(dir string) (end func()) {
	cmd := exec.Command("/bin/sh", "-c", `cat && rm -rf -- "$1"`, "sh", dir)
	cmd.Env, cmd.Dir = []string{"PATH=/bin:/usr/bin"}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	alive, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return func() {} // the next rhx removes it
	}
	return func() { _ = alive.Close(); _ = cmd.Wait() }
}
