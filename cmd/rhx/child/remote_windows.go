package child

import "github.com/rhx-dev/rhx/host/machine"

// resizes: Windows has no signal for it.
func resizes(int) (sizes <-chan machine.Size, stop func()) { return nil, func() {} }

// forwardSignals: on Windows Ctrl-C ends rhx, and with it the connection.
func forwardSignals(*machine.RunSpec, func()) (stop func()) { return func() {} }
