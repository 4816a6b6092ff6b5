//go:build race

package machine_test

// raceFactor is how much more memory the race detector takes.
const raceFactor = 3
