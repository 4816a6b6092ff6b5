package main

import (
	"errors"
	"os"
	"os/exec"
)

// execute runs a command as a child, since Windows cannot replace a process,
// and passes its exit status on.
func execute(argv, env []string, a *app) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exitCode(exit.ExitCode())
	case err != nil:
		a.fail(err)
		return exitCode(127)
	}
	return nil
}
