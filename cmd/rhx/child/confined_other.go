//go:build !linux

package child

// Stage is for Linux.
func Stage([]string) int { return 2 }
