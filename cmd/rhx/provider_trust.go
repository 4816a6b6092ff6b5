package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/trust"
)

type providerAddCmd struct {
	Package  string `arg:"" optional:"" help:"A folder with provider.yaml in it, that in a .tar.gz file, or the https address of such a file."`
	Yes      bool   `short:"y" help:"Do not ask."`
	Replace  bool   `help:"Let it take the place of a built-in provider."`
	TrustKey string `placeholder:"KEY" help:"Trust this minisign public key, or the one in this file: what it signs is added without a question, and so are later versions that may not do more."`
}

func (c *providerAddCmd) Help() string {
	return `Shows what the provider may read, write, set and run, and asks once. Then its files are copied, and pinned by sha256 in rhx.lock in the data folder: if a byte of them changes, the provider is not used until it is added anew, which shows how its permissions differ.

A provider in .rhx/providers/NAME of a project is used from that folder and nowhere else, and not before you have added it. docs/providers.md has more.

Examples:
  rhx provider add ./acme
  rhx provider add https://example.com/acme.tar.gz`
}

// addedJSON is provider add's JSON.
type addedJSON struct {
	Name        string            `json:"name"`
	Action      string            `json:"action"`
	Origin      string            `json:"origin"`
	Files       map[string]string `json:"files"`
	SignedBy    string            `json:"signed_by,omitempty"`
	Permissions []string          `json:"permissions"`
}

func (c *providerAddCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	opts := trust.Options{Builtin: e.Specs.Builtin, Replace: c.Replace}
	if c.TrustKey != "" {
		key, err := trust.ReadKey(c.TrustKey)
		if err != nil {
			return fault.WithKind(err, fault.Usage)
		}
		opts.Key = &key
	}
	switch {
	case c.Package == "" && opts.Key == nil:
		return fault.WithKind(errors.New("provider add needs a folder, a file or an address"), fault.Usage)
	case c.Package == "":
		if err := a.made.Added.Trust(*opts.Key); err != nil {
			return err
		}
		if done, err := a.data(trustedJSON{opts.Key.ID(), opts.Key.String()}); done {
			return err
		}
		a.say("key " + opts.Key.ID() + ": trusted")
		return nil
	}
	pkg, err := a.readPackage(ctx, c.Package)
	if err != nil {
		return err
	}
	name := pkg.Spec.Name
	if file := e.Specs.UserFile(name); file != "" {
		return fault.WithHint(fmt.Errorf("there is a provider %s of your own: %s", name, file), "rename or remove that file first")
	}
	pr, err := a.made.Added.Propose(pkg, opts)
	if err != nil {
		return err
	}
	result := addedJSON{Name: name, Action: "added", Origin: pr.Origin, Files: pr.Digests(), Permissions: pr.Permissions}
	if pr.Signer != nil {
		result.SignedBy = pr.Signer.ID()
	}
	switch {
	case pr.Same:
		result.Action = "unchanged"
	case pr.Changes:
		result.Action = "updated"
	}
	if pr.Same {
		if opts.Key != nil {
			if err := a.made.Added.Trust(*opts.Key); err != nil {
				return err
			}
		}
	} else {
		if err := a.consent(pr, c.Yes); err != nil {
			return err
		}
		if m := pr.Module; m != "" {
			if _, err := a.compiled(ctx, abi.Module{Name: m, Wasm: pr.Files[m+".wasm"]}); err != nil {
				return fmt.Errorf("add provider %s: %w; nothing was added", name, err)
			}
		}
		if err := a.made.Added.Install(pr); err != nil {
			return fmt.Errorf("add provider %s: %w", name, err)
		}
	}
	if done, err := a.data(result); done {
		return err
	}
	text := map[string]string{"added": "added", "updated": "updated", "unchanged": "already there, as approved"}[result.Action]
	a.say(name + ": " + text)
	return nil
}

// consent shows what a package may do and asks, unless a trusted key's signature
// answers for it or the user has said yes ahead. What runs programs is shown in red
// besides.
func (a *app) consent(pr *trust.Proposal, yes bool) error {
	text := summary(pr)
	question := "Add the provider " + pr.Spec.Name + "?"
	if pr.Changes {
		question = "Approve the changed provider " + pr.Spec.Name + "?"
	}
	if red := slices.DeleteFunc(slices.Clone(pr.Permissions), func(p string) bool { return !trust.Dangerous(p) }); len(red) > 0 {
		a.Alarm(pr.Spec.Name + " could run programs as you, outside of any sandbox:\n  " + strings.Join(red, "\n  "))
	}
	switch {
	case yes || !pr.Ask():
		if !a.Quiet {
			fmt.Fprint(a.Err, text)
		}
	case !a.canAsk():
		fmt.Fprint(a.Err, text)
		return notConfirmed("provider "+pr.Spec.Name, "")
	case !a.ask(text + question):
		return errors.New("nothing was added")
	}
	return nil
}

// summary is what somebody should know before they say yes.
func summary(pr *trust.Proposal) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintln(&b, term.Linef(format, args...)) }
	doubts := func() {
		for _, d := range pr.Doubts {
			line("You are asked in spite of the signature: %s.", d)
		}
	}
	line("%s: %s", pr.Spec.Name, pr.Spec.Title)
	line("from: %s", pr.Origin)
	if pr.Project {
		line("for: this project alone")
	}
	switch {
	case pr.Signer != nil:
		line("signed by: key %s, which you trust", pr.SignedBy)
	case pr.SignedBy != "":
		line("signed by: key %s, which you do not trust", pr.SignedBy)
	default:
		line("signed by: nobody")
	}
	digests := pr.Digests()
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		line("file: %s, %d bytes, %s", name, len(pr.Files[name]), digests[name])
	}
	if !pr.Changes {
		line("It may:")
		for _, p := range pr.Permissions {
			line("  %s", p)
		}
		doubts()
		return b.String()
	}
	if len(pr.More)+len(pr.Less) == 0 {
		line("Its files differ from those that you approved. It may do what it could before:")
	} else {
		line("Its files differ from those that you approved, and what it may do (+ is new, - is gone):")
	}
	for _, p := range pr.Less {
		line("- %s", p)
	}
	for _, p := range pr.Permissions {
		mark := " "
		if slices.Contains(pr.More, p) {
			mark = "+"
		}
		line("%s %s", mark, p)
	}
	doubts()
	return b.String()
}

type providerRemoveCmd struct {
	Names       []string `arg:"" optional:"" predictor:"provider" name:"name" help:"The providers' names."`
	DistrustKey string   `placeholder:"KEY" help:"Stop trusting this minisign public key, or the one in this file. What it signed stays until it is removed."`
}

func (c *providerRemoveCmd) Help() string {
	return `Examples:
  rhx provider remove acme`
}

func (c *providerRemoveCmd) Run(_ context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if len(c.Names) == 0 && c.DistrustKey == "" {
		return fault.WithKind(errors.New("provider remove needs the name of a provider"), fault.Usage)
	}
	if c.DistrustKey != "" {
		key, err := trust.ReadKey(c.DistrustKey)
		if err != nil {
			return fault.WithKind(err, fault.Usage)
		}
		switch found, err := a.made.Added.Distrust(key); {
		case err != nil:
			return err
		case !found:
			return fault.WithKind(fmt.Errorf("key %s is not trusted", key.ID()), fault.Usage)
		}
		if a.Output == "table" {
			a.say("key " + key.ID() + ": no longer trusted")
		}
	}
	out := make([]deletedJSON, 0, len(c.Names))
	failed := 0
	for _, name := range c.Names {
		found, err := a.made.Added.Remove(name)
		if err == nil && !found {
			err = a.notAdded(e, name)
		}
		switch {
		case err != nil:
			failed++
			out = append(out, deletedJSON{Name: name, Action: "failed", Error: err.Error()})
			if a.Output == "table" {
				a.report(name, err)
			}
		default:
			out = append(out, deletedJSON{Name: name, Action: "removed"})
			if a.Output == "table" {
				a.say(name + ": removed")
			}
		}
	}
	if _, err := a.data(out); err != nil {
		return err
	}
	return outcome(failed, len(c.Names))
}

// notAdded is the error for a name that is not that of an added provider.
func (a *app) notAdded(e *engine.Engine, name string) error {
	if e.Specs.Builtin(name) {
		return errors.New("it is part of rhx")
	}
	if file := e.Specs.UserFile(name); file != "" {
		return fmt.Errorf("it is a file of your own: delete %s", file)
	}
	if e.Specs.Known(name) {
		return errors.New("it is this project's, and you have not approved it")
	}
	names, err := a.made.Added.Names()
	if err != nil {
		return err
	}
	return fmt.Errorf("no such provider was added%s", fault.DidYouMean(name, names))
}

type providerListCmd struct{}

func (c *providerListCmd) Help() string {
	return `Examples:
  rhx provider list`
}

// providerListJSON is the JSON of provider list and provider verify.
type providerListJSON struct {
	Providers []listedJSON  `json:"providers"`
	Keys      []trustedJSON `json:"keys"`
}

type listedJSON struct {
	Name     string            `json:"name"`
	Origin   string            `json:"origin,omitempty"`
	Files    map[string]string `json:"files,omitempty"`
	SignedBy string            `json:"signed_by,omitempty"`
	Project  bool              `json:"project,omitempty"`
	Replaces bool              `json:"replaces,omitempty"`
	Trusted  bool              `json:"trusted"`
	Problems []string          `json:"problems,omitempty"`
}

type trustedJSON struct {
	ID  string `json:"id"`
	Key string `json:"key"`
}

func (c *providerListCmd) Run(_ context.Context, a *app) error {
	list, err := a.listAdded()
	if err != nil {
		return err
	}
	if done, err := a.data(list); done {
		return err
	}
	if len(list.Providers)+len(list.Keys) == 0 {
		a.say(noneAdded)
		return nil
	}
	if len(list.Providers) > 0 {
		rows := make([][]string, 0, len(list.Providers))
		for _, p := range list.Providers {
			state := "as approved"
			if !p.Trusted {
				state = "not trusted"
			}
			if p.Project && p.Files == nil {
				state = "not approved"
			}
			rows = append(rows, []string{p.Name, short(p.Files["provider.yaml"]), module(p.Files), p.SignedBy, state, p.Origin})
		}
		if err := a.table([]string{"NAME", "SPEC", "MODULE", "SIGNED BY", "STATE", "FROM"}, rows); err != nil {
			return err
		}
	}
	for _, k := range list.Keys {
		fmt.Fprintf(a.Out, "trusted key %s: %s\n", k.ID, k.Key)
	}
	return nil
}

// short is a digest's beginning, for a table.
func short(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

func module(files map[string]string) string {
	for name, digest := range files {
		if strings.HasSuffix(name, ".wasm") {
			return short(digest)
		}
	}
	return ""
}

type providerVerifyCmd struct{}

func (c *providerVerifyCmd) Help() string {
	return `Compares every file of every added provider with its digest in rhx.lock, and checks the signatures anew. Needs no network. The exit status is 1 if anything differs. Modules that are no longer in the cache of compiled ones, as after an update of rhx, are compiled again.

Examples:
  rhx provider verify`
}

// noneAdded is said where there is no provider of others.
const noneAdded = "No provider was added. rhx provider add takes a folder, a file or an address."

func (c *providerVerifyCmd) Run(ctx context.Context, a *app) error {
	list, err := a.listAdded()
	if err != nil {
		return err
	}
	// What a project brings and nobody added is not of this command.
	list.Providers = slices.DeleteFunc(list.Providers, func(p listedJSON) bool { return p.Project && p.Files == nil })
	bad := 0
	for i := range list.Providers {
		p := &list.Providers[i]
		if p.Trusted {
			if err := a.compileAdded(ctx, p); err != nil {
				p.Trusted, p.Problems = false, []string{err.Error()}
			}
		}
		if !p.Trusted {
			bad++
		}
	}
	done, err := a.data(list)
	if err != nil {
		return err
	}
	if !done && len(list.Providers) == 0 {
		a.say(noneAdded)
	}
	if !done {
		for _, p := range list.Providers {
			if p.Trusted {
				a.say(p.Name + ": as approved")
			}
			for _, why := range p.Problems {
				a.report(p.Name, errors.New(term.Line(why)))
			}
		}
	}
	if bad > 0 {
		return exitCode(1)
	}
	return nil
}

// compileAdded compiles the module of an added provider, if it has one.
func (a *app) compileAdded(ctx context.Context, p *listedJSON) error {
	for file := range p.Files {
		name, ok := strings.CutSuffix(file, ".wasm")
		if !ok {
			continue
		}
		code, err := a.made.Added.Module(p.Name, name)
		if err != nil {
			return err
		}
		if _, err := a.compiled(ctx, abi.Module{Name: name, Wasm: code}); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) listAdded() (*providerListJSON, error) {
	if _, err := a.engine(); err != nil {
		return nil, err
	}
	all, err := a.made.Added.List()
	if err != nil {
		return nil, err
	}
	keys, err := a.made.Added.Keys()
	if err != nil {
		return nil, err
	}
	list := &providerListJSON{Providers: []listedJSON{}, Keys: []trustedJSON{}}
	for _, s := range all {
		j := listedJSON{Name: s.Name, Origin: s.Origin, Files: s.Files, Project: s.Project, Replaces: s.Replaces, Trusted: len(s.Problems) == 0, Problems: s.Problems}
		if key, err := trust.ParseKey(s.Signer); err == nil {
			j.SignedBy = key.ID()
		}
		list.Providers = append(list.Providers, j)
	}
	for _, k := range keys {
		list.Keys = append(list.Keys, trustedJSON{k.ID(), k.String()})
	}
	return list, nil
}

func (a *app) readPackage(ctx context.Context, from string) (*trust.Package, error) {
	if strings.Contains(from, "://") {
		return a.fetchPackage(ctx, from)
	}
	return trust.ReadPath(from)
}
