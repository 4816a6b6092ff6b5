package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// Runner runs modules in processes of their own: all calls of one module, one after
// the other, in one process, and more where calls come at the same time. A process
// that failed once serves no other call. Its methods may be called from several
// goroutines.
type Runner struct {
	// Program is the program, with arguments, that calls Serve.
	Program []string
	// CacheDir is the folder for compiled modules; "" for none.
	CacheDir string
	// Limits are those of every call.
	Limits abi.Limits
	// Warn is called with what the user should know and need not stop for; nil
	// to drop it.
	Warn func(string)

	mu        sync.Mutex
	processes []*process
	closed    bool
	turn      chan struct{}
}

// Run gives the module one request and returns what it answered. Its errors are
// those of [abi.Answer].
func (r *Runner) Run(ctx context.Context, m abi.Module, req *abi.Request) (*abi.Response, error) {
	lim := r.Limits.OrDefault()
	if err := req.Check(lim); err != nil {
		return nil, err
	}
	done, err := r.wait(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	lim, took, err := lim.Share(ctx)
	if err != nil {
		return nil, &abi.ModuleError{Module: m.Name, Err: err}
	}
	in := req.Encode()
	defer clear(in)
	p, err := r.take(m, false)
	if err != nil {
		return abi.Answer(ctx, m, req, lim, nil, nil, err)
	}
	res, err := r.call(ctx, p, &Call{Args: abi.Args(m, req), Time: lim.Call}, in)
	defer clear(res.Stdout)
	defer clear(res.Stderr)
	took(res.Used)
	resp, err := abi.Answer(ctx, m, req, lim, res.Stdout, res.Stderr, err)
	var reported *abi.GuestError
	r.give(p, !res.Last && (err == nil || errors.As(err, &reported)))
	return resp, err
}

// Compile compiles the module and keeps the code in the cache, for later runs. A
// module that cannot be compiled within the limits is an [*abi.ModuleError].
func (r *Runner) Compile(ctx context.Context, m abi.Module) error {
	p, err := r.take(m, true)
	if err == nil {
		_, err = r.call(ctx, p, &Call{}, nil)
		r.give(p, false)
	}
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return &abi.ModuleError{Module: m.Name, Err: err}
}

// Close ends all processes.
func (r *Runner) Close(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, p := range r.processes {
		_ = p.end() // by a signal
	}
	r.processes = nil
	return nil
}

// wait waits for a turn: at one time there are as many calls as processors.
func (r *Runner) wait(ctx context.Context) (done func(), err error) {
	r.mu.Lock()
	if r.turn == nil {
		r.turn = make(chan struct{}, runtime.GOMAXPROCS(0))
	}
	turn := r.turn
	r.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// take returns a process for the module that serves no other call: to compile it, a
// new one.
func (r *Runner) take(m abi.Module, compile bool) (*process, error) {
	job := Job{Name: m.Name, Compile: compile, Trusted: m.Trusted, Random: m.Random, CacheDir: r.CacheDir, Limits: r.Limits.OrDefault(), Memory: RunMemory}
	if compile {
		job.Memory = CompileMemory
	}
	switch {
	case len(r.Program) == 0:
		return nil, errors.New("cannot run: nobody said which program runs the modules of others")
	case int64(len(m.Wasm)) > job.Limits.Module:
		return nil, abi.TooLarge(job.Limits)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.New("cannot run: rhx ends")
	}
	for _, p := range r.processes {
		if !p.busy && p.job == job && bytes.Equal(p.module.Wasm, m.Wasm) {
			p.busy = true
			return p, nil
		}
	}
	p, err := start(r.Program, job, m)
	if err != nil {
		return nil, fmt.Errorf("cannot run: its process does not start: %w", err)
	}
	p.busy = true
	r.processes = append(r.processes, p)
	return p, nil
}

// keep is how many processes wait for other calls at most.
const keep = 8

// give takes a process back, for other calls where it is good for them.
func (r *Runner) give(p *process, good bool) {
	if !good {
		_ = p.end()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p.busy = false
	r.processes = slices.DeleteFunc(r.processes, func(q *process) bool { return q == p })
	if !good || r.closed {
		return
	}
	r.processes = append(r.processes, p) // behind those that have waited longer
	waiting := 0
	for _, q := range slices.Backward(r.processes) {
		if !q.busy {
			waiting++
		}
		if waiting > keep {
			_ = q.end()
			r.processes = slices.DeleteFunc(r.processes, func(o *process) bool { return o == q })
			return
		}
	}
}

// call makes one call, and turns the error that the result has into one.
func (r *Runner) call(ctx context.Context, p *process, c *Call, in []byte) (*Result, error) {
	res, err := p.call(ctx, c, in)
	if r.Warn != nil {
		for _, w := range res.Warnings {
			r.Warn(w)
		}
	}
	switch {
	case err != nil || res.Error == "":
		return res, err
	case res.Limit:
		return res, abi.LimitError(res.Error)
	}
	return res, errors.New(res.Error)
}
