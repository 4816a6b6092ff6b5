package child

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// attr has a command end where rhx is killed: without rhx it would be ended itself.
func (*held) attr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// isStopped reports whether a process is.
func isStopped(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	i := bytes.LastIndexByte(stat, ')') // its name may have anything in it
	return err != nil || bytes.HasPrefix(stat[i+1:], []byte(" T"))
}
