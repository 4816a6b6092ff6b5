package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/scan"
	"github.com/rhx-dev/rhx/host/secret"
)

type redactCmd struct {
	Secret []string `short:"s" sep:"none" predictor:"stored" help:"A secret of the store; may be given several times. Without -s and -b: all." placeholder:"SECRET"`
	Bundle []string `short:"b" sep:"none" predictor:"bundle" help:"A bundle of the manifest; may be given several times." placeholder:"BUNDLE"`
	Yes    bool     `short:"y" help:"Trust the manifest without asking."`
}

func (c *redactCmd) Help() string {
	return `Passes its input on with ******** in place of secret values of 4 bytes or more, of every version that the store still has, in the forms that rhx run --mask knows. What may be the beginning of a value waits for more; everything else is passed on at once, so that it can stand behind tail -f. Where there is nothing to hide it fails, and passes nothing on.

Examples:
  kubectl logs -f web | rhx redact
  rhx redact -s openai < train.log > train.public.log`
}

func (c *redactCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	values, err := c.values(ctx, a, e)
	if err != nil {
		return err
	}
	m := mask.New(values)
	if m.Empty() {
		what := "the store has no value of 4 bytes or more"
		if len(c.Secret)+len(c.Bundle) > 0 {
			what = "what is named has no secret value of 4 bytes or more"
		}
		return fault.WithHint(errors.New(what+": nothing would be hidden, and nothing was passed on"), "rhx status shows which store it is, rhx list what is in it")
	}
	a.close()
	a.stopSignals()
	return c.pass(m, a.In, a.Streams().Out)
}

// values are those to hide. If one cannot be read, nothing is passed on.
func (c *redactCmd) values(ctx context.Context, a *app, e *engine.Engine) ([]secret.Value, error) {
	var out []secret.Value
	if len(c.Bundle) > 0 {
		env, err := a.environment(ctx, e, c.Bundle, nil, bundle.Names{Skip: true, Unsafe: true}, c.Yes)
		if err != nil {
			return nil, err
		}
		if out, err = e.Project.Hidden(env); err != nil || len(c.Secret) == 0 {
			return out, err
		}
	}
	names, err := a.stored(c.Secret...)
	if err != nil {
		return nil, err
	}
	recs, err := e.Records.Versions(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, h := range scan.Holders(recs, publicIn(e)) {
		out = append(out, h.Value)
	}
	return out, nil
}

// pass passes the input on. Where nobody reads on, SIGPIPE ends rhx as it ends cat; Ctrl-C
// ends it when what is held back is written.
func (c *redactCmd) pass(m *mask.Masker, in io.Reader, out io.Writer) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	defer signal.Stop(stop)
	w := m.Writer(out, mask.Pipe())
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{in})
		done <- err
	}()
	select {
	case err := <-done:
		if closeErr := w.Close(); err == nil {
			err = closeErr
		}
		return err
	case <-stop:
		_ = w.Close()
		return exitCode(130)
	}
}
