package child

import (
	"os"
	"os/signal"
)

// holdSignals has rhx outlive Ctrl-C, which the command gets as well.
func holdSignals(takeOver func()) (pass func(*os.Process), stop func()) {
	got := make(chan os.Signal, 1)
	signal.Notify(got, os.Interrupt)
	takeOver()
	return func(*os.Process) {}, func() { signal.Stop(got) }
}

func statusOf(p *os.ProcessState) int { return p.ExitCode() }

// ownFolder: on Windows the folder for temporary files is the user's own.
func ownFolder(os.FileInfo) bool { return true }
