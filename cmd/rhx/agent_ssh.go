package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/agent"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
)

type agentSSHCmd struct {
	Secret     []string      `short:"s" sep:"none" predictor:"stored" help:"A key of the store, such as ssh/id_ed25519; may be given several times. All of them where none is." placeholder:"SECRET"`
	For        time.Duration `help:"End after that time." placeholder:"TIME"`
	Confirm    bool          `help:"Ask by SSH_ASKPASS before each use."`
	Stop       bool          `help:"End the agent of your sessions."`
	Foreground bool          `help:"Stay, for a service manager."`
	Cmd        []string      `arg:"" name:"command" optional:"" passthrough:"" help:"A command to run with an agent of its own."`
}

func (c *agentSSHCmd) Help() string {
	return `An agent for ssh, git and all that asks SSH_AUTH_SOCK, with the SSH keys of the store. They do not touch the disk. It is locked and unlocked with the store's key.

Without a command one agent runs for all your sessions, and its variable is printed for the shell. With one the agent is the command's alone, and ends with it.

A secret may have a value certificate beside its private_key: the text of KEY-cert.pub.

Examples:
  eval "$(rhx agent ssh)"
  rhx agent ssh -s ssh/deploy -- git push`
}

func (c *agentSSHCmd) Run(ctx context.Context, a *app) error {
	if err := hasAgents(); err != nil {
		return err
	}
	if c.For < 0 {
		return fault.WithKind(errors.New("the time has to be positive"), fault.Usage)
	}
	e, err := a.engine()
	if err != nil {
		return err
	}
	dir := e.Stores.AgentDir()
	if c.Stop {
		return agent.StopSSH(dir)
	}
	server := &agent.SSHServer{For: c.For, Load: c.loader(ctx, a)}
	if c.Confirm {
		if a.Getenv("SSH_ASKPASS") == "" {
			return fault.WithHint(errors.New("--confirm needs a program that asks"), "Name it in SSH_ASKPASS.")
		}
		server.Confirm = a.confirmUse
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	args := c.args()
	if c.Foreground {
		// Where the store is in Vault, rhx goes on as rhx-full here, while it has the sockets
		// still that it was given. What else is wrong is said to who asks for a key.
		_, _ = e.Records.Store(ctx)
		a.stopSignals()
		return server.Run(ctx, dir, environOfAgent(a.environ()), exe, args...)
	}
	argv := c.Cmd
	if len(argv) > 0 && argv[0] == "--" {
		argv = argv[1:]
	}
	// What is wrong with the keys is said now, and a passphrase asked for.
	first, err := c.first(ctx, a, e, len(argv) == 0)
	if err != nil {
		return err
	}
	if len(argv) > 0 {
		local, err := e.Stores.Local()
		if err != nil {
			return err
		}
		server.Have(first, local.Held())
		return c.run(ctx, a, dir, server, argv)
	}
	st, err := e.Records.Store(ctx)
	if err != nil {
		return err
	}
	// The store is that of this folder, wherever the agent runs.
	started, err := agent.StartSSH(dir, append(environOfAgent(a.environ()), "RHX_STORE="+st.URL()), exe, args...)
	if err != nil {
		return err
	}
	if !started {
		if len(c.Secret) > 0 || c.For > 0 || c.Confirm {
			return fault.WithHint(errors.New("an SSH agent of rhx runs already, and goes on as it was started"), "rhx agent ssh --stop ends it.")
		}
		if err := agent.RenewSSH(dir); err != nil {
			return err
		}
	}
	vars := []bundle.Var{{Name: "SSH_AUTH_SOCK", Value: secret.NewValue(agent.SSHSocket(dir))}}
	if done, err := a.data(map[string]string{"SSH_AUTH_SOCK": agent.SSHSocket(dir)}); done {
		return err
	}
	text, err := bundle.Format("shell", vars)
	if err != nil {
		return err
	}
	return a.exact("the path of the socket", string(text))
}

// args are the arguments with which the agent of a user's sessions runs.
func (c *agentSSHCmd) args() []string {
	args := []string{"agent", "ssh", "--foreground"}
	for _, s := range c.Secret {
		args = append(args, "-s", s)
	}
	if c.Confirm {
		args = append(args, "--confirm")
	}
	if c.For > 0 {
		args = append(args, "--for", c.For.String())
	}
	return args
}

// agentVariables are what an agent gets of the environment: where things are, and how to
// reach the user. None holds a secret.
var agentVariables = []string{"HOME", "PATH", "USER", "LOGNAME", "LANG", "RHX_HOME", "RHX_STORE", "RHX_AGE_IDENTITY", "RHX_AGE_IDENTITY_CMD",
	"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE",
	"VAULT_ADDR", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_CAPATH"}

func environOfAgent(environ []string) []string {
	return slices.DeleteFunc(environ, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return !slices.Contains(agentVariables, name) && !strings.HasPrefix(name, "XDG_") && !strings.HasPrefix(name, "LC_")
	})
}

// sshKeys are the SSH keys of the store.
func (c *agentSSHCmd) sshKeys(ctx context.Context, e *engine.Engine, warn func(string)) ([]agent.SSHKey, error) {
	names := c.Secret
	if len(names) == 0 {
		infos, unread, err := e.Records.Readable(ctx)
		if err != nil {
			return nil, err
		}
		if unread != nil {
			warn(unread.Error())
		}
		for _, i := range infos {
			if provider, _ := secret.SplitName(i.Name); provider == "ssh" {
				names = append(names, i.Name)
			}
		}
	}
	records, err := e.Records.GetAll(ctx, names)
	if err != nil {
		return nil, err
	}
	var keys []agent.SSHKey
	for _, r := range records {
		private, ok := r.Secret.Values["private_key"]
		if !ok {
			warn(r.Info.Name + " is left out: it has no private_key")
			continue
		}
		more, err := agent.ParseSSHKey(r.Info.Name, []byte(private.Reveal()), []byte(r.Secret.Values["certificate"].Reveal()))
		if err != nil {
			warn(fmt.Sprintf("%s is left out: %v", r.Info.Name, err))
			continue
		}
		keys = append(keys, more...)
	}
	return keys, nil
}

// first reads the keys as a command does. lasting has the store's key be in the agent, since
// nobody can be asked for its passphrase later.
func (c *agentSSHCmd) first(ctx context.Context, a *app, e *engine.Engine, lasting bool) ([]agent.SSHKey, error) {
	local, err := e.Stores.Local()
	if err != nil {
		return nil, err
	}
	if lasting {
		if has, err := local.HasKey(); err != nil {
			return nil, err
		} else if has && local.NeedsUnlock() {
			a.note("the store's key has a passphrase: rhx unlock")
			if err := (&unlockCmd{For: 8 * time.Hour, Idle: time.Hour}).unlock(e, local, nil); err != nil {
				return nil, err
			}
		}
	}
	keys, err := c.sshKeys(ctx, e, a.warn)
	if err == nil && len(keys) == 0 {
		err = fault.WithHint(errors.New("the store has no SSH key"), "rhx save ssh saves those in ~/.ssh.")
	}
	return keys, err
}

// loader reads the keys without asking anybody, each time with another rhx.
func (c *agentSSHCmd) loader(ctx context.Context, a *app) func() ([]agent.SSHKey, func(bool) bool, error) {
	return func() ([]agent.SSHKey, func(bool) bool, error) {
		silent := *a.globals
		silent.NoInput, silent.Quiet = true, true
		other := &app{Terminal: a.Terminal, globals: &silent, environ: a.environ, stopSignals: func() {}, command: a.command}
		defer other.close()
		e, err := other.engine()
		if err != nil {
			return nil, nil, err
		}
		keys, err := c.sshKeys(ctx, e, func(string) {})
		if err != nil {
			return nil, nil, err
		}
		local, err := e.Stores.Local()
		if err != nil {
			return nil, nil, err
		}
		return keys, local.Held(), nil
	}
}

// run runs a command with an agent of its own.
func (c *agentSSHCmd) run(ctx context.Context, a *app, dir string, server *agent.SSHServer, argv []string) error {
	l, path, end, err := agent.OwnSSH(dir)
	if err != nil {
		return err
	}
	defer end()
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()
	vars := []bundle.Var{{Name: "SSH_AUTH_SOCK", Value: secret.NewValue(path)}, {Name: "SSH_AGENT_PID", Value: secret.NewValue(fmt.Sprint(os.Getpid()))}}
	status, err := a.runner(nil).Supervise(argv, bundle.Environ(a.environ(), vars))
	stop()
	if e := <-served; err == nil {
		err = e
	}
	end()
	return endedAs(status, err)
}

// confirmWithin bounds the time for an answer.
const confirmWithin = time.Minute

// confirmUse asks the user whether a key may be used, as ssh-agent does.
func (a *app) confirmUse(comment, fingerprint string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), confirmWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, a.Getenv("SSH_ASKPASS"), fmt.Sprintf("Allow use of key %s?\nKey fingerprint %s.", comment, fingerprint))
	cmd.Env = append(a.environ(), "SSH_ASKPASS_PROMPT=confirm")
	cmd.WaitDelay = time.Second
	return cmd.Run() == nil
}
