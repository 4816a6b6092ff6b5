//go:build unix

package deliver_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Whatever the store says, a secret goes to no file of rhx's own, and of no provider, to
// none in which any key may name a program; links count as where they lead.
func TestNotBackToWhatRunsPrograms(t *testing.T) {
	home := t.TempDir()
	if err := errors.Join(os.MkdirAll(home+"/moved/config", 0o700), os.MkdirAll(home+"/.config/fish", 0o700), os.MkdirAll(home+"/.claude", 0o700),
		os.Symlink(home+"/moved/config", home+"/link"), os.Symlink(home+"/.claude", home+"/friend"), os.Symlink(home+"/.config/fish", home+"/shell")); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"RHX_HOME": home + "/moved"}
	for from, want := range map[string]string{
		"~/.claude/settings.json":             "which an agent",
		"~/proj/.mcp.json":                    "which an agent",
		"~/proj/.VSCode/tasks.json":           "which an agent",
		"~/proj/rhx.yaml":                     "which rhx reads",
		"~/proj/package.json":                 "which a package",
		"~/proj/docker-compose.yml":           "which docker compose",
		"~/.docker/config.json":               "which a cloud",
		"~/friend/settings.json":              "an agent or editor reads that",
		"~/shell/config.json":                 "a shell, when it starts or ends reads that",
		"~/moved/config/config.yaml":          "rhx's own",
		"~/x/../moved/config/config.yaml":     "rhx's own",
		"~/link/config.yaml":                  "rhx's own",
		"~/link/new/config.yaml":              "rhx's own",
		"~/moved/state/x.json":                "rhx's own",
		"~/proj/own.json":                     "",
		"~/proj/.env":                         "",
		"~/proj/.devcontainer/.env":           "",
		"~/proj/.streamlit/secrets.toml":      "",
		"~/proj/dev.tfvars":                   "",
		"~/proj/claude/docker/vscode/my.json": "",
	} {
		d, b := newDeliverer(t)
		m := machine.Local(home, func(name string) string { return env[name] })
		rec := record("own", "store", "fake://x")
		rec.Secret.Sources = []secret.Source{{Kind: secret.SourceFile, Path: from, Own: true}}
		var said []string
		out := send(t, d, b, place.Here, m, deliver.Delivery{Files: []*store.Record{rec}}, deliver.Options{Warn: func(text string) { said = append(said, text) }})
		text := strings.Join(append(said, say(out)), "\n")
		if wrote := out[0].Action == provider.Created; len(out) != 1 || wrote != (want == "") || !strings.Contains(text, want) {
			t.Errorf("%s: %s", from, text)
		}
	}
	// A provider's own form says which keys go into a file.
	d, b := newDeliverer(t)
	rec := record("docker/fake.example", "username", "u", "password", "fake")
	rec.Secret.Sources = []secret.Source{{Kind: secret.SourceFile, Path: "~/.docker/work/config.json", Own: true}}
	if out := send(t, d, b, gpu, machine.NewMemory("gpu"), deliver.Delivery{Files: []*store.Record{rec}}, deliver.Options{}); out[0].Source.Path != "~/.docker/work/config.json" || out[0].Action != provider.Created {
		t.Error(say(out))
	}
}
