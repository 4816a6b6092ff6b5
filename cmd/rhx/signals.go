package main

import (
	"os"
	"os/signal"
	"syscall"
)

// stopSignals are the signals that end the program in order.
func stopSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// onStop calls f at such a signal until stop is called.
func onStop(f func()) (stop func()) {
	c := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(c, stopSignals()...)
	go func() {
		select {
		case <-c:
			f()
		case <-done:
		}
	}()
	return func() { signal.Stop(c); close(done) }
}
