//go:build !slim

package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/broker"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/session"
)

const (
	// usesEvery is how often uses are written to the log: those of one kind in between
	// are one line, so that a command in a loop does not push all else out of it.
	usesEvery = time.Second
	// maxKinds is how many lines there are at once; what comes beyond has no path, and
	// then no host.
	maxKinds = 200
	// maxLines is how many lines a run has before that is always so.
	maxLines = 5000
)

// useLog writes what the broker used secrets for to the log.
type useLog struct {
	e       *engine.Engine
	command string // of rhx
	stop    chan struct{}
	done    sync.WaitGroup

	mu    sync.Mutex
	times map[useOf]int
	order []useOf
	lines int
	err   error
}

// useOf is a use by a command on a machine.
type useOf struct {
	at place.Place
	broker.Used
}

func newUseLog(e *engine.Engine, command string) *useLog {
	u := &useLog{e: e, command: command, stop: make(chan struct{}), times: map[useOf]int{}}
	u.done.Go(func() {
		tick := time.NewTicker(usesEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				u.write()
			case <-u.stop:
				u.write()
				return
			}
		}
	})
	return u
}

// of is what is told of the uses by a command on a machine.
func (u *useLog) of(at place.Place) func(broker.Used) {
	return func(use broker.Used) { u.add(useOf{at, use}) }
}

func (u *useLog) add(use useOf) {
	u.mu.Lock()
	defer u.mu.Unlock()
	much := u.lines >= maxLines
	if u.times[use] == 0 && (much || len(u.order) >= maxKinds) {
		use.Method, use.Path = "…", "/…"
		if use.Left != "" {
			use.Left = "…"
		}
	}
	if u.times[use] == 0 && (much || len(u.order) >= 2*maxKinds) {
		use.Host = "…"
	}
	if u.times[use]++; u.times[use] == 1 {
		u.order = append(u.order, use)
		u.lines++
	}
}

// write writes what has come since the last time.
func (u *useLog) write() {
	u.mu.Lock()
	order, times := u.order, u.times
	u.order, u.times = nil, map[useOf]int{}
	u.mu.Unlock()
	var events []session.Event
	for _, use := range order {
		e := session.Event{Command: u.command, Machine: use.at.String(), Secret: use.Secret, To: use.Method + " " + use.Host + use.Path, Action: "used", Status: use.Status}
		if use.Left != "" {
			e.Action = "not used (" + use.Left + ")"
		}
		if times[use] > 1 {
			e.Times = times[use]
		}
		events = append(events, e)
	}
	if err := u.e.Book.Log(events); err != nil {
		u.mu.Lock()
		u.err = err
		u.mu.Unlock()
	}
}

// close writes the rest. The error is that of what could not be written.
func (u *useLog) close() error {
	close(u.stop)
	u.done.Wait()
	if u.err != nil {
		return fmt.Errorf("what the broker did could not be written to the log: %w", u.err)
	}
	return nil
}
