// Package child runs a wasm module in a process of its own, with limits that the
// process cannot leave: what the wasm runtime itself does not bound (the memory
// and the time of compiling and of interpreting) ends there, and rhx goes on.
//
// A process serves the calls of one module, one after the other, as long as each of
// them goes well. [Runner] is the side that asks, and needs no wasm runtime; [Serve]
// is the other side.
package child

import (
	"time"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// Job is what a process is there for: one module.
type Job struct {
	// Name is the module's.
	Name string
	// Compile asks to compile the module and keep the code, and not to run it.
	Compile bool
	// Trusted and Random are those of the [abi.Module].
	Trusted, Random bool
	// CacheDir is the folder for compiled modules; "" for none.
	CacheDir string
	// Limits are those of every call.
	Limits abi.Limits
	// Memory is the most that the process may use, in bytes.
	Memory int64
}

// Call is one request to the module. A job that only compiles has one that is empty.
type Call struct {
	// Args are the module's arguments.
	Args []string
	// Time is what is left of the limit of a call.
	Time time.Duration
}

// Result is what came of a call.
type Result struct {
	// Error says what went wrong; "" for nothing. Limit reports that it was one
	// of the limits.
	Error string
	Limit bool
	// Warnings are for the user.
	Warnings []string
	// Used is the processor's time that the call took, without compiling.
	Used time.Duration
	// Last reports that the process has served enough: it takes no other call.
	Last bool
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

// most is how much of the processor's time a process may take for all its calls but
// the last one.
func (j *Job) most() time.Duration {
	if j.Compile {
		return j.Limits.Compile
	}
	return j.Limits.Compile + j.Limits.Call
}

// limit is how much of the processor's time a call may take. The first one has to make
// the module ready, too.
func (j *Job) limit(c *Call, first bool) time.Duration {
	if first {
		return j.Limits.Compile + c.Time
	}
	return c.Time
}

// life is how long a call with such a limit may take by the clock on the wall.
func life(limit time.Duration) time.Duration { return abi.WallFactor*limit + slack }

// The statuses of a process that ended itself.
const (
	exitMemory = 3
	exitTime   = 4
)
