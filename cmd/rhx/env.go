package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/secret"
)

type envCmd struct {
	Secret        []string `short:"s" sep:"none" predictor:"stored" help:"A secret of the store; may be given several times." placeholder:"SECRET"`
	Bundle        []string `short:"b" sep:"none" predictor:"bundle" help:"A bundle of the manifest; may be given several times." placeholder:"BUNDLE"`
	Yes           bool     `short:"y" help:"Trust the manifest without asking."`
	SkipUnnamable bool     `help:"Leave out keys that cannot be the name of a variable."`
	Unsafe        bool     `help:"Also variables by which programs run others, such as LD_PRELOAD."`
	Format        string   `predictor:"format" help:"The form: ${formats}." default:"shell" placeholder:"shell"`
}

func (c *envCmd) Help() string {
	return `Where neither a secret nor a bundle is named, it prints the bundle of rhx.yaml that is called default.

Examples:
  eval "$(rhx env -s openai)"
  eval "$(rhx env)"                                     # the project's variables
  rhx env -s openai -s aws --format dotenv > .env
  rhx env -s openai --format github >> "$GITHUB_ENV"    # docs/ci.md
  rhx env -s db --format k8s | kubectl apply -f -`
}

func (c *envCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if c.Format == "gitlab" {
		return fault.WithHint(fault.WithKind(errors.New("GitLab cannot be told by a job what to hide in its log, and keeps the variables that one job leaves for others readable"), fault.Usage),
			"rhx run --mask -- COMMAND hides them in what a command writes; --format shell is for the job itself")
	}
	if !slices.Contains(bundle.Formats(), c.Format) {
		return fault.WithHint(fault.WithKind(errors.New("unknown format "+c.Format+fault.DidYouMean(c.Format, bundle.Formats())), fault.Usage),
			"the formats are "+strings.Join(bundle.Formats(), ", "))
	}
	format := c.Format
	if a.Output != "table" {
		format = a.Output
	}
	if c.Bundle, err = a.bundlesOr(ctx, c.Bundle, c.Secret, c.Yes); err != nil {
		return err
	}
	env, err := a.environment(ctx, e, c.Bundle, c.Secret, bundle.Names{Format: format, Skip: c.SkipUnnamable, Unsafe: c.Unsafe}, c.Yes)
	if err == nil {
		err = noFiles(env.Files)
	}
	if err != nil {
		return err
	}
	vars := env.Vars
	if format == "shell" || format == "fish" || format == "buildkite" {
		vars = bundle.Beside(a.environ(), vars) // for the shell that rhx has its environment from
	}
	var hidden []secret.Value
	if bundle.Masks(format) {
		if hidden, err = e.Project.Hidden(env); err != nil {
			return err
		}
	}
	log, text, err := bundle.FormatMasked(format, vars, hidden)
	if err != nil {
		return err
	}
	if a.Getenv("GITHUB_ACTIONS") == "true" { // else it is no log where they would be taken away
		if _, err := a.ErrData().Write(log); err != nil {
			return fmt.Errorf("have the log hide the values: %w", err)
		}
	}
	logGiven(e, "env", place.Here, format, env)
	if format == "json" {
		_, err := a.Data().Write(forProgram(text, a.OutTTY, escapeJSON))
		return err
	}
	return a.exact("a value of these variables", string(text))
}
