package child

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// Runner runs modules, each call in a process of its own.
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
}

// Run gives the module one request and returns what it answered. Its errors are
// those of [abi.Answer].
func (r *Runner) Run(ctx context.Context, m abi.Module, req *abi.Request) (*abi.Response, error) {
	lim := r.Limits.OrDefault()
	if err := req.Check(lim); err != nil {
		return nil, err
	}
	lim, done, err := lim.Share(ctx)
	if err != nil {
		return nil, &abi.ModuleError{Module: m.Name, Err: err}
	}
	in := req.Encode()
	defer clear(in)
	res, err := r.do(ctx, &Job{Args: abi.Args(m, req), Limits: lim, Memory: RunMemory}, m, in)
	defer clear(res.Stdout)
	defer clear(res.Stderr)
	done(res.Used)
	return abi.Answer(ctx, m, req, lim, res.Stdout, res.Stderr, err)
}

// Compile compiles the module and keeps the code in the cache, for later runs. A
// module that cannot be compiled within the limits is an [*abi.ModuleError].
func (r *Runner) Compile(ctx context.Context, m abi.Module) error {
	_, err := r.do(ctx, &Job{Args: []string{m.Name}, Compile: true, Limits: r.Limits.OrDefault(), Memory: CompileMemory}, m, nil)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return &abi.ModuleError{Module: m.Name, Err: err}
}

// do has one job done. The result is never nil.
func (r *Runner) do(ctx context.Context, job *Job, m abi.Module, in []byte) (*Result, error) {
	none := &Result{}
	if len(r.Program) == 0 {
		return none, errors.New("cannot run: nobody said which program runs the modules of others")
	}
	if int64(len(m.Wasm)) > job.Limits.Module {
		return none, abi.TooLarge(job.Limits)
	}
	job.Trusted, job.Random, job.CacheDir = m.Trusted, m.Random, r.CacheDir
	head, err := json.Marshal(job)
	if err != nil {
		return none, err
	}
	out := &output{most: maxHead + job.Limits.Stdout + job.Limits.Stderr + 12}
	defer out.wipe()
	crash := &output{most: 64 << 10}
	// The process ends itself in time, and tells which limit it was; this is for
	// one that cannot.
	bounded, cancel := context.WithTimeout(ctx, job.life()+slack)
	defer cancel()
	cmd := exec.CommandContext(bounded, r.Program[0], r.Program[1:]...)
	cmd.Env = environment()
	cmd.Stdin = io.MultiReader(bytes.NewReader(frameHead(len(head))), bytes.NewReader(head),
		bytes.NewReader(frameHead(len(m.Wasm))), bytes.NewReader(m.Wasm), bytes.NewReader(frameHead(len(in))), bytes.NewReader(in))
	cmd.Stdout, cmd.Stderr = out, crash
	cmd.WaitDelay = time.Second
	begun := time.Now()
	err = cmd.Run()
	if cmd.ProcessState == nil {
		return none, fmt.Errorf("cannot run: its process does not start: %w", err)
	}
	// One that gives no answer has used time, too: what other files share is the less.
	none.Used = max(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), time.Since(begun)/abi.WallFactor)
	if err != nil {
		return none, job.ended(bounded, cmd.ProcessState, crash.b, err)
	}
	res, err := readResult(out.b, job.Limits)
	if err != nil {
		return none, fmt.Errorf("failed: its process gave no answer: %w", err)
	}
	if r.Warn != nil {
		for _, w := range res.Warnings {
			r.Warn(w)
		}
	}
	switch {
	case res.Error == "":
		return res, nil
	case res.Limit:
		return res, abi.LimitError(res.Error)
	}
	return res, errors.New(res.Error)
}

// ended says why a process ended that gave no answer.
func (j *Job) ended(ctx context.Context, state *os.ProcessState, crash []byte, err error) error {
	to := "run"
	if j.Compile {
		to = "compile"
	}
	switch {
	case state.ExitCode() == exitMemory, bytes.Contains(crash, []byte("out of memory")), bytes.Contains(crash, []byte("cannot allocate memory")):
		return abi.LimitError(fmt.Sprintf("needs more than %s of memory to %s", abi.Size(j.Memory), to))
	case state.ExitCode() == exitTime, errors.Is(ctx.Err(), context.DeadlineExceeded):
		return abi.LimitError(fmt.Sprintf("took longer than %v to %s", j.limit(), to))
	}
	return fmt.Errorf("failed: its process ended: %w", err)
}

func readResult(b []byte, lim abi.Limits) (*Result, error) {
	r := bytes.NewReader(b)
	head, err := readFrame(r, maxHead)
	if err != nil {
		return nil, err
	}
	var res Result
	if err := json.Unmarshal(head, &res); err != nil {
		return nil, err
	}
	if res.Stdout, err = readFrame(r, lim.Stdout); err != nil {
		return nil, err
	}
	if res.Stderr, err = readFrame(r, lim.Stderr); err != nil {
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
	o.b = abi.Append(o.b, p)
	return len(p), nil
}

func (o *output) wipe() { clear(o.b) }
