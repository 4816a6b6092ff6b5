package machine_test

import (
	"bytes"
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

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// A host that does not let the user in is told by what happened.
func TestSSHDeniedSaysWhatHappened(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{Config: []string{"MaxAuthTries 3"}})
	dir := t.TempDir()
	stranger := filepath.Join(dir, "stranger")
	s.Keygen("ed25519", stranger, "")
	prompt := func(o *machine.SSHOptions) {
		o.Prompt = func(context.Context, machine.Question) (string, error) { return "x", nil }
	}
	key := func(file string) func(*machine.SSHOptions) {
		return withConfig(s, withoutKeys(s, "IdentityAgent none", "IdentitiesOnly yes", "IdentityFile "+file))
	}
	refuses(t, over(t, s, key(stranger)), machine.ErrDenied, "permission denied (publickey) for "+s.User, stranger)
	refuses(t, over(t, s, key(stranger), prompt), machine.ErrDenied, "permission denied (publickey) for "+s.User, stranger)

	pkcs8 := filepath.Join(dir, "pkcs8")
	s.Keygen("rsa", pkcs8, "pass phrase", "-b", "2048", "-m", "PKCS8")
	refuses(t, over(t, s, key(pkcs8), prompt), machine.ErrDenied, pkcs8, "PKCS#8", "ssh-keygen -p -f")
	// The conversion that it names is one.
	authorize(t, s, pkcs8+".pub")
	if out, err := exec.Command("ssh-keygen", "-p", "-f", pkcs8, "-P", "pass phrase", "-N", "pass phrase").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	connects(t, over(t, s, key(pkcs8), func(o *machine.SSHOptions) {
		o.Prompt = func(context.Context, machine.Question) (string, error) { return "pass phrase", nil }
	}), s)

	open := filepath.Join(dir, "open")
	s.Keygen("ed25519", open, "")
	authorize(t, s, open+".pub")
	connects(t, over(t, s, key(open)), s)
	check(t, os.Chmod(open, 0o640))
	refuses(t, over(t, s, key(open)), machine.ErrDenied, open, "others can read it", "chmod 600")

	config := ""
	for i := range 5 {
		other := filepath.Join(dir, fmt.Sprint(i))
		s.Keygen("ed25519", other, "")
		config += "IdentityFile " + other + "\n"
	}
	refuses(t, over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent none", config))), machine.ErrDenied, "no more attempts", "5 keys", "IdentitiesOnly yes")

	bad := filepath.Join(dir, "bad")
	check(t, os.WriteFile(bad, []byte("no key\n"), 0o600))
	refuses(t, over(t, s, key(bad)), machine.ErrDenied, bad, "not a private key")
}

// A password is asked for as often as ssh_config says, and a wrong one is a denial.
func TestSSHWrongPassword(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{Config: []string{"PasswordAuthentication yes", "KbdInteractiveAuthentication yes"}})
	for _, prompts := range []int{1, 3} {
		asked := 0
		m := over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent none", "IdentityFile none", fmt.Sprintf("NumberOfPasswordPrompts %d", prompts))), func(o *machine.SSHOptions) {
			o.Prompt = func(context.Context, machine.Question) (string, error) { asked++; return "wrong", nil }
		})
		refuses(t, m, machine.ErrDenied, "permission denied (publickey,password")
		if asked != prompts {
			t.Errorf("asked %d times, want %d", asked, prompts)
		}
	}
	m := over(t, s, withConfig(s, withoutKeys(s, "BatchMode yes", "IdentityAgent none", "IdentityFile none")), func(o *machine.SSHOptions) {
		o.Prompt = func(context.Context, machine.Question) (string, error) {
			t.Error("asked in batch mode")
			return "", nil
		}
	})
	refuses(t, m, machine.ErrDenied)
}

// The passphrase that nobody knows skips that key, not those after it.
func TestSSHSkippedKeyIsFollowedByTheNext(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	locked := filepath.Join(s.Dir, "locked")
	s.Keygen("ed25519", locked, "pass phrase")
	authorize(t, s, locked+".pub")
	config := withConfig(s, withoutKeys(s, "IdentityAgent none", "IdentityFile "+locked, "IdentityFile "+s.IdentityFile))
	asked := 0
	connects(t, over(t, s, config, func(o *machine.SSHOptions) {
		o.Prompt = func(context.Context, machine.Question) (string, error) { asked++; return "", nil }
	}), s)
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	// Who ends the question ends the command.
	gone := errors.New("interrupted")
	_, err := over(t, s, config, func(o *machine.SSHOptions) {
		o.Prompt = func(context.Context, machine.Question) (string, error) { return "", gone }
	}).Info(t.Context(), nil)
	if !errors.Is(err, gone) {
		t.Error(err)
	}
}

// A second factor after a key is asked for.
func TestSSHTwoFactors(t *testing.T) {
	f := newFake(t, "/bin/sh")
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var asked atomic.Int32
	f.configure(func(c *ssh.ServerConfig) {
		c.NoClientAuth = false
		c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
			return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{
				KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
					answers, err := ask("", "second factor", []string{"Code: "}, []bool{true})
					if err != nil || len(answers) != 1 || answers[0] != "123456" {
						return nil, errors.New("wrong")
					}
					return nil, nil
				},
			}}
		}
	})
	answer := "123456"
	use := func(o *machine.SSHOptions) {
		data, err := os.ReadFile(o.ConfigFile)
		check(t, err)
		check(t, os.WriteFile(o.ConfigFile, []byte("IdentityFile "+key+"\n"+string(data)), 0o600))
		o.Prompt = func(_ context.Context, q machine.Question) (string, error) {
			asked.Add(1)
			if !q.Echo || q.Text != "second factor Code:" {
				t.Errorf("asked %+v", q)
			}
			return answer, nil
		}
	}
	if _, err := f.machine(use).Info(t.Context(), nil); err != nil || asked.Load() != 1 {
		t.Errorf("%v after %d questions", err, asked.Load())
	}
	answer = "wrong"
	refuses(t, f.machine(use), machine.ErrDenied, "keyboard-interactive")
	nobody := func(o *machine.SSHOptions) { use(o); o.Prompt = nil }
	refuses(t, f.machine(nobody), machine.ErrDenied, "keyboard-interactive", "ControlPath")
}

// What a host offers is shown whole where nothing of it is allowed.
func TestSSHAlgorithmsThatDoNotMeet(t *testing.T) {
	for _, tt := range []struct{ server, client, key, offers string }{
		{"KexAlgorithms diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1", "", "KexAlgorithms", "diffie-hellman-group14-sha1, diffie-hellman-group-exchange-sha1"},
		{"Ciphers aes128-cbc", "", "Ciphers", "aes128-cbc"},
		{"MACs hmac-sha2-512\nCiphers aes128-ctr", "MACs hmac-sha2-256", "MACs", "hmac-sha2-512"},
		{"", "HostKeyAlgorithms rsa-sha2-512", "HostKeyAlgorithms", "ssh-ed25519"},
	} {
		s := sshtest.Start(t, sshtest.Options{Config: []string{tt.server}})
		refuses(t, over(t, s, withConfig(s, block(s, tt.client))), nil, tt.key, "it offers "+tt.offers)
	}
	s := sshtest.Start(t, sshtest.Options{})
	for key, value := range map[string]string{"KexAlgorithms": "sntrup761x25519-sha512@openssh.com", "MACs": "umac-64@openssh.com", "HostKeyAlgorithms": "sk-ssh-ed25519@openssh.com"} {
		refuses(t, over(t, s, withConfig(s, block(s, key+" "+value))), nil, key+" "+value, "rhx does not speak", "rhx speaks")
	}
}

// What a ProxyCommand says is shown, fit for a terminal and not without end.
func TestSSHProxyCommandIsHeard(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	script := func(text string) string {
		p := filepath.Join(t.TempDir(), "proxy")
		check(t, os.WriteFile(p, []byte("#!/bin/sh\n"+text), 0o755))
		return "ProxyCommand " + p
	}
	refuses(t, over(t, s, withConfig(s, block(s, script(`printf 'no \033[2Jtoken for %s\n' "$0" >&2; exit 3`)))), nil, "the ProxyCommand says: no [2Jtoken for")
	_, err := over(t, s, withConfig(s, block(s, script("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx >&2; done"), "ConnectTimeout 1"))).Info(t.Context(), nil)
	if err == nil || len(err.Error()) > 1000 || !strings.Contains(err.Error(), "xxx") {
		t.Errorf("%v", err)
	}
	refuses(t, over(t, s, withConfig(s, block(s, "ProxyUseFdpass yes", script("echo lost >&2")))), nil, "hands no connection over", "lost")
}

// A ProxyCommand that hangs, and does not mind a hangup, ends with the command.
func TestSSHProxyCommandThatHangs(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	for _, fdpass := range []string{"no", "yes"} {
		pid := filepath.Join(t.TempDir(), "pid")
		p := filepath.Join(t.TempDir(), "proxy")
		check(t, os.WriteFile(p, []byte("#!/bin/sh\ntrap '' HUP\necho $$ >"+pid+"\nwhile :; do sleep 1; done\n"), 0o755))
		refuses(t, over(t, s, withConfig(s, block(s, "ProxyUseFdpass "+fdpass, "ConnectTimeout 1", "ProxyCommand "+p))), os.ErrDeadlineExceeded)
		gone(t, pid)
		check(t, os.Remove(pid))
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		start := time.Now()
		if _, err := over(t, s, withConfig(s, block(s, "ProxyUseFdpass "+fdpass, "ProxyCommand "+p))).Info(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("it took %v", d)
		}
		gone(t, pid)
	}
}

// gone waits until the process whose number is in a file is no more.
func gone(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		return // it was ended before it could write
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(data)) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the ProxyCommand still runs")
		}
	}
}

// Whatever a host does after it has accepted, a cancelled context ends dialing at
// once; so it ends reads and writes at a host that falls silent later.
func TestSSHCancelledAtASilentHost(t *testing.T) {
	for name, greet := range map[string]string{"silent": "", "half a version": "SSH-2.0-", "a version": "SSH-2.0-OpenSSH_9.2\r\n", "noise": strings.Repeat("noise\r\n", 100)} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			check(t, err)
			defer l.Close()
			accepted := make(chan struct{}, 10)
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					defer conn.Close()
					_, _ = conn.Write([]byte(greet))
					accepted <- struct{}{}
				}
			}()
			m := machine.SSH(l.Addr().String(), machine.SSHOptions{ConfigFile: "none", ConnectTimeout: time.Hour})
			defer m.Close()
			ctx, cancel := context.WithCancel(t.Context())
			var ended time.Time
			done := make(chan error)
			go func() {
				_, err := m.Read(ctx, []string{"/x"})
				ended = time.Now()
				done <- err
			}()
			<-accepted
			start := time.Now()
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if d := ended.Sub(start); d > time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// So it ends what is under way at a host that falls silent, or stops to take
// anything, and at one behind such a host.
func TestSSHCancelledAtAHostThatFallsSilent(t *testing.T) {
	jump, s := sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, sshtest.Options{})
	// More than what is on the way between here and there.
	var large []machine.Change
	for i := range 12 {
		large = append(large, machine.Change{Path: fmt.Sprint("/nowhere/", i), Data: bytes.Repeat([]byte("x"), 1<<20)})
	}
	ops := map[string]func(context.Context, machine.Machine) error{
		"info": func(ctx context.Context, m machine.Machine) error { _, err := m.Info(ctx, nil); return err },
		"read": func(ctx context.Context, m machine.Machine) error { _, err := m.Read(ctx, []string{"/x"}); return err },
		"write": func(ctx context.Context, m machine.Machine) error {
			_, err := m.Write(ctx, large)
			return err
		},
		"run": func(ctx context.Context, m machine.Machine) error {
			_, err := m.(machine.Runner).Run(ctx, machine.RunSpec{Argv: []string{"true"}})
			return err
		},
		"terminal": func(ctx context.Context, m machine.Machine) error {
			_, err := m.(machine.Runner).Run(ctx, machine.RunSpec{Argv: []string{"true"}, TTY: true})
			return err
		},
	}
	for _, through := range []bool{false, true} {
		for _, frozen := range []bool{false, true} {
			for name, op := range ops {
				t.Run(fmt.Sprintf("%s, jump %v, frozen %v", name, through, frozen), func(t *testing.T) {
					t.Parallel()
					first := s
					if through {
						first = jump
					}
					c := newCutter(t, first.Addr)
					_, port, _ := net.SplitHostPort(c.Addr().String())
					known := filepath.Join(t.TempDir(), "known")
					check(t, os.WriteFile(known, []byte("first "+first.HostKeys[0]+"\n"), 0o600))
					config := "Host first\n Port " + port + "\n HostKeyAlias first\n UserKnownHostsFile " + known + "\n" + first.HostBlock("first")
					target := "first"
					if through {
						config, target = config+"Host last\n ProxyJump first\n"+s.HostBlock("last"), "last"
					}
					m := machine.SSH(target, machine.SSHOptions{ConfigFile: s.Config(config)})
					connects(t, m, s)
					if frozen {
						c.frozen.Store(true)
					} else {
						c.stalled.Store(true)
					}
					ctx, cancel := context.WithCancel(t.Context())
					done := make(chan error)
					var ended time.Time
					go func() {
						err := op(ctx, m)
						m.Close()
						ended = time.Now()
						done <- err
					}()
					<-c.touched // what the operation sends, or the keys of its connection
					start := time.Now()
					cancel()
					if err := <-done; !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					if d := ended.Sub(start); d > 3*time.Second {
						t.Errorf("it took %v", d)
					}
				})
			}
		}
	}
}

// A name server that does not answer is given up in time.
func TestSSHSlowDNS(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	defer silent.Close()
	resolver := net.DefaultResolver
	defer func() { net.DefaultResolver = resolver }()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", silent.LocalAddr().String())
	}}
	start := time.Now()
	m := machine.SSH("name.invalid", machine.SSHOptions{ConfigFile: "none", ConnectTimeout: 300 * time.Millisecond})
	refuses(t, m, os.ErrDeadlineExceeded, "name.invalid", "300ms")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := machine.SSH("name.invalid", machine.SSHOptions{ConfigFile: "none", ConnectTimeout: time.Hour}).Info(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
}

// Errors do not move a terminal, whatever a host says.
func TestSSHDisconnectIsPrintable(t *testing.T) {
	f := newFake(t, "/bin/sh")
	f.configure(func(c *ssh.ServerConfig) {
		c.NoClientAuth = false
		c.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return nil, errors.New("no") }
		c.MaxAuthTries = 1
		c.BannerCallback = func(ssh.ConnMetadata) string { return "\x1b[2Jbanner" }
	})
	_, err := f.machine(func(o *machine.SSHOptions) {
		o.Prompt = func(context.Context, machine.Question) (string, error) { return "x", nil }
	}).Info(t.Context(), nil)
	if !errors.Is(err, machine.ErrDenied) || strings.ContainsAny(err.Error()+fault.Hint(err), "\x1b\r\n\u0085") {
		t.Errorf("%q", err)
	}
}
