//go:build unix

package child

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/rhx-dev/rhx/host/machine"
)

// resizes tells the new sizes of a terminal until stop is called.
func resizes(fd int) (sizes <-chan machine.Size, stop func()) {
	changed := make(chan os.Signal, 1)
	out := make(chan machine.Size, 1)
	done := make(chan struct{})
	signal.Notify(changed, syscall.SIGWINCH)
	go func() {
		for {
			select {
			case <-changed:
			case <-done:
				return
			}
			columns, rows, err := term.GetSize(fd)
			if err != nil {
				continue
			}
			select {
			case out <- machine.Size{Columns: columns, Rows: rows}:
			case <-done:
				return
			}
		}
	}()
	return out, func() { signal.Stop(changed); close(done) }
}

// forwardSignals gives a command on a host the signals that this process gets,
// which then do not end it. A second one of a kind does: the host may not pass
// them on.
func forwardSignals(spec *machine.RunSpec, takeOver func()) (stop func()) {
	names := map[os.Signal]string{syscall.SIGINT: "INT", syscall.SIGTERM: "TERM", syscall.SIGHUP: "HUP", syscall.SIGQUIT: "QUIT"}
	got := make(chan os.Signal, 4)
	out := make(chan string, 4)
	done := make(chan struct{})
	for s := range names {
		signal.Notify(got, s)
	}
	takeOver()
	spec.Signals = out
	go func() {
		for {
			select {
			case s := <-got:
				signal.Reset(s)
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
