//go:build race

package main

import (
	"time"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// limits are those of a module's call. The race detector makes all slower, and the
// tests that run with it are about what happens, not about how fast.
func limits() abi.Limits { return abi.Limits{Call: 8 * time.Second, Compile: time.Minute} }
