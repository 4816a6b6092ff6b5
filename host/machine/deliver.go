package machine

import (
	"context"
	"errors"
)

// ErrNotFetched is the error of WriteVia where the machine could not fetch the
// contents; its text is what the command said.
var ErrNotFetched = errors.New("the contents could not be fetched there")

// Deliverer is a machine to which the contents of files can come on a way of
// their own.
type Deliverer interface {
	// WriteVia is Write, but the new and old contents are not in what is sent to
	// the machine: hand gets them, as a text that the shell there understands, and
	// returns how the machine fetches it.
	WriteVia(ctx context.Context, changes []Change, hand func(text []byte) (Fetch, error)) ([]error, error)
}

// Fetch is a command, for a POSIX shell, that prints a text. Env is what is secret
// of it, such as a token: it is in no list of processes.
type Fetch struct {
	Command string
	Env     []Var
}

var _ Deliverer = (*sshMachine)(nil)
