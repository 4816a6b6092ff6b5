package agestore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

func TestEveryKindOfKey(t *testing.T) {
	for name, f := range keyFiles(t) {
		t.Run(name, func(t *testing.T) {
			dir := dataDir(t)
			sec := &secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("FAKE")}}
			p := &person{answers: []string{passphrase}}
			s := Open(Options{Dir: dir, Identity: f.path, Passphrase: p.ask, Warn: func(m string) { t.Errorf("warned: %s", m) }})
			for n := range 2 {
				if _, err := s.Put(t.Context(), sec, n); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if r, err := s.Get(t.Context(), "a", 0); err != nil || !r.Secret.Values.Equal(sec.Values) {
					t.Fatalf("Get: %v", err)
				}
			}
			if len(p.prompts) != f.asks {
				t.Errorf("asked %q, want %d prompts", p.prompts, f.asks)
			}
			if _, err := os.Stat(filepath.Join(dir, "identity.txt")); !os.IsNotExist(err) {
				t.Errorf("a key was made beside the given one: %v", err)
			}
			// The same key read anew, as by the next process.
			p = &person{answers: []string{passphrase}}
			s = Open(Options{Dir: dir, Identity: f.path, Passphrase: p.ask})
			if _, err := s.Get(t.Context(), "a", 1); err != nil {
				t.Error(err)
			}
			// Nothing but values needs it.
			s = Open(Options{Dir: dir, Identity: filepath.Join(dir, "none")})
			if infos, err := s.List(t.Context()); err != nil || len(infos) != 1 {
				t.Errorf("List = %+v, %v", infos, err)
			}
			if infos, err := s.History(t.Context(), "a"); err != nil || len(infos) != 2 {
				t.Errorf("History = %+v, %v", infos, err)
			}
			if err := s.Delete(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSavingNeedsNoPassphraseOfAnSSHKey(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, filepath.Join(t.TempDir(), "id"), sshPEM(t, ed, passphrase), 0o600)
	s := Open(Options{Dir: dataDir(t), Identity: path})
	if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0); err != nil {
		t.Error(err)
	}
	_, err = s.Get(t.Context(), "a", 0)
	if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), path) || fault.Hint(err) == "" {
		t.Errorf("Get with nobody to ask: %v", err)
	}
	p := &person{answers: []string{"wrong", passphrase}}
	if _, err := Open(Options{Dir: s.opt.Dir, Identity: path, Passphrase: p.ask}).Get(t.Context(), "a", 0); err != nil || len(p.prompts) != 2 {
		t.Errorf("Get: %v; asked %q", err, p.prompts)
	}
}

func TestWrongPassphrase(t *testing.T) {
	plain, _ := ageKey(t)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	for kind, path := range map[string]string{
		"age": write(t, filepath.Join(tmp, "age"), withPassphrase(t, plain, true), 0o600),
		"ssh": oldRSA(t, filepath.Join(tmp, "ssh"), rs),
	} {
		dir := dataDir(t)
		p := &person{answers: []string{"", "wrong", passphrase}}
		s := Open(Options{Dir: dir, Identity: path, Passphrase: p.ask})
		if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), "a", 0); err != nil || len(p.prompts) != 3 {
			t.Errorf("%s: the third answer was right: %v; asked %q", kind, err, p.prompts)
		}
		for want, answers := range map[int][]string{3: {"x", "y", "z"}, 2: {"x", "x", "x"}} {
			p := &person{answers: answers}
			s := Open(Options{Dir: dir, Identity: path, Passphrase: p.ask})
			for range 3 {
				_, err := s.Get(t.Context(), "a", 0)
				if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: Get: %v", kind, err)
				}
			}
			if len(p.prompts) != want {
				t.Errorf("%s: answers %q, asked %d times, want %d", kind, answers, len(p.prompts), want)
			}
		}
		gone := errors.New("no terminal")
		s = Open(Options{Dir: dir, Identity: path, Passphrase: func(string) (string, error) { return "", gone }})
		if _, err := s.Get(t.Context(), "a", 0); !errors.Is(err, gone) {
			t.Errorf("%s: Get: %v, want the error of the prompt", kind, err)
		}
	}
}

func TestNewKeyWithPassphrase(t *testing.T) {
	dir := dataDir(t)
	for _, answers := range [][]string{{passphrase, passphrase + "x"}, {"", ""}, {"a", "a"}, {"Password2026", "Password2026"}} {
		s := Open(Options{Dir: dir, NewPassphrase: true, Passphrase: (&person{answers: answers}).ask})
		if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0); err == nil {
			t.Errorf("the answers %q made a key", answers)
		}
	}
	if _, err := Open(Options{Dir: dir, NewPassphrase: true}).Put(t.Context(), &secret.Secret{Name: "a"}, 0); !errors.Is(err, store.ErrDenied) {
		t.Errorf("with nobody to ask: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "identity.txt")); !os.IsNotExist(err) {
		t.Fatalf("a key was made: %v", err)
	}
	p := &person{answers: []string{passphrase, passphrase}}
	var made []string
	s := Open(Options{Dir: dir, NewPassphrase: true, Passphrase: p.ask, Made: func(path string) { made = append(made, path) }})
	s.workFactor = workFactor
	if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "a", 0); err != nil || len(p.prompts) != 2 {
		t.Errorf("Get: %v; asked %q", err, p.prompts)
	}
	if _, err := s.Put(t.Context(), &secret.Secret{Name: "b"}, 0); err != nil || !slices.Equal(made, []string{filepath.Join(dir, "identity.txt")}) {
		t.Errorf("%v, told of the keys %q", err, made)
	}
	data, err := os.ReadFile(filepath.Join(dir, "identity.txt"))
	if err != nil || !bytes.HasPrefix(data, []byte(armor.Header)) {
		t.Errorf("the key file is not armored: %v", err)
	}
	// Each answer is checked between a beginning and an end.
	p = &person{answers: []string{"wrong", passphrase}}
	var checks []int
	checking := func() func() {
		checks = append(checks, len(p.prompts))
		return func() { checks = append(checks, -len(p.prompts)) }
	}
	if _, err := Open(Options{Dir: dir, Passphrase: p.ask, Checking: checking}).Get(t.Context(), "a", 0); err != nil || len(p.prompts) != 2 {
		t.Errorf("Get by the next process: %v; asked %q", err, p.prompts)
	}
	if !slices.Equal(checks, []int{1, -1, 2, -2}) {
		t.Errorf("checks after so many prompts: %v", checks)
	}
	// Who means it may have a weak one.
	weak := Open(Options{Dir: dataDir(t), NewPassphrase: true, Weak: true, Passphrase: (&person{answers: []string{"a", "a"}}).ask})
	weak.workFactor = workFactor
	if _, err := weak.Put(t.Context(), &secret.Secret{Name: "a"}, 0); err != nil {
		t.Error(err)
	}
	weak = Open(Options{Dir: dataDir(t), NewPassphrase: true, Weak: true, Passphrase: (&person{answers: []string{"", ""}}).ask})
	if _, err := weak.Put(t.Context(), &secret.Secret{Name: "a"}, 0); err == nil {
		t.Error("no passphrase is no weak one")
	}
}

func TestStrengthOfPassphrases(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "a": false, "abc": false, "aaaaaaaaaaaaaaaaaaaaaaaaa": false, "12345678901234567890": false, "abcdefghijklmnopqrstuvwxyz": false,
		"zyxwvutsrqponmlkjihgfedcba": false, "password": false, "PASSWORD1234": false, "Passw0rd!": false, "letmein2026": false, "hunter2hunter2": false,
		"xkqxkqxkqxkqxkqxkqxkq": false, "48151623": false, "qwertyuiop": false, "8675309": false, "Tr0ub4d": false,
		"four words of mine": true, "correct horse battery staple": true, "vq3Xw-9bLp2z": true, "wvbzkqmxhtgd": true, "90317468025518473": true, "фальшивая фраза": true,
	} {
		if err := strong(text, "key file", "no key was made"); (err == nil) != want || err != nil && (len(text) > 3 && strings.Contains(err.Error(), text) || !strings.Contains(fault.Hint(err), "--weak")) {
			t.Errorf("%q: %.0f bits, %v", text, guessBits(text), err)
		}
	}
}

func TestNewKeyIsAnAgeIdentityFile(t *testing.T) {
	dir := dataDir(t)
	if _, err := Open(Options{Dir: dir}).Put(t.Context(), &secret.Secret{Name: "a"}, 0); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	ids, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil || len(ids) != 1 || len(lines) != 4 || !strings.HasPrefix(lines[0], "# created: 20") {
		t.Fatalf("%d identities in %d lines, %v", len(ids), len(lines), err)
	}
	public := ids[0].(*age.X25519Identity).Recipient().String()
	if lines[1] != "# public key: "+public {
		t.Errorf("the comment is %q, want the public key %s", lines[1], public)
	}
	data, err = os.ReadFile(filepath.Join(dir, "store", "recipients.txt"))
	if err != nil || !strings.HasSuffix(string(data), "\n"+public+"\n") {
		t.Errorf("recipients.txt is %q, %v", data, err)
	}
}

// What the key does not fit is told before anything is written or asked, with
// both public keys and what to do.
func TestWrongKey(t *testing.T) {
	dir := dataDir(t)
	mine, minePub := ageKey(t)
	other, otherPub := ageKey(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(ed)
	if err != nil {
		t.Fatal(err)
	}
	sshPub := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	tmp := t.TempDir()
	right := write(t, filepath.Join(tmp, "right"), mine, 0o600)
	if _, err := Open(Options{Dir: dir, Identity: right}).Put(t.Context(), &secret.Secret{Name: "a"}, 0); err != nil {
		t.Fatal(err)
	}
	for public, path := range map[string]string{
		otherPub: write(t, filepath.Join(tmp, "wrong"), other, 0o600),
		sshPub:   write(t, filepath.Join(tmp, "ssh"), sshPEM(t, ed, passphrase), 0o600),
	} {
		s := Open(Options{Dir: dir, Identity: path, Passphrase: (&person{}).ask})
		_, getErr := s.Get(t.Context(), "a", 0)
		_, putErr := s.Put(t.Context(), &secret.Secret{Name: "b"}, 0)
		for _, err := range []error{getErr, putErr} {
			if !errors.Is(err, store.ErrDenied) {
				t.Fatalf("error %v, want ErrDenied", err)
			}
			for _, part := range []string{minePub, public, path} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not name %s", err, part)
				}
			}
			if !strings.Contains(fault.Hint(err), "RHX_AGE_IDENTITY") {
				t.Errorf("hint %q does not say what to do", fault.Hint(err))
			}
		}
		if _, err := s.Get(t.Context(), "b", 0); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("something was written: %v", err)
		}
	}
	// A file of another store, put here by hand.
	s := Open(Options{Dir: dir, Identity: right})
	info := store.Info{Name: "a", Version: 2}
	id, err := age.ParseIdentities(bytes.NewReader(other))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.folder("a"), "2.age"), encode(t, info, &secret.Secret{}, id[0].(*age.X25519Identity).Recipient()), 0o600)
	if _, err := s.Get(t.Context(), "a", 0); !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "2.age") {
		t.Errorf("a file for another key: %v", err)
	}
}

// A key file with an older and a newer key reads what either was used for.
func TestChangingTheKey(t *testing.T) {
	dir := dataDir(t)
	older, olderPub := ageKey(t)
	newer, newerPub := ageKey(t)
	path := write(t, filepath.Join(t.TempDir(), "id"), older, 0o600)
	sec := &secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("FAKE")}}
	if _, err := Open(Options{Dir: dir, Identity: path}).Put(t.Context(), sec, 0); err != nil {
		t.Fatal(err)
	}
	write(t, path, append(newer, older...), 0o600)
	s := Open(Options{Dir: dir, Identity: path})
	if _, err := s.Put(t.Context(), sec, 1); err != nil {
		t.Fatal(err)
	}
	for version := range 3 {
		if _, err := s.Get(t.Context(), "a", version); err != nil {
			t.Errorf("version %d: %v", version, err)
		}
	}
	if known, err := s.recorded(); err != nil || fmt.Sprint(known) != fmt.Sprint([]string{olderPub, newerPub}) {
		t.Errorf("recorded keys %q, %v", known, err)
	}
	write(t, path, newer, 0o600)
	s = Open(Options{Dir: dir, Identity: path})
	if _, err := s.Get(t.Context(), "a", 2); err != nil {
		t.Errorf("the new key alone: %v", err)
	}
	if _, err := s.Get(t.Context(), "a", 1); !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "1.age") {
		t.Errorf("a version of the old key: %v", err)
	}
}

// Whoever can write to the folder must not get to read what is saved next.
func TestKeysAddedToRecipientsAreNotEncryptedTo(t *testing.T) {
	s := Open(Options{Dir: dataDir(t)})
	if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0); err != nil {
		t.Fatal(err)
	}
	stranger, public := ageKey(t)
	f, err := os.OpenFile(s.recipientsPath(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(public + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 1); err != nil {
		t.Fatal(err)
	}
	path := write(t, filepath.Join(t.TempDir(), "id"), stranger, 0o600)
	if _, err := Open(Options{Dir: s.opt.Dir, Identity: path}).Get(t.Context(), "a", 2); !errors.Is(err, store.ErrDenied) {
		t.Errorf("the stranger's Get: %v", err)
	}
}

func TestLostKeyIsNotReplaced(t *testing.T) {
	dir := dataDir(t)
	s := Open(Options{Dir: dir})
	if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0); err != nil {
		t.Fatal(err)
	}
	known, err := s.recorded()
	if err != nil || len(known) != 1 {
		t.Fatal(known, err)
	}
	path := filepath.Join(dir, "identity.txt")
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		s := Open(Options{Dir: dir})
		_, getErr := s.Get(t.Context(), "a", 0)
		_, putErr := s.Put(t.Context(), &secret.Secret{Name: "b"}, 0)
		for _, err := range []error{getErr, putErr} {
			if err == nil {
				t.Fatal("no error without the key")
			}
			if errors.Is(err, store.ErrNotFound) {
				continue // the deleted secret
			}
			if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), known[0]) || fault.Hint(err) == "" {
				t.Errorf("error %v, hint %q", err, fault.Hint(err))
			}
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Fatalf("a new key was made: %v", err)
		}
	}
	check()
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	check() // a deleted version is a reason too
	// When all is gone, a new key loses nothing.
	if err := s.Destroy(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	s = Open(Options{Dir: dir})
	if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0); err != nil {
		t.Fatal(err)
	}
	if now, err := s.recorded(); err != nil || len(now) != 1 || now[0] == known[0] {
		t.Errorf("recorded keys %q, %v; want the new one", now, err)
	}
}

// Many processes may be the first to use a store at the same moment: they end
// up with one key, and none takes the others' secrets for those of a lost one.
func TestFirstUseByMany(t *testing.T) {
	for range 20 {
		dir := dataDir(t)
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = Open(Options{Dir: dir}).Put(t.Context(), &secret.Secret{Name: fmt.Sprint(i)}, 0)
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		s := Open(Options{Dir: dir})
		for i := range errs {
			if _, err := s.Get(t.Context(), fmt.Sprint(i), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestBadKeyFiles(t *testing.T) {
	plain, public := ageKey(t)
	private := strings.TrimSpace(string(bytes.Split(plain, []byte("\n"))[2]))
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	damaged := withPassphrase(t, plain, false)
	damaged[len(damaged)-1] ^= 1
	for what, f := range map[string]struct{ data, want string }{
		"empty":             {"", "empty"},
		"comments alone":    {"# a\n\n", "empty"},
		"public age key":    {public + "\n", "public key"},
		"public SSH key":    {"ssh-ed25519 AAAA fake\n", "public key"},
		"plugin":            {"AGE-PLUGIN-FAKE-1XX\n", "plugin"},
		"a letter missing":  {private[:40] + private[41:] + "\n", "not a key"},
		"a letter wrong":    {strings.ToLower(private[:20]) + private[20:] + "\n", "not a key"},
		"another file":      {`{"fake": "json"}`, "not a key"},
		"ECDSA":             {string(sshPEM(t, ec, "")), "only Ed25519 and RSA"},
		"ECDSA, encrypted":  {string(sshPEM(t, ec, passphrase)), "only Ed25519 and RSA"},
		"certificate":       {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not a private key"},
		"cut SSH key":       {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "not a private key"},
		"encrypted to keys": {string(encryptTo(t, plain, id.Recipient(), false)), "not with a passphrase"},
		"damaged age -p":    {string(damaged), "altered or is damaged"},
		"public in age -p":  {string(withPassphrase(t, []byte(public), true)), "public key"},
		"old without .pub":  {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "needs its public key"},
		"endless":           {strings.Repeat("#\n", maxIdentity), "too long"},
	} {
		t.Run(what, func(t *testing.T) {
			path := write(t, filepath.Join(t.TempDir(), "id"), []byte(f.data), 0o600)
			p := &person{answers: []string{passphrase}}
			s := Open(Options{Dir: dataDir(t), Identity: path, Passphrase: p.ask})
			_, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0)
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), f.want) {
				t.Fatalf("error %v, want one with %q that names the file", err, f.want)
			}
			for _, part := range []string{private[16:30], private[40:]} {
				if strings.Contains(err.Error(), part) {
					t.Error("the error shows the key")
				}
			}
			if infos, err := s.List(t.Context()); err != nil || len(infos) != 0 {
				t.Errorf("List = %+v, %v", infos, err)
			}
		})
	}
	missing := filepath.Join(t.TempDir(), "none")
	_, err = Open(Options{Dir: dataDir(t), Identity: missing}).Put(t.Context(), &secret.Secret{Name: "a"}, 0)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("a key file that is not there: %v", err)
	}
}

func TestReadableKeyIsWarnedAboutOnce(t *testing.T) {
	plain, _ := ageKey(t)
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o400: 0, 0o644: 1, 0o640: 1, 0o604: 1, 0o620: 1} {
		path := write(t, filepath.Join(t.TempDir(), "id"), plain, mode)
		var warnings []string
		s := Open(Options{Dir: dataDir(t), Identity: path, Warn: func(m string) { warnings = append(warnings, m) }})
		for range 2 {
			if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, store.AnyVersion); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Get(t.Context(), "a", 0); err != nil {
				t.Fatal(err)
			}
		}
		if len(warnings) != want || want == 1 && !strings.Contains(warnings[0], path) {
			t.Errorf("mode %04o: warnings %q, want %d", mode, warnings, want)
		}
	}
}
