package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// pages are those of the documentation: paths from the top of the repository.
func pages(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "guest-sdk/*.md"} {
		files, err := filepath.Glob("../../" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			out = append(out, strings.TrimPrefix(filepath.ToSlash(f), "../../"))
		}
	}
	if len(out) < 25 {
		t.Fatalf("only %d pages", len(out))
	}
	return out
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	data, err := os.ReadFile("../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Every command of rhx that a page names is one that rhx takes, with its flags: in blocks
// that are not run, and in the middle of a sentence.
func TestCommandsInThePagesAreTaken(t *testing.T) {
	t.Parallel()
	all := commands()
	parser, err := newApp().parser(context.Background(), all)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, page := range pages(t) {
		if page != "CHANGELOG.md" { // what was once
			for _, command := range namedCommands(readPage(t, page)) {
				seen[command] = page
			}
		}
	}
	for _, command := range slices.Sorted(maps.Keys(seen)) {
		if err := takes(parser.Model, command); err != nil {
			t.Errorf("%s: %q: %v", seen[command], command, err)
		}
	}
	if len(seen) < 300 {
		t.Errorf("only %d commands found", len(seen))
	}
}

func TestTakes(t *testing.T) {
	t.Parallel()
	parser, err := newApp().parser(context.Background(), commands())
	if err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]bool{
		"rhx load [SECRET...] [--all]":                true,
		"rhx run --broker -s SECRET... -- CMD --nope": true,
		"rhx lode aws":              false,
		"rhx provider unmake":       false,
		"rhx load aws --nope":       false,
		"rhx version --store local": false,
		"rhx load aws -z":           false,
	} {
		if err := takes(parser.Model, command); (err == nil) != want {
			t.Errorf("%s: %v", command, err)
		}
	}
}

var (
	codeBlock  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	indented   = regexp.MustCompile(`(?m)^ {4}.*$`)
	inlineCode = regexp.MustCompile("`rhx [^`]+`")
	inALine    = regexp.MustCompile(`(?:^|\| |\$\(|["'])(rhx [a-z].*)`)
)

// namedCommands are those that a page has in code.
func namedCommands(text string) []string {
	var lines, out []string
	for _, b := range codeBlock.FindAllString(text, -1) {
		lines = append(lines, strings.Split(b, "\n")...)
	}
	text = codeBlock.ReplaceAllString(text, "")
	lines = append(lines, indented.FindAllString(text, -1)...)
	for _, c := range inlineCode.FindAllString(strings.ReplaceAll(text, "\n", " "), -1) {
		lines = append(lines, strings.Trim(c, "`"))
	}
	for _, line := range lines {
		line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
		if args, ok := strings.CutPrefix(line, "args: ["); ok { // of a container whose program rhx is
			line = "rhx " + strings.NewReplacer(",", "", `"`, "", "]", "").Replace(args)
		}
		if m := inALine.FindStringSubmatch(line); m != nil {
			out = append(out, m[1])
		}
	}
	return out
}

// commandEnds is where a command ends in a line: at a comment, a pipe, another command,
// or the two blanks before what a list says of it.
var commandEnds = regexp.MustCompile(`  |\t| [#|;&<>]|[;)"']| -- `)

// takes reports how a command, perhaps with placeholders, does not fit the grammar.
func takes(model *kong.Application, command string) error {
	if at := commandEnds.FindStringIndex(command); at != nil {
		command = command[:at[0]]
	}
	words := strings.Fields(command)[1:]
	if words[0] == "help" {
		return nil
	}
	node, flags := model.Node, map[string]bool{"-h": true, "--help": true}
	add := func(n *kong.Node, without []string) {
		for _, f := range n.Flags {
			if !slices.Contains(without, f.Name) {
				flags["--"+f.Name], flags["-"+string(f.Short)] = true, true
			}
		}
	}
	add(node, usesOf(words[0]).without())
	for i, w := range words {
		name, _, _ := strings.Cut(strings.Trim(w, "[],."), "=")
		if !strings.HasPrefix(name, "-") || name == "-" || name == "--" {
			if len(node.Children) == 0 {
				continue
			}
			at := slices.IndexFunc(node.Children, func(n *kong.Node) bool {
				return n.Type == kong.CommandNode && (n.Name == name || slices.Contains(n.Aliases, name))
			})
			if at < 0 && (i == 0 || strings.ToUpper(name) != name) && node.DefaultCmd == nil {
				return fmt.Errorf("there is no %s", strings.Join(words[:i+1], " "))
			}
			if at >= 0 {
				node = node.Children[at]
				add(node, nil)
			}
			continue
		}
		if !flags[name] {
			return errors.New("it has no flag " + name)
		}
	}
	return nil
}
