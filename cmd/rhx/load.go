package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/session"
)

type loadCmd struct {
	Secrets   []string `arg:"" predictor:"stored" optional:"" name:"secret" help:"The secrets' names in the store."`
	All       bool     `help:"Every secret in the store."`
	To        string   `help:"Write to this file instead of the default one." placeholder:"PATH"`
	Env       bool     `help:"As variables in rhx's env file, instead of native files."`
	TTL       lifetime `name:"ttl" help:"Take it out again after this time, such as 8h." placeholder:"8h"`
	Wrapped   string   `help:"Unwrap tokens of Vault's response wrapping, one a line of stdin or at a hidden prompt, and load what they stand for." placeholder:"-"`
	Overwrite bool     `help:"Replace values that differ."`
	Unsafe    bool     `help:"Also write values by which a tool would run a program, or read another file."`
	DryRun    bool     `help:"Say what would change; change nothing."`
}

func (c *loadCmd) Help() string {
	return `Merges each secret into its provider's file: other profiles, comments and order stay as they are. Values that are there already change nothing. Values that differ are refused, unless --overwrite is given or you say yes when asked.

With --ttl the secrets are taken out again when the time has passed: their own keys, and only where they have the values that rhx put there. The next rhx that changes something does so, or rhx sweep; of several loads of a secret the latest counts.

Examples:
  rhx load aws github
  rhx load --all --dry-run
  rhx load openai --env
  rhx load aws --ttl 8h`
}

// loadedJSON is one element of load's and sync's JSON.
type loadedJSON struct {
	Machine string          `json:"machine"`
	Secret  string          `json:"secret"`
	Path    string          `json:"path,omitempty"`
	Var     string          `json:"var,omitempty"`
	Action  provider.Action `json:"action"`
	Keys    []string        `json:"keys,omitempty"`
	// ModeAlone says that the values were there, and only the file's mode was changed.
	ModeAlone bool   `json:"mode_alone,omitempty"`
	Error     string `json:"error,omitempty"`
}

func (c *loadCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if c.Wrapped == "" && c.All == (len(c.Secrets) > 0) {
		return fault.WithHint(fault.WithKind(errors.New("name secrets, or use --all"), fault.Usage), "rhx list shows what is in the store")
	}
	if c.To != "" && (len(c.Secrets) != 1 && c.Wrapped == "" || c.Env) {
		return fault.WithKind(errors.New("--to is for the file of one secret"), fault.Usage)
	}
	if c.Secrets, err = a.stored(c.Secrets...); err != nil {
		return err
	}
	opts := exchange.LoadOptions{Names: c.Secrets, All: c.All, Env: c.Env, To: a.path(c.To), TTL: time.Duration(c.TTL), DryRun: c.DryRun, Unsafe: c.Unsafe, Resolve: a.resolver(c.Overwrite, c.DryRun), Warn: a.warn}
	if c.Env {
		if err := a.localOnly("load --env"); err != nil {
			return err
		}
	}
	at := a.at()
	var failed []session.Outcome
	if c.Wrapped != "" {
		if opts.Records, failed, err = c.unwrap(ctx, a, at); err != nil {
			return err
		}
	}
	loaded, err := e.Exchange.Load(ctx, at, a.machine(e), opts)
	if err != nil && len(loaded) == 0 {
		return err
	}
	unlisted := err
	loaded = append(failed, loaded...)
	if c.All && len(loaded) == 0 && a.Output == "table" {
		a.say(emptyStore)
		return nil
	}
	if c.All {
		loaded = a.withoutVariablesOnly(loaded)
	}
	if err := a.printLoaded(loaded, c.DryRun); err != nil || unlisted != nil {
		return cmp.Or(unlisted, err)
	}
	if c.Env && !c.DryRun && a.Output == "table" {
		a.say("To have the variables in this shell: . " + e.Deliver.EnvFile())
	}
	return nil
}

// lifetime is a time after which what was placed is taken out again; 0, which nobody can
// say, is for good.
type lifetime time.Duration

// UnmarshalText reads the value of a flag.
func (l *lifetime) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < manifest.MinTTL {
		return fmt.Errorf("%q is no time of at least a second, such as 8h or 90m", text)
	}
	*l = lifetime(d)
	return nil
}

// resolver decides what happens where values differ: they are replaced with
// --overwrite, or by a yes at the question; a plan asks nobody.
func (a *app) resolver(overwrite, dryRun bool) func(deliver.Conflict) deliver.Decision {
	switch {
	case overwrite:
		return deliver.ReplaceAll
	case dryRun || !a.canAsk():
		return nil
	}
	return func(c deliver.Conflict) deliver.Decision {
		return deliver.Decision(a.ask(fmt.Sprintf("%s: %v. Replace them?", c.Secret, c.ConflictError)))
	}
}

// withoutVariablesOnly takes out the secrets that no file is for, with a word.
func (a *app) withoutVariablesOnly(loaded []session.Outcome) []session.Outcome {
	var names []string
	var out []session.Outcome
	for _, l := range loaded {
		if errors.Is(l.Err, deliver.ErrVariablesOnly) {
			names = append(names, l.Secret)
		} else {
			out = append(out, l)
		}
	}
	if len(names) > 0 && !a.Quiet {
		fmt.Fprintf(a.Err, "Without a file, so not loaded: %s. rhx run -s and rhx load --env give their variables.\n", strings.Join(names, ", "))
	}
	return out
}

// loadedList is where secrets went, for programs.
func loadedList(loaded []session.Outcome) []loadedJSON {
	out := make([]loadedJSON, 0, len(loaded))
	for _, l := range loaded {
		out = append(out, toLoadedJSON(l))
	}
	return out
}

// printLoaded reports where secrets went. Its error is the exit status.
func (a *app) printLoaded(loaded []session.Outcome, dryRun bool) error {
	if done, err := a.data(loadedList(loaded)); done {
		if err != nil {
			return err
		}
		return loadedStatus(loaded)
	}
	for _, l := range loaded {
		a.printPlacement(l, dryRun)
	}
	return loadedStatus(loaded)
}

func toLoadedJSON(l session.Outcome) loadedJSON {
	j := loadedJSON{Machine: l.At.String(), Secret: l.Secret, Path: l.Source.Path, Var: l.Source.Var, Action: l.Action, Keys: l.Keys, ModeAlone: l.ModeAlone}
	if l.Err != nil {
		j.Error = l.Err.Error()
	}
	return j
}

// loadedStatus is the exit status of what was loaded: a secret on a machine has
// failed where one of its places has.
func loadedStatus(loaded []session.Outcome) error {
	type part struct {
		at     place.Place
		secret string
	}
	failed := map[part]error{}
	for _, l := range loaded {
		p := part{l.At, l.Secret}
		failed[p] = cmp.Or(failed[p], l.Err)
	}
	return outcomeOf(slices.Collect(maps.Values(failed)))
}

// conflictHint says what to do about a place that has other values.
func conflictHint(err error) string {
	var c *provider.ConflictError
	if errors.As(err, &c) && len(c.Others) > 0 {
		return "nothing was changed there; answer yes at the terminal to replace them for all, --to FILE.yaml writes another file, and " + strings.Join(c.Others, ", ") + " can be loaded along"
	}
	return "nothing was changed there; --overwrite replaces them"
}

func (a *app) printPlacement(l session.Outcome, dryRun bool) {
	name := l.Secret
	if l.At != place.Here {
		name = l.At.String() + ": " + name
	}
	would := ""
	if dryRun {
		would = "would be "
	}
	keys := modeAlone(l)
	if len(l.Keys) > 0 {
		keys = " (" + strings.Join(l.Keys, ", ") + ")"
	}
	switch l.Action {
	case provider.Unchanged:
		a.say(term.Linef("%s: already there, in %s", name, l.Source))
	case provider.Conflict:
		a.placementFailed(l, fault.WithHint(l.Err, conflictHint(l.Err)))
	case provider.Failed:
		err := l.Err
		if errors.Is(err, deliver.ErrVariablesOnly) {
			err = fault.WithHint(err, "rhx run -s "+l.Secret+" -- COMMAND gives them to a command; rhx load --env "+l.Secret+" to your shell; --to FILE.json writes a file")
		}
		err = hintUnsafe(err)
		if errors.Is(err, machine.ErrChanged) {
			err = fault.WithHint(err, "run the command again")
		}
		a.placementFailed(l, err)
	default:
		a.say(term.Linef("%s: %s %s%s%s", name, l.Source, would, l.Action, keys))
	}
}

// modeAlone says that nothing but the mode of a file is changed; "" where more is.
func modeAlone(l session.Outcome) string {
	if l.ModeAlone {
		return " (its permissions alone)"
	}
	return ""
}

// placementFailed tells that a secret did not get to a place.
func (a *app) placementFailed(l session.Outcome, err error) {
	if l.At == place.Here {
		a.report(l.Secret, err)
	} else {
		a.failedAt(l.At, l.Secret, err)
	}
}
