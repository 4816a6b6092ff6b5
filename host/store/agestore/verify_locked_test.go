package agestore

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lockedKey opens a store whose key is one of SSH with a passphrase: saving does not ask for it, and
// lines of the record are without a proof then.
func lockedKey(t *testing.T) func() *Store {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	noError(t, err)
	dir := dataDir(t)
	path := write(t, filepath.Join(t.TempDir(), "id"), sshPEM(t, ed, passphrase), 0o600)
	return func() *Store {
		return Open(Options{Dir: dir, Identity: path, Passphrase: func(string) (string, error) { return passphrase, nil }})
	}
}

// Lines without a proof count in the file of this machine, which knows how far it has written it, and
// nowhere else: else a stranger adds what they like where the key has a passphrase.
func TestStrangersLinesWithALockedKey(t *testing.T) {
	for name, c := range map[string]struct {
		add  func(t *testing.T, s *Store, own []byte, lines string) // lines put evil
		want string                                                 // of what Verify says
	}{
		"behind this machine's": {func(t *testing.T, s *Store, own []byte, lines string) {
			write(t, s.recordPath(s.mustSeen(t).ID), append(own, lines+"91 done - 0 - -\n"...), 0o600)
		}, unprovenEnd},
		"a change that may be made": {func(t *testing.T, s *Store, own []byte, lines string) {
			write(t, s.recordPath(s.mustSeen(t).ID), append(own, lines...), 0o600)
		}, "version 1 of evil was added by somebody else"},
		"a file of their own": {func(t *testing.T, s *Store, _ []byte, lines string) {
			write(t, s.recordPath("0123456789abcdef"), []byte(lines+"91 done - 0 - -\n"), 0o600)
		}, ".log: " + unprovenEnd},
	} {
		t.Run(name, func(t *testing.T) {
			open := lockedKey(t)
			s := open()
			putFake(t, s, "a", "FAKE")
			noError(t, s.Delete(t.Context(), "a"), s.Undelete(t.Context(), "a", 0))
			if got := problems(t, open()); got != "" {
				t.Fatal(got)
			}
			putFake(t, open(), "a", "FAKE")
			own := contents(t, s.recordPath(s.mustSeen(t).ID))
			forge(t, s, "evil", 1)
			c.add(t, s, own, "90 put evil 1 "+hashOf(t, s, "evil", 1)+" -\n")
			for range 2 {
				if got := problems(t, open()); !strings.Contains(got, c.want) || !strings.Contains(got, "version 1 of evil was added by somebody else") {
					t.Errorf("%s\nwant %s", got, c.want)
				}
				if got := reads(t, open(), "evil", 0); !strings.Contains(got, "|") {
					t.Errorf("nothing is said: %s", got)
				}
				putFake(t, open(), "a", "FAKE") // it does not become the user's by what follows
			}
			opened := open()
			if got := reads(t, opened, "a", 0); !strings.HasPrefix(got, "FAKE") {
				t.Error(got)
			}
			noError(t, accept(t.Context(), open()))
			if got := problems(t, open()); got != "" {
				t.Error(got)
			}
		})
	}
}

// What another machine has written while its key was locked is said until that machine has proven it.
func TestAnotherMachineWithALockedKey(t *testing.T) {
	open := lockedKey(t)
	putFake(t, open(), "a", "FAKE")
	first := open()
	second := func() *Store {
		o := first.opt
		o.Dir = filepath.Join(filepath.Dir(o.Dir), "second")
		return Open(o)
	}
	clone(t, first.root(), second().root())
	noError(t, os.Chmod(second().opt.Dir, 0o700))
	if got := problems(t, second()); !strings.Contains(got, unprovenEnd) {
		t.Error(got)
	}
	s := open()
	if _, err := s.Get(t.Context(), "a", 0); err != nil { // opens the key
		t.Fatal(err)
	}
	putFake(t, s, "a", "FAKE")
	clone(t, first.root(), second().root())
	if got := problems(t, second()); got != "" {
		t.Error(got)
	}
}
