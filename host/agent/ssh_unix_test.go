//go:build linux || darwin

package agent

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	sshagent "golang.org/x/crypto/ssh/agent"
)

// sshKeys are one of each kind, as files, by their names.
func sshKeys(t testing.TB) map[string][]byte {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	noError(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	noError(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	noError(t, err)
	out := map[string][]byte{}
	for name, key := range map[string]any{"ed": ed, "rsa": rs, "ec": ec} {
		block, err := ssh.MarshalPrivateKey(key, "")
		noError(t, err)
		out[name] = pem.EncodeToMemory(block)
	}
	return out
}

func parsed(t testing.TB, files map[string][]byte) []SSHKey {
	t.Helper()
	var out []SSHKey
	for _, name := range []string{"ed", "rsa", "ec"} {
		keys, err := ParseSSHKey(name, files[name], nil)
		noError(t, err)
		out = append(out, keys...)
	}
	return out
}

// serveSSH starts an SSH agent in this process and returns how to reach it.
func serveSSH(t testing.TB, s *SSHServer) (dir, path string, ended <-chan error) {
	t.Helper()
	dir = folder(t)
	l, path, end, err := OwnSSH(dir)
	noError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); end() })
	return dir, path, done
}

func sshClient(t testing.TB, path string) sshagent.ExtendedAgent {
	t.Helper()
	c, err := net.Dial("unix", path)
	noError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return sshagent.NewClient(c)
}

// Each key signs, by each algorithm that a client may want.
func TestSSHSignatures(t *testing.T) {
	keys := parsed(t, sshKeys(t))
	_, path, _ := serveSSH(t, &SSHServer{Load: func() ([]SSHKey, func(bool) bool, error) { return keys, nil, nil }})
	c := sshClient(t, path)
	listed, err := c.List()
	noError(t, err)
	if len(listed) != 3 || listed[0].Comment != "ed" || listed[1].Format != "ssh-rsa" {
		t.Fatalf("%v", listed)
	}
	data := []byte("fake data")
	for i, want := range map[int]map[sshagent.SignatureFlags]string{
		0: {0: ssh.KeyAlgoED25519, sshagent.SignatureFlagRsaSha512: ssh.KeyAlgoED25519},
		1: {sshagent.SignatureFlagRsaSha256: ssh.KeyAlgoRSASHA256, sshagent.SignatureFlagRsaSha512: ssh.KeyAlgoRSASHA512},
		2: {0: ssh.KeyAlgoECDSA256},
	} {
		for flags, format := range want {
			sig, err := c.SignWithFlags(listed[i], data, flags)
			if err != nil || sig.Format != format {
				t.Errorf("%d, %d: %v, %v", i, flags, sig, err)
				continue
			}
			noError(t, keys[i].Signer.PublicKey().Verify(data, sig))
		}
	}
	other, err := ParseSSHKey("other", sshKeys(t)["ed"], nil)
	noError(t, err)
	if _, err := c.Sign(other[0].Signer.PublicKey(), data); err == nil {
		t.Error("signed with a key that is not there")
	}
	if err := c.Add(sshagent.AddedKey{PrivateKey: ed25519.NewKeyFromSeed(make([]byte, 32))}); err == nil {
		t.Error("a key was added")
	}
	if _, err := c.Extension("session-bind@openssh.com", []byte("fake")); err != sshagent.ErrExtensionUnsupported {
		t.Error(err)
	}
	noError(t, c.Remove(listed[0]))
	if err := c.Remove(listed[0]); err != nil {
		t.Error(err) // as often as one likes
	}
	if left, err := c.List(); err != nil || len(left) != 2 {
		t.Error(left, err)
	}
	if _, err := c.Sign(listed[0], data); err == nil {
		t.Error("signed with a key that was removed")
	}
	noError(t, c.RemoveAll())
	if left, err := c.List(); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
}

func TestSSHKeyFiles(t *testing.T) {
	files := sshKeys(t)
	own, err := ParseSSHKey("ed", files["ed"], nil)
	noError(t, err)
	_, ca, err := ed25519.GenerateKey(rand.Reader)
	noError(t, err)
	authority, err := ssh.NewSignerFromKey(ca)
	noError(t, err)
	cert := &ssh.Certificate{Key: own[0].Signer.PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	noError(t, cert.SignCert(rand.Reader, authority))
	text := ssh.MarshalAuthorizedKey(cert)
	with, err := ParseSSHKey("ed", files["ed"], text)
	noError(t, err)
	if len(with) != 2 || with[1].Signer.PublicKey().Type() != ssh.CertAlgoED25519v01 {
		t.Errorf("%+v", with)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(ca, "", []byte("fake"))
	noError(t, err)
	for name, c := range map[string]struct {
		private, cert []byte
		want          string
	}{
		"no key":             {[]byte("FAKEfake"), nil, "no private key"},
		"nothing":            {nil, nil, "no private key"},
		"a passphrase":       {pem.EncodeToMemory(locked), nil, "a passphrase of its own"},
		"another's":          {files["ec"], text, "of another key"},
		"no certificate":     {files["ed"], []byte("FAKEfake"), "is none"},
		"a key, no more":     {files["ed"], ssh.MarshalAuthorizedKey(own[0].Signer.PublicKey()), "is none"},
		"space for none":     {files["ed"], []byte(" \n"), ""},
		"the private, twice": {files["ed"], files["ed"], "is none"},
	} {
		_, err := ParseSSHKey(name, c.private, c.cert)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "FAKE")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The keys are there as long as they may be, and are read anew when they may be again.
func TestSSHLocked(t *testing.T) {
	keys := parsed(t, sshKeys(t))
	var locked, loads atomic.Int32
	s := &SSHServer{Load: func() ([]SSHKey, func(bool) bool, error) {
		loads.Add(1)
		if locked.Load() > 0 {
			return nil, nil, errors.New("fake failure")
		}
		return keys, func(bool) bool { return locked.Load() == 0 }, nil
	}}
	dir, path, _ := serveSSH(t, s)
	c := sshClient(t, path)
	sign := func() error {
		_, err := c.Sign(keys[0].Signer.PublicKey(), []byte("x"))
		return err
	}
	noError(t, sign(), sign())
	if n := loads.Load(); n != 1 {
		t.Errorf("read %d times", n)
	}
	locked.Store(1)
	if sign() == nil {
		t.Error("signed")
	}
	if _, err := c.List(); err == nil {
		t.Error("listed")
	}
	locked.Store(0)
	noError(t, sign())
	before := loads.Load()
	told, err := LockSSH(dir)
	if noError(t, err, sign()); !told {
		t.Error("nobody was told")
	}
	if loads.Load() != before+1 {
		t.Error("a lock has not forgotten them")
	}
	// A host to which the agent is forwarded brings back nothing, and ends nothing.
	noError(t, c.RemoveAll())
	for _, name := range []string{lockExtension, renewExtension, stopExtension} {
		for _, contents := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("A"), 26)} {
			if _, err := c.Extension(name, contents); err != sshagent.ErrExtensionUnsupported {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if sign() == nil {
		t.Error("a key that was removed is there again")
	}
	noError(t, RenewSSH(dir), sign())
	// What is not asked for any more is out of memory, too.
	locked.Store(1)
	s.look()
	if s.keys != nil {
		t.Error("the keys are there still")
	}
	if told, err := LockSSH(filepath.Join(dir, "none")); told || err != nil {
		t.Error(told, err)
	}
}

func TestSSHLifetime(t *testing.T) {
	keys := parsed(t, sshKeys(t))
	clock := &clock{}
	s := &SSHServer{For: time.Hour, clock: clock.now, Load: func() ([]SSHKey, func(bool) bool, error) { return keys, nil, nil }}
	_, path, ended := serveSSH(t, s)
	c := sshClient(t, path)
	_, err := c.List()
	noError(t, err)
	clock.add(30*time.Minute, -20*time.Hour)
	_, err = c.List()
	noError(t, err)
	clock.add(30*time.Minute, 0)
	if _, err := c.List(); err == nil {
		t.Error("it goes on")
	}
	noError(t, <-ended)
}

func TestSSHConfirm(t *testing.T) {
	keys := parsed(t, sshKeys(t))
	var asked atomic.Value
	answer := atomic.Bool{}
	_, path, _ := serveSSH(t, &SSHServer{
		Load:    func() ([]SSHKey, func(bool) bool, error) { return keys, nil, nil },
		Confirm: func(comment, fingerprint string) bool { asked.Store(comment + fingerprint); return answer.Load() },
	})
	c := sshClient(t, path)
	if _, err := c.Sign(keys[2].Signer.PublicKey(), []byte("x")); err == nil {
		t.Error("signed")
	}
	if asked.Load() != "ec"+ssh.FingerprintSHA256(keys[2].Signer.PublicKey()) {
		t.Error(asked.Load())
	}
	answer.Store(true)
	_, err := c.Sign(keys[2].Signer.PublicKey(), []byte("x"))
	noError(t, err)
}

// What is no request, or one of another user, is dropped; many at once are served or refused.
func TestSSHBadClients(t *testing.T) {
	keys := parsed(t, sshKeys(t))
	_, path, _ := serveSSH(t, &SSHServer{Load: func() ([]SSHKey, func(bool) bool, error) { return keys, nil, nil }})
	for name, text := range map[string]string{
		"nothing in it": "\x00\x00\x00\x00",
		"too long":      string(binary.BigEndian.AppendUint32(nil, maxSSHRequest+1)),
		"much":          "\xff\xff\xff\xff" + strings.Repeat("x", 1<<16),
	} {
		c, err := net.Dial("unix", path)
		noError(t, err)
		_, _ = io.WriteString(c, text) // it may be closed already
		if data, _ := io.ReadAll(c); len(data) > 0 {
			t.Errorf("%s: answered %q", name, data)
		}
		_ = c.Close()
	}
	var open []net.Conn
	for range maxSSHConns + 10 {
		c, err := net.Dial("unix", path)
		noError(t, err)
		open = append(open, c)
	}
	if data, err := io.ReadAll(open[len(open)-1]); len(data) > 0 || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	_, err := sshagent.NewClient(open[0]).List()
	noError(t, err)
	for _, c := range open {
		_ = c.Close()
	}
	if os.Geteuid() != 0 {
		return // only root can be somebody else
	}
	noError(t, os.Chmod(filepath.Dir(path), 0o777), os.Chmod(path, 0o777), os.Rename(path, filepath.Join(filepath.Dir(path), socketName)))
	if out := asNobody(t, "ask="+filepath.Dir(path), nil); out != "got 0\n" {
		t.Errorf("%q", out)
	}
}

// FuzzSSHRequest has an SSH agent read anything.
func FuzzSSHRequest(f *testing.F) {
	files := sshKeys(f)
	keys := parsed(f, files)
	public := keys[0].Signer.PublicKey().Marshal()
	sign := append([]byte{13}, ssh.Marshal(struct {
		Key, Data []byte
		Flags     uint32
	}{public, []byte("x"), 4})...)
	for _, seed := range [][]byte{{11}, {1}, {19}, {22, 0, 0, 0, 0}, sign, append([]byte{18}, ssh.Marshal(struct{ Key []byte }{public})...), append([]byte{27}, ssh.Marshal(struct{ Name string }{lockExtension})...)} {
		f.Add(seed)
	}
	s := &SSHServer{clock: now, stop: func() {}, Load: func() ([]SSHKey, func(bool) bool, error) { return keys, nil, nil }}
	private := [][]byte{keys[0].private(f, files["ed"])}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || len(data) > maxSSHRequest {
			return
		}
		s.removed, s.bare = nil, false
		var out bytes.Buffer
		in := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
		_ = sshagent.ServeAgent(s, struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(in), &out})
		for _, key := range private {
			if bytes.Contains(out.Bytes(), key) {
				t.Error("the key came out")
			}
		}
	})
}

// private is the secret half of an Ed25519 key.
func (SSHKey) private(t testing.TB, file []byte) []byte {
	t.Helper()
	raw, err := ssh.ParseRawPrivateKey(file)
	noError(t, err)
	return raw.(*ed25519.PrivateKey).Seed()
}

// BenchmarkSSHSign compares signatures with those by OpenSSH's agent.
func BenchmarkSSHSign(b *testing.B) {
	files := sshKeys(b)
	keys := parsed(b, files)
	_, ours, _ := serveSSH(b, &SSHServer{Load: func() ([]SSHKey, func(bool) bool, error) { return keys, nil, nil }})
	theirs := filepath.Join(folder(b), "s")
	cmd := exec.CommandContext(b.Context(), "ssh-agent", "-D", "-a", theirs)
	noError(b, cmd.Start())
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for {
		if c, err := net.Dial("unix", theirs); err == nil {
			_ = c.Close()
			break
		}
	}
	add := sshClient(b, theirs)
	for _, file := range files {
		raw, err := ssh.ParseRawPrivateKey(file)
		noError(b, err)
		noError(b, add.Add(sshagent.AddedKey{PrivateKey: raw}))
	}
	for i, key := range keys {
		for name, path := range map[string]string{"rhx": ours, "openssh": theirs} {
			c := sshClient(b, path)
			b.Run(fmt.Sprintf("%s/%s", keys[i].Comment, name), func(b *testing.B) {
				for b.Loop() {
					_, err := c.SignWithFlags(key.Signer.PublicKey(), []byte("fake data"), sshagent.SignatureFlagRsaSha512)
					noError(b, err)
				}
			})
		}
	}
}

// A pipe in the place of the lock is not waited for, and one that is huge is not read.
func TestTheWordIsAFile(t *testing.T) {
	dir := folder(t)
	socket := filepath.Join(dir, sshName+socketEnd)
	lock := filepath.Join(dir, sshName+lockEnd)
	noError(t, syscall.Mkfifo(lock, 0o600))
	done := make(chan error, 1)
	go func() {
		_, err := wordOf(socket)
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("a pipe has a word")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for the pipe")
	}
	noError(t, os.Remove(lock), os.WriteFile(lock, make([]byte, 1<<20), 0o600))
	if _, err := wordOf(socket); err == nil {
		t.Error("a MiB is a word")
	}
	noError(t, os.WriteFile(lock, []byte("word"), 0o600))
	if word, err := wordOf(socket); err != nil || string(word) != "word" {
		t.Errorf("%q, %v", word, err)
	}
}
