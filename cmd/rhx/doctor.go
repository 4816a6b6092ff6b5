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

	"github.com/rhx-dev/rhx/cmd/rhx/child"
	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/doctor"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/harden"
	"github.com/rhx-dev/rhx/host/helper"
	"github.com/rhx-dev/rhx/host/manifest"
)

type doctorCmd struct {
	Fix bool `help:"Mend what is safe to mend: modes of files, and what a killed rhx has left."`
	Yes bool `short:"y" help:"With --fix: do not ask."`
}

func (c *doctorCmd) Help() string {
	return `Looks at the store, its key, the agent, Vault, ssh, providers, rhx itself, the files that rhx placed, and the modes of files with credentials. Each finding says what is wrong, why it matters, and the command that mends it. It asks nobody for a passphrase: a locked store is told, and what needs its values is not looked at.

A warning is a fault or a risk; a note is worth knowing. The exit status is 1 if there is a warning, and 0 if there is none. docs/doctor.md has every check.

Examples:
  rhx doctor
  rhx doctor --fix
  rhx doctor -o json`
}

// diagnosisJSON is one element of doctor's JSON.
type diagnosisJSON struct {
	Check   string       `json:"check"`
	Level   doctor.Level `json:"level"`
	What    string       `json:"what"`
	Why     string       `json:"why"`
	Command string       `json:"command,omitempty"`
	// Fixable says that --fix mends it, Fixed that it did.
	Fixable bool   `json:"fixable"`
	Fixed   bool   `json:"fixed,omitempty"`
	Error   string `json:"error,omitempty"`
}

func (c *doctorCmd) Run(ctx context.Context, a *app) error {
	if c.Yes && !c.Fix {
		return fault.WithKind(errors.New("--yes is for --fix"), fault.Usage)
	}
	e, err := a.engine()
	if err != nil {
		return err // others can write rhx's own folders: nothing in them is to be believed
	}
	d, err := a.doctor(e)
	if err != nil {
		return err
	}
	checks := doctor.Checks()
	found := d.Run(ctx, checks)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	out := make([]diagnosisJSON, len(found))
	for i, f := range found {
		out[i] = diagnosisJSON{Check: f.Check, Level: f.Level, What: f.What, Why: f.Why, Command: f.Command, Fixable: f.Fix != nil}
	}
	if c.Fix {
		if err := c.fix(a, found, out); err != nil {
			return err
		}
	}
	if done, err := a.data(out); done {
		return cmp.Or(err, sick(out)) // what was not printed is said, and sick says nothing
	}
	left := slices.DeleteFunc(out, func(f diagnosisJSON) bool { return f.Fixed })
	a.printFindings(left, len(checks))
	return sick(left)
}

// fix mends what can be mended, after a question.
func (c *doctorCmd) fix(a *app, found []doctor.Finding, out []diagnosisJSON) error {
	commands := ""
	for _, f := range found {
		if f.Fix != nil {
			commands += term.Line(f.Command) + "\n"
		}
	}
	if commands == "" {
		if a.Output == "table" {
			a.say("There is nothing that --fix mends.")
		}
		return nil
	}
	if !c.Yes && !a.canAsk() {
		return notConfirmed("rhx doctor --fix", "rhx doctor shows what it would do")
	}
	if !c.Yes && !a.ask(commands+"Do so?") {
		return errors.New("nothing was changed")
	}
	for i, f := range found {
		if f.Fix == nil {
			continue
		}
		if err := f.Fix(); err != nil {
			out[i].Error = err.Error()
			a.report(f.Check, err)
			continue
		}
		out[i].Fixed = true
		if a.Output == "table" {
			a.say("done: " + f.Command)
		}
	}
	return nil
}

// sick is the exit status: 1 where there is a warning still.
func sick(all []diagnosisJSON) error {
	for _, f := range all {
		if f.Level == doctor.Warning && !f.Fixed {
			return exitCode(1)
		}
	}
	return nil
}

func (a *app) printFindings(all []diagnosisJSON, checks int) {
	warnings, fixable := 0, 0
	for _, f := range all {
		if f.Level == doctor.Warning {
			warnings++
		}
		if f.Fixable {
			fixable++
		}
		color := "36"
		if f.Level == doctor.Warning {
			color = "33"
		}
		a.Say(color, string(f.Level)+":", f.Check+": "+f.What)
		fmt.Fprintln(a.Out, term.Linef("  %s", f.Why))
		if f.Command != "" {
			fmt.Fprintln(a.Out, term.Linef("  $ %s", f.Command))
		}
	}
	switch {
	case len(all) == 0:
		a.say(fmt.Sprintf("All is well: %d checks, nothing found.", checks))
	case fixable > 0:
		a.say(fmt.Sprintf("%s, %s. rhx doctor --fix mends %d of them.", plural(warnings, "warning"), plural(len(all)-warnings, "note"), fixable))
	default:
		a.say(fmt.Sprintf("%s, %s.", plural(warnings, "warning"), plural(len(all)-warnings, "note")))
	}
}

// doctor returns what looks at this machine. It asks nobody, and says nothing but what it
// finds.
func (a *app) doctor(e *engine.Engine) (*doctor.Doctor, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	hush := func(string) {}
	e.Stores.Warn, e.Book.Warn, e.Stores.Passphrase, e.Stores.Kept = hush, hush, nil, nil
	e.Records.Open = e.Stores.Open
	path, m, trusted, manifestErr := a.manifestHere(e)
	if trusted && manifestErr == nil {
		a.use(m)
	}
	installer := &helper.Installer{Local: e.Local, Dirs: e.Dirs, Program: filepath.ToSlash(program), LookPath: exec.LookPath}
	return &doctor.Doctor{
		Engine: e, Home: home, Getenv: a.Getenv, Program: program, Version: versionText(), Slim: slimProgram, Health: vaultHealth, Installer: installer,
		Manifest: func() (string, *manifest.Manifest, bool, error) { return path, m, trusted, manifestErr },
		Harden: func(ctx context.Context) ([]*harden.Item, error) {
			h, err := a.hardener(e, installer)
			if err != nil {
				return nil, err
			}
			return h.Plan(ctx, harden.Options{})
		},
		LeftFolders: func() []string { return child.Left(a.Getenv) },
	}, nil
}

// manifestHere is the manifest that applies here, and whether the user trusts it; path is ""
// where there is none.
func (a *app) manifestHere(e *engine.Engine) (path string, m *manifest.Manifest, trusted bool, err error) {
	path, data, err := a.readManifest()
	if fault.KindOf(err) == fault.Usage && a.Manifest == "" {
		return "", nil, false, nil // there is none
	}
	if err != nil {
		return path, nil, false, err
	}
	if m, err = manifest.Parse(a.shortPath(path), data, e.Project.ManifestOptions(a.Profile)); err != nil {
		return path, nil, false, err
	}
	trusted, _, err = e.Added.KnowsManifest(path, data)
	return path, m, trusted, err
}
