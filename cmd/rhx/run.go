package main

import (
	"context"
	"errors"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/mask"
)

type runCmd struct {
	Secret []string `short:"s" sep:"none" predictor:"stored" help:"A secret of the store; may be given several times." placeholder:"SECRET"`
	Bundle []string `short:"b" sep:"none" help:"A bundle of the manifest; may be given several times." placeholder:"BUNDLE"`
	Yes    bool     `short:"y" help:"Trust the manifest without asking."`
	Mask   bool     `short:"m" help:"Show ******** in place of secret values in what the command writes."`
	TTY    bool     `short:"t" name:"tty" help:"With --on: give the command a terminal."`
	Cmd    []string `arg:"" name:"command" passthrough:"" help:"The command and its arguments."`
}

func (c *runCmd) Help() string {
	return `Here, rhx replaces itself by the command: same process, same terminal, same signals. With --on HOST the variables go over the SSH channel; nothing is installed or left there, and input, signals and exit status pass through. With several (--on gpu-[01:64],box) each line is printed behind the host's name, there is no input, and the exit status is 3 where it failed on some of them.

--mask has what the command writes go through rhx, which replaces secret values of 4 characters or more: as they are, line by line, and in base64, hex, URLs and JSON. On a terminal the command has one of its own, with this one's size, keys and signals; else its output and errors stay apart. It is for accidents: a command that shows a value in pieces is not caught.

Examples:
  rhx run -s openai -- python train.py
  rhx run --mask -b deploy -- terraform apply`
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
	var masker *mask.Masker
	if c.Mask {
		masker = mask.New(h.Hidden(env))
	}
	if a.On != "" {
		if err := noFiles("run --on", env.Files); err != nil {
			return err
		}
		return c.remote(ctx, a, argv, env, masker)
	}
	environ := bundle.Environ(a.Environ(), env.Vars, env.Strip...)
	if len(env.Files) > 0 {
		return c.withFiles(ctx, a, h, argv, environ, env.Files, masker)
	}
	a.close()
	if masker != nil {
		return a.supervise(argv, environ, masker)
	}
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
