package child

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// process is a running process and what it was told at its start.
type process struct {
	job    Job
	module abi.Module
	cmd    *exec.Cmd
	in     io.Writer
	out    io.Reader
	crash  *output
	// served is how many calls went well, used the time that they reported.
	served int
	used   time.Duration
	busy   bool
	// end kills the process, waits for its end, and returns the error of that.
	end func() error
}

// start starts a process, which waits for its job.
func start(program []string, job Job, m abi.Module) (*process, error) {
	p := &process{job: job, module: m, crash: &output{most: 64 << 10}}
	p.cmd = exec.Command(program[0], program[1:]...)
	p.cmd.Env = environment()
	p.cmd.Stderr = p.crash
	p.cmd.WaitDelay = time.Second
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.end = sync.OnceValue(func() error {
		_ = p.cmd.Process.Kill()
		return p.cmd.Wait()
	})
	return p, nil
}

// call makes one call. Where that is an error, the process has ended. The result is
// never nil.
func (p *process) call(ctx context.Context, c *Call, in []byte) (*Result, error) {
	limit := p.job.limit(c, p.served == 0)
	// The process ends itself in time, and tells which limit it was; this is for
	// one that cannot.
	bounded, cancel := context.WithTimeout(ctx, life(limit)+slack)
	defer cancel()
	quiet := context.AfterFunc(bounded, func() { _ = p.end() })
	begun := time.Now()
	res, err := p.exchange(c, in)
	if !quiet() && err == nil {
		err = bounded.Err() // it was killed behind its answer
	}
	if err == nil {
		p.served++
		p.used += res.Used
		return res, nil
	}
	ended := p.end()
	// One that gives no answer has used time, too: what other files share is the less.
	used := time.Since(begun) / abi.WallFactor
	if state := p.cmd.ProcessState; state != nil {
		used = max(used, state.UserTime()+state.SystemTime()-p.used)
	}
	return &Result{Used: used}, p.why(bounded, limit, err, ended)
}

// exchange sends a call and reads the answer.
func (p *process) exchange(c *Call, in []byte) (*Result, error) {
	if p.served == 0 {
		if err := p.send(p.job, p.module.Wasm); err != nil {
			return nil, err
		}
	}
	if err := p.send(c, in); err != nil {
		return nil, err
	}
	return readResult(p.out, p.job.Limits)
}

func (p *process) send(v any, data []byte) error {
	head, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := writeFrame(p.in, head); err != nil {
		return err
	}
	return writeFrame(p.in, data)
}

// why says why a call with the given limit failed: err is what became of the exchange,
// ended how the process ended.
func (p *process) why(ctx context.Context, limit time.Duration, err, ended error) error {
	to := "run"
	if p.job.Compile {
		to = "compile"
	}
	code := p.cmd.ProcessState.ExitCode()
	switch {
	case code == exitMemory, bytes.Contains(p.crash.b, []byte("out of memory")), bytes.Contains(p.crash.b, []byte("cannot allocate memory")):
		return abi.LimitError(fmt.Sprintf("needs more than %s of memory to %s", abi.Size(p.job.Memory), to))
	case code == exitTime, errors.Is(ctx.Err(), context.DeadlineExceeded):
		return abi.LimitError(fmt.Sprintf("took longer than %v to %s", limit, to))
	case errors.As(err, &damaged{}), ended == nil:
		return fmt.Errorf("failed: its process gave no answer: %w", err)
	}
	return fmt.Errorf("failed: its process ended: %w", ended)
}

// damaged is the error of an answer that is there and cannot be read.
type damaged struct{ error }

func readResult(r io.Reader, lim abi.Limits) (*Result, error) {
	head, err := readFrame(r, maxHead)
	if err != nil {
		return nil, err
	}
	var res Result
	if err := json.Unmarshal(head, &res); err != nil {
		return nil, damaged{err}
	}
	res.Used = max(res.Used, 0)
	if res.Stdout, err = readFrame(r, lim.Stdout); err != nil {
		return nil, err
	}
	if res.Stderr, err = readFrame(r, lim.Stderr); err != nil {
		clear(res.Stdout)
		return nil, err
	}
	return &res, nil
}

// output keeps what a process writes, up to a size in bytes.
type output struct {
	b    []byte
	most int64
}

func (o *output) Write(p []byte) (int, error) {
	if int64(len(o.b)+len(p)) > o.most {
		return 0, errors.New("it writes too much")
	}
	o.b = append(o.b, p...)
	return len(p), nil
}
