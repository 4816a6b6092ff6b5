package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/mask"
)

// remote runs the command on the hosts that --on names.
func (c *runCmd) remote(ctx context.Context, a *app, argv []string, env *host.Environment, m *mask.Masker) error {
	hosts, err := a.hostsOn()
	if err != nil {
		return err
	}
	spec := machine.RunSpec{Argv: argv, Unset: bundleUnsets(env)}
	for _, v := range env.Vars {
		spec.Env = append(spec.Env, machine.Var{Name: v.Name, Value: v.Value.Reveal()})
	}
	if len(hosts) > 1 {
		if c.TTY {
			return fault.WithKind(errors.New("-t is for one host"), fault.Usage)
		}
		return a.runOnAll(ctx, hosts, spec, m)
	}
	spec.Stdin, spec.Stdout, spec.Stderr, spec.TTY = a.In, a.Out, a.Err, c.TTY
	if c.TTY {
		restore, err := a.lendTerminal(&spec)
		if err != nil {
			return err
		}
		defer restore()
	}
	// From here on signals are the command's.
	stop := forwardSignals(&spec, a.stopSignals)
	defer stop()
	patience := mask.Pipe()
	if a.OutTTY {
		patience = mask.Terminal()
	}
	flush := maskRemote(&spec, m, patience)
	status, err := a.runOn(context.WithoutCancel(ctx), hosts[0], spec)
	flush()
	if err != nil {
		return err
	}
	return exitCode(status)
}

func (a *app) runOn(ctx context.Context, target string, spec machine.RunSpec) (int, error) {
	m := a.ssh(target, false)
	defer func() { _ = m.Close() }()
	runner, ok := m.(machine.Runner)
	if !ok {
		return 0, errors.New("this host cannot run commands")
	}
	return runner.Run(ctx, spec)
}

// parallelHosts bounds the hosts that run a command at once.
const parallelHosts = 32

// runOnAll runs a command on several hosts, without an input, each line of its
// output behind the host's name.
func (a *app) runOnAll(ctx context.Context, hosts []string, spec machine.RunSpec, m *mask.Masker) error {
	var mu sync.Mutex
	failed := 0
	var g errgroup.Group
	g.SetLimit(parallelHosts)
	for _, target := range hosts {
		g.Go(func() error {
			out := &prefixed{mu: &mu, w: a.Out, prefix: target + ": "}
			errOut := &prefixed{mu: &mu, w: a.Err, prefix: target + ": "}
			spec := spec
			spec.Stdout, spec.Stderr = out, errOut
			flush := maskRemote(&spec, m, mask.Pipe())
			status, err := a.runOn(ctx, target, spec)
			flush()
			out.flush()
			errOut.flush()
			if err == nil && status != 0 {
				err = fmt.Errorf("the command ended with status %d", status)
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed++
				a.report(target, err)
			}
			return nil
		})
	}
	_ = g.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return outcome(failed, len(hosts))
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

// lendTerminal gives a command on a host this process's terminal, if it has one:
// its type and size, and what is typed as it is typed.
func (a *app) lendTerminal(spec *machine.RunSpec) (restore func(), err error) {
	spec.Term = a.Getenv("TERM")
	restore = func() {}
	if out, ok := a.Out.(*os.File); ok && a.OutTTY {
		if columns, rows, err := term.GetSize(int(out.Fd())); err == nil {
			spec.Size = machine.Size{Columns: columns, Rows: rows}
		}
		resize, stop := resizes(int(out.Fd()))
		spec.Resize, restore = resize, stop
	}
	in, ok := a.In.(*os.File)
	if !ok || !a.InTTY {
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
