package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/mask"
)

// killWait is how long a command that is to end has to do so, and then what it wrote to
// be read.
const killWait = 3 * time.Second

// Bounded is a command that nobody watches: without input and terminal, in a group of its
// own that ends with it, for a time, with as much of what it writes as is wanted.
type Bounded struct {
	Path    string // of the program
	Argv    []string
	Environ []string
	Dir     string
	Mask    *mask.Masker
	Timeout time.Duration
	// Keep is how many bytes of its output, and of its errors, are kept: the first and
	// the last.
	Keep int
}

// Ran is what became of a bounded command.
type Ran struct {
	Status   int // as a shell has it
	Out, Err string
	// Ended says why it was ended; "" where it ended itself.
	Ended string
}

// Run runs the command until it ends, its time is over, or ctx is done. Whatever it
// started in its group is ended, too.
func (b *Bounded) Run(ctx context.Context) (*Ran, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Timeout, fmt.Errorf("it took longer than %s", b.Timeout))
	defer cancel()
	var out, errOut Ends
	out.Keep, errOut.Keep = b.Keep, b.Keep
	late := 2 * b.Timeout // nobody waits for the output: no part of a value is let through
	delays := mask.Delays{late, late, late}
	maskedOut, maskedErr := b.Mask.Writer(&out, delays), b.Mask.Writer(&errOut, delays)
	cmd := exec.CommandContext(ctx, b.Path)
	cmd.Args, cmd.Env, cmd.Dir = b.Argv, b.Environ, b.Dir
	cmd.Stdout, cmd.Stderr = maskedOut, maskedErr
	cmd.SysProcAttr, cmd.WaitDelay = ownSession(), 2*killWait
	var kill *time.Timer
	cmd.Cancel = func() error {
		endGroup(cmd.Process)
		kill = time.AfterFunc(killWait, func() { killGroup(cmd.Process) })
		return nil
	}
	runtime.LockOSThread() // see endWithRhx
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return nil, &StartError{Name: b.Argv[0], Err: err, Status: 126}
	}
	err := cmd.Wait()
	if kill != nil {
		kill.Stop()
	}
	killGroup(cmd.Process)
	_, _ = maskedOut.Close(), maskedErr.Close()
	ran := &Ran{Status: exitStatus(cmd.ProcessState), Out: out.String(), Err: errOut.String()}
	switch cause := context.Cause(ctx); {
	case cause != nil && errors.Is(cause, context.Canceled):
		ran.Ended = "it was cancelled"
	case cause != nil:
		ran.Ended = cause.Error()
	case errors.Is(err, exec.ErrWaitDelay):
		ran.Ended = "something that it started held its output open"
	}
	return ran, nil
}

// Ends keeps the first and the last of what is written to it.
type Ends struct {
	Keep int // bytes

	mu   sync.Mutex
	head []byte
	tail []byte // a ring, where it is full
	at   int
	all  int64
}

var _ io.Writer = (*Ends)(nil)

// Write keeps what there is room for.
func (e *Ends) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, half := len(p), e.Keep/2
	e.all += int64(n)
	if room := half - len(e.head); room > 0 {
		take := min(room, len(p))
		e.head = append(e.head, p[:take]...)
		p = p[take:]
	}
	p = p[max(0, len(p)-half):]
	if room := half - len(e.tail); room > 0 {
		take := min(room, len(p))
		e.tail = append(e.tail, p[:take]...)
		p = p[take:]
	}
	for len(p) > 0 {
		done := copy(e.tail[e.at:], p)
		p, e.at = p[done:], (e.at+done)%half
	}
	return n, nil
}

// String is what was kept, with a line that says how much was not.
func (e *Ends) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	left := e.all - int64(len(e.head)+len(e.tail))
	between := ""
	if left > 0 {
		between = fmt.Sprintf("\n[rhx: %d bytes left out]\n", left)
	}
	return string(e.head) + between + string(e.tail[e.at:]) + string(e.tail[:e.at])
}
