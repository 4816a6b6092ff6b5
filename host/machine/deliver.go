package machine

import (
	"context"
	"errors"
)

// ErrNotFetched is the error of WriteVia where the machine could not fetch the
// contents; its text is what the command said.
var ErrNotFetched = errors.New("the contents could not be fetched there")

// ErrAltered is the error of WriteVia where what the machine fetched is not what
// hand was given, or cannot be compared with it there. None of it was run.
var ErrAltered = errors.New("what was fetched there is not what was handed over")

// Deliverer is a machine to which the contents of files can come on a way of
// their own.
type Deliverer interface {
	// WriteVia is Write, but the new and old contents are not in what is sent to
	// the machine: hand gets them, as a text that the shell there understands, and
	// returns how the machine fetches it. The machine runs the text only if its
	// SHA-256 is the one that comes with the request: who keeps the text on its
	// way can withhold it, but not have something else run.
	WriteVia(ctx context.Context, changes []Change, hand func(text []byte) (Fetch, error)) ([]error, error)
}

// Fetch is a command, for a POSIX shell, that prints a text. Env is what is secret
// of it, such as a token: it is in no list of processes.
type Fetch struct {
	Command string
	Env     []Var
}

var _ Deliverer = (*sshMachine)(nil)
