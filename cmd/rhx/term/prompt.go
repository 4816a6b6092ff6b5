package term

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	xterm "golang.org/x/term"

	"github.com/rhx-dev/rhx/host/fault"
)

// ErrInterrupted is the error of a question at which somebody gave up, by Ctrl-C
// or Ctrl-D.
var ErrInterrupted = errors.New("interrupted")

// NoAnswer is the error of a question that nobody can be asked.
func NoAnswer(question string) error {
	return fault.WithHint(fault.Unasked(errors.New("an answer is needed, and there is no terminal to ask on")), "the question would be: "+strings.TrimSpace(question))
}

// controlling is where a person is asked: the terminal of the process itself, so
// that pipes on the standard streams do not matter.
type controlling struct{ in, out *os.File }

func openControlling() (*controlling, error) {
	if runtime.GOOS == "windows" {
		in, err := os.OpenFile("CONIN$", os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		out, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
		return &controlling{in, out}, err
	}
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	return &controlling{f, f}, err
}

func (c *controlling) close() {
	_ = c.in.Close()
	_ = c.out.Close()
}

// CanAsk reports whether the process has a terminal to ask on.
func (t *Terminal) CanAsk() bool {
	c, err := openControlling()
	if err == nil {
		c.close()
	}
	return err == nil
}

// Confirm returns a person's yes or no; anything but yes is no.
func (t *Terminal) Confirm(question string) bool {
	line, _ := t.Prompt(question + " [y/N] ")
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

// Prompt asks for a text that may be seen.
func (t *Terminal) Prompt(prompt string) (string, error) {
	c, err := openControlling()
	if err != nil {
		return "", NoAnswer(prompt)
	}
	defer c.close()
	defer t.live.hide()()
	defer t.board.hide()()
	// Reading does not end with a context.
	stop := OnStop(func() {
		fmt.Fprintln(c.out)
		os.Exit(130)
	})
	defer stop()
	fmt.Fprint(c.out, Text(prompt))
	line, err := bufio.NewReader(oneByte{c.in}).ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// Hidden asks for a text that is not shown. The terminal shows nothing of what
// is typed from before the prompt is there, however fast somebody types.
func (t *Terminal) Hidden(prompt string) (string, error) {
	c, err := openControlling()
	if err != nil {
		return "", NoAnswer(prompt)
	}
	defer c.close()
	defer t.live.hide()()
	defer t.board.hide()()
	fd := int(c.in.Fd())
	old, err := xterm.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer func() { _ = xterm.Restore(fd, old) }()
	// A signal from elsewhere must not leave the terminal raw either.
	stop := OnStop(func() {
		_ = xterm.Restore(fd, old)
		fmt.Fprintln(c.out)
		os.Exit(130)
	})
	defer stop()
	text, err := xterm.NewTerminal(readWriter{oneByte{c.in}, c.out}, "").ReadPassword(Text(prompt))
	if errors.Is(err, io.EOF) {
		fmt.Fprint(c.out, "\r\n")
		return "", ErrInterrupted
	}
	return text, err
}

type readWriter struct {
	io.Reader
	io.Writer
}

// oneByte reads byte by byte, so that a buffer takes nothing after the line.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return o.r.Read(p[:1])
}
