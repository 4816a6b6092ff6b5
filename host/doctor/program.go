package doctor

import (
	"context"
	"errors"
	"os/exec"
	"time"
)

var errNoProgram = errors.New("there is no such program")

// output runs a program, and returns what it prints on both streams.
func output(ctx context.Context, name string, args ...string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", errNoProgram
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second // a child of it may hold the pipe open
	out, err := cmd.CombinedOutput()
	return string(out), err
}
