//go:build !windows

package child

import (
	"errors"
	"os/exec"
	"strings"
	"syscall"

	"github.com/rhx-dev/rhx/host/fault"
)

// Exec replaces this process by a command, found in PATH. It returns where that
// fails.
func (r *Runner) Exec(argv, environ []string) (int, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return 0, notRun(argv[0], err)
	}
	err = syscall.Exec(path, argv, environ)
	hint := ""
	if errors.Is(err, syscall.E2BIG) {
		hint = "the variables are larger than the system allows; load the secret into a file instead"
	}
	return 0, fault.WithHint(&StartError{Name: strings.TrimSpace(path), Err: err, Status: 126}, hint)
}
