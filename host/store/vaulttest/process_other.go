//go:build !linux

package vaulttest

import "os/exec"

// command returns a command that ends with this process, however it ends, and
// a function that ends it: a shell waits for the end of its input, which this
// process holds open, and then kills the command.
func command(name string, args ...string) (cmd *exec.Cmd, stop func()) {
	script := `"$0" "$@" & pid=$!; cat >/dev/null; kill -9 $pid; wait $pid`
	cmd = exec.Command("sh", append([]string{"-c", script, name}, args...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return cmd, func() { _ = cmd.Process.Kill() }
	}
	return cmd, func() { _ = stdin.Close() }
}

func lockToProcess() (unlock func()) { return func() {} }
