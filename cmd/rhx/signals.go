package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// stopSignals are the signals that end the program in order.
func stopSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// onStop calls f at such a signal until stop is called. A second signal does what
// it does without rhx's doing: it ends the program.
func onStop(f func()) (stop func()) {
	c := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(c, stopSignals()...)
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
