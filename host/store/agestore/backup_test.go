package agestore

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// A backup has what is deleted too, under names that folders cannot have as they are.
func TestArchive(t *testing.T) {
	ctx := t.Context()
	s := Open(Options{Dir: dataDir(t)})
	if names, err := s.AllNames(ctx); err != nil || len(names) != 0 {
		t.Errorf("of an empty store: %q, %v", names, err)
	}
	long := strings.Repeat("é", 200)
	names := []string{"a", "aws/prod%20eu", "a\xff", long, "gone"}
	slices.Sort(names)
	for _, name := range names {
		for n := range 2 {
			if _, err := s.Put(ctx, &secret.Secret{Name: name, Provider: "p", Values: secret.Values{"k": secret.NewValue("FAKE" + string(rune('0'+n)))}}, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"gone", long} {
		noError(t, s.Delete(ctx, name))
	}
	noError(t, os.Mkdir(filepath.Join(s.secrets(), "empty"), 0o700)) // as a process leaves it that was killed
	if got, err := s.AllNames(ctx); err != nil || !slices.Equal(got, names) {
		t.Errorf("names %q, %v", got, err)
	}
	for number, want := range map[int]string{1: "FAKE0", 2: "FAKE1"} {
		r, err := s.GetDeleted(ctx, "gone", number)
		if err != nil || r.Secret.Values["k"].Reveal() != want || r.Version != number || r.Provider != "p" || !r.Deleted {
			t.Errorf("version %d: %+v, %v", number, r, err)
		}
	}
	for _, name := range []string{"gone", "none"} {
		if _, err := s.GetDeleted(ctx, name, 3); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("no version 3 of %s: %v", name, err)
		}
	}
	if _, err := s.GetDeleted(ctx, "../a", 1); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("a name that is none: %v", err)
	}
	// A file in the place of another.
	data, err := os.ReadFile(filepath.Join(s.folder("a"), "1.age"))
	noError(t, err, os.WriteFile(filepath.Join(s.folder("gone"), "2.age"), data, 0o600))
	if _, err := s.GetDeleted(ctx, "gone", 2); err == nil || !strings.Contains(err.Error(), "was moved or altered") {
		t.Errorf("a file that was moved: %v", err)
	}
	// Names that cannot be found out are an error beside the others.
	noError(t, os.WriteFile(filepath.Join(s.folder(long), "1.age"), nil, 0o600), os.WriteFile(filepath.Join(s.folder(long), "2.age"), nil, 0o600))
	got, err := s.AllNames(ctx)
	if fault.KindOf(err) != fault.Partial || !strings.Contains(err.Error(), folderName(long)) || len(got) != len(names)-1 {
		t.Errorf("%q, %v", got, err)
	}
	noError(t, os.WriteFile(filepath.Join(s.folder(long), "1.age"), data, 0o600))
	if _, err := s.AllNames(ctx); fault.KindOf(err) != fault.Partial {
		t.Errorf("a file of another secret: %v", err)
	}
	noError(t, os.Rename(s.folder("a"), filepath.Join(s.secrets(), "A")))
	if _, err := s.AllNames(ctx); err == nil || !strings.Contains(err.Error(), "/A") {
		t.Errorf("a folder whose name is none: %v", err)
	}
}

// What rhx has deleted is as rhx left it; a mark that somebody else has put there, or taken away, is not.
func TestDeletedIsAsRhxLeftIt(t *testing.T) {
	alone := somebody(t)
	putFake(t, alone, "a", "FAKE1")
	putFake(t, alone, "a", "FAKE2")
	putFake(t, alone, "b", "FAKE3")
	noError(t, alone.Delete(t.Context(), "b"))
	ann, bob := shared(t)
	for what, base := range map[string]*Store{"alone": alone, "the owner": ann, "a member": bob} {
		said := ""
		s := Open(base.opt)
		s.opt.Warn = func(text string) { said += text + "\n" }
		if _, err := s.GetDeleted(t.Context(), "b", 1); err != nil || said != "" {
			t.Errorf("%s: %q, %v", what, said, err)
		}
		write(t, filepath.Join(s.folder("a"), "1.deleted"), nil, 0o600)
		if _, err := s.GetDeleted(t.Context(), "a", 1); err != nil || !strings.Contains(said, "version 1 is marked as deleted, and rhx did not delete it") {
			t.Errorf("%s, a mark was put there: %q, %v", what, said, err)
		}
		said = ""
		noError(t, os.Remove(filepath.Join(s.folder("b"), "1.deleted")))
		if _, err := s.GetDeleted(t.Context(), "b", 1); err != nil || !strings.Contains(said, "version 1 was deleted") {
			t.Errorf("%s, the mark was taken away: %q, %v", what, said, err)
		}
		said = ""
		if _, err := s.Get(t.Context(), "b", 1); err != nil || !strings.Contains(said, "version 1 was deleted") {
			t.Errorf("%s, the mark was taken away, and it is read: %q, %v", what, said, err)
		}
	}
}

// Every kind of key opens what is encrypted to it, as a store's and as one of its own.
func TestIdentity(t *testing.T) {
	for name, f := range keyFiles(t) {
		t.Run(name, func(t *testing.T) {
			p := &person{answers: []string{passphrase, passphrase}}
			s := Open(Options{Dir: dataDir(t), Identity: f.path, Passphrase: p.ask})
			if there, err := s.HasKey(); err != nil || !there {
				t.Errorf("HasKey: %v, %v", there, err)
			}
			s.mu.Lock()
			k, err := s.load()
			s.mu.Unlock()
			noError(t, err)
			var b bytes.Buffer
			w, err := age.Encrypt(&b, k.recipients...)
			noError(t, err)
			_, err = io.WriteString(w, "FAKE")
			noError(t, err, w.Close())
			for what, id := range map[string]age.Identity{"of the store": s.Identity(), "of its own": ReadIdentity(f.path, Asking{Passphrase: p.ask}, nil)} {
				r, err := age.Decrypt(bytes.NewReader(b.Bytes()), id)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if text, err := io.ReadAll(r); err != nil || string(text) != "FAKE" {
					t.Errorf("%s: %q, %v", what, text, err)
				}
			}
			if len(p.prompts) != 2*f.asks {
				t.Errorf("asked %q", p.prompts)
			}
		})
	}
	s := Open(Options{Dir: dataDir(t)})
	if there, err := s.HasKey(); err != nil || there {
		t.Errorf("no key: %v, %v", there, err)
	}
	if _, err := ReadIdentity(filepath.Join(t.TempDir(), "none"), Asking{}, nil).Unwrap(nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestParseRecipient(t *testing.T) {
	hybrid, err := age.GenerateHybridIdentity()
	noError(t, err)
	ed := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBVSnBOAQaHWVkXnwkYZv5nZTwfPbzLfbp2xG2JoyeNP jane@example.com"
	for _, text := range []string{fixedKey(t).Recipient().String(), hybrid.Recipient().String(), ed} {
		if r, err := ParseRecipient(text); err != nil || r == nil {
			t.Errorf("%.20s: %v", text, err)
		}
	}
	two := fixedKey(t).Recipient().String()
	for _, text := range []string{"", "age1", "age1FAKE", two + "\n" + two, "ssh-ed25519 FAKE", fixedKey(t).String(), "ecdsa-sha2-nistp256 FAKE",
		"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGm6Dk4jRwGUu2bHRuyiBc2yK0VCvKjYTyBZvzKNAJ7gL7Cl8xV2z2pTgAGDAF4OqaUY7OyqJaUuOHPJ1rKSj5k="} {
		if _, err := ParseRecipient(text); err == nil || text != "" && len(text) > 8 && strings.Contains(err.Error(), text[len(text)-4:]) {
			t.Errorf("%.20s: %v", text, err)
		}
	}
}
