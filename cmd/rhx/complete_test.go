package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
)

func testCompleter(t *testing.T) completer {
	t.Helper()
	parser, err := newApp().parser(context.Background(), commands())
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name, mode := range map[string]os.FileMode{"mytool": 0o755, "mytool-notes": 0o644, "other": 0o755} {
		if err := os.WriteFile(filepath.Join(bin, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	set := func(names ...string) func(parted) []string {
		return func(parted) []string { return slices.Clone(names) }
	}
	return completer{
		root: parser.Model.Node, path: bin + string(os.PathListSeparator) + filepath.Join(bin, "away"),
		known: map[string]func(parted) []string{
			"stored": set("openai", "db", "db", "db/prod", "-n", "a;b", "a b", "$(id)", "a\u202eb"), "bundle": set("train", "deploy"), "host": set("gpu1", "gpu2"),
			"format": set("shell", "dotenv"), "provider": set("aws"), "savable": set("aws", "db"),
			"key": func(p parted) []string { return []string{firstOf(p.rest) + "-key"} }, "version": func(p parted) []string { return []string{firstOf(p.rest) + "1"} },
			"deleted": set("gone"), "method": set("oidc", "ldap"),
		},
	}
}

// What Tab offers behind a line; "|" is where the word that it completes begins.
func TestNext(t *testing.T) {
	c := testCompleter(t)
	for _, test := range []struct{ line, want string }{
		{"|de", "delete detect"},
		{"|x", ""},
		{"provider |", "add build describe list new remove test verify"},
		{"provider x |", ""},
		{"store |", "export import join key members rekey share unshare verify"},
		{"store export |", ""}, // a file
		{"store import |", ""},
		{"store export b --to |", ""},
		{"store import |--id", "--identity"},
		{"get |", "$(id) a b a;b db db/prod openai"}, // each once, none that cannot be seen or is read as a flag
		{"get |db", "db db/prod"},
		{"get db |", "db-key"},
		{"get db --version |", "db1"},
		{"rollback db --to |", "db1"},
		{"undelete |", "gone"},
		{"login --method |", "ldap oidc"},
		{"load db |d", "db/prod"}, // what is there already is not offered again
		{"load --overwrite |o", "openai"},
		{"history db |", ""},
		{"version |", ""},
		// Values of flags, in each way to give one.
		{"run -s |o", "openai"},
		{"run -ms |o", "openai"},
		{"run --secret |o", "openai"},
		{"run --secret=|", "--secret=$(id) --secret=a b --secret=a;b --secret=db --secret=db/prod --secret=openai"},
		{"env --format |s", "shell"},
		{"env --format=s|", ""},
		{"run -b |", "deploy train"},
		{"--on |g", "gpu1 gpu2"},
		{"sync gpu1 |g", "gpu2"},
		{"list --output |", "json table yaml"},
		{"list -o |j", "json"},
		{"list --output=|", "--output=json --output=table --output=yaml"},
		{"save --values |", ""}, // a file
		{"list --color |", "always auto never"},
		{"completion |", "bash fish powershell zsh"},
		{"schema |s", "spec"},
		// Flags.
		{"load |--ov", "--overwrite"},
		{"load --overwrite |--st", "--store"},
		{"log |--st", ""}, // it has no use for it
		{"|--ve", "--verbose"},
		{"get -- |--ov", ""},
		// The command of run, and what is its own.
		{"run -s db |myt", "mytool"},
		{"run -s db -- |myt", "mytool"},
		{"run -s db -- |", ""},
		{"run -s db mytool |", ""},
		{"run mytool |--mas", ""},
		{"run -s -b |", ""}, // -b is the secret,
		{"run |--mas", "--mask"},
		{"run -- |--ma", ""},
		{"run |./my", ""},
	} {
		before, cur, _ := strings.Cut(test.line, "|")
		words := strings.Fields(before)
		if strings.HasSuffix(before, "=") {
			words, cur = words[:len(words)-1], words[len(words)-1]
		}
		if strings.HasSuffix(test.line, "=s|") {
			words, cur = words[:len(words)-1], "--format=d"
			test.want = "--format=dotenv"
		}
		if got := strings.Join(c.next(words, cur), " "); got != test.want {
			t.Errorf("rhx %s: %q, want %q", test.line, got, test.want)
		}
	}
}

// Every argument and flag that names a predictor names one that there is.
func TestPredictors(t *testing.T) {
	a := newApp()
	parser, err := a.parser(context.Background(), commands())
	if err != nil {
		t.Fatal(err)
	}
	known := a.known("")
	for _, leaf := range parser.Model.Leaves(false) {
		values := leaf.Positional
		for _, f := range flagsOf(leaf) {
			values = append(values, f.Value)
		}
		for _, v := range values {
			if name := v.Tag.Get("predictor"); name != "" && known[name] == nil {
				t.Errorf("%s: %s has the predictor %q, which there is not", leaf.FullPath(), v.Name, name)
			}
		}
	}
}

func TestSplitLine(t *testing.T) {
	for line, want := range map[string][]string{
		"":                     {""},
		"rhx":                  {"rhx"},
		"rhx ":                 {"rhx", ""},
		"rhx  get\tdb ":        {"rhx", "get", "db", ""},
		`rhx get my\ db x`:     {"rhx", "get", "my db", "x"},
		`rhx --on 'a b`:        {"rhx", "--on", "a b"},
		`rhx "a\"b" 'c\d'"e"`:  {"rhx", `a"b`, `c\de`},
		`rhx '' x`:             {"rhx", "", "x"},
		`rhx a\`:               {"rhx", "a"},
		`rhx 'it'\''s é' ü\ x`: {"rhx", "it's é", "ü x"},
	} {
		if got, _ := splitLine(line, ""); !slices.Equal(got, want) {
			t.Errorf("splitLine(%q) = %q, want %q", line, got, want)
		}
	}
	if got, _ := splitLine(`rhx 'a\'b\\c\d' "x\"\y" z\ `, "fish"); !slices.Equal(got, []string{"rhx", `a'b\c\d`, `x"\y`, "z "}) {
		t.Errorf("fish: %q", got)
	}
	for line, want := range map[string]lastWord{
		`rhx get a\ b`:  {text: "a b", raw: `a\ b`},
		`rhx get 'a b`:  {text: "a b", raw: `'a b`, quote: '\''},
		`rhx get x"é`:   {text: "xé", raw: `x"é`, quote: '"'},
		`rhx get --s=x`: {text: "--s=x", raw: `--s=x`},
		`rhx get `:      {},
	} {
		if _, got := splitLine(line, ""); got != want {
			t.Errorf("splitLine(%q) ends in %+v, want %+v", line, got, want)
		}
	}
}

// What bash is told to insert, where it takes a part of the word for the word.
func TestInBash(t *testing.T) {
	for _, test := range []struct{ raw, word, name, want string }{
		{"", "", `a b;'"$(id)!é`, `a\ b\;\'\"\$\(id\)\!é`},
		{"a", "a", "a~*%+,@x", `a\~\*%+,@x`},
		{"x:y", "y", "x:y z", `y\ z`},
		{"x:", "", "x:y", "y"},
		{"--secret=a", "a", "--secret=a b", `a\ b`},
		{`a\ b:c`, "c", "a b:cd", "cd"},
		{`a\ b:c`, "c", "other", "-"},
		{"'a", "a", "a'b c", `a'\''b c`},
		{`"a`, "a", "a\"b$c`d\\ e", "a\\\"b\\$c\\`d\\\\ e"},
		{`"a`, "a", "a!b", "-"},
		{`x"a`, "a", "xab", "-"},
		{`'a'\''b`, "b", "a'bc", "-"},
	} {
		_, last := splitLine("rhx get "+test.raw, "bash")
		got, ok := last.inBash(test.name, test.word)
		if !ok {
			got = "-"
		}
		if got != test.want {
			t.Errorf("%s, %s: %s, want %s", test.raw, test.name, got, test.want)
		}
	}
}

func TestInPowerShell(t *testing.T) {
	if got := inPowerShell("C:\\it's \u2018a\u2019\u201b\\rhx.exe"); got != "'C:\\it''s \u2018\u2018a\u2019\u2019\u201b\u201b\\rhx.exe'" {
		t.Error(got)
	}
}

// A flag of the line that says which store is used.
func TestGiven(t *testing.T) {
	for _, test := range []struct {
		flags []string
		want  string
	}{
		{[]string{"-y", "--store", "local"}, "local"},
		{[]string{"--store=vault://kv", "-y"}, "vault://kv"},
		{[]string{"--store"}, ""},
		{[]string{"--stores", "x"}, ""},
		{nil, ""},
	} {
		if got := append(given(test.flags, "--store"), "")[0]; got != test.want {
			t.Errorf("given(%q) = %q, want %q", test.flags, got, test.want)
		}
	}
}

// A flag without its value does not take an argument for it, and what is empty is not
// taken for what was not given.
func TestIncompleteArguments(t *testing.T) {
	parser, err := newApp().parser(context.Background(), commands())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"delete", "aa", "bb", "--yes", "--reason"}, "--reason needs a value"},
		{[]string{"sync", "h1", "h2", "-s"}, "-s needs a value"},
		{[]string{"sync", "h1", "-ns"}, "-ns needs a value"},
		{[]string{"run", "-s", "aa", "--on", "", "--", "cmd"}, "--on is empty"},
		{[]string{"list", "--store="}, "--store is empty"},
		{[]string{"run", "-s", "", "cmd"}, "-s is empty"},
		{[]string{"log", ""}, "an argument is empty"},
		{[]string{"load", "--", ""}, "an argument is empty"},
		{[]string{"run", "-s", "aa", "--", "cmd", "", "--x="}, ""}, // the command's own
		{[]string{"delete", "aa", "--reason", "why"}, ""},
		{[]string{"save", "db", "url=", "k=-"}, ""}, // a value, which save looks at
	} {
		got := ""
		if err := part(parser.Model.Node, test.args).incomplete(); err != nil {
			got = err.Error()
			if fault.KindOf(err) != fault.Usage {
				t.Errorf("%q: it is no error of usage", test.args)
			}
		}
		if got != test.want {
			t.Errorf("%q: %q, want %q", test.args, got, test.want)
		}
	}
}
