//go:build unix

package child

import (
	"syscall"
)

// Exec replaces this process by a command, found in the PATH of environ. It returns
// where that fails.
func (r *Runner) Exec(argv, environ []string) (int, error) {
	return 0, start(argv, environ, func(path string, argv []string) error { return syscall.Exec(path, argv, environ) })
}
