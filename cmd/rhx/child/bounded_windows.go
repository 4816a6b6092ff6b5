package child

import (
	"os"
	"syscall"
)

// ownSession has a command get no Ctrl-C of rhx's console.
func ownSession() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// endGroup ends the process. What it started stays: Windows has no groups that end.
func endGroup(p *os.Process) { _ = p.Kill() }

func killGroup(p *os.Process) { _ = p.Kill() }

func exitStatus(s *os.ProcessState) int { return s.ExitCode() }
