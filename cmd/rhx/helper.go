package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/helper"
	"github.com/rhx-dev/rhx/host/spec"
)

// helperCmd is what clients run, and what has them do so.
type helperCmd struct {
	Install   helperInstallCmd   `cmd:"" help:"Have a client ask rhx for its credentials."`
	Uninstall helperUninstallCmd `cmd:"" help:"Take that out of the client's configuration."`
	List      helperListCmd      `cmd:"" help:"Say which clients ask rhx, and which secrets they get."`

	AWS       helperAskCmd `cmd:"" name:"aws" help:"Answer the AWS command line and SDKs."`
	Cargo     helperAskCmd `cmd:"" help:"Answer cargo."`
	Docker    helperAskCmd `cmd:"" help:"Answer docker, podman, skopeo and others for registries."`
	Git       helperAskCmd `cmd:"" help:"Answer git."`
	Keyring   helperAskCmd `cmd:"" help:"Answer pip and uv, as the keyring command does."`
	Kubectl   helperAskCmd `cmd:"" help:"Answer kubectl."`
	Terraform helperAskCmd `cmd:"" help:"Answer Terraform and OpenTofu."`
}

// helperAskCmd is one client's protocol.
type helperAskCmd struct {
	Secret  string   `predictor:"stored" help:"The only secret that answers." placeholder:"NAME"`
	Profile string   `help:"The profile, for aws." placeholder:"NAME"`
	Words   []string `arg:"" optional:"" help:"What the client adds: get, store, erase and the like."`

	example string // as the client asks
}

// newHelperCmd returns the grammar, in which each protocol has its own example.
func newHelperCmd() *helperCmd {
	return &helperCmd{
		AWS:       helperAskCmd{example: "rhx helper aws --profile prod"},
		Cargo:     helperAskCmd{example: "rhx helper cargo"},
		Docker:    helperAskCmd{example: "echo registry.example.com | rhx helper docker get"},
		Git:       helperAskCmd{example: `printf 'protocol=https\nhost=github.com\n\n' | rhx helper git get`},
		Keyring:   helperAskCmd{example: "rhx helper keyring get https://pypi.example.com/simple/ jane"},
		Kubectl:   helperAskCmd{example: "rhx helper kubectl"},
		Terraform: helperAskCmd{example: "rhx helper terraform get app.terraform.io"},
	}
}

func (c *helperAskCmd) Help() string {
	return `Clients run this: rhx helper install writes it into their configuration. It speaks the client's protocol on stdin and stdout; a passphrase is asked on the terminal itself.

Examples:
  ` + c.example
}

func (c *helperAskCmd) Run(ctx context.Context, a *app) error {
	_, protocol, _ := strings.Cut(a.command, " ")
	return a.answerClient(ctx, protocol, &asked{store: a.Store, secret: c.Secret, profile: c.Profile, words: c.Words})
}

// protocolOf is what clients speak that look for rhx by another name of the program; ""
// for its own.
func protocolOf(program string) string {
	switch program {
	case "git-credential-rhx":
		return spec.ProtocolGit
	case "docker-credential-rhx":
		return spec.ProtocolDocker
	case "terraform-credentials-rhx":
		return spec.ProtocolTerraform
	case "keyring":
		return spec.ProtocolKeyring
	}
	return ""
}

// asHelper are the program's arguments where it runs by one of its other names, or as
// cargo runs a credential provider, as if it ran as rhx helper.
func asHelper(args []string) []string {
	if len(args) == 2 && args[1] == "--cargo-plugin" {
		return []string{args[0], "helper", spec.ProtocolCargo}
	}
	if protocol := protocolOf(strings.TrimSuffix(filepath.Base(args[0]), ".exe")); protocol != "" {
		return append([]string{args[0], "helper", protocol}, args[1:]...)
	}
	return args
}

// asked are the arguments of a client's question.
type asked struct {
	store, secret, profile string
	words                  []string
}

// asksHelper reads the arguments of rhx helper PROTOCOL, without the grammar of all
// commands: a client waits for each answer. It is false for what that has to read.
func asksHelper(args []string) (protocol string, q *asked, ok bool) {
	if len(args) < 2 || args[0] != "helper" || !slices.Contains(spec.Protocols(), args[1]) {
		return "", nil, false
	}
	q = &asked{}
	flags := map[string]*string{"--secret": &q.secret, "--store": &q.store, "--profile": &q.profile}
	for rest := args[2:]; len(rest) > 0; rest = rest[1:] {
		name, value, joined := strings.Cut(rest[0], "=")
		to := flags[name]
		switch {
		case to != nil && joined:
		case to != nil && len(rest) > 1:
			value, rest = rest[1], rest[1:]
		case args[1] == spec.ProtocolKeyring && to == nil && rest[0] != "--help":
			q.words = append(q.words, rest[0]) // that command has flags of its own
			continue
		case strings.HasPrefix(rest[0], "-"):
			return "", nil, false
		default:
			q.words = append(q.words, rest[0])
			continue
		}
		if *to = value; value == "" {
			return "", nil, false
		}
	}
	return args[1], q, true
}

// answerClient answers one question. The project's folder says nothing here: a
// repository must not choose which store or which provider answers.
func (a *app) answerClient(ctx context.Context, protocol string, q *asked) error {
	a.command = "helper " + protocol
	a.Store = cmp.Or(q.store, a.Store, a.Getenv("RHX_STORE"))
	a.outside = true
	e, err := a.engine()
	if err != nil {
		return a.forClient(protocol, err)
	}
	e.Records.Open = e.Stores.Open
	h := a.helpers(e)
	h.Secret = q.secret
	return a.forClient(protocol, a.answerBy(ctx, h, protocol, q))
}

func (a *app) answerBy(ctx context.Context, h *helper.Helpers, protocol string, q *asked) error {
	if q.profile != "" && protocol != spec.ProtocolAWS {
		return fault.WithKind(fmt.Errorf("rhx helper %s does not take --profile", protocol), fault.Usage)
	}
	want := map[string]int{spec.ProtocolDocker: 1, spec.ProtocolGit: 1, spec.ProtocolTerraform: 2, spec.ProtocolKeyring: len(q.words)}[protocol]
	if len(q.words) != want {
		return fault.WithHint(fault.WithKind(fmt.Errorf("rhx helper %s takes %d arguments", protocol, want), fault.Usage), "the client gives them: rhx helper install "+protocol)
	}
	to := a.Data()
	if a.OutTTY { // somebody tries it
		to = a.Out
	}
	in := a.reader(ctx, "-")
	switch protocol {
	case spec.ProtocolAWS:
		return h.AWS(ctx, q.profile, to)
	case spec.ProtocolCargo:
		return h.Cargo(ctx, in, to)
	case spec.ProtocolDocker:
		return h.Docker(ctx, q.words[0], in, to)
	case spec.ProtocolGit:
		return h.Git(ctx, q.words[0], in, to)
	case spec.ProtocolKeyring:
		return h.Keyring(ctx, q.words, in, to)
	case spec.ProtocolKubectl:
		return h.Kubectl(ctx, a.Getenv("KUBERNETES_EXEC_INFO"), to)
	}
	return h.Terraform(ctx, q.words[0], q.words[1], in, to)
}

// forClient is an error in the form in which the client takes it.
func (a *app) forClient(protocol string, err error) error {
	var code exitCode
	switch {
	case err == nil || errors.As(err, &code):
		return err
	case protocol == spec.ProtocolDocker: // which shows what is on stdout
		fmt.Fprintln(a.Out, helper.Message(err))
		return exitCode(1)
	case protocol == spec.ProtocolKeyring && errors.Is(err, helper.ErrNone): // as keyring does
		return exitCode(1)
	}
	return err
}
