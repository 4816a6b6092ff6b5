package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// network is a client with a home folder of its own and hosts around it, each a
// real SSH server in a network namespace of its own, joined to the client by a
// cable. Where there can be no namespaces, the hosts are ports of 127.0.0.1.
type network struct {
	t      *testing.T
	client *sshtest.Namespace
	home   string
	rhx    string
	hosts  map[string]*netHost
	config strings.Builder // ~/.ssh/config
	known  strings.Builder // ~/.ssh/known_hosts
}

type netHost struct {
	*sshtest.Server
	// wire is what lies between the client and the host; nil for nothing.
	wire *sshtest.Wire
	in   *sshtest.Namespace
}

// hostOptions say how a host differs from a plain one.
type hostOptions struct {
	sshtest.Options
	// Delay of each direction, and what bytes on the way to the host and back have
	// to pass.
	delay time.Duration
	toll  sshtest.Toll
	// wired puts a wire there without any of both, for later.
	wired bool
	// jumps is its ProxyJump: the last of those is the only host that has a cable to it.
	jumps []string
	// otherKey: known_hosts has another key for it.
	otherKey bool
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{t: t, home: t.TempDir(), rhx: rhxProgram(t), hosts: map[string]*netHost{}}
	client, err := sshtest.NewNamespace(t)
	if err == nil {
		n.client = client
	} else {
		t.Logf("the hosts are ports of 127.0.0.1: %v", err)
	}
	n.check(os.Mkdir(filepath.Join(n.home, ".ssh"), 0o700))
	fmt.Fprintf(&n.config, "UserKnownHostsFile %s\n", filepath.Join(n.home, ".ssh", "known_hosts"))
	return n
}

func (n *network) check(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// add starts a host that is called name.
func (n *network) add(name string, o hostOptions) *netHost {
	n.t.Helper()
	h := &netHost{}
	o.Listen = "127.0.0.1:0"
	listen := o.Listen
	if n.client != nil {
		var err error
		h.in, err = sshtest.NewNamespace(n.t)
		n.check(err)
		from := n.client
		if len(o.jumps) > 0 {
			from = n.hosts[o.jumps[len(o.jumps)-1]].in
		}
		cable := fmt.Sprintf("10.77.%d", len(n.hosts))
		n.check(sshtest.Link(from, h.in, cable))
		o.Listen, o.In, listen = cable+".2:22", h.in, cable+".2:22"
	}
	wired := o.wired || o.delay > 0 || o.toll != nil
	if wired && n.client != nil {
		o.Listen = "127.0.0.1:22"
	}
	o.Config = append(o.Config, "LogLevel VERBOSE")
	h.Server = sshtest.Start(n.t, o.Options)
	address := h.Addr
	if wired {
		h.wire = sshtest.NewWire(n.t, h.in, listen, h.Addr, o.delay, o.toll)
		address = h.wire.Addr
	}
	keys := h.HostKeys
	if o.otherKey {
		other := filepath.Join(h.Dir, "other_key")
		h.Keygen("ed25519", other, "")
		pub, err := os.ReadFile(other + ".pub")
		n.check(err)
		keys = []string{strings.TrimSpace(string(pub))}
	}
	for _, key := range keys {
		fmt.Fprintf(&n.known, "%s %s\n", name, key)
	}
	ip, port, _ := strings.Cut(address, ":")
	fmt.Fprintf(&n.config, "Host %s\n  HostName %s\n  Port %s\n  User %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  HostKeyAlias %s\n  ConnectTimeout 100\n",
		name, ip, port, h.User, h.IdentityFile, name)
	if len(o.jumps) > 0 {
		fmt.Fprintf(&n.config, "  ProxyJump %s\n", strings.Join(o.jumps, ","))
	}
	n.writeClient()
	n.hosts[name] = h
	return h
}

func (n *network) writeClient() {
	n.t.Helper()
	dir := filepath.Join(n.home, ".ssh")
	n.check(os.WriteFile(filepath.Join(dir, "config"), []byte(n.config.String()), 0o600))
	n.check(os.WriteFile(filepath.Join(dir, "known_hosts"), []byte(n.known.String()), 0o600))
}

// command is rhx as the client runs it; start starts it in the client's network.
func (n *network) command(args ...string) *exec.Cmd {
	// Longer than anything here takes: a test that hangs says what was printed.
	ctx, cancel := context.WithTimeout(n.t.Context(), 3*time.Minute)
	n.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, n.rhx, args...)
	cmd.Env = environ(n.home, "LC_ALL=C.UTF-8")
	return cmd
}

func (n *network) start(cmd *exec.Cmd) {
	n.t.Helper()
	var err error
	n.client.Do(func() { err = cmd.Start() })
	n.check(err)
}

// onTerminal starts rhx in the client's network, on a terminal of its own.
func (n *network) onTerminal(cmd *exec.Cmd) *screen {
	n.t.Helper()
	cmd.Env = append(cmd.Env, "TERM=xterm")
	var f *os.File
	var err error
	n.client.Do(func() { f, err = pty.Start(cmd) })
	n.check(err)
	n.t.Cleanup(func() { _ = f.Close(); _ = cmd.Process.Kill() })
	return &screen{t: n.t, f: f}
}

// run runs rhx and returns what it printed, and its exit status.
func (n *network) run(args ...string) (stdout, stderr string, status int) {
	n.t.Helper()
	return n.runWith("", args...)
}

func (n *network) runWith(stdin string, args ...string) (stdout, stderr string, status int) {
	n.t.Helper()
	cmd := n.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	n.start(cmd)
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		n.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// does runs rhx, which must end with the status.
func (n *network) does(status int, args ...string) (stdout, stderr string) {
	n.t.Helper()
	stdout, stderr, got := n.run(args...)
	if got != status {
		n.t.Fatalf("rhx %s: exit status %d, not %d\n%s%s", strings.Join(args, " "), got, status, stdout, stderr)
	}
	return stdout, stderr
}

// put writes a file in a home folder: the client's, or that of a host, whose it is then.
func (n *network) put(host, name, text string) {
	n.t.Helper()
	home, uid, gid := n.home, os.Getuid(), os.Getgid()
	if host != "" {
		h := n.hosts[host]
		home = h.Home
		if os.Getuid() == 0 {
			uid, gid = h.UID, h.GID
		}
	}
	p := filepath.Join(home, name)
	var made []string
	for d := filepath.Dir(p); d != home; d = filepath.Dir(d) {
		made = append(made, d)
	}
	n.check(os.MkdirAll(filepath.Dir(p), 0o700))
	n.check(os.WriteFile(p, []byte(text), 0o600))
	for _, m := range append(made, p) {
		n.check(os.Chown(m, uid, gid))
	}
}

// file is what a file in a host's home folder holds, "(none)" where it is none.
func (n *network) file(host, name string) string {
	n.t.Helper()
	data, err := os.ReadFile(filepath.Join(n.hosts[host].Home, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "(none)"
	}
	n.check(err)
	return string(data)
}

// noLeftovers fails where a host has a temporary file of rhx.
func (n *network) noLeftovers() {
	n.t.Helper()
	for name, h := range n.hosts {
		n.check(filepath.WalkDir(h.Home, func(p string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasPrefix(d.Name(), ".rhx-") {
				n.t.Errorf("%s: %s is left", name, p)
			}
			return err
		}))
	}
}
