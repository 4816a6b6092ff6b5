package agestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// recordLines are those of the only file of the record, without clock, hash and proof.
func recordLines(t *testing.T, s *Store) []string {
	t.Helper()
	data, err := os.ReadFile(s.recordPath(s.mustSeen(t).ID))
	noError(t, err)
	var out []string
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) != 6 {
			t.Fatalf("line %q", line)
		}
		out = append(out, strings.Join(f[1:4], " "))
	}
	return out
}

func TestTheRecordOfEachChange(t *testing.T) {
	s := Open(Options{Dir: dataDir(t)})
	ctx := t.Context()
	putFake(t, s, "a/b", "FAKE")
	noError(t, s.Delete(ctx, "a/b"), s.Undelete(ctx, "a/b", 1), s.Undelete(ctx, "a/b", 1), s.Destroy(ctx, "a/b"), accept(ctx, s))
	want := "put a%2fb 1|done - 0|delete a%2fb 1|done - 0|undelete a%2fb 1|done - 0|destroy a%2fb 0|done - 0|accept - 0"
	if got := strings.Join(recordLines(t, s), "|"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	data, err := os.ReadFile(s.recordPath(s.mustSeen(t).ID))
	noError(t, err)
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		c, proof, ok := parseChange(line)
		if !ok || c.clock != int64(i+1) || len(proof) != 86 || (len(c.hash) == 2*hashBytes) != (c.op == opPut) || c.text()+proof != line {
			t.Errorf("line %q is %+v, %s, %v", line, c, proof, ok)
		}
	}
}

func TestLinesOfTheRecord(t *testing.T) {
	for line, want := range map[string]bool{
		"1 put a 1 - -": true, "9007199254740992 x y 0 z p": true, "9007199254740993 x y 0 z p": false, "9223372036854775807 x y 0 z p": false, "0 put a 1 - -": false, "-1 put a 1 - -": false, "x put a 1 - -": false, "1 put a x - -": false,
		"1 put a 1 -": false, "1 put a 1 - - -": false, "": false, "9223372036854775808 put a 1 - -": false, "1  put a 1 - -": false,
	} {
		if _, _, ok := parseChange(line); ok != want {
			t.Errorf("%q: %v", line, ok)
		}
	}
	for id, want := range map[string]bool{"0123456789abcdef": true, "0123456789abcd": false, "0123456789abcdef00": false, "0123456789abcdeg": false, "": false} {
		if validID(id) != want {
			t.Errorf("%q: %v", id, !want)
		}
	}
}

// What a process that was killed has noted, and did or did not do, the next one ends;
// until then either is right.
func TestWhatAKilledProcessLeft(t *testing.T) {
	remove := func(name string) func(*testing.T, *Store) {
		return func(t *testing.T, s *Store) { noError(t, os.RemoveAll(filepath.Join(s.secrets(), name))) }
	}
	mark := func(name string) func(*testing.T, *Store) {
		return func(t *testing.T, s *Store) { write(t, filepath.Join(s.secrets(), name), nil, 0o600) }
	}
	nothing := func(*testing.T, *Store) {}
	forged := func(t *testing.T, s *Store) { forge(t, s, "a", 4) }
	for name, c := range map[string]struct {
		line string // HASH is that of a/4.age
		did  func(*testing.T, *Store)
		want string
		bad  string // what Verify says of what is neither
	}{
		"put":                 {"put a 4 HASH", forged, "done", ""},
		"not put":             {"put a 4 x", nothing, "undone", ""},
		"something else put":  {"put a 4 x", forged, "undone", "version 4 of a was added by somebody else"},
		"deleted":             {"delete a 3 -", mark("a/3.deleted"), "done", ""},
		"not deleted":         {"delete a 3 -", nothing, "undone", ""},
		"another deleted":     {"delete a 3 -", mark("a/2.deleted"), "undone", "version 2 of a is marked as deleted"},
		"back":                {"undelete b 2 -", remove("b/2.deleted"), "done", ""},
		"not back":            {"undelete b 2 -", nothing, "undone", ""},
		"destroyed":           {"destroy a 0 -", remove("a"), "done", ""},
		"not destroyed":       {"destroy a 0 -", nothing, "undone", ""},
		"destroyed in part":   {"destroy a 0 -", remove("a/3.age"), "undone", "version 3 of a was taken away"},
		"another destroyed":   {"destroy a 0 -", remove("c"), "undone", "version 1 of c was taken away"},
		"not of a new secret": {"put z 1 x", nothing, "undone", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := recorded(t)
			c.did(t, s)
			data, _ := os.ReadFile(filepath.Join(s.folder("a"), "4.age"))
			before := len(recordLines(t, s))
			editRecord(t, s, func(lines []string) []string {
				// And it was just writing a line.
				return append(lines, "99 "+strings.Replace(c.line, "HASH", hashFile(data), 1)+" -\n", "100 put")
			})
			path := s.recordPath(s.mustSeen(t).ID)
			text, err := os.ReadFile(path)
			noError(t, err)
			write(t, path, text[:len(text)-1], 0o600) // editRecord ends the last line
			check := func() {
				t.Helper()
				v, err := Open(s.opt).Verify(t.Context())
				if err != nil || c.bad == "" && (len(v.Problems) > 1 || len(v.Problems) == 1 && !strings.Contains(v.Problems[0], "it has no proof")) || c.bad != "" && !strings.Contains(strings.Join(v.Problems, "\n"), c.bad) {
					t.Errorf("%+v, %v, want %q", v, err, c.bad)
				}
			}
			check()
			putFake(t, s, "later", "FAKE")
			if got, want := strings.Join(recordLines(t, s)[before:], "|"), c.line[:strings.LastIndex(c.line, " ")]+"|"+c.want+" - 0|put later 1|done - 0"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			check()
		})
	}
}

// A number is not given twice while the secret is there, whatever its name is, and
// whoever took a version away.
func TestNumbersAreNotGivenTwice(t *testing.T) {
	for _, name := range []string{"a", "put", "done", "-", "1", "destroy"} {
		s := Open(Options{Dir: dataDir(t)})
		putFake(t, s, "b", "FAKE")
		for range 3 {
			putFake(t, s, name, "FAKE")
		}
		noError(t, s.Delete(t.Context(), name), os.Remove(filepath.Join(s.folder(name), "3.age")), os.Remove(filepath.Join(s.folder(name), "3.deleted")))
		if n, err := s.Put(t.Context(), &secret.Secret{Name: name}, store.AnyVersion); err != nil || n != 4 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		noError(t, s.Destroy(t.Context(), name))
		for want := range 2 {
			if n, err := s.Put(t.Context(), &secret.Secret{Name: name}, want); err != nil || n != want+1 {
				t.Errorf("%s after it was destroyed: %d, %v", name, n, err)
			}
		}
		if n, err := s.Put(t.Context(), &secret.Secret{Name: "b"}, 1); err != nil || n != 2 {
			t.Errorf("b: %d, %v", n, err)
		}
	}
	// A version of which the record says that it was not made gives its number back.
	s := twoVersions(t)
	editRecord(t, s, func(l []string) []string { return append(l, "99 put a 3 x -\n") })
	if n, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 2); err != nil || n != 3 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestTheRecordOfThisMachineIsTakenAway(t *testing.T) {
	s := twoVersions(t)
	path := s.recordPath(s.mustSeen(t).ID)
	noError(t, os.Remove(path))
	if got := problems(t, s); !strings.HasSuffix(got, ".log was removed") {
		t.Error(got)
	}
	putFake(t, s, "b", "FAKE")
	if got := strings.Join(recordLines(t, s), "|"); got != "lost - 0|put b 1|done - 0" {
		t.Error(got)
	}
	if got := problems(t, s); !strings.Contains(got, "record/ID1.log:1: this file was removed before, and what it said of the store is not known\n") || !strings.Contains(got, "version 2 of a was added by somebody else") {
		t.Error(got)
	}
	noError(t, accept(t.Context(), s))
	if got := problems(t, s); got != "" {
		t.Error(got)
	}
}

// Only who has the key can accept.
func TestAcceptedWithoutAProof(t *testing.T) {
	s := twoVersions(t)
	editRecord(t, s, func(l []string) []string { return append(l, "nonsense\n", "99 accept - 0 - -\n") })
	if got := problems(t, s); got != "record/ID1.log:5: this line is not as rhx wrote it\nrecord/ID1.log:6: it has no proof: it was added, or written while there was no key" {
		t.Error(got)
	}
}

// What was seen is bounded, of this version, and names a machine.
func TestWhatWasSeenIsDamaged(t *testing.T) {
	s := twoVersions(t)
	id := s.mustSeen(t).ID
	for text, want := range map[string]string{
		"":                                "store.seen is damaged",
		"[]":                              "store.seen is damaged",
		`{"version":1}`:                   "store.seen is damaged",
		`{"version":1,"id":"../x"}`:       "store.seen is damaged",
		`{"version":3,"id":"` + id + `"}`: "store.seen",
		`{"version":2,"id":"` + id + `","rest":"../x"}`: "store.seen is damaged",
		"large": "store.seen is larger than 32768 KiB",
	} {
		write(t, s.seenPath(), []byte(text), 0o600)
		if text == "large" {
			noError(t, os.Truncate(s.seenPath(), maxSeen+1))
		}
		_, verifyErr := s.Verify(t.Context())
		_, putErr := s.Put(t.Context(), &secret.Secret{Name: "a"}, 2)
		for method, err := range map[string]error{"Verify": verifyErr, "Put": putErr} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s with %.40q: %v", method, text, err)
			}
		}
	}
	write(t, s.seenPath(), []byte(`{"version":1,"id":"`+id+`"}`), 0o600)
	putFake(t, s, "a", "FAKE")
	if got := problems(t, s); got != "" {
		t.Error(got)
	}
}

// Files that are none of the record are left alone there.
func TestForeignFilesInTheRecord(t *testing.T) {
	s := twoVersions(t)
	for _, name := range []string{"x.log", "0123456789abcdef", "0123456789abcdef.txt", "0123456789abcdef.log~"} {
		write(t, filepath.Join(s.recordDir(), name), []byte("nonsense\n"), 0o600)
	}
	if ids := recordIDs(t, s); len(ids) != 1 || problems(t, s) != "" {
		t.Errorf("%q, %s", ids, problems(t, s))
	}
	// The clock of another machine goes before, also where its last line is damaged.
	write(t, s.recordPath(strings.Repeat("0", 16)), []byte("500 put a 9 x -\n501 undone - 0 - -\n5"), 0o600)
	putFake(t, s, "a", "FAKE")
	data, err := os.ReadFile(s.recordPath(s.mustSeen(t).ID))
	noError(t, err)
	if !strings.Contains(string(data), "\n502 put a 3 ") || !strings.Contains(string(data), "\n503 done ") {
		t.Errorf("%s", data)
	}
}

// A name that is too long for a folder is not known where its file does not say it.
func TestProblemsOfALongName(t *testing.T) {
	s := Open(Options{Dir: dataDir(t)})
	name := strings.Repeat("n", 200)
	putFake(t, s, name, "FAKE")
	putFake(t, s, name, "FAKE")
	forge(t, s, name, 3)
	noError(t, os.Remove(filepath.Join(s.folder(name), "1.age")))
	want := "version 3 of " + name + " was added by somebody else, or put back after it was destroyed: secrets/" + folderName(name) + "/3.age\n" +
		"version 1 of the secret in " + folderName(name) + " was taken away"
	if got := problems(t, s); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// What cannot be done is noted as not done, and what somebody else has just done is.
func TestAChangeThatFails(t *testing.T) {
	lastIs := func(s *Store, op string) bool {
		data, err := os.ReadFile(s.recordPath(s.mustSeen(t).ID))
		c := lastChange(data)
		return err == nil && c != nil && c.op == op
	}
	for name, c := range map[string]struct {
		do    func(s *Store) error
		op    string
		spoil func(s *Store) error // once that is noted
		last  string
		want  string // "" for no error
	}{
		"put": {
			func(s *Store) error { _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 2); return err }, opPut,
			func(s *Store) error { return os.RemoveAll(s.temp()) }, "undone - 0", "write ",
		},
		"delete": {
			func(s *Store) error { return s.Delete(t.Context(), "a") }, opDelete,
			func(s *Store) error { return os.WriteFile(filepath.Join(s.folder("a"), "2.deleted"), nil, 0o600) }, "delete a 2", "delete ",
		},
		"delete what is gone": {
			func(s *Store) error { return s.Delete(t.Context(), "a") }, opDelete,
			func(s *Store) error { return os.RemoveAll(s.folder("a")) }, "undone - 0", "delete ",
		},
		"undelete": {
			func(s *Store) error { return s.Undelete(t.Context(), "b", 1) }, opBack,
			func(s *Store) error { return os.RemoveAll(filepath.Join(s.folder("b"), "1.deleted")) }, "undelete b 1", "undelete ",
		},
		"destroy": {
			func(s *Store) error { return s.Destroy(t.Context(), "a") }, opDestroy,
			func(s *Store) error { return os.RemoveAll(s.folder("a")) }, "done - 0", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := twoVersions(t)
			putFake(t, s, "b", "FAKE")
			noError(t, s.Delete(t.Context(), "b"))
			s.onStep = func() {
				if lastIs(s, c.op) && recordLines(t, s)[len(recordLines(t, s))-1] != "delete b 1" && c.spoil != nil {
					noError(t, c.spoil(s))
					c.spoil = nil
				}
			}
			err := c.do(s)
			s.onStep = nil
			if (err == nil) != (c.want == "") || err != nil && (!strings.HasPrefix(err.Error(), c.want+s.opt.Dir) || strings.Count(err.Error(), s.opt.Dir) != 1) {
				t.Errorf("%v, want %q", err, c.want)
			}
			lines := recordLines(t, s)
			if got := lines[len(lines)-1]; got != c.last {
				t.Errorf("the record ends with %q, want %q", got, c.last)
			}
		})
	}
}

// The hints say what to do, each for what went wrong.
func TestHints(t *testing.T) {
	s := twoVersions(t)
	identity := filepath.Join(s.opt.Dir, "identity.txt")
	other, _ := ageKey(t)
	get := func(o Options) error { _, err := Open(o).Get(t.Context(), "a", 0); return err }
	for _, c := range []struct {
		err  error
		want string
	}{
		{get(Options{Dir: s.opt.Dir, Identity: filepath.Join(s.opt.Dir, "none")}), "Name an age identity file or an SSH private key that is there."},
		{get(Options{Dir: s.opt.Dir, Identity: write(t, filepath.Join(t.TempDir(), "id"), other, 0o600)}), "or put it back as " + identity + "."},
		{get(Options{Dir: s.opt.Dir, Identity: write(t, filepath.Join(t.TempDir(), "id"), []byte("x"), 0o600)}), "Use a file made by age-keygen"},
		{func() error {
			write(t, s.recipientsPath(), nil, 0o600)
			write(t, identity, other, 0o600)
			return get(s.opt)
		}(), "Add the older key to the file"},
		{func() error { noError(t, os.Remove(identity)); return get(s.opt) }(), "Put the key file back from a backup"},
	} {
		if c.err == nil || !strings.Contains(fault.Hint(c.err), c.want) {
			t.Errorf("%v: %q, want %q", c.err, fault.Hint(c.err), c.want)
		}
	}
}

// Whatever a secret is named, who reads it is told of nothing where nothing is wrong.
func TestNamesThatTheRecordHasOtherwise(t *testing.T) {
	s := Open(Options{Dir: dataDir(t), Warn: func(m string) { t.Error(m) }})
	names := []string{"put", "done", "-", "1", "delete", "a"}
	for _, name := range names {
		putFake(t, s, name, "FAKE")
		putFake(t, s, name, "FAKE")
	}
	noError(t, s.Delete(t.Context(), "a"))
	for range 3 {
		for _, name := range names[:5] {
			if r, err := Open(s.opt).Get(t.Context(), name, 0); err != nil || r.Version != 2 {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
			if r, err := s.Get(t.Context(), name, 1); err != nil || r.Version != 1 {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
		}
	}
	if got := problems(t, s); got != "" {
		t.Error(got)
	}
}

// A secret that is not there is not found, whatever the key is; with a key that is no
// use, or locked, nothing more is said.
func TestNotFoundWithoutAKey(t *testing.T) {
	plain, _ := ageKey(t)
	for what, data := range map[string][]byte{"nonsense": []byte("x"), "locked": withPassphrase(t, plain, true)} {
		s := twoVersions(t)
		write(t, filepath.Join(s.opt.Dir, "identity.txt"), data, 0o600)
		noError(t, os.Remove(filepath.Join(s.folder("a"), "2.age")))
		o := s.opt
		o.Warn = func(m string) { t.Errorf("%s: %s", what, m) }
		if _, err := Open(o).Get(t.Context(), "a", 2); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAnEmptiedRecord(t *testing.T) {
	s := twoVersions(t)
	write(t, s.recordPath(s.mustSeen(t).ID), nil, 0o600)
	var said []string
	s.opt.Warn = func(m string) { said = append(said, m) }
	if _, err := s.Get(t.Context(), "a", 0); err != nil || len(said) != 1 || !strings.Contains(said[0], ".log is older than when this machine last wrote") {
		t.Errorf("%v, said %q", err, said)
	}
	if got := problems(t, s); !strings.Contains(got, "record/ID1.log was put back to what it was at an earlier time") || !strings.Contains(got, "version 1 of a was added") {
		t.Error(got)
	}
}

// Verify counts what there is, and takes no folder for a secret that is none.
func TestWhatVerifyCounts(t *testing.T) {
	s := recorded(t)
	noError(t, os.Mkdir(filepath.Join(s.secrets(), "empty"), 0o700), os.Mkdir(filepath.Join(s.secrets(), "X"), 0o700))
	data, err := os.ReadFile(filepath.Join(s.folder("c"), "1.age"))
	noError(t, err)
	path := write(t, filepath.Join(s.secrets(), "X", "1.age"), data, 0o600)
	// A file of which nothing was seen is not missed.
	was := s.mustSeen(t)
	seen := fmt.Sprintf(`{"version":1,"id":%q,"sizes":{%q:%d,"0000000000000000":0}}`, was.ID, was.ID, was.Sizes[was.ID])
	write(t, s.seenPath(), []byte(seen), 0o600)
	v, err := s.Verify(t.Context())
	if err != nil || v.Secrets != 4 || v.Versions != 7 || len(v.Notes) != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	want := path + ` is version 1 of "c": it was moved or altered` + "\nversion 1 of the secret in X was added by somebody else, or put back after it was destroyed: " + path
	if v != nil && strings.Join(v.Problems, "\n") != want {
		t.Errorf("%q\nwant %q", v.Problems, want)
	}
}

// With several keys the first one writes, and each proves what it wrote.
func TestTheRecordOfSeveralKeys(t *testing.T) {
	s := twoVersions(t)
	path := filepath.Join(s.opt.Dir, "identity.txt")
	older, err := os.ReadFile(path)
	noError(t, err)
	newer, _ := ageKey(t)
	write(t, path, append(newer, older...), 0o600)
	o := s.opt
	o.Warn = func(m string) { t.Error(m) }
	for range 2 {
		if got := problems(t, Open(o)); got != "" {
			t.Error(got)
		}
		if _, err := Open(o).Get(t.Context(), "a", 0); err != nil {
			t.Error(err)
		}
		putFake(t, Open(o), "a", "FAKE")
	}
	noError(t, s.Close())
	write(t, path, newer, 0o600)
	if got := problems(t, s); !strings.Contains(got, "record/ID1.log:1: it, or a line before it, was changed, or another key wrote it") || strings.Contains(got, "ID1.log:5: ") {
		t.Error(got)
	}
}

// A doubt is told only if it is the same a second time: what has changed meanwhile, or
// cannot be read any more, is another process's work, and read anew.
func TestWhatChangesWhileItIsDoubted(t *testing.T) {
	s := twoVersions(t)
	var said []string
	s.opt.Warn = func(m string) { said = append(said, m) }
	gone := errors.New("it is gone")
	for _, reads := range [][]any{{"x", gone}, {"x", ""}, {"x", "y"}, {"x", "x"}} {
		said = nil
		n, asked := 0, 0
		if reads[1] == "" {
			asked = 3 // which is not there, and never was
		}
		err := s.say(s.key, "a", asked, func() (found, error) {
			now := reads[min(n, len(reads)-1)]
			n++
			if err, ok := now.(error); ok {
				return found{}, err
			}
			return found{version: 3, hash: now.(string)}, nil
		})
		if same := reads[1] == "x"; n != len(reads) || (len(said) == 1) != same || len(said) > 1 || errors.Is(err, errOther) == same {
			t.Errorf("%v: read %d times, said %q, %v", reads, n, said, err)
		}
	}
}
