package main

import (
	"os"
	"os/signal"
	"syscall"
)

// stopSignals are the signals that end the program in order.
func stopSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// onInterrupt calls f at Ctrl-C until stop is called.
func onInterrupt(f func()) (stop func()) {
	c := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(c, os.Interrupt)
	go func() {
		select {
		case <-c:
			f()
		case <-done:
		}
	}()
	return func() { signal.Stop(c); close(done) }
}
