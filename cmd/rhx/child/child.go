// Package child runs the commands that get secrets: in rhx's place, as a child
// whose output is masked or beside which there are files, and on hosts.
package child

import (
	"fmt"
	"io"

	"github.com/rhx-dev/rhx/host/confine"
	"github.com/rhx-dev/rhx/host/mask"
)

// Streams are rhx's own streams, which a command gets.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// InTTY, OutTTY and ErrTTY report that a stream is a terminal.
	InTTY, OutTTY, ErrTTY bool
}

// Runner runs commands.
type Runner struct {
	Streams
	Getenv func(string) string
	// TakeOver ends what rhx does at signals: from then on they are the command's.
	TakeOver func()
	// Connections says that rhx has connections of its own while a command runs. A PIPE is
	// theirs then, and not passed on.
	Connections bool
	// Mask masks what a command writes; nil masks nothing. It is not for [Runner.Exec].
	Mask *mask.Masker
	// Confined hides this machine from the command; nil means that the command is not confined.
	// [Runner.Exec] is not to be used with it.
	Confined *confine.Run
}

// BySignal is set in the status of a command that a signal has ended; the rest of it is
// 128 and the signal's number, as shells have it. A command may also give that number
// itself.
const BySignal = 1 << 8

// StartError is the error of a command that was not started.
type StartError struct {
	Name string
	Err  error
	// Status is the exit status that env(1) gives: 127 for a command that is not
	// there, 126 for one that cannot be run.
	Status int
}

func (e *StartError) Error() string { return fmt.Sprintf("run %s: %v", e.Name, e.Err) }
func (e *StartError) Unwrap() error { return e.Err }
