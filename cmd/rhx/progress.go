package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// A bar is shown for work that takes longer than barAfter, and drawn again at
// most every barEvery.
const (
	barAfter = time.Second
	barEvery = 100 * time.Millisecond
)

// bar shows how far work in many parts is, on one line of a terminal.
type bar struct {
	a     *app
	doing string
	parts int
	width func() int

	mu    sync.Mutex
	done  int
	next  time.Time // when to draw
	shown bool
}

// progress is host.Host's Progress: a bar on the terminal that stderr is.
func (a *app) progress(doing string, parts int) (step, end func()) {
	b := &bar{a: a, doing: doing, parts: parts, next: time.Now().Add(barAfter), width: a.terminalWidth}
	return b.step, b.end
}

// showsProgress reports whether a person watches.
func (a *app) showsProgress() bool {
	return a.ErrTTY && !a.Quiet && a.Output == "table" && a.Getenv("TERM") != "dumb"
}

func (b *bar) step() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	if now := time.Now(); b.done < b.parts && now.After(b.next) {
		b.next, b.shown = now.Add(barEvery), true
		fmt.Fprint(b.a.Err, "\r"+b.line(b.width())+"\x1b[K")
	}
}

// end erases the bar.
func (b *bar) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown {
		fmt.Fprint(b.a.Err, "\r\x1b[K")
	}
}

// line is the bar for a terminal of a width; shorter than that, so that no
// terminal wraps it.
func (b *bar) line(width int) string {
	const longest = 40
	count := fmt.Sprintf("%*d/%d", len(fmt.Sprint(b.parts)), b.done, b.parts)
	cells := min(longest, width-len(b.doing)-len(count)-6)
	if cells < 5 {
		return count[:max(0, min(len(count), width-1))]
	}
	full := cells * b.done / b.parts
	return b.doing + " [" + strings.Repeat("=", full) + strings.Repeat(" ", cells-full) + "] " + count
}

func (a *app) terminalWidth() int { return widthOf(a.Err) }

// widthOf is how many columns the terminal has that w is; 80 where it is none.
func widthOf(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return 80
}
