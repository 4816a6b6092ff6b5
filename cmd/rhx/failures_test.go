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

func TestTextsSayAMachineOnce(t *testing.T) {
	for _, c := range [][2]string{
		{"connect to web1: connection refused", "connection refused"},
		{"connect to web1:22: connection refused", "port 22: connection refused"},
		{"read ~/.netrc: connect to web1:22: no route", "read ~/.netrc: port 22: no route"},
		{"connect to web10:22: no route", "connect to web10:22: no route"},
		{"an answer from web1 is cut off", "an answer is cut off"},
		{"a jump to web1: refused", "a jump: refused"},
		{"a jump to web10: refused", "a jump to web10: refused"},
		{"a jump to web1.example.com: refused", "a jump to web1.example.com: refused"},
		{"nothing goes to web1", "nothing goes"},
	} {
		if got := withoutName(c[0], "web1"); got != c[1] {
			t.Errorf("%s: %q, not %q", c[0], got, c[1])
		}
	}
}
