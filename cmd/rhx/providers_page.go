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
	kinds := map[string]int{}
	for _, j := range all {
		kind, _ := checkedBy(checked[j.Name])
		kinds[kind]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# The providers

%d kinds of credentials that rhx knows without being told. `+"`rhx providers NAME`"+` shows
one of them in full, `+"`rhx providers WORD`"+` looks for a word. Another is a
[spec](specs.md) of your own.

The last column is the strongest that says so. **client**: a test in which the real
client, of the version named, reads what rhx wrote, and rhx what the client wrote if it
writes (%d providers). **source**: code of the client, or of a tool that reads its file
(%d). **documentation** (%d). Each has cases
in `+"`specs/cases`"+` beside, or is tried with its variables.

This page is written by `+"`rhx providers --page`"+`.
`, len(all), kinds["client"], kinds["source"], kinds["documentation"])
	for _, g := range spec.Groups() {
		fmt.Fprintf(&b, "\n## %s\n\n| provider | for | kept in | checked |\n| --- | --- | --- | --- |\n", g.Title)
		for _, j := range all {
			if j.Group == g.Name {
				kind, at := checkedBy(checked[j.Name])
				fmt.Fprintf(&b, "| [`%s`](%s) | %s | %s | %s |\n", j.Name, j.Docs, j.Title, "`"+strings.Join(places(j), "` `")+"`", strings.TrimSpace(fmt.Sprintf("[%s](%s) %s", kind, at, checked[j.Name].By)))
			}
		}
	}
	_, err = fmt.Fprint(a.Out, b.String())
	return err
}

// checkedBy returns the kind of evidence, and its address.
func checkedBy(e evidence.Evidence) (kind, at string) {
	switch {
	case e.Client != "":
		return "client", "../cmd/rhx/testdata/script/" + e.Client
	case e.Source != "":
		return "source", e.Source
	}
	return "documentation", e.Documentation
}
