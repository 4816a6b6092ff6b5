package session

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// readClock reads the clock, and how long the machine runs, suspended or not.
func readClock() clock {
	c := clock{now: time.Now().UTC().Round(0)}
	var t unix.Timespec
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return c
	}
	c.boot, c.up = strings.TrimSpace(string(id)), time.Duration(t.Nano())
	return c
}
