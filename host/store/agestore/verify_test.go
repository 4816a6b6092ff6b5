package agestore

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// problems are what Verify says, without the folder and the IDs of machines.
func problems(t *testing.T, s *Store) string {
	t.Helper()
	v, err := Open(s.opt).Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(strings.Join(v.Problems, "\n"), s.root()+"/", "")
	for i, id := range recordIDs(t, s) {
		text = strings.ReplaceAll(text, id, fmt.Sprint("ID", i+1))
	}
	return text
}

func recordIDs(t *testing.T, s *Store) []string {
	t.Helper()
	ids, err := s.recordIDs()
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func putFake(t *testing.T, s *Store, name, value string) {
	t.Helper()
	if _, err := s.Put(t.Context(), &secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue(value)}}, store.AnyVersion); err != nil {
		t.Fatal(err)
	}
}

func noError(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// recorded is a store with a and b of three and two versions, of which b's last is
// deleted, c that came back, and d that was destroyed.
func recorded(t *testing.T) *Store {
	t.Helper()
	s := Open(Options{Dir: dataDir(t), Warn: func(m string) { t.Error(m) }})
	for _, name := range []string{"a", "a", "a", "b", "b", "c", "d"} {
		putFake(t, s, name, "FAKE")
	}
	ctx := t.Context()
	noError(t, s.Delete(ctx, "b"), s.Delete(ctx, "c"), s.Undelete(ctx, "c", 0), s.Destroy(ctx, "d"))
	v, err := s.Verify(ctx)
	if err != nil || len(v.Problems)+len(v.Notes) > 0 || v.Secrets != 3 || v.Versions != 6 {
		t.Fatalf("%+v, %v", v, err)
	}
	return s
}

// clone copies a folder to another one.
func clone(t *testing.T, from, to string) {
	t.Helper()
	noError(t, os.RemoveAll(to), os.CopyFS(to, os.DirFS(from)))
}

// Whoever can write the folder, and has the public key only, is found.
func TestAttacksOnTheFolder(t *testing.T) {
	swap := func(t *testing.T, x, y string) {
		noError(t, os.Rename(x, x+".x"), os.Rename(y, x), os.Rename(x+".x", y))
	}
	for name, c := range map[string]struct {
		do   func(t *testing.T, s *Store)
		want string
	}{
		"the newest version is removed": {
			func(t *testing.T, s *Store) { noError(t, os.Remove(filepath.Join(s.folder("a"), "3.age"))) },
			"version 3 of a was taken away",
		},
		"an older version is removed": {
			func(t *testing.T, s *Store) { noError(t, os.Remove(filepath.Join(s.folder("a"), "2.age"))) },
			"version 2 of a was taken away",
		},
		"a deleted version is removed": {
			func(t *testing.T, s *Store) { noError(t, os.Remove(filepath.Join(s.folder("b"), "2.age"))) },
			"version 2 of b was taken away",
		},
		"a secret is removed": {
			func(t *testing.T, s *Store) { noError(t, os.RemoveAll(s.folder("a"))) },
			"version 1 of a was taken away\nversion 2 of a was taken away\nversion 3 of a was taken away",
		},
		"a deletion is taken back": {
			func(t *testing.T, s *Store) { noError(t, os.Remove(filepath.Join(s.folder("b"), "2.deleted"))) },
			"version 2 of b was deleted, and is not any more: secrets/b/2.deleted is gone",
		},
		"a version is marked as deleted": {
			func(t *testing.T, s *Store) { write(t, filepath.Join(s.folder("a"), "3.deleted"), nil, 0o600) },
			"version 3 of a is marked as deleted, and rhx did not delete it: secrets/a/3.deleted",
		},
		"a version is added that was encrypted to the public key": {
			func(t *testing.T, s *Store) { forge(t, s, "a", 4) },
			"version 4 of a was added by somebody else, or put back after it was destroyed: secrets/a/4.age",
		},
		"a version is replaced by one that was encrypted to the public key": {
			func(t *testing.T, s *Store) { forge(t, s, "a", 3) },
			"version 3 of a was replaced: secrets/a/3.age",
		},
		"a secret is added": {
			func(t *testing.T, s *Store) { forge(t, s, "evil", 1) },
			"version 1 of evil was added by somebody else, or put back after it was destroyed: secrets/evil/1.age",
		},
		"versions change places": {
			func(t *testing.T, s *Store) {
				swap(t, filepath.Join(s.folder("a"), "1.age"), filepath.Join(s.folder("a"), "3.age"))
			},
			"secrets/a/3.age is version 1 of \"a\": it was moved or altered\nversion 3 of a was replaced: secrets/a/3.age\n" +
				"secrets/a/1.age is version 3 of \"a\": it was moved or altered\nversion 1 of a was replaced: secrets/a/1.age",
		},
		"secrets change places": {
			func(t *testing.T, s *Store) {
				swap(t, filepath.Join(s.folder("b"), "1.age"), filepath.Join(s.folder("c"), "1.age"))
			},
			"secrets/b/1.age is version 1 of \"c\": it was moved or altered\nversion 1 of b was replaced: secrets/b/1.age\n" +
				"secrets/c/1.age is version 1 of \"b\": it was moved or altered\nversion 1 of c was replaced: secrets/c/1.age",
		},
		"the record is removed": {
			func(t *testing.T, s *Store) { noError(t, os.RemoveAll(s.recordDir())) },
			"record/ID1.log was removed",
		},
		"a change is cut out of the record": {
			func(t *testing.T, s *Store) {
				editRecord(t, s, func(lines []string) []string { return slices.Delete(lines, 4, 6) })
				noError(t, os.Remove(filepath.Join(s.folder("a"), "3.age")))
			},
			"record/ID1.log was put back to what it was at an earlier time: the store may be an older copy of itself\n" +
				strings.TrimSuffix(strings.Join(changedFrom(5, 20), "\n"), "\n"),
		},
		"the end of the record is cut with what it says": {
			func(t *testing.T, s *Store) {
				editRecord(t, s, func(lines []string) []string { return lines[:len(lines)-2] })
			},
			"record/ID1.log was put back to what it was at an earlier time: the store may be an older copy of itself\nversion 1 of d was taken away",
		},
		"a change is added to the record without a proof": {
			func(t *testing.T, s *Store) {
				forge(t, s, "evil", 1)
				data, err := os.ReadFile(filepath.Join(s.folder("evil"), "1.age"))
				noError(t, err)
				editRecord(t, s, func(lines []string) []string {
					return append(lines, "99 put evil 1 "+hashFile(data)+" -\n", "100 done - 0 - -\n")
				})
			},
			"record/ID1.log:23: it has no proof: it was added, or written while there was no key\n" +
				"record/ID1.log:24: it has no proof: it was added, or written while there was no key",
		},
		"nonsense is added to the record": {
			func(t *testing.T, s *Store) {
				editRecord(t, s, func(lines []string) []string { return append(lines, "nonsense\n") })
			},
			"record/ID1.log:23: this line is not as rhx wrote it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := recorded(t)
			id := recordIDs(t, s)[0]
			c.do(t, s)
			if got := strings.ReplaceAll(problems(t, s), id, "ID1"); got != c.want {
				t.Errorf("%s\nwant:\n%s", got, c.want)
			}
			// It is found also after rhx has gone on.
			for _, name := range []string{"later", "a", "b"} {
				putFake(t, s, name, "FAKE")
			}
			if got := problems(t, s); got == "" {
				t.Error("it is found no more after the next write")
			}
			// The user takes it as it is.
			noError(t, accept(t.Context(), s))
			if got := problems(t, s); got != "" && !strings.Contains(c.want, "moved or altered") {
				t.Errorf("after it was accepted:\n%s", got)
			}
		})
	}
}

func changedFrom(from, to int) []string {
	var out []string
	for n := from; n <= to; n++ {
		out = append(out, fmt.Sprintf("record/ID1.log:%d: it, or a line before it, was changed, or another key wrote it", n))
	}
	return out
}

// forge writes a version as somebody can who has the public key only.
func forge(t *testing.T, s *Store, name string, version int) {
	t.Helper()
	plain, err := encodePayload(&secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue("EVIL")}})
	noError(t, err)
	data, err := encodeFile(store.Info{Name: name, Version: version}, plain, s.key.recipients)
	noError(t, err)
	noError(t, os.MkdirAll(s.folder(name), 0o700))
	write(t, filepath.Join(s.folder(name), fmt.Sprint(version, ".age")), data, 0o600)
}

func editRecord(t *testing.T, s *Store, change func([]string) []string) {
	t.Helper()
	path := s.recordPath(recordIDs(t, s)[0])
	data, err := os.ReadFile(path)
	noError(t, err)
	lines := strings.SplitAfter(strings.TrimSuffix(string(data), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	write(t, path, []byte(strings.Join(change(lines), "")), 0o600)
}

// A copy of the whole folder from before is found where rhx has written since.
func TestTheWholeFolderPutBack(t *testing.T) {
	s := recorded(t)
	old := filepath.Join(t.TempDir(), "old")
	clone(t, s.root(), old)
	putFake(t, s, "a", "new")
	clone(t, old, s.root())
	const want = "record/ID1.log was put back to what it was at an earlier time: the store may be an older copy of itself"
	if got := problems(t, s); got != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
	// The user knows why, and goes on from there, however long the record once was.
	kept, err := os.ReadFile(s.seenPath())
	noError(t, err)
	putBack, id := filepath.Join(t.TempDir(), "put back"), s.mustSeen(t).ID
	clone(t, s.root(), putBack)
	write(t, s.seenPath(), []byte(strings.Replace(string(kept), id+`":`, id+`":9`, 1)), 0o600)
	noError(t, accept(t.Context(), s))
	if got := problems(t, s); got != "" {
		t.Errorf("after it was accepted: %s", got)
	}
	clone(t, putBack, s.root())
	write(t, s.seenPath(), kept, 0o600)
	// Another machine cannot know.
	noError(t, os.Remove(s.seenPath()))
	if got := problems(t, s); got != "" {
		t.Error(got)
	}
}

// A store that an older rhx made has no record: the first write makes it, and says so.
func TestAStoreOfBefore(t *testing.T) {
	s := recorded(t)
	noError(t, os.RemoveAll(s.recordDir()), os.Remove(s.seenPath()))
	v, err := s.Verify(t.Context())
	if err != nil || len(v.Problems) > 0 || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "no record") || v.Versions != 6 {
		t.Errorf("%+v, %v", v, err)
	}
	var said []string
	s.opt.Warn = func(m string) { said = append(said, m) }
	putFake(t, s, "a", "x")
	putFake(t, s, "a", "y")
	if len(said) != 1 || !strings.HasSuffix(said[0], "had no record of what is in it; it was made of what is there: 3 secrets, 6 versions") {
		t.Errorf("%q", said)
	}
	if got := problems(t, s); got != "" {
		t.Error(got)
	}
	noError(t, os.Remove(filepath.Join(s.folder("b"), "2.deleted")))
	if got := problems(t, s); !strings.Contains(got, "version 2 of b was deleted, and is not any more") {
		t.Error(got)
	}
}

// Machines that share the folder have a file of the record each; merged, they are one.
func TestTwoMachines(t *testing.T) {
	one := recorded(t)
	other := Open(Options{Dir: dataDir(t), Identity: filepath.Join(one.opt.Dir, "identity.txt")})
	clone(t, one.root(), other.root())
	putFake(t, one, "a", "of one")
	putFake(t, other, "b", "of the other")
	noError(t, other.Delete(t.Context(), "c"), one.Delete(t.Context(), "a"))
	// What was added on each goes to the other, as git or a synchroniser does it.
	for _, copy := range [][2]*Store{{one, other}, {other, one}} {
		err := filepath.WalkDir(copy[0].root(), func(path string, d os.DirEntry, err error) error {
			rel, _ := filepath.Rel(copy[0].root(), path)
			to := filepath.Join(copy[1].root(), rel)
			if err != nil || d.IsDir() {
				return err
			}
			if _, err := os.Stat(to); err == nil {
				return nil
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(to, data, 0o600)
		})
		noError(t, err)
	}
	for _, s := range []*Store{one, other} {
		if ids := recordIDs(t, s); len(ids) != 2 {
			t.Errorf("%q", ids)
		}
	}
	// The file of the first machine grew after the copy was made.
	path := one.recordPath(one.mustSeen(t).ID)
	data, err := os.ReadFile(path)
	noError(t, err)
	write(t, other.recordPath(filepath.Base(strings.TrimSuffix(path, recordEnding))), data, 0o600)
	for _, s := range []*Store{one, other} {
		if got := problems(t, s); got != "" {
			t.Error(got)
		}
		putFake(t, s, "b", "more")
		if got := problems(t, s); got != "" {
			t.Error(got)
		}
	}
	// The file of another machine is missed, too.
	noError(t, os.Remove(one.recordPath(other.mustSeen(t).ID)))
	if got := problems(t, one); !strings.Contains(got, ".log was removed") || !strings.Contains(got, "version 3 of b was added") {
		t.Error(got)
	}
	noError(t, accept(t.Context(), one))
	if got := problems(t, one); got != "" {
		t.Errorf("after it was accepted: %s", got)
	}
}

func (s *Store) mustSeen(t *testing.T) *seen {
	t.Helper()
	was, err := s.readSeen()
	noError(t, err)
	return was
}

// While the key waits for its passphrase changes have no proof; the next one with the
// key proves them, and a key that is always open takes none.
func TestRecordOfALockedKey(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	noError(t, err)
	dir := dataDir(t)
	path := write(t, filepath.Join(t.TempDir(), "id"), sshPEM(t, ed, passphrase), 0o600)
	open := func() *Store {
		return Open(Options{Dir: dir, Identity: path, Passphrase: func(string) (string, error) { return passphrase, nil }})
	}
	putFake(t, open(), "a", "x")
	v, err := open().Verify(t.Context())
	if err != nil || len(v.Problems) > 0 || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "the last 2 changes in ") {
		t.Errorf("%+v, %v", v, err)
	}
	s := open()
	if _, err := s.Get(t.Context(), "a", 0); err != nil { // opens the key
		t.Fatal(err)
	}
	putFake(t, s, "a", "y")
	if v, err := open().Verify(t.Context()); err != nil || len(v.Problems)+len(v.Notes) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	forge(t, s, "a", 2)
	if got := problems(t, open()); !strings.Contains(got, "version 2 of a was replaced") {
		t.Error(got)
	}
}

// What cannot be read is an error, and no store that is in order.
func TestVerifyOfWhatCannotBeRead(t *testing.T) {
	none := Open(Options{Dir: dataDir(t)})
	if v, err := none.Verify(t.Context()); err != nil || v.Secrets != 0 || len(v.Problems)+len(v.Notes) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	s := recorded(t)
	s.opt.Warn = nil
	write(t, s.seenPath(), []byte("{"), 0o600)
	if _, err := s.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "store.seen is damaged") || fault.Hint(err) == "" {
		t.Error(err)
	}
	if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 3); err == nil || !strings.Contains(err.Error(), "cannot be noted") {
		t.Error(err)
	}
	if got, err := s.Get(t.Context(), "a", 0); err != nil || got.Version != 3 {
		t.Error("it was written all the same")
	}
	noError(t, os.Remove(s.seenPath()))
	noError(t, os.Remove(filepath.Join(s.opt.Dir, "identity.txt")))
	if _, err := Open(s.opt).Verify(t.Context()); !errors.Is(err, store.ErrDenied) {
		t.Error(err)
	}
}

// Who reads a secret that is not as rhx left it is told so, and no other.
func TestReadsSayWhatIsWrong(t *testing.T) {
	move := func(from, to string) func(*testing.T, *Store) {
		return func(t *testing.T, s *Store) {
			noError(t, os.Rename(filepath.Join(s.secrets(), from), filepath.Join(s.secrets(), to)))
		}
	}
	for name, c := range map[string]struct {
		do      func(t *testing.T, s *Store)
		name    string
		version int
		want    string
	}{
		"the newest is taken away":    {move("a/3.age", "x"), "a", 0, "version 3 was taken away"},
		"it is asked for":             {move("a/3.age", "x"), "a", 3, "version 3 was taken away, or marked as deleted"},
		"another one is asked for":    {move("a/3.age", "x"), "a", 2, ""},
		"all are taken away":          {move("a", "../x"), "a", 0, "version 3 was taken away, or marked as deleted"},
		"one is marked":               {func(t *testing.T, s *Store) { write(t, filepath.Join(s.folder("a"), "3.deleted"), nil, 0o600) }, "a", 0, "version 3 was taken away, or marked as deleted"},
		"a mark is taken away":        {move("b/2.deleted", "x"), "b", 0, "version 2 was deleted"},
		"a deleted one is taken away": {func(t *testing.T, s *Store) { move("b/2.deleted", "x")(t, s); move("b/2.age", "y")(t, s) }, "b", 0, "version 2 was taken away"},
		"one is added":                {func(t *testing.T, s *Store) { forge(t, s, "a", 4) }, "a", 0, "version 4 was added by somebody else"},
		"one is replaced":             {func(t *testing.T, s *Store) { forge(t, s, "a", 3) }, "a", 0, "version 3 was replaced"},
		"an older one is replaced":    {func(t *testing.T, s *Store) { forge(t, s, "a", 1) }, "a", 1, "version 1 was replaced"},
		"another secret is added":     {func(t *testing.T, s *Store) { forge(t, s, "evil", 1) }, "evil", 0, "version 1 was added by somebody else"},
		"another secret is read":      {func(t *testing.T, s *Store) { forge(t, s, "evil", 1) }, "a", 0, ""},
		"a deleted one is asked for":  {func(*testing.T, *Store) {}, "b", 0, ""},
		"a deleted version":           {func(*testing.T, *Store) {}, "b", 2, ""},
		"one that never was":          {func(*testing.T, *Store) {}, "no", 0, ""},
		"a version that never was":    {func(*testing.T, *Store) {}, "a", 9, ""},
		"one that came back":          {func(*testing.T, *Store) {}, "c", 0, ""},
		"a destroyed one":             {func(*testing.T, *Store) {}, "d", 0, ""},
		"the record is changed": {func(t *testing.T, s *Store) {
			editRecord(t, s, func(l []string) []string { return slices.Delete(l, 4, 6) })
		}, "a", 0, "it was changed, or another key wrote it"},
		"the record is removed": {func(t *testing.T, s *Store) { noError(t, os.RemoveAll(s.recordDir())) }, "a", 0, ".log was removed"},
		"a change in it may be pending": {func(t *testing.T, s *Store) {
			forge(t, s, "a", 4)
			r, err := s.openRecord()
			noError(t, err, r.add(change{op: opPut, folder: "a", version: 4, hash: "x"}, true))
			r.close()
		}, "a", 0, ""},
		"a change in it has no proof": {func(t *testing.T, s *Store) {
			forge(t, s, "a", 4)
			editRecord(t, s, func(l []string) []string { return append(l, "99 put a 4 x -\n") })
		}, "a", 0, "its last lines have no proof"},
	} {
		t.Run(name, func(t *testing.T) {
			s := recorded(t)
			c.do(t, s)
			var said []string
			s.opt.Warn = func(m string) { said = append(said, m) }
			for i := range 5 { // the first looks read a part of the record, later ones all
				if i == 3 { // another one has looked at the record already
					s = Open(s.opt)
					defer s.Together()()
					_, _ = s.Get(t.Context(), "c", 0)
				}
				said = nil
				_, _ = s.Get(t.Context(), c.name, c.version)
				want := ""
				if c.want != "" {
					want = c.want + ". rhx store verify says more"
				}
				if got := strings.Join(said, "\n"); !strings.HasSuffix(got, want) || want == "" && got != "" || want != "" && !strings.HasPrefix(got, c.name+" is not as rhx left it in the store: ") {
					t.Errorf("%q, want %q", got, want)
				}
			}
		})
	}
}

// Secrets that are read together are compared with one record, and with a newer one where that
// leaves a doubt.
func TestOneLookForManySecrets(t *testing.T) {
	s := recorded(t)
	var said []string
	s.opt.Warn = func(m string) { said = append(said, m) }
	get := func(name, want string, warned bool) {
		t.Helper()
		said = nil
		rec, err := s.Get(t.Context(), name, 0)
		if err != nil || rec.Secret.Values["k"].Reveal() != want || (len(said) > 0) != warned {
			t.Errorf("%s: %+v, %v; %q", name, rec, err, said)
		}
	}
	outer, end := s.Together(), s.Together()
	get("c", "FAKE", false)
	putFake(t, Open(s.opt), "a", "FAKE 4")
	get("a", "FAKE 4", false) // which the first look did not know
	noError(t, os.RemoveAll(s.recordDir()))
	get("c", "FAKE", false)
	end()
	end()
	get("c", "FAKE", false)
	outer()
	get("c", "FAKE", true)
	get("a", "FAKE 4", true)
}

// Readers and writers at once are no attack.
func TestReadsWhileOthersWrite(t *testing.T) {
	dir := dataDir(t)
	putFake(t, Open(Options{Dir: dir}), "a", "x")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			s := Open(Options{Dir: dir})
			for i := range 30 {
				if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, store.AnyVersion); err != nil {
					t.Error(err)
				}
				if i%7 == 0 {
					_ = s.Delete(t.Context(), "a")
				}
				if i%11 == 0 {
					noErr := s.Destroy(t.Context(), "a")
					if noErr != nil {
						t.Error(noErr)
					}
				}
			}
		})
		wg.Go(func() {
			s := Open(Options{Dir: dir, Warn: func(m string) { t.Error(m) }})
			for range 100 {
				_, _ = s.Get(t.Context(), "a", 0)
			}
		})
	}
	wg.Wait()
	if got := problems(t, Open(Options{Dir: dir})); got != "" {
		t.Error(got)
	}
}

// An older copy of the whole folder is told to who reads from it, and stays to be found
// after rhx has written to it.
func TestTheWholeFolderPutBackIsNotForgiven(t *testing.T) {
	s := recorded(t)
	old := filepath.Join(t.TempDir(), "old")
	clone(t, s.root(), old)
	putFake(t, s, "a", "new")
	clone(t, old, s.root())
	var said []string
	s.opt.Warn = func(m string) { said = append(said, m) }
	if _, err := s.Get(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "is older than when this machine last wrote") {
		t.Errorf("the reader was told %q", said)
	}
	for range 3 {
		putFake(t, s, "c", "x")
	}
	const want = "the record was put back to what it was at an earlier time before this: the store may be an older copy of itself"
	if got := problems(t, s); strings.Count(got, want) != 1 || strings.Contains(got, "\n") {
		t.Errorf("after more writes: %s", got)
	}
	noError(t, accept(t.Context(), s))
	if got := problems(t, s); got != "" {
		t.Errorf("after it was accepted: %s", got)
	}
}

// So is a folder that is gone, which a store that never was is not.
func TestTheWholeFolderRemoved(t *testing.T) {
	s := recorded(t)
	noError(t, os.RemoveAll(s.root()))
	if got := problems(t, s); !strings.HasPrefix(got, "record/") || !strings.HasSuffix(got, ".log was removed") {
		t.Errorf("%s", got)
	}
	var said []string
	s.opt.Warn = func(m string) { said = append(said, m) }
	if _, err := s.Get(t.Context(), "b", 0); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "was removed") {
		t.Errorf("the reader was told %q", said)
	}
	if got := problems(t, Open(Options{Dir: dataDir(t)})); got != "" {
		t.Errorf("a new store: %s", got)
	}
}

// A mark without a version hides those before it: Verify names it, also where a version of that
// number was taken away, and accepted as gone.
func TestAMarkHidesASecretOfOne(t *testing.T) {
	for name, n := range map[string]int{"of none": 999, "of one that was taken away": 3} {
		s := recorded(t)
		s.opt.Warn = nil
		if n == 3 {
			noError(t, os.Remove(filepath.Join(s.folder("a"), "3.age")), accept(t.Context(), Open(s.opt)))
			if got := problems(t, s); got != "" {
				t.Error(got)
			}
		}
		write(t, filepath.Join(s.folder("a"), version{n: n}.mark()), nil, 0o600)
		if got := problems(t, s); !strings.Contains(got, "is marked as deleted, and there is none") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A mark that is alone, as where one machine has destroyed what another one deleted, is no
// problem, and no obstacle to a rekey.
func TestAMarkThatHidesNothing(t *testing.T) {
	s := recorded(t)
	write(t, filepath.Join(s.folder("none"), version{n: 1}.mark()), nil, 0o600)
	v, err := Open(s.opt).Verify(t.Context())
	noError(t, err)
	if len(v.Problems) > 0 || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "hides none") {
		t.Errorf("%q, %q", v.Problems, v.Notes)
	}
	if _, err := Open(s.opt).Rekey(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// accept is Accept of who says yes to what they are shown.
func accept(ctx context.Context, s *Store) error {
	shown, err := s.Acceptance(ctx)
	if err != nil {
		return err
	}
	return s.Accept(ctx, shown)
}
