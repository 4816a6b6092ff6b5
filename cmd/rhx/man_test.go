package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/rhx-dev/rhx/cmd/rhx/manual"
)

func wholeGrammar(t *testing.T) *kong.Node {
	t.Helper()
	parser, err := newApp().parser(t.Context(), commands())
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Node
}

func TestReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	const file = "../../docs/reference.md"
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := reference(wholeGrammar(t)); string(got) != want {
		t.Errorf("%s is not what the commands say; write it anew with: make docs", strings.TrimPrefix(file, "../../"))
	}
}

// Each command's help ends with an example of that command, and all examples are right.
func TestEachCommandHasAnExample(t *testing.T) {
	t.Parallel()
	for _, leaf := range wholeGrammar(t).Leaves(true) {
		command := strings.Fields(leaf.FullPath())
		text, examples := manual.CutExamples(leaf.Detail)
		if strings.Contains(text, "Examples:") {
			t.Errorf("%s: the examples are not at the end of its Help()", leaf.FullPath())
		}
		own := false
		for _, example := range examples {
			for _, args := range commandsIn(example) {
				if args[0] != "rhx" {
					continue
				}
				own = own || len(args) >= len(command) && slices.Equal(args[:len(command)], command)
				if _, _, ok := asksHelper(args[1:]); ok {
					continue // which is read without the grammar
				}
				a := newApp()
				parsed, err := a.parse(context.Background(), args[1:])
				if err == nil && parsed != nil {
					err = a.checkFlags(parsed.Selected().FullPath())
				}
				if err != nil {
					t.Errorf("%s: its example %q is wrong: %v", leaf.FullPath(), example, err)
				}
			}
		}
		if !own {
			t.Errorf("%s has no example. Let the text of its method Help() (%s) end with:\n\nExamples:\n  %s ARGUMENTS    # a remark, where one is needed\n\nand then: make docs",
				leaf.FullPath(), leaf.Target.Type(), leaf.FullPath())
		}
	}
}

// commandsIn are the commands of a line of shell, as far as examples have them: pipes,
// lists, substitutions, redirections, quotes and a remark.
func commandsIn(line string) [][]string {
	var all [][]string
	var words []string
	word, quote := "", rune(0)
	inWord, toFile := false, false
	endWord := func() {
		if inWord && !toFile {
			words = append(words, word)
		}
		toFile = toFile && !inWord
		word, inWord = "", false
	}
	end := func() {
		endWord()
		if len(words) > 0 {
			all = append(all, words)
		}
		words = nil
	}
	for i, r := range line {
		switch {
		case quote != 0:
			if quote == '"' && strings.HasPrefix(line[i:], "$(") {
				inside, _, _ := strings.Cut(line[i+2:], ")")
				all = append(all, commandsIn(inside)...)
			}
			if r == quote {
				quote = 0
			} else {
				word += string(r)
			}
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == '#' && !inWord:
			end()
			return all
		case r == ' ':
			endWord()
		case r == '<' || r == '>':
			endWord()
			toFile = true
		case r == '(':
			toFile = false
			end()
		case strings.ContainsRune("|&;)", r):
			end()
		default:
			word, inWord = word+string(r), true
		}
	}
	end()
	return all
}

func TestCommandsIn(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`rhx a b`:                               "rhx a b",
		`rhx a 'b c' "d"   # rhx no`:            "rhx a b c d",
		`echo x | rhx a && rhx b; rhx c`:        "echo x/rhx a/rhx b/rhx c",
		`rhx a > out b`:                         "rhx a b",
		`rhx a < in`:                            "rhx a",
		`source <(rhx a b)`:                     "source/rhx a b",
		`eval "$(rhx a -s b)"`:                  "rhx a -s b/eval $(rhx a -s b)",
		`ssh nas 'rhx no' | rhx a - >> "$FILE"`: "ssh nas rhx no/rhx a -",
		`rhx a#b`:                               "rhx a#b",
		``:                                      "",
	} {
		var got []string
		for _, words := range commandsIn(line) {
			got = append(got, strings.Join(words, " "))
		}
		if s := strings.Join(got, "/"); s != want {
			t.Errorf("%s: %q, not %q", line, s, want)
		}
	}
}
