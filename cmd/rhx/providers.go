package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/spec"
)

type providersCmd struct {
	Name  string `arg:"" predictor:"provider" optional:"" help:"A provider: show all that rhx knows of it. Or a word: list those that have it."`
	Group string `predictor:"group" placeholder:"GROUP" help:"Only those of this group, such as clouds."`
	Page  bool   `help:"Print the built-in ones as a page in Markdown."`
}

func (c *providersCmd) Help() string {
	return `Without a name lists what rhx knows, by groups. A word that is no provider's name is looked for in names, titles, groups, variables and files.

Examples:
  rhx providers
  rhx providers digitalocean
  rhx providers OPENAI_API_KEY
  rhx providers --group clouds`
}

func (c *providersCmd) Run(_ context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if c.Page {
		return a.providersPage()
	}
	if c.Name != "" && c.Group == "" {
		sp, err := e.Specs.Get(c.Name)
		switch {
		case err == nil:
			return a.printProvider(describe(sp))
		case fault.KindOf(err) != fault.Usage:
			return err
		}
	}
	all, err := e.Specs.All()
	if err != nil {
		a.warn(err.Error())
	}
	if c.Group != "" && !slices.ContainsFunc(spec.Groups(), func(g spec.Group) bool { return g.Name == c.Group }) {
		var names []string
		for _, g := range spec.Groups() {
			names = append(names, g.Name)
		}
		return fault.WithHint(fault.WithKind(fmt.Errorf("unknown group %q%s", c.Group, fault.DidYouMean(c.Group, names)), fault.Usage),
			"the groups are "+strings.Join(names, ", "))
	}
	out := []providerJSON{}
	for _, sp := range all {
		if j := describe(sp); (c.Group == "" || sp.Group == c.Group) && j.has(c.Name) {
			out = append(out, j)
		}
	}
	if len(out) == 0 {
		return c.none(e.Specs)
	}
	if done, err := a.data(out); done {
		return err
	}
	return a.listProviders(out)
}

// none is the error where no provider is found.
func (c *providersCmd) none(specs *spec.Registry) error {
	if c.Group == "" {
		_, err := specs.Get(c.Name)
		return err
	}
	if c.Name == "" {
		return errors.New("the group " + c.Group + " has no provider")
	}
	return fmt.Errorf("the group %s has no provider with %q in it", c.Group, c.Name)
}

// has reports whether a word is somewhere in what a provider is called, reads and
// writes.
func (j *providerJSON) has(word string) bool {
	text := []string{j.Name, j.Title, j.Group, j.Document}
	text = append(text, j.Aliases...)
	for _, v := range j.Values {
		text = append(text, v.Env...)
	}
	for _, f := range j.Files {
		text = append(append(text, f.Path), f.Override...)
	}
	word = strings.ToLower(word)
	return slices.ContainsFunc(text, func(s string) bool { return strings.Contains(strings.ToLower(s), word) })
}

// listProviders prints a table in the order of the groups; those without one are
// the user's own, and come first.
func (a *app) listProviders(list []providerJSON) error {
	groups := spec.Groups()
	rank := func(j providerJSON) int {
		return slices.IndexFunc(groups, func(g spec.Group) bool { return g.Name == j.Group })
	}
	slices.SortStableFunc(list, func(x, y providerJSON) int { return cmp.Compare(rank(x), rank(y)) })
	rows := make([][]string, 0, len(list))
	for _, j := range list {
		rows = append(rows, []string{j.Name, j.Title, cmp.Or(j.Group, "-"), strings.Join(places(j), ", ")})
	}
	return a.table([]string{"NAME", "FOR", "GROUP", "KEPT IN"}, rows)
}

// places are where a provider's secret is kept, for a table: files that several
// entries are about, once.
func places(j providerJSON) []string {
	var out []string
	for _, f := range j.Files {
		if !slices.Contains(out, f.Path) {
			out = append(out, f.Path)
		}
	}
	for _, v := range j.Values {
		if len(v.Env) > 0 {
			out = append(out, "$"+v.Env[0])
		}
	}
	if j.Document != "" {
		out = append(out, "$"+j.Document)
	}
	return out
}
