package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/rhx-dev/rhx/host/fault"
)

// errNoPrompt is the error of a question that nobody can answer.
var errNoPrompt = errors.New("an answer is needed, and there is no terminal to ask on")

// canAsk reports whether a person can be asked. Questions go to the terminal
// itself, so that a pipe on stdin or stdout does not matter.
func (a *app) canAsk() bool { return !a.NoInput && a.InTTY && a.ErrTTY }

// ask returns a person's yes or no; anything but yes is no.
func (a *app) ask(question string) bool {
	if !a.canAsk() {
		return false
	}
	fmt.Fprintf(a.Err, "%s [y/N] ", question)
	line, _ := a.readLine()
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

// readLine reads one line and nothing after it.
func (a *app) readLine() (string, error) {
	line, err := bufio.NewReader(oneByte{a.In}).ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// hidden asks for a text that is not shown.
func (a *app) hidden(prompt string) (string, error) {
	in, ok := a.In.(*os.File)
	if !ok || !a.canAsk() {
		return "", fault.WithHint(errNoPrompt, "the prompt would be: "+strings.TrimSpace(prompt))
	}
	fmt.Fprint(a.Err, prompt)
	fd := int(in.Fd())
	// Ctrl-C while the echo is off must not leave the terminal so.
	old, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	stop := onInterrupt(func() {
		_ = term.Restore(fd, old)
		fmt.Fprintln(a.Err)
		os.Exit(130)
	})
	defer stop()
	b, err := term.ReadPassword(fd)
	fmt.Fprintln(a.Err)
	return string(b), err
}

// oneByte reads byte by byte, so that a buffer takes nothing after the line.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return o.r.Read(p[:1])
}
