package bundle_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/secret"
)

// texts are values that some consumer gives a meaning. None has a NUL.
var texts = []string{
	"", "plain", "it's", `"double"`, "`id`", "$HOME ${HOME} $(id) $$", `back\slash`, `\n`, `\`, `a\'`, "'", "''", `'\''`, "two\nlines", "ends\n", "\n", "\n\nx",
	" blanks ", "\ttab\t", "# no comment", "a # b", "a;b", "a=b", "=", "!hist", "~", "*?[a]", "{a,b}", "&&", "|", "%d %s", "a: b", "- a", "null", "true", "0x10", "1.50",
	"ü€😀", "\u2028", "-----BEGIN X-----\nabc=\n-----END X-----\n", "rhx_EOF", strings.Repeat("x", 5000), "cr\rlf\r\nend", "\x1b[31m", "\x7f", "\xff\xfe", "\ufeffbom", "<<EOF", "%(x)s", "@x", `\"$`, "\u00a0nbsp",
	"$2a$10$fakefakefake", `'single' "double"`, "trailing blanks  ", "pass#word", "a\\nb", "naïve – „quoted“",
}

func vars(values ...string) []bundle.Var {
	out := make([]bundle.Var, len(values))
	for i, v := range values {
		out[i] = bundle.Var{Name: fmt.Sprintf("V%d", i), Value: secret.NewValue(v), Secret: "s"}
	}
	return out
}

func format(t testing.TB, name string, v []bundle.Var) []byte {
	t.Helper()
	data, err := bundle.Format(name, v)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return data
}

// holds are the texts that a format takes; each of the others must be an error
// that names the variable and not the value.
func holds(t *testing.T, name string) []string {
	t.Helper()
	var out []string
	for _, text := range texts {
		_, err := bundle.Format(name, vars(text))
		switch {
		case err == nil:
			out = append(out, text)
		case !strings.HasPrefix(err.Error(), "V0 ") || len(text) > 8 && strings.Contains(err.Error(), text):
			t.Errorf("%s, %q: %v", name, text, err)
		}
	}
	return out
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, not %d", what, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: %q was read as %q", what, want[i], got[i])
		}
	}
}

// printAll is a script that prints every variable with a NUL behind it, through
// the environment of a child, as programs get it.
func printAll(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "printenv -0 V%d\n", i)
	}
	return b.String()
}

func split(out []byte) []string {
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func run(t testing.TB, argv ...string) []byte {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v %s", argv[0], err, stderr.Bytes())
	}
	return out
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Every text but NUL goes through every shell, sourced and by eval.
func TestShells(t *testing.T) {
	want := holds(t, "shell")
	if len(want) != len(texts) {
		t.Errorf("shell refuses %d texts", len(texts)-len(want))
	}
	file := write(t, "env", format(t, "shell", vars(want...)))
	for _, argv := range [][]string{{"sh"}, {"dash"}, {"bash"}, {"bash", "--posix"}, {"busybox", "sh"}, {"mksh"}, {"ksh93"}} {
		t.Run(strings.Join(argv, " "), func(t *testing.T) {
			out := run(t, append(argv, "-euc", ". "+file+"\n"+printAll(len(want)))...)
			compare(t, "sourced", split(out), want)
			out = run(t, append(argv, "-c", "eval \"$(cat "+file+")\"\n"+printAll(len(want)))...)
			compare(t, "eval", split(out), want)
		})
	}
	t.Run("fish", func(t *testing.T) {
		want := holds(t, "fish")
		file := write(t, "env.fish", format(t, "fish", vars(want...)))
		compare(t, "sourced", split(run(t, "fish", "--no-config", "-c", "source "+file+"\n"+printAll(len(want)))), want)
	})
}

// What must not stay beside the variables is unset.
func TestShellClears(t *testing.T) {
	v := vars("x")
	v[0].Clears = []string{"OLD", "NOT_SET"}
	for _, sh := range []string{"sh", "bash", "fish"} {
		name := "shell"
		set := "OLD=1; export OLD; set -eu\n"
		if sh == "fish" {
			name, set = "fish", "set -gx OLD 1\n"
		}
		file := write(t, "env", format(t, name, v))
		if out := run(t, sh, "-c", set+". "+file+"\nenv"); bytes.Contains(out, []byte("OLD=")) || !bytes.Contains(out, []byte("V0=x\n")) {
			t.Errorf("%s: %s", sh, out)
		}
	}
	if data := format(t, "dotenv", v); bytes.Contains(data, []byte("OLD")) {
		t.Errorf("%s", data)
	}
}

func TestJSON(t *testing.T) {
	want := holds(t, "json")
	data := format(t, "json", vars(want...))
	var got map[string]string
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	compare(t, "Go", inOrder(got), want)
	file := write(t, "v.json", data)
	out := run(t, "python3", "-c", "import json, sys\nd = json.load(open(sys.argv[1], encoding='utf-8'))\nsys.stdout.buffer.write(b''.join(d['V%d' % i].encode() + b'\\0' for i in range(len(d))))", file)
	compare(t, "Python", split(out), want)
	if string(format(t, "json", nil)) != "{}\n" {
		t.Error("no variables are no object")
	}
}

func inOrder(m map[string]string) []string {
	out := make([]string, len(m))
	for i := range out {
		out[i] = m[fmt.Sprintf("V%d", i)]
	}
	return out
}

func TestYAML(t *testing.T) {
	want := holds(t, "yaml")
	var got map[string]any
	if err := yaml.Unmarshal(format(t, "yaml", vars(want...)), &got); err != nil {
		t.Fatal(err)
	}
	for i, text := range want {
		if got[fmt.Sprintf("V%d", i)] != text {
			t.Errorf("%q was read as %#v", text, got[fmt.Sprintf("V%d", i)])
		}
	}
}

// The format of the codec, which proves it against its readers; and a POSIX shell.
func TestDotenv(t *testing.T) {
	want := holds(t, "dotenv")
	data := format(t, "dotenv", vars(want...))
	f, err := codec.New("dotenv", codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	root, err := f.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range want {
		if n := root.Get(fmt.Sprintf("V%d", i)); n == nil || n.Text != text {
			t.Errorf("%q was read as %v", text, n)
		}
	}
	if len(want) < len(texts)*2/3 {
		t.Errorf("only %d of %d texts can be written", len(want), len(texts))
	}
}

// The libraries that Node.js and Python read .env files with take every value as it
// is, also where python-dotenv expands ${NAME}, as it does by itself.
func TestDotenvLibraries(t *testing.T) {
	dir, err := exec.Command("sh", "../../.ci/tools/dotenv.sh", "--path").Output()
	if err != nil {
		t.Fatal(err)
	}
	lib := strings.TrimSpace(string(dir))
	if _, err := os.Stat(filepath.Join(lib, "done")); err != nil {
		t.Fatalf("%v: run make test-deps", err)
	}
	want := holds(t, "dotenv")
	file := write(t, ".env", format(t, "dotenv", vars(want...)))
	for _, reader := range [][]string{
		{"node", "-e", `const [lib, file] = process.argv.slice(1); const d = require(lib + "/node_modules/dotenv").parse(require("fs").readFileSync(file)); process.stdout.write(JSON.stringify(d))`},
		{"python3", "-c", "import json, sys\nsys.path.insert(0, sys.argv[1] + '/python')\nfrom dotenv import dotenv_values\nprint(json.dumps(dotenv_values(sys.argv[2], interpolate=False)))"},
		{"python3", "-c", "import json, sys\nsys.path.insert(0, sys.argv[1] + '/python')\nfrom dotenv import dotenv_values\nprint(json.dumps(dotenv_values(sys.argv[2])))"},
	} {
		var got map[string]string
		if err := json.Unmarshal(run(t, append(reader, lib, file)...), &got); err != nil {
			t.Fatal(err)
		}
		compare(t, reader[0], inOrder(got), want)
	}
}

func TestKubernetes(t *testing.T) {
	want := holds(t, "k8s")
	if len(want) != len(texts) {
		t.Errorf("k8s refuses %d texts", len(texts)-len(want))
	}
	file := write(t, "secret.yaml", format(t, "k8s", vars(want...)))
	server := "--server=" + apiServer(t)
	out := run(t, "kubectl", "create", server, "--dry-run=client", "--validate=false", "-f", file, "-o", "json")
	var s struct {
		Kind string
		Data map[string]string
	}
	if err := json.Unmarshal(out, &s); err != nil || s.Kind != "Secret" {
		t.Fatal(err, s.Kind)
	}
	got := inOrder(s.Data)
	for i := range got {
		b, err := base64.StdEncoding.DecodeString(got[i])
		if err != nil {
			t.Fatal(err)
		}
		got[i] = string(b)
	}
	compare(t, "kubectl", got, want)
	run(t, "kubectl", "create", server, "--dry-run=client", "--validate=false", "-f", write(t, "none.yaml", format(t, "k8s", nil)), "-o", "name")
}

// apiServer says that there are Secrets, which kubectl asks a server also where it
// sends it nothing.
func apiServer(t *testing.T) string {
	t.Helper()
	answers := map[string]string{
		"/api":    `{"kind": "APIVersions", "versions": ["v1"]}`,
		"/apis":   `{"kind": "APIGroupList", "apiVersion": "v1", "groups": []}`,
		"/api/v1": `{"kind": "APIResourceList", "groupVersion": "v1", "resources": [{"name": "secrets", "namespaced": true, "kind": "Secret", "verbs": ["create"]}]}`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.Path]
		if !ok || r.Method != http.MethodGet {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// docker run --env-file, after github.com/docker/cli/pkg/kvfile and
// opts.ValidateEnv: a BOM is skipped, blanks before a name, the rest of the
// line is the value.
func TestDocker(t *testing.T) {
	want := holds(t, "docker")
	var got []string
	scanner := bufio.NewScanner(bytes.NewReader(format(t, "docker", vars(want...))))
	for scanner.Scan() {
		if !utf8.Valid(scanner.Bytes()) {
			t.Fatal("not UTF-8")
		}
		line := strings.TrimLeft(scanner.Text(), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.ContainsAny(name, " \t") {
			t.Fatalf("line %q", line)
		}
		got = append(got, value)
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	compare(t, "docker", got, want)
	for _, long := range []int{64 << 10, 63<<10 + 1} {
		if _, err := bundle.Format("docker", vars(strings.Repeat("x", long))); err == nil || err.Error() != "V0 is longer than the 64 KiB that docker reads of a line" {
			t.Errorf("%d: %v", long, err)
		}
	}
}

// GITHUB_ENV, after FileCommandManager.cs of github.com/actions/runner: NAME<<
// and a delimiter, then lines up to one that is the delimiter.
func TestGitHub(t *testing.T) {
	want := holds(t, "github")
	rest := string(format(t, "github", vars(want...)))
	var got []string
	for rest != "" {
		head, after, _ := strings.Cut(rest, "\n")
		name, delimiter, ok := strings.Cut(head, "<<")
		if !ok || name != fmt.Sprintf("V%d", len(got)) || delimiter == "" {
			t.Fatalf("line %q", head)
		}
		var lines []string
		for {
			line, more, ok := strings.Cut(after, "\n")
			if !ok {
				t.Fatal("the delimiter is missing")
			}
			if after = more; line == delimiter {
				break
			}
			lines = append(lines, line)
		}
		got, rest = append(got, strings.Join(lines, "\n")), after
	}
	compare(t, "runner", got, want)
	// The delimiter is another one each time, so that no value can end it.
	if a, b := format(t, "github", vars("x")), format(t, "github", vars("x")); bytes.Equal(a, b) {
		t.Error("the delimiter can be foreseen")
	}
}

// EnvironmentFile=, after parse_env_file_internal in src/basic/env-file.c and
// env_value_is_valid in src/basic/env-util.c of systemd.
func TestSystemd(t *testing.T) {
	want := holds(t, "systemd")
	data := string(format(t, "systemd", vars(want...)))
	var got []string
	for data != "" {
		name, rest, ok := strings.Cut(data, "=")
		if !ok || name != fmt.Sprintf("V%d", len(got)) || !strings.HasPrefix(rest, `"`) {
			t.Fatalf("at %.20q", data)
		}
		var value strings.Builder
		i := 1
		for ; rest[i] != '"'; i++ { // DOUBLE_QUOTE_VALUE
			if rest[i] != '\\' {
				value.WriteByte(rest[i])
				continue
			}
			switch i++; { // DOUBLE_QUOTE_VALUE_ESCAPE
			case strings.IndexByte("\"\\`$", rest[i]) >= 0:
				value.WriteByte(rest[i])
			case rest[i] != '\n':
				value.WriteByte('\\')
				value.WriteByte(rest[i])
			}
		}
		if rest[i+1] != '\n' {
			t.Fatal("more behind the quote")
		}
		v := value.String()
		if !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' || r == 0x7f }) {
			t.Errorf("systemd leaves out %q", v)
		}
		got, data = append(got, v), rest[i+2:]
	}
	compare(t, "systemd", got, want)
}

// What each format refuses, and why.
func TestFormatRefuses(t *testing.T) {
	for _, c := range []struct{ format, value, want string }{
		{"docker", "a\nb", "V0 has a line break, which a docker env file cannot hold"},
		{"docker", "a\rb", "V0 has a line break, which a docker env file cannot hold"},
		{"docker", "\xff", "V0 is not UTF-8, which docker cannot hold"},
		{"json", "\xff", "V0 is not UTF-8, which json cannot hold"},
		{"yaml", "\xff", "V0 is not UTF-8, which yaml cannot hold"},
		{"github", "\xff", "V0 is not UTF-8, which github cannot hold"},
		{"systemd", "\xff", "V0 is not UTF-8, which systemd cannot hold"},
		{"systemd", "a\rb", "V0 has a control character, which systemd does not take"},
		{"systemd", "\x1b[", "V0 has a control character, which systemd does not take"},
		{"nope", "x", `unknown format "nope"`},
		{"", "x", `unknown format ""`},
	} {
		if data, err := bundle.Format(c.format, vars(c.value)); err == nil || err.Error() != c.want || data != nil {
			t.Errorf("%s %q: %v", c.format, c.value, err)
		}
	}
	for _, name := range bundle.Formats() {
		if data, err := bundle.Format(name, nil); err != nil {
			t.Errorf("%s of nothing: %q %v", name, data, err)
		}
	}
}

func TestParseShell(t *testing.T) {
	head, got, ok := bundle.ParseShell([]byte("# a\n\n# b\nexport V0='x'\nexport V1=''\\'''\n"))
	if !ok || string(head) != "# a\n\n# b\n" || len(got) != 2 || got[1].Value.Reveal() != "'" {
		t.Errorf("%q %v %v", head, got, ok)
	}
	for _, data := range []string{"x", "A='b'\n", "export A='b'", "export A=\"b\"\n", "export A='b' # c\n", "export A='b'\n\n", "export A='b'\n# c\n", "export  A='b'\n", "export A-B='c'\n", "export ='c'\n", "export A='b'; rm\n", "export A='b'\r\n", "# open", "unset A\n"} {
		if _, vars, ok := bundle.ParseShell([]byte(data)); ok || vars != nil {
			t.Errorf("%q is taken", data)
		}
	}
}

// Any text without NUL: what Format writes, ParseShell and a real shell read
// back alike; what ParseShell takes, Format writes the same.
func FuzzShell(f *testing.F) {
	for _, text := range texts {
		f.Add(text, []byte("export A='"+text+"'\n"))
	}
	f.Add("x", []byte("# c\nexport A='b'\\''c'\nexport B=''\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string, file []byte) {
		if head, got, ok := bundle.ParseShell(file); ok {
			if again := format(t, "shell", got); !bytes.Equal(append(bytes.Clone(head), again...), file) {
				t.Fatalf("%q is written as %q", file, again)
			}
		}
		if strings.ContainsRune(text, 0) {
			return
		}
		want := vars(text, "end")
		data := format(t, "shell", want)
		_, got, ok := bundle.ParseShell(data)
		if !ok || len(got) != 2 || got[0].Value != want[0].Value || got[1].Value != want[1].Value {
			t.Fatalf("%q is read as %v, %v", data, got, ok)
		}
		script := filepath.Join(dir, fmt.Sprintf("env%d", os.Getpid()))
		if err := os.WriteFile(script, data, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("sh", "-euc", ". "+script+"; printenv -0 V0; printenv -0 V1").Output()
		if err != nil || string(out) != text+"\x00end\x00" {
			t.Fatalf("sh reads %q as %q, %v", text, out, err)
		}
	})
}
