//go:build !slim

package main

import (
	"fmt"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/broker"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/session"
)

// keptLog is a log in memory, of which the test says when a second is over.
type keptLog struct {
	*useLog
	mu     sync.Mutex
	events []session.Event
}

func newKeptLog() *keptLog {
	k := &keptLog{}
	k.useLog = &useLog{command: "run", times: map[useOf]int{}, open: map[useOf]bool{}, log: func(list []session.Event) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.events = append(k.events, list...)
		return nil
	}}
	return k
}

// A use is in the log before its answer is the command's, at the first time; how often
// there were more comes later.
func TestUsesAreWrittenAtOnce(t *testing.T) {
	k := newKeptLog()
	use := broker.Used{Secret: "lab", Host: "h", Method: "GET", Path: "/x", Status: 200}
	tell := k.of(place.Host("gpu"))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 100 {
				use := use
				use.Path = fmt.Sprint("/", i)
				tell(use)
				k.mu.Lock()
				found := false
				for _, e := range k.events {
					found = found || e.To == "GET h"+use.Path && e.Machine == "gpu" && e.Command == "run"
				}
				k.mu.Unlock()
				if !found {
					t.Errorf("%s is not in the log", use.Path)
				}
			}
		})
	}
	all.Wait()
	k.count()
	if len(k.events) != 200 {
		t.Fatalf("%d lines", len(k.events))
	}
	for i, e := range k.events {
		if want := map[bool]int{true: 0, false: 7}[i < 100]; e.Times != want || e.Status != 200 {
			t.Errorf("line %d: %+v", i, e)
		}
	}
	// One more is not "1 times", and none is no line.
	k.events = nil
	tell(use)
	tell(use)
	k.count()
	k.count()
	if len(k.events) != 2 || k.events[1].Times != 0 {
		t.Errorf("%+v", k.events)
	}
}

// A command cannot push all else out of the log, whatever it varies.
func TestUsesAreFolded(t *testing.T) {
	k := newKeptLog()
	tell := k.of(place.Here)
	for second := range 100 {
		was := len(k.events)
		for i := range 1000 {
			text := fmt.Sprint(second, "-", i)
			tell(broker.Used{Secret: "lab", Host: "h" + text, Method: "M" + text, Path: "/" + text, Left: "its placeholder is in the header " + text})
		}
		k.count()
		if n := len(k.events) - was; n > 2*maxKinds+2 {
			t.Fatalf("%d lines in a second", n)
		}
	}
	if n := len(k.events); n > maxLines+2*maxKinds+200 || k.lines != n {
		t.Errorf("%d lines", n)
	}
	// One host stays in the log for longer than its paths.
	k = newKeptLog()
	tell = k.of(place.Here)
	for i := range maxKinds + 10 {
		tell(broker.Used{Secret: "lab", Host: "h", Method: "GET", Path: fmt.Sprint("/", i), Status: 200})
	}
	k.count()
	if last := k.events[len(k.events)-1]; len(k.events) != maxKinds+2 || last.To != "… h/…" || last.Times != 9 {
		t.Errorf("%d lines, the last %+v", len(k.events), last)
	}
}
