package agestore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

func twoVersions(t *testing.T) *Store {
	t.Helper()
	s := Open(Options{Dir: dataDir(t)})
	for n := range 2 {
		if _, err := s.Put(t.Context(), &secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("FAKE")}}, n); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// replaceByFile puts a file in the place of a folder, which stands for every error of
// reading one.
func replaceByFile(t *testing.T, dir string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// A folder that cannot be read is never an empty one.
func TestAnErrorIsNotNothingThere(t *testing.T) {
	s := twoVersions(t)
	replaceByFile(t, s.folder("a"))
	if _, err := s.History(t.Context(), "a"); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("History: %v", err)
	}
	if _, err := s.Get(t.Context(), "a", 0); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if n, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, store.AnyVersion); err == nil || n != 0 {
		t.Errorf("Put: %d, %v", n, err)
	}
	for what, err := range map[string]error{"Delete": s.Delete(t.Context(), "a"), "Undelete": s.Undelete(t.Context(), "a", 0)} {
		if err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s = twoVersions(t)
	replaceByFile(t, s.secrets())
	if _, err := s.List(t.Context()); err == nil {
		t.Error("List: no error")
	}
	if err := os.Remove(filepath.Join(s.opt.Dir, "identity.txt")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.opt).Put(t.Context(), &secret.Secret{Name: "a"}, 0); err == nil {
		t.Error("a key was made, and it is not known whether there are secrets")
	}
	if _, err := os.Stat(filepath.Join(s.opt.Dir, "identity.txt")); !os.IsNotExist(err) {
		t.Error(err)
	}
	s = twoVersions(t)
	if err := errors.Join(os.Remove(s.recipientsPath()), os.Mkdir(s.recipientsPath(), 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.opt).Put(t.Context(), &secret.Secret{Name: "b"}, 0); err == nil || !strings.Contains(err.Error(), s.recipientsPath()) {
		t.Error(err)
	}
}

// What can be read is returned beside the error, which names the rest.
func TestHistoryWithADamagedVersion(t *testing.T) {
	s := twoVersions(t)
	path := filepath.Join(s.folder("a"), "1.age")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, spoiled := range map[string][]byte{
		"no age file":     []byte("x"),
		"another arrow":   bytes.Replace(data, []byte("\n-> "), []byte("\n=> "), 1),
		"a newer format":  bytes.Replace(data, []byte("rhx/v1 "), []byte("rhx/v2 "), 1),
		"no type":         []byte(ageIntro + "->\n"),
		"one line":        []byte(ageIntro),
		"a field twice":   bytes.Replace(data, []byte(" provider="), []byte(" version=1 provider="), 1),
		"of another name": bytes.Replace(data, []byte("name=a"), []byte("name=b"), 1),
		"of version 7":    bytes.Replace(data, []byte("version=1"), []byte("version=7"), 1),
	} {
		write(t, path, spoiled, 0o600)
		h, err := s.History(t.Context(), "a")
		if len(h) != 1 || h[0].Version != 2 || fault.KindOf(err) != fault.Partial || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %+v, %v", what, h, err)
		}
		if _, err := s.Get(t.Context(), "a", 1); err == nil {
			t.Errorf("%s: it is read", what)
		}
	}
}

func TestWhatIsNotThereMakesNothing(t *testing.T) {
	dir := dataDir(t)
	s := Open(Options{Dir: dir})
	for what, err := range map[string]error{"Delete": s.Delete(t.Context(), "a"), "Undelete": s.Undelete(t.Context(), "a", 0), "Undelete 1": s.Undelete(t.Context(), "a", 1)} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.Destroy(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "store")); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
}

// A key that is of no use is an error of all that needs one, and its own.
func TestKeysThatAreOfNoUse(t *testing.T) {
	for what, c := range map[string]struct{ text, want string }{
		"a plugin's": {"AGE-PLUGIN-FAKE-1QQQ\n", "no key of an age plugin"},
		"a public":   {"# mine\nage1fake\n", "it is a public key, and the private one is needed"},
		"nothing":    {"# mine\n", "it is empty"},
		"a page":     {"<html>", "is not a key that rhx can read"},
	} {
		dir := dataDir(t)
		path := write(t, filepath.Join(dir, "identity.txt"), []byte(c.text), 0o600)
		s := Open(Options{Dir: dir})
		_, sealErr := s.Seal(t.Context(), "l", nil)
		_, unsealErr := s.Unseal(t.Context(), "l", nil)
		_, deriveErr := s.Derive(t.Context(), "p")
		n, putErr := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0)
		for method, err := range map[string]error{"Seal": sealErr, "Unseal": unsealErr, "Derive": deriveErr, "Put": putErr} {
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) || n != 0 {
				t.Errorf("%s of %s: %v", method, what, err)
			}
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s := Open(Options{Dir: dataDir(t)})
	_, unsealErr := s.Unseal(ended, "l", nil)
	n, putErr := s.Put(ended, &secret.Secret{Name: "a"}, 0)
	_, getErr := s.Get(ended, "a", 0)
	_, deriveErr := s.Derive(ended, "p")
	for method, err := range map[string]error{"Unseal": unsealErr, "Put": putErr, "Get": getErr, "Derive": deriveErr, "Delete": s.Delete(ended, "a"), "Undelete": s.Undelete(ended, "a", 0)} {
		if !errors.Is(err, context.Canceled) || n != 0 {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func TestAPassphraseThatNobodyCanBeAskedFor(t *testing.T) {
	for name, f := range keyFiles(t) {
		if f.asks == 0 {
			continue
		}
		s := Open(Options{Dir: dataDir(t), Identity: f.path})
		_, err := s.Derive(t.Context(), "p")
		if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "there is nobody to ask") || fault.Hint(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		broken := errors.New("the terminal is gone")
		s = Open(Options{Dir: dataDir(t), Identity: f.path, Passphrase: func(string) (string, error) { return "", broken }})
		if _, err := s.Derive(t.Context(), "p"); !errors.Is(err, broken) || !strings.Contains(err.Error(), f.path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReservedNames(t *testing.T) {
	for name, want := range map[string]bool{
		"con": true, "prn.x": true, "aux": true, "nul.tar.gz": true, "com0": true, "com9": true, "lpt1.txt": true, "lpt9": true,
		"com": false, "com/": false, "com:": false, "comx": false, "com10": false, "lpt": false, "lptx": false, "xcom1": false, "conn": false, "co1": false, "abc1": false,
	} {
		if reservedName(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestAlphabets(t *testing.T) {
	for text, want := range map[string]float64{"": 1, "0": 11, "9": 11, "a": 27, "z": 27, "A": 27, "Z": 27, "/": 34, ":": 34, "[": 34, "`": 34, "{": 34, "é": 101, "aZ9 é": 1 + 26 + 26 + 10 + 33 + 100} {
		if got := alphabet([]rune(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestATruncatedVersion(t *testing.T) {
	s := twoVersions(t)
	path := filepath.Join(s.folder("a"), "1.age")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, data[:len(data)-1], 0o600)
	if _, err := s.Get(t.Context(), "a", 1); err == nil || !strings.Contains(err.Error(), path+": the file was altered or is damaged") {
		t.Error(err)
	}
}

// Without the list of public keys, messages do not say whose the secrets are.
func TestWithoutTheListOfPublicKeys(t *testing.T) {
	s := twoVersions(t)
	identity := filepath.Join(s.opt.Dir, "identity.txt")
	if err := errors.Join(os.Remove(s.recipientsPath()), os.Remove(identity)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.opt).Get(t.Context(), "a", 0); !errors.Is(err, store.ErrDenied) || strings.Contains(err.Error(), "encrypted to") {
		t.Error(err)
	}
	other, _ := ageKey(t)
	write(t, identity, other, 0o600)
	if _, err := Open(s.opt).Get(t.Context(), "a", 0); !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "does not open with") {
		t.Error(err)
	}
}
