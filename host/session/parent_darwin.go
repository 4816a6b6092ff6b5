package session

import (
	"os"

	"golang.org/x/sys/unix"
)

func parentName() string {
	p, err := unix.SysctlKinfoProc("kern.proc.pid", os.Getppid())
	if err != nil {
		return "" // it has ended
	}
	return unix.ByteSliceToString(p.Proc.P_comm[:])
}
