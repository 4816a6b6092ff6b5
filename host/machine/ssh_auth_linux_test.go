package machine_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// connects checks that the machine can be used.
func connects(t *testing.T, m machine.Machine, s *sshtest.Server) {
	t.Helper()
	info, err := m.Info(t.Context(), nil)
	if err != nil {
		t.Fatalf("%v (%s)\n%s", err, fault.Hint(err), s.Log())
	}
	if info.Home != s.Home {
		t.Errorf("home %q, want %q", info.Home, s.Home)
	}
}

// refuses checks that connecting fails in the way of want, and says every one of words.
func refuses(t *testing.T, m machine.Machine, want error, words ...string) {
	t.Helper()
	_, err := m.Info(t.Context(), nil)
	if err == nil {
		t.Fatal("it connects")
	}
	if want != nil && !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
	for _, w := range words {
		if said := err.Error() + " " + fault.Hint(err); !strings.Contains(said, w) {
			t.Errorf("%q does not say %q", said, w)
		}
	}
}

// withConfig makes a machine use an ssh_config with these blocks.
func withConfig(s *sshtest.Server, blocks ...string) func(*machine.SSHOptions) {
	return func(o *machine.SSHOptions) { o.ConfigFile = s.Config(blocks...) }
}

// block is the server's block with one line before all others, which wins.
func block(s *sshtest.Server, first ...string) string {
	return "Host *\n  " + strings.Join(first, "\n  ") + "\n" + s.HostBlock(s.Alias)
}

func fingerprintOf(t *testing.T, publicKey string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "key")
	check(t, os.WriteFile(p, []byte(publicKey+"\n"), 0o600))
	out, err := exec.Command("ssh-keygen", "-lf", p).Output()
	check(t, err)
	return strings.Fields(string(out))[1]
}

func TestSSHUnknownHost(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	known := filepath.Join(s.Dir, "new", "known_hosts")
	config := withConfig(s, block(s, "UserKnownHostsFile "+known))
	refuses(t, over(t, s, config), machine.ErrHostKeyUnknown, fingerprintOf(t, s.HostKeys[0]), s.Addr[strings.Index(s.Addr, ":"):])

	var asked machine.HostKey
	answer := false
	confirm := func(o *machine.SSHOptions) {
		o.Confirm = func(_ context.Context, k machine.HostKey) (bool, error) {
			asked = k
			return answer, nil
		}
	}
	refuses(t, over(t, s, config, confirm), machine.ErrHostKeyUnknown)
	if asked.Fingerprint != fingerprintOf(t, s.HostKeys[0]) || asked.Host != s.Alias || asked.File != known || asked.Type != "ssh-ed25519" {
		t.Errorf("asked %+v", asked)
	}
	if _, err := os.Stat(known); !os.IsNotExist(err) {
		t.Fatal("a refused key was remembered")
	}
	refuses(t, over(t, s, withConfig(s, block(s, "UserKnownHostsFile "+known, "StrictHostKeyChecking yes")), confirm), machine.ErrHostKeyUnknown, "StrictHostKeyChecking")
	refuses(t, over(t, s, withConfig(s, block(s, "UserKnownHostsFile "+known, "StrictHostKeyChecking no"))), machine.ErrHostKeyUnknown)
	answer = true
	connects(t, over(t, s, config, confirm), s)
	connects(t, over(t, s, config), s)
	data, err := os.ReadFile(known)
	check(t, err)
	if want := fmt.Sprintf("[%s]:%d %s\n", s.Host, s.Port, s.HostKeys[0]); string(data) != want {
		t.Errorf("known_hosts has %q, want %q", data, want)
	}
	if out, err := exec.Command("ssh-keygen", "-F", fmt.Sprintf("[%s]:%d", s.Host, s.Port), "-f", known).CombinedOutput(); err != nil {
		t.Errorf("ssh-keygen does not find it: %s", out)
	}
}

func TestSSHAcceptNewHashedAndAppended(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	known := filepath.Join(s.Dir, "kh")
	check(t, os.WriteFile(known, []byte("# no line end"), 0o600))
	config := withConfig(s, block(s, "UserKnownHostsFile "+known, "HashKnownHosts yes"))
	connects(t, over(t, s, config, func(o *machine.SSHOptions) { o.AcceptNew = true }), s)
	data, err := os.ReadFile(known)
	check(t, err)
	if !strings.HasPrefix(string(data), "# no line end\n|1|") || strings.Count(string(data), "\n") != 2 {
		t.Errorf("known_hosts has %q", data)
	}
	connects(t, over(t, s, config), s)
	if out, err := exec.Command("ssh-keygen", "-F", fmt.Sprintf("[%s]:%d", s.Host, s.Port), "-f", known).CombinedOutput(); err != nil {
		t.Errorf("ssh-keygen does not find it: %s", out)
	}
}

func TestSSHChangedHostKeyIsRefused(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	other := filepath.Join(s.Dir, "other")
	s.Keygen("ed25519", other, "")
	public, err := os.ReadFile(other + ".pub")
	check(t, err)
	old := strings.Join(strings.Fields(string(public))[:2], " ")
	known := fmt.Sprintf("# a comment\nelsewhere %s\n[%s]:%d %s\n", s.HostKeys[0], s.Host, s.Port, old)
	check(t, os.WriteFile(s.KnownHosts, []byte(known), 0o600))
	ask := func(o *machine.SSHOptions) {
		o.AcceptNew = true
		o.Confirm = func(context.Context, machine.HostKey) (bool, error) { t.Error("asked"); return true, nil }
	}
	words := []string{fingerprintOf(t, old), fingerprintOf(t, s.HostKeys[0]), s.KnownHosts, "line 3", "ssh-keygen -R"}
	refuses(t, over(t, s, ask), machine.ErrHostKeyChanged, words...)
	refuses(t, over(t, s, ask, withConfig(s, block(s, "StrictHostKeyChecking no"))), machine.ErrHostKeyChanged, words...)
	data, err := os.ReadFile(s.KnownHosts)
	check(t, err)
	if string(data) != known {
		t.Errorf("known_hosts was changed to %q", data)
	}
}

// A key that is known is found in any of its forms, whatever else is in the file.
func TestSSHKnownHostKeys(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	name := fmt.Sprintf("[%s]:%d", s.Host, s.Port)
	ed, ecdsa := s.HostKeys[0], s.HostKeys[1]
	other := filepath.Join(s.Dir, "other")
	s.Keygen("ed25519", other, "")
	public, err := os.ReadFile(other + ".pub")
	check(t, err)
	stranger := strings.Join(strings.Fields(string(public))[:2], " ")
	tests := []struct {
		rule, known string
		want        error
	}{
		{"one of two types", name + " " + ecdsa, nil},
		{"one of two keys of a type", name + " " + stranger + "\n" + name + " " + ed, nil},
		{"wildcard", "[127.*]:* " + ed, nil},
		{"list", "example.com," + name + " " + ed, nil},
		{"negated", "[127.0.0.1]:*,!" + name + " " + ed, machine.ErrHostKeyUnknown},
		{"without the port", s.Host + " " + ed, nil},
		{"without the port, another key", s.Host + " " + stranger, machine.ErrHostKeyUnknown},
		{"another host", "example.com " + ed, machine.ErrHostKeyUnknown},
		{"lines that cannot be read", "garbage\n" + name + " ssh-future AAAA\n" + name + " " + ed, nil},
		{"an authority is no host key", "@cert-authority * " + stranger, machine.ErrHostKeyUnknown},
		{"an authority's own key is no host key", "@cert-authority * " + ed, machine.ErrHostKeyUnknown},
		{"a host key beside an authority", "@cert-authority * " + stranger + "\n" + name + " " + ed, nil},
		{"revoked", "@revoked * " + ed + "\n" + name + " " + ed, machine.ErrHostKeyRevoked},
		{"CRLF", name + " " + ed + "\r\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			check(t, os.WriteFile(s.KnownHosts, []byte(tt.known), 0o600))
			if tt.want == nil {
				connects(t, over(t, s), s)
				return
			}
			refuses(t, over(t, s), tt.want)
		})
	}
}

func TestSSHHostCertificates(t *testing.T) {
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca")
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	run("-q", "-t", "ed25519", "-N", "", "-f", ca)
	run("-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, "host"))
	run("-q", "-s", ca, "-h", "-I", "host", "-n", "gpu-01,127.0.0.1", filepath.Join(dir, "host.pub"))
	s := sshtest.Start(t, sshtest.Options{Config: []string{"HostKey " + filepath.Join(dir, "host"), "HostCertificate " + filepath.Join(dir, "host-cert.pub")}})
	public, err := os.ReadFile(ca + ".pub")
	check(t, err)
	check(t, os.WriteFile(s.KnownHosts, append([]byte("@cert-authority gpu-*,[127.0.0.1]:* "), public...), 0o600))
	connects(t, over(t, s), s)
	connects(t, over(t, s, withConfig(s, block(s, "HostKeyAlias gpu-01"))), s)
	refuses(t, over(t, s, withConfig(s, block(s, "HostKeyAlias gpu-02"))), nil, "certificate is not valid")
	refuses(t, over(t, s, withConfig(s, block(s, "HostKeyAlias elsewhere"))), machine.ErrHostKeyUnknown)
	check(t, os.WriteFile(s.KnownHosts, append([]byte("@cert-authority * "+strings.TrimSpace(string(public))+"\n@revoked * "), public...), 0o600))
	refuses(t, over(t, s), machine.ErrHostKeyRevoked)
}

func TestSSHWrongKey(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	other := filepath.Join(s.Dir, "other")
	s.Keygen("ed25519", other, "")
	asked := 0
	config := "Host " + s.Alias + "\n IdentityFile " + other + "\n" + strings.ReplaceAll(s.HostBlock(s.Alias), "IdentityFile "+s.IdentityFile, "")
	refuses(t, over(t, s, withConfig(s, config), func(o *machine.SSHOptions) {
		o.Prompt = func(context.Context, machine.Question) (string, error) { asked++; return "x", nil }
	}), machine.ErrDenied, other, s.User)
	if asked > 0 {
		t.Error("a password was asked for, which the host does not take")
	}
}

// An encrypted key asks for its passphrase once, for all hosts, and only where
// it is needed.
func TestSSHEncryptedKeys(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	for _, kind := range []struct {
		name string
		args []string
	}{{"ed25519", nil}, {"rsa", []string{"-b", "2048"}}, {"rsa", []string{"-b", "2048", "-m", "PEM"}}, {"ecdsa", nil}} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			key, unused := filepath.Join(t.TempDir(), "key"), filepath.Join(t.TempDir(), "unused")
			s.Keygen(kind.name, key, "pass phrase", kind.args...)
			s.Keygen("ed25519", unused, "other pass phrase")
			authorize(t, s, key+".pub")
			config := withConfig(s, "Host *\n IdentityFile "+unused+"\n IdentityFile "+key+"\n"+strings.ReplaceAll(s.HostBlock(s.Alias), "IdentityFile "+s.IdentityFile, ""))
			var asked []string
			answers := []string{"wrong", "pass phrase"}
			keys := new(machine.Keys)
			ask := func(o *machine.SSHOptions) {
				o.Keys = keys
				o.Prompt = func(_ context.Context, q machine.Question) (string, error) {
					if q.Echo {
						t.Error("the passphrase would be seen")
					}
					asked = append(asked, q.Text)
					a := answers[0]
					answers = answers[1:]
					return a, nil
				}
			}
			connects(t, over(t, s, config, ask), s)
			connects(t, over(t, s, config, ask), s)
			if len(asked) != 2 || !strings.Contains(asked[0], key) || !strings.Contains(asked[1], key) {
				t.Errorf("asked %q", asked)
			}
			refuses(t, over(t, s, config), machine.ErrDenied, key, "ssh-add")
			answers, keys = []string{""}, new(machine.Keys)
			refuses(t, over(t, s, config, ask), machine.ErrDenied, key, "passphrase")
			refuses(t, over(t, s, config, ask), machine.ErrDenied, key)
		})
	}
}

func authorize(t *testing.T, s *sshtest.Server, public string) {
	t.Helper()
	data, err := os.ReadFile(public)
	check(t, err)
	f, err := os.OpenFile(s.AuthorizedKeys, os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	defer f.Close()
	_, err = f.Write(data)
	check(t, err)
}

// startAgent starts an ssh-agent with a key.
func startAgent(t *testing.T, keys ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rhx")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	sock := filepath.Join(dir, "agent")
	cmd := exec.Command("ssh-agent", "-D", "-a", sock)
	check(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", sock); err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the agent does not start")
		}
	}
	for _, k := range keys {
		add := exec.Command("ssh-add", "-q", k)
		add.Env = []string{"SSH_AUTH_SOCK=" + sock}
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("ssh-add: %v: %s", err, out)
		}
	}
	return sock
}

func TestSSHAgent(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	dir := t.TempDir()
	good, extra := filepath.Join(dir, "good"), filepath.Join(dir, "extra")
	s.Keygen("rsa", good, "", "-b", "2048")
	s.Keygen("ed25519", extra, "")
	authorize(t, s, good+".pub")
	sock := startAgent(t, extra, good)
	check(t, os.Remove(good)) // only the agent has it
	bare := strings.NewReplacer("IdentityFile "+s.IdentityFile, "", "IdentitiesOnly yes", "", "IdentityAgent none", "").Replace(s.HostBlock(s.Alias))
	env := func(o *machine.SSHOptions) { o.Getenv = getenv(map[string]string{"SSH_AUTH_SOCK": sock}) }
	connects(t, over(t, s, env, withConfig(s, bare)), s)
	connects(t, over(t, s, withConfig(s, "Host *\n IdentityAgent "+sock+"\n"+bare)), s)
	connects(t, over(t, s, env, withConfig(s, "Host *\n IdentitiesOnly yes\n IdentityFile "+good+"\n"+bare)), s)
	connects(t, over(t, s, env, withConfig(s, "Host *\n IdentitiesOnly yes\n IdentityFile "+good+".pub\n"+bare)), s)
	refuses(t, over(t, s, env, withConfig(s, "Host *\n IdentitiesOnly yes\n IdentityFile "+extra+"\n"+bare)), machine.ErrDenied, extra)
	refuses(t, over(t, s, env, withConfig(s, "Host *\n IdentityAgent none\n"+bare)), machine.ErrDenied)
	refuses(t, over(t, s, withConfig(s, "Host *\n IdentityAgent "+sock+"x\n"+bare)), machine.ErrDenied, sock+"x")

	// The host must not be able to use the agent, even if ssh_config says so.
	m := over(t, s, env, withConfig(s, "Host *\n ForwardAgent yes\n"+bare))
	if info, err := m.Info(t.Context(), []string{"SSH_AUTH_SOCK"}); err != nil || len(info.Env) > 0 {
		t.Errorf("the agent is forwarded: %v, %v", info.Env, err)
	}
}

func TestSSHUserCertificate(t *testing.T) {
	dir := openDir(t)
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	ca, key := filepath.Join(dir, "ca"), filepath.Join(dir, "key")
	run("-q", "-t", "ed25519", "-N", "", "-f", ca)
	run("-q", "-t", "ed25519", "-N", "", "-f", key)
	s := sshtest.Start(t, sshtest.Options{Config: []string{"TrustedUserCAKeys " + ca + ".pub"}})
	run("-q", "-s", ca, "-I", "me", "-n", s.User, key+".pub")
	mine := strings.ReplaceAll(s.HostBlock(s.Alias), s.IdentityFile, key)
	connects(t, over(t, s, withConfig(s, mine)), s)
	check(t, os.Rename(key+"-cert.pub", filepath.Join(dir, "elsewhere")))
	refuses(t, over(t, s, withConfig(s, mine)), machine.ErrDenied)
	connects(t, over(t, s, withConfig(s, mine, "  CertificateFile "+filepath.Join(dir, "elsewhere"))), s)
}

// What a person types reaches the host, where it is asked for.
func TestSSHPassword(t *testing.T) {
	f := newFake(t, "/bin/sh")
	f.mu.Lock()
	f.password = "open sesame"
	f.mu.Unlock()
	var asked atomic.Int32
	ask := func(answers ...string) func(*machine.SSHOptions) {
		return func(o *machine.SSHOptions) {
			o.Prompt = func(_ context.Context, q machine.Question) (string, error) {
				asked.Add(1)
				if q.Echo || !strings.Contains(q.Text, "assword") {
					t.Errorf("question %+v", q)
				}
				a := answers[0]
				answers = answers[1:]
				return a, nil
			}
		}
	}
	if _, err := f.machine(ask("wrong", "open sesame")).Info(t.Context(), nil); err != nil || asked.Load() != 2 {
		t.Errorf("%v after %d questions", err, asked.Load())
	}
	refuses(t, f.machine(ask("a", "b", "c", "d", "e", "f")), machine.ErrDenied)
	refuses(t, f.machine(), machine.ErrDenied)
}

func TestSSHProxyJump(t *testing.T) {
	jump, jump2, s := sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, sshtest.Options{})
	all := jump.HostBlock("first") + jump2.HostBlock("second") + s.HostBlock(s.Alias)
	connects(t, over(t, s, withConfig(s, "Host "+s.Alias+"\n ProxyJump first\n"+all)), s)
	if jump.Connections() != 1 || s.Connections() != 1 {
		t.Errorf("%d and %d connections", jump.Connections(), s.Connections())
	}
	m := over(t, s, withConfig(s, "Host "+s.Alias+"\n ProxyJump first,second\n"+all))
	connects(t, m, s)
	if jump.Connections() != 2 || jump2.Connections() != 1 {
		t.Errorf("%d and %d connections", jump.Connections(), jump2.Connections())
	}
	// A jump that jumps; "Host *" does not lead in a circle.
	connects(t, over(t, s, withConfig(s, "Host second\n ProxyJump first\nHost "+s.Alias+"\n ProxyJump second\n"+all)), s)
	connects(t, over(t, s, withConfig(s, "Host *\n ProxyJump first\n"+all)), s)
	refuses(t, over(t, s, withConfig(s, "Host "+s.Alias+"\n ProxyJump second\nHost second\n ProxyJump "+s.Alias+"\n"+all)), nil, "circle")
	// Every hop is verified.
	check(t, os.WriteFile(jump.KnownHosts, nil, 0o600))
	refuses(t, over(t, s, withConfig(s, "Host "+s.Alias+"\n ProxyJump first\n"+all)), machine.ErrHostKeyUnknown, "through first")
}

func TestSSHProxyCommand(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	self, err := os.Executable()
	check(t, err)
	m := over(t, s, withConfig(s, "Host *\n ProxyCommand "+role+"=proxy "+self+" %h %p %r\n"+s.HostBlock(s.Alias)))
	refuses(t, m, nil) // the shell does not take an assignment after exec
	connects(t, over(t, s, withConfig(s, "Host *\n ProxyCommand env "+role+"=proxy "+self+" %h %p %%\n"+s.HostBlock(s.Alias))), s)
	refuses(t, over(t, s, withConfig(s, "Host *\n ProxyCommand false\n"+s.HostBlock(s.Alias))), nil)
}

// A host that accepts and then says nothing ends in bounded time, and a
// cancelled context at once.
func TestSSHSilentHost(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	start := time.Now()
	m := machine.SSH(l.Addr().String(), machine.SSHOptions{ConnectTimeout: 200 * time.Millisecond})
	defer m.Close()
	refuses(t, m, os.ErrDeadlineExceeded, "no answer", l.Addr().String())
	slow := machine.SSH(l.Addr().String(), machine.SSHOptions{ConnectTimeout: time.Hour})
	defer slow.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := slow.Info(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
	l.Close()
	refuses(t, machine.SSH(l.Addr().String(), machine.SSHOptions{}), nil, "connection refused", l.Addr().String())
}
