package agestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// endsAfter is a context that ends after it was asked some times.
type endsAfter struct {
	context.Context
	left int
}

func (c *endsAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// A command that is ended in the middle of a long list ends there.
func TestLongWorkEndsWithItsContext(t *testing.T) {
	s := twoVersions(t)
	putFake(t, s, "b", "FAKE")
	for left := range 3 {
		if infos, err := s.List(&endsAfter{t.Context(), left}); !errors.Is(err, context.Canceled) || infos != nil {
			t.Errorf("List after %d: %+v, %v", left, infos, err)
		}
	}
	if infos, err := s.List(&endsAfter{t.Context(), 3}); err != nil || len(infos) != 2 {
		t.Errorf("List: %+v, %v", infos, err)
	}
	ended := 0
	for left := 0; ; left++ {
		_, err := s.Verify(&endsAfter{t.Context(), left})
		if err == nil {
			break
		}
		if ended++; !errors.Is(err, context.Canceled) {
			t.Fatalf("Verify after %d: %v", left, err)
		}
	}
	if ended < 3 { // at the beginning, and before each secret
		t.Errorf("Verify asked %d times", ended)
	}
}

// Each method refuses a store that is nowhere, and a context that has ended.
func TestMethodsWithoutAFolderOrTime(t *testing.T) {
	sec := &secret.Secret{Name: "a"}
	calls := map[string]func(ctx context.Context, s *Store) error{
		"List":      func(ctx context.Context, s *Store) error { _, err := s.List(ctx); return err },
		"History":   func(ctx context.Context, s *Store) error { _, err := s.History(ctx, "a"); return err },
		"Get":       func(ctx context.Context, s *Store) error { _, err := s.Get(ctx, "a", 0); return err },
		"Put":       func(ctx context.Context, s *Store) error { _, err := s.Put(ctx, sec, 0); return err },
		"Delete":    func(ctx context.Context, s *Store) error { return s.Delete(ctx, "a") },
		"Undelete":  func(ctx context.Context, s *Store) error { return s.Undelete(ctx, "a", 0) },
		"Destroy":   func(ctx context.Context, s *Store) error { return s.Destroy(ctx, "a") },
		"Seal":      func(ctx context.Context, s *Store) error { _, err := s.Seal(ctx, "l", nil); return err },
		"Unseal":    func(ctx context.Context, s *Store) error { _, err := s.Unseal(ctx, "l", nil); return err },
		"Derive":    func(ctx context.Context, s *Store) error { _, err := s.Derive(ctx, "p"); return err },
		"DeriveAll": func(ctx context.Context, s *Store) error { _, err := s.DeriveAll(ctx, "p", true); return err },
		"Verify":    func(ctx context.Context, s *Store) error { _, err := s.Verify(ctx); return err },
		"Accept":    func(ctx context.Context, s *Store) error { return accept(ctx, s) },
	}
	s := twoVersions(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls {
		if err := call(t.Context(), Open(Options{})); !errors.Is(err, os.ErrInvalid) || !strings.Contains(err.Error(), "the local store has no data folder") {
			t.Errorf("%s without a folder: %v", name, err)
		}
		if err := call(ended, s); !errors.Is(err, context.Canceled) {
			t.Errorf("%s after the end: %v", name, err)
		}
	}
	if r, err := s.Get(t.Context(), "a", 0); err != nil || r.Version != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// After Close the key is read anew, and its passphrase asked for again: also one that
// was wrong before.
func TestCloseForgetsTheKey(t *testing.T) {
	plain, _ := ageKey(t)
	path := write(t, filepath.Join(t.TempDir(), "id"), withPassphrase(t, plain, false), 0o600)
	p := &person{answers: []string{passphrase, "x", "x", passphrase}}
	s := Open(Options{Dir: dataDir(t), Identity: path, Passphrase: p.ask})
	putFake(t, s, "a", "FAKE")
	noError(t, s.Close())
	for range 2 {
		if _, err := s.Get(t.Context(), "a", 0); !errors.Is(err, store.ErrDenied) || len(p.prompts) != 3 {
			t.Errorf("%v, asked %q", err, p.prompts)
		}
	}
	noError(t, s.Close())
	for range 2 {
		if _, err := s.Get(t.Context(), "a", 0); err != nil || len(p.prompts) != 4 {
			t.Errorf("%v, asked %q", err, p.prompts)
		}
	}
}

func TestPromptsAndAnswers(t *testing.T) {
	plain, _ := ageKey(t)
	path := write(t, filepath.Join(t.TempDir(), "id"), withPassphrase(t, plain, false), 0o600)
	p := &person{answers: []string{"", "x", passphrase}}
	checks := 0
	s := Open(Options{Dir: dataDir(t), Identity: path, Passphrase: p.ask, Checking: func() func() { checks++; return func() {} }})
	putFake(t, s, "a", "FAKE")
	if want := fmt.Sprintf("Passphrase for %s|That was wrong. Passphrase for %[1]s|That was wrong. Passphrase for %[1]s", path); strings.Join(p.prompts, "|") != want {
		t.Errorf("asked %q, want %q", p.prompts, want)
	}
	if checks != 2 { // an empty one need not be tried
		t.Errorf("%d answers were checked", checks)
	}
	dir := dataDir(t)
	file := filepath.Join(dir, "identity.txt")
	for _, c := range []struct {
		answers []string
		want    string
	}{
		{[]string{"x", "y"}, "the two passphrases differ: no key was made"},
		{[]string{"", ""}, "the passphrase is empty: no key was made"},
		{[]string{"root", "root"}, "the passphrase is too weak: about 2^10 guesses find it"},
		{[]string{"x"}, "the passphrase for " + file + ": asked too often"},
	} {
		p := &person{answers: c.answers}
		_, err := Open(Options{Dir: dir, NewPassphrase: true, Passphrase: p.ask}).Seal(t.Context(), "l", nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.answers, err, c.want)
		}
		if want := "New passphrase for " + file + "|The same passphrase again"; strings.Join(p.prompts, "|") != want {
			t.Errorf("asked %q, want %q", p.prompts, want)
		}
	}
}

// While somebody thinks of a passphrase another process may make the key, and more.
func TestAKeyThatAnotherProcessMakesMeanwhile(t *testing.T) {
	meanwhile := func(dir string, do func(other *Store)) *Store {
		once := false
		return Open(Options{Dir: dir, NewPassphrase: true, Weak: true, Made: func(path string) { t.Errorf("%s was made", path) },
			Passphrase: func(string) (string, error) {
				if !once {
					once = true
					do(Open(Options{Dir: dir}))
				}
				return passphrase, nil
			}})
	}
	dir := dataDir(t)
	s := meanwhile(dir, func(other *Store) { putFake(t, other, "other", "FAKE") })
	s.workFactor = workFactor
	putFake(t, s, "a", "FAKE")
	for _, name := range []string{"other", "a"} { // with the key of the other, which has no passphrase
		if _, err := Open(Options{Dir: dir}).Get(t.Context(), name, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir = dataDir(t)
	s = meanwhile(dir, func(other *Store) {
		putFake(t, other, "other", "FAKE")
		noError(t, os.Remove(filepath.Join(dir, "identity.txt")))
	})
	s.workFactor = workFactor
	if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0); !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "is missing, and ") {
		t.Errorf("the key is gone again: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "identity.txt")); !os.IsNotExist(err) {
		t.Error("a key was made, and there are secrets of another")
	}
}

// What is in a folder and is no version is no reason to miss the key.
func TestFoldersWithoutVersions(t *testing.T) {
	s := Open(Options{Dir: dataDir(t)})
	noError(t, os.MkdirAll(filepath.Join(s.secrets(), "empty"), 0o700))
	putFake(t, s, "a", "FAKE")
	// A mark alone says that there was one.
	s = Open(Options{Dir: dataDir(t)})
	write(t, filepath.Join(s.secrets(), "b", "1.deleted"), nil, 0o600)
	if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0); !errors.Is(err, store.ErrDenied) {
		t.Error(err)
	}
}

func TestTheListOfPublicKeysMayBeEdited(t *testing.T) {
	s := twoVersions(t)
	public := s.key.public[0]
	write(t, s.recipientsPath(), []byte("# mine\r\n\r\n \t\n  "+public+"\t\r\n  # the end"), 0o600)
	if known, err := s.recorded(); err != nil || len(known) != 1 || known[0] != public {
		t.Errorf("%q, %v", known, err)
	}
	putFake(t, s, "a", "FAKE")
	// Without it, the next write makes it.
	noError(t, os.Remove(s.recipientsPath()))
	putFake(t, s, "a", "FAKE")
	if known, err := s.recorded(); err != nil || len(known) != 1 || known[0] != public {
		t.Errorf("%q, %v", known, err)
	}
}

// Versions that are expected and are not there are told with those that are.
func TestConflictsSayWhatIsThere(t *testing.T) {
	s := twoVersions(t)
	for _, c := range []struct {
		name   string
		expect int
		want   string
	}{
		{"b", 1, `"b" does not exist, and version 1 was expected`},
		{"a", 0, `"a" exists already, at version 2`},
		{"a", 1, `"a" is at version 2, not 1`},
		{"a", 3, `"a" is at version 2, not 3`},
	} {
		if n, err := s.Put(t.Context(), &secret.Secret{Name: c.name}, c.expect); !errors.Is(err, store.ErrConflict) || err.Error() != c.want || n != 0 {
			t.Errorf("%d, %v, want %s", n, err, c.want)
		}
	}
	if n, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, store.AnyVersion-1); err == nil || err.Error() != fmt.Sprintf(`"a": %d is not a version`, store.AnyVersion-1) || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	for number, want := range map[int]string{0: `"b": `, 7: `"b" version 7: `} {
		if err := s.Undelete(t.Context(), "b", number); !errors.Is(err, store.ErrNotFound) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := s.Undelete(t.Context(), "a", 7); !errors.Is(err, store.ErrNotFound) || !strings.HasPrefix(err.Error(), `"a" version 7: `) {
		t.Error(err)
	}
	for _, number := range []int{-1, 3} {
		if _, err := s.Get(t.Context(), "a", number); !errors.Is(err, store.ErrNotFound) || !strings.HasPrefix(err.Error(), fmt.Sprintf(`"a" version %d: `, number)) {
			t.Error(err)
		}
	}
}

// A new version goes after a damaged one, and not into a folder of another secret.
func TestPutAfterWhatIsNotItsOwn(t *testing.T) {
	s := twoVersions(t)
	write(t, filepath.Join(s.folder("a"), "2.age"), []byte("damaged"), 0o600)
	if n, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 2); err != nil || n != 3 {
		t.Errorf("%d, %v", n, err)
	}
	noError(t, os.Rename(s.folder("a"), s.folder("b")))
	n, err := s.Put(t.Context(), &secret.Secret{Name: "b"}, 3)
	if want := filepath.Join(s.folder("b"), "3.age") + ` is version 3 of "a": it was moved or altered`; err == nil || err.Error() != want || n != 0 || fault.Hint(err) == "" {
		t.Errorf("%d, %v, want %s", n, err, want)
	}
}

// ageFile encrypts to the key of s, as anybody can.
func ageFile(t *testing.T, s *Store, info *age.Stanza, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	r := s.key.recipients[0]
	if info != nil {
		r = &described{info, s.key.recipients}
	}
	w, err := age.Encrypt(&b, r)
	noError(t, err)
	_, err = io.WriteString(w, text)
	noError(t, err, w.Close())
	return b.Bytes()
}

// What opens with the key and is nothing that rhx wrote is an error that says so, and
// shows nothing of it.
func TestFilesThatRhxDidNotWrite(t *testing.T) {
	s := twoVersions(t)
	info, err := infoStanza(store.Info{Name: "a", Version: 3, Updated: time.Unix(1e9, 0)})
	noError(t, err)
	const none = "what is encrypted in it is not a secret of rhx"
	for text, want := range map[string]string{
		"FAKE text":                           none,
		"":                                    none,
		"{}":                                  none,
		`{"values":null}`:                     none,
		`{"values":{"k":1}}`:                  none,
		`{"values":{"k":{}}}`:                 none,
		`{"values":{"k":{"base64":1}}}`:       none,
		`{"values":{"k":{"base64":"FAKE="}}}`: none,
		`{"values":{"k":{"base64":"/x=="}}}`:  none,
		`{"values":{"k":"FAKE"},"expires":"FAKE"}`:                               none,
		`{"values":{"k":{"base64":"/w=="},"l":"x"},"sources":[{"kind":"file"}]}`: "",
	} {
		write(t, filepath.Join(s.folder("a"), "3.age"), ageFile(t, s, info, text), 0o600)
		r, err := s.Get(t.Context(), "a", 0)
		if want == "" && (err != nil || r.Secret.Values["k"].Reveal() != "\xff" || r.Secret.Values["l"].Reveal() != "x") || want != "" && (err == nil || r != nil || !strings.HasSuffix(err.Error(), "3.age: "+want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for what, c := range map[string]struct {
		info *age.Stanza
		want string
	}{
		"of age alone": {nil, "not a file of this store, or of a newer version of rhx"},
		"incomplete":   {&age.Stanza{Type: stanzaType, Args: []string{"name=a"}}, "its header is incomplete"},
		"damaged":      {&age.Stanza{Type: stanzaType, Args: []string{"name"}}, "its header is damaged"},
		"of no time":   {&age.Stanza{Type: stanzaType, Args: []string{"name=a", "provider=", "version=3", "updated=x"}}, `its header is damaged at "updated"`},
		"of no number": {&age.Stanza{Type: stanzaType, Args: []string{"name=a", "provider=", "version=x", "updated=x"}}, `its header is damaged at "version"`},
	} {
		path := write(t, filepath.Join(s.folder("a"), "3.age"), ageFile(t, s, c.info, `{"values":{}}`), 0o600)
		if _, err := s.Get(t.Context(), "a", 0); err == nil || err.Error() != path+": "+c.want {
			t.Errorf("%s: Get: %v", what, err)
		}
		if infos, err := s.List(t.Context()); fault.KindOf(err) != fault.Partial || !strings.Contains(err.Error(), path+": "+c.want) || len(infos) != 0 {
			t.Errorf("%s: List: %+v, %v", what, infos, err)
		}
	}
}
