package main

import (
	"context"
	"errors"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
)

type runCmd struct {
	Secret []string `short:"s" sep:"none" predictor:"stored" help:"A secret of the store; may be given several times." placeholder:"SECRET"`
	TTY    bool     `short:"t" name:"tty" help:"With --on: give the command a terminal."`
	Cmd    []string `arg:"" name:"command" passthrough:"" help:"The command and its arguments."`
}

func (c *runCmd) Help() string {
	return `Here, rhx replaces itself by the command: same process, same terminal, same signals. With --on HOST the variables go over the SSH channel; nothing is installed or left there.

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
	if err := secretsNamed(c.Secret); err != nil {
		return err
	}
	vars, err := h.Env(ctx, c.Secret)
	if err != nil {
		return err
	}
	if a.On != "" {
		return c.remote(ctx, a, argv, vars)
	}
	a.close()
	a.stopSignals()
	return execute(argv, bundle.Environ(a.Environ(), vars), a)
}

// secretsNamed is the error of a command whose -s is missing.
func secretsNamed(names []string) error {
	if len(names) > 0 {
		return nil
	}
	return fault.WithHint(fault.WithKind(errors.New("no secret is named"), fault.Usage), "name each one with -s; rhx list shows what is in the store")
}

// remote runs the command on the host that --on names.
func (c *runCmd) remote(ctx context.Context, a *app, argv []string, vars []bundle.Var) error {
	m := a.ssh(a.On, false)
	defer func() { _ = m.Close() }()
	runner, ok := m.(machine.Runner)
	if !ok {
		return errors.New("this host cannot run commands")
	}
	spec := machine.RunSpec{Argv: argv, Stdin: a.In, Stdout: a.Out, Stderr: a.Err, TTY: c.TTY}
	for _, v := range vars {
		spec.Env = append(spec.Env, machine.Var{Name: v.Name, Value: v.Value.Reveal()})
	}
	status, err := runner.Run(ctx, spec)
	if err != nil {
		return err
	}
	return exitCode(status)
}
