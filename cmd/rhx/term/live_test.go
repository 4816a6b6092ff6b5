package term

import (
	"strings"
	"testing"
	"time"
)

func TestLiveLine(t *testing.T) {
	now := time.Unix(1000, 0)
	l := &Live{hosts: 16, done: 3, failed: 1, began: map[string]time.Time{"fast": now.Add(-time.Second), "slow": now.Add(-12 * time.Second), "b\x1b[2J": now.Add(-time.Second)}}
	for width, want := range map[int]string{
		80: "3 of 16 done, 1 failed, 3 running, 9 waiting: slow 12s, b\\x1b[2J 1s, fast 1s",
		60: "3 of 16 done, 1 failed, 3 running, 9 waiting: slow 12s",
		50: "3 of 16 done, 1 failed, 3 running, 9 waiting",
		10: "3 of 16 d", 1: "", 0: "",
	} {
		if got := l.line(now, width); got != want {
			t.Errorf("%d columns: %q, not %q", width, got, want)
		}
	}
	l = &Live{hosts: 2, done: 1, began: map[string]time.Time{"x": now}}
	if got := l.line(now, 80); got != "1 of 2 done, 1 running: x 0s" {
		t.Errorf("%q", got)
	}
}

// Whatever is printed comes where the line was, never behind it.
func TestLiveGivesWay(t *testing.T) {
	var out strings.Builder
	l := &Live{w: &out, width: func() int { return 80 }, hosts: 1, began: map[string]time.Time{}, stop: make(chan struct{})}
	w := &stream{t: &Terminal{live: l}, w: &out, tty: true}
	show := func(text string) {
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	show("first\n")
	l.draw(time.Now())
	show("second\n")
	show("third\n")
	l.draw(time.Now())
	shown := l.hide()
	l.draw(time.Now()) // not while somebody is asked
	shown()
	l.draw(time.Now())
	l.Finish("x", true)
	show("last\n")
	l.draw(time.Now()) // not when there is nothing to wait for
	l.End()
	l.draw(time.Now())
	const line, gone = "\r0 of 1 done, 0 running, 1 waiting\x1b[K", "\r\x1b[K"
	if want := "first\n" + line + gone + "second\nthird\n" + line + gone + line + gone + "last\n"; out.String() != want {
		t.Errorf("%q, not\n%q", &out, want)
	}
	var none *Live
	none.Begin("x")
	none.Finish("x", true)
	none.hide()()
	none.End()
}
