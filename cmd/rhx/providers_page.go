package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
	"github.com/rhx-dev/rhx/specs/evidence"
)

// providersPage prints docs/providers-list.md: the built-in providers by groups, and
// what each was checked against.
func (a *app) providersPage() error {
	checked, err := evidence.All()
	if err != nil {
		return err
	}
	var all []providerJSON
	for _, b := range specs.All() {
		all = append(all, describeOn(b.Make(), "linux"))
	}
	slices.SortFunc(all, func(x, y providerJSON) int { return strings.Compare(x.Name, y.Name) })
	var b strings.Builder
	fmt.Fprintf(&b, `# The providers

%d kinds of credentials that rhx knows without being told. `+"`rhx providers NAME`"+` shows
one of them in full, `+"`rhx providers WORD`"+` looks for a word. Another is a
[spec](specs.md) of your own.

The last column is the strongest that says so: **client**, a test in which the real
client reads what rhx wrote, and rhx what the client wrote if it writes; **source**,
code of the client, or of a tool that reads its file; **documentation**. Each has cases
in `+"`specs/cases`"+` beside, or is tried with its variables.

This page is written by `+"`rhx providers --page`"+`.
`, len(all))
	for _, g := range spec.Groups() {
		fmt.Fprintf(&b, "\n## %s\n\n| provider | for | kept in | checked |\n| --- | --- | --- | --- |\n", g.Title)
		for _, j := range all {
			if j.Group == g.Name {
				fmt.Fprintf(&b, "| [`%s`](%s) | %s | %s | %s |\n", j.Name, j.Docs, j.Title, "`"+strings.Join(places(j), "` `")+"`", checkedBy(checked[j.Name]))
			}
		}
	}
	_, err = fmt.Fprint(a.Out, b.String())
	return err
}

func checkedBy(e evidence.Evidence) string {
	switch {
	case e.Client != "":
		return "[client](../cmd/rhx/testdata/script/" + e.Client + ")"
	case e.Source != "":
		return "[source](" + e.Source + ")"
	}
	return "[documentation](" + e.Documentation + ")"
}
