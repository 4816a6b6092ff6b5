//go:build unix

package child

import (
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/rhx-dev/rhx/host/machine"
)

// input is what a command on a host reads. A shell's & leaves it the terminal that rhx
// must not read.
func (r *Runner) input() io.Reader {
	if in := r.keyboard(); in != nil {
		return &keyboard{in, func() error { return nil }}
	}
	return r.In
}

// resizes tells the new sizes of a terminal, which had one before, until stop is called.
func resizes(fd int, before machine.Size, out chan<- machine.Size) (stop func()) {
	changed := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(changed, syscall.SIGWINCH)
	go func() {
		for {
			columns, rows, err := term.GetSize(fd)
			if now := (machine.Size{Columns: columns, Rows: rows}); err == nil && now != before {
				select {
				case out <- now:
				case <-done:
					return
				}
				before = now
			}
			select {
			case <-changed:
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(changed); close(done) }
}

// forwardSignals gives a command on a host the signals that this process gets, which
// then do not end it. A second one of a kind that is to end it does: the host may not
// pass them on. ALRM, which OpenSSH's server never does, ends rhx as it ends ssh.
func forwardSignals(out chan<- string, takeOver func()) (stop func()) {
	names := map[os.Signal]string{syscall.SIGINT: "INT", syscall.SIGTERM: "TERM", syscall.SIGHUP: "HUP", syscall.SIGQUIT: "QUIT",
		syscall.SIGUSR1: "USR1", syscall.SIGUSR2: "USR2"}
	got := make(chan os.Signal, 4)
	done := make(chan struct{})
	for s := range names {
		notify(got, s)
	}
	notify(got, syscall.SIGALRM)
	takeOver()
	go func() {
		for {
			select {
			case s := <-got:
				switch s {
				case syscall.SIGALRM:
					EndAs(BySignal | 128 + int(syscall.SIGALRM))
				case syscall.SIGUSR1, syscall.SIGUSR2:
				default:
					signal.Reset(s)
				}
				select {
				case out <- names[s]:
				case <-done:
					return
				}
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(got); close(done) }
}
