// Package manual makes pages of the manual from the grammar of the command line: for a
// terminal, for man(1) and in Markdown. A page has three parts: what a command does, its
// flags, and examples.
package manual

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// Page is what there is to say of a command.
type Page struct {
	// Name is the words of the command, such as "rhx store export".
	Name string `json:"name"`
	// Short is one sentence; Usage a line with the arguments; Text paragraphs with an
	// empty line between them. An indented paragraph stands as it is.
	Short string `json:"short"`
	Usage string `json:"usage"`
	Text  string `json:"text,omitempty"`
	// Commands are those below this one, group by group where they have groups.
	Commands  []Item `json:"commands,omitempty"`
	Arguments []Item `json:"arguments,omitempty"`
	Flags     []Item `json:"flags,omitempty"`
	// Global are the flags of all commands that this one has a use for.
	Global   []Item   `json:"global_flags,omitempty"`
	Examples []string `json:"examples,omitempty"`
}

// Item is a term, such as a flag, and what it means.
type Item struct {
	Term string `json:"term"`
	Text string `json:"text"`
	// Group is that of a command; "" for none.
	Group string `json:"group,omitempty"`
}

// examplesTitle begins the last part of a command's help.
const examplesTitle = "Examples:\n"

// CutExamples parts a command's help into its text and its examples: the indented lines
// at its end, below "Examples:".
func CutExamples(detail string) (text string, examples []string) {
	before, after, found := strings.Cut("\n"+detail, "\n"+examplesTitle)
	if !found {
		return detail, nil
	}
	for line := range strings.Lines(after) {
		if line = strings.TrimSpace(line); line != "" {
			examples = append(examples, line)
		}
	}
	return strings.TrimSpace(before), examples
}

// Fit parts examples into lines of at most width columns, so that a terminal breaks none in
// the middle of a word. A remark that does not fit stands above its command, and a command
// goes on behind a backslash, as a shell reads it.
func Fit(examples []string, width int) []string {
	var out []string
	for _, example := range examples {
		if utf8.RuneCountInString(example) <= width {
			out = append(out, example)
			continue
		}
		command, remark := cutRemark(example)
		if remark != "" {
			out = append(out, fold(remark, width, "", "# ")...)
		}
		out = append(out, fold(command, width, ` \`, "    ")...)
	}
	return out
}

// cutRemark parts a line of shell into the command and the remark behind it.
func cutRemark(line string) (command, remark string) {
	quote := rune(0)
	for i, r := range line {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == '#' && strings.HasSuffix(line[:i], " "):
			return strings.TrimSpace(line[:i]), line[i:]
		}
	}
	return line, ""
}

// fold parts a line at spaces outside of quotes, where there are such: each line but the
// last ends with end, each but the first begins with begin.
func fold(line string, width int, end, begin string) []string {
	var out []string
	for utf8.RuneCountInString(line) > width {
		quote, at, columns := rune(0), 0, 0
		for i, r := range line {
			switch {
			case quote != 0:
				if r == quote {
					quote = 0
				}
			case end != "" && (r == '\'' || r == '"'):
				quote = r
			case r == ' ' && strings.TrimLeft(line[:i], " #") != "" && (columns+len(end) <= width || at == 0):
				at = i
			}
			columns++
		}
		if at == 0 {
			break
		}
		out = append(out, line[:at]+end)
		line = begin + line[at+1:]
	}
	return append(out, line)
}

// Of returns the page of a command, or of the program. The flags of all commands that
// are named in without mean nothing to it.
func Of(node *kong.Node, without []string) *Page {
	p := &Page{Name: node.FullPath(), Short: node.Help}
	root := node
	for root.Parent != nil {
		root = root.Parent
	}
	p.Usage = strings.TrimSpace(root.Name + " " + node.Summary())
	p.Text, p.Examples = CutExamples(node.Detail)
	for _, c := range node.Leaves(true) {
		i := Item{Term: c.FullPath(), Text: c.Help}
		if g := c.ClosestGroup(); g != nil && node == root {
			i.Group = g.Title
		}
		p.Commands = append(p.Commands, i)
	}
	for _, arg := range node.Positional {
		p.Arguments = append(p.Arguments, Item{Term: arg.Summary(), Text: arg.Help})
	}
	for n := node; n != root; n = n.Parent {
		p.Flags = append(p.Flags, items(n.Flags, nil)...)
	}
	p.Global = items(root.Flags, without)
	return p
}

func items(flags []*kong.Flag, without []string) []Item {
	var out []Item
	for _, f := range flags {
		if !slices.Contains(without, f.Name) && !f.Hidden {
			out = append(out, Item{Term: f.String(), Text: f.Help})
		}
	}
	return out
}

// paragraphs parts a text at its empty lines, and where indented lines begin or end: such
// ones stand as they are (code).
func paragraphs(text string, each func(lines []string, code bool)) {
	var lines []string
	code := false
	flush := func() {
		if len(lines) > 0 {
			each(lines, code)
		}
		lines = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		indented := strings.HasPrefix(line, " ")
		if line == "" || indented != code {
			flush()
		}
		if code = indented; line != "" {
			lines = append(lines, line)
		}
	}
	flush()
}
