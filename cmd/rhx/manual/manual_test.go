package manual

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

type sub struct {
	File  string `arg:"" help:"The .file; - for stdout."`
	Level int    `short:"l" help:"How *much*." placeholder:"N"`
	Never bool   `hidden:"" help:"Not shown."`
}

func (*sub) Help() string {
	return `.It's a "text" with a\b
on two lines:
  and code -x
  .TH more

The end.

Examples:
  prog do it .    # a remark
  prog do it -`
}

type grammar struct {
	Store string `help:"The store."`
	On    string `help:"The host."`
	Do    struct {
		It  sub `cmd:"" help:"Do_it <now>."`
		Bad sub `cmd:"" hidden:"" help:"Hidden."`
	} `cmd:"" help:"Do something."`
}

func page(t *testing.T, words ...string) *Page {
	t.Helper()
	parser, err := kong.New(&grammar{}, kong.Name("prog"))
	if err != nil {
		t.Fatal(err)
	}
	n := parser.Model.Node
	for _, w := range words {
		n = n.Children[slices.IndexFunc(n.Children, func(c *kong.Node) bool { return c.Name == w })]
	}
	return Of(n, []string{"on"})
}

func TestPage(t *testing.T) {
	p := page(t, "do", "it")
	if p.Name != "prog do it" || p.Short != "Do_it <now>." || p.Usage != "prog do it <file> [flags]" || p.File() != "prog-do-it.1" {
		t.Errorf("%+v", p)
	}
	if strings.Contains(p.Text, "Examples") || !strings.HasSuffix(p.Text, "The end.") {
		t.Errorf("%q", p.Text)
	}
	if want := []string{"prog do it .    # a remark", "prog do it -"}; !slices.Equal(p.Examples, want) {
		t.Errorf("%q", p.Examples)
	}
	if want := []Item{{Term: "-l, --level=N", Text: "How *much*."}}; !slices.Equal(p.Flags, want) {
		t.Errorf("%q", p.Flags)
	}
	if len(p.Global) != 2 || p.Global[1].Term != "--store=STRING" || len(p.Commands) != 0 {
		t.Errorf("%q %q", p.Global, p.Commands)
	}
	if p := page(t, "do"); !slices.Equal(p.Commands, []Item{{Term: "prog do it", Text: "Do_it <now>."}}) {
		t.Errorf("%q", p.Commands)
	}
}

func TestCutExamples(t *testing.T) {
	for detail, want := range map[string]string{
		"":                            "|",
		"Text.":                       "Text.|",
		"Examples:\n  a":              "|a",
		"Text.\n\nExamples:\n  a\n b": "Text.|a b",
		"No Examples:\n  a":           "No Examples:\n  a|",
	} {
		text, examples := CutExamples(detail)
		if got := text + "|" + strings.Join(examples, " "); got != want {
			t.Errorf("%q: %q", detail, got)
		}
	}
}

func TestFit(t *testing.T) {
	for example, want := range map[string]string{
		"prog a":                           "prog a",
		"prog a b c d e f g":               "prog a b c d e f g", // as wide as it may be
		"prog a b c d e f gh":              "prog a b c d e f \\/    gh",
		"prog a     # a remark there":      "# a remark there/prog a",
		"prog a   # a longer remark there": "# a longer remark/# there/prog a",
		"prog 'one two # three' four":      "prog \\/    'one two # three' \\/    four",
		"prog aaaaaaaaaaaaaaaaaaaaaa":      "prog \\/    aaaaaaaaaaaaaaaaaaaaaa",
		"prog 'äöü äöü äöü'":               "prog 'äöü äöü äöü'",
		"prog a#b c d e f # r":             "# r/prog a#b c d e f",
	} {
		if got := strings.Join(Fit([]string{example}, 18), "/"); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", example, got, want)
		}
	}
}

// FuzzFit: no word is lost, and no line is longer than it has to be.
func FuzzFit(f *testing.F) {
	f.Add("prog 'a b' c # remark", 10)
	f.Add("prog \"a", 0)
	f.Add("# only", 3)
	f.Fuzz(func(t *testing.T, example string, width int) {
		var words []string
		for _, line := range Fit([]string{example}, width) {
			words = append(words, strings.Fields(strings.TrimSuffix(line, `\`))...)
		}
		for _, w := range strings.Fields(strings.ReplaceAll(example, `\`, "")) {
			if !slices.ContainsFunc(words, func(got string) bool { return strings.Contains(strings.ReplaceAll(got, `\`, ""), w) }) {
				t.Fatalf("%q in %d columns has lost %q: %q", example, width, w, words)
			}
		}
	})
}

type grouped struct {
	One struct {
		A struct{} `cmd:"" help:"Do a."`
		B struct{} `cmd:"" help:"Do b."`
	} `cmd:"" group:"First (x)" help:"One."`
	Two struct{} `cmd:"" group:"Second" help:"Two."`
}

func TestGroups(t *testing.T) {
	parser, err := kong.New(&grouped{}, kong.Name("prog"))
	if err != nil {
		t.Fatal(err)
	}
	p := Of(parser.Model.Node, nil)
	var roff, contents strings.Builder
	p.Roff(&roff, "1")
	const want = `.SH COMMANDS
.SS First (x)
.TP
\fBprog one a\fR
Do a.
.TP
\fBprog one b\fR
Do b.
.SS Second
.TP
\fBprog two\fR
Two.
`
	if !strings.Contains(roff.String(), want) {
		t.Errorf("%s", roff.String())
	}
	p.MarkdownContents(&contents)
	if got, want := contents.String(), "- First (x): [one a](#prog-one-a), [one b](#prog-one-b)\n- Second: [two](#prog-two)\n\n"; got != want {
		t.Errorf("%s", got)
	}
	if p := Of(parser.Model.Children[0], nil); p.Commands[0].Group != "" {
		t.Errorf("%+v", p.Commands)
	}
}

func TestRoff(t *testing.T) {
	var b strings.Builder
	page(t, "do", "it").Roff(&b, "prog v1-2")
	const want = `.TH "PROG\-DO\-IT" "1" "" "prog v1\-2" "Manual of rhx"
.SH NAME
prog\-do\-it \- Do_it <now>
.SH SYNOPSIS
\fBprog do it <file> [flags]\fR
.SH DESCRIPTION
.PP
\&.It\(aqs a \(dqtext\(dq with a\eb on two lines:
.PP
.nf
.RS 4
and code \-x
\&.TH more
.RE
.fi
.PP
The end.
.SH ARGUMENTS
.TP
\fB<file>\fR
The .file; \- for stdout.
.SH OPTIONS
.TP
\fB\-l, \-\-level=N\fR
How *much*.
.SH GLOBAL OPTIONS
.TP
\fB\-h, \-\-help\fR
Show context\-sensitive help.
.TP
\fB\-\-store=STRING\fR
The store.
.SH EXAMPLES
.PP
.nf
.RS 4
prog do it .    # a remark
prog do it \-
.RE
.fi
.SH SEE ALSO
\fBrhx\fR(1)
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

func TestMarkdown(t *testing.T) {
	var b strings.Builder
	page(t, "do", "it").Markdown(&b)
	const want = "## prog do it\n\nDo\\_it \\<now>.\n\n```\nprog do it <file> [flags]\n```\n\n" +
		".It's a \"text\" with a\\\\b on two lines:\n\n```\nand code -x\n.TH more\n```\n\nThe end.\n\n" +
		"- `<file>`: The .file; - for stdout.\n\n- `-l, --level=N`: How \\*much\\*.\n\n" +
		"Global flags: `--help`, `--store`.\n\n```\nprog do it .    # a remark\nprog do it -\n```\n\n"
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}
