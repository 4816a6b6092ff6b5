package child

import (
	"errors"
	"os"
)

// hasPTY: on Windows a command whose output is masked writes to pipes.
const hasPTY = false

func (r *Runner) onPTY([]string, []string, *os.File) (int, error) {
	return 0, errors.ErrUnsupported
}

func ignorePipeSignal() (stop func()) { return func() {} }

// MonitorArg is not used on Windows, which has no sessions of terminals.
const MonitorArg = "run-monitor"

// ConfinedMonitorArg is for Linux.
const ConfinedMonitorArg = "run-monitor-confined"

// Monitor is not used on Windows.
func Monitor([]string, bool) (int, error) { return 0, errors.ErrUnsupported }
