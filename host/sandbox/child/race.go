//go:build race

package child

// raceDetector reports whether the program has the race detector, which maps far
// more memory than it uses.
const raceDetector = true

// environment is that of a child: nothing of this process's. The race detector
// would have each wait a second before it ends.
func environment() []string { return []string{"GORACE=atexit_sleep_ms=0"} }
