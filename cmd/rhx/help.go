package main

import (
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rhx-dev/rhx/cmd/rhx/manual"
	"github.com/rhx-dev/rhx/cmd/rhx/term"
)

// helpWidth is how many columns the help may take.
func (a *app) helpWidth() int { return min(100, a.Width()) }

// globalFlags are those of all commands, as the help of rhx itself has them: each command
// says what its own are.
const globalFlags = `Flags of all commands that have a use for them: --store URL, --on HOST, --manifest FILE, --profile NAME, -o json or yaml, --reason TEXT, -q, -v, --no-input, --color. "rhx COMMAND --help" says what a command's flags do, and has examples.`

// printHelp is kong's help. That of rhx itself has its commands by groups, each in a line;
// that of a command has the examples at its end.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	node := ctx.Selected()
	if node == nil {
		options.NoExpandSubcommands = true
		for _, f := range ctx.Model.Flags {
			f.Hidden = true
		}
		ctx.Model.HelpFlag = nil // it has the flags' part say what globalFlags does
		if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
			return err
		}
		_, err := io.WriteString(ctx.Stdout, "\n"+strings.Join(term.Wrap(globalFlags, options.WrapUpperBound), "\n")+"\n")
		return err
	}
	group, detail := node.Group, node.Detail
	defer func() { node.Group, node.Detail = group, detail }()
	node.Group = nil // its commands are no group
	var examples []string
	node.Detail, examples = manual.CutExamples(detail)
	err := kong.DefaultHelpPrinter(options, ctx)
	if err == nil && len(examples) > 0 {
		_, err = io.WriteString(ctx.Stdout, "\nExamples:\n  "+strings.Join(manual.Fit(examples, options.WrapUpperBound-2), "\n  ")+"\n")
	}
	return err
}
