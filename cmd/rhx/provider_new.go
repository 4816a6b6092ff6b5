package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	guestsdk "github.com/rhx-dev/rhx/guest-sdk"
	"github.com/rhx-dev/rhx/host/author"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/paths"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

type providerNewCmd struct {
	Name     string `arg:"" help:"The provider's name: lower-case letters, digits, dashes."`
	Lang     string `predictor:"language" help:"Write a module in LANGUAGE, to be filled in." placeholder:"LANGUAGE"`
	FromFile string `help:"Infer the spec from this file, as the tool writes it. No value of it is copied." placeholder:"SAMPLE"`
	Dir      string `help:"The folder to make; by default one of the provider's name." placeholder:"DIR"`
}

func (c *providerNewCmd) Help() string {
	return "Languages: " + strings.Join(guestsdk.Languages(), ", ") + `. With --from-file, a module is written only where a spec cannot say the file's format.

Examples:
  rhx provider new acme --from-file ~/.acme/config.toml
  rhx provider new acme --lang go`
}

// newJSON is provider new's JSON.
type newJSON struct {
	Provider string `json:"provider"`
	Dir      string `json:"dir"`
	// Lang is the language of the module; "" for a package without one.
	Lang  string   `json:"lang"`
	Path  string   `json:"path"`
	Files []string `json:"files"`
	// Reason says why a sample needs a module.
	Reason string `json:"reason,omitempty"`
}

func (c *providerNewCmd) Run(ctx context.Context, a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	if slices.ContainsFunc(specs.All(), func(b spec.Builtin) bool { return b.Name == c.Name }) {
		a.warn(fmt.Sprintf("%s is a built-in provider; --replace puts another one in its place", c.Name))
	}
	dir := c.Dir
	if dir == "" {
		dir = c.Name
	}
	j := newJSON{Provider: c.Name, Dir: dir, Lang: c.Lang}
	var files map[string][]byte
	var draft *author.Draft
	at := ""
	if c.FromFile != "" {
		data, home, err := a.sample(c.FromFile)
		if err != nil {
			return err
		}
		at = home
		draft, err = author.Infer(ctx, c.Name, at, data)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && c.Lang == "":
			return fault.WithHint(fmt.Errorf("no spec can be inferred from %s: %w", c.FromFile, err),
				"write provider.yaml by hand, as docs/specs.md says, or a module that reads the file: add --lang "+strings.Join(guestsdk.Languages(), "|"))
		case err != nil:
			j.Reason = err.Error()
		default:
			files, j.Lang = draft.Files, ""
		}
	}
	if files == nil {
		var err error
		if files, err = author.FromLanguage(c.Lang, c.Name, at); err != nil {
			return err
		}
	}
	if err := author.Write(dir, files); err != nil {
		return err
	}
	p, err := spec.Parse("provider.yaml", files["provider.yaml"])
	if err != nil {
		return err
	}
	j.Path, j.Files = p.Files[0].Path("linux"), slices.Sorted(maps.Keys(files))
	if draft != nil && draft.Dropped > 0 {
		a.warn(fmt.Sprintf("secret values of the sample that the spec does not read, since only data names their places: %d", draft.Dropped))
	}
	if done, err := a.data(j); done || err != nil {
		return err
	}
	c.printNew(a, j, p)
	return nil
}

// check reports wrong usage.
func (c *providerNewCmd) check() error {
	langs := guestsdk.Languages()
	var err error
	switch {
	case !spec.ValidName(c.Name):
		err = fmt.Errorf("%q cannot be a provider's name: lower-case letters, digits and dashes, a letter first", c.Name)
	case c.Lang == "" && c.FromFile == "":
		err = fault.WithHint(errors.New("--from-file or --lang is needed"),
			"--from-file SAMPLE infers a spec from a file of the tool; --lang "+strings.Join(langs, "|")+" writes a module")
	case c.Lang != "" && !slices.Contains(langs, c.Lang):
		err = fmt.Errorf("there is no kit for the language %q%s (known: %s)", c.Lang, fault.DidYouMean(c.Lang, langs), strings.Join(langs, ", "))
	}
	return fault.WithKind(err, fault.Usage)
}

// sample reads a sample, and returns its path with "~/" for the home folder.
func (a *app) sample(name string) (data []byte, at string, err error) {
	home, err := a.home()
	if err != nil {
		return nil, "", err
	}
	if rest, ok := strings.CutPrefix(name, "~/"); ok { // no shell expands it behind "="
		name = filepath.Join(home, rest)
	}
	if data, err = readSample(name); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", name, fault.Cause(err))
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, "", err
	}
	for _, h := range []string{home, paths.Real(home)} {
		if rel, below := paths.Below(h, abs); below {
			return data, "~/" + filepath.ToSlash(rel), nil
		}
	}
	return data, filepath.ToSlash(abs), nil
}

func readSample(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, machine.ErrNotRegular
	case info.Size() > machine.MaxFile:
		return nil, machine.ErrTooLarge
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, machine.MaxFile+1))
}

func (c *providerNewCmd) printNew(a *app, j newJSON, p *spec.Spec) {
	next := "next:"
	step := func(command, what string) { next += fmt.Sprintf("\n  %-*s  %s", 22+len(j.Dir), command, what) }
	if j.Lang == "" {
		var secrets, public []string
		for _, v := range p.Values {
			if v.Public {
				public = append(public, v.Name)
			} else {
				secrets = append(secrets, v.Name)
			}
		}
		a.say(fmt.Sprintf("%s: a spec for %s (%s); it needs no module", j.Dir, j.Path, p.Files[0].Format))
		a.say("secret: " + strings.Join(secrets, ", "))
		if len(public) > 0 {
			a.say("public: " + strings.Join(public, ", "))
		}
		if prof := p.Files[0].Profiles; prof != nil {
			a.say("profiles: " + whichProfiles(prof))
		}
		if c.Lang != "" {
			a.say("--lang " + c.Lang + " was not used")
		}
		step("edit "+filepath.Join(j.Dir, "provider.yaml"), "see that all of this is right")
	} else {
		if j.Reason != "" {
			a.say("a spec does not suffice for " + c.FromFile + ": " + j.Reason)
		}
		a.say(fmt.Sprintf("%s: a module in %s for %s", j.Dir, j.Lang, j.Path))
		step("edit "+filepath.Join(j.Dir, "provider.yaml"), "and the module's source and cases: they are an example")
		step("rhx provider build "+j.Dir, "compile the module")
	}
	step("rhx provider test "+j.Dir, "run its cases")
	step("rhx provider add "+j.Dir, "use it")
	a.say(next)
}

// whichProfiles says where a spec's profiles are.
func whichProfiles(p *spec.Profiles) string {
	text := ""
	switch {
	case p.Section == "*":
		text = "the sections"
	case p.Section != "":
		text = "the sections " + p.Section
	case p.Entries != nil:
		text = "the items of " + placeName(p.Entries) + ", by " + p.Name
	default:
		text = "the entries of " + placeName(p.Keys)
	}
	if p.Default != "" {
		text += "; the default one is " + p.Default
	}
	return text
}

func placeName(p spec.Path) string {
	if len(p) == 0 {
		return "the file"
	}
	return p.String()
}
