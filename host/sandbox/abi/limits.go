package abi

import (
	"fmt"
	"time"
)

// Limits are what one call of a module may use. A zero field stands for the
// default.
type Limits struct {
	// Module is the size of the module's file in bytes.
	Module int64
	// Memory is the linear memory of an instance in bytes, a multiple of 64 KiB.
	Memory int64
	// Stdout and Stderr are what an instance may write, in bytes.
	Stdout, Stderr int64
	// Input is the size of one file in a request or a response, and of all
	// variables, options and values of a request together, in bytes.
	Input int64
	// Call is the time from start to answer; Compile that for compiling. In a process
	// that does nothing else it is the processor's time: see [WallFactor].
	Call, Compile time.Duration
}

// WallFactor is how many times longer than its limit a call may take by the clock on
// the wall, because the machine does other things, too.
const WallFactor = 10

// DefaultLimits returns the limits that modules run under.
func DefaultLimits() Limits {
	return Limits{
		Module: 8 << 20, Memory: 64 << 20,
		Stdout: 4 << 20, Stderr: 64 << 10, Input: 4 << 20,
		Call: 2 * time.Second, Compile: 10 * time.Second,
	}
}

// OrDefault returns the limits with the default in the place of each zero.
func (l Limits) OrDefault() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ set, def *int64 }{
		{&l.Module, &d.Module}, {&l.Memory, &d.Memory}, {&l.Stdout, &d.Stdout}, {&l.Stderr, &d.Stderr}, {&l.Input, &d.Input},
	} {
		if *f.set <= 0 {
			*f.set = *f.def
		}
	}
	if l.Call <= 0 {
		l.Call = d.Call
	}
	if l.Compile <= 0 {
		l.Compile = d.Compile
	}
	l.Memory = min(l.Memory, 4<<30) &^ (PageSize - 1)
	return l
}

// PageSize is the unit of linear memory (WebAssembly 1.0, section 4.2.8).
const PageSize = 64 << 10

// Size writes a number of bytes for people.
func Size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
