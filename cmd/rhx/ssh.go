package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/rhx-dev/rhx/host/machine"
)

// ssh returns the machine at an SSH target, or a container. Nothing is connected yet. Questions
// of several hosts come one at a time.
func (a *app) ssh(target string, acceptNew bool) machine.Machine {
	opts := machine.SSHOptions{Getenv: a.Getenv, Environ: os.Environ, AcceptNew: acceptNew, Keys: &a.keys, Contexts: &a.places}
	if a.hasTerminal() {
		opts.Confirm = func(ctx context.Context, k machine.HostKey) (bool, error) {
			a.asking.Lock()
			defer a.asking.Unlock()
			if err := ctx.Err(); err != nil {
				return false, err
			}
			return a.ask(fmt.Sprintf("The host %s (%s) is not known yet. Its %s key is\n  %s\nAdd it to %s and go on?",
				k.Host, k.Address, strings.TrimPrefix(k.Type, "ssh-"), k.Fingerprint, k.File)), nil
		}
		opts.Prompt = func(ctx context.Context, q machine.Question) (string, error) {
			a.asking.Lock()
			defer a.asking.Unlock()
			if err := ctx.Err(); err != nil {
				return "", err
			}
			if q.Echo {
				return a.line(q.Host + ": " + q.Text)
			}
			return a.hidden(q.Host + ": " + strings.TrimSpace(q.Text) + " ")
		}
	}
	a.note("host: %s", target)
	return machine.SSH(target, opts)
}
