package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/helper"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/spec"
)

type helperInstallCmd struct {
	Client  string `arg:"" predictor:"client" help:"Which client: rhx helper list names them."`
	Secret  string `predictor:"stored" help:"The only secret that it gets, for that secret's address." placeholder:"NAME"`
	Replace bool   `help:"Put rhx in the place of other helpers."`
	Bin     string `help:"Write the program by whose name the client looks for rhx into a folder of PATH." placeholder:"DIR"`
	DryRun  bool   `help:"Say what would be changed; change nothing."`
}

func (c *helperInstallCmd) Help() string {
	return `Writes into the client's own configuration that it asks rhx. What else is there stays. rhx helper uninstall takes it out again, and rhx undo brings the file back.

Examples:
  rhx helper install git
  rhx helper install aws --secret aws/prod
  rhx helper install docker`
}

type helperUninstallCmd struct {
	Client string `arg:"" predictor:"client" help:"Which client."`
	DryRun bool   `help:"Say what would be changed; change nothing."`
}

func (c *helperUninstallCmd) Help() string {
	return `Examples:
  rhx helper uninstall git`
}

type helperListCmd struct{}

func (c *helperListCmd) Help() string {
	return `Examples:
  rhx helper list`
}

// changedJSON is one file that an installation changes.
type changedJSON struct {
	Client string `json:"client"`
	Path   string `json:"path"`
	Action string `json:"action"`
	Error  string `json:"error,omitempty"`
}

func (c *helperInstallCmd) Run(ctx context.Context, a *app) error {
	client, err := helper.ClientOf(c.Client)
	if err != nil {
		return err
	}
	e, i, err := a.installer()
	if err != nil {
		return err
	}
	opts := helper.Options{Replace: c.Replace, Bin: a.path(c.Bin)}
	if c.Secret != "" {
		if opts.Secret, err = a.helpers(e).Named(ctx, client.Protocol, c.Secret); err != nil {
			return err
		}
	}
	plan, err := i.Install(ctx, client, opts)
	var others *helper.OthersError
	if errors.As(err, &others) && !c.DryRun && a.canAsk() {
		if !a.ask(fmt.Sprintf("%s asks %s. Put rhx in its place?", client.Name, strings.Join(others.Others, ", "))) {
			return errors.New("nothing was changed")
		}
		opts.Replace = true
		plan, err = i.Install(ctx, client, opts)
	}
	if errors.As(err, &others) {
		err = fault.WithHint(err, "--replace puts rhx in its place; rhx undo brings it back")
	}
	if err != nil {
		return err
	}
	if err := a.change(ctx, e, plan, "helper install", c.DryRun); err != nil {
		return err
	}
	if len(plan.Others) > 0 && !opts.Replace {
		a.warn(client.Name + " still asks " + strings.Join(plan.Others, ", ") + ", too, and has it store what it gets; --replace puts rhx in its place")
	}
	for _, note := range plan.Notes {
		a.warn(note)
	}
	return nil
}

func (c *helperUninstallCmd) Run(ctx context.Context, a *app) error {
	client, err := helper.ClientOf(c.Client)
	if err != nil {
		return err
	}
	e, i, err := a.installer()
	if err != nil {
		return err
	}
	plan, err := i.Uninstall(ctx, client)
	if err != nil {
		return err
	}
	return a.change(ctx, e, plan, "helper uninstall", c.DryRun)
}

// change makes the changes of a plan, or says what they would be.
func (a *app) change(ctx context.Context, e *engine.Engine, plan *helper.Plan, command string, dryRun bool) error {
	var failed error
	if !dryRun {
		failed = plan.Write(ctx, e.Book, e.Local, command)
	}
	out := make([]changedJSON, 0, len(plan.Outcomes))
	for _, o := range plan.Outcomes {
		j := changedJSON{Client: plan.Client, Path: o.Source.Path, Action: string(o.Action)}
		if o.Err != nil {
			j.Error = o.Err.Error()
		}
		out = append(out, j)
	}
	done, err := a.data(out)
	if err = errors.Join(failed, err); done || err != nil {
		return err
	}
	would := ""
	if dryRun {
		would = "would be "
	}
	for _, o := range plan.Outcomes {
		if o.Action == provider.Unchanged {
			would = ""
		}
		a.say(term.Line(o.Source.Path + ": " + would + string(o.Action)))
	}
	if len(plan.Outcomes) == 0 {
		a.say(plan.Client + " does not ask rhx")
	}
	return nil
}

// helperJSON is a client in JSON.
type helperJSON struct {
	Client    string   `json:"client"`
	Installed []string `json:"installed"`
	Secrets   []string `json:"secrets"`
	Error     string   `json:"error,omitempty"`
}

func (c *helperListCmd) Run(ctx context.Context, a *app) error {
	e, i, err := a.installer()
	if err != nil {
		return err
	}
	answers := map[string][]string{}
	for _, protocol := range spec.Protocols() {
		all, err := a.helpers(e).For(ctx, protocol)
		if err != nil {
			return err
		}
		for _, one := range all {
			answers[protocol] = append(answers[protocol], one.Secret)
		}
	}
	var out []helperJSON
	failed := 0
	for _, client := range helper.Clients() {
		j := helperJSON{Client: client.Name, Installed: []string{}, Secrets: append([]string{}, answers[client.Protocol]...)}
		at, err := i.Installed(ctx, client)
		if err != nil {
			failed++
			j.Error = err.Error()
		}
		j.Installed = append(j.Installed, at...)
		out = append(out, j)
	}
	if done, err := a.data(out); done {
		return cmp.Or(err, outcome(failed, len(out)))
	}
	var rows [][]string
	for _, j := range out {
		if j.Error != "" {
			a.report(j.Client, errors.New(j.Error))
		}
		rows = append(rows, []string{j.Client, cmp.Or(strings.Join(j.Installed, ", "), "-"), cmp.Or(strings.Join(j.Secrets, ", "), "-")})
	}
	if err := a.table([]string{"CLIENT", "ASKS RHX BY", "SECRETS FOR IT"}, rows); err != nil {
		return err
	}
	return outcome(failed, len(out))
}

// helpers answers clients with what the store has.
func (a *app) helpers(e *engine.Engine) *helper.Helpers {
	return &helper.Helpers{Specs: e.Specs, Records: e.Records, Local: e.Local, Warn: a.warn}
}

// installer is what edits the clients' configurations. Like the answers it does not
// look at the project.
func (a *app) installer() (*engine.Engine, *helper.Installer, error) {
	a.outside = true
	e, err := a.engine()
	if err != nil {
		return nil, nil, err
	}
	e.Records.Open = e.Stores.Open
	program, err := ownPath()
	if err != nil {
		return nil, nil, err
	}
	return e, &helper.Installer{Local: e.Local, Dirs: e.Dirs, Program: program, LookPath: exec.LookPath}, nil
}

// ownPath is the path of rhx as clients are to start it: not of rhx-full, which it goes
// on as where it has to.
func ownPath() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	dir, name := filepath.Split(exe)
	if short, ok := strings.CutPrefix(name, "rhx-full"); ok {
		if _, err := os.Stat(filepath.Join(dir, "rhx"+short)); err == nil {
			exe = filepath.Join(dir, "rhx"+short)
		}
	}
	return filepath.ToSlash(exe), nil
}

// helperClients are the names of the clients.
func helperClients() []string {
	var names []string
	for _, c := range helper.Clients() {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}
