package child

import (
	"errors"
	"os/exec"
)

// Exec runs a command as a child, since Windows cannot replace a process.
func (r *Runner) Exec(argv, environ []string) (int, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r.In, r.Out, r.Err
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode(), nil
	case err != nil:
		return 0, notRun(argv[0], err)
	}
	return 0, nil
}
