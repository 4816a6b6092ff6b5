//go:build unix

package agestore

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// method is something that a user asks of a store.
type method struct {
	name string
	do   func(ctx context.Context, s *Store) error
}

// methods are all of them; sealed was sealed for "l".
func methods(sealed []byte) []method {
	get := func(n int) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error { _, err := s.Get(ctx, "a", n); return err }
	}
	deriveAll := func(ask bool) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error { _, err := s.DeriveAll(ctx, "p", ask); return err }
	}
	return []method{
		{"list", func(ctx context.Context, s *Store) error { _, err := s.List(ctx); return err }},
		{"history", func(ctx context.Context, s *Store) error { _, err := s.History(ctx, "a"); return err }},
		{"get", get(0)},
		{"get1", get(1)},
		{"put", func(ctx context.Context, s *Store) error {
			_, err := s.Put(ctx, &secret.Secret{Name: "a"}, store.AnyVersion)
			return err
		}},
		{"delete", func(ctx context.Context, s *Store) error { return s.Delete(ctx, "a") }},
		{"undelete", func(ctx context.Context, s *Store) error { return s.Undelete(ctx, "b", 0) }},
		{"destroy", func(ctx context.Context, s *Store) error { return s.Destroy(ctx, "a") }},
		{"verify", func(ctx context.Context, s *Store) error {
			v, err := s.Verify(ctx)
			if err == nil && len(v.Problems) > 0 { // what it names stops it not
				err = fmt.Errorf("%s: %w", strings.Join(v.Problems, ", "), syscall.ELOOP)
			}
			return err
		}},
		{"accept", func(ctx context.Context, s *Store) error { return accept(ctx, s) }},
		{"seal", func(ctx context.Context, s *Store) error { _, err := s.Seal(ctx, "l", nil); return err }},
		{"unseal", func(ctx context.Context, s *Store) error { _, err := s.Unseal(ctx, "l", sealed); return err }},
		{"derive", func(ctx context.Context, s *Store) error { _, err := s.Derive(ctx, "p"); return err }},
		{"deriveall", deriveAll(true)},
		{"deriveopen", deriveAll(false)},
	}
}

// withTwo is a store with two versions of a, and b, which is deleted.
func withTwo(t *testing.T) (s *Store, sealed []byte) {
	t.Helper()
	s = twoVersions(t)
	putFake(t, s, "b", "FAKE")
	noError(t, s.Delete(t.Context(), "b"))
	sealed, err := s.Seal(t.Context(), "l", nil)
	noError(t, err)
	return s, sealed
}

// failing are the names of the methods that fail on a copy of s, each on its own one.
func failing(t *testing.T, s *Store, sealed []byte, spoil func(s *Store), check func(name string, s *Store, err error)) string {
	t.Helper()
	var failed []string
	for _, m := range methods(sealed) {
		other := Open(Options{Dir: dataDir(t)})
		clone(t, s.opt.Dir, other.opt.Dir)
		spoil(other)
		if err := m.do(t.Context(), other); err != nil {
			failed = append(failed, m.name)
			check(m.name, other, err)
		}
	}
	return strings.Join(failed, " ")
}

// What cannot be read or written is an error of each method that needs it, and of no
// other. A link that leads to itself stands for all that is wrong with a place.
func TestWhoNeedsWhatCannotBeRead(t *testing.T) {
	s, sealed := withTwo(t)
	id := s.mustSeen(t).ID
	in := func(parts ...string) func(*Store) string {
		return func(s *Store) string { return filepath.Join(append([]string{s.opt.Dir}, parts...)...) }
	}
	for name, c := range map[string]struct {
		path func(s *Store) string
		want string
	}{
		"the store":         {in("store"), "list history get get1 put delete undelete destroy verify accept"},
		"the secrets":       {in("store", "secrets"), "list history get get1 put delete undelete destroy verify accept"},
		"a secret":          {in("store", "secrets", "a"), "list history get get1 put delete destroy verify"},
		"another secret":    {in("store", "secrets", "z"), "list verify"},
		"the newest":        {in("store", "secrets", "a", "2.age"), "list history get verify"},
		"an older one":      {in("store", "secrets", "a", "1.age"), "history get1 verify"},
		"a deleted one":     {in("store", "secrets", "b", "1.age"), "verify"},
		"the folder tmp":    {in("store", "tmp"), "put delete undelete destroy verify accept"},
		"the lock":          {in("store", "lock"), "put delete undelete destroy verify accept"},
		"the record":        {in("store", "record"), "put delete undelete destroy verify accept"},
		"its file":          {in("store", "record", id+".log"), "verify"},
		"one of another":    {in("store", "record", strings.Repeat("0", 16)+".log"), "verify"},
		"what was seen":     {in("store.seen"), "put delete undelete destroy verify accept"},
		"the list of keys":  {in("store", "recipients.txt"), "put"},
		"the key":           {in("identity.txt"), "get get1 put delete undelete destroy verify accept seal unseal derive deriveall deriveopen"},
		"what rhx made not": {in("x"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			spoil := func(s *Store) {
				path := c.path(s)
				noError(t, os.RemoveAll(path), os.Symlink(path, path))
			}
			got := failing(t, s, sealed, spoil, func(method string, s *Store, err error) {
				if !errors.Is(err, syscall.ELOOP) || !strings.Contains(err.Error(), c.path(s)) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "FAKE") {
					t.Errorf("%s: %v, want one line that names %s", method, err, c.path(s))
				}
			})
			if got != c.want {
				t.Errorf("failed: %s\nwant:   %s", got, c.want)
			}
		})
	}
}

// An order that failed has changed nothing, or what it was to: wherever the disk fails
// it, what is said to be done is done, and the record has what is there.
func TestSoakWhatFailsHalfWay(t *testing.T) {
	s, _ := withTwo(t)
	newest := func(s *Store, name string) int {
		infos, err := s.List(t.Context())
		noError(t, err)
		for _, i := range infos {
			if i.Name == name {
				return i.Version
			}
		}
		return 0
	}
	for name, c := range map[string]struct {
		do   func(s *Store) error
		done func(s *Store) bool
	}{
		"put": {
			func(s *Store) error { _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 2); return err },
			func(s *Store) bool { return newest(s, "a") == 3 },
		},
		"put a new one": {
			func(s *Store) error { _, err := s.Put(t.Context(), &secret.Secret{Name: "c"}, 0); return err },
			func(s *Store) bool { return newest(s, "c") == 1 },
		},
		"delete":   {func(s *Store) error { return s.Delete(t.Context(), "a") }, func(s *Store) bool { return newest(s, "a") == 0 }},
		"undelete": {func(s *Store) error { return s.Undelete(t.Context(), "b", 0) }, func(s *Store) bool { return newest(s, "b") == 1 }},
		"destroy": {
			func(s *Store) error { return s.Destroy(t.Context(), "a") },
			func(s *Store) bool { _, err := os.Lstat(s.folder("a")); return os.IsNotExist(err) },
		},
		"accept": {func(s *Store) error { return accept(t.Context(), s) }, func(*Store) bool { return true }},
	} {
		t.Run(name, func(t *testing.T) {
			failed := 0
			for _, place := range []string{"store.seen", "store/tmp", "store/secrets/a", "store/secrets"} {
				for step, reached := 0, true; reached; step += nextStep(2) {
					var err error
					other := Open(Options{Dir: dataDir(t)})
					clone(t, s.opt.Dir, other.opt.Dir)
					reached, err = failsAt(t, other, filepath.Join(other.opt.Dir, place), step, c.do)
					if err != nil {
						failed++
					}
					if err == nil && !c.done(other) {
						t.Errorf("%s fails at step %d: nothing is said, and it is not done", place, step)
					}
					if got := problems(t, other); got != "" || err != nil && strings.Contains(err.Error(), "\n") {
						t.Errorf("%s fails at step %d: %s, %v", place, step, got, err)
					}
				}
			}
			if failed == 0 {
				t.Error("no step failed")
			}
		})
	}
}

// failsAt has a path be a link to itself from a step on, and mends it after do.
func failsAt(t *testing.T, s *Store, path string, step int, do func(s *Store) error) (reached bool, err error) {
	t.Helper()
	away := s.opt.Dir + ".away"
	s.onStep = func() {
		if step--; step == -1 {
			if _, err := os.Lstat(path); err == nil {
				noError(t, os.Rename(path, away), os.Symlink(path, path))
			}
		}
	}
	err = do(s)
	s.onStep = nil
	// What was destroyed or replaced meanwhile stays so.
	if st, e := os.Lstat(path); e == nil && st.Mode()&os.ModeSymlink != 0 {
		noError(t, os.Remove(path), os.Rename(away, path))
	}
	return step < 0, err
}

// A secret is read all the same where the record cannot be, and that is said.
func TestReadsWithoutTheRecord(t *testing.T) {
	s, _ := withTwo(t)
	for _, path := range []string{""} {
		other := Open(Options{Dir: dataDir(t)})
		clone(t, s.opt.Dir, other.opt.Dir)
		path = filepath.Join(other.recordDir(), path)
		noError(t, os.RemoveAll(path), os.Symlink(path, path), os.Chmod(filepath.Join(other.opt.Dir, "identity.txt"), 0o600))
		var said []string
		other.opt.Warn = func(m string) { said = append(said, m) }
		if r, err := other.Get(t.Context(), "a", 0); err != nil || r.Version != 2 {
			t.Errorf("%+v, %v", r, err)
		}
		if len(said) != 1 || !strings.HasPrefix(said[0], "the record of the store cannot be read: ") || !strings.Contains(said[0], path) {
			t.Errorf("%q", said)
		}
	}
}

// What is there one moment and not the next is read again, and not for ever.
func TestWhatChangesFasterThanItIsRead(t *testing.T) {
	s, _ := withTwo(t)
	path := filepath.Join(s.folder("a"), "3.age")
	noError(t, os.Symlink(filepath.Join(s.opt.Dir, "nowhere"), path))
	_, listErr := s.List(t.Context())
	_, historyErr := s.History(t.Context(), "a")
	_, getErr := s.Get(t.Context(), "a", 0)
	for what, err := range map[string]error{"List": listErr, "History": historyErr, "Get": getErr} {
		if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), s.folder("a")+" changes faster than it can be read") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if r, err := s.Get(t.Context(), "a", 2); err != nil || r.Version != 2 {
		t.Errorf("an older version: %+v, %v", r, err)
	}
}

// Where the key cannot be read, the list of public keys says whose the secrets are: if it
// cannot be read either, that is the error, and nobody is asked for a passphrase.
func TestTheListOfKeysCannotBeRead(t *testing.T) {
	spoil := func(s *Store) {
		noError(t, os.RemoveAll(s.recipientsPath()), os.Symlink(s.recipientsPath(), s.recipientsPath()))
	}
	check := func(what string, s *Store, err error) {
		t.Helper()
		if !errors.Is(err, syscall.ELOOP) || !strings.Contains(err.Error(), s.recipientsPath()) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s, _ := withTwo(t)
	spoil(s)
	identity := filepath.Join(s.opt.Dir, "identity.txt")
	other, _ := ageKey(t)
	write(t, identity, other, 0o600)
	_, err := Open(s.opt).Get(t.Context(), "a", 0)
	check("another key", s, err)
	noError(t, os.Remove(identity))
	_, err = Open(s.opt).Get(t.Context(), "a", 0)
	check("no key", s, err)
	_, err = Open(s.opt).Put(t.Context(), &secret.Secret{Name: "a"}, 2)
	check("no key to write", s, err)

	_, ed, err := ed25519.GenerateKey(rand.Reader)
	noError(t, err)
	p := &person{answers: []string{passphrase}}
	s = Open(Options{Dir: dataDir(t), Identity: write(t, filepath.Join(t.TempDir(), "id"), sshPEM(t, ed, passphrase), 0o600), Passphrase: p.ask})
	putFake(t, s, "a", "FAKE")
	spoil(s)
	_, err = s.Get(t.Context(), "a", 0)
	check("a locked key", s, err)
	if len(p.prompts) > 0 {
		t.Errorf("asked %q", p.prompts)
	}
	noError(t, os.Remove(s.recipientsPath()))
	if _, err := s.Get(t.Context(), "a", 0); err != nil || len(p.prompts) != 1 {
		t.Errorf("without a list: %v, asked %q", err, p.prompts)
	}
}

// Where it cannot be known whether there are secrets, no key is made, and nobody is asked
// for its passphrase.
func TestNoNewKeyWhereSecretsCannotBeRead(t *testing.T) {
	for _, place := range []string{"store/secrets", "store/secrets/z"} {
		s, _ := withTwo(t)
		path := filepath.Join(s.opt.Dir, place)
		noError(t, os.Remove(filepath.Join(s.opt.Dir, "identity.txt")), os.RemoveAll(s.secrets()), os.MkdirAll(filepath.Dir(path), 0o700), os.Symlink(path, path))
		p := &person{answers: []string{passphrase, passphrase}}
		_, err := Open(Options{Dir: s.opt.Dir, NewPassphrase: true, Passphrase: p.ask}).Put(t.Context(), &secret.Secret{Name: "a"}, 0)
		if !errors.Is(err, syscall.ELOOP) || !strings.Contains(err.Error(), path) || errors.Is(err, store.ErrDenied) || len(p.prompts) > 0 {
			t.Errorf("%s: %v, asked %q", place, err, p.prompts)
		}
	}
}

// Pipes in the place of folders.
func TestPipes(t *testing.T) {
	for name, path := range map[string]func(s *Store) string{
		"a secret": func(s *Store) string { return s.folder("pipe") },
		"record":   func(s *Store) string { return s.recordDir() },
		"tmp":      func(s *Store) string { return s.temp() },
		"secrets":  func(s *Store) string { return s.secrets() },
	} {
		t.Run(name, func(t *testing.T) {
			s := recorded(t)
			s.opt.Warn = nil
			p := path(s)
			noError(t, os.RemoveAll(p), syscall.Mkfifo(p, 0o600))
			done := make(chan error, 1)
			go func() {
				_, err := Open(s.opt).List(t.Context())
				_, err2 := Open(s.opt).Get(t.Context(), "a", 0)
				_, err3 := Open(s.opt).Put(t.Context(), fake("a"), store.AnyVersion)
				done <- fmt.Errorf("%v, %v, %v", err, err2, err3)
			}()
			select {
			case <-done:
			case <-time.After(5 * time.Second):
				t.Error("it waits for the pipe")
				f, err := os.OpenFile(p, os.O_RDWR, 0)
				noError(t, err)
				defer f.Close()
			}
		})
	}
}

// What lies in the folder of secrets and is none does not stop unshare half-way.
func TestUnshareWithAPipe(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"pipe":            func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"link":            func(p string) error { return os.Symlink("/", p) },
		"link to nothing": func(p string) error { return os.Symlink("/nowhere", p) },
	} {
		t.Run(name, func(t *testing.T) {
			ann, bob := shared(t)
			noError(t, make(ann.folder("0")))
			_, n, err := ann.Unshare(t.Context(), "bob")
			if opensVersion(t, bob, ann, "a", 2) {
				t.Errorf("bob reads: %d, %v", n, err)
			}
			if _, err := Open(ann.opt).Verify(t.Context()); err != nil {
				t.Error("verify ends: ", err)
			}
		})
	}
}
