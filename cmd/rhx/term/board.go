package term

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// boardAfter is how long work may take before a table of it is shown.
const boardAfter = 300 * time.Millisecond

// Board shows a table on a terminal while it fills in: each time it is drawn in the place of
// the one before. What is printed meanwhile comes above it. A nil Board does nothing.
type Board struct {
	t    *Terminal
	w    io.Writer
	size func() (width, height int)
	wait *time.Timer

	mu     sync.Mutex
	table  *Table
	begun  bool
	lines  int // that are shown
	hidden int // how many want the terminal for themselves
	ended  bool
}

// Board returns what a table is drawn on until [Board.End] is called: stdout, where that is a
// terminal on which lines can be drawn anew, else nil. Work that takes a moment only is not
// shown.
func (t *Terminal) Board() *Board {
	if !t.OutTTY || t.dumb() {
		return nil
	}
	b := t.newBoard(func() (int, int) { return sizeOf(t.raw.Out) })
	b.wait = time.AfterFunc(boardAfter, b.begin)
	return b
}

func (t *Terminal) newBoard(size func() (width, height int)) *Board {
	t.board = &Board{t: t, w: t.raw.Out, size: size}
	return t.board
}

// begin has the table shown from now on.
func (b *Board) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun = true
	b.draw()
}

// Show shows a table in the place of the one before.
func (b *Board) Show(table Table) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.table = &table
	b.draw()
}

// End erases the table for good.
func (b *Board) End() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wait != nil {
		b.wait.Stop()
	}
	b.erase()
	b.ended = true
}

// hide erases the table until show is called: somebody is asked something.
func (b *Board) hide() (show func()) {
	if b == nil {
		return func() {}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
	b.hidden++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.hidden--
		b.draw()
	}
}

// above has something written where the table is, and the table below that.
func (b *Board) above(p []byte, write func([]byte) (int, error)) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
	n, err := write(p)
	if len(p) > 0 && p[len(p)-1] == '\n' {
		b.draw()
	}
	return n, err
}

func (b *Board) draw() {
	if !b.begun || b.ended || b.hidden > 0 || b.table == nil {
		return
	}
	b.erase()
	width, height := b.size()
	lines := strings.SplitAfter(strings.TrimSuffix(b.t.render(*b.table, width), "\n"), "\n")
	// What has left the screen above cannot be drawn anew.
	lines = lines[:min(len(lines), max(0, height-1))]
	text := strings.TrimSuffix(strings.Join(lines, ""), "\n")
	if text == "" {
		return
	}
	b.lines = len(lines)
	fmt.Fprint(b.w, text+"\n")
}

func (b *Board) erase() {
	if b.lines > 0 {
		fmt.Fprintf(b.w, "\x1b[%dA\r\x1b[J", b.lines)
		b.lines = 0
	}
}
