package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/fault"
)

// globals are the flags of every command.
type globals struct {
	Store   string `help:"The store: local, or vault://MOUNT/PREFIX (${env})." env:"RHX_STORE" placeholder:"URL"`
	On      string `help:"Read the machine HOST over SSH instead of this one." placeholder:"HOST"`
	Output  string `short:"o" help:"Print a table, or JSON or YAML for programs." enum:"table,json,yaml" default:"table" placeholder:"table|json|yaml"`
	Quiet   bool   `short:"q" help:"Print only results and errors."`
	Verbose bool   `short:"v" help:"Print what is being done."`
	NoInput bool   `help:"Never ask; fail where an answer would be needed."`
	Color   string `help:"Colour: auto, always or never." enum:"auto,always,never" default:"auto" placeholder:"auto|always|never"`
}

type cli struct {
	globals

	Detect     detectCmd     `cmd:"" help:"Show the credentials on this machine."`
	Save       saveCmd       `cmd:"" help:"Save credentials of this machine to the store."`
	List       listCmd       `cmd:"" help:"List the secrets in the store."`
	Show       showCmd       `cmd:"" help:"Show one secret: where it belongs, its versions, its values masked."`
	Get        getCmd        `cmd:"" help:"Print one value, raw."`
	Load       loadCmd       `cmd:"" help:"Bring secrets from the store into their native files."`
	Delete     deleteCmd     `cmd:"" help:"Delete secrets from the store."`
	Sync       syncCmd       `cmd:"" help:"Bring secrets onto hosts over SSH."`
	Run        runCmd        `cmd:"" help:"Run a command with secrets in its environment."`
	Env        envCmd        `cmd:"" help:"Print secrets as variables for a shell or a tool."`
	Providers  providersCmd  `cmd:"" help:"List the known providers, or what one of them reads and writes."`
	Completion completionCmd `cmd:"" help:"Print the code that makes a shell complete rhx's arguments."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

const description = `Finds the credentials that this machine has, keeps them in a store (encrypted files, or HashiCorp Vault), and puts them where they are needed: native files, hosts over SSH, the environment of a command.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 partly done. "rhx run" gives that of the command.`

// exitCode ends a command with a status and no message of its own.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// run is the whole program: it returns the exit status.
func run(args []string, io *streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	defer stop()
	c := &cli{}
	a := &app{streams: io, globals: &c.globals, stopSignals: stop}
	defer a.close()
	exited := -1
	parser, err := kong.New(c,
		kong.Name("rhx"), kong.Description(description),
		kong.Writers(io.Out, io.Err),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"formats": strings.Join(bundle.Formats(), ", ")},
		kong.Bind(a),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return a.fail(err)
	}
	if io.Getenv("COMP_LINE") != "" {
		return a.complete(parser)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		// A flag that failed to parse leaves the others unset: -o json still counts.
		if c.Output == "table" || c.Output == "" {
			c.Output = wantedOutput(args)
		}
		return a.fail(usage(err))
	}
	err = parsed.Run()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	return a.fail(err)
}

// usage turns kong's parse error into one with a hint.
func usage(err error) error {
	var pe *kong.ParseError
	hint := "rhx --help lists the commands"
	if errors.As(err, &pe) && pe.Context != nil && pe.Context.Selected() != nil {
		hint = "rhx " + pe.Context.Selected().Name + " --help shows how it is used"
	}
	return fault.WithHint(fault.WithKind(err, fault.Usage), hint)
}

// wantedOutput finds -o FORMAT in arguments that did not parse.
func wantedOutput(args []string) string {
	for i, a := range args {
		if a == "--" {
			break
		}
		for _, p := range []string{"-o=", "-o", "--output="} {
			if v, ok := strings.CutPrefix(a, p); ok && (v == "json" || v == "yaml") {
				return v
			}
		}
		if (a == "-o" || a == "--output") && i+1 < len(args) && slices.Contains([]string{"json", "yaml"}, args[i+1]) {
			return args[i+1]
		}
	}
	return "table"
}
