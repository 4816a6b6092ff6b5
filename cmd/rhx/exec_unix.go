//go:build !windows

package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"github.com/rhx-dev/rhx/host/fault"
)

// execute replaces this process by a command, found in PATH.
func execute(argv, env []string, a *app) error {
	path, err := exec.LookPath(argv[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return notRun(a, argv[0], err)
	}
	err = syscall.Exec(path, argv, env)
	hint := ""
	if errors.Is(err, syscall.E2BIG) {
		hint = "the variables are larger than the system allows; load the secret into a file instead"
	}
	a.fail(fault.WithHint(fmt.Errorf("run %s: %w", strings.TrimSpace(path), err), hint))
	return exitCode(126)
}
