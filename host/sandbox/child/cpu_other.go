//go:build !unix

package child

import "time"

// CPU returns the time since this process began: the processor's is not counted
// here.
func CPU() time.Duration { return time.Since(started) }

var started = time.Now()
