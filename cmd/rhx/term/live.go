package term

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Live shows on one line of a terminal how far work on many hosts is, and which
// of them keep it waiting. A nil Live does nothing.
type Live struct {
	w     io.Writer
	width func() int
	hosts int

	mu           sync.Mutex
	began        map[string]time.Time
	done, failed int
	shown        bool
	hidden       int // how many want the terminal for themselves
	ended        bool
	stop         chan struct{}
}

// Watch shows the state of work on so many hosts on a line of stderr until
// [Live.End] is called. What is printed meanwhile comes above it.
func (t *Terminal) Watch(hosts int) *Live {
	l := &Live{w: t.raw.Err, width: func() int { return widthOf(t.raw.Err) }, hosts: hosts, began: map[string]time.Time{}, stop: make(chan struct{})}
	t.live = l
	go func() {
		tick := time.NewTicker(barEvery)
		defer tick.Stop()
		from := time.Now().Add(barAfter)
		for {
			select {
			case <-l.stop:
				return
			case now := <-tick.C:
				if now.After(from) {
					l.draw(now)
				}
			}
		}
	}()
	return l
}

// Begin says that work on a host begins.
func (l *Live) Begin(host string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began[host] = time.Now()
}

// Finish says that work on a host is done.
func (l *Live) Finish(host string, failed bool) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.began, host)
	if failed {
		l.failed++
	} else {
		l.done++
	}
}

// End erases the line for good.
func (l *Live) End() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	if !l.ended {
		l.ended = true
		close(l.stop)
	}
}

// hide erases the line until show is called: somebody is asked something.
func (l *Live) hide() (show func()) {
	if l == nil {
		return func() {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	l.hidden++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.hidden--
	}
}

func (l *Live) draw(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.hidden > 0 || l.done+l.failed == l.hosts { // nothing is waited for any more
		return
	}
	l.shown = true
	fmt.Fprint(l.w, "\r"+l.line(now, l.width())+"\x1b[K")
}

func (l *Live) erase() {
	if l.shown {
		l.shown = false
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}

// line is the line for a terminal of a width; shorter than that, so that no
// terminal wraps it.
func (l *Live) line(now time.Time, width int) string {
	text := fmt.Sprintf("%d of %d done", l.done, l.hosts)
	if l.failed > 0 {
		text += fmt.Sprintf(", %d failed", l.failed)
	}
	text += fmt.Sprintf(", %d running", len(l.began))
	if waiting := l.hosts - l.done - l.failed - len(l.began); waiting > 0 {
		text += fmt.Sprintf(", %d waiting", waiting)
	}
	slowest := slices.SortedFunc(maps.Keys(l.began), func(x, y string) int {
		return cmp.Or(l.began[x].Compare(l.began[y]), strings.Compare(x, y))
	})
	// Whole names, as many as there is room for.
	sep := ": "
	for _, h := range slowest {
		more := fmt.Sprintf("%s%s %ds", sep, Line(h), int(now.Sub(l.began[h])/time.Second))
		if columns(text+more) >= width {
			break
		}
		text, sep = text+more, ", "
	}
	r := []rune(text)
	return string(r[:max(0, min(len(r), width-1))])
}
