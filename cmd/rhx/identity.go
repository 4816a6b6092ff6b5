package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"filippo.io/age/plugin"

	"github.com/rhx-dev/rhx/host/fault"
)

// Where the key of the local store comes from, when not from a file.

const (
	// keyWithin is how long a command may take to print a key: it may ask its user.
	keyWithin = 2 * time.Minute
	// maxPrinted is how much it may print.
	maxPrinted = 1 << 20
)

// printedKey runs a command that prints a key, by the shell. What it says on its standard
// error is for the user.
func (a *app) printedKey(command string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), keyWithin)
	defer cancel()
	shell := []string{"/bin/sh", "-c"}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/C"}
	}
	cmd := exec.CommandContext(ctx, shell[0], append(shell[1:], command)...)
	out := &bounded{left: maxPrinted}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, a.Err, time.Second
	// A command that is rhx itself does not run itself.
	cmd.Env = slices.DeleteFunc(a.environ(), func(kv string) bool { return strings.HasPrefix(kv, "RHX_AGE_IDENTITY_CMD=") })
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("the command took longer than %s", keyWithin)
	case out.over:
		err = fmt.Errorf("the command printed more than %d KiB", maxPrinted>>10)
	case err != nil:
		err = fmt.Errorf("the command failed: %w", err)
	case len(bytes.TrimSpace(out.data)) == 0:
		err = errors.New("the command printed nothing")
	}
	if err != nil {
		clear(out.data)
		return nil, err
	}
	return out.data, nil
}

// bounded takes so much.
type bounded struct {
	data []byte
	left int
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.over = b.over || len(p) > b.left; b.over {
		return 0, errors.New("too much")
	}
	b.left -= len(p)
	b.data = append(b.data, p...)
	return len(p), nil
}

// pluginUI is how a plugin of age, such as one for keys in hardware, speaks with the user.
func (a *app) pluginUI() *plugin.ClientUI {
	say := func(name, text string) { fmt.Fprintf(a.Err, "age-plugin-%s: %s\n", name, text) }
	return &plugin.ClientUI{
		DisplayMessage: func(name, message string) error {
			say(name, message)
			return nil
		},
		RequestValue: func(name, prompt string, secret bool) (string, error) {
			prompt = fmt.Sprintf("age-plugin-%s: %s", name, prompt)
			if secret {
				return a.passphrase(prompt)
			}
			return a.line(prompt + ": ")
		},
		Confirm: func(name, prompt, yes, no string) (bool, error) {
			if no == "" {
				no = "no"
			}
			if !a.hasTerminal() {
				return false, fault.Unasked(errors.New("there is nobody to ask"))
			}
			return a.ask(fmt.Sprintf("age-plugin-%s: %s (yes is %q, no is %q)", name, prompt, yes, no)), nil
		},
		WaitTimer: func(name string) { say(name, "waiting; it may want to be touched") },
	}
}
