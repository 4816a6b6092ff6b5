package agestore

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
)

// Two that make a new key at once leave one key, which opens everything.
func TestTwoRekeysAtOnce(t *testing.T) {
	for range 10 {
		s := somebody(t)
		putFake(t, s, "a", "FAKE")
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { _, _ = Open(s.opt).Rekey(t.Context(), "") })
		}
		wg.Go(func() {
			if _, err := Open(s.opt).Put(t.Context(), fake("b"), store.AnyVersion); err != nil && !errors.Is(err, store.ErrDenied) {
				t.Error(err)
			}
		})
		wg.Wait()
		if got := reads(t, s, "a", 0); got != "FAKE" {
			t.Fatal(got)
		}
		if _, err := Open(s.opt).Rekey(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if n, all := opens(t, s, keep(t, s)); n != all {
			t.Fatalf("the key opens %d of %d", n, all)
		}
		right(t, s)
	}
}

// What another machine saved to the old key is read, and gets the new one.
func TestASaveBesideARekey(t *testing.T) {
	s := somebody(t)
	putFake(t, s, "a", "FAKE1")
	other := Open(Options{Dir: dataDir(t), Identity: keep(t, s)})
	clone(t, s.root(), other.root())
	_, err := s.Rekey(t.Context(), "")
	noError(t, err)
	putFake(t, other, "a", "of another machine")
	data, err := os.ReadFile(filepath.Join(other.folder("a"), "2.age"))
	noError(t, err)
	write(t, filepath.Join(s.folder("a"), "2.age"), data, 0o600)
	if got := reads(t, s, "a", 0); !strings.HasPrefix(got, "of another machine|") {
		t.Error(got)
	}
	// The record does not have it: who knows why says so, and makes the key one again.
	noError(t, accept(t.Context(), Open(s.opt)))
	if _, err := Open(s.opt).Rekey(t.Context(), ""); err != nil {
		t.Error(err)
	}
	if n, all := opens(t, s, keep(t, s)); n != all || n != 2 {
		t.Errorf("%d of %d", n, all)
	}
	right(t, s)
}

// A link in the folder, which git brings as well, leads rhx nowhere: nothing is removed,
// written or shown there.
func TestLinksInTheStore(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links take a privilege there")
	}
	for _, name := range []string{"tmp", "lock", "record", "secrets", "recipients.txt", "secrets/a", "secrets/a/1.age"} {
		t.Run(name, func(t *testing.T) {
			s := somebody(t)
			putFake(t, s, "a", "FAKE")
			outside := filepath.Join(t.TempDir(), "outside")
			path := filepath.Join(s.root(), name)
			info, err := os.Stat(path)
			noError(t, err)
			if info.IsDir() {
				clone(t, path, outside)
				write(t, filepath.Join(outside, "mine"), []byte("FAKE-MINE"), 0o600)
				write(t, filepath.Join(outside, ".new-mine"), []byte("FAKE-MINE"), 0o600)
			} else {
				write(t, outside, []byte("FAKE-MINE\n"), 0o600)
			}
			before := tree(t, outside)
			noError(t, os.RemoveAll(path), os.Symlink(outside, path))
			ctx := t.Context()
			for what, do := range map[string]func(s *Store) error{
				"put":     func(s *Store) error { _, err := s.Put(ctx, fake("a"), store.AnyVersion); return err },
				"verify":  func(s *Store) error { _, err := s.Verify(ctx); return err },
				"accept":  func(s *Store) error { return accept(ctx, s) },
				"rekey":   func(s *Store) error { _, err := s.Rekey(ctx, ""); return err },
				"destroy": func(s *Store) error { return s.Destroy(ctx, "a") },
				"get":     func(s *Store) error { _, err := s.Get(ctx, "a", 0); return err },
				"list":    func(s *Store) error { _, err := s.List(ctx); return err },
			} {
				err := do(Open(s.opt))
				if what == "rekey" && err != nil && strings.HasPrefix(err.Error(), "the store is not as rhx left it: ") {
					continue // as verify says
				}
				if err != nil && !errors.Is(err, syscall.ELOOP) && !errors.Is(err, store.ErrNotFound) || err != nil && strings.Contains(err.Error(), "FAKE-MINE") {
					t.Errorf("%s: %v", what, err)
				}
				if err == nil && strings.HasPrefix(name, "secrets") && what == "list" {
					t.Errorf("%s: no error", what)
				}
				if now := tree(t, outside); now != before {
					t.Fatalf("%s changed what the link leads to:\n%s\nwas\n%s", what, now, before)
				}
				if what == "put" || what == "destroy" {
					noError(t, os.RemoveAll(path), os.MkdirAll(filepath.Dir(path), 0o700), os.Symlink(outside, path))
				}
			}
		})
	}
}

// tree lists a file, or the files in a folder, with their contents.
func tree(t *testing.T, path string) string {
	t.Helper()
	out := ""
	noError(t, filepath.WalkDir(path, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		out += p + " " + string(data) + "\n"
		return err
	}))
	return out
}

// What is no public key in recipients.txt is shown to nobody.
func TestRecipientsAreNotShownUnread(t *testing.T) {
	s := somebody(t)
	putFake(t, s, "a", "FAKE")
	write(t, s.recipientsPath(), []byte("[default]\naws_secret = FAKE-MINE\n"), 0o600)
	if _, err := Open(s.opt).Put(t.Context(), fake("a"), store.AnyVersion); err == nil || strings.Contains(err.Error(), "FAKE-MINE") || !strings.Contains(err.Error(), "has a line that is no public key") {
		t.Error(err)
	}
}
