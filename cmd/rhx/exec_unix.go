//go:build !windows

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"syscall"

	"github.com/rhx-dev/rhx/host/fault"
)

// execute replaces this process by a command, found in PATH. Like env(1) it
// gives 127 for a command that is not there and 126 for one that cannot be run.
func execute(argv, env []string, a *app) error {
	path, err := exec.LookPath(argv[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		code := 127
		if errors.Is(err, fs.ErrPermission) {
			code = 126
		}
		var ee *exec.Error
		if errors.As(err, &ee) {
			err = ee.Err
		}
		a.fail(fmt.Errorf("run %s: %w", argv[0], err))
		return exitCode(code)
	}
	err = syscall.Exec(path, argv, env)
	hint := ""
	if errors.Is(err, syscall.E2BIG) {
		hint = "the variables are larger than the system allows; load the secret into a file instead"
	}
	a.fail(fault.WithHint(fmt.Errorf("run %s: %w", strings.TrimSpace(path), err), hint))
	return exitCode(126)
}
