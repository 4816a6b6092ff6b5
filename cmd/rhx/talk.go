package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/child"
	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/store"
)

// fail reports an error and returns the exit status that it stands for.
func (a *app) fail(err error) int {
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	status := 1
	var start *child.StartError
	switch kind := fault.KindOf(err); {
	case errors.As(err, &start):
		status = start.Status
	case kind == fault.Usage:
		status = 2
	case kind == fault.Partial:
		status = 3
	}
	if a.Output == "json" {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(struct {
			Error string `json:"error"`
			Hint  string `json:"hint,omitempty"`
			Kind  string `json:"kind"`
			Exit  int    `json:"exit"`
		}{err.Error(), fault.Hint(err), kindOf(err), status})
		_, _ = a.ErrData().Write(forProgram([]byte(b.String()), a.ErrTTY, escapeJSON))
		return status
	}
	a.Fail(err.Error(), fault.Hint(err))
	return status
}

// kindOf is what programs tell errors apart by.
func kindOf(err error) string {
	var differs *provider.ConflictError
	kind := fault.KindOf(err)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, detect.ErrNone):
		return "not_found"
	case errors.Is(err, store.ErrDenied):
		return "denied"
	case errors.Is(err, store.ErrConflict), errors.As(err, &differs):
		return "conflict"
	case kind == fault.Usage:
		return "usage"
	case kind == fault.Partial:
		return "partial"
	}
	return "failed"
}

// report prints the failure of one part of a command, with its hint.
func (a *app) report(name string, err error) {
	text := err.Error()
	if !strings.HasPrefix(text, name+":") {
		text = name + ": " + text
	}
	a.Fail(text, fault.Hint(err))
}

// say prints a sentence of a command's result, unless -q.
func (a *app) say(text string) {
	if !a.Quiet {
		fmt.Fprintln(a.Out, text)
	}
}

// warn prints something that a user should know and that stops nothing.
func (a *app) warn(text string) {
	if !a.Quiet {
		a.Warn(text)
	}
}

// tellContext says in which context containers are, of which their names say nothing.
func (a *app) tellContext(text string) {
	if !a.Quiet {
		fmt.Fprintln(a.Err, text)
	}
}

// note prints what is being done, with -v.
func (a *app) note(format string, args ...any) {
	if a.Verbose {
		fmt.Fprintf(a.Err, format+"\n", args...)
	}
}

// canAsk reports whether a person can be asked whether to go on: they started
// the command at a terminal and did not redirect its input.
func (a *app) canAsk() bool { return a.InTTY && a.hasTerminal() }

// canAskBeside is canAsk for a command that may read its input from stdin. piped says that it
// does: a question can then still be asked on the terminal, which is not stdin.
func (a *app) canAskBeside(piped bool) bool { return a.canAsk() || piped && a.hasTerminal() }

// hasTerminal reports whether a person can be asked for something.
func (a *app) hasTerminal() bool { return !a.NoInput && a.CanAsk() }

// ask returns a person's yes or no; anything but yes is no.
func (a *app) ask(question string) bool { return !a.NoInput && a.Confirm(question) }

// line asks for a text that may be seen.
func (a *app) line(prompt string) (string, error) {
	if a.NoInput {
		return "", term.NoAnswer(prompt)
	}
	return a.Prompt(prompt)
}

// hidden asks for a text that is not shown.
func (a *app) hidden(prompt string) (string, error) {
	if a.NoInput {
		return "", term.NoAnswer(prompt)
	}
	text, err := a.Hidden(prompt)
	if errors.Is(err, term.ErrInterrupted) {
		err = exitCode(130)
	}
	return text, err
}

// showsProgress reports whether a person watches.
func (a *app) showsProgress() bool {
	return a.CanErase() && !a.Quiet && a.Output == "table"
}

// watch shows the state of work on so many hosts, where a person watches; nil
// otherwise.
func (a *app) watch(hosts int) *term.Live {
	if !a.showsProgress() {
		return nil
	}
	return a.Watch(hosts)
}
