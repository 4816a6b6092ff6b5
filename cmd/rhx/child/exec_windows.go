package child

import (
	"errors"
	"os"
	"os/exec"
	"strings"
)

// Exec runs a command as a child, since Windows cannot replace a process.
func (r *Runner) Exec(argv, environ []string) (int, error) {
	return r.run(argv, environ, r.In, r.Out, r.Err)
}

// start starts a command, which is looked up in the PATH that it gets.
func start(argv, environ []string, try func(path string, argv []string) error) error {
	for _, kv := range environ {
		if name, value, _ := strings.Cut(kv, "="); strings.EqualFold(name, "PATH") {
			_ = os.Setenv("PATH", value) // which is where LookPath looks
		}
	}
	path, err := exec.LookPath(argv[0])
	if err == nil || errors.Is(err, exec.ErrDot) {
		err = try(path, argv)
	}
	if err == nil {
		return nil
	}
	status := 126
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		status = 127
	}
	var ee *exec.Error
	if errors.As(err, &ee) {
		err = ee.Err
	}
	return &StartError{Name: argv[0], Err: err, Status: status}
}
