package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/rhx-dev/rhx/cmd/rhx/manual"
)

// helpOf is the help of a command, by its words, in so many columns. The grammar is no good
// for other commands after that of rhx itself.
func helpOf(t *testing.T, parser *kong.Kong, width int, words ...string) string {
	t.Helper()
	var b bytes.Buffer
	parser.Stdout = &b
	ctx, err := kong.Trace(parser, words)
	if err != nil {
		t.Fatal(err)
	}
	options := kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: width, ValueFormatter: kong.DefaultHelpValueFormatter}
	if err := printHelp(options, ctx); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func wholeParser(t *testing.T) *kong.Kong {
	t.Helper()
	parser, err := newApp().parser(t.Context(), commands())
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// In a terminal of this width the help breaks no line in the middle of a word.
func TestHelpFits(t *testing.T) {
	t.Setenv("COLUMNS", "200")
	parser := wholeParser(t)
	var paths [][]string
	for _, n := range parser.Model.Leaves(true) {
		paths = append(paths, strings.Fields(n.FullPath())[1:])
	}
	for _, words := range append(paths, nil) {
		for _, width := range []int{60, 80, 100} {
			for line := range strings.Lines(helpOf(t, parser, width, words...)) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("rhx %s --help in %d columns has a line of %d:\n%s", strings.Join(words, " "), width, n, line)
				}
			}
		}
	}
}

// The first help that anybody sees has each command once, in its group, in a line.
func TestHelpHasCommandsByGroups(t *testing.T) {
	help := helpOf(t, wholeParser(t), 80)
	var groups, seen []string
	group := ""
	for _, c := range commands() {
		if c.group == "" {
			t.Errorf("%s has no group", c.name)
		}
		if c.group != group {
			if slices.Contains(groups, c.group) {
				t.Errorf("%s is apart from the others of %q", c.name, c.group)
			}
			group = c.group
			groups = append(groups, group)
			if !strings.Contains(help, "\n\n"+group+"\n  "+c.name+" ") {
				t.Errorf("the group %q does not begin with %s:\n%s", group, c.name, help)
			}
		}
		if n := strings.Count(help, "\n  "+c.name+" "); n != 1 {
			t.Errorf("%s is there %d times", c.name, n)
		}
		if !strings.Contains(help, " "+c.help+"\n") {
			t.Errorf("what %s does takes more than a line: %s", c.name, c.help)
		}
		seen = append(seen, c.name)
	}
	if first := seen[:3]; !slices.Equal(first, []string{"detect", "save", "list"}) {
		t.Errorf("first come %q", first)
	}
	for _, f := range wholeGrammar(t).Flags {
		name := "--" + f.Name
		if f.Short != 0 && !strings.Contains(help, name) {
			name = fmt.Sprintf("-%c", f.Short)
		}
		if !strings.Contains(help, name) {
			t.Errorf("the flag %s is not named", name)
		}
	}
}

// What the help shows of an example in a narrow terminal is still that example.
func TestFittedExamplesAreTheSame(t *testing.T) {
	for _, n := range wholeGrammar(t).Leaves(true) {
		_, examples := manual.CutExamples(n.Detail)
		for _, e := range examples {
			var commands []string
			for _, line := range manual.Fit([]string{e}, 58) {
				if !strings.HasPrefix(line, "#") {
					commands = append(commands, line)
				}
			}
			got := fmt.Sprint(commandsIn(strings.ReplaceAll(strings.Join(commands, "\n"), " \\\n", " ")))
			if want := fmt.Sprint(commandsIn(e)); got != want {
				t.Errorf("%s\nbecomes\n%s", want, got)
			}
		}
	}
}
