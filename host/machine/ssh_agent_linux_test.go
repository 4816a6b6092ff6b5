package machine_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crypto/sha256"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// socket listens on a new socket and gives every connection to serve.
func socket(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rhx")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	check(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return l.Addr().String()
}

// withoutKeys is the server's block without a key of its own.
func withoutKeys(s *sshtest.Server, lines ...string) string {
	bare := strings.NewReplacer("IdentityFile "+s.IdentityFile, "", "IdentitiesOnly yes", "", "IdentityAgent none", "").Replace(s.HostBlock(s.Alias))
	return "Host *\n " + strings.Join(lines, "\n ") + "\n" + bare
}

// An agent that accepts and never answers keeps no key file from being used, and
// ends with ConnectTimeout or the context.
func TestSSHAgentThatHangs(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	silent := socket(t, func(c net.Conn) { <-t.Context().Done(); c.Close() })
	start := time.Now()
	connects(t, over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent "+silent, "IdentityFile "+s.IdentityFile, "ConnectTimeout 1"))), s)
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("it took %v", d)
	}
	refuses(t, over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent "+silent, "IdentityFile none", "ConnectTimeout 1"))), machine.ErrDenied, "the agent at "+silent+" does not answer")
	m := over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent "+silent, "ConnectTimeout 1000")))
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	start = time.Now()
	if _, err := m.Info(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

// hardware is an agent with a key as one in a FIDO token: what it signs holds a
// counter and that somebody was present.
type hardware struct {
	agent.ExtendedAgent
	private ed25519.PrivateKey
	refuse  bool
}

const skType = "sk-ssh-ed25519@openssh.com"

func (h *hardware) public() []byte {
	return ssh.Marshal(struct {
		Type, Key, Application string
	}{skType, string(h.private.Public().(ed25519.PublicKey)), "ssh:"})
}

func (h *hardware) List() ([]*agent.Key, error) {
	return []*agent.Key{{Format: skType, Blob: h.public(), Comment: "token"}}, nil
}

func (h *hardware) SignWithFlags(_ ssh.PublicKey, data []byte, _ agent.SignatureFlags) (*ssh.Signature, error) {
	if h.refuse {
		return nil, errors.New("nobody touched it")
	}
	application, message := sha256.Sum256([]byte("ssh:")), sha256.Sum256(data)
	rest := binary.BigEndian.AppendUint32([]byte{1}, 7)
	blob := append(append(append([]byte{}, application[:]...), rest...), message[:]...)
	return &ssh.Signature{Format: skType, Blob: ed25519.Sign(h.private, blob), Rest: rest}, nil
}

func (h *hardware) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	return h.SignWithFlags(key, data, 0)
}

// A key in a FIDO token is used through the agent, whose user may be asked to
// touch it; where that fails, the next key is tried.
func TestSSHHardwareKey(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	_, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	h := &hardware{ExtendedAgent: agent.NewKeyring().(agent.ExtendedAgent), private: private}
	key, err := ssh.ParsePublicKey(h.public())
	check(t, err)
	file := filepath.Join(t.TempDir(), "id_ed25519_sk")
	check(t, os.WriteFile(file+".pub", ssh.MarshalAuthorizedKey(key), 0o600))
	authorize(t, s, file+".pub")
	sock := socket(t, func(c net.Conn) { _ = agent.ServeAgent(h, c) })
	connects(t, over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent "+sock))), s)
	// Beside it the file that ssh-keygen makes, which is of no use without the token.
	block := "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH " + "PRIVATE KEY-----\n"
	check(t, os.WriteFile(file, []byte(block), 0o600))
	connects(t, over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent "+sock, "IdentitiesOnly yes", "IdentityFile "+file))), s)
	refuses(t, over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent none", "IdentityFile "+file))), machine.ErrDenied, file, "hardware key", "ssh-add")
	h.refuse = true
	refuses(t, over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent "+sock, "IdentityFile none"))), machine.ErrDenied, "does not sign")
	connects(t, over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent "+sock, "IdentityFile "+s.IdentityFile))), s)
}

// Keys of a PKCS#11 token are used through the agent, which has its module.
func TestSSHPKCS11Key(t *testing.T) {
	dir := openDir(t)
	module := "/usr/lib/softhsm/libsofthsm2.so"
	if _, err := os.Stat(module); err != nil {
		t.Fatalf("%v: run make test-deps", err)
	}
	config := filepath.Join(dir, "softhsm2.conf")
	check(t, os.WriteFile(config, []byte("directories.tokendir = "+dir+"\nobjectstore.backend = file\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", config)
	run := func(env []string, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		return string(out)
	}
	s := sshtest.Start(t, sshtest.Options{})
	key := filepath.Join(dir, "key")
	s.Keygen("rsa", key, "", "-b", "2048", "-m", "PKCS8")
	run(nil, "softhsm2-util", "--init-token", "--free", "--label", "t", "--so-pin", "1234", "--pin", "1234")
	run(nil, "softhsm2-util", "--import", key, "--token", "t", "--label", "k", "--id", "01", "--pin", "1234")
	authorize(t, s, key+".pub")
	sock := startAgent(t)
	askpass := filepath.Join(dir, "askpass")
	check(t, os.WriteFile(askpass, []byte("#!/bin/sh\necho 1234\n"), 0o700))
	run([]string{"SSH_AUTH_SOCK=" + sock, "SSH_ASKPASS=" + askpass, "SSH_ASKPASS_REQUIRE=force"}, "ssh-add", "-s", module)
	connects(t, over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent "+sock, "IdentityFile none", "PKCS11Provider "+module))), s)
	refuses(t, over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent none", "IdentityFile none", "PKCS11Provider "+module))), machine.ErrDenied, "PKCS11Provider", "ssh-add -s")
}

// A key that was read goes to the agent where AddKeysToAgent says so, once the
// host has taken it.
func TestSSHAddKeysToAgent(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	list := func(sock string) string {
		t.Helper()
		cmd := exec.Command("ssh-add", "-l")
		cmd.Env = []string{"SSH_AUTH_SOCK=" + sock}
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	locked, stranger := filepath.Join(s.Dir, "locked"), filepath.Join(s.Dir, "stranger")
	s.Keygen("ecdsa", locked, "pass phrase")
	s.Keygen("ed25519", stranger, "")
	authorize(t, s, locked+".pub")
	for _, tt := range []struct {
		value, answer, key string
		added              bool
	}{
		{"no", "", s.IdentityFile, false}, {"yes", "", s.IdentityFile, true}, {"300", "", s.IdentityFile, true}, {"confirm 5m", "", s.IdentityFile, true},
		{"ask", "yes", s.IdentityFile, true}, {"ask", "no", s.IdentityFile, false}, {"yes", "pass phrase", locked, true},
	} {
		sock := startAgent(t)
		m := over(t, s, withConfig(s, withoutKeys(s, "IdentityAgent "+sock, "AddKeysToAgent "+tt.value, "IdentityFile "+stranger, "IdentityFile "+tt.key)), func(o *machine.SSHOptions) {
			o.Prompt = func(_ context.Context, q machine.Question) (string, error) {
				if !strings.Contains(q.Text, tt.key) {
					t.Errorf("asked %q", q.Text)
				}
				return tt.answer, nil
			}
		})
		connects(t, m, s)
		got := list(sock)
		if strings.Contains(got, tt.key) != tt.added || strings.Contains(got, stranger) {
			t.Errorf("AddKeysToAgent %s, answer %q: the agent has %s", tt.value, tt.answer, got)
		}
	}
}

// Where nobody can be asked at a terminal, the program in SSH_ASKPASS is.
func TestSSHAskpass(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	dir := t.TempDir()
	locked := filepath.Join(dir, "locked")
	s.Keygen("ed25519", locked, "pass phrase")
	authorize(t, s, locked+".pub")
	ask := filepath.Join(dir, "ask")
	check(t, os.WriteFile(ask, []byte("#!/bin/sh\necho \"$1\" >>"+dir+"/log\ncase $1 in *'(yes/no)'*) echo yes ;; *) echo 'pass phrase' ;; esac\n"), 0o700))
	known := filepath.Join(dir, "known_hosts")
	config := withConfig(s, withoutKeys(s, "IdentityAgent none", "IdentityFile "+locked, "UserKnownHostsFile "+known))
	env := func(more ...string) func(*machine.SSHOptions) {
		vars := map[string]string{"SSH_ASKPASS": ask}
		for i := 0; i < len(more); i += 2 {
			vars[more[i]] = more[i+1]
		}
		return func(o *machine.SSHOptions) { o.Getenv = getenv(vars) }
	}
	refuses(t, over(t, s, config, env()), machine.ErrHostKeyUnknown)
	refuses(t, over(t, s, config, env("DISPLAY", ":0", "SSH_ASKPASS_REQUIRE", "never")), machine.ErrHostKeyUnknown)
	connects(t, over(t, s, config, env("DISPLAY", ":0")), s)
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	check(t, err)
	if !strings.Contains(string(log), fingerprintOf(t, s.HostKeys[0])) || !strings.Contains(string(log), locked) {
		t.Errorf("asked %s", log)
	}
	// It goes before the terminal where that is asked for.
	terminal := func(o *machine.SSHOptions) {
		o.Prompt = func(context.Context, machine.Question) (string, error) {
			t.Error("asked at the terminal")
			return "", nil
		}
	}
	connects(t, over(t, s, config, terminal, env("SSH_ASKPASS_REQUIRE", "force")), s)
	// One that hangs ends with the context.
	check(t, os.WriteFile(ask, []byte("#!/bin/sh\nsleep 1000\n"), 0o700))
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := over(t, s, config, env("SSH_ASKPASS_REQUIRE", "force")).Info(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
}
