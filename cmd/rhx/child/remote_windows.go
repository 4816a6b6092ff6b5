package child

import (
	"io"

	"github.com/rhx-dev/rhx/host/machine"
)

// input is what a command on a host reads.
func (r *Runner) input() io.Reader { return r.In }

// resizes: Windows has no signal for it.
func resizes(int, machine.Size, chan<- machine.Size) (stop func()) { return func() {} }

// forwardSignals: on Windows Ctrl-C ends rhx, and with it the connection.
func forwardSignals(chan<- string, func()) (stop func()) { return func() {} }
