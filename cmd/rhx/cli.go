package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/fault"
)

// globals are the flags of every command.
type globals struct {
	Store    string `help:"The store: local, or vault://MOUNT/PREFIX (${env})." env:"RHX_STORE" placeholder:"URL" group:"Global flags:"`
	On       string `predictor:"host" help:"The machine HOST over SSH instead of this one, or a container, docker:NAME or k8s:NAMESPACE/POD; for run also several, with commas or as gpu-[01:64]." placeholder:"HOST" group:"Global flags:"`
	Manifest string `help:"The manifest; by default rhx.yaml in this folder or one above." placeholder:"FILE" group:"Global flags:"`
	Profile  string `predictor:"profile" help:"The manifest's profile, laid over the rest." placeholder:"NAME" group:"Global flags:"`
	Output   string `short:"o" help:"Print a table, or JSON or YAML for programs." enum:"table,json,yaml" default:"table" placeholder:"table|json|yaml" group:"Global flags:"`
	Reason   string `help:"Why, for rhx log." placeholder:"TEXT" group:"Global flags:"`
	Quiet    bool   `short:"q" help:"Print only results and errors." group:"Global flags:"`
	Verbose  bool   `short:"v" help:"Print what is being done." group:"Global flags:"`
	NoInput  bool   `help:"Never ask; fail with status 2 where an answer would be needed." group:"Global flags:"`
	Color    string `help:"Colour: auto, always or never." enum:"auto,always,never" default:"auto" placeholder:"auto|always|never" group:"Global flags:"`
}

// The groups of commands, as the help of rhx shows them.
const (
	groupKeep      = "Find and keep"
	groupUse       = "Use"
	groupProjects  = "Projects (rhx.yaml)"
	groupHosts     = "Hosts"
	groupMachine   = "Safety of this machine"
	groupStore     = "Stores and keys"
	groupMove      = "Moving in and out"
	groupProviders = "Providers"
	groupRest      = "The rest"
)

// commands are in the order of the help, group by group: what is used every day is first.
func commands() []command {
	return []command{
		{"detect", groupKeep, "Show the credentials on this machine.", &detectCmd{}, usesOn},
		{"save", groupKeep, "Save credentials of this machine to the store.", &saveCmd{}, usesAll | sweeps},
		{"list", groupKeep, "List the secrets in the store.", &listCmd{}, usesStore | usesManifest},
		{"show", groupKeep, "Show a secret's places and versions, its values masked.", &showCmd{}, usesSecrets},
		{"get", groupKeep, "Print one value, raw.", &getCmd{}, usesSecrets},
		{"edit", groupKeep, "Edit a secret's values in your editor.", &editCmd{}, usesSecrets},
		{"history", groupKeep, "List the versions of a secret.", &historyCmd{}, usesStore | usesManifest},
		{"rollback", groupKeep, "Bring back the values of an older version.", &rollbackCmd{}, usesSecrets},
		{"copy", groupKeep, "Copy a secret to another name or store.", &copyCmd{}, usesSecrets},
		{"move", groupKeep, "Move a secret to another name or store.", &moveCmd{}, usesSecrets},
		{"delete", groupKeep, "Delete secrets from the store.", &deleteCmd{}, usesAll | sweeps},
		{"undelete", groupKeep, "Bring a deleted secret back.", &undeleteCmd{}, usesSecrets},

		{"load", groupUse, "Bring secrets from the store into their native files.", &loadCmd{}, usesAll | sweeps},
		{"run", groupUse, "Run a command with secrets in its environment.", &runCmd{}, usesAll | sweeps},
		{"env", groupUse, "Print secrets as variables for a shell or a tool.", &envCmd{}, usesSecrets},
		{"helper", groupUse, "Have git, docker, aws, kubectl and others ask rhx.", newHelperCmd(), usesStore | usesLog},
		{"mcp", groupUse, "Serve an agent: it uses secrets, and sees none.", &mcpCmd{}, usesSecrets},
		{"broker", groupUse, "Say what rhx run --broker would put into a request.", &brokerCmd{}, usesSecrets},
		{"undo", groupUse, "Bring files back to what they were before rhx's last change.", &undoCmd{}, usesLog},
		{"sweep", groupUse, "Take out what was placed for a time that has passed.", &sweepCmd{}, usesLog},

		{"init", groupProjects, "Write a manifest (rhx.yaml) of what this machine has.", &initCmd{}, usesStore | usesManifest},
		{"trust", groupProjects, "Trust the manifest that applies here.", &trustCmd{}, usesManifest},
		{"check", groupProjects, "Say whether all is there that the manifest needs.", &checkCmd{}, usesSecrets},
		{"plan", groupProjects, "Say what the manifest would change, everywhere.", &planCmd{}, usesSecrets},
		{"apply", groupProjects, "Bring the store and every machine to what it says.", &applyCmd{}, usesSecrets | sweeps},
		{"why", groupProjects, "Show how a variable of a bundle comes to be.", &whyCmd{}, usesSecrets},

		{"sync", groupHosts, "Bring secrets onto hosts over SSH.", &syncCmd{}, usesSecrets | sweeps},
		{"status", groupHosts, "Show which secret is where: same, different, missing.", &statusCmd{}, usesSecrets},
		{"where", groupHosts, "Show where a secret is and where it goes.", &whereCmd{}, usesSecrets},

		{"doctor", groupMachine, "Say what is wrong or unwise here, and how to mend it.", &doctorCmd{}, usesStore | usesManifest},
		{"scan", groupMachine, "Find the store's values where they should not be.", &scanCmd{}, usesSecrets},
		{"redact", groupMachine, "Pass text on without the store's values.", &redactCmd{}, usesSecrets},
		{"harden", groupMachine, "Take credentials out of files: their clients ask rhx.", &hardenCmd{}, usesStore | usesLog},
		{"log", groupMachine, "Show who read and wrote which secrets.", &logCmd{}, 0},

		{"unlock", groupStore, "Type the passphrase of the store's key once, for hours.", &unlockCmd{}, 0},
		{"lock", groupStore, "Have the agent forget what unlock gave it.", &lockCmd{}, 0},
		{"agent", groupStore, "Start, stop and ask the agent that holds an unlocked key.", &agentCmd{}, 0},
		{"store", groupStore, "Back up the store; check, rekey and share the local one.", &storeCmd{}, usesStore | usesManifest | usesLog},
		{"login", groupStore, "Log in to HashiCorp Vault, and exchange secrets with it.", &loginCmd{}, usesStore | usesLog | sweeps},
		{"logout", groupStore, "Log out of it, and take away what rhx placed here.", &logoutCmd{}, usesStore | usesLog | sweeps},
		{"vault", groupStore, "Print the policy that a store in Vault needs.", &vaultCmd{}, usesStore | usesManifest},

		{"import", groupMove, "Save what other tools keep: .env, 1Password, pass, sops and more.", &importCmd{}, usesSecrets | sweeps},
		{"export", groupMove, "Write the newest values for other programs.", &exportCmd{}, usesSecrets},

		{"providers", groupProviders, "List the known providers, or all that is known of one.", &providersCmd{}, 0},
		{"provider", groupProviders, "Write providers of your own; add those of others.", &providerCmd{}, 0},
		{"schema", groupProviders, "Print the JSON Schema of a manifest or a provider spec.", &schemaCmd{}, 0},

		{"completion", groupRest, "Print the code that makes a shell complete rhx's arguments.", &completionCmd{}, 0},
		{"man", groupRest, "Print a page of the manual, for man.", &manCmd{}, 0},
		{"version", groupRest, "Print the version.", &versionCmd{}, 0},
	}
}

type command struct {
	name, group, help string
	grammar           any
	uses              uses
}

// uses are the flags of all commands that one has a use for.
type uses uint8

const (
	usesStore    uses = 1 << iota // --store
	usesManifest                  // --manifest and --profile
	usesOn                        // --on
	usesLog                       // --reason
	sweeps                        // takes out first what is to go: not a flag

	usesSecrets = usesStore | usesManifest | usesLog
	usesAll     = usesSecrets | usesOn
)

// limited are the flags of all commands that only some have a use for.
var limited = []struct {
	name string
	use  uses
	// value is what was given. There is none for --store, which RHX_STORE sets for all.
	value func(*globals) string
}{
	{"store", usesStore, func(*globals) string { return "" }},
	{"manifest", usesManifest, func(g *globals) string { return g.Manifest }},
	{"profile", usesManifest, func(g *globals) string { return g.Profile }},
	{"on", usesOn, func(g *globals) string { return g.On }},
	{"reason", usesLog, func(g *globals) string { return g.Reason }},
}

// without are the names of the flags that a command has no use for.
func (u uses) without() []string {
	var out []string
	for _, f := range limited {
		if u&f.use == 0 {
			out = append(out, f.name)
		}
	}
	return out
}

// usesOf are those of the command of a name; all for one that there is not.
func usesOf(name string) uses {
	for _, c := range commands() {
		if c.name == name {
			return c.uses
		}
	}
	return usesAll
}

const description = `Finds the credentials that this machine has, keeps them in a store (encrypted files, or HashiCorp Vault), and puts them where they are needed: native files, hosts over SSH, the environment of a command.

Exit status: 0 done, 1 failed, 2 wrong usage or nobody there to ask, 3 partly done. "rhx run" gives that of the command. "rhx help agents" is a page for agents.`

// exitCode ends a command with a status and no message of its own.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// newApp returns what commands share, on this process's streams and environment.
func newApp() *app {
	return &app{Terminal: term.New(term.System(), os.Getenv), globals: &globals{Output: "table", Color: "auto"}, environ: os.Environ}
}

// run is the whole program: it returns the exit status.
func run(args []string) int {
	a := newApp()
	status := a.run(args)
	if err := a.Lost(); err != nil && status == 0 {
		return a.fail(err) // what is not printed is not done
	}
	return status
}

func (a *app) run(args []string) int {
	if len(args) == 1 && (args[0] == "version" || args[0] == "--version") {
		// What scripts ask most often needs no grammar, which takes longer to
		// build than the rest of the program to start.
		return a.fail((&versionCmd{}).Run(context.Background(), a))
	}
	if os.Getenv("GOGC") == "" {
		// Half as many collections: a twentieth of the time of large commands, for a
		// few MiB.
		debug.SetGCPercent(200)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := term.OnStop(cancel)
	defer stop()
	a.stopSignals = stop
	defer a.close()
	a.places.Told = a.tellContext
	if a.Getenv("COMP_LINE") != "" {
		parser, err := a.parser(ctx, commands())
		if err != nil {
			return a.fail(err)
		}
		return a.complete(parser, args)
	}
	if slices.Equal(args, []string{"help", "agents"}) {
		_, err := io.WriteString(a.Out, agentsPage)
		return a.fail(err)
	}
	if len(args) == 0 && a.welcome(ctx) {
		return 0
	}
	if len(args) == 0 || args[0] == "help" {
		args = append(slices.Clone(args[min(1, len(args)):]), "--help")
	}
	if protocol, q, ok := asksHelper(args); ok {
		return a.fail(a.answerClient(ctx, protocol, q))
	}
	if name, cmd := plain(args); cmd != nil {
		a.Store, a.Paint = a.Getenv("RHX_STORE"), a.Color
		return a.carryOut(ctx, "rhx "+name, usesOf(name)&sweeps != 0, func() error { return cmd.Run(ctx, a) })
	}
	parsed, err := a.parse(ctx, args)
	a.Paint = a.Color
	if lost := a.Lost(); lost != nil { // the help was not printed
		return a.fail(lost)
	}
	if err != nil {
		// A flag that failed to parse leaves the others unset: these still count.
		a.Output = cmp.Or(wanted(args, []string{"-o", "--output"}, "json", "yaml"), "table")
		a.Paint = wanted(args, []string{"--color"}, "always", "never")
		return a.fail(usage(err))
	}
	if parsed == nil {
		return 0 // help was printed
	}
	path := parsed.Selected().FullPath()
	return a.carryOut(ctx, path, a.sweepsFirst(parsed), func() error { return parsed.Run() })
}

// carryOut does what a command is for. path is its name behind that of the program.
func (a *app) carryOut(ctx context.Context, path string, sweep bool, do func() error) int {
	_, a.command, _ = strings.Cut(path, " ")
	err := a.checkFlags(path)
	if err == nil && sweep {
		err = a.sweepHere(ctx)
	}
	if err == nil {
		err = do()
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	return a.fail(err)
}

// sweepsFirst reports whether a command may change this machine: one that only says what
// it would do may not.
func (a *app) sweepsFirst(parsed *kong.Context) bool {
	if usesOf(strings.Fields(parsed.Selected().FullPath())[1])&sweeps == 0 {
		return false
	}
	return !slices.ContainsFunc(parsed.Flags(), func(f *kong.Flag) bool { return f.Name == "dry-run" && f.Target.Bool() })
}

// parse reads the arguments. The grammar of all commands takes a millisecond to
// build, so where the first argument is a command only its own is built; if it
// does not fit, all are, for an error that knows them.
func (a *app) parse(ctx context.Context, args []string) (*kong.Context, error) {
	all := commands()
	if i := slices.IndexFunc(all, func(c command) bool { return c.name == args[0] }); i >= 0 {
		if parsed, err := a.parseWith(ctx, all[i:i+1], args); err == nil {
			return parsed, nil
		}
		*a.globals = globals{}
	}
	return a.parseWith(ctx, commands(), args)
}

// parseWith reads the arguments by the grammar of cmds; nil where help was asked
// for and printed.
func (a *app) parseWith(ctx context.Context, cmds []command, args []string) (*kong.Context, error) {
	parser, err := a.parser(ctx, cmds)
	if err != nil {
		return nil, err
	}
	parts := part(parser.Model.Node, args)
	if err := parts.unknownCommand(); err != nil {
		return nil, err
	}
	if err := parts.incomplete(); err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(parts.sorted())
	if a.helped {
		return nil, nil
	}
	return parsed, err
}

func (a *app) parser(ctx context.Context, cmds []command) (*kong.Kong, error) {
	options := []kong.Option{
		kong.Name("rhx"), kong.Description(description),
		kong.Writers(a.Out, a.Err),
		kong.Exit(func(int) { a.helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: a.helpWidth()}),
		kong.Vars{"formats": strings.Join(bundle.Formats(), ", "), "methods": strings.Join(loginMethods, ", ")},
		kong.Help(printHelp),
		kong.Bind(a),
		kong.BindTo(ctx, (*context.Context)(nil)),
	}
	for _, c := range cmds {
		options = append(options, kong.DynamicCommand(c.name, c.help, c.group, c.grammar))
	}
	parser, err := kong.New(a.globals, options...)
	if err != nil {
		return nil, err
	}
	help := parser.Model.HelpFlag
	help.Help, help.Group = "Show this help.", parser.Model.Flags[len(parser.Model.Flags)-1].Group
	if len(cmds) == 1 {
		for _, f := range parser.Model.Flags {
			f.Hidden = slices.Contains(cmds[0].uses.without(), f.Name)
		}
	}
	return parser, nil
}

// usage turns kong's parse error into one with a hint.
func usage(err error) error {
	if fault.Hint(err) != "" {
		return err
	}
	var pe *kong.ParseError
	hint := "rhx --help lists the commands"
	if errors.As(err, &pe) && pe.Context != nil && pe.Context.Selected() != nil {
		hint = helpFor(pe.Context.Selected())
	}
	// One before its command, which part does not know yet.
	if flag, wrong, ok := strings.Cut(err.Error(), ": expected "); ok && strings.Contains(wrong, ` value but got "EOL"`) {
		err = errors.New(flag + " needs a value")
	}
	if flag, got, ok := strings.Cut(err.Error(), ": expected a valid 64 bit int but got "); ok {
		err = fmt.Errorf("%s needs a number, not %s", flag, got)
	}
	if args, ok := strings.CutPrefix(err.Error(), `expected "`); ok {
		err = errors.New("missing argument: " + strings.TrimSuffix(args, `"`))
	}
	return fault.WithHint(fault.WithKind(err, fault.Usage), hint)
}

// wanted finds which of some values a flag has in arguments that did not parse; ""
// for none of them.
func wanted(args, flags []string, values ...string) string {
	for _, value := range given(args, flags...) {
		if slices.Contains(values, value) {
			return value
		}
	}
	return ""
}

// given are the values of a flag, by any of its names, in arguments that are not parsed.
func given(args []string, names ...string) []string {
	var out []string
	for i, arg := range args {
		if arg == "--" {
			break
		}
		for _, name := range names {
			if value, ok := strings.CutPrefix(arg, name+"="); ok {
				out = append(out, value)
			} else if arg == name && i+1 < len(args) {
				out = append(out, args[i+1])
			} else if short, joined := strings.CutPrefix(arg, name); joined && short != "" && len(name) == 2 {
				out = append(out, short) // -ojson
			}
		}
	}
	return out
}
