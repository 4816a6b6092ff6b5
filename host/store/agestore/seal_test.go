package agestore

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
)

func TestSealedIsReadBackWithTheSameKeyOnly(t *testing.T) {
	s := Open(Options{Dir: t.TempDir()})
	sealed, err := s.Seal(t.Context(), "token", []byte("fake-token"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("fake-token")) {
		t.Error("it is not encrypted")
	}
	if infos, err := s.List(t.Context()); err != nil || len(infos) != 0 {
		t.Errorf("the store lists %v, %v", infos, err)
	}
	data, err := Open(s.opt).Unseal(t.Context(), "token", sealed)
	if err != nil || string(data) != "fake-token" {
		t.Errorf("got %q, %v", data, err)
	}
	for _, label := range []string{"", "token2", "Token"} {
		if _, err := s.Unseal(t.Context(), label, sealed); !errors.Is(err, ErrNotSealed) {
			t.Errorf("with the label %q: %v", label, err)
		}
	}
	other := Open(Options{Dir: t.TempDir()})
	if _, err := other.Seal(t.Context(), "token", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Unseal(t.Context(), "token", sealed); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another key: %v", err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := s.Unseal(t.Context(), "token", sealed); err == nil || !strings.Contains(err.Error(), "altered") {
		t.Errorf("an altered byte: %v", err)
	}
}

// Anybody can encrypt to a public key; that makes nothing that rhx takes for its own.
func TestWhatOthersEncryptIsNotSealed(t *testing.T) {
	dir := t.TempDir()
	s := Open(Options{Dir: dir})
	if _, err := s.Seal(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	public := s.key.recipients[0]
	encrypt := func(text string) []byte {
		var b bytes.Buffer
		w, err := age.Encrypt(&b, public)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	thief, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	forger, err := derive([]byte(thief.String()), "seal")
	if err != nil {
		t.Fatal(err)
	}
	wrong := sealIntro + strings.Repeat("0", 64) + "\nx"
	for _, text := range []string{"", "x", "x\ny", sealIntro, sealIntro + "\n", sealIntro + "zz\nx", wrong, sealIntro + hexMAC(forger, "a", "x") + "\nx"} {
		if _, err := s.Unseal(t.Context(), "a", encrypt(text)); !errors.Is(err, ErrNotSealed) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := s.Unseal(t.Context(), "a", encrypt("rhx-sealed 2 x\ny")); err == nil || errors.Is(err, ErrNotSealed) || !strings.Contains(err.Error(), "newer") || fault.Hint(err) == "" {
		t.Error(err)
	}
}

func hexMAC(key []byte, label, data string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range sealMAC(key, label, []byte(data)) {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// A new key goes before the old one: what the old one sealed is read still.
func TestSealOfAnOlderKey(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "identity.txt")
	old := Open(Options{Dir: dir})
	sealed, err := old.Seal(t.Context(), "a", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := old.Derive(t.Context(), "p")
	if err != nil || len(before) != 32 {
		t.Fatal(before, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, append([]byte(id.String()+"\n"), text...), 0o600)
	both := Open(Options{Dir: dir})
	if data, err := both.Unseal(t.Context(), "a", sealed); err != nil || string(data) != "x" {
		t.Error(data, err)
	}
	if after, err := both.Derive(t.Context(), "p"); err != nil || bytes.Equal(before, after) {
		t.Error("the derived key is not of the first key", err)
	}
}

// What is derived is the same each time, another for each purpose and key, and needs
// the private half: here that of an SSH key with a passphrase.
func TestDerive(t *testing.T) {
	for name, make := range map[string]func(t *testing.T) (*Store, func() *Store){
		"age": func(t *testing.T) (*Store, func() *Store) {
			s := Open(Options{Dir: t.TempDir()})
			return s, func() *Store { return Open(s.opt) }
		},
		"ssh": func(t *testing.T) (*Store, func() *Store) {
			dir := t.TempDir()
			_, ed, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			path := write(t, filepath.Join(dir, "id"), sshPEM(t, ed, passphrase), 0o600)
			again := func() *Store {
				return Open(Options{Dir: dir, Identity: path, Passphrase: func(string) (string, error) { return passphrase, nil }})
			}
			return again(), again
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, again := make(t)
			a, err := s.Derive(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			b, err := s.Derive(t.Context(), "b")
			if err != nil || bytes.Equal(a, b) {
				t.Error(err)
			}
			if c, err := again().Derive(t.Context(), "a"); err != nil || !bytes.Equal(a, c) {
				t.Error("another key the second time", err)
			}
			sealed, err := s.Seal(t.Context(), "l", []byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			if data, err := again().Unseal(t.Context(), "l", sealed); err != nil || string(data) != "x" {
				t.Error(data, err)
			}
		})
	}
}

// Keys are derived of all that a file has, and without a question where none is
// wanted. None is made for it.
func TestDeriveAll(t *testing.T) {
	none := Open(Options{Dir: t.TempDir()})
	for _, ask := range []bool{true, false} {
		if keys, err := none.DeriveAll(t.Context(), "p", ask); err != nil || keys != nil {
			t.Error(keys, err)
		}
	}
	if names, err := dirNames(none.opt.Dir); err != nil || len(names) > 0 {
		t.Errorf("it made %q, %v", names, err)
	}
	plain := Open(Options{Dir: t.TempDir()})
	one, err := plain.Derive(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(plain.opt.Dir, "identity.txt")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, append([]byte(id.String()+"\n"), text...), 0o600)
	for _, ask := range []bool{true, false} {
		keys, err := Open(plain.opt).DeriveAll(t.Context(), "p", ask)
		if err != nil || len(keys) != 2 || !bytes.Equal(keys[1], one) || bytes.Equal(keys[0], one) {
			t.Errorf("%x, %v", keys, err)
		}
		if q, err := Open(plain.opt).DeriveAll(t.Context(), "q", ask); err != nil || bytes.Equal(q[1], one) {
			t.Errorf("%x, %v", q, err)
		}
	}
	write(t, path, []byte("nonsense"), 0o600)
	for _, ask := range []bool{true, false} {
		if keys, err := Open(plain.opt).DeriveAll(t.Context(), "p", ask); err == nil {
			t.Errorf("nonsense is a key: %x", keys)
		}
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	protected := Open(Options{Dir: t.TempDir(), NewPassphrase: true, Weak: true, Passphrase: func(string) (string, error) { return passphrase, nil }})
	protected.workFactor = workFactor
	if _, err := protected.Derive(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"age": {Dir: protected.opt.Dir},
		"ssh": {Dir: t.TempDir(), Identity: write(t, filepath.Join(t.TempDir(), "id"), sshPEM(t, ed, passphrase), 0o600)},
	} {
		asked := 0
		o.Passphrase = func(string) (string, error) { asked++; return passphrase, nil }
		s := Open(o)
		if keys, err := s.DeriveAll(t.Context(), "p", false); err != nil || keys != nil || asked > 0 {
			t.Errorf("%s: %x, %v, asked %d times", name, keys, err, asked)
		}
		if keys, err := s.DeriveAll(t.Context(), "p", true); err != nil || len(keys) != 1 || asked != 1 {
			t.Errorf("%s: %x, %v, asked %d times", name, keys, err, asked)
		}
		// It is open now.
		if keys, err := s.DeriveAll(t.Context(), "p", false); err != nil || len(keys) != 1 || asked != 1 {
			t.Errorf("%s: %x, %v, asked %d times", name, keys, err, asked)
		}
	}
}
