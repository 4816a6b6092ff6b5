package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/agent"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// agentArg is the argument with which rhx starts itself as the agent.
const agentArg = "run-agent"

// agentCmd is the process that holds an unlocked key.
type agentCmd struct {
	Start  agentStartCmd  `cmd:"" help:"Start the agent; unlock does so by itself."`
	Stop   agentStopCmd   `cmd:"" help:"End the agent."`
	Status agentStatusCmd `cmd:"" help:"Show what the agent holds, and for how long."`
	SSH    agentSSHCmd    `cmd:"" name:"ssh" help:"An agent for ssh and git, with the SSH keys of the store."`
}

type unlockCmd struct {
	For  time.Duration `help:"How long at most (${default})." default:"8h" placeholder:"TIME"`
	Idle time.Duration `help:"How long after the last use (${default})." default:"1h" placeholder:"TIME"`
	// Keyring is the Secret Service, or the keychain of macOS.
	Keyring bool `help:"Take the passphrase from the system's keyring, and keep it there."`
}

func (c *unlockCmd) Help() string {
	return `Asks for the passphrase of the local store's key and gives the key to the agent, which is started if need be. Until the time is over, or rhx lock, no command asks for the passphrase.

The agent is a process of yours that keeps the key in memory, not on the disk. It decrypts for every program that runs as you.

With --keyring the passphrase is asked for only where the system's keyring (the Secret Service, such as that of GNOME or KeePassXC, or the keychain of macOS) does not have it, and put there. rhx lock --keyring takes it out.

Examples:
  rhx unlock
  rhx unlock --for 1h --keyring`
}

func (c *unlockCmd) Run(a *app) error {
	if err := hasAgents(); err != nil {
		return err
	}
	if c.For <= 0 || c.Idle <= 0 || c.For > agent.Longest {
		return fault.WithKind(fmt.Errorf("the time has to be positive, and at most %d hours", int(agent.Longest.Hours())), fault.Usage)
	}
	e, err := a.engine()
	if err != nil {
		return err
	}
	if _, err := e.Stores.Agent().Status(); err != nil && !errors.Is(err, agent.ErrNone) {
		return fmt.Errorf("unlock: %w", err) // nobody types a passphrase for nothing
	}
	local, err := e.Stores.Local()
	if err != nil {
		return err
	}
	var ring *ring
	if c.Keyring {
		if ring, err = a.ring(e, local.KeyPath()); err != nil {
			return err
		}
	}
	if err := c.unlock(e, local, ring); err != nil {
		return err
	}
	st, err := e.Stores.Agent().Status()
	if err != nil {
		return err
	}
	if done, err := a.data(st); done {
		return err
	}
	a.say(fmt.Sprintf("Unlocked for %s, and until it is not used for %s. rhx lock ends that.", spoken(c.For), spoken(min(c.Idle, c.For))))
	return nil
}

// unlock gives the key of the store to the agent. ring may be nil.
func (c *unlockCmd) unlock(e *engine.Engine, local *agestore.Store, ring *ring) error {
	m, err := local.Material()
	if err == nil {
		err = ring.keep()
	}
	if err != nil {
		return err
	}
	defer m.Clear()
	m.For, m.Idle = c.For, min(c.Idle, c.For)
	client := e.Stores.Agent()
	if _, err := startAgent(client); err != nil {
		return err
	}
	if err := client.Add(m); err != nil {
		return fmt.Errorf("unlock: %w", err)
	}
	return nil
}

// spoken is a time as people write it: without zeros at its end.
func spoken(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

type lockCmd struct {
	Keyring bool `help:"Take the passphrase out of the system's keyring, too."`
}

func (c *lockCmd) Help() string {
	return `Examples:
  rhx lock`
}

func (c *lockCmd) Run(a *app) error {
	if err := hasAgents(); err != nil {
		return err
	}
	e, err := a.engine()
	if err != nil {
		return err
	}
	locked, ssh, dirs := false, false, e.Stores.AgentDirs()
	for _, dir := range dirs {
		switch e := e.Stores.AgentIn(func() string { return dir }).Lock(); {
		case e == nil:
			locked = true
		case !errors.Is(e, agent.ErrNone):
			err = errors.Join(err, fmt.Errorf("lock: %w", e))
		}
		told, e := agent.LockSSH(dir)
		if ssh = ssh || told; e != nil {
			err = errors.Join(err, fmt.Errorf("lock: %w", e))
		}
	}
	if c.Keyring {
		err = errors.Join(err, a.forgetPassphrase(e))
	}
	switch {
	case err != nil:
		return err
	case locked:
		a.say("Locked: the agent holds no key.")
	case ssh:
		a.say("Locked: the SSH agent has forgotten its keys. Where the store's key has no passphrase, it reads them again: rhx agent ssh --stop ends it.")
	default:
		a.say("Locked: no agent runs in " + strings.Join(dirs, ", or in ") + ".")
	}
	return nil
}

// forgetPassphrase takes the passphrase of the store's key out of the system's keyring.
func (a *app) forgetPassphrase(e *engine.Engine) error {
	local, err := e.Stores.Local()
	if err != nil {
		return err
	}
	ring, err := a.ring(e, local.KeyPath())
	if err != nil {
		return err
	}
	return ring.remove()
}

type agentStartCmd struct {
	Foreground bool `help:"Stay, for a service manager; its socket is taken (LISTEN_FDS)."`
}

func (c *agentStartCmd) Help() string {
	return `Examples:
  rhx agent start
  rhx agent start --foreground   # as a service`
}

func (c *agentStartCmd) Run(ctx context.Context, a *app) error {
	client, err := a.agentClient()
	if err != nil {
		return err
	}
	if c.Foreground {
		a.stopSignals()
		return serveAgent(ctx, a.made.Stores.AgentDir())
	}
	started, err := startAgent(client)
	if err != nil {
		return err
	}
	if started {
		a.say("The agent runs. rhx unlock gives it the key.")
	} else {
		a.say("The agent runs already.")
	}
	return nil
}

type agentStopCmd struct{}

func (c *agentStopCmd) Help() string {
	return `Examples:
  rhx agent stop`
}

func (c *agentStopCmd) Run(a *app) error {
	client, err := a.agentClient()
	if err != nil {
		return err
	}
	if err := client.Stop(); errors.Is(err, agent.ErrNone) {
		a.say("No agent runs.")
		return nil
	} else if err != nil {
		return fmt.Errorf("agent stop: %w", err)
	}
	a.say("The agent has ended.")
	return nil
}

type agentStatusCmd struct{}

func (c *agentStatusCmd) Help() string {
	return `Exit status 1 says that no agent runs.

Examples:
  rhx agent status`
}

// agentState is the status for programs.
type agentState struct {
	Running bool `json:"running"`
	*agent.Status
}

func (c *agentStatusCmd) Run(a *app) error {
	client, err := a.agentClient()
	if err != nil {
		return err
	}
	st, err := client.Status()
	if err != nil && !errors.Is(err, agent.ErrNone) {
		return fmt.Errorf("agent status: %w", err)
	}
	if done, e := a.data(agentState{err == nil, st}); done {
		if e == nil && err != nil {
			e = exitCode(1)
		}
		return e
	}
	if err != nil {
		fmt.Fprintln(a.Out, "No agent runs.")
		return exitCode(1)
	}
	fmt.Fprintf(a.Out, "The agent runs (process %d)", st.PID)
	if len(st.Keys) == 0 {
		fmt.Fprintln(a.Out, " and holds no key.")
		return nil
	}
	fmt.Fprintln(a.Out, " and holds:")
	for _, k := range st.Keys {
		fmt.Fprintf(a.Out, "  %s\n    until %s; without use until %s\n", k.Path, moment(k.Until), moment(k.IdleUntil))
		for _, public := range k.Public {
			fmt.Fprintf(a.Out, "    %s\n", public)
		}
	}
	if !st.Locked {
		fmt.Fprintln(a.Out, "Its memory is not locked: it may be swapped to a disk.")
	}
	return nil
}

func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// hasAgents is the error where this system has no agents.
func hasAgents() error {
	if agent.Supported {
		return nil
	}
	return fmt.Errorf("there is no agent on %s", runtime.GOOS)
}

// agentClient speaks to the agent.
func (a *app) agentClient() (*agent.Client, error) {
	if err := hasAgents(); err != nil {
		return nil, err
	}
	e, err := a.engine()
	if err != nil {
		return nil, err
	}
	return e.Stores.Agent(), nil
}

// startAgent makes sure that an agent runs.
func startAgent(client *agent.Client) (started bool, err error) {
	exe, err := os.Executable()
	if err != nil {
		return false, err
	}
	client.Environ = sweepEnviron(os.Environ())
	return client.Start(exe, agentArg)
}

// serveAgent is the agent, with a socket in dir unless it was given one.
func serveAgent(ctx context.Context, dir string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	// A small heap: all of it is locked in memory.
	debug.SetGCPercent(50)
	s := &agent.Server{Parse: agestore.HeldKey, Environ: sweepEnviron(os.Environ())}
	go sweepNowAndThen(ctx, exe)
	return s.Run(ctx, dir, exe, agentArg)
}

// forgetOldKey has the agent forget the key that a new one has taken the place of.
func (a *app) forgetOldKey(e *engine.Engine) error {
	client := e.Stores.Agent()
	st, err := client.Status()
	if errors.Is(err, agent.ErrNone) || err == nil && len(st.Keys) == 0 {
		return nil
	}
	if err == nil {
		err = client.Lock()
	}
	if err == nil {
		a.say("The agent has forgotten its keys. rhx unlock gives it the new one.")
	}
	return err
}
