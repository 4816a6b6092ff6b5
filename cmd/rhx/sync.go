package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/project"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/session"
)

type syncCmd struct {
	Hosts       []string      `arg:"" predictor:"host" optional:"" name:"host" help:"Hosts as ssh names them ([USER@]HOST[:PORT], or a Host of ssh_config), ranges such as gpu-[01:64], groups of the inventory; containers, docker:NAME or k8s:NAMESPACE/POD[/CONTAINER]."`
	Inventory   string        `short:"i" help:"A file with a host on each line and [GROUP] above those of a group, as Ansible's; - is standard input." placeholder:"FILE"`
	RetryFailed bool          `help:"Try again what the last sync failed to do."`
	Env         bool          `help:"As variables in rhx's env file there, instead of native files."`
	To          string        `help:"The file of the one secret there, instead of the default one." placeholder:"PATH"`
	Secret      []string      `short:"s" sep:"none" predictor:"stored" help:"A secret of the store; may be given several times." placeholder:"SECRET"`
	Bundle      []string      `short:"b" sep:"none" predictor:"bundle" help:"A bundle of the manifest: its files, and its variables in rhx's env file there." placeholder:"BUNDLE"`
	TTL         lifetime      `name:"ttl" help:"Take it out there again after this time, such as 8h." placeholder:"8h"`
	Yes         bool          `short:"y" help:"Trust the manifest without asking."`
	Overwrite   bool          `help:"Replace values that differ."`
	Unsafe      bool          `help:"Also write values by which a tool would run a program, or read another file."`
	Via         string        `help:"ssh sends the secrets; vault sends only single-use tokens, with which rhx or the vault command there gets them from Vault." enum:"ssh,vault" default:"ssh" placeholder:"ssh|vault"`
	WrapTTL     time.Duration `name:"wrap-ttl" help:"With --via vault: how long the tokens are good for." default:"2m" placeholder:"2m"`
	DryRun      bool          `help:"Say what would change; change nothing."`
	Parallel    int           `help:"Hosts served at once." default:"32" placeholder:"32"`
	AcceptNew   bool          `help:"Add the key of a host that is not known yet; a changed key is refused all the same."`
}

func (c *syncCmd) Help() string {
	return `Works as rhx load does, on the hosts: merged into the files that are there, mode 0600, folders 0700. Only the secrets that are named are sent. Host keys are always verified. Ctrl-C lets the hosts that are being written be finished and leaves the others as they were; rhx sync --retry-failed does those.

With --via vault no secret goes over SSH, but for each one a token that Vault takes once (response wrapping). The host needs rhx or the vault command, and has to reach Vault. A token that somebody used on the way is an error there.

With --ttl the secrets are taken out again when the time has passed, as rhx load --ttl does. A file that rhx made there goes by itself, with a process that rhx leaves on the host; what is in a file beside other things goes at the next rhx sync, apply or load there, or by rhx sweep.

Examples:
  rhx sync gpu-01 gpu-02 -s aws -s github
  rhx sync 'gpu-[01:64]' -b train --dry-run
  rhx sync --retry-failed`
}

func (c *syncCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	targets, err := c.targets(ctx, a, e)
	if err != nil {
		return err
	}
	wrap, err := c.wrap()
	if err != nil {
		return err
	}
	if c.To != "" && (len(c.Secret) != 1 || len(c.Bundle) > 0 || c.Env || wrap > 0) {
		return fault.WithKind(errors.New("--to is for the file of one secret"), fault.Usage)
	}
	var env *project.Environment
	if len(c.Bundle) > 0 {
		if env, err = a.environment(ctx, e, c.Bundle, nil, bundle.Names{Unsafe: c.Unsafe}, c.Yes); err != nil {
			return err
		}
	} else if err := secretsNamed(c.Secret); err != nil {
		return err
	}
	if c.Secret, err = a.stored(c.Secret...); err != nil {
		return err
	}
	opts := exchange.SyncOptions{Names: c.Secret, Env: c.Env, To: c.To, Wrap: wrap, TTL: time.Duration(c.TTL), Overwrite: c.Overwrite, Unsafe: c.Unsafe, DryRun: c.DryRun, Fleet: a.fleet(e, c.Parallel, c.AcceptNew), Warn: a.warn}
	if env != nil {
		what := env.Delivery()
		opts.Bundle = &what
	}
	var live *term.Live
	if a.Output == "table" {
		// Each host's lines as soon as it is done.
		live = a.watch(len(targets))
		defer live.End()
		opts.Fleet.Began = func(at place.Place) { live.Begin(at.String()) }
		opts.Done = func(r session.Result) {
			live.Finish(r.At.String(), len(session.Report{r}.FailedAt()) > 0)
			a.printResult(r, func(o session.Outcome) { a.printPlacement(o, c.DryRun) })
		}
	}
	defer a.tellInterrupt(ctx)()
	tell := a.collectFailures()
	report, err := e.Exchange.Sync(ctx, hostPlaces(targets), opts)
	live.End()
	tell()
	if err != nil {
		return err
	}
	failed := report.FailedAt()
	if !c.DryRun {
		if err := c.noteFailed(ctx, a, e, failed); err != nil {
			return err
		}
	}
	if a.Output != "table" {
		return a.printLoaded(report.Outcomes(), c.DryRun)
	}
	if !c.DryRun && slices.ContainsFunc(report.Outcomes(), func(o session.Outcome) bool {
		return o.Err == nil && o.Source.Var != "" && o.Action != provider.Removed
	}) {
		a.say("To have the variables in login shells there: . ~/.config/rhx/env in ~/.profile")
	}
	again := "rhx sync --retry-failed tries them again"
	if c.DryRun {
		again = ""
	}
	a.sayFailed(failed, len(targets), again)
	return loadedStatus(report.Outcomes())
}

// hostPlaces are hosts by their addresses.
func hostPlaces(hosts []string) []place.Place {
	out := make([]place.Place, len(hosts))
	for i, h := range hosts {
		out[i] = place.Host(h)
	}
	return out
}

// noteFailed keeps what was not done, for --retry-failed.
func (c *syncCmd) noteFailed(ctx context.Context, a *app, e *engine.Engine, failed []place.Place) error {
	f := session.FailedSync{Secrets: c.Secret, Bundles: c.Bundle, Env: c.Env, To: c.To, TTL: time.Duration(c.TTL), Overwrite: c.Overwrite}
	for _, at := range failed {
		f.Hosts = append(f.Hosts, at.Address())
	}
	if len(c.Bundle) > 0 {
		f.Profile = a.Profile
		var err error
		if f.Manifest, _, err = a.readManifest(); err != nil {
			return err
		}
	}
	if c.Via == "vault" {
		f.Via = c.Via
	}
	if err := e.Book.NoteFailedSync(context.WithoutCancel(ctx), f); err != nil {
		a.warn("what failed was not noted for --retry-failed: " + err.Error())
	}
	return nil
}

// wrap returns how long wrapping tokens are good for, 0 where none are sent.
func (c *syncCmd) wrap() (time.Duration, error) {
	switch {
	case c.Via != "vault":
		return 0, nil
	case len(c.Bundle) > 0:
		return 0, fault.WithHint(fault.WithKind(errors.New("--via vault cannot be combined with -b: a bundle is put together here"), fault.Usage),
			"--via vault is for secrets named with -s")
	case c.WrapTTL < time.Second:
		return 0, fault.WithKind(errors.New("--wrap-ttl is at least a second"), fault.Usage)
	}
	return c.WrapTTL, nil
}

// targets returns the hosts; with --retry-failed also what is to go there.
func (c *syncCmd) targets(ctx context.Context, a *app, e *engine.Engine) ([]string, error) {
	if !c.RetryFailed && len(c.Bundle) > 0 {
		m, err := a.manifest(ctx, c.Yes)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, g := range m.Hosts {
			a.groups = append(a.groups, g.Name)
		}
		for _, name := range c.Hosts {
			if g := m.Group(name); g != nil {
				names = append(names, g.Addresses...)
			} else {
				names = append(names, name)
			}
		}
		return a.hosts(ctx, names, c.Inventory)
	}
	if !c.RetryFailed {
		return a.hosts(ctx, c.Hosts, c.Inventory)
	}
	if len(c.Hosts)+len(c.Secret)+len(c.Bundle) > 0 || c.Inventory != "" {
		return nil, fault.WithKind(errors.New("--retry-failed takes no hosts and no secrets: it repeats the last sync"), fault.Usage)
	}
	f, err := e.Book.FailedSync(ctx)
	if err != nil {
		return nil, err
	}
	if c.Bundle = f.Bundles; len(c.Bundle) > 0 {
		a.Manifest, a.Profile = f.Manifest, f.Profile
	}
	c.To, c.TTL = cmp.Or(c.To, f.To), cmp.Or(c.TTL, lifetime(f.TTL))
	c.Secret, c.Env, c.Overwrite = f.Secrets, c.Env || f.Env, c.Overwrite || f.Overwrite
	if f.Via != "" {
		c.Via = f.Via
	}
	return f.Hosts, nil
}
