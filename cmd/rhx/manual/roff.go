package manual

import (
	"fmt"
	"io"
	"strings"
)

// File is the name of a page in a folder man1.
func (p *Page) File() string { return p.hyphened() + ".1" }

func (p *Page) hyphened() string { return strings.ReplaceAll(p.Name, " ", "-") }

// Roff writes a page for man(1). The version is that of rhx.
func (p *Page) Roff(w io.Writer, version string) {
	fmt.Fprintf(w, ".TH \"%s\" \"1\" \"\" \"%s\" \"Manual of rhx\"\n", roff(strings.ToUpper(p.hyphened())), roff(version))
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", roff(p.hyphened()), roff(strings.TrimSuffix(p.Short, ".")))
	fmt.Fprintf(w, ".SH SYNOPSIS\n\\fB%s\\fR\n", roff(p.Usage))
	if p.Text != "" {
		fmt.Fprintln(w, ".SH DESCRIPTION")
	}
	paragraphs(p.Text, func(lines []string, code bool) {
		if code {
			roffCode(w, lines)
			return
		}
		fmt.Fprintf(w, ".PP\n%s\n", roff(strings.Join(lines, " ")))
	})
	roffItems(w, "COMMANDS", p.Commands)
	roffItems(w, "ARGUMENTS", p.Arguments)
	roffItems(w, "OPTIONS", p.Flags)
	roffItems(w, "GLOBAL OPTIONS", p.Global)
	if len(p.Examples) > 0 {
		fmt.Fprintln(w, ".SH EXAMPLES")
		roffCode(w, p.Examples)
	}
	if len(p.Commands) == 0 {
		fmt.Fprintln(w, ".SH SEE ALSO\n\\fBrhx\\fR(1)")
	}
}

func roffItems(w io.Writer, title string, items []Item) {
	if len(items) > 0 {
		fmt.Fprintln(w, ".SH "+title)
	}
	group := ""
	for _, i := range items {
		if i.Group != group {
			group = i.Group
			fmt.Fprintf(w, ".SS %s\n", roff(group))
		}
		fmt.Fprintf(w, ".TP\n\\fB%s\\fR\n%s\n", roff(i.Term), roff(i.Text))
	}
}

func roffCode(w io.Writer, lines []string) {
	fmt.Fprintln(w, ".PP\n.nf\n.RS 4")
	for _, line := range lines {
		fmt.Fprintln(w, roff(strings.TrimPrefix(line, "  ")))
	}
	fmt.Fprintln(w, ".RE\n.fi")
}

// roff is a text in which roff finds nothing of its own: no escape, no request, and no
// character that it would print as another one.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
