package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/place"
)

// RunOn runs a command on a host, with the streams, and returns its exit status.
// Where spec.TTY is set the command has a terminal there, which is this one. Until the
// command has started, ctx ends this, and signals and the terminal are rhx's.
func (r *Runner) RunOn(ctx context.Context, m machine.Machine, spec machine.RunSpec) (int, error) {
	spec.Stdin, spec.Stdout, spec.Stderr = r.input(), r.Out, r.Err
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	interrupted := context.AfterFunc(ctx, cancel)
	defer interrupted()
	var mu sync.Mutex // over what Started changes
	over := false
	restore := func() {}
	if spec.TTY {
		r.sizeTerminal(&spec)
	}
	signals := make(chan string, 4)
	spec.Signals = signals
	resizes := make(chan machine.Size, 1)
	if spec.TTY {
		spec.Resize = resizes
	}
	var lent error
	started := spec.Started
	spec.Started = func() {
		if started != nil {
			started()
		}
		mu.Lock()
		defer mu.Unlock()
		if over || !interrupted() {
			return
		}
		stop := forwardSignals(signals, r.TakeOver)
		restore = stop
		if spec.TTY {
			var back func()
			if back, lent = r.lendTerminal(spec.Size, resizes); lent != nil {
				cancel()
				return
			}
			restore = func() { back(); stop() }
		}
	}
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		restore()
	}()
	delays := mask.Pipe()
	if r.OutTTY {
		delays = mask.Terminal()
	}
	flush := maskRemote(&spec, r.Mask, delays)
	status, err := runOn(running, m, spec)
	_ = m.Close()
	status, err = passedOn(status, err, flush())
	mu.Lock()
	defer mu.Unlock()
	if lent != nil {
		return 0, lent
	}
	return status, err
}

func runOn(ctx context.Context, m machine.Machine, spec machine.RunSpec) (int, error) {
	runner, ok := m.(machine.Runner)
	if !ok {
		return 0, errors.New("this host cannot run commands")
	}
	return runner.Run(ctx, spec)
}

// Prepare makes what is one machine's own of a command, and returns what ends that.
type Prepare func(at place.Place, m machine.Machine, spec *machine.RunSpec) (end func(), err error)

// Do is the call; a nil one does nothing.
func (p Prepare) Do(at place.Place, m machine.Machine, spec *machine.RunSpec) (end func(), err error) {
	if p == nil {
		return func() {}, nil
	}
	return p(at, m, spec)
}

// RunOnAll runs a command on several hosts, without an input, each line of its
// output behind the host's name. started is called when it has started on a host, by
// several at once; done with what came of it on each host, one at a time and never
// within a line.
func (r *Runner) RunOnAll(ctx context.Context, f fleet.Fleet, hosts []place.Place, spec machine.RunSpec, prepare Prepare, started func(at place.Place), done func(at place.Place, err error)) {
	var mu sync.Mutex
	run := func(ctx context.Context, at place.Place, m machine.Machine) (int, error) {
		out := &prefixed{mu: &mu, w: r.Out, prefix: at.String() + ": "}
		errOut := &prefixed{mu: &mu, w: r.Err, prefix: at.String() + ": "}
		spec := spec
		end, err := prepare.Do(at, m, &spec)
		if err != nil {
			return 0, err
		}
		defer end()
		spec.Stdout, spec.Stderr = out, errOut
		if warn := spec.Warn; warn != nil {
			spec.Warn = func(err error) {
				mu.Lock()
				defer mu.Unlock()
				warn(err)
			}
		}
		spec.Started = func() { started(at) }
		flush := maskRemote(&spec, r.Mask, mask.Pipe())
		status, err := runOn(ctx, m, spec)
		status, err = passedOn(status, err, flush())
		out.flush()
		errOut.flush()
		if err == nil && status != 0 {
			err = fmt.Errorf("the command ended with status %d", status)
		}
		return status, err
	}
	fleet.Each(ctx, f, hosts, run, func(res fleet.Result[int]) {
		mu.Lock()
		defer mu.Unlock()
		done(res.At, res.Err)
	})
}

// prefixed writes whole lines, each behind a prefix.
type prefixed struct {
	mu     *sync.Mutex
	w      io.Writer
	prefix string
	rest   []byte
}

// longestLine is how much of a line is held back until its end comes, in bytes.
const longestLine = 64 << 10

func (p *prefixed) Write(data []byte) (int, error) {
	p.rest = append(p.rest, data...)
	for {
		i := bytes.IndexByte(p.rest, '\n')
		if i < 0 && len(p.rest) < longestLine {
			return len(data), nil
		}
		if i < 0 {
			i = len(p.rest) - 1
		}
		if err := p.line(p.rest[:i+1]); err != nil {
			return 0, err
		}
		p.rest = p.rest[i+1:]
	}
}

// flush writes a last line that has no end.
func (p *prefixed) flush() {
	if len(p.rest) > 0 {
		_ = p.line(p.rest)
		p.rest = nil
	}
}

func (p *prefixed) line(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	end := ""
	if b[len(b)-1] != '\n' {
		end = "\n"
	}
	_, err := fmt.Fprintf(p.w, "%s%s%s", p.prefix, b, end)
	return err
}

// sizeTerminal gives a command on a host the type and size of this process's terminal.
func (r *Runner) sizeTerminal(spec *machine.RunSpec) {
	spec.Term = r.Getenv("TERM")
	if out, ok := r.Out.(*os.File); ok && r.OutTTY {
		if columns, rows, err := term.GetSize(int(out.Fd())); err == nil {
			spec.Size = machine.Size{Columns: columns, Rows: rows}
		}
	}
}

// lendTerminal gives it this process's terminal, if it has one: new sizes, and what is
// typed as it is typed.
func (r *Runner) lendTerminal(size machine.Size, sizes chan<- machine.Size) (restore func(), err error) {
	restore = func() {}
	if out, ok := r.Out.(*os.File); ok && r.OutTTY {
		restore = resizes(int(out.Fd()), size, sizes)
	}
	in, ok := r.In.(*os.File)
	if !ok || !r.InTTY {
		return restore, nil
	}
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		restore()
		return nil, err
	}
	stop := restore
	return func() { stop(); _ = term.Restore(int(in.Fd()), old) }, nil
}
