package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// streams are the program's connections to the outside.
type streams struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	Environ  func() []string
	// InTTY, OutTTY and ErrTTY report that a stream is a terminal.
	InTTY, OutTTY, ErrTTY bool
}

func systemStreams() *streams {
	return &streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Getenv: os.Getenv, Environ: os.Environ,
		InTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
}

// colored reports whether text for a stream may have colour.
func (a *app) colored(tty bool) bool {
	switch a.Color {
	case "always":
		return true
	case "never":
		return false
	}
	return tty && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"
}

func (a *app) paint(code, text string, tty bool) string {
	if !a.colored(tty) {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (a *app) red(text string) string    { return a.paint("31", text, a.ErrTTY) }
func (a *app) yellow(text string) string { return a.paint("33", text, a.ErrTTY) }
