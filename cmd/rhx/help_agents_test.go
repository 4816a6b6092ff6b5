package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
)

// The page for agents is one page of plain text, and names only commands and flags that
// there are.
func TestThePageForAgents(t *testing.T) {
	t.Parallel()
	lines := strings.Split(agentsPage, "\n")
	if len(lines) > 80 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if len(line) > 80 || strings.Trim(line, " ") != strings.TrimLeft(line, " ") || line != term.Text(line) || strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
			t.Errorf("%q", line)
		}
	}
	wrong, named := misnamed(t, agentsPage)
	if len(wrong) > 0 || named < 20 {
		t.Errorf("%d are named; there are no %q", named, wrong)
	}
	// The test sees what is not there.
	if wrong, _ := misnamed(t, "rhx lst -o json\n  rhx run --brokr -- x\nrhx broker chek\nrhx list --plain\n--nothing, -Z"); !slices.Equal(wrong, []string{"rhx lst", "run --brokr", "rhx broker chek", "list --plain", "--nothing", "-Z"}) {
		t.Errorf("%q", wrong)
	}
}

// misnamed are the commands and flags of a text that there are not; named is how many
// commands it has.
func misnamed(t *testing.T, text string) (wrong []string, named int) {
	t.Helper()
	a := &app{Terminal: term.New(term.Streams{}, os.Getenv), globals: &globals{}}
	parser, err := a.parser(t.Context(), commands())
	if err != nil {
		t.Fatal(err)
	}
	command, flag := regexp.MustCompile(`\brhx ([a-z]+)([^,;:(]*)`), regexp.MustCompile(`(?:^|[\s(])(--?[A-Za-z][a-z-]*)`)
	flags := func(nodes ...*kong.Node) (out []string) {
		for _, n := range nodes {
			for _, f := range n.Flags {
				out = append(out, "--"+f.Name)
				if f.Short != 0 {
					out = append(out, "-"+string(f.Short))
				}
			}
		}
		return out
	}
	var all []*kong.Node
	_ = kong.Visit(parser.Model, func(n kong.Visitable, next kong.Next) error {
		if node, ok := n.(*kong.Node); ok {
			all = append(all, node)
		}
		return next(nil)
	})
	everywhere := flags(append(all, parser.Model.Node)...)
	child := func(n *kong.Node, name string) *kong.Node {
		if i := slices.IndexFunc(n.Children, func(c *kong.Node) bool { return c.Name == name }); i >= 0 {
			return n.Children[i]
		}
		return nil
	}
	for line := range strings.Lines(text) {
		inCommand := false
		for _, m := range command.FindAllStringSubmatch(line, -1) {
			if slices.Contains([]string{"for", "says", "keeps", "fails"}, m[1]) {
				continue // prose
			}
			node, rest := child(parser.Model.Node, m[1]), strings.Fields(m[2])
			if node == nil {
				wrong = append(wrong, "rhx "+m[1])
				continue
			}
			named, inCommand = named+1, true
			if len(node.Children) > 0 && len(rest) > 0 {
				sub := child(node, rest[0])
				if sub == nil {
					wrong = append(wrong, "rhx "+m[1]+" "+rest[0])
					continue
				}
				node = sub
			}
			known := flags(node, parser.Model.Node)
			for _, word := range rest {
				if word == "--" {
					break
				}
				if strings.HasPrefix(word, "-") && !slices.Contains(known, word) {
					wrong = append(wrong, m[1]+" "+word)
				}
			}
		}
		for _, m := range flag.FindAllStringSubmatch(line, -1) {
			if !inCommand && !slices.Contains(everywhere, m[1]) {
				wrong = append(wrong, m[1])
			}
		}
	}
	return wrong, named
}
