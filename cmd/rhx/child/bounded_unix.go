//go:build unix

package child

import (
	"os"
	"syscall"
)

// ownSession has a command without the terminal that rhx may have, as the leader of a group
// of its own.
func ownSession() *syscall.SysProcAttr { return endWithRhx(&syscall.SysProcAttr{Setsid: true}) }

// endGroup asks the group that a process leads to end, and killGroup has it end.
func endGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGTERM) }

func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

// exitStatus is that of a process as a shell has it.
func exitStatus(s *os.ProcessState) int {
	return ended(s.Sys().(syscall.WaitStatus)) &^ BySignal
}
