package agestore

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// somebody has a store, and a key.
func somebody(t *testing.T) *Store {
	t.Helper()
	s := Open(Options{Dir: dataDir(t)})
	_, err := s.Derive(t.Context(), "p") // makes the key
	noError(t, err)
	return s
}

// right checks that nobody finds anything wrong, also while reading.
func right(t *testing.T, stores ...*Store) {
	t.Helper()
	for i, s := range stores {
		if got := problems(t, s); got != "" {
			t.Errorf("person %d: %s", i+1, got)
		}
	}
}

// reads returns the value of a secret, or the error, and what rhx warns of.
func reads(t *testing.T, s *Store, name string, version int) string {
	t.Helper()
	o := s.opt
	var said []string
	o.Warn = func(m string) { said = append(said, m) }
	rec, err := Open(o).Get(t.Context(), name, version)
	if err != nil {
		return err.Error()
	}
	return strings.Join(append([]string{rec.Secret.Values["k"].Reveal()}, said...), "|")
}

func fake(name string) *secret.Secret {
	return &secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue("FAKE")}}
}

// signerFor is the signing key of a test's person.
func signerFor(t *testing.T, name string) *signer {
	t.Helper()
	all, err := (&key{roots: [][]byte{[]byte(name)}}).signers()
	noError(t, err)
	return all[0]
}

// recordOf is a file of the record that a person has signed, with a line for each of
//
//	CLOCK void ID
//	CLOCK put FOLDER
//
// and a "-" at the end of those that are not signed.
func recordOf(t *testing.T, id, by string, lines ...string) []byte {
	t.Helper()
	r := &recorder{sum: newSum(id)}
	var b bytes.Buffer
	for _, line := range lines {
		f := strings.Fields(line)
		var clock int64
		_, err := fmt.Sscan(f[0], &clock)
		noError(t, err)
		c := change{op: f[1]}
		c.folder = f[2]
		if r.signer = signerFor(t, by); len(f) > 3 {
			r.signer = nil
		}
		r.clock = clock - 1
		b.Write(r.line(c))
	}
	return b.Bytes()
}

// Files count that the user's key has signed last, and that no such file makes void.
func TestWhoseFilesCount(t *testing.T) {
	for name, c := range map[string]struct {
		files         map[string][]string // "ID by NAME": lines
		counted, void string
	}{
		"none":                  {nil, "", ""},
		"the user's":            {map[string][]string{"1 by ann": {"1 put a"}, "2 by ann": {"1 put b"}}, "1 2", ""},
		"a stranger's":          {map[string][]string{"1 by ann": {"1 put a"}, "2 by eve": {"1 void 1"}}, "1", ""},
		"one that is void":      {map[string][]string{"1 by ann": {"1 put a"}, "2 by ann": {"1 void 1", "2 put a"}, "3 by eve": {"1 put a"}}, "1 2", "1"},
		"void without a proof":  {map[string][]string{"1 by ann": {"1 put a"}, "2 by ann": {"1 void 1 -", "2 put a"}}, "1 2", ""},
		"a stranger's, as void": {map[string][]string{"1 by ann": {"1 void 2"}, "2 by eve": {"1 put a"}}, "1", "2"},
		"no proof at all":       {map[string][]string{"1 by ann": {"1 put a -"}}, "", ""},
	} {
		files := map[string][]byte{}
		for what, lines := range c.files {
			id, by, _ := strings.Cut(what, " by ")
			files[id] = recordOf(t, id, by, lines...)
		}
		got, err := signersOf(&key{roots: [][]byte{[]byte("ann")}}, files)
		noError(t, err)
		counted, void := strings.Join(slices.Sorted(maps.Keys(got.of)), " "), strings.Join(slices.Sorted(maps.Keys(got.void)), " ")
		if counted != c.counted || void != c.void {
			t.Errorf("%s: %q count, %q void; want %q, %q", name, counted, void, c.counted, c.void)
		}
		if none, err := signersOf(nil, files); err != nil || len(none.of)+len(none.void) > 0 {
			t.Errorf("%s without a key: %+v, %v", name, none, err)
		}
	}
}

func TestWhatOfAFileCounts(t *testing.T) {
	const bad = "it was changed, or another key wrote it"
	signed := []string{"1 put a", "2 put b"}
	for name, c := range map[string]struct {
		by     string
		lines  []string
		own    bool
		waits  bool
		proven bool // this machine has seen proofs up to the end
		want   int  // lines that count
		bad    string
	}{
		"own":                       {"ann", signed, true, false, true, 2, ""},
		"own, empty":                {"ann", nil, true, false, false, 0, ""},
		"another machine's, empty":  {"ann", nil, false, false, false, 0, ""},
		"another machine's":         {"ann", signed, false, false, false, 2, ""},
		"a stranger's":              {"eve", signed, false, false, false, 0, bad},
		"own, by a stranger":        {"eve", signed, true, false, true, 0, bad},
		"own, with a tail":          {"ann", append(signed, "3 put c -"), true, false, false, 3, "its last lines have no proof"},
		"own, with a tail, waiting": {"ann", append(signed, "3 put c -"), true, true, false, 3, ""},
		"another machine's, with a tail, waiting": {"ann", append(signed, "3 put c -"), false, true, false, 2, unprovenEnd},
		"another machine's, with a tail":          {"ann", append(signed, "3 put c -"), false, false, false, 3, "its last lines have no proof"},
		"own, no proof":                           {"ann", []string{"1 put a -"}, true, false, false, 1, "it has no proof"},
		"own, no proof, waiting":                  {"ann", []string{"1 put a -"}, true, true, false, 1, ""},
		"another machine's, no proof, waiting":    {"ann", []string{"1 put a -"}, false, true, false, 0, unprovenEnd},
		"another machine's, no proof":             {"ann", []string{"1 put a -"}, false, false, false, 0, bad},
		"own, proofs taken away":                  {"ann", []string{"1 put a -"}, true, true, true, 1, unprovenAgain},
	} {
		t.Run(name, func(t *testing.T) {
			data := recordOf(t, "1", c.by, c.lines...)
			was := &seen{ID: "own", Sizes: map[string]int64{}}
			if c.own {
				was.ID, was.Sizes["1"] = "1", int64(len(data))
			}
			if c.proven {
				was.Proven = int64(len(data))
			}
			got, err := signersOf(&key{roots: [][]byte{[]byte("ann")}}, map[string][]byte{"1": data})
			noError(t, err)
			part, said := got.counted("1", data, was, c.waits)
			if n := bytes.Count(part, []byte("\n")); n != c.want || said != c.bad || !bytes.HasPrefix(data, part) {
				t.Errorf("%d lines, %q; want %d, %q", n, said, c.want, c.bad)
			}
			if was.Sizes["1"] = int64(len(data)) + 1; c.proven && c.bad == unprovenAgain {
				if _, said := got.counted("1", data, was, c.waits); said == unprovenAgain {
					t.Error("an older copy is said to have lost its proofs")
				}
			}
			got.void["1"] = true
			if part, said := got.counted("1", data, was, c.waits); part != nil && c.bad != unprovenAgain || said != "" && c.bad != unprovenAgain {
				t.Errorf("void, and %q counts, %q", part, said)
			}
		})
	}
}

// Of this machine's file counts, while its key is locked, what it has seen there, and that it was done.
func TestWhatThisMachineHasSeen(t *testing.T) {
	seenLines := []string{"1 put a", "2 put b -"}
	for _, c := range []struct {
		tail  []string
		want  int // lines that count
		added bool
	}{
		{nil, 2, false},
		{[]string{"3 done - -"}, 3, false},
		{[]string{"3 undone - -"}, 3, false},
		{[]string{"3 put c -"}, 2, false},
		{[]string{"3 done - -", "4 put c -"}, 3, false},
		{[]string{"3 put c -", "4 done - -"}, 2, true},
		{[]string{"3 done - -", "4 put c -", "5 done - -"}, 3, true},
		{[]string{"3 done - -", "4 done - -"}, 3, false},
		{[]string{"3 put c"}, 3, false}, // it has a proof
		{[]string{"3 put c", "4 put d -", "5 done - -"}, 3, true},
	} {
		all := append(append([]string{}, seenLines...), c.tail...)
		data := recordOf(t, "1", "ann", all...)
		was := &seen{ID: "1", Sizes: map[string]int64{"1": int64(len(recordOf(t, "1", "ann", seenLines...)))}}
		part, added := ownPart(data, was)
		if n := bytes.Count(part, []byte("\n")); n != c.want || added != c.added || !bytes.HasPrefix(data, part) {
			t.Errorf("%q: %d lines, %v; want %d, %v", c.tail, n, added, c.want, c.added)
		}
		was.Sizes["1"] = int64(len(data)) + 1 // the file is an older one
		if part, added := ownPart(data, was); !bytes.Equal(part, data) || added {
			t.Errorf("%q: an older file: %d of %d, %v", c.tail, len(part), len(data), added)
		}
	}
}

func TestTheLastProof(t *testing.T) {
	for lines, want := range map[string]string{
		"":               "||0",
		"a b\n":          "a |b|4",
		"a b\nc -\n":     "a |b|4",
		"a b\nc d\n":     "a b\nc |d|8",
		"a -\n":          "||0",
		" b\n":           " |b|3",
		"x\n":            "||0",
		"a b\nx\n":       "a |b|4",
		"\n":             "||0",
		"a \n":           "a |none|3",
		"a b\n\n\nx -\n": "a |b|4",
	} {
		body, proof, end := lastProof([]byte(lines))
		if got := fmt.Sprintf("%s|%s|%d", body, proof, end); got != want {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
}

// Whatever somebody writes into the record who has no key counts for nothing, and nothing
// breaks by it.
func FuzzRecord(f *testing.F) {
	dir := dataDir(f)
	s := Open(Options{Dir: dir})
	if _, err := s.Put(f.Context(), fake("a"), store.AnyVersion); err != nil {
		f.Fatal(err)
	}
	k, err := s.unlocked()
	if err != nil {
		f.Fatal(err)
	}
	was, err := s.readSeen()
	if err != nil {
		f.Fatal(err)
	}
	own, err := s.recordFiles()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "\n", "1 put - 0 x -\n", "1 void " + was.ID + " 0 - " + strings.Repeat("A", 86) + "\n", "2 void " + was.ID + " 0 - -\n", " -\n", "x"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, lines string, behind bool) {
		files := map[string][]byte{"0123456789abcdef": wholeLines([]byte(lines)), was.ID: own[was.ID]}
		if behind {
			files = map[string][]byte{was.ID: wholeLines(append(slices.Clone(own[was.ID]), lines...))}
		}
		c, err := signersOf(k, files)
		if err != nil || len(c.void) != 0 || c.of["0123456789abcdef"] != "" {
			t.Errorf("%+v, %v", c, err)
		}
		for id, data := range files {
			part, bad := c.counted(id, data, was, false)
			if id == was.ID && len(part) != len(own[id]) && bad == "" {
				t.Errorf("%q of %q counts", part, data)
			}
			if _, proof, end := lastProof(data); (proof == "") != (end == 0) || end > len(data) {
				t.Errorf("%q %d", proof, end)
			}
			changesOf(data, "", false)
			changesOf(data, "a", true)
		}
	})
}

// There is a file of the record for each machine; where there are more than there can be, those
// that were not seen count for nothing, and stop nothing.
func TestTooManyFilesOfTheRecord(t *testing.T) {
	s := somebody(t)
	putFake(t, s, "a", "FAKE")
	for i := range maxRecords {
		write(t, s.recordPath(fmt.Sprintf("%016x", i)), nil, 0o600)
	}
	v, err := s.Verify(t.Context())
	noError(t, err)
	if got := strings.Join(v.Problems, "\n"); !strings.Contains(got, "counts for nothing") || strings.Contains(got, "version") {
		t.Error(got)
	}
	putFake(t, Open(s.opt), "a", "FAKE")
}

// While a key waits for its passphrase lines need no proof; those that had one need it.
func TestProofsAreNotTakenAway(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	noError(t, err)
	path := write(t, filepath.Join(t.TempDir(), "id"), sshPEM(t, ed, passphrase), 0o600)
	s := Open(Options{Dir: dataDir(t), Identity: path, Passphrase: func(string) (string, error) { return passphrase, nil }})
	putFake(t, s, "a", "FAKE")
	if _, err := s.Get(t.Context(), "a", 0); err != nil { // opens the key
		t.Fatal(err)
	}
	putFake(t, s, "a", "FAKE")
	s = Open(s.opt)
	putFake(t, s, "b", "FAKE") // without a proof
	right(t, s)
	if got := reads(t, s, "b", 0); got != "FAKE" {
		t.Error(got)
	}
	editRecord(t, s, func(lines []string) []string {
		for i, line := range lines {
			lines[i] = line[:strings.LastIndex(line, " ")] + " -\n"
		}
		return append(lines, slices.Repeat([]string{lines[1]}, 50)...)
	})
	if got := problems(t, s); !strings.Contains(got, "lines that had a proof have none") {
		t.Error(got)
	}
	if got := reads(t, s, "a", 0); !strings.Contains(got, "lines that had a proof have none") {
		t.Error(got)
	}
}

// A store that is not as rhx left it gets no new key: a version that somebody added would
// become the user's word. Nothing is changed then.
func TestADoubtfulStoreIsNotRekeyed(t *testing.T) {
	s := somebody(t)
	putFake(t, s, "a", "FAKE")
	forge(t, s, "a", 2)
	before := tree(t, s.opt.Dir)
	if _, err := Open(s.opt).Rekey(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "version 2 of a was added by somebody else") {
		t.Error(err)
	}
	if now := tree(t, s.opt.Dir); now != before {
		t.Errorf("it was changed:\n%s\nwas\n%s", now, before)
	}
}

// Somebody writes into the record who has no key. What rhx signs later proves none of it, it
// stops no save, and clocks that nobody gets to count for nothing.
func TestWhatIsWrittenIntoTheRecord(t *testing.T) {
	bogus := " " + strings.Repeat("A", 86) + "\n"
	for name, c := range map[string]struct {
		attack func(t *testing.T, s *Store, hash string)
		want   string
	}{
		"behind the last line": {func(t *testing.T, s *Store, hash string) {
			editRecord(t, s, func(l []string) []string { return append(l, "90 put evil 1 "+hash+bogus, "91 done - 0 -"+bogus) })
		}, "it, or a line before it, was changed, or another key wrote it"},
		"before it": {func(t *testing.T, s *Store, hash string) {
			editRecord(t, s, func(l []string) []string {
				return slices.Insert(l, 1, "2 put evil 1 "+hash+bogus, "2 done - 0 -"+bogus)
			})
		}, "it, or a line before it, was changed, or another key wrote it"},
		"in a file of its own": {func(t *testing.T, s *Store, hash string) {
			write(t, s.recordPath("0123456789abcdef"), []byte("90 put evil 1 "+hash+bogus+"91 done - 0 -"+bogus), 0o600)
		}, "version 1 of evil was added by somebody else"},
		"the last of all clocks": {func(t *testing.T, s *Store, hash string) {
			write(t, s.recordPath("0123456789abcdef"), []byte("9223372036854775807 done - 0 - -\n9007199254740992 done - 0 - -\n"), 0o600)
		}, "another key wrote it"},
	} {
		t.Run(name, func(t *testing.T) {
			s := somebody(t)
			putFake(t, s, "a", "FAKE")
			forge(t, s, "evil", 1)
			data, err := os.ReadFile(filepath.Join(s.folder("evil"), "1.age"))
			noError(t, err)
			c.attack(t, s, hashFile(data))
			for range 2 {
				putFake(t, Open(s.opt), "b", "FAKE")
				if got := problems(t, s); !strings.Contains(got, c.want) || strings.Contains(got, "of b ") {
					t.Errorf("%s\nwant %s", got, c.want)
				}
			}
			if got := reads(t, s, "evil", 0); !strings.Contains(got, "rhx store verify says more") {
				t.Error(got)
			}
			noError(t, accept(t.Context(), Open(s.opt)))
			if got := problems(t, s); got != "" {
				t.Errorf("accepted, and then: %s", got)
			}
			putFake(t, Open(s.opt), "b", "FAKE")
			right(t, s)
		})
	}
}
