package agestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/store"
)

// opens reports how many of the store's versions the keys in a file open, of how many.
func opens(t *testing.T, s *Store, identity string) (n, all int) {
	t.Helper()
	data, err := os.ReadFile(identity)
	noError(t, err)
	k, err := (&Store{opt: Options{Dir: t.TempDir()}}).parseKey(identity, data)
	noError(t, err)
	paths, err := filepath.Glob(filepath.Join(s.secrets(), "*", "*.age"))
	noError(t, err)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		noError(t, err)
		if _, _, err := decodeFile(data, k.ids); err == nil {
			n++
		}
	}
	return n, len(paths)
}

// keep copies the key file, as somebody who has stolen it.
func keep(t *testing.T, s *Store) string {
	t.Helper()
	path, _ := s.identityPath()
	data, err := os.ReadFile(path)
	noError(t, err)
	return write(t, filepath.Join(t.TempDir(), "stolen"), data, 0o600)
}

func TestRekey(t *testing.T) {
	s := recorded(t)
	ctx := t.Context()
	sealed, err := s.Seal(ctx, "label", []byte("FAKE"))
	noError(t, err)
	before, err := s.DeriveAll(ctx, "p", true)
	noError(t, err)
	stolen := keep(t, s)
	for round := range 2 {
		n, err := s.Rekey(ctx, "")
		if err != nil || n != 6 {
			t.Fatalf("%d, %v", n, err)
		}
		if n, all := opens(t, s, stolen); n != 0 || all != 6 {
			t.Errorf("the old key opens %d of %d", n, all)
		}
		if n, all := opens(t, s, keep(t, s)); n != 6 || all != 6 {
			t.Errorf("the new key opens %d of %d", n, all)
		}
		right(t, s)
		for _, s := range []*Store{s, Open(s.opt)} {
			for version, want := range map[int]string{0: "FAKE", 1: "FAKE"} {
				if got := reads(t, s, "a", version); got != want {
					t.Errorf("%q", got)
				}
			}
			plain, err := s.Unseal(ctx, "label", sealed)
			if err != nil || string(plain) != "FAKE" {
				t.Errorf("%q, %v", plain, err)
			}
			after, err := s.DeriveAll(ctx, "p", false)
			if err != nil || len(after) != 2+round || string(after[1+round]) != string(before[0]) || string(after[0]) == string(before[0]) {
				t.Errorf("%d keys, %v", len(after), err)
			}
		}
		known, err := s.recorded()
		if err != nil || !slices.Equal(known, s.key.public) || len(known) != 1 {
			t.Errorf("%q, %v", known, err)
		}
		putFake(t, s, "later", "FAKE")
		if n, _ := opens(t, s, stolen); n != 0 {
			t.Error("the old key opens what was saved later")
		}
		noError(t, s.Destroy(ctx, "later"))
		right(t, s)
	}
	// Who has the old key can neither add to the record nor seal anything new.
	thief := Open(Options{Dir: s.opt.Dir, Identity: stolen})
	if _, err := thief.Get(ctx, "a", 0); !errors.Is(err, store.ErrDenied) {
		t.Error(err)
	}
}

// A process that is killed at any step leaves a store that works; the next call goes on.
func TestSoakRekeyKilledAtAnyStep(t *testing.T) {
	base := recorded(t)
	stolen := keep(t, base)
	for step := 1; ; step += nextStep(7) {
		s := Open(Options{Dir: dataDir(t), Warn: func(m string) { t.Errorf("step %d: %s", step, m) }})
		clone(t, base.opt.Dir, s.opt.Dir)
		noError(t, os.Chmod(filepath.Join(s.opt.Dir, "identity.txt"), 0o600))
		n := 0
		type killed struct{}
		s.onStep = func() {
			if n++; n == step {
				panic(killed{})
			}
		}
		done := func() (done bool) {
			defer func() {
				if p := recover(); p != nil {
					if _, ok := p.(killed); !ok {
						panic(p)
					}
				}
			}()
			_, err := s.Rekey(t.Context(), "")
			noError(t, err)
			return true
		}()
		if done {
			if step < 50 {
				t.Errorf("only %d steps", step)
			}
			return
		}
		next := Open(s.opt)
		for _, name := range []string{"a", "c"} {
			if rec, err := next.Get(t.Context(), name, 0); err != nil || rec.Secret.Values["k"].Reveal() != "FAKE" {
				t.Fatalf("step %d: %s: %v", step, name, err)
			}
		}
		if got := problems(t, next); got != "" {
			t.Fatalf("step %d: %s", step, got)
		}
		putFake(t, next, "between", fmt.Sprint(step))
		if _, err := next.Rekey(t.Context(), ""); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if n, _ := opens(t, next, stolen); n != 0 {
			t.Fatalf("step %d: the old key opens %d versions", step, n)
		}
		if n, all := opens(t, next, keep(t, next)); n != 7 || all != 7 || len(next.key.ids) != 1 {
			t.Fatalf("step %d: the new key opens %d of %d", step, n, all)
		}
		if got := problems(t, next); got != "" {
			t.Errorf("step %d, and gone on: %s", step, got)
		}
	}
}

// The key of Options may be new: the old one is named.
func TestRekeyToAnotherFile(t *testing.T) {
	s := recorded(t)
	old, _ := s.identityPath()
	id, err := age.GenerateX25519Identity()
	noError(t, err)
	other := write(t, filepath.Join(t.TempDir(), "new.txt"), []byte(id.String()+"\n"), 0o600)
	next := Open(Options{Dir: s.opt.Dir, Identity: other})
	if _, err := next.Rekey(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "is not one that rhx made") {
		t.Error(err)
	}
	if _, err := next.Rekey(t.Context(), other); err == nil || !strings.Contains(err.Error(), "are the same key") {
		t.Error(err)
	}
	if n, err := next.Rekey(t.Context(), old); err != nil || n != 6 {
		t.Fatal(n, err)
	}
	if n, all := opens(t, next, other); n != 6 || all != 6 {
		t.Errorf("%d of %d", n, all)
	}
	if n, _ := opens(t, next, old); n != 0 {
		t.Errorf("the old key opens %d", n)
	}
	right(t, next)
	if got := reads(t, next, "a", 0); got != "FAKE" {
		t.Error(got)
	}
	data, err := os.ReadFile(old)
	if err != nil || !strings.Contains(string(data), "AGE-SECRET-KEY-") {
		t.Error("the old file was changed:", err)
	}
}

// A new key has a passphrase where the old one has.
func TestRekeyWithAPassphrase(t *testing.T) {
	const first, second = "correct horse battery staple", "another four words indeed"
	p := &person{answers: []string{first, first}}
	s := Open(Options{Dir: dataDir(t), NewPassphrase: true, Passphrase: p.ask})
	s.workFactor = 2
	putFake(t, s, "a", "FAKE")
	p = &person{answers: []string{second, second}}
	s.opt.Passphrase = p.ask
	if n, err := s.Rekey(t.Context(), ""); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	for answer, want := range map[string]string{second: "FAKE", first: "wrong passphrase"} {
		p := &person{answers: []string{answer, answer}}
		if got := reads(t, Open(Options{Dir: s.opt.Dir, Passphrase: p.ask}), "a", 0); !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What was changed while the key waited for its passphrase, and was proven by a later save or not
// at all, is no obstacle.
func TestRekeyAfterChangesWithoutThePassphrase(t *testing.T) {
	const first, second = "correct horse battery staple", "another four words indeed"
	for name, save := range map[string]bool{"not proven": false, "proven by a save": true} {
		s := Open(Options{Dir: dataDir(t), NewPassphrase: true, Passphrase: (&person{answers: []string{first, first}}).ask})
		s.workFactor = 2
		putFake(t, s, "a", "FAKE")
		putFake(t, s, "b", "FAKE")
		noError(t, Open(Options{Dir: s.opt.Dir}).Delete(t.Context(), "b"))
		if save {
			putFake(t, s, "c", "FAKE")
		}
		s.opt.Passphrase = (&person{answers: []string{second, second}}).ask
		if _, err := s.Rekey(t.Context(), ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What was kept of old keys is read whole or not at all.
func TestRetiredKeysThatAreDamaged(t *testing.T) {
	s := somebody(t)
	putFake(t, s, "a", "FAKE")
	sealed, err := s.Seal(t.Context(), "label", []byte("FAKE"))
	noError(t, err)
	_, err = s.Rekey(t.Context(), "")
	noError(t, err)
	good, err := os.ReadFile(s.retiredPath())
	noError(t, err)
	k, err := s.unlocked()
	noError(t, err)
	seal := func(text string) []byte {
		data, err := k.seal(retiredLabel, []byte(text))
		noError(t, err)
		return data
	}
	thief := somebody(t)
	other, err := thief.Seal(t.Context(), retiredLabel, []byte(`["x"]`))
	noError(t, err)
	for name, data := range map[string][]byte{"cut": good[:len(good)-1], "empty": {}, "no list": seal("{}"), "no key": seal(`["x"]`), "a thief's": other} {
		write(t, s.retiredPath(), data, 0o600)
		next := Open(s.opt)
		if _, err := next.Unseal(t.Context(), "label", sealed); err == nil || !strings.Contains(err.Error(), "retired.age") {
			t.Errorf("%s: unseal: %v", name, err)
		}
		if _, err := next.DeriveAll(t.Context(), "p", true); err == nil || !strings.Contains(err.Error(), "retired.age") {
			t.Errorf("%s: derive: %v", name, err)
		}
		if _, err := next.Rekey(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "retired.age") {
			t.Errorf("%s: rekey: %v", name, err)
		}
		if got := reads(t, next, "a", 0); got != "FAKE" {
			t.Errorf("%s: %s", name, got)
		}
	}
	write(t, s.retiredPath(), good, 0o600)
	if _, err := Open(s.opt).Rekey(t.Context(), ""); err != nil {
		t.Error(err)
	}
	if plain, err := Open(s.opt).Unseal(t.Context(), "label", sealed); err != nil || string(plain) != "FAKE" {
		t.Errorf("%q, %v", plain, err)
	}
}

// A key that cannot be read, or a passphrase that is not given, is an error before anything
// is changed.
func TestRekeyWithoutAKey(t *testing.T) {
	s := recorded(t)
	s.opt.Warn = nil
	path, _ := s.identityPath()
	before := keep(t, s)
	missing := filepath.Join(t.TempDir(), "missing")
	other := keep(t, somebody(t))
	for name, c := range map[string]struct {
		opt  Options
		from string
		want string
	}{
		"no such old key":     {Options{Dir: s.opt.Dir, Identity: other}, missing, "no such file"},
		"no such new key":     {Options{Dir: s.opt.Dir, Identity: missing}, path, "the key file cannot be read"},
		"not the old key":     {Options{Dir: s.opt.Dir, Identity: other}, keep(t, somebody(t)), "are encrypted to"},
		"no new passphrase":   {Options{Dir: s.opt.Dir, NewPassphrase: true}, "", "there is nobody to ask"},
		"a weak one":          {Options{Dir: s.opt.Dir, NewPassphrase: true, Passphrase: func(string) (string, error) { return "1234", nil }}, "", "passphrase"},
		"from its own key":    {Options{Dir: s.opt.Dir}, path, "are the same key"},
		"the new key's words": {Options{Dir: s.opt.Dir, Identity: write(t, filepath.Join(t.TempDir(), "k"), []byte("x"), 0o600)}, path, "not a key"},
	} {
		if _, err := Open(c.opt).Rekey(t.Context(), c.from); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if n, all := opens(t, s, before); n != 6 || all != 6 {
			t.Errorf("%s: the key opens %d of %d", name, n, all)
		}
		a, err1 := os.ReadFile(path)
		b, err2 := os.ReadFile(before)
		if err1 != nil || err2 != nil || string(a) != string(b) {
			t.Errorf("%s: the key file was changed", name)
		}
	}
	right(t, s)
}

// An error at any step is the command's, and the next call goes on.
func TestSoakRekeyOnADiskThatFails(t *testing.T) {
	base := recorded(t)
	stolen := keep(t, base)
	failed := 0
	for step := 1; ; step += nextStep(7) {
		s := Open(Options{Dir: dataDir(t)})
		clone(t, base.opt.Dir, s.opt.Dir)
		noError(t, os.Chmod(filepath.Join(s.opt.Dir, "identity.txt"), 0o600))
		n := 0
		s.onStep = func() {
			if n++; n == step {
				noError(t, os.RemoveAll(s.temp()), os.WriteFile(s.temp(), nil, 0o600))
			}
		}
		_, err := s.Rekey(t.Context(), "")
		if n < step {
			noError(t, err)
			break
		}
		if err != nil {
			failed++
		}
		if info, err := os.Stat(s.temp()); err == nil && !info.IsDir() {
			noError(t, os.Remove(s.temp()))
		}
		next := Open(s.opt)
		if got := problems(t, next); got != "" {
			t.Fatalf("step %d: %s", step, got)
		}
		if got := reads(t, next, "a", 0); got != "FAKE" {
			t.Fatalf("step %d: %s", step, got)
		}
		if _, err := next.Rekey(t.Context(), ""); err != nil {
			t.Fatalf("step %d again: %v", step, err)
		}
		if n, _ := opens(t, next, stolen); n != 0 {
			t.Fatalf("step %d: the old key opens %d", step, n)
		}
		right(t, next)
	}
	if failed < 20/nextStep(7) {
		t.Errorf("%d steps failed", failed)
	}
}

// Where there is no store yet no secret is lost; where its key is gone, it is said.
func TestRekeyOfNoStore(t *testing.T) {
	s := Open(Options{Dir: dataDir(t)})
	if _, err := s.Rekey(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "there is no store yet") {
		t.Error(err)
	}
	kept := somebody(t)
	putFake(t, kept, "a", "FAKE")
	noError(t, os.Remove(filepath.Join(kept.opt.Dir, "identity.txt")))
	if _, err := Open(kept.opt).Rekey(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "is missing, and") {
		t.Error(err)
	}
	noError(t, os.RemoveAll(kept.secrets())) // the list of its keys is still there
	if _, err := Open(kept.opt).Rekey(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "is missing, and") {
		t.Error(err)
	}
}
