package main

import (
	"context"
	"errors"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/fault"
)

type runCmd struct {
	Secret []string `short:"s" sep:"none" predictor:"stored" help:"A secret of the store; may be given several times." placeholder:"SECRET"`
	Bundle []string `short:"b" sep:"none" help:"A bundle of the manifest; may be given several times." placeholder:"BUNDLE"`
	Yes    bool     `short:"y" help:"Trust the manifest without asking."`
	TTY    bool     `short:"t" name:"tty" help:"With --on: give the command a terminal."`
	Cmd    []string `arg:"" name:"command" passthrough:"" help:"The command and its arguments."`
}

func (c *runCmd) Help() string {
	return `Here, rhx replaces itself by the command: same process, same terminal, same signals. With --on HOST the variables go over the SSH channel; nothing is installed or left there, and input, signals and exit status pass through. With several (--on gpu-[01:64],box) each line is printed behind the host's name, there is no input, and the exit status is 3 where it failed on some of them.

Example: rhx run -s openai -- python train.py`
}

func (c *runCmd) Run(ctx context.Context, a *app) error {
	h, err := a.host()
	if err != nil {
		return err
	}
	argv := c.Cmd
	if argv[0] == "--" {
		argv = argv[1:]
	}
	if len(argv) == 0 {
		return fault.WithKind(errors.New("no command is given"), fault.Usage)
	}
	env, err := a.environment(ctx, h, c.Bundle, c.Secret, c.Yes)
	if err != nil {
		return err
	}
	at := a.On
	if at == "" {
		at = host.LocalPlace
	}
	a.logGiven(h, "run", at, argv[0], env)
	if a.On != "" {
		if err := noFiles("run --on", env.Files); err != nil {
			return err
		}
		return c.remote(ctx, a, argv, env)
	}
	environ := bundle.Environ(a.Environ(), env.Vars, env.Strip...)
	if len(env.Files) > 0 {
		return c.withFiles(ctx, a, h, argv, environ, env.Files)
	}
	a.close()
	a.stopSignals()
	return execute(argv, environ, a)
}

// secretsNamed is the error of a command whose -s is missing.
func secretsNamed(names []string) error {
	if len(names) > 0 {
		return nil
	}
	return fault.WithHint(fault.WithKind(errors.New("no secret is named"), fault.Usage), "name each one with -s; rhx list shows what is in the store")
}
