// Package child runs a wasm module in a process of its own, with limits that the
// process cannot leave: what the wasm runtime itself does not bound (the memory
// and the time of compiling and of interpreting) ends there, and rhx goes on.
//
// [Runner] is the side that asks, and needs no wasm runtime; [Serve] is the
// other side.
package child

import (
	"time"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// Job is what the process is to do with one module.
type Job struct {
	// Args are the module's arguments.
	Args []string
	// Compile asks to compile the module and keep the code, and not to run it.
	Compile bool
	// Trusted and Random are those of the [abi.Module].
	Trusted, Random bool
	// CacheDir is the folder for compiled modules; "" for none.
	CacheDir string
	// Limits are those of the call.
	Limits abi.Limits
	// Memory is the most that the process may use, in bytes.
	Memory int64
}

// Result is what came of a job.
type Result struct {
	// Error says what went wrong; "" for nothing. Limit reports that it was one
	// of the limits.
	Error string
	Limit bool
	// Warnings are for the user.
	Warnings []string
	// Used is the processor's time that the call took, without compiling.
	Used time.Duration
	// Stdout and Stderr are what the module wrote.
	Stdout, Stderr []byte `json:"-"`
}

// The memory of a process, in bytes. What was measured: a Go guest of 3.3 MB
// needs 150 MB to compile and 130 MB in the interpreter, its own 64 MiB included.
const (
	CompileMemory = 1 << 30
	RunMemory     = 512 << 20
)

// slack is how much longer than its limits a process may live before it is ended
// from outside: it tells of its limits itself where it can.
const slack = time.Second

// limit is how much of the processor's time the job may take.
func (j *Job) limit() time.Duration {
	if j.Compile {
		return j.Limits.Compile
	}
	return j.Limits.Compile + j.Limits.Call
}

// life is how long the process may live at most.
func (j *Job) life() time.Duration { return abi.WallFactor*j.limit() + slack }

// The statuses of a process that ended itself.
const (
	exitMemory = 3
	exitTime   = 4
)
