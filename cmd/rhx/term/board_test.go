package term

import (
	"io"
	"strings"
	"testing"
)

// A table is drawn where the one before was; whatever is printed comes above it.
func TestBoard(t *testing.T) {
	var out strings.Builder
	height := 24
	term := New(Streams{Out: &out, Err: &out, OutTTY: true, ErrTTY: true}, func(string) string { return "" })
	term.Paint = "never"
	b := term.newBoard(func() (int, int) { return 40, height })
	table := func(state string) Table {
		return Table{Header: []string{"SECRET", "gpu"}, Rows: [][]string{{"a\x1b[2J", state}, {"b", state}}, States: 1}
	}
	var want strings.Builder
	check := func(what, text string) {
		t.Helper()
		want.WriteString(text)
		if out.String() != want.String() {
			t.Fatalf("%s: %q, not %q", what, out.String(), want.String())
		}
	}
	drawn := func(state string) string {
		return "SECRET    gpu\na\\x1b[2J  " + state + "\nb         " + state + "\n"
	}
	const gone = "\x1b[3A\r\x1b[J"
	b.Show(table("..."))
	check("before its time", "")
	b.begin()
	check("begun", drawn("..."))
	b.Show(table("same"))
	check("again", gone+drawn("same"))
	term.Warn("x")
	check("a warning", gone+"rhx: warning: x\n"+drawn("same"))
	if _, err := io.WriteString(term.Out, "part"); err != nil {
		t.Fatal(err)
	}
	check("a part of a line", gone+"part")
	if _, err := io.WriteString(term.Out, "\n"); err != nil {
		t.Fatal(err)
	}
	check("its end", "\n"+drawn("same"))
	show := b.hide()
	b.Show(table("differs"))
	check("while somebody is asked", gone)
	show()
	check("then", drawn("differs"))
	height = 3
	b.Show(table("same"))
	check("a low terminal", gone+"SECRET    gpu\na\\x1b[2J  same\n")
	height = 1
	b.Show(table("same"))
	check("no room", "\x1b[2A\r\x1b[J")
	height = 24
	b.Show(table("same"))
	check("room again", drawn("same"))
	b.End()
	b.Show(table("missing"))
	b.begin()
	check("the end", gone)
	if err := term.Print(table("same")); err != nil {
		t.Fatal(err)
	}
	check("and what stays", drawn("same"))
	var none *Board
	none.Show(table("x"))
	none.hide()()
	none.End()
}

func TestBoardsAreForTerminals(t *testing.T) {
	for name, c := range map[string]struct {
		tty  bool
		term string
		want bool
	}{"terminal": {true, "xterm", true}, "pipe": {false, "xterm", false}, "a terminal of text": {true, "dumb", false}} {
		term := New(Streams{Out: io.Discard, OutTTY: c.tty}, func(string) string { return c.term })
		b := term.Board()
		if (b != nil) != c.want {
			t.Errorf("%s: %v", name, b)
		}
		b.End()
	}
}
