package manual

import (
	"fmt"
	"io"
	"strings"
)

// Markdown writes a page as a section of a document. Which flags of all commands it has a
// use for is said by name.
func (p *Page) Markdown(w io.Writer) {
	fmt.Fprintf(w, "## %s\n\n%s\n\n", p.Name, markdown(p.Short))
	markdownCode(w, []string{p.Usage})
	paragraphs(p.Text, func(lines []string, code bool) {
		if code {
			markdownCode(w, lines)
			return
		}
		fmt.Fprintf(w, "%s\n\n", markdown(strings.Join(lines, " ")))
	})
	MarkdownItems(w, p.Arguments)
	MarkdownItems(w, p.Flags)
	var global []string
	for _, i := range p.Global {
		_, name, _ := strings.Cut(" "+i.Term, " --")
		name, _, _ = strings.Cut(name, "=")
		global = append(global, "`--"+name+"`")
	}
	fmt.Fprintf(w, "Global flags: %s.\n\n", strings.Join(global, ", "))
	markdownCode(w, p.Examples)
}

// MarkdownContents writes a line for each group of a page's commands, which leads to their
// sections.
func (p *Page) MarkdownContents(w io.Writer) {
	group := ""
	for i, c := range p.Commands {
		_, words, _ := strings.Cut(c.Term, " ")
		link := fmt.Sprintf("[%s](#%s)", words, strings.ReplaceAll(c.Term, " ", "-"))
		switch {
		case c.Group != group || i == 0:
			if group = c.Group; i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintf(w, "- %s: %s", markdown(group), link)
		default:
			fmt.Fprint(w, ", "+link)
		}
	}
	fmt.Fprint(w, "\n\n")
}

// MarkdownItems writes terms and what they mean, as a list.
func MarkdownItems(w io.Writer, items []Item) {
	for _, i := range items {
		fmt.Fprintf(w, "- `%s`: %s\n", i.Term, markdown(i.Text))
	}
	if len(items) > 0 {
		fmt.Fprintln(w)
	}
}

func markdownCode(w io.Writer, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(w, "```")
	for _, line := range lines {
		fmt.Fprintln(w, strings.TrimPrefix(line, "  "))
	}
	fmt.Fprint(w, "```\n\n")
}

// markdown is a text in which Markdown finds nothing of its own.
func markdown(text string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "<", `\<`, "#", `\#`).Replace(text)
}
