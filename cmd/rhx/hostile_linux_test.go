package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/creack/pty"
	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// evil sets the title of a terminal, clears it by a C1 control, turns the direction
// of what follows, and hides a character.
const evil = "\x1b]0;evil\x07\u009b2J\u202e\u200b"

// noEvil fails where a terminal would obey a part of what was shown.
func noEvil(t *testing.T, out string) {
	t.Helper()
	if !utf8.ValidString(out) {
		t.Errorf("not UTF-8: %q", out)
	}
	for _, r := range out {
		if r != '\n' && r != '\r' && r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
			t.Errorf("%U reached the terminal:\n%q", r, out)
			return
		}
	}
}

// evilHome is a home folder whose files, secrets, providers and hosts are full of evil.
func evilHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	hosts := ""
	for _, name := range []string{"one", "two"} {
		hosts += sshtest.Start(t, sshtest.Options{}).HostBlock(name)
	}
	for name, text := range map[string]string{
		".ssh/config": hosts,
		".aws/credentials": fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = FAKE\nregion = eu%s\n[broken%s\n",
			strings.ReplaceAll(evil, "]", ")"), fakes()["AKIA"], evil, evil),
		".kube/config": `{"contexts": [{"name": ` + quoted(evil+"ctx") + `, "context": {"cluster": "c", "user": "u"}}],
			"clusters": [{"name": "c", "cluster": {"server": ` + quoted("https://example.invalid/"+evil) + `}}], "users": [{"name": "u", "user": {"token": "FAKE"}}]}`,
		".config/rhx/providers/evil.yaml": "spec: 1\nname: evil\ntitle: " + quoted(evil+"title") + "\ndocs: https://example.invalid/\nvalues:\n  token: {env: EVIL_TOKEN, public: true}\n",
		"plain.json":                      `{"K": "fake"}`,
		"db.json":                         `{` + quoted("key"+evil) + `: "fake", "value": ` + quoted("fake"+evil) + `}`,
		"broken/rhx.yaml":                 "version: 1\nsecrets:\n  " + quoted(evil) + ":\n    nothing: " + quoted(evil) + "\n" + quoted(evil+"key") + ": 1\n",
		"project/rhx.yaml":                "version: 1\nsecrets:\n  openai: {}\nbundles:\n  b:\n    env:\n      EVIL: " + quoted(evil+"text") + "\nhosts:\n  group:\n    addresses: [" + quoted("host"+strings.ReplaceAll(evil, "]", "")) + "]\n    bundles: [b]\n",
		"dir" + evil + "/k":               "fake",
	} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

// inFolder starts rhx on a terminal, in its home folder.
func inFolder(t *testing.T, home string, args []string, env ...string) (*exec.Cmd, *screen) {
	t.Helper()
	// Where a question is not as it should be, nobody answers it.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, rhxProgram(t), args...)
	cmd.Dir = home
	cmd.Env = append(environ(home, "TERM=xterm"), env...)
	f, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close(); _ = cmd.Process.Kill() })
	return cmd, &screen{t: t, f: f}
}

// quoted is a text as JSON and YAML have it, with what is not ASCII escaped.
func quoted(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}

// Whatever names, values, titles, paths, files, hosts and servers have in them: it is
// shown, and the terminal obeys none of it.
func TestNothingReachesATerminalRaw(t *testing.T) {
	t.Parallel()
	home := evilHome(t)
	vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string][]string{"errors": {"refused" + evil}})
	}))
	defer vault.Close()
	const shown = `\x1b]0;evil\x07\u009b2J\u202e\u200b`
	for _, c := range []struct {
		name string
		args []string
		want string // a part of what is shown
	}{
		{"save", []string{"save", "db", "--values", "db.json"}, "db: saved"},
		{"save plain", []string{"save", "plain", "--values", "plain.json"}, "plain: saved"},
		{"show", []string{"show", "db", "--reveal"}, "value: fake" + shown},
		{"show, its keys", []string{"show", "db"}, "key" + shown + ": ****"},
		{"show JSON", []string{"show", "db", "--reveal", "-o", "json"}, `fake\u001b]0;evil\u0007\u009b2J\u202e\u200b`},
		{"show YAML", []string{"show", "db", "--reveal", "-o", "yaml"}, `\U0000202e`},
		{"get", []string{"get", "db", "value"}, "this value has control characters"},
		{"get JSON", []string{"get", "db", "value", "-o", "json"}, `\u202e`},
		{"get, a hint", []string{"get", "db", "nothing"}, "it has key" + shown},
		{"a value of none", []string{"get", "db", evil}, "db has no value"},
		{"env", []string{"env", "-s", "db"}, ""},
		{"detect", []string{"detect"}, "token=fake" + shown},
		{"detect JSON", []string{"detect", "-o", "json"}, `\u009b2J`},
		{"detect one", []string{"detect", "kubernetes"}, "ctx"},
		{"a name", []string{"show", evil}, ""},
		{"a name to save", []string{"save", "a" + evil, "--values", "db.json"}, "which is a control character or invisible"},
		{"usage", []string{"nothing" + evil}, shown},
		{"a flag", []string{"list", "--" + evil}, shown},
		{"providers", []string{"providers"}, "title"},
		{"a provider", []string{"providers", "evil"}, shown + "title"},
		{"a provider of none", []string{"providers", "x" + evil}, ""},
		{"manifest errors", []string{"plan", "--manifest", "broken/rhx.yaml"}, "broken/rhx.yaml"},
		{"manifest errors in JSON", []string{"plan", "--manifest", "broken/rhx.yaml", "-o", "json"}, "broken/rhx.yaml"},
		{"a manifest's summary", []string{"plan", "--manifest", "project/rhx.yaml", "--no-input"}, "is not trusted"},
		{"plan", []string{"plan", "--manifest", "project/rhx.yaml", "--yes"}, ""},
		{"status", []string{"status", "--manifest", "project/rhx.yaml", "--yes"}, ""},
		{"where", []string{"where", "db", "--manifest", "project/rhx.yaml", "--yes"}, ""},
		{"a path", []string{"save", "x", "k=@none" + evil}, shown},
		{"a store", []string{"list", "--store", "x" + evil}, "unknown store"},
		{"run", []string{"run", "-s", "plain", "--", "no-such-" + evil}, "run no-such-" + shown},
		{"a host's name", []string{"detect", "--on", evil}, ""},
		{"two hosts", []string{"run", "--on", "one,two", "-s", "plain", "--", "printf", "said %s\n", evil}, "one: said " + shown},
		{"two hosts fail", []string{"run", "--on", "one,two", "-s", "plain", "--", "no-such-" + evil}, "no-such-"},
		{"sync", []string{"sync", "one", "-s", "plain", "--env"}, ""},
		{"log", []string{"log"}, "no-such-"},
		{"a path in the log", []string{"save", "y", "k=@dir" + evil + "/k"}, "y: saved"},
		{"Vault's error", []string{"list", "--store", "vault://secret/x"}, "refused" + shown},
		{"Vault's error at login", []string{"login", "--vault", vault.URL, "--username", "fake" + evil, "--no-input"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd, s := inFolder(t, home, append([]string{"--color", "never", "-v"}, c.args...), "VAULT_ADDR="+vault.URL, "VAULT_TOKEN=fake", "EVIL_TOKEN=fake"+evil)
			// The line that tells how far sync is, on a slow machine, clears itself.
			out := strings.ReplaceAll(strings.ReplaceAll(s.rest(), "\r\n", "\n"), "\x1b[K", "")
			_ = cmd.Wait()
			noEvil(t, out)
			// The width of the terminal parts a long cell.
			flat := strings.Join(strings.Fields(out), "")
			if want := strings.Join(strings.Fields(c.want), ""); !strings.Contains(flat, want) {
				t.Errorf("not shown: %s\n%s", c.want, out)
			}
		})
	}
	t.Run("questions", func(t *testing.T) {
		for _, c := range []struct {
			shown string
			args  []string
		}{
			{shown, []string{"save", "db2", "key" + evil + "=-"}},
			{strings.ReplaceAll(shown, "]", ""), []string{"plan", "--manifest", "project/rhx.yaml"}},
		} {
			cmd, s := inFolder(t, home, append([]string{"--color", "never"}, c.args...), "RHX_STORE=local")
			s.waitFor(c.shown)
			s.typed("\r")
			out := s.rest()
			_ = cmd.Wait()
			noEvil(t, out)
		}
	})
	t.Run("JSON and YAML say the same", func(t *testing.T) {
		for format, decode := range map[string]func([]byte, any) error{"json": json.Unmarshal, "yaml": yaml.Unmarshal} {
			cmd, s := onTerminal(t, home, "get", "db", "value", "-o", format)
			var got map[string]string
			out := strings.ReplaceAll(s.rest(), "\r\n", "\n")
			_ = cmd.Wait()
			if err := decode([]byte(out), &got); err != nil || got["value"] != "fake"+evil {
				t.Errorf("%s: %q, %v", format, got, err)
			}
		}
	})
	t.Run("to a file a value goes as it is", func(t *testing.T) {
		cmd := exec.Command(rhxProgram(t), "get", "db", "value")
		cmd.Env = environ(home)
		if out, err := cmd.Output(); err != nil || string(out) != "fake"+evil {
			t.Errorf("%q, %v", out, err)
		}
	})
}
