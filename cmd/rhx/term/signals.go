package term

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// OnStop calls f at a signal that ends the program in order, until stop is called.
// A second signal does what it does without rhx's doing: it ends the program.
func OnStop(f func()) (stop func()) {
	c := make(chan os.Signal, 1)
	done := make(chan struct{})
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		if !signal.Ignored(s) { // as a shell has it for a command with &
			signal.Notify(c, s)
		}
	}
	go func() {
		select {
		case <-c:
			signal.Stop(c)
			f()
		case <-done:
		}
	}()
	return sync.OnceFunc(func() { signal.Stop(c); close(done) })
}
