package mask

import (
	"io"
	"sync"
	"time"
)

// Delays are how long a [Writer] waits for more of what may become a value when
// nothing comes: with less than [MinLength] bytes of it, with less than half, and
// with more. After that the first two are written, and the last is masked.
type Delays [most + 1]time.Duration

// Terminal is for output that somebody watches and types at: none of it is late.
// Programs write to a terminal by the line, so that a value comes in one piece.
func Terminal() Delays { return Delays{2 * time.Millisecond, 20 * time.Millisecond, time.Second} }

// Pipe is for output that programs write in blocks, which may end within a value.
func Pipe() Delays { return Delays{5 * time.Millisecond, 10 * time.Second, 10 * time.Second} }

// Writer masks what is written to it.
type Writer struct {
	mu     sync.Mutex
	w      io.Writer
	s      *stream
	delays Delays
	out    []byte
	timer  *time.Timer
	// writes counts them, so that a timer that has fired knows that it is late.
	writes int
	err    error
}

// Writer returns a Writer to w. What it holds back is lost without Close.
func (m *Masker) Writer(w io.Writer, delays Delays) *Writer {
	return &Writer{w: w, s: m.stream(), delays: delays}
}

// Write writes what cannot be a part of a value, masked, and holds back the rest.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	if w.timer != nil {
		w.timer.Stop()
	}
	w.pass(w.s.write(w.out[:0], p))
	w.wait(little)
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// wait releases what is held of a grade if nothing comes for a while.
func (w *Writer) wait(g grade) {
	if w.s.held() == 0 || w.err != nil || g > most {
		return
	}
	number, more := w.writes, w.delays[g]
	if g > little {
		more -= w.delays[g-1]
	}
	w.timer = time.AfterFunc(more, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.writes == number {
			w.pass(w.s.release(w.out[:0], g))
			w.wait(g + 1)
		}
	})
}

func (w *Writer) pass(out []byte) {
	w.out = out
	if len(out) > 0 && w.err == nil {
		_, w.err = w.w.Write(out)
	}
}

// Show writes what is held back but for the greater part of a value, as it would be
// after a while.
func (w *Writer) Show() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass(w.s.release(w.out[:0], some))
}

// Quiet has nothing be written until the next Write or Close: what is held back waits for
// that, however long it takes. Until then who writes has what it is written to alone.
func (w *Writer) Quiet() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	if w.timer != nil {
		w.timer.Stop()
	}
}

// Close writes what is held back. It does not close what it is written to.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	if w.timer != nil {
		w.timer.Stop()
	}
	w.pass(w.s.finish(w.out[:0]))
	return w.err
}
