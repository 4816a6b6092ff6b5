package term

import (
	"strings"
	"testing"
)

func printed(t *testing.T, tb Table, width int, paint string) string {
	t.Helper()
	var b strings.Builder
	term := New(Streams{Out: &b}, func(string) string { return "" })
	term.Paint = paint
	if err := term.print(tb, width); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTable(t *testing.T) {
	tb := Table{Header: []string{"NAME", "FOUND IN", "VALUES"}, Rows: [][]string{
		{"aws/prod", "~/.aws/credentials, $AWS_PROFILE", "access_key=AKIAFAKE  secret_key=********"},
		{"日本", "", "x\ny\x1b[2J"},
		{"short"},
	}}
	for width, want := range map[int]string{
		0: `NAME      FOUND IN                          VALUES
aws/prod  ~/.aws/credentials, $AWS_PROFILE  access_key=AKIAFAKE  secret_key=********
日本                                        x\ny\x1b[2J
short
`,
		60: `NAME      FOUND IN                  VALUES
aws/prod  ~/.aws/credentials,       access_key=AKIAFAKE
          $AWS_PROFILE              secret_key=********
日本                                x\ny\x1b[2J
short
`,
		24: `NAME      FOUND IN
aws/prod  ~/.aws/credent
          ials,
          $AWS_PROFILE
日本
short

NAME      VALUES
aws/prod  access_key=AKI
          AFAKE
          secret_key=***
          *****
日本      x\ny\x1b[2J
short
`,
	} {
		if got := printed(t, tb, width, "never"); got != want {
			t.Errorf("%d columns:\n%s\nnot\n%s", width, got, want)
		}
	}
}

// Hosts that have no room beside the others follow below, each with the secrets.
func TestWideTableIsParted(t *testing.T) {
	tb := Table{Header: []string{"SECRET"}, Rows: [][]string{{"aws"}, {"openai"}}, States: 1}
	for _, host := range []string{"store", "local", "gpu-01.example.com", "gpu-02.example.com", "gpu-03.example.com", "gpu-04.example.com"} {
		tb.Header = append(tb.Header, host)
		tb.Rows[0] = append(tb.Rows[0], "same")
		tb.Rows[1] = append(tb.Rows[1], "missing")
	}
	want := `SECRET  store    local    gpu-01.exa  gpu-02.exa  gpu-03.exa
                          mple.com    mple.com    mple.com
aws     same     same     same        same        same
openai  missing  missing  missing     missing     missing

SECRET  gpu-04.example.com
aws     same
openai  missing
`
	if got := printed(t, tb, 60, "never"); got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
}

func TestTableFits(t *testing.T) {
	for width := 20; width < 100; width++ {
		tb := Table{Header: []string{"TIME", "USER", "COMMAND", "SECRET", "PLACE", "KEYS"}}
		for range 3 {
			tb.Rows = append(tb.Rows, []string{"2026-11-29 01:49:56", "日本語の名前", "delete --contents", strings.Repeat("n", 50), "~/.config/a b/é/x", "one, two, three"})
		}
		for line := range strings.SplitSeq(printed(t, tb, width, "never"), "\n") {
			if columns(line) > width {
				t.Fatalf("%d columns: %q has %d", width, line, columns(line))
			}
		}
	}
}

func TestStatesHaveTheirColours(t *testing.T) {
	tb := Table{Header: []string{"SECRET", "store", "gpu"}, States: 1, Rows: [][]string{
		{"same", "same", "differs"}, {"missing", "missing", "unreachable"}, {"x", "-", "differs: key"}, {"y", "sameness", "new"},
	}}
	want := "\x1b[1mSECRET\x1b[0m   \x1b[1mstore\x1b[0m     \x1b[1mgpu\x1b[0m\n" +
		"same     \x1b[32msame\x1b[0m      \x1b[33mdiffers\x1b[0m\n" +
		"missing  \x1b[31mmissing\x1b[0m   \x1b[1;31munreachable\x1b[0m\n" +
		"x        -         \x1b[33mdiffers: key\x1b[0m\n" +
		"y        sameness  new\n"
	if got := printed(t, tb, 0, "always"); got != want {
		t.Errorf("%q\nnot\n%q", got, want)
	}
	if got := printed(t, tb, 0, ""); strings.Contains(got, "\x1b") {
		t.Errorf("colour without a terminal: %q", got)
	}
}

func TestColour(t *testing.T) {
	for name, c := range map[string]struct {
		paint, noColor, term string
		tty, want            bool
	}{
		"terminal":           {tty: true, term: "xterm", want: true},
		"pipe":               {term: "xterm"},
		"always, to a pipe":  {paint: "always", want: true},
		"always, NO_COLOR":   {paint: "always", noColor: "1", want: true},
		"never":              {paint: "never", tty: true, term: "xterm"},
		"NO_COLOR":           {tty: true, term: "xterm", noColor: "1"},
		"auto, by name":      {paint: "auto", tty: true, term: "xterm", want: true},
		"a terminal of text": {tty: true, term: "dumb"},
	} {
		env := map[string]string{"NO_COLOR": c.noColor, "TERM": c.term}
		term := New(Streams{ErrTTY: c.tty}, func(name string) string { return env[name] })
		term.Paint = c.paint
		if got := term.colored(c.tty); got != c.want {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

// What comes from outside is never in the colour code, and every line has its label.
func TestMessages(t *testing.T) {
	var out, err strings.Builder
	term := New(Streams{Out: &out, Err: &err}, func(string) string { return "" })
	term.Paint = "always"
	term.Fail("a\x1b[2J\nrhx: warning: forged", "try \u202e\nthis")
	term.Warn("b\x07")
	if want := "\x1b[31mrhx:\x1b[0m a\\x1b[2J\n\x1b[31mrhx:\x1b[0m rhx: warning: forged\n  try \\u202e\n  this\n\x1b[33mrhx: warning:\x1b[0m b\\x07\n"; err.String() != want {
		t.Errorf("%q\nnot\n%q", &err, want)
	}
	if n, e := term.Out.Write([]byte("x\x1by\n")); n != 4 || e != nil {
		t.Errorf("Write: %d, %v", n, e)
	}
	_, _ = term.Data().Write([]byte("\x1b"))
	if want := "x\\x1by\n\x1b"; out.String() != want {
		t.Errorf("%q, not %q", &out, want)
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("a b  c", 3)
	f.Add("日本語 x", 2)
	f.Fuzz(func(t *testing.T, s string, width int) {
		s = Line(s)
		if width < 2 || width > 200 {
			return
		}
		all := ""
		for _, line := range Wrap(s, width) {
			if columns(line) > width {
				t.Errorf("%q: %q is longer than %d", s, line, width)
			}
			all += line
		}
		squeeze := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if squeeze(all) != squeeze(s) {
			t.Errorf("%q became %q", s, all)
		}
	})
}
