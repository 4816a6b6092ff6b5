package machine

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/rhx-dev/rhx/host/childenv"
)

// asking returns the options with the questions going to the program in
// SSH_ASKPASS, where OpenSSH would ask it: where nobody can be asked at a
// terminal, or SSH_ASKPASS_REQUIRE prefers it.
func (o SSHOptions) asking() SSHOptions {
	program := o.Getenv("SSH_ASKPASS")
	display := o.Getenv("DISPLAY") != "" || o.Getenv("WAYLAND_DISPLAY") != ""
	use := o.Prompt == nil && display
	switch strings.ToLower(o.Getenv("SSH_ASKPASS_REQUIRE")) {
	case "force":
		use = true
	case "prefer":
		use = display
	case "never":
		use = false
	}
	if program == "" || !use {
		return o
	}
	o.Prompt = func(ctx context.Context, q Question) (string, error) {
		return askpass(ctx, program, q.Host+": "+q.Text)
	}
	o.Confirm = func(ctx context.Context, k HostKey) (bool, error) {
		answer, err := askpass(ctx, program, fmt.Sprintf("The host %s (%s) is not known yet. Its %s key is %s. Add it to %s and go on (yes/no)?",
			k.Host, k.Address, strings.TrimPrefix(k.Type, "ssh-"), k.Fingerprint, k.File))
		return strings.EqualFold(strings.TrimSpace(answer), "yes"), err
	}
	return o
}

var errNoAnswer = errors.New("the program in SSH_ASKPASS gives no answer")

// asked is held while a person is asked by a program: one question at a time.
var asked = make(chan struct{}, 1)

// askpass asks a program, whose first line of output is the answer.
func askpass(ctx context.Context, program, text string) (string, error) {
	select {
	case asked <- struct{}{}:
		defer func() { <-asked }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	cmd := exec.CommandContext(ctx, program, text)
	cmd.Env = childenv.Environ()
	out := &headBuffer{limit: 4 << 10}
	cmd.Stdout = out
	bounded(cmd)
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	answer, _, _ := strings.Cut(string(out.bytes()), "\n")
	return strings.TrimSuffix(answer, "\r"), nil
}
