package child

import (
	"io"
	"os"

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
	_ = out.Close() // nobody reads on: the command was told, by its pipe
	_ = errOut.Close()
	return status, err
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
func maskRemote(spec *machine.RunSpec, m *mask.Masker, delays mask.Delays) (flush func()) {
	if m == nil {
		return func() {}
	}
	out, errOut := m.Writer(spec.Stdout, delays), m.Writer(spec.Stderr, delays)
	spec.Stdout, spec.Stderr = out, errOut
	return func() { _ = out.Close(); _ = errOut.Close() }
}
