//go:build unix

package agestore

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// tool returns the path of a program that these tests compare with; `make
// test-deps` installs it.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("install %s: %v", name, err)
	}
	return path
}

// onTerminal runs a command on a terminal of its own, types answer at every
// prompt, and returns what the command writes to stdout.
func onTerminal(t *testing.T, cmd *exec.Cmd, answer string) string {
	t.Helper()
	terminal, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	var stdout strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, &stdout, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = tty.Close()
	shown := make(chan string)
	go func() {
		var all []byte
		buf := make([]byte, 1024)
		for {
			n, err := terminal.Read(buf)
			all = append(all, buf[:n]...)
			if strings.Contains(string(buf[:n]), ":") {
				_, _ = io.WriteString(terminal, answer+"\n")
			}
			if err != nil {
				shown <- string(all)
				return
			}
		}
	}()
	err = cmd.Wait()
	said := <-shown
	_ = terminal.Close()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, said)
	}
	return stdout.String()
}

// docs/stores.md promises that age alone decrypts a secret, with this command.
func TestAgeReadsOurFiles(t *testing.T) {
	age := tool(t, "age")
	dir := dataDir(t)
	sec := &secret.Secret{Name: "aws/prod", Provider: "aws", Profile: "prod", Values: secret.Values{
		"access_key": secret.NewValue("FAKE <&> \u2028 é"), "binary": secret.NewValue("\xff\x00"), "long": secret.NewValue(strings.Repeat("FAKE", 50000)),
	}}
	s := Open(Options{Dir: dir})
	if _, err := s.Put(t.Context(), sec, 0); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), age, "-d", "-i", "identity.txt", "store/secrets/aws%2fprod/1.age")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
	}
	var got struct {
		Profile string
		Values  map[string]any
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	binary, _ := got.Values["binary"].(map[string]any)
	if got.Profile != "prod" || got.Values["access_key"] != "FAKE <&> \u2028 é" || got.Values["long"] != strings.Repeat("FAKE", 50000) || binary["base64"] != "/wA=" {
		t.Errorf("age -d printed %.300s", out)
	}
	if !strings.Contains(string(out), "FAKE <&> ") {
		t.Errorf("the JSON is harder to read than it needs to be: %.300s", out)
	}
}

func TestAgeReadsOurPassphraseKey(t *testing.T) {
	age := tool(t, "age")
	dir := dataDir(t)
	s := Open(Options{Dir: dir, NewPassphrase: true, Passphrase: func(string) (string, error) { return passphrase, nil }})
	s.workFactor = workFactor
	if _, err := s.Put(t.Context(), &secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("FAKE")}}, 0); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), age, "-d", "-i", "identity.txt", "store/secrets/a/1.age")
	cmd.Dir = dir
	if out := onTerminal(t, cmd, passphrase); out != `{"values":{"k":"FAKE"}}`+"\n" {
		t.Errorf("age -d printed %q", out)
	}
}

// The keys that the tools make, with the commands that docs/stores.md shows. That of age -p, whose
// passphrase takes most of a minute with the race detector, is in key_passphrase.txtar.
func TestKeysMadeByTheTools(t *testing.T) {
	dir := t.TempDir()
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), tool(t, name), args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
	}
	run("age-keygen", "-o", "plain.txt")
	run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "ed25519")
	run("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", "ed25519_passphrase")
	run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-a", "1", "-N", passphrase, "-f", "rsa_passphrase")
	run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", passphrase, "-f", "rsa_pem_passphrase")
	run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", "ecdsa")
	for _, name := range []string{"plain.txt", "ed25519", "ed25519_passphrase", "rsa_passphrase", "rsa_pem_passphrase", "ecdsa"} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			s := Open(Options{Dir: dataDir(t), Identity: filepath.Join(dir, name), Warn: func(m string) { t.Error(m) },
				Passphrase: func(string) (string, error) { asked++; return passphrase, nil }})
			_, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0)
			if name == "ecdsa" {
				if err == nil || !strings.Contains(err.Error(), "only Ed25519 and RSA") {
					t.Errorf("Put: %v", err)
				}
				return
			}
			if err == nil {
				_, err = s.Get(t.Context(), "a", 0)
			}
			if err != nil {
				t.Error(err)
			}
			if wanted := strings.Contains(name, "passphrase"); wanted != (asked == 1) {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

// Moving to another machine is copying the data folder, in part or in whole.
func TestCopiedStore(t *testing.T) {
	dir := dataDir(t)
	if _, err := Open(Options{Dir: dir}).Put(t.Context(), &secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("FAKE")}}, 0); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(t.TempDir(), "moved")
	if err := os.CopyFS(filepath.Join(there, "store"), os.DirFS(filepath.Join(dir, "store"))); err != nil {
		t.Fatal(err)
	}
	s := Open(Options{Dir: there})
	if _, err := s.Get(t.Context(), "a", 0); !errors.Is(err, store.ErrDenied) {
		t.Errorf("without the key: %v", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(there, "identity.txt"), data, 0o600)
	if _, err := s.Get(t.Context(), "a", 0); err != nil {
		t.Errorf("with the key: %v", err)
	}
	if n, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 1); err != nil || n != 2 {
		t.Errorf("Put returned version %d, %v", n, err)
	}
}
