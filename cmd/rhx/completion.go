package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
	"github.com/posener/complete"

	guestsdk "github.com/rhx-dev/rhx/guest-sdk"
	"github.com/rhx-dev/rhx/host/bundle"
)

type completionCmd struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

func (c *completionCmd) Help() string {
	return `For bash, in ~/.bashrc:   source <(rhx completion bash)
For zsh, in ~/.zshrc:     source <(rhx completion zsh)
For fish:                 rhx completion fish > ~/.config/fish/completions/rhx.fish`
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
    %s
end
complete -f -c rhx -a "(__complete_rhx)"
`, exe)
	}
	return nil
}

// complete answers a shell that asks what may follow (COMP_LINE).
func (a *app) complete(parser *kong.Kong) int {
	stored := complete.PredictFunc(func(complete.Args) []string { return a.storedNames() })
	known := complete.PredictFunc(func(complete.Args) []string {
		e, err := a.engine()
		if err != nil {
			return nil
		}
		return e.Specs.Names()
	})
	both := complete.PredictFunc(func(complete.Args) []string {
		e, err := a.engine()
		if err != nil {
			return nil
		}
		names := append(a.storedNames(), e.Specs.Names()...)
		slices.Sort(names)
		return slices.Compact(names)
	})
	status := 0
	kongcompletion.Register(parser,
		kongcompletion.WithPredictor("stored", stored),
		kongcompletion.WithPredictor("provider", known),
		kongcompletion.WithPredictor("savable", both),
		kongcompletion.WithPredictor("format", complete.PredictSet(bundle.Formats()...)),
		kongcompletion.WithPredictor("language", complete.PredictSet(guestsdk.Languages()...)),
		kongcompletion.WithPredictor("file", complete.PredictFiles("*")),
		kongcompletion.WithExitFunc(func(code int) { status = code }),
	)
	return status
}

// storedNames are the names in the store, where it can list them without a
// question to anybody.
func (a *app) storedNames() []string {
	a.NoInput, a.Quiet = true, true
	e, err := a.engine()
	if err != nil {
		return nil
	}
	infos, err := e.Records.List(context.Background())
	if err != nil {
		return nil
	}
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name
	}
	return names
}
