package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/rhx-dev/rhx/host/fault"
)

// errNoPrompt is the error of a question that nobody can answer.
var errNoPrompt = errors.New("an answer is needed, and there is no terminal to ask on")

// terminal is where a person is asked: the terminal of the process itself, so
// that pipes on the standard streams do not matter.
type terminal struct{ in, out *os.File }

func openTerminal() (*terminal, error) {
	if runtime.GOOS == "windows" {
		in, err := os.OpenFile("CONIN$", os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		out, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
		return &terminal{in, out}, err
	}
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	return &terminal{f, f}, err
}

func (t *terminal) close() {
	_ = t.in.Close()
	_ = t.out.Close()
}

// canAsk reports whether a person can be asked whether to go on: they started
// the command at a terminal and did not redirect its input.
func (a *app) canAsk() bool {
	if a.NoInput || !a.InTTY {
		return false
	}
	return a.hasTerminal()
}

func (a *app) hasTerminal() bool {
	if a.NoInput {
		return false
	}
	t, err := openTerminal()
	if err == nil {
		t.close()
	}
	return err == nil
}

// ask returns a person's yes or no; anything but yes is no.
func (a *app) ask(question string) bool {
	line, _ := a.line(question + " [y/N] ")
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

// line asks for a text that may be seen.
func (a *app) line(prompt string) (string, error) {
	t, err := a.terminal(prompt)
	if err != nil {
		return "", err
	}
	defer t.close()
	defer a.live.hide()()
	// Reading does not end with a context.
	stop := onStop(func() {
		fmt.Fprintln(t.out)
		os.Exit(130)
	})
	defer stop()
	fmt.Fprint(t.out, prompt)
	line, err := bufio.NewReader(oneByte{t.in}).ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// hidden asks for a text that is not shown. The terminal shows nothing of what
// is typed from before the prompt is there, however fast somebody types.
func (a *app) hidden(prompt string) (string, error) {
	t, err := a.terminal(prompt)
	if err != nil {
		return "", err
	}
	defer t.close()
	defer a.live.hide()()
	fd := int(t.in.Fd())
	old, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(fd, old) }()
	// A signal from elsewhere must not leave the terminal raw either.
	stop := onStop(func() {
		_ = term.Restore(fd, old)
		fmt.Fprintln(t.out)
		os.Exit(130)
	})
	defer stop()
	text, err := term.NewTerminal(readWriter{oneByte{t.in}, t.out}, "").ReadPassword(prompt)
	if errors.Is(err, io.EOF) { // Ctrl-C or Ctrl-D
		fmt.Fprint(t.out, "\r\n")
		return "", exitCode(130)
	}
	return text, err
}

type readWriter struct {
	io.Reader
	io.Writer
}

func (a *app) terminal(prompt string) (*terminal, error) {
	if !a.NoInput {
		if t, err := openTerminal(); err == nil {
			return t, nil
		}
	}
	return nil, fault.WithHint(errNoPrompt, "the question would be: "+strings.TrimSpace(prompt))
}

// oneByte reads byte by byte, so that a buffer takes nothing after the line.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return o.r.Read(p[:1])
}
