package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/place"
)

func TestFailuresOfOneCauseAreOneLine(t *testing.T) {
	var f failures
	a, b, c := place.Host("web1"), place.Host("web2"), place.Host("web3")
	f.add(b, "", fmt.Errorf("connect to web2: connection refused"))
	f.add(a, "", fmt.Errorf("web1: connect to web1: connection refused"))
	f.add(a, "", fmt.Errorf("web1: connect to web1: connection refused"))
	f.add(c, "", errors.New("connect to web3: no route"))
	f.add(c, "aws", errors.New("differs"))
	f.add(a, "aws", errors.New("differs"))
	f.add(a, "openai", errors.New("differs"))
	f.add(c, "openai", fault.WithHint(errors.New("differs"), "look there"))
	f.add(place.Here, "openai", errors.New("differs"))
	want := [][2]string{
		{"web1, web2", "connection refused"},
		{"web3", "no route"},
		{"web1, web3: aws", "differs"},
		{"local, web1: openai", "differs"},
		{"web3: openai", "differs"},
	}
	if len(f.list) != len(want) {
		t.Fatalf("%+v", f.list)
	}
	for i, w := range want {
		if subject, text := f.list[i].told(); subject != w[0] || text != w[1] {
			t.Errorf("%s: %s, want %v", subject, text, w)
		}
	}
}
