package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

type saveCmd struct {
	Args       []string `arg:"" predictor:"savable" optional:"" name:"secret" help:"Secrets as rhx detect names them; or one name and KEY=@FILE or KEY=- (from stdin or a hidden prompt)."`
	All        bool     `help:"Everything that rhx detect finds."`
	From       string   `help:"Read this file instead of the default one." placeholder:"PATH"`
	FromEnv    bool     `help:"Read the provider's variables, whatever its files hold."`
	Values     string   `help:"Take the values from a JSON or dotenv file, or - for stdin." placeholder:"FILE|-"`
	Overwrite  bool     `help:"Save what is here although the store has a newer version, which this machine has not seen."`
	AllowEmpty bool     `help:"Save empty values too."`
	Provider   string   `predictor:"provider" help:"The secret's provider, where its name does not say it; none for a base secret." placeholder:"P"`
	Name       string   `help:"The secret's name in the store." placeholder:"N"`
	Weak       bool     `help:"With RHX_AGE_IDENTITY=passphrase, at the first save: take a passphrase that is guessed easily."`
}

func (c *saveCmd) Help() string {
	return `Saving the values that the store has already makes no new version. KEY=… keeps the other keys of the secret, --values replaces them all.

Examples:
  rhx save --all                  # everything that rhx detect finds
  rhx save aws aws/prod           # two profiles
  rhx save aws --from ./credentials --name ci-aws
  rhx save openai api_key=-       # a key typed at a hidden prompt, or from a pipe
  rhx save db user=@user.txt password=-
  rhx save db --values db.json    # a base secret: any keys`
}

// savedJSON is one element of save's JSON.
type savedJSON struct {
	Name    string          `json:"name"`
	Action  provider.Action `json:"action"`
	Version int             `json:"version,omitempty"`
	Keys    []string        `json:"keys,omitempty"`
	Error   string          `json:"error,omitempty"`
}

func (c *saveCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	e.Stores.Weak = c.Weak
	names, pairs := splitPairs(c.Args)
	if names, err = a.stored(names...); err != nil {
		return err
	}
	if c.Values != "" || len(pairs) > 0 {
		saved, err := c.values(ctx, a, e, names, pairs)
		if err != nil {
			return err
		}
		return a.printSaved([]exchange.Saved{saved})
	}
	if !c.All && len(names) == 0 && c.Provider == "" {
		return fault.WithHint(fault.WithKind(errors.New("no secret given"), fault.Usage),
			"name secrets as rhx detect shows them, or use --all")
	}
	if c.All && len(names) > 0 {
		return fault.WithKind(errors.New("--all cannot be combined with names"), fault.Usage)
	}
	opts := exchange.SaveOptions{Names: names, All: c.All, From: a.path(c.From), FromEnv: c.FromEnv, Provider: c.Provider, As: c.Name, At: a.at(), Overwrite: c.Overwrite}
	if len(names) == 0 && c.Provider != "" && !c.FromEnv && c.From == "" {
		opts.Names = []string{c.Provider}
	}
	for _, n := range names {
		if err := c.known(e, n); err != nil {
			return err
		}
	}
	saved, err := e.Exchange.Save(ctx, a.machine(e), opts)
	if err != nil {
		return err
	}
	if len(saved) == 0 {
		a.say("Nothing to save: rhx detect finds no credentials with values here.")
	}
	return a.printSaved(saved)
}

// known turns the name of no provider into an error that also tells of base secrets.
func (c *saveCmd) known(e *engine.Engine, name string) error {
	if c.Provider != "" {
		return nil
	}
	p, _, _ := strings.Cut(name, "/")
	if _, err := e.Specs.Get(p); err != nil {
		return fault.WithHint(err, "rhx providers lists the known ones; a secret of your own is saved with its values: rhx save "+name+" KEY=-")
	}
	return nil
}

// splitPairs parts KEY=… arguments from names.
func splitPairs(args []string) (names, pairs []string) {
	for _, a := range args {
		if strings.Contains(a, "=") {
			pairs = append(pairs, a)
		} else {
			names = append(names, a)
		}
	}
	return names, pairs
}

// values saves a secret whose values the user gives.
func (c *saveCmd) values(ctx context.Context, a *app, e *engine.Engine, names, pairs []string) (exchange.Saved, error) {
	if c.Name != "" {
		names = append(names, c.Name)
	}
	if len(names) != 1 || c.All || c.From != "" || c.FromEnv || c.Values != "" && len(pairs) > 0 {
		return exchange.Saved{}, fault.WithHint(fault.WithKind(errors.New("KEY= and --values give the values of one secret"), fault.Usage),
			"rhx save NAME KEY=-, or rhx save NAME --values FILE")
	}
	// Before stdin is read and anything asked: opening a store may start rhx anew.
	if _, err := e.Records.Store(ctx); err != nil {
		return exchange.Saved{}, err
	}
	sec, err := e.Exchange.NewSecret(names[0], c.Provider)
	if err != nil {
		return exchange.Saved{}, err
	}
	var given []string
	if c.Values != "" {
		err = a.readValues(ctx, c.Values, sec.Values)
		given = sec.Values.Keys()
	} else {
		err = a.readPairs(ctx, e, pairs, sec)
		for _, p := range pairs {
			key, _, _ := strings.Cut(p, "=")
			given = append(given, key)
		}
	}
	if err != nil {
		return exchange.Saved{}, err
	}
	if c.AllowEmpty {
		given = nil
	}
	if err := e.Exchange.CheckValues(sec, given); err != nil {
		return exchange.Saved{}, err
	}
	return e.Exchange.SaveSecret(ctx, sec)
}

// readValues reads a JSON object or a dotenv file.
func (a *app) readValues(ctx context.Context, name string, into secret.Values) error {
	data, err := a.input(ctx, name, maxInput)
	if err != nil {
		return err
	}
	if name == "-" {
		name = "standard input"
	}
	return exchange.ParseValues(name, data, into)
}

// readPairs reads KEY=@FILE and KEY=-, over the values that the secret has.
func (a *app) readPairs(ctx context.Context, e *engine.Engine, pairs []string, sec *secret.Secret) error {
	old, err := e.Records.Get(ctx, sec.Name, 0)
	switch {
	case err == nil:
		for k, v := range old.Secret.Values {
			sec.Values[k] = v
		}
		if sec.Provider == "" {
			sec.Provider, sec.Profile = old.Secret.Provider, old.Secret.Profile
		}
	case errors.Is(err, store.ErrDenied):
		return fault.WithHint(fmt.Errorf("the other keys of %s must be kept, and cannot be read: %w", sec.Name, err),
			"rhx save "+sec.Name+" --values FILE replaces all of it without reading")
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	stdin := false
	for _, p := range pairs {
		key, from, _ := strings.Cut(p, "=")
		file, isFile := strings.CutPrefix(from, "@")
		switch {
		case key == "":
			return fault.WithKind(errors.New("a value needs a key: KEY=-"), fault.Usage)
		case isFile:
			data, err := a.input(ctx, file, maxInput)
			if err != nil {
				return err
			}
			sec.Values[key] = secret.NewValue(string(data))
		case from != "-" && from != "":
			return fault.WithHint(fault.WithKind(fmt.Errorf("the value of %s is on the command line, where every process can read it", key), fault.Usage),
				fmt.Sprintf("%s=- asks for it, or takes it from a pipe; %s=@FILE reads a file", key, key))
		case a.InTTY:
			text, err := a.hidden(fmt.Sprintf("%s of %s: ", key, sec.Name))
			if err != nil {
				return err
			}
			sec.Values[key] = secret.NewValue(text)
		case stdin || from == "":
			return fault.WithHint(fault.Unasked(fmt.Errorf("no terminal to ask for %s on", key)), "one KEY=- can come from stdin, the others from files: KEY=@FILE")
		default:
			data, err := a.input(ctx, "-", maxInput)
			if err != nil {
				return err
			}
			stdin = true
			// echo and printf '%s\n' end with a line break that is not the value's.
			text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
			sec.Values[key] = secret.NewValue(text)
		}
	}
	return nil
}

// savedList is what was saved for programs.
func savedList(saved []exchange.Saved) []savedJSON {
	out := make([]savedJSON, 0, len(saved))
	for _, s := range saved {
		j := savedJSON{Name: s.Name, Action: s.Action, Version: s.Version, Keys: s.Keys}
		if s.Err != nil {
			j.Error = s.Err.Error()
		}
		out = append(out, j)
	}
	return out
}

// printSaved reports what was saved.
func (a *app) printSaved(saved []exchange.Saved) error {
	errs := make([]error, len(saved))
	for i, s := range saved {
		errs[i] = s.Err
	}
	if done, err := a.data(savedList(saved)); done {
		if err != nil {
			return err
		}
		return outcomeOf(errs)
	}
	for _, s := range saved {
		switch {
		case s.Err != nil:
			a.report(s.Name, s.Err)
		case s.Action == provider.Unchanged:
			a.say(fmt.Sprintf("%s: already there, version %d", s.Name, s.Version))
		case s.Action == provider.Created:
			a.say(fmt.Sprintf("%s: saved", s.Name))
		default:
			a.say(fmt.Sprintf("%s: saved as version %d (%s)", s.Name, s.Version, strings.Join(s.Keys, ", ")))
		}
	}
	for _, s := range saved {
		for _, n := range slices.Compact(s.Notes) {
			a.warn(s.Name + ": " + n)
		}
	}
	return outcomeOf(errs)
}
