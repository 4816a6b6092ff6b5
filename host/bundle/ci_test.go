package bundle_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/secret"
)

func hidden(values ...string) []secret.Value {
	out := make([]secret.Value, len(values))
	for i, v := range values {
		out[i] = secret.NewValue(v)
	}
	return out
}

func masked(t *testing.T, format string, v []bundle.Var, hide ...string) (log, text string) {
	t.Helper()
	l, b, err := bundle.FormatMasked(format, v, hidden(hide...))
	if err != nil {
		t.Fatal(err)
	}
	return string(l), string(b)
}

// What the runner is told to hide, after ActionCommand.cs of github.com/actions/runner:
// of data it takes back %0D, %0A and, last, %25.
func TestGitHubMasks(t *testing.T) {
	pem := "-----BEGIN X-----\nabcd=\nef\n100%0A%25 ::stop-commands::x\n-----END X-----\n"
	log, text := masked(t, "github", vars("shown", pem, "no%0Asecret"), pem, " blank\rs ", "abc", "abcd=", "no%0Asecret")
	var got []string
	for line := range strings.Lines(log) {
		data, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "::add-mask::")
		if !ok {
			t.Fatalf("%q is no command", line)
		}
		got = append(got, strings.NewReplacer("%0D", "\r", "%0A", "\n").Replace(data))
		got[len(got)-1] = strings.ReplaceAll(got[len(got)-1], "%25", "%")
	}
	if want := []string{"abcd=", "100%0A%25 ::stop-commands::x", "blank", "no%0Asecret"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if strings.Contains(text, "::add-mask") || !strings.HasPrefix(text, "V0<<rhx_") {
		t.Errorf("%q", text)
	}
}

// The logging commands, after Command.cs of github.com/microsoft/azure-pipelines-agent.
func TestAzure(t *testing.T) {
	want := holds(t, "azure")
	if len(want) < len(texts)*2/3 {
		t.Errorf("only %d of %d texts can be written", len(want), len(texts))
	}
	unescape := func(s string) string {
		for _, pair := range [][2]string{{"%3B", ";"}, {"%0D", "\r"}, {"%0A", "\n"}, {"%5D", "]"}, {"%AZP25", "%"}} {
			s = strings.ReplaceAll(s, pair[0], pair[1])
		}
		return s
	}
	want = append(want, "100%3B%AZP25%0A;]", "##vso[task.complete]", "abc")
	_, text := masked(t, "azure", vars(want...), "plain", "long\nline", "abc")
	var values, secrets, hides []string
	for line := range strings.Lines(text) {
		_, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "##vso[")
		info, data, closed := strings.Cut(rest, "]")
		if !ok || !closed || !strings.HasPrefix(line, "##vso[") {
			t.Fatalf("%q is no command", line)
		}
		command, properties, _ := strings.Cut(info, " ")
		switch command {
		case "task.setsecret":
			if len(values) > 0 {
				t.Error("what is to be hidden is told too late")
			}
			hides = append(hides, unescape(data))
		case "task.setvariable":
			values = append(values, unescape(data))
			if strings.HasSuffix(properties, ";issecret=true") {
				secrets = append(secrets, unescape(data))
			}
		default:
			t.Errorf("%q", line)
		}
	}
	compare(t, "agent", values, want)
	if !slices.Equal(hides, []string{"plain", "long", "line"}) || !slices.Equal(secrets, []string{"plain", "abc"}) {
		t.Errorf("hidden %q, secret %q", hides, secrets)
	}
	// Without a word of what is secret all of it is.
	if all := string(format(t, "azure", vars("value"))); all != "##vso[task.setsecret]value\n##vso[task.setvariable variable=V0;issecret=true]value\n" {
		t.Errorf("%q", all)
	}
	if _, _, err := bundle.FormatMasked("azure", vars("a\nb"), nil); err == nil || err.Error() != "V0 has a line break, which Azure Pipelines does not take in a secret" {
		t.Error(err)
	}
}

// The shell code for Buildkite: the agent's redactor, here a stand-in, is given each line
// before a variable is set, and where it fails none is.
func TestBuildkite(t *testing.T) {
	want := holds(t, "buildkite")
	if len(want) < len(texts)-1 {
		t.Errorf("only %d of %d texts can be written", len(want), len(texts))
	}
	hide := []string{"it's", "two4\nline's \"x\" \\n $(id)"}
	_, text := masked(t, "buildkite", vars(want...), hide...)
	for _, sh := range [][]string{{"sh"}, {"bash"}, {"busybox", "sh"}, {"ksh93"}} {
		bin := t.TempDir()
		tool := filepath.Join(bin, "buildkite-agent")
		if err := os.WriteFile(tool, []byte("#!/bin/sh\necho \"$*\" > "+bin+"/args; cat > "+bin+"/in; exit \"${FAIL:-0}\"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		shell := func(env, code string) (string, error) {
			cmd := exec.Command(sh[0], append(sh[1:], "-c", code)...)
			cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "CODE=" + text, env}
			out, err := cmd.Output()
			return string(out), err
		}
		out, err := shell("X=", "eval \"$CODE\" || exit 9\n"+printAll(len(want)))
		if err != nil {
			t.Fatalf("%s: %v", sh, err)
		}
		compare(t, sh[0], split([]byte(out)), want)
		args, _ := os.ReadFile(filepath.Join(bin, "args"))
		in, _ := os.ReadFile(filepath.Join(bin, "in"))
		got := map[string]string{}
		if err := json.Unmarshal(in, &got); err != nil || string(args) != "redactor add --format json\n" {
			t.Errorf("%s: %v %q %q", sh, err, args, in)
		}
		if len(got) != 3 || got["0"] != "it's" || got["1"] != "two4" || got["2"] != `line's "x" \n $(id)` {
			t.Errorf("%s: %q", sh, got)
		}
		if out, err := shell("FAIL=3", "eval \"$CODE\" || { printenv V1; exit 9; }"); err == nil || out != "" {
			t.Errorf("%s: set, though nothing hides it: %v", sh, err)
		}
	}
	// Where nothing is to be hidden the agent is not needed.
	if _, text := masked(t, "buildkite", vars("x"), "abc"); text != "export V0='x'\n" {
		t.Errorf("%q", text)
	}
	if !bytes.Contains(format(t, "buildkite", vars("value")), []byte(`{"0":"value"}`)) {
		t.Error("without a word of what is secret not all of it is")
	}
}

func TestMasks(t *testing.T) {
	for _, name := range bundle.Formats() {
		log, text, err := bundle.FormatMasked(name, vars("value"), hidden("value"))
		if err != nil || (len(log) > 0) != (name == "github") || len(text) == 0 {
			t.Errorf("%s: %q %q %v", name, log, text, err)
		}
		if !bundle.Masks(name) && !slices.Contains([]string{"shell", "fish", "dotenv", "json", "yaml", "docker", "k8s", "systemd"}, name) {
			t.Errorf("%s: is it hidden?", name)
		}
	}
	if _, _, err := bundle.FormatMasked("docker", vars("a\nb"), nil); err == nil {
		t.Error("a line break for docker")
	}
}
