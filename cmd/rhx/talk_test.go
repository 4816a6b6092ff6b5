package main

import (
	"io"
	"testing"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
)

func TestLiveOnlyWherePeopleWatch(t *testing.T) {
	for name, c := range map[string]struct {
		tty, quiet   bool
		output, term string
		want         bool
	}{
		"terminal":       {tty: true, output: "table", term: "xterm", want: true},
		"pipe":           {output: "table", term: "xterm"},
		"quiet":          {tty: true, quiet: true, output: "table", term: "xterm"},
		"JSON":           {tty: true, output: "json", term: "xterm"},
		"cannot erase":   {tty: true, output: "table", term: "dumb"},
		"YAML on a pipe": {output: "yaml", term: "xterm"},
	} {
		a := &app{Terminal: term.New(term.Streams{Out: io.Discard, Err: io.Discard, ErrTTY: c.tty}, func(string) string { return c.term }), globals: &globals{Quiet: c.quiet, Output: c.output}}
		l := a.watch(1)
		l.End()
		if got := l != nil; got != c.want {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}
