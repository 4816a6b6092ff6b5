package agestore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// fixedKey opens the seeds of the fuzz corpus. It guards nothing.
func fixedKey(t testing.TB) *age.X25519Identity {
	t.Helper()
	// Joined here so that scanners do not take it for a key of somebody.
	id, err := age.ParseX25519Identity("AGE-SECRET-" + "KEY-1" + "GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func sample() (store.Info, *secret.Secret) {
	s := &secret.Secret{
		Name: "aws/prod%20eu", Provider: "aws", Profile: "prod eu",
		Values:  secret.Values{"access_key": secret.NewValue("FAKE-ACCESS"), "secret_key": secret.NewValue("FAKE-\xff\x00")},
		Sources: []secret.Source{{Kind: secret.SourceFile, Path: "~/.aws/credentials"}, {Kind: secret.SourceEnv, Var: "FAKE"}},
		Expires: time.Date(2031, 1, 2, 3, 4, 5, 6, time.UTC),
	}
	return store.Info{Name: s.Name, Provider: s.Provider, Version: 3, Updated: time.Date(2026, 11, 24, 8, 25, 0, 123, time.UTC)}, s
}

func encode(t testing.TB, i store.Info, s *secret.Secret, to ...age.Recipient) []byte {
	t.Helper()
	plain, err := encodePayload(s)
	if err != nil {
		t.Fatal(err)
	}
	data, err := encodeFile(i, plain, to)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestFileTellsWhatItIsWithoutAKeyAndNothingMore(t *testing.T) {
	info, s := sample()
	data := encode(t, info, s, fixedKey(t).Recipient())
	want := "age-encryption.org/v1\n-> github.com/rhx-dev/rhx/v1 name=aws/prod%2520eu provider=aws version=3 updated=2026-11-24T08:25:00.000000123Z\n\n-> X25519 "
	if !strings.HasPrefix(string(data), want) {
		t.Errorf("the file begins with\n%q, want\n%q", data[:min(len(data), len(want))], want)
	}
	for _, hidden := range []string{"FAKE", "access_key", "credentials", "2031"} {
		if bytes.Contains(data, []byte(hidden)) {
			t.Errorf("the file shows %q", hidden)
		}
	}
	if got, err := parseHeader(data); err != nil || got != info {
		t.Errorf("parseHeader = %+v, %v; want %+v", got, err, info)
	}
	got, sec, err := decodeFile(data, []age.Identity{fixedKey(t)})
	if err != nil || got != info || !reflect.DeepEqual(sec, s) {
		t.Errorf("decodeFile = %+v, %+v, %v; want %+v, %+v", got, sec, err, info, s)
	}
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	info, s := sample()
	id := fixedKey(t)
	data := encode(t, info, s, id.Recipient())
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		if _, _, err := decodeFile(bad, []age.Identity{id}); err == nil {
			t.Errorf("byte %d can be changed", i)
		} else if strings.Contains(err.Error(), "FAKE") {
			t.Errorf("byte %d: the error shows a value", i)
		}
		if _, _, err := decodeFile(data[:i], []age.Identity{id}); err == nil {
			t.Errorf("the file can be cut at byte %d", i)
		}
	}
	if _, _, err := decodeFile(append(bytes.Clone(data), 'x'), []age.Identity{id}); err == nil {
		t.Error("something can be added at the end")
	}
}

func TestParseStanzaIsStrict(t *testing.T) {
	good := "name=a provider=p version=1 updated=2026-11-24T08:25:00Z"
	if _, err := parseStanza(stanzaType, strings.Fields(good)); err != nil {
		t.Fatal(err)
	}
	if _, err := parseStanza(stanzaType, strings.Fields(good+" later=x")); err != nil {
		t.Errorf("an argument of a later version: %v", err)
	}
	for _, bad := range []string{
		"", "name=a", strings.Replace(good, "name=a", "name=", 1), strings.Replace(good, "a ", "%61 ", 1), strings.Replace(good, "name=a", "name=%2f", 1),
		strings.Replace(good, "version=1", "version=01", 1), strings.Replace(good, "version=1", "version=0", 1), strings.Replace(good, "version=1", "version=-1", 1), strings.Replace(good, "version=1", "version=99999999999999999999", 1),
		strings.Replace(good, "2026", "x", 1), strings.Replace(good, "provider=p", "provider", 1), strings.Replace(good, "provider=p ", "", 1), good + " name=b",
	} {
		if i, err := parseStanza(stanzaType, strings.Fields(bad)); err == nil {
			t.Errorf("parseStanza(%q) = %+v", bad, i)
		}
	}
	if _, err := parseStanza("X25519", strings.Fields(good)); err == nil {
		t.Error("a stanza of another type was taken")
	}
}

func TestPutRefusesWhatItCannotKeep(t *testing.T) {
	s := Open(Options{Dir: dataDir(t)})
	for what, sec := range map[string]*secret.Secret{
		"a key that is not UTF-8": {Name: "a", Values: secret.Values{"\xff": secret.NewValue("FAKE")}},
		"an impossible expiry":    {Name: "a", Expires: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"an endless provider":     {Name: "a", Provider: strings.Repeat("p", maxStanza)},
	} {
		if n, err := s.Put(t.Context(), sec, store.AnyVersion); err == nil || n != 0 || strings.Contains(err.Error(), "FAKE") {
			t.Errorf("%s: version %d, error %v", what, n, err)
		}
	}
	if infos, err := s.List(t.Context()); err != nil || len(infos) != 0 {
		t.Errorf("List = %+v, %v; want nothing", infos, err)
	}
}

func TestProfilesAndPathsMayHoldAnyBytes(t *testing.T) {
	s := Open(Options{Dir: dataDir(t)})
	want := secret.Secret{Name: "a\xff", Provider: "p q\xff%", Profile: "latin-1 \xe9", Values: secret.Values{},
		Sources: []secret.Source{{Kind: secret.SourceFile, Path: "/home/\xe9/x"}}}
	if _, err := s.Put(t.Context(), &want, 0); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Get(t.Context(), "a\xff", 0); err != nil || !reflect.DeepEqual(r.Secret, want) {
		t.Errorf("Get = %+v, %v; want %+v", r, err, want)
	}
	if infos, err := s.List(t.Context()); err != nil || len(infos) != 1 || infos[0].Name != want.Name || infos[0].Provider != want.Provider {
		t.Errorf("List = %+v, %v", infos, err)
	}
}

// FuzzDecodeFile proves that the reader of files never panics, takes what it
// accepts for the same thing with and without the key, and that a payload that
// it accepts survives being written again.
func FuzzDecodeFile(f *testing.F) {
	id := fixedKey(f)
	info, s := sample()
	data := encode(f, info, s, id.Recipient())
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Add([]byte(ageIntro + "-> " + stanzaType + " name=a provider= version=1 updated=2026-11-24T08:25:00Z\n\n--- x"))
	f.Add([]byte(ageIntro + "-> " + stanzaType + "\n"))
	f.Add([]byte(ageIntro + "-> X25519 a b\n"))
	f.Add([]byte(`{"profile":"p","values":{"k":"v","b":{"base64":"/wA="}},"sources":[{"kind":"env","var":"V"}],"expires":"2031-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"values":{"k":{"base64":null}}}`))
	f.Add([]byte(`{"values":{"k":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		head, headErr := parseHeader(data)
		if headErr == nil {
			again, err := infoStanza(head)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := parseStanza(again.Type, again.Args); err != nil || back != head {
				t.Fatalf("header %+v comes back as %+v, %v", head, back, err)
			}
		}
		if got, s, err := decodeFile(data, []age.Identity{id}); err == nil {
			if headErr != nil || got != head || s.Name != head.Name {
				t.Fatalf("with the key %+v, without %+v, %v", got, head, headErr)
			}
		}
		if s, err := decodePayload(data); err == nil {
			plain, err := encodePayload(s)
			if err != nil {
				t.Fatal(err)
			}
			back, err := decodePayload(plain)
			if err != nil || !back.Values.Equal(s.Values) || back.Profile != s.Profile || !reflect.DeepEqual(back.Sources, s.Sources) || !back.Expires.Equal(s.Expires) {
				t.Fatalf("payload %q comes back as %+v, %v", plain, back, err)
			}
		}
	})
}

// A file that is put in place of another must never pass for it.
func TestMovedFilesAreNoticed(t *testing.T) {
	for what, move := range map[string]func(secrets string) error{
		"another secret's file": func(d string) error {
			return os.Rename(filepath.Join(d, "other", "1.age"), filepath.Join(d, "a", "2.age"))
		},
		"an older version as the newest": func(d string) error { return os.Rename(filepath.Join(d, "a", "1.age"), filepath.Join(d, "a", "3.age")) },
		"an older version over the newest": func(d string) error {
			return os.Rename(filepath.Join(d, "a", "1.age"), filepath.Join(d, "a", "2.age"))
		},
		"a renamed folder": func(d string) error {
			return os.Rename(filepath.Join(d, "other"), filepath.Join(d, "third"))
		},
		"a relabelled file": func(d string) error {
			path := filepath.Join(d, "other", "1.age")
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data = bytes.Replace(data, []byte("name=other"), []byte("name=a"), 1)
			data = bytes.Replace(data, []byte("version=1"), []byte("version=2"), 1)
			return os.WriteFile(filepath.Join(d, "a", "2.age"), data, 0o600)
		},
		"a changed provider": func(d string) error {
			path := filepath.Join(d, "a", "2.age")
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, bytes.Replace(data, []byte("provider=p"), []byte("provider=q"), 1), 0o600)
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := Open(Options{Dir: dataDir(t)})
			for _, sec := range []*secret.Secret{
				{Name: "a", Provider: "p", Values: secret.Values{"k": secret.NewValue("FAKE 1")}},
				{Name: "a", Provider: "p", Values: secret.Values{"k": secret.NewValue("FAKE 2")}},
				{Name: "other", Values: secret.Values{"k": secret.NewValue("FAKE 3")}},
				{Name: "well", Values: secret.Values{"k": secret.NewValue("FAKE 4")}},
			} {
				if _, err := s.Put(t.Context(), sec, store.AnyVersion); err != nil {
					t.Fatal(err)
				}
			}
			if err := move(s.secrets()); err != nil {
				t.Fatal(err)
			}
			name := "a"
			if what == "a renamed folder" {
				name = "third"
			}
			_, err := s.Get(t.Context(), name, 0)
			if err == nil || !strings.Contains(err.Error(), s.folder(name)) {
				t.Errorf("Get: %v, want an error that names the file", err)
			}
			// One bad file hides no other.
			infos, err := s.List(t.Context())
			found := false
			for _, i := range infos {
				found = found || i.Name == "well"
			}
			if !found {
				t.Errorf("List = %+v, %v", infos, err)
			}
			if forged := strings.HasPrefix(what, "a relabelled") || strings.HasPrefix(what, "a changed"); err == nil != forged {
				t.Errorf("List: error %v", err)
			}
		})
	}
}

func TestModesAndLayout(t *testing.T) {
	dir := dataDir(t)
	s := Open(Options{Dir: dir})
	sec := &secret.Secret{Name: "aws/prod", Values: secret.Values{}}
	for range 2 {
		if _, err := s.Put(t.Context(), sec, store.AnyVersion); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(t.Context(), "aws/prod"); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if filepath.Ext(rel) == recordEnding {
			rel = filepath.Join(filepath.Dir(rel), "ID.log")
		}
		got = append(got, st.Mode().String()+" "+filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"drwx------ .", "-rw------- identity.txt", "drwx------ store", "-rw------- store/lock", "-rw------- store/recipients.txt",
		"drwx------ store/record", "-rw------- store/record/ID.log",
		"drwx------ store/secrets", "drwx------ store/secrets/aws%2fprod", "-rw------- store/secrets/aws%2fprod/1.age", "-rw------- store/secrets/aws%2fprod/2.age", "-rw------- store/secrets/aws%2fprod/2.deleted",
		"drwx------ store/tmp", "-rw------- store.seen",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("files are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestReadingMakesNothing(t *testing.T) {
	dir := dataDir(t)
	s := Open(Options{Dir: dir})
	_, _ = s.List(t.Context())
	_, _ = s.Get(t.Context(), "a", 0)
	_, _ = s.History(t.Context(), "a")
	_ = s.Delete(t.Context(), "a")
	_ = s.Destroy(t.Context(), "a")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the data folder was made: %v", err)
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	s := Open(Options{Dir: dataDir(t)})
	sec := &secret.Secret{Name: "a", Values: secret.Values{}}
	if _, err := s.Put(t.Context(), sec, 0); err != nil {
		t.Fatal(err)
	}
	foreign := []string{filepath.Join(s.secrets(), ".DS_Store"), filepath.Join(s.folder("a"), "2 (copy).age"), filepath.Join(s.folder("a"), "03.age"), filepath.Join(s.folder("a"), "9.age.deleted")}
	for _, path := range foreign {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(s.secrets(), "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	if infos, err := s.List(t.Context()); err != nil || len(infos) != 1 {
		t.Errorf("List = %+v, %v; want one secret", infos, err)
	}
	if n, err := s.Put(t.Context(), sec, 1); err != nil || n != 2 {
		t.Errorf("Put returned version %d, %v", n, err)
	}
	for _, path := range foreign {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// Whoever frees disk space by hand leaves a mark without its file; the number
// must not be given to a new version, which would be born deleted.
func TestMarkWithoutItsFile(t *testing.T) {
	s := Open(Options{Dir: dataDir(t)})
	sec := &secret.Secret{Name: "a", Values: secret.Values{}}
	for range 2 {
		if _, err := s.Put(t.Context(), sec, store.AnyVersion); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(s.folder("a"), "2.age")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "a", 0); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if infos, err := s.List(t.Context()); err != nil || len(infos) != 0 {
		t.Errorf("List = %+v, %v", infos, err)
	}
	if h, err := s.History(t.Context(), "a"); err != nil || len(h) != 2 || h[0] != (store.Info{Name: "a", Version: 2, Deleted: true, Destroyed: true}) {
		t.Errorf("History = %+v, %v", h, err)
	}
	// Without the file there is nothing to bring back, and the mark stays: the
	// version before must not pass for the newest.
	for _, version := range []int{0, 2} {
		if err := s.Undelete(t.Context(), "a", version); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Undelete version %d: %v", version, err)
		}
	}
	if _, err := os.Stat(filepath.Join(s.folder("a"), "2.deleted")); err != nil {
		t.Error(err)
	}
	if n, err := s.Put(t.Context(), sec, 0); err != nil || n != 3 {
		t.Errorf("Put returned version %d, %v", n, err)
	}
	if _, err := s.Get(t.Context(), "a", 0); err != nil {
		t.Error(err)
	}
}

// Readers hold no lock: what they find may be gone when they open it.
func TestReadersMeetDeletions(t *testing.T) {
	dir := dataDir(t)
	w, r := Open(Options{Dir: dir}), Open(Options{Dir: dir})
	sec := &secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("FAKE")}}
	done := make(chan error, 1)
	go func() {
		var err error
		for n := 0; n < 300 && err == nil; n++ {
			_, err = w.Put(t.Context(), sec, store.AnyVersion)
			if err == nil && n%2 == 0 {
				err = w.Delete(t.Context(), "a")
			} else if err == nil && n%5 == 0 {
				err = w.Destroy(t.Context(), "a")
			}
		}
		done <- err
	}()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
		if _, err := r.List(t.Context()); err != nil {
			t.Errorf("List: %v", err)
		}
		if _, err := r.History(t.Context(), "a"); err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("History: %v", err)
		}
		if rec, err := r.Get(t.Context(), "a", 0); err == nil && !rec.Secret.Values.Equal(sec.Values) || err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get: %v", err)
		}
	}
}
