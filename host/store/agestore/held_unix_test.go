//go:build linux || darwin

package agestore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/agent"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// agentAt starts an agent in a folder; stop ends it.
func agentAt(t *testing.T) (dir string, stop func()) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "rhx-held-")
	noError(t, err)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "agent.sock"), Net: "unix"})
	noError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- (&agent.Server{Parse: HeldKey}).Serve(ctx, l) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			noError(t, <-done)
		}
	}
	t.Cleanup(func() { stop(); _ = os.RemoveAll(dir) })
	return dir, stop
}

func agentClient(t *testing.T, dir string) *agent.Client {
	t.Helper()
	c := agent.NewClient(func() string { return dir }, func(text string) { t.Error(text) })
	t.Cleanup(c.Close)
	return c
}

// unlockAt gives the key of a store to an agent.
func unlockAt(t *testing.T, dir string, o Options, answers ...string) {
	t.Helper()
	p := &person{answers: answers}
	o.Passphrase = p.ask
	m, err := Open(o).Material()
	noError(t, err)
	m.For, m.Idle = time.Hour, time.Hour
	noError(t, agentClient(t, dir).Add(m))
	if len(p.prompts) != len(answers) {
		t.Errorf("asked %q", p.prompts)
	}
}

// Every kind of key that has a passphrase does in the agent what it does here, and the record
// is proven.
func TestAnAgentHoldsTheKey(t *testing.T) {
	ctx := t.Context()
	for name, f := range keyFiles(t) {
		if f.asks == 0 {
			if _, err := Open(Options{Dir: dataDir(t), Identity: f.path}).Material(); !errors.Is(err, ErrNoPassphrase) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		t.Run(name, func(t *testing.T) {
			at, _ := agentAt(t)
			o := Options{Dir: dataDir(t), Identity: f.path, Warn: func(text string) { t.Error(text) }}
			unlockAt(t, at, o, passphrase)
			open := func() *Store {
				o := o
				o.Agent = agentClient(t, at)
				return Open(o)
			}
			sec := &secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("FAKE")}}
			_, err := open().Put(ctx, sec, store.AnyVersion)
			noError(t, err)
			rec, err := open().Get(ctx, "a", 0)
			noError(t, err)
			if !rec.Secret.Values.Equal(sec.Values) {
				t.Error("another value")
			}
			sealed, err := open().Seal(ctx, "label", []byte("FAKE"))
			noError(t, err)
			derived, err := open().Derive(ctx, "p")
			noError(t, err)
			ready, err := open().DeriveAll(ctx, "p", false)
			noError(t, err)
			noError(t, open().Delete(ctx, "a"), open().Undelete(ctx, "a", 0))
			if got := problems(t, open()); got != "" {
				t.Errorf("problems: %s", got)
			}
			// The same without an agent.
			o.Passphrase = func(string) (string, error) { return passphrase, nil }
			here := Open(o)
			if data, err := here.Unseal(ctx, "label", sealed); err != nil || string(data) != "FAKE" {
				t.Errorf("%q, %v", data, err)
			}
			own, err := here.Derive(ctx, "p")
			noError(t, err)
			if !bytes.Equal(own, derived) || len(ready) != 1 || !bytes.Equal(own, ready[0]) {
				t.Error("another key was derived")
			}
			if got := problems(t, here); got != "" {
				t.Errorf("problems: %s", got)
			}
			files, err := here.recordFiles()
			noError(t, err)
			for _, lines := range files {
				if bytes.Contains(lines, []byte(" -\n")) {
					t.Errorf("not all lines have a proof:\n%s", lines)
				}
			}
			sealed, err = here.Seal(ctx, "label", []byte("FAKE2"))
			noError(t, err)
			if data, err := open().Unseal(ctx, "label", sealed); err != nil || string(data) != "FAKE2" {
				t.Errorf("%q, %v", data, err)
			}
		})
	}
}

// locked is a store whose key has a passphrase, with a secret.
func locked(t *testing.T) (Options, *agent.Material) {
	t.Helper()
	plain, _ := ageKey(t)
	o := Options{Dir: dataDir(t)}
	write(t, filepath.Join(o.Dir, "identity.txt"), withPassphrase(t, plain, true), 0o600)
	with := o
	with.Passphrase = (&person{answers: []string{passphrase, passphrase}}).ask
	s := Open(with)
	_, err := s.Put(t.Context(), fake("a"), store.AnyVersion)
	noError(t, err)
	m, err := Open(with).Material()
	noError(t, err)
	m.For, m.Idle = time.Hour, time.Hour
	return o, m
}

// The private key, and the one that signs the record, do not come out of the agent, whatever
// it is asked for.
func TestTheKeyStaysInTheAgent(t *testing.T) {
	_, m := locked(t)
	k, err := HeldKey(m)
	noError(t, err)
	private := string(m.Texts[0])
	signing, err := derive([]byte(private), signaturePurpose)
	noError(t, err)
	at, _ := agentAt(t)
	c := agentClient(t, at)
	noError(t, c.Add(m))
	r, err := c.Find(m.Digest)
	noError(t, err)
	var all bytes.Buffer
	keys, err := r.Derive("seal")
	noError(t, err)
	fmt.Fprint(&all, r.Public(), r.Signers(), keys)
	all.Write(bytes.Join(keys, nil))
	sum := sha256.Sum256([]byte("a"))
	sig, err := r.Sign("record", sum[:])
	noError(t, err)
	all.Write(sig)
	if !slices.Equal(k.Public(), r.Public()) || !slices.Equal(k.Signers(), r.Signers()) {
		t.Error("another key")
	}
	for _, secret := range []string{private, string(signing)} {
		if bytes.Contains(all.Bytes(), []byte(secret)) {
			t.Error("the key came out")
		}
	}
	if _, err := r.Derive(signaturePurpose); err == nil {
		t.Error("the key that signs came out")
	}
	for _, purpose := range []string{"", "record 1\nrecord", "Record"} {
		if _, err := r.Sign(purpose, sum[:]); err == nil {
			t.Errorf("signed for %q", purpose)
		}
	}
	if _, err := r.Unwrap([]*age.Stanza{{Type: "X25519", Args: []string{"x"}}}); err == nil {
		t.Error("unwrapped nothing")
	}
}

func TestWhatAnAgentDoesNotHold(t *testing.T) {
	plain, _ := ageKey(t)
	for name, m := range map[string]*agent.Material{
		"nothing":           {},
		"text":              {Texts: [][]byte{[]byte("fake")}},
		"with a passphrase": {Texts: [][]byte{withPassphrase(t, plain, true)}},
	} {
		if _, err := HeldKey(m); err == nil {
			t.Errorf("%s: held", name)
		}
	}
}

// What was changed while the key waited for its passphrase is in order with the agent, too.
func TestChangesFromBeforeTheAgent(t *testing.T) {
	o, m := locked(t)
	noError(t, Open(o).Delete(t.Context(), "a"))
	dir, _ := agentAt(t)
	noError(t, agentClient(t, dir).Add(m))
	o.Agent = agentClient(t, dir)
	v, err := Open(o).Verify(t.Context())
	if err != nil || len(v.Problems) > 0 || len(v.Notes) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	noError(t, Open(o).Undelete(t.Context(), "a", 0))
	if v, err := Open(o).Verify(t.Context()); err != nil || len(v.Problems)+len(v.Notes) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// Without the agent, or with one that holds another key, the passphrase is asked for, once.
func TestWithoutTheKeyInTheAgent(t *testing.T) {
	ctx := t.Context()
	o, m := locked(t)
	_, other := locked(t)
	for name, prepare := range map[string]func(t *testing.T) string{
		"no agent":  func(t *testing.T) string { dir, stop := agentAt(t); stop(); return dir },
		"no folder": func(t *testing.T) string { return "/none" },
		"nothing":   func(t *testing.T) string { dir, _ := agentAt(t); return dir },
		"another key": func(t *testing.T) string {
			dir, _ := agentAt(t)
			noError(t, agentClient(t, dir).Add(other))
			return dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &person{answers: []string{passphrase}}
			o := o
			o.Passphrase, o.Agent = p.ask, agentClient(t, prepare(t))
			s := Open(o)
			for range 2 {
				if _, err := s.Get(ctx, "a", 0); err != nil {
					t.Error(err)
				}
			}
			if len(p.prompts) != 1 {
				t.Errorf("asked %q", p.prompts)
			}
		})
	}
	// A key that was changed is another one, and the agent's is not used for it.
	dir, _ := agentAt(t)
	noError(t, agentClient(t, dir).Add(m))
	plain, _ := ageKey(t)
	write(t, filepath.Join(o.Dir, "identity.txt"), withPassphrase(t, plain, true), 0o600)
	p := &person{answers: []string{passphrase}}
	o.Passphrase, o.Agent = p.ask, agentClient(t, dir)
	if _, err := Open(o).Get(ctx, "a", 0); !errors.Is(err, store.ErrDenied) || len(p.prompts) != 1 {
		t.Errorf("%v, asked %q", err, p.prompts)
	}
}

// An agent that is gone in the middle of a command leaves one that asks.
func TestTheAgentIsGoneMeanwhile(t *testing.T) {
	ctx := t.Context()
	for _, act := range []string{"ended", "locked"} {
		o, m := locked(t)
		dir, stop := agentAt(t)
		c := agentClient(t, dir)
		noError(t, c.Add(m))
		p := &person{answers: []string{passphrase}}
		o.Passphrase, o.Agent = p.ask, agentClient(t, dir)
		s := Open(o)
		_, err := s.Get(ctx, "a", 0)
		noError(t, err)
		sealed, err := s.Seal(ctx, "label", []byte("FAKE"))
		noError(t, err)
		if act == "locked" {
			noError(t, c.Lock())
		} else {
			stop()
		}
		if len(p.prompts) != 0 {
			t.Errorf("asked %q", p.prompts)
		}
		// What is only noted asks for nothing, and has no proof.
		noError(t, s.Delete(ctx, "a"), s.Undelete(ctx, "a", 0))
		_, err = s.Put(ctx, fake("b"), store.AnyVersion)
		noError(t, err)
		if len(p.prompts) != 0 {
			t.Errorf("asked %q", p.prompts)
		}
		if rec, err := s.Get(ctx, "b", 0); err != nil || rec.Secret.Values["k"].Reveal() != "FAKE" {
			t.Error(err)
		}
		if data, err := s.Unseal(ctx, "label", sealed); err != nil || string(data) != "FAKE" {
			t.Errorf("%q, %v", data, err)
		}
		if len(p.prompts) != 1 {
			t.Errorf("asked %q", p.prompts)
		}
		o.Passphrase = (&person{answers: []string{passphrase}}).ask
		if got := problems(t, Open(o)); got != "" {
			t.Errorf("%s: problems: %s", act, got)
		}
	}
}

// A new key is made with the passphrase, not with what an agent holds, and the agent's old
// one opens nothing of the store then.
func TestRekeyWithAnAgent(t *testing.T) {
	ctx := t.Context()
	o, m := locked(t)
	dir, _ := agentAt(t)
	noError(t, agentClient(t, dir).Add(m))
	const next = "another fake passphrase of eight words for a test"
	p := &person{answers: []string{passphrase, next, next}}
	o.Passphrase, o.Agent = p.ask, agentClient(t, dir)
	o.Warn = func(text string) { t.Error(text) }
	s := Open(o)
	s.workFactor = workFactor
	_, err := s.Get(ctx, "a", 0) // by the agent
	noError(t, err)
	n, err := s.Rekey(ctx, "")
	if err != nil || n != 1 || len(p.prompts) != 3 {
		t.Fatalf("%d, %v; asked %q", n, err, p.prompts)
	}
	p = &person{answers: []string{next}}
	o.Passphrase, o.Agent = p.ask, agentClient(t, dir)
	if _, err := Open(o).Get(ctx, "a", 0); err != nil || len(p.prompts) != 1 {
		t.Errorf("%v; asked %q", err, p.prompts)
	}
	data, err := os.ReadFile(filepath.Join(o.Dir, "store", "secrets", "a", "1.age"))
	noError(t, err)
	r, err := agentClient(t, dir).Find(m.Digest)
	noError(t, err)
	if _, err := age.Decrypt(bytes.NewReader(data), r); err == nil {
		t.Error("the old key in the agent opens it")
	}
	// The new one in the agent opens also what was sealed with the old one.
	o.Agent = nil
	unlockAt(t, dir, o, next)
	o.Passphrase, o.Agent = nil, agentClient(t, dir)
	if _, err := Open(o).Get(ctx, "a", 0); err != nil {
		t.Error(err)
	}
	if all, err := Open(o).DeriveAll(ctx, "p", false); err != nil || len(all) != 2 {
		t.Errorf("%d keys, %v", len(all), err)
	}
}

func TestNothingToUnlock(t *testing.T) {
	o := Options{Dir: dataDir(t)}
	if _, err := Open(o).Material(); err == nil || !strings.Contains(err.Error(), "there is no key yet") {
		t.Error(err)
	}
	with, _ := locked(t)
	noError(t, os.Remove(filepath.Join(with.Dir, "identity.txt")))
	if _, err := Open(with).Material(); !errors.Is(err, store.ErrDenied) {
		t.Error(err)
	}
	o.Identity = filepath.Join(t.TempDir(), "none")
	if _, err := Open(o).Material(); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Error(err)
	}
}

// Of a key of a plugin the agent holds the seed, and the plugin decrypts for each command.
func TestAnAgentHoldsTheSeedOfAPlugin(t *testing.T) {
	ctx := t.Context()
	file, touched := pluginKeys(t)
	o := Options{Dir: dataDir(t), Identity: write(t, filepath.Join(t.TempDir(), "key"), file(), 0o600), Warn: func(text string) { t.Error(text) }}
	putFake(t, Open(o), "a", "FAKE")
	m, err := Open(o).Material()
	noError(t, err)
	m.For, m.Idle = time.Hour, time.Hour
	dir, _ := agentAt(t)
	noError(t, agentClient(t, dir).Add(m))
	own, err := Open(o).Derive(ctx, "p")
	noError(t, err)
	touched()
	open := func() *Store {
		o := o
		o.Agent = agentClient(t, dir)
		return Open(o)
	}
	if rec, err := open().Get(ctx, "a", 0); err != nil || rec.Secret.Values["k"].Reveal() != "FAKE" {
		t.Error(err)
	}
	if n := touched(); n != 1 {
		t.Errorf("the plugin has decrypted %d times", n)
	}
	derived, err := open().DeriveAll(ctx, "p", false)
	noError(t, err)
	if len(derived) != 1 || !bytes.Equal(derived[0], own) || touched() != 0 {
		t.Errorf("derived %d keys", len(derived))
	}
	putFake(t, open(), "b", "FAKE")
	if got := problems(t, open()); got != "" {
		t.Error(got)
	}
	noError(t, agentClient(t, dir).Lock())
	if rec, err := open().Get(ctx, "b", 0); err != nil || rec.Secret.Values["k"].Reveal() != "FAKE" {
		t.Error(err)
	}
}

// A key that a command prints is held by the name of the command, which does not run then.
func TestAnAgentHoldsTheKeyOfACommand(t *testing.T) {
	ctx := t.Context()
	plain, _ := ageKey(t)
	dir, _ := agentAt(t)
	data, runs := plain, 0
	o := Options{Dir: dataDir(t), Command: &Command{Name: "KEY_COMMAND", Text: "print", Run: func() ([]byte, error) {
		runs++
		return bytes.Clone(data), nil
	}}}
	putFake(t, Open(o), "a", "FAKE")
	unlockAt(t, dir, o)
	o.Agent = agentClient(t, dir)
	runs = 0
	if rec, err := Open(o).Get(ctx, "a", 0); err != nil || rec.Secret.Values["k"].Reveal() != "FAKE" {
		t.Error(err)
	}
	putFake(t, Open(o), "a", "FAKE2")
	if got := problems(t, Open(o)); got != "" || runs != 0 {
		t.Error(got, runs)
	}
	// Once the store has another key, the agent's is not used.
	next, public := ageKey(t)
	data = next
	noError(t, Open(o).writeRecipients([]string{public}))
	if _, err := Open(o).Derive(ctx, "p"); err != nil || runs != 1 {
		t.Error(err, runs)
	}
}
