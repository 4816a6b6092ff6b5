// Package term is the edge between rhx and whoever reads what it prints: tables,
// colour, questions, progress. All that people read goes through a [Terminal],
// which makes it fit for one: see [Text]. What is for programs, JSON or a value
// itself, goes through [Terminal.Data] as it is.
package term

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	xterm "golang.org/x/term"
)

// Streams are the program's connections to the outside.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// InTTY, OutTTY and ErrTTY report that a stream is a terminal.
	InTTY, OutTTY, ErrTTY bool
}

// System returns the streams of this process.
func System() Streams {
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTTY:  xterm.IsTerminal(int(os.Stdin.Fd())),
		OutTTY: xterm.IsTerminal(int(os.Stdout.Fd())),
		ErrTTY: xterm.IsTerminal(int(os.Stderr.Fd())),
	}
}

// Terminal is where people read and are asked. Its streams need not be terminals.
type Terminal struct {
	// In is the standard input, as it is.
	In io.Reader
	// Out and Err take text for people, whole lines or a part that has no broken
	// character at its ends. It is written as [Text] makes it.
	Out, Err io.Writer
	// InTTY, OutTTY and ErrTTY report that a stream is a terminal.
	InTTY, OutTTY, ErrTTY bool
	Getenv                func(string) string
	// Paint is when there is colour: always, never, or by what the stream is.
	Paint string

	raw      Streams
	out, err *stream
	live     *Live  // nil where none is shown
	board    *Board // likewise
}

// New returns the terminal of some streams.
func New(s Streams, getenv func(string) string) *Terminal {
	t := &Terminal{In: s.In, InTTY: s.InTTY, OutTTY: s.OutTTY, ErrTTY: s.ErrTTY, Getenv: getenv, raw: s}
	t.out, t.err = &stream{t: t, w: s.Out, tty: s.OutTTY}, &stream{t: t, w: s.Err, tty: s.ErrTTY}
	t.Out, t.Err = text{t.out}, text{t.err}
	return t
}

// Streams are the streams as they are, for a command that takes rhx's place.
func (t *Terminal) Streams() Streams { return t.raw }

// Data is the standard output for what is not written for people.
func (t *Terminal) Data() io.Writer { return t.out }

// ErrData is the standard error for what is not written for people.
func (t *Terminal) ErrData() io.Writer { return t.err }

// stream is a stream that the live display gives way to.
type stream struct {
	t   *Terminal
	w   io.Writer
	tty bool

	mu   sync.Mutex
	lost error
}

func (s *stream) Write(p []byte) (int, error) {
	if l := s.t.live; l != nil && s.tty {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.erase()
	}
	write := s.w.Write
	if b := s.t.board; b != nil && s.tty {
		write = func(p []byte) (int, error) { return b.above(p, s.w.Write) }
	}
	n, err := write(p)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.lost == nil {
			s.lost = err
		}
	}
	return n, err
}

// Lost returns the first error of a write to the standard output: not all that was to
// be printed has been.
func (t *Terminal) Lost() error {
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	return t.out.lost
}

// text writes what people read.
type text struct{ s *stream }

func (w text) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.s, Text(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Warn prints something that stops nothing.
func (t *Terminal) Warn(text string) { t.labelled("33", "rhx: warning:", text) }

// Alarm prints what somebody must not overlook, all of it in red.
func (t *Terminal) Alarm(text string) {
	for line := range strings.Lines(text) {
		_, _ = io.WriteString(t.err, t.paint("31", Line(strings.TrimSuffix(line, "\n")), t.ErrTTY)+"\n")
	}
}

// Say prints a line of a result, with a label in a colour before it.
func (t *Terminal) Say(color, label, text string) {
	_, _ = io.WriteString(t.out, t.paint(color, Line(label), t.OutTTY)+" "+Line(text)+"\n")
}

// Fail prints what failed, and the hint, if there is one, what can be done about it.
func (t *Terminal) Fail(text, hint string) {
	t.labelled("31", "rhx:", text)
	if hint != "" {
		fmt.Fprintf(t.Err, "  %s\n", strings.ReplaceAll(hint, "\n", "\n  "))
	}
}

// labelled prints text to stderr with a label in front of every line, so that no
// line can be taken for another one.
func (t *Terminal) labelled(code, label, text string) {
	label = t.paint(code, label, t.ErrTTY)
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(label + " " + Text(line) + "\n")
	}
	_, _ = io.WriteString(t.err, b.String())
}

// colored reports whether text for a stream may have colour.
func (t *Terminal) colored(tty bool) bool {
	switch t.Paint {
	case "always":
		return true
	case "never":
		return false
	}
	return tty && t.Getenv("NO_COLOR") == "" && !t.dumb()
}

// dumb reports a terminal that knows text and line breaks only.
func (t *Terminal) dumb() bool { return t.Getenv("TERM") == "dumb" }

func (t *Terminal) paint(code, text string, tty bool) string {
	if code == "" || !t.colored(tty) {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Width is how many columns the terminal has that stdout is; 80 where it is none.
func (t *Terminal) Width() int { return widthOf(t.raw.Out) }

// widthOf is how many columns the terminal has that w is; 80 where it is none.
func widthOf(w io.Writer) int {
	width, _ := sizeOf(w)
	return width
}

// sizeOf is how many columns and lines the terminal has that w is; 80 and 24 where it is none.
func sizeOf(w io.Writer) (width, height int) {
	width, height = 80, 24
	if f, ok := w.(*os.File); ok {
		if w, h, err := xterm.GetSize(int(f.Fd())); err == nil && w > 0 {
			if width = w; h > 0 {
				height = h
			}
		}
	}
	return width, height
}
