//go:build linux || darwin

package agent

import (
	"time"

	"golang.org/x/sys/unix"
)

// instant is a time by two clocks: one that counts a suspended machine and that nobody sets,
// and that of the wall.
type instant struct{ boot, wall time.Duration }

// now is the present instant.
func now() instant {
	var ts unix.Timespec
	t := instant{wall: time.Duration(time.Now().UnixNano())}
	if unix.ClockGettime(bootClock, &ts) == nil {
		t.boot = time.Duration(ts.Nano())
	}
	return t
}

// since is how much time has gone by: by the clock that has it longer, since neither a clock
// that was set back nor a suspended machine may have a key held for longer.
func (t instant) since(before instant) time.Duration {
	return max(t.boot-before.boot, t.wall-before.wall)
}
