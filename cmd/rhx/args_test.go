package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestArgumentsAreSorted(t *testing.T) {
	parser, err := newApp().parser(context.Background(), commands())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"sync a -s x b", "sync -s x a b"},
		{"-q sync a -yb base -s=x b --parallel 3 c", "sync -q -yb base -s=x --parallel 3 a b c"},
		{"save oa --provider openai api_key=-", "save --provider openai oa api_key=-"},
		{"save oa --values - --name x", "save --values - --name x oa"},
		{"save a -obar b", "save -obar a b"},
		{"save a -- -b --all", "save -- a -b --all"},
		{"save a --nonsense b", "save --nonsense a b"},
		{"provider new x -o json --from-file y", "provider new -o json --from-file y x"},
		{"run -s x cmd -s y --yes", "run -s x cmd -s y --yes"},
		{"run --on h -- cmd -s", "run --on h -- cmd -s"},
		{"get delete save", "get delete save"},
		{"sync a -s", "sync -s a"},
	} {
		if got := strings.Join(part(parser.Model.Node, strings.Fields(c[0])).sorted(), " "); got != c[1] {
			t.Errorf("%s:\n got %s\nwant %s", c[0], got, c[1])
		}
	}
}

// A synonym leads to a command that there is, and is none itself.
func TestSynonymsLeadToCommands(t *testing.T) {
	is := func(name string) bool {
		return slices.ContainsFunc(commands(), func(c command) bool { return c.name == name })
	}
	for word, use := range synonyms {
		if is(word) {
			t.Errorf("%s is a command", word)
		}
		if w := strings.Fields(use); w[0] != "rhx" || !is(strings.TrimRight(w[1], ",;")) {
			t.Errorf("%s leads to %s", word, use)
		}
	}
}

// The help of a command has the flags that it has a use for, those of all commands
// last.
func TestHelpHasTheFlagsOfUse(t *testing.T) {
	for name, want := range map[string]string{
		"version": "output quiet verbose no-input color",
		"detect":  "on output quiet verbose no-input color",
		"login":   "store output quiet verbose no-input color",
		"trust":   "manifest profile output quiet verbose no-input color",
		"list":    "store manifest profile output quiet verbose no-input color",
		"load":    "store on manifest profile output quiet verbose no-input color",
	} {
		all := commands()
		i := slices.IndexFunc(all, func(c command) bool { return c.name == name })
		parser, err := newApp().parser(context.Background(), all[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		parser.Stdout = &b
		if _, err := parser.Parse([]string{name, "--help"}); err != nil {
			t.Fatal(err)
		}
		_, global, ok := strings.Cut(b.String(), "\nGlobal flags:\n")
		if !ok {
			t.Fatalf("%s: no global flags in %s", name, b.String())
		}
		var got []string
		for _, f := range strings.Fields(want + " store on manifest profile") {
			if strings.Contains(global, fmt.Sprintf("--%s=", f)) || strings.Contains(global, fmt.Sprintf("--%s ", f)) {
				if !slices.Contains(got, f) {
					got = append(got, f)
				}
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", name, got, want)
		}
	}
}
