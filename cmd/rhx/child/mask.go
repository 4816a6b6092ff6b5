package child

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/mask"
)

// superviseMasked runs a command as a child and passes on what it writes, masked.
// On a terminal the command has one, too.
func (r *Runner) superviseMasked(argv, environ []string) (int, error) {
	if out, ok := r.Out.(*os.File); ok && r.OutTTY && hasPTY {
		return r.onPTY(argv, environ, out)
	}
	// Ended by the signal, rhx could not clean up.
	defer ignorePipeSignal()()
	out := r.Mask.Writer(r.Out, mask.Pipe())
	errOut := out
	if !sameFile(r.Out, r.Err) {
		errOut = r.Mask.Writer(r.Err, mask.Pipe())
	}
	status, err := r.run(argv, environ, r.In, out, errOut)
	return passedOn(status, err, errors.Join(out.Close(), errOut.Close()))
}

// passedOn is the end of a command of which rhx passes on what it writes: without the mask a
// command sees by itself that a disk is full, and here lost says so. That nobody reads on is no
// error: the command was told, by its pipe. One that has failed keeps its status.
func passedOn(status int, err, lost error) (int, error) {
	if err != nil || lost == nil || errors.Is(lost, syscall.EPIPE) || status != 0 && status&BySignal == 0 {
		return status, err
	}
	return 0, fmt.Errorf("what the command wrote is lost: %w", fault.Cause(lost))
}

// sameFile reports that two streams go to one place, where their order matters.
func sameFile(a, b io.Writer) bool {
	x, ok := a.(*os.File)
	y, also := b.(*os.File)
	if !ok || !also {
		return false
	}
	one, err := x.Stat()
	if err != nil {
		return false
	}
	two, err := y.Stat()
	return err == nil && os.SameFile(one, two)
}

// maskRemote has a command on a host write what it writes masked, until flush is
// called.
func maskRemote(spec *machine.RunSpec, m *mask.Masker, delays mask.Delays) (flush func() error) {
	if m == nil {
		return func() error { return nil }
	}
	out, errOut := m.Writer(spec.Stdout, delays), m.Writer(spec.Stderr, delays)
	spec.Stdout, spec.Stderr = out, errOut
	return func() error { return errors.Join(out.Close(), errOut.Close()) }
}
