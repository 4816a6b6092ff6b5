package child

import (
	"errors"
	"os/exec"
)

// Supervise runs a command as a child, with the streams, and returns its exit
// status: 128 and the number of the signal, where one ended it. rhx outlives the
// signals that are for the command.
func (r *Runner) Supervise(argv, environ []string) (int, error) {
	if r.Mask != nil {
		return r.superviseMasked(argv, environ)
	}
	path, err := found(argv[0])
	if err != nil {
		return 0, notRun(argv[0], err)
	}
	return r.run(&exec.Cmd{Path: path, Args: argv, Env: environ, Stdin: r.In, Stdout: r.Out, Stderr: r.Err}, argv[0])
}

func found(name string) (string, error) {
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrDot) {
		err = nil
	}
	return path, err
}

// run runs a command of a name and outlives the signals that are for it.
func (r *Runner) run(cmd *exec.Cmd, name string) (int, error) {
	// Before the command starts, so that none that comes then ends rhx alone.
	pass, stop := holdSignals(r.TakeOver)
	defer stop()
	if err := cmd.Start(); err != nil {
		return 0, notRun(name, err)
	}
	go pass(cmd.Process)
	err := cmd.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) && cmd.ProcessState == nil {
		return 0, err
	}
	return statusOf(cmd.ProcessState), nil
}
