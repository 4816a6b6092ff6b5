package doctor

import (
	"context"
	"errors"
	"os/exec"
	"time"

	"github.com/rhx-dev/rhx/host/childenv"
)

var errNoProgram = errors.New("there is no such program")

// said is how much of a program's output is kept.
const said = 64 << 10

// output runs a program, and returns the beginning of what it prints on both streams. A nil
// environment is that of rhx without its passphrases.
func output(ctx context.Context, env []string, name string, args ...string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", errNoProgram
	}
	if env == nil {
		env = childenv.Environ()
	}
	var out head
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &out // one writer: os/exec writes to it from one goroutine
	cmd.WaitDelay = time.Second                       // a child of it may hold the pipe open
	err = cmd.Run()
	return string(out.kept), err
}

// head keeps the beginning of what is written to it.
type head struct{ kept []byte }

func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), said-len(h.kept))]...)
	return len(p), nil
}
