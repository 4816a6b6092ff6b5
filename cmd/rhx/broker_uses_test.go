//go:build !slim

package main

import (
	"fmt"
	"testing"

	"github.com/rhx-dev/rhx/host/broker"
	"github.com/rhx-dev/rhx/host/place"
)

// A command cannot push all else out of the log, whatever it varies.
func TestUsesAreFolded(t *testing.T) {
	u := &useLog{times: map[useOf]int{}}
	lines := 0
	for second := range 100 {
		for i := range 1000 {
			text := fmt.Sprint(second, "-", i)
			u.of(place.Here)(broker.Used{Secret: "lab", Host: "h" + text, Method: "M" + text, Path: "/" + text, Left: "its placeholder is in the header " + text})
		}
		lines += len(u.order)
		if len(u.order) > 2*maxKinds+1 {
			t.Fatalf("%d lines in a second", len(u.order))
		}
		u.order, u.times = nil, map[useOf]int{}
	}
	if lines > maxLines+2*maxKinds+100 || u.lines != lines {
		t.Errorf("%d lines", lines)
	}
	// One host stays in the log for longer than its paths.
	u = &useLog{times: map[useOf]int{}}
	for i := range maxKinds + 10 {
		u.of(place.Here)(broker.Used{Secret: "lab", Host: "h", Method: "GET", Path: fmt.Sprint("/", i), Status: 200})
	}
	last := u.order[len(u.order)-1]
	if len(u.order) != maxKinds+1 || u.times[last] != 10 || last.Host != "h" || last.Method != "…" || last.Path != "/…" {
		t.Errorf("%d lines, the last %+v, %d times", len(u.order), last, u.times[last])
	}
}
