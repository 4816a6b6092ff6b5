//go:build !linux

package session

import "time"

// readClock reads the clock alone.
func readClock() clock { return clock{now: time.Now().UTC().Round(0)} }
