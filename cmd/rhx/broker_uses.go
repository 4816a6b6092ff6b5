//go:build !slim

package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/broker"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/session"
)

const (
	// usesEvery is how often repeated uses are counted: those of one kind in between are
	// one line, and one more with their number, so that a command in a loop does not push
	// all else out of the log.
	usesEvery = time.Second
	// maxKinds is how many lines there are at once; what comes beyond has no path, and
	// then no host.
	maxKinds = 200
	// maxLines is how many lines a run has before that is always so.
	maxLines = 5000
)

// useLog writes what the broker used secrets for to the log.
type useLog struct {
	log     func([]session.Event) error
	command string // of rhx
	stop    chan struct{}
	done    sync.WaitGroup
	writing sync.Mutex // is held over what new has until that is written

	mu    sync.Mutex
	times map[useOf]int  // since the last tick
	new   []useOf        // of these, the first ones of a kind that nobody writes yet
	open  map[useOf]bool // and those that are not written
	lines int
	err   error
}

// useOf is a use by a command on a machine.
type useOf struct {
	at place.Place
	broker.Used
}

func newUseLog(log func([]session.Event) error, command string) *useLog {
	u := &useLog{log: log, command: command, stop: make(chan struct{}), times: map[useOf]int{}, open: map[useOf]bool{}}
	u.done.Go(func() {
		tick := time.NewTicker(usesEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				u.count()
			case <-u.stop:
				u.count()
				return
			}
		}
	})
	return u
}

// of is what is told of the uses by a command on a machine. The first use of a kind is in
// the log when that returns, which is before the command gets the answer: where rhx is
// killed, numbers are lost and no use.
func (u *useLog) of(at place.Place) func(broker.Used) {
	return func(use broker.Used) {
		if u.add(useOf{at, use}) {
			u.write()
		}
	}
}

// add counts a use, and reports whether the first of its kind is still to be written.
func (u *useLog) add(use useOf) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	much := u.lines >= maxLines
	if u.times[use] == 0 && (much || len(u.times) >= maxKinds) {
		use.Method, use.Path = "…", "/…"
		if use.Left != "" {
			use.Left = "…"
		}
	}
	if u.times[use] == 0 && (much || len(u.times) >= 2*maxKinds) {
		use.Host = "…"
	}
	if u.times[use]++; u.times[use] == 1 {
		u.new, u.open[use] = append(u.new, use), true
		u.lines++
	}
	return u.open[use]
}

// write writes the first uses that are not written yet, also those of others, or waits
// until they are.
func (u *useLog) write() {
	u.writing.Lock()
	defer u.writing.Unlock()
	u.mu.Lock()
	list := u.new
	u.new = nil
	u.mu.Unlock()
	var events []session.Event
	for _, use := range list {
		events = append(events, u.event(use))
	}
	u.append(events)
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, use := range list {
		delete(u.open, use)
	}
}

// count writes how many more uses of each kind there were since the last time.
func (u *useLog) count() {
	u.write()
	u.mu.Lock()
	times := u.times
	u.times = map[useOf]int{}
	u.mu.Unlock()
	var events []session.Event
	for use, n := range times {
		if n > 1 {
			e := u.event(use)
			if n > 2 {
				e.Times = n - 1
			}
			events = append(events, e)
		}
	}
	u.mu.Lock()
	u.lines += len(events)
	u.mu.Unlock()
	slices.SortFunc(events, func(a, b session.Event) int { return strings.Compare(a.To, b.To) })
	u.append(events)
}

func (u *useLog) event(use useOf) session.Event {
	e := session.Event{Command: u.command, Machine: use.at.String(), Secret: use.Secret, To: use.Method + " " + use.Host + use.Path, Action: "used", Status: use.Status}
	if use.Left != "" {
		e.Action = "not used (" + use.Left + ")"
	}
	return e
}

func (u *useLog) append(events []session.Event) {
	if err := u.log(events); err != nil {
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
