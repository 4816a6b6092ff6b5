package manifest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

const commands = `version: 1
secrets: {aws: }
bundles: {b: {secrets: aws}}
mcp:
  commands:
    issues:
      about: Open issues.
      run: [gh, issue, list, "--state={state}", --label, "{label}", "{n}{m}", "{{.Name}}", "{}", "{A}", "{files...}"]
      args: {state: [open, closed], label: "[a-z-]*", n: "[0-9]*", m: ".*", files: "[^/]+"}
      bundles: b
      timeout: 30s
    sort: {run: [sort, "{how}"], args: {how: [-r, -n, ""]}}
    fixed: {run: [/bin/true]}
    script: {run: [python3, -c, "print(1)", "{n}"], args: {n: "[0-9]"}}
    file: {run: [perl, a.pl, -e, "{n}"], args: {n: "[0-9]"}}
`

func parseCommands(t *testing.T) *Manifest {
	t.Helper()
	m, err := Parse("rhx.yaml", []byte(commands), Options{Providers: providers})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCommands(t *testing.T) {
	m := parseCommands(t)
	c := m.Command("issues")
	if c == nil || c.About != "Open issues." || c.Timeout != 30*time.Second || !slices.Equal(c.Bundles, []string{"b"}) || c.Line != 6 || m.Command("x") != nil {
		t.Fatalf("%+v", c)
	}
	good := map[string][]string{"state": {"open"}, "label": {"a-b"}, "n": {"1"}, "m": {"-x"}, "files": {"a", "b c"}}
	with := func(name string, values ...string) map[string][]string {
		out := map[string][]string{}
		for k, v := range good {
			out[k] = v
		}
		out[name] = values
		return out
	}
	for want, values := range map[string]map[string][]string{
		"gh|issue|list|--state=open|--label|a-b|1-x|{{.Name}}|{}|{A}|a|b c":   good,
		"gh|issue|list|--state=open|--label|a-b|1-x|{{.Name}}|{}|{A}":         with("files"),
		"gh|issue|list|--state=open|--label||1-x|{{.Name}}|{}|{A}|a|b c":      with("label", ""),
		"gh|issue|list|--state=open|--label|a-b|1{n}|{{.Name}}|{}|{A}|a|b c":  with("m", "{n}"),
		"gh|issue|list|--state=closed|--label|a-b|1-x|{{.Name}}|{}|{A}|a|b c": with("state", "closed"),
	} {
		argv, err := c.Argv(values)
		if got := strings.Join(argv, "|"); err != nil || got != want {
			t.Errorf("%v: %q, %v", values, got, err)
		}
	}
	for want, values := range map[string]map[string][]string{
		"issues has no argument of that name; it has: state, label, n, m, files":     with("LD_PRELOAD", "x"),
		"state: a value must be one of open, closed":                                 with("state", "all"),
		"state: one value is needed":                                                 with("state", "open", "closed"),
		"n: one value is needed":                                                     with("n"),
		"n: a value must fit [0-9]*":                                                 with("n", "1\u00a0"),
		"label: a value must fit [a-z-]*":                                            with("label", "aB"),
		"label: an argument cannot begin with a dash, which would make it an option": with("label", "-x"),
		"n: an argument cannot begin with a dash, which would make it an option":     with("n", ""),
		"files: a value cannot begin with a dash, which would make it an option":     with("files", "a", "-la"),
		"files: a value must fit [^/]+":                                              with("files", "a", "b/c"),
		"files: more than 100 values":                                                with("files", make([]string, 101)...),
		"m: longer than 4096 bytes":                                                  with("m", strings.Repeat("x", 4097)),
		"m: a value has characters that are no text on one line":                     with("m", "a\nb"),
	} {
		argv, err := c.Argv(values)
		if err == nil || err.Error() != want || fault.KindOf(err) != fault.Usage || argv != nil {
			t.Errorf("%q, %v, not %s", argv, err, want)
		}
	}
	if _, err := c.Argv(with("m", "\xff")); err == nil {
		t.Error("not UTF-8")
	}
	if _, err := c.Argv(with("m", "a\x00")); err == nil {
		t.Error("a NUL")
	}
	// What the manifest lists may be an option.
	for _, how := range []string{"-r", "-n", ""} {
		if argv, err := m.Command("sort").Argv(map[string][]string{"how": {how}}); err != nil || argv[1] != how {
			t.Error(argv, err)
		}
	}
	if argv, err := m.Command("fixed").Argv(nil); err != nil || len(argv) != 1 {
		t.Error(argv, err)
	}
}

// refusedCommands are what a command cannot be, by how it is written, with what is said.
func refusedCommands() map[string]string {
	return map[string]string{
		"A: {run: [x]}":                                          `a command cannot be called "A"`,
		"a b: {run: [x]}":                                        `a command cannot be called "a b"`,
		strings.Repeat("a", 51) + ": {run: [x]}":                 "a command cannot be called",
		"a: {}":                                                  "a command needs run: the program, and each of its arguments",
		"a: {run: []}":                                           "a command needs run: the program, and each of its arguments",
		"a: {run: x}":                                            "run must be a list",
		"a: {run: [[x]]}":                                        "text expected",
		"a: {run: [x], shell: y}":                                `a command has no field "shell"`,
		"a: {run: [x], args: [y]}":                               "args must be a mapping",
		"a: {run: [x], args: {A: y}}":                            `an argument cannot be called "A"`,
		"a: {run: [x, '{y}'], args: {y: []}}":                    "an empty list allows nothing",
		"a: {run: [x, '{y}'], args: {y: {}}}":                    "text expected",
		"a: {run: [x], timeout: 61m}":                            "a command has 1h0m0s at most",
		"a: {run: [x], timeout: -1s}":                            `"-1s" is no time of a second or more`,
		"a: {run: [x], bundles: c}":                              `there is no bundle "c"`,
		"a: {run: [x, '{y}'], args: {y: 'a)|(b'}}":               `"a)|(b" is no regular expression as Go has it`,
		"a: {run: [x, '{y}'], args: {y: '['}}":                   `"[" is no regular expression as Go has it`,
		"a: {run: [x, '{y}']}":                                   "{y} is not among the args",
		"a: {run: [x], args: {y: z}}":                            "run does not have {y}",
		"a: {run: ['{y}'], args: {y: z}}":                        "the program is no argument: an agent cannot choose it",
		"a: {run: [sh, -c, '{y}'], args: {y: z}}":                "sh runs what its arguments say, so an agent cannot choose one",
		"a: {run: [/usr/bin/env, '{y...}'], args: {y: z}}":       "env runs what its arguments say, so an agent cannot choose one",
		"a: {run: [python3.11, '{y}'], args: {y: z}}":            "{y} can be a program that python3.11 would run",
		"a: {run: [/usr/bin/node, --eval, '{y}'], args: {y: z}}": "{y} can be a program that node would run",
		"a: {run: [python3, -W, ignore, '{y}'], args: {y: z}}":   "{y} can be a program that python3 would run",
		"a: {run: [python3, -m, a, '{y}'], args: {y: z}}":        "{y} can be a program that python3 would run",
		"a: {run: [node, -r, ./a.js, '{y}'], args: {y: z}}":      "{y} can be a program that node would run",
		"a: {run: [perl, -e, 'x{y}'], args: {y: z}}":             "{y} can be a program that perl would run",
		"a: {run: [perl, -e, 'x{y}', '{y}'], args: {y: z}}":      "{y} can be a program that perl would run",
		"a: {run: [perl, '', '{y}'], args: {y: z}}":              "{y} can be a program that perl would run",
		"a: {run: [lua, -e, 'x', '{y}'], args: {y: z}}":          "{y} can be a program that lua would run",
		"a: {run: [sed, '{y}', f], args: {y: z}}":                "sed runs what its arguments say, so an agent cannot choose one",
		"a: {run: [/usr/bin/SED, '{y}', f], args: {y: z}}":       "SED runs what its arguments say, so an agent cannot choose one",
		"a: {run: [bash5.2, '{y}'], args: {y: z}}":               "bash5.2 runs what its arguments say, so an agent cannot choose one",
		"a: {run: [sqlite3, a.db, '{y}'], args: {y: z}}":         "sqlite3 runs what its arguments say, so an agent cannot choose one",
		"a: {run: [make, '{y}'], args: {y: z}}":                  "make runs what its arguments say, so an agent cannot choose one",
		"a: {run: [deno, run, '{y}'], args: {y: z}}":             "deno runs what its arguments say, so an agent cannot choose one",
		"a: {run: [x, '-{y...}'], args: {y: z}}":                 "{y...} must be a whole argument, and the only one of its name",
		"a: {run: [x, '{y}', '{y...}'], args: {y: z}}":           "{y...} must be a whole argument, and the only one of its name",
		"a: {run: [x, '{y...}', '{y}'], args: {y: z}}":           "{y} and {y...} cannot both be there",
		"a: {run: [rhx, get, aws]}":                              "an agent cannot run rhx, which shows values",
		"a: {run: [/usr/bin/rhx-full]}":                          "an agent cannot run rhx, which shows values",
		"a: {run: [bin/x]}":                                      "the program is a name that PATH has, or an absolute path",
		"a: {run: ['']}":                                         "the program is a name that PATH has, or an absolute path",
		"a: {run: [x]}\n    a: {run: [x]}":                       `"a" is set twice`,
	}
}

func TestRefusedCommands(t *testing.T) {
	for text, want := range refusedCommands() {
		m, err := Parse("rhx.yaml", []byte("version: 1\nbundles: {b: {}}\nmcp:\n  commands:\n    "+text+"\n"), Options{Providers: providers})
		if m != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", text, err, want)
		}
	}
	for text, want := range map[string]string{"mcp: []": "mcp must be a mapping", "mcp: {commands: []}": "commands must be a mapping", "mcp: {comands: {}}": `mcp has no field "comands"`, "profiles: {p: {mcp: {}}}": `a profile has no field "mcp"`} {
		if _, err := Parse("rhx.yaml", []byte("version: 1\n"+text+"\n"), Options{Providers: providers}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", text, err, want)
		}
	}
}

// Whatever an agent chooses, it is in its place: the program and the fixed arguments stay,
// and nothing that the manifest does not list becomes an option.
func FuzzArgv(f *testing.F) {
	f.Add("open", "a", "1", "x", "f")
	f.Add("open", "-a", "", "-x", "-f")
	f.Add("closed", "{n}", "{m}", "{n}", "\x00")
	m, err := Parse("rhx.yaml", []byte(commands), Options{Providers: providers})
	if err != nil {
		f.Fatal(err)
	}
	c := m.Command("issues")
	f.Fuzz(func(t *testing.T, state, label, n, mm, file string) {
		argv, err := c.Argv(map[string][]string{"state": {state}, "label": {label}, "n": {n}, "m": {mm}, "files": {file}})
		if err != nil {
			return
		}
		want := []string{"gh", "issue", "list", "--state=" + state, "--label", label, n + mm, "{{.Name}}", "{}", "{A}", file}
		if !slices.Equal(argv, want) {
			t.Errorf("%q", argv)
		}
		for _, i := range []int{5, 6, 10} {
			if strings.HasPrefix(argv[i], "-") {
				t.Errorf("%q is an option", argv[i])
			}
		}
	})
}
