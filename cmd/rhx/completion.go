package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	guestsdk "github.com/rhx-dev/rhx/guest-sdk"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/inventory"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/spec"
)

type completionCmd struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

func (c *completionCmd) Help() string {
	return `Completes commands, flags, secrets, bundles, hosts and more at Tab. Of what is stored it reads names only: no network, no question.

Examples:
  source <(rhx completion bash)    # in ~/.bashrc
  source <(rhx completion zsh)     # in ~/.zshrc
  rhx completion fish > ~/.config/fish/completions/rhx.fish`
}

func (c *completionCmd) Run(a *app) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	exe = bundle.ShellQuote(exe)
	switch c.Shell {
	case "bash":
		fmt.Fprintf(a.Data(), "complete -o default -o bashdefault -C %s rhx\n", exe)
	case "zsh":
		fmt.Fprintf(a.Data(), "autoload -U +X bashcompinit && bashcompinit\ncomplete -o default -o bashdefault -C %s rhx\n", exe)
	case "fish":
		fmt.Fprintf(a.Data(), `function __complete_rhx
    set -lx COMP_LINE (commandline -cp)
    test -z (commandline -ct)
    and set COMP_LINE "$COMP_LINE "
    set -l names (%s)
    and test -n "$names"
    and string join \n -- $names
    or __fish_complete_path (commandline -ct)
end
complete -f -c rhx -a "(__complete_rhx)"
`, exe)
	}
	return nil
}

// complete answers a shell that asks what may follow: COMP_LINE is the line, of which
// the cursor is at the byte COMP_POINT. Of args, which bash gives, the second is the
// word at the cursor as bash breaks words: also behind ":" and "=".
func (a *app) complete(parser *kong.Kong, args []string) int {
	line := a.Getenv("COMP_LINE")
	if point, err := strconv.Atoi(a.Getenv("COMP_POINT")); err == nil && point >= 0 && point < len(line) {
		line = line[:point]
	}
	words := splitLine(line)
	cur := words[len(words)-1]
	words = words[min(1, len(words)-1) : len(words)-1]

	// What is asked for must not disturb the line: no question, and not a word.
	a.NoInput, a.Quiet, a.Err = true, true, io.Discard
	flags := part(parser.Model.Node, words).flags
	for _, f := range []struct {
		name  string
		value *string
	}{{"--store", &a.Store}, {"--manifest", &a.Manifest}, {"--profile", &a.Profile}} {
		if values := given(flags, f.name); len(values) > 0 {
			*f.value = values[0]
		}
	}
	a.Store = cmp.Or(a.Store, a.Getenv("RHX_STORE"))
	c := completer{root: parser.Model.Node, known: a.known(), path: a.Getenv("PATH")}
	broken := ""
	if len(args) > 1 && strings.HasSuffix(cur, args[1]) {
		broken = strings.TrimSuffix(cur, args[1])
	}
	for _, name := range c.next(words, cur) {
		fmt.Fprintln(a.Data(), strings.TrimPrefix(name, broken))
	}
	return 0
}

// known are the values that the tag predictor names.
func (a *app) known() map[string]func() []string {
	providers := func() []string {
		e, err := a.engine()
		if err != nil {
			return nil
		}
		return e.Specs.Names()
	}
	ofManifest := func(names func(*manifest.Manifest) []string) func() []string {
		return func() []string {
			m, err := a.inProject()
			if err != nil || m == nil {
				return nil
			}
			return names(m)
		}
	}
	return map[string]func() []string{
		"stored": a.storedNames,
		"client": helperClients,
		"command": func() (names []string) {
			for _, c := range commands() {
				names = append(names, c.name)
			}
			return names
		},
		"provider": providers,
		"savable":  func() []string { return append(a.storedNames(), providers()...) },
		"format":   bundle.Formats,
		"language": guestsdk.Languages,
		"bundle": ofManifest(func(m *manifest.Manifest) (names []string) {
			for _, b := range m.Bundles {
				names = append(names, b.Name)
			}
			return names
		}),
		"profile": ofManifest(func(m *manifest.Manifest) []string { return m.Profiles }),
		"host":    a.sshHosts,
		"group": func() (names []string) {
			for _, g := range spec.Groups() {
				names = append(names, g.Name)
			}
			return names
		},
	}
}

// storedNames are the names in the store, where it can list them soon and without a
// question to anybody.
func (a *app) storedNames() []string {
	e, err := a.engine()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), tabTimeout)
	defer cancel()
	infos, err := e.Records.List(ctx)
	if err != nil {
		return nil
	}
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name
	}
	return names
}

// sshHosts are the hosts that the user's ssh_config names.
func (a *app) sshHosts() []string {
	home, err := a.home()
	if err != nil {
		return nil
	}
	config, err := ownfile.Read(filepath.Join(home, ".ssh", "config"), 1<<20)
	if err != nil {
		return nil
	}
	return inventory.SSHHosts(string(config))
}

// tabTimeout is how long a person waits for an answer to Tab.
const tabTimeout = 3 * time.Second
