//go:build unix

package sandbox

import (
	"os"
	"runtime"
	"syscall"
)

// maxRSS is the most memory that a process had, in bytes.
func maxRSS(s *os.ProcessState) int64 {
	n := s.SysUsage().(*syscall.Rusage).Maxrss
	if runtime.GOOS == "darwin" {
		return n
	}
	return n << 10
}
