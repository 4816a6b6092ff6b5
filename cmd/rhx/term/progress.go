package term

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A bar is shown for work that takes longer than barAfter, and drawn again at
// most every barEvery.
const (
	barAfter = time.Second
	barEvery = 100 * time.Millisecond
)

// bar shows how far work in many parts is, on one line of a terminal.
type bar struct {
	w     io.Writer
	doing string
	parts int
	width func() int

	mu    sync.Mutex
	done  int
	next  time.Time // when to draw
	shown bool
}

// Progress shows how far work in many parts is, on a line of stderr: step is
// called after each part, end at the end.
func (t *Terminal) Progress(doing string, parts int) (step, end func()) {
	b := &bar{w: t.raw.Err, doing: Line(doing), parts: parts, next: time.Now().Add(barAfter), width: func() int { return widthOf(t.raw.Err) }}
	return b.step, b.end
}

// CanErase reports whether stderr is a terminal on which a line can be drawn anew.
func (t *Terminal) CanErase() bool { return t.ErrTTY && !t.dumb() }

func (b *bar) step() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	if now := time.Now(); b.done < b.parts && now.After(b.next) {
		b.next, b.shown = now.Add(barEvery), true
		fmt.Fprint(b.w, "\r"+b.line(b.width())+"\x1b[K")
	}
}

// end erases the bar.
func (b *bar) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// line is the bar for a terminal of a width; shorter than that, so that no
// terminal wraps it.
func (b *bar) line(width int) string {
	const longest = 40
	count := fmt.Sprintf("%*d/%d", len(fmt.Sprint(b.parts)), b.done, b.parts)
	cells := min(longest, width-columns(b.doing)-len(count)-6)
	if cells < 5 {
		return count[:max(0, min(len(count), width-1))]
	}
	full := cells * b.done / b.parts
	return b.doing + " [" + strings.Repeat("=", full) + strings.Repeat(" ", cells-full) + "] " + count
}
