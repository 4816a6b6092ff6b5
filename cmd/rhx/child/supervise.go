package child

import (
	"io"
	"os/exec"
)

// Supervise runs a command as a child, with the streams, and returns its exit
// status; see [BySignal] for one that a signal ended. rhx outlives the signals that are
// for the command.
func (r *Runner) Supervise(argv, environ []string) (int, error) {
	if r.Mask != nil {
		return r.superviseMasked(argv, environ)
	}
	return r.run(argv, environ, r.In, r.Out, r.Err)
}

// run runs a command and outlives the signals that are for it.
func (r *Runner) run(argv, environ []string, in io.Reader, out, errOut io.Writer) (int, error) {
	// Before the command starts, so that none that comes then ends rhx alone.
	hold := r.holdSignals()
	defer hold.end()
	var cmd *exec.Cmd
	if r.Confined != nil {
		defer r.Confined.End()
		cmd = &exec.Cmd{Env: environ, Stdin: in, Stdout: out, Stderr: errOut, SysProcAttr: hold.attr()}
		files, err := r.Confined.Files()
		if err != nil {
			return 0, err
		}
		defer closeAll(files)
		c, err := startConfined(cmd, files, argv)
		if err != nil {
			return 0, err
		}
		// What it leaves running ends before rhx waits for the end of what it writes.
		return hold.wait(cmd, c.PID, func() { r.Confined.End(); c.Reap() })
	}
	err := start(argv, environ, func(path string, argv []string) error {
		cmd = &exec.Cmd{Path: path, Args: argv, Env: environ, Stdin: in, Stdout: out, Stderr: errOut, SysProcAttr: hold.attr()}
		return cmd.Start()
	})
	if err != nil {
		return 0, err
	}
	return hold.wait(cmd, cmd.Process.Pid, func() {})
}
