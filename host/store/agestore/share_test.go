package agestore

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// somebody has a store with a data folder and a key.
func somebody(t *testing.T) *Store {
	t.Helper()
	s := Open(Options{Dir: dataDir(t)})
	_, err := s.Line(t.Context())
	noError(t, err)
	return s
}

func memberOf(t *testing.T, s *Store, name string, secrets ...string) Member {
	t.Helper()
	line, err := s.Line(t.Context())
	noError(t, err)
	m, err := ParseMember(line)
	noError(t, err)
	m.Name, m.Secrets = name, secrets
	return m
}

// pull has one person's folder be as the other's, as git does: what only the one has
// written of the record stays.
func pull(t *testing.T, from, to *Store) {
	t.Helper()
	own := filepath.Join(t.TempDir(), "record")
	if _, err := os.Stat(to.recordDir()); err == nil {
		clone(t, to.recordDir(), own)
	}
	clone(t, from.root(), to.root())
	names, err := dirNames(own)
	noError(t, err)
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(to.recordDir(), name)); errors.Is(err, fs.ErrNotExist) {
			data, err := os.ReadFile(filepath.Join(own, name))
			noError(t, err, os.WriteFile(filepath.Join(to.recordDir(), name), data, 0o600))
		}
	}
}

// shared is the store of ann, which bob has accepted.
func shared(t *testing.T, secrets ...string) (ann, bob *Store) {
	t.Helper()
	ann, bob = somebody(t), somebody(t)
	putFake(t, ann, "a", "FAKE1")
	putFake(t, ann, "a", "FAKE2")
	putFake(t, ann, "b", "FAKE3")
	noError(t, ann.Delete(t.Context(), "b"))
	n, err := ann.Share(t.Context(), memberOf(t, bob, "bob", secrets...), "ann")
	noError(t, err)
	if want := 3; n != want && len(secrets) == 0 {
		t.Fatalf("%d versions were encrypted anew, want %d", n, want)
	}
	pull(t, ann, bob)
	noError(t, bob.Accept(t.Context()))
	right(t, ann, bob)
	return ann, bob
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

func TestAStoreOfTwo(t *testing.T) {
	ann, bob := shared(t)
	for version, want := range map[int]string{0: "FAKE2", 1: "FAKE1", 2: "FAKE2"} {
		if got := reads(t, bob, "a", version); got != want {
			t.Errorf("bob reads %q, want %q", got, want)
		}
	}
	// What bob saves ann reads, and the other way round; the deletion is known.
	putFake(t, bob, "a", "of bob")
	noError(t, bob.Undelete(t.Context(), "b", 0))
	pull(t, bob, ann)
	putFake(t, ann, "c", "of ann")
	noError(t, ann.Destroy(t.Context(), "b"))
	pull(t, ann, bob)
	right(t, ann, bob)
	for _, s := range []*Store{ann, bob} {
		if a, c := reads(t, s, "a", 0), reads(t, s, "c", 0); a != "of bob" || c != "of ann" {
			t.Errorf("%q, %q", a, c)
		}
		ms, err := s.Members(t.Context())
		if err != nil || len(ms) != 2 || ms[0].Name != "ann" || ms[1].Name != "bob" {
			t.Errorf("%+v, %v", ms, err)
		}
	}
	for version, want := range map[int]string{1: "ann", 2: "ann", 3: "bob"} {
		infos, err := bob.History(t.Context(), "a")
		if err != nil || len(infos) != 3 || infos[3-version].By != want {
			t.Errorf("version %d: %+v, %v", version, infos, err)
		}
	}
	if n, err := ann.Share(t.Context(), memberOf(t, bob, "bob"), "ann"); n != 0 || err != nil {
		t.Errorf("shared again: %d, %v", n, err)
	}
}

// Folders that two have written to at once are merged by keeping the files of both.
func TestFoldersOfTwoMerge(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, ann, "x", "of ann")
	putFake(t, bob, "y", "of bob")
	putFake(t, ann, "a", "third of ann")
	putFake(t, bob, "a", "third of bob")
	for _, pair := range [][2]*Store{{ann, bob}, {bob, ann}} {
		noError(t, filepath.WalkDir(pair[0].root(), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			rel, _ := filepath.Rel(pair[0].root(), path)
			to := filepath.Join(pair[1].root(), rel)
			if _, err := os.Stat(to); err == nil && !strings.Contains(rel, "record") {
				return nil // where both have one, each keeps theirs
			} else if info, err2 := e.Info(); err == nil && err2 == nil {
				if there, _ := os.Stat(to); there.Size() >= info.Size() {
					return nil
				}
			}
			data, err := os.ReadFile(path)
			noError(t, err, os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, data, 0o600))
			return nil
		}))
	}
	right(t, ann, bob)
	for s, want := range map[*Store]string{ann: "third of ann", bob: "third of bob"} {
		if x, y, a := reads(t, s, "x", 0), reads(t, s, "y", 0), reads(t, s, "a", 0); x != "of ann" || y != "of bob" || a != want {
			t.Errorf("%q %q %q", x, y, a)
		}
	}
}

// Before bob has accepted who shares the store he is told, and saves nothing that ann could
// not read.
func TestAStrangersStoreIsAccepted(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	putFake(t, ann, "a", "FAKE")
	_, err := ann.Share(t.Context(), memberOf(t, bob, "bob"), "ann")
	noError(t, err)
	pull(t, ann, bob)
	signer := memberOf(t, ann, "").Signer
	if got, want := problems(t, bob), "the store is shared by ann, whose key you have not accepted: "+signer; !strings.HasPrefix(got, want) {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := reads(t, bob, "a", 0); got != "FAKE|a is not as rhx left it in the store: it is shared by ann, whose key you have not accepted. rhx store verify says more" {
		t.Error(got)
	}
	if _, err := bob.Put(t.Context(), fake("new"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "the store is shared by ann, whose key you have not accepted") {
		t.Error(err)
	}
	if _, err := os.Stat(bob.folder("new")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("it was saved:", err)
	}
	noError(t, bob.Accept(t.Context()))
	right(t, bob)
	putFake(t, bob, "new", "FAKE")
	pull(t, bob, ann)
	right(t, ann)
}

// Some of the secrets are shared: the others bob sees by name, and cannot read.
func TestASecretIsShared(t *testing.T) {
	ann, bob := shared(t, "a")
	putFake(t, ann, "own", "of ann")
	putFake(t, ann, "a", "FAKE4")
	pull(t, ann, bob)
	right(t, ann, bob)
	if got := reads(t, bob, "a", 0); got != "FAKE4" {
		t.Error(got)
	}
	for name, version := range map[string]int{"own": 0, "b": 1} {
		if _, err := bob.Get(t.Context(), name, version); name == "own" && (!errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "is not shared with you")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v, err := bob.Verify(t.Context()); err != nil || !slices.Contains(v.Notes, "2 versions are not shared with you; they are as the record has them") {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := bob.Share(t.Context(), memberOf(t, somebody(t), "carl"), "bob"); err == nil || !strings.Contains(err.Error(), "the store is shared with you in part") {
		t.Error(err)
	}
	// Then another, and then all.
	for _, c := range []struct {
		secrets []string
		own     string
		n       int
	}{{[]string{"own"}, "of ann", 4}, {nil, "of ann", 5}} {
		n, err := ann.Share(t.Context(), memberOf(t, bob, "bob", c.secrets...), "ann")
		if err != nil || n != c.n {
			t.Errorf("%v: %d, %v", c.secrets, n, err)
		}
		pull(t, ann, bob)
		if got := reads(t, bob, "own", 0); got != c.own {
			t.Error(got)
		}
		right(t, ann, bob)
	}
}

// Who is taken out reads nothing new, and is believed no more, whatever they write of the
// time before.
func TestAMemberIsTakenOut(t *testing.T) {
	ann, bob := shared(t)
	carl := somebody(t)
	putFake(t, bob, "of bob", "FAKE5")
	_, err := bob.Share(t.Context(), memberOf(t, carl, "carl"), "")
	noError(t, err)
	pull(t, bob, ann)
	pull(t, bob, carl)
	noError(t, carl.Accept(t.Context()))
	// As long as bob is in, carl's word counts for ann, too.
	putFake(t, carl, "of carl", "FAKE6")
	pull(t, carl, ann)
	right(t, ann, carl)
	was := t.TempDir()
	clone(t, ann.root(), was)

	m, n, err := ann.Unshare(t.Context(), "bob")
	if err != nil || m.Name != "bob" || n != 5 {
		t.Fatalf("%+v, %d, %v", m, n, err)
	}
	right(t, ann)
	pull(t, ann, carl)
	right(t, carl)
	if got := reads(t, carl, "of bob", 0); got != "FAKE5" {
		t.Error(got)
	}
	putFake(t, ann, "later", "FAKE7")
	pull(t, ann, bob)
	for _, name := range []string{"a", "later", "of bob"} {
		if _, err := bob.Get(t.Context(), name, 0); !errors.Is(err, store.ErrDenied) {
			t.Errorf("bob reads %s: %v", name, err)
		}
	}
	if ms, err := ann.Members(t.Context()); err != nil || len(ms) != 2 || ms[1].Name != "carl" {
		t.Errorf("%+v, %v", ms, err)
	}
	if _, _, err := ann.Unshare(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), `not shared with "nobody"`) {
		t.Error(err)
	}
	if _, _, err := carl.Unshare(t.Context(), "carl"); err == nil || !strings.Contains(err.Error(), "your own key") {
		t.Error(err)
	}
	// bob goes on in a copy of before, takes ann out, and puts that into the folder.
	clone(t, was, bob.root())
	putFake(t, bob, "evil", "EVIL")
	k, err := bob.unlocked()
	noError(t, err)
	r, err := bob.openRecordWith(k, false)
	noError(t, err)
	text, err := new(memberOf(t, ann, "ann")).text()
	noError(t, err, r.add(change{op: opUnshare, hash: text}, true))
	r.close()
	id := bob.mustSeen(t).ID
	data, err := os.ReadFile(bob.recordPath(id))
	noError(t, err)
	for _, s := range []*Store{ann, carl} {
		noError(t, os.CopyFS(s.folder("evil"), os.DirFS(bob.folder("evil"))))
		write(t, s.recordPath(id), data, 0o600)
		if got := problems(t, s); !strings.Contains(got, "version 1 of evil was added by somebody else") || strings.Contains(got, "of a ") {
			t.Error(got)
		}
		if ms, err := s.Members(t.Context()); err != nil || len(ms) != 2 || ms[0].Name != "ann" || ms[1].Name != "carl" {
			t.Errorf("%+v, %v", ms, err)
		}
	}
}

// Somebody who can write to the folder, and is no member, comes in by none of these ways.
func TestNobodyComesInUnasked(t *testing.T) {
	for name, attack := range map[string]func(t *testing.T, ann, eve *Store){
		"a key in recipients.txt": func(t *testing.T, ann, eve *Store) {
			f, err := os.OpenFile(ann.recipientsPath(), os.O_APPEND|os.O_WRONLY, 0)
			noError(t, err)
			_, err = f.WriteString(memberOf(t, eve, "").Recipient + "\n")
			noError(t, err, f.Close())
		},
		"a file of the record that says so": func(t *testing.T, ann, eve *Store) {
			clone(t, ann.root(), eve.root())
			k, err := eve.unlocked()
			noError(t, err)
			r, err := eve.openRecordWith(k, true)
			noError(t, err)
			me := memberOf(t, eve, "eve")
			noError(t, r.share(me))
			r.close()
			data, err := os.ReadFile(eve.recordPath(r.seen.ID))
			noError(t, err)
			write(t, ann.recordPath(r.seen.ID), data, 0o600)
		},
		"a line without a proof": func(t *testing.T, ann, eve *Store) {
			text, err := new(memberOf(t, eve, "eve")).text()
			noError(t, err)
			editRecord(t, ann, func(l []string) []string { return append(l, "99 share - 0 "+text+" -\n") })
		},
		"a line with a proof of nobody": func(t *testing.T, ann, eve *Store) {
			text, err := new(memberOf(t, eve, "eve")).text()
			noError(t, err)
			editRecord(t, ann, func(l []string) []string {
				return append(l, "99 share - 0 "+text+" "+strings.Repeat("A", 86)+"\n")
			})
		},
		"a line with a proof of nobody, in the middle": func(t *testing.T, ann, eve *Store) {
			text, err := new(memberOf(t, eve, "eve")).text()
			noError(t, err)
			editRecord(t, ann, func(l []string) []string {
				return slices.Insert(l, 1, "2 share - 0 "+text+" "+strings.Repeat("A", 86)+"\n")
			})
		},
		"a line with her proof": func(t *testing.T, ann, eve *Store) {
			text, err := new(memberOf(t, eve, "eve")).text()
			noError(t, err)
			k, err := eve.unlocked()
			noError(t, err)
			key, err := signerOf(k.roots[0])
			noError(t, err)
			id := ann.mustSeen(t).ID
			data, err := os.ReadFile(ann.recordPath(id))
			noError(t, err)
			line := "99 share - 0 " + text + " "
			sum := newSum(id)
			sum.Write(data)
			sum.Write([]byte(line))
			write(t, ann.recordPath(id), []byte(string(data)+line+recordProof(key, sum)+"\n"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ann, eve := somebody(t), somebody(t)
			putFake(t, ann, "a", "FAKE")
			attack(t, ann, eve)
			_, _ = Open(ann.opt).Put(t.Context(), fake("new"), store.AnyVersion)
			eve.opt.Dir = ann.opt.Dir // she has the folder, and her own key
			eve.opt.Identity = eve.key.path
			for _, name := range []string{"a", "new"} {
				data, err := os.ReadFile(filepath.Join(ann.folder(name), "1.age"))
				if errors.Is(err, fs.ErrNotExist) {
					continue // ann's rhx refused
				}
				noError(t, err)
				_, _, err = decodeFile(data, eve.key.ids)
				if mismatch := new(age.NoIdentityMatchError); !errors.As(err, &mismatch) {
					t.Errorf("eve reads %s: %v", name, err)
				}
			}
			if ms, err := Open(ann.opt).Members(t.Context()); err != nil || len(ms) != 0 {
				t.Errorf("%+v, %v", ms, err)
			}
		})
	}
}

// A store that is not as rhx left it is not encrypted to others: a version that somebody
// added would become the user's word.
func TestADoubtfulStoreIsNotShared(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	putFake(t, ann, "a", "FAKE")
	forge(t, ann, "a", 2)
	if _, err := ann.Share(t.Context(), memberOf(t, bob, "bob"), "ann"); err == nil || !strings.Contains(err.Error(), "version 2 of a was added by somebody else") {
		t.Error(err)
	}
	if _, err := ann.Rekey(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "version 2 of a was added by somebody else") {
		t.Error(err)
	}
}

func TestLinesOfMembers(t *testing.T) {
	const key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
	const sshKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"
	sig := strings.Repeat("A", 43)
	for line, want := range map[string]Member{
		key:                               {Recipient: key},
		" " + key + " sig=" + sig:         {Recipient: key, Signer: sig},
		sshKey:                            {Recipient: sshKey},
		sshKey + " ann at home":           {Recipient: sshKey, Name: "ann at home"},
		sshKey + " ann sig=" + sig:        {Recipient: sshKey, Name: "ann", Signer: sig},
		key + " sig=" + sig[1:]:           {},
		key + " sig=":                     {},
		"":                                {},
		"sig=" + sig:                      {},
		key + " x":                        {},
		"ssh-ed25519":                     {},
		"ssh-ed25519 AAAA":                {},
		"AGE-SECRET-KEY-1FAKE":            {},
		"ecdsa-sha2-nistp256 AAAA":        {},
		key[:len(key)-1] + "q sig=" + sig: {},
	} {
		got, err := ParseMember(line)
		if want.Recipient == "" {
			if err == nil {
				t.Errorf("%q: %+v", line, got)
			}
			continue
		}
		if err != nil || !equalMember(got, want) {
			t.Errorf("%q: %+v, %v, want %+v", line, got, err, want)
		}
	}
}

func fake(name string) *secret.Secret {
	return &secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue("FAKE")}}
}

// Whatever somebody writes into the record who has no key, nobody comes in by it, and
// neither rhx nor what it says of the store breaks.
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
	text, err := new(Member{Name: "eve", Recipient: k.public[0] + "x", Signer: strings.Repeat("A", 43)}).text()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "\n", "1 share - 0 " + text + " -\n", "1 share - 0 " + text + " " + strings.Repeat("A", 86) + "\n", "2 void " + was.ID + " 0 - -\n", " -\n", "x"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, lines string, behind bool) {
		files := map[string][]byte{"0123456789abcdef": wholeLines([]byte(lines)), was.ID: own[was.ID]}
		if behind {
			files = map[string][]byte{was.ID: wholeLines(append(slices.Clone(own[was.ID]), lines...))}
		}
		c, err := circleOf(k, was, files)
		if err != nil || len(c.members) != 0 || len(c.rank) != 1 || len(c.void) != 0 || c.of["0123456789abcdef"] != "" {
			t.Errorf("%+v, %v", c, err)
		}
		c.founder(k)
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

// There is a file of the record for each machine; a folder with more than there can be is an
// error, and no work without end.
func TestTooManyFilesOfTheRecord(t *testing.T) {
	s := somebody(t)
	putFake(t, s, "a", "FAKE")
	for i := range maxRecords {
		write(t, s.recordPath(fmt.Sprintf("%016x", i)), nil, 0o600)
	}
	if _, err := s.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "has 1001 files") {
		t.Error(err)
	}
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

// Whoever was taken out is not let in again by a copy of the folder from before.
func TestAFolderPutBackLetsNobodyIn(t *testing.T) {
	ann, bob := shared(t)
	was := t.TempDir()
	clone(t, ann.root(), was)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	for name, back := range map[string]func(){
		"the folder":     func() { clone(t, was, ann.root()) },
		"a file is gone": func() { noError(t, os.Remove(ann.recordPath(ann.mustSeen(t).ID))) },
	} {
		back()
		if _, err := Open(ann.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "who the store is shared with is not certain") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Open(ann.opt).Share(t.Context(), memberOf(t, bob, "bob"), ""); err == nil {
			t.Errorf("%s: it was shared", name)
		}
	}
	// The user knows why.
	noError(t, ann.Accept(t.Context()))
	putFake(t, ann, "new", "FAKE")
	right(t, ann)
}

// What cannot be read or written is an error of each command, and nothing is reported done.
func TestSharingThatFails(t *testing.T) {
	folder := func(path func(*Store) string) func(*testing.T, *Store) {
		return func(t *testing.T, s *Store) {
			p := path(s)
			noError(t, os.RemoveAll(p), os.MkdirAll(filepath.Join(p, "x"), 0o700))
		}
	}
	for name, c := range map[string]struct {
		spoil func(*testing.T, *Store)
		// of are the commands that need it.
		of string
	}{
		"no data folder":        {func(_ *testing.T, s *Store) { s.opt.Dir = "" }, "share unshare rekey members line"},
		"no key":                {func(t *testing.T, s *Store) { noError(t, os.Remove(filepath.Join(s.opt.Dir, "identity.txt"))) }, "share unshare rekey members line"},
		"the key is no key":     {func(t *testing.T, s *Store) { write(t, filepath.Join(s.opt.Dir, "identity.txt"), []byte("x"), 0o600) }, "share unshare rekey members line"},
		"store.seen is damaged": {func(t *testing.T, s *Store) { write(t, s.seenPath(), []byte("{"), 0o600) }, "share unshare rekey members"},
		"recipients.txt":        {folder((*Store).recipientsPath), "share unshare rekey"},
		"a file of the record": {func(t *testing.T, s *Store) {
			folder(func(s *Store) string { return s.recordPath(recordIDs(t, s)[0]) })(t, s)
		}, "share unshare rekey members"},
		"the record": {func(t *testing.T, s *Store) {
			noError(t, os.RemoveAll(s.recordDir()))
			write(t, s.recordDir(), nil, 0o600)
		}, "share unshare rekey members"},
		"a version":               {folder(func(s *Store) string { return filepath.Join(s.folder("a"), "1.age") }), "share unshare rekey"},
		"a version is gone":       {func(t *testing.T, s *Store) { noError(t, os.Remove(filepath.Join(s.folder("a"), "1.age"))) }, "share unshare rekey"},
		"the folder of all":       {func(t *testing.T, s *Store) { noError(t, os.RemoveAll(s.secrets())); write(t, s.secrets(), nil, 0o600) }, "share unshare rekey"},
		"the folder for writing":  {func(t *testing.T, s *Store) { noError(t, os.RemoveAll(s.temp())); write(t, s.temp(), nil, 0o600) }, "share unshare rekey"},
		"the command was stopped": {nil, "share unshare rekey members line"},
	} {
		t.Run(name, func(t *testing.T) {
			for what, do := range map[string]func(context.Context, *Store, Member) error{
				"share":   func(ctx context.Context, s *Store, m Member) error { _, err := s.Share(ctx, m, "ann"); return err },
				"unshare": func(ctx context.Context, s *Store, m Member) error { _, _, err := s.Unshare(ctx, "bob"); return err },
				"rekey":   func(ctx context.Context, s *Store, m Member) error { _, err := s.Rekey(ctx, ""); return err },
				"members": func(ctx context.Context, s *Store, m Member) error { _, err := s.Members(ctx); return err },
				"line":    func(ctx context.Context, s *Store, m Member) error { _, err := s.Line(ctx); return err },
			} {
				ann, _ := shared(t)
				carl := memberOf(t, somebody(t), "carl")
				s := Open(ann.opt)
				ctx, stop := context.WithCancel(t.Context())
				if c.spoil == nil {
					stop()
				} else {
					c.spoil(t, s)
				}
				err := do(ctx, s, carl)
				stop()
				if needs := slices.Contains(strings.Fields(c.of), what); (err != nil) != needs {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

// An error at any write is the command's, and the next call ends what it began.
func TestSharingOnADiskThatFails(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	carl := memberOf(t, somebody(t), "carl")
	putFake(t, ann, "a", "FAKE1")
	putFake(t, ann, "b", "FAKE2")
	m := memberOf(t, bob, "bob")
	_, err := ann.Share(t.Context(), m, "ann")
	noError(t, err)
	for what, do := range map[string]func(*Store) error{
		"share":   func(s *Store) error { _, err := s.Share(t.Context(), carl, "ann"); return err },
		"unshare": func(s *Store) error { _, _, err := s.Unshare(t.Context(), "bob"); return err },
	} {
		failed := 0
		for step := 1; ; step++ {
			s := Open(Options{Dir: dataDir(t)})
			clone(t, ann.opt.Dir, s.opt.Dir)
			noError(t, os.Chmod(filepath.Join(s.opt.Dir, "identity.txt"), 0o600))
			n := 0
			s.onStep = func() {
				if n++; n == step { // no new file, until the end
					noError(t, os.RemoveAll(s.temp()), os.WriteFile(s.temp(), nil, 0o600))
				}
			}
			err := do(s)
			if n < step {
				noError(t, err)
				break
			}
			if err != nil {
				failed++
			}
			if info, err := os.Stat(s.temp()); err == nil && !info.IsDir() {
				noError(t, os.Remove(s.temp()))
			}
			next := Open(s.opt)
			if got := problems(t, next); got != "" {
				t.Fatalf("%s, step %d: %s", what, step, got)
			}
			if err := do(next); err != nil {
				t.Fatalf("%s again, step %d: %v", what, step, err)
			}
			right(t, next)
			if a, b := reads(t, next, "a", 0), reads(t, next, "b", 0); a != "FAKE1" || b != "FAKE2" {
				t.Fatalf("%s, step %d: %q, %q", what, step, a, b)
			}
			pull(t, next, bob)
			if _, err := bob.Get(t.Context(), "a", 0); (err == nil) != (what == "share") {
				t.Fatalf("%s, step %d: bob reads: %v", what, step, err)
			}
		}
		if failed == 0 {
			t.Errorf("%s never failed", what)
		}
	}
}

func TestNamesOfMembers(t *testing.T) {
	ann, bob := shared(t)
	other := memberOf(t, somebody(t), "bob")
	if _, err := ann.Share(t.Context(), other, ""); err == nil || !strings.Contains(err.Error(), "shared with another bob") {
		t.Error(err)
	}
	if _, err := ann.Share(t.Context(), memberOf(t, ann, "me"), ""); err == nil || !strings.Contains(err.Error(), "your own key") {
		t.Error(err)
	}
	// By the public key alone, and for secrets in any order, he is who he was.
	m := memberOf(t, bob, "bob", "b", "a", "b")
	m.Signer = ""
	_, err := ann.Share(t.Context(), m, "")
	noError(t, err)
	ms, err := ann.Members(t.Context())
	if err != nil || len(ms) != 2 || ms[1].Signer == "" || len(ms[1].Secrets) != 0 {
		t.Errorf("%+v, %v", ms, err)
	}
	carl := memberOf(t, somebody(t), "carl", "b", "a", "b")
	_, err = ann.Share(t.Context(), carl, "")
	noError(t, err)
	if ms, err = ann.Members(t.Context()); err != nil || len(ms) != 3 || strings.Join(ms[2].Secrets, " ") != "a b" {
		t.Errorf("%+v, %v", ms, err)
	}
	if m, n, err := ann.Unshare(t.Context(), carl.Recipient); err != nil || m.Name != "carl" || n != 3 {
		t.Errorf("%+v, %d, %v", m, n, err)
	}
	// A key that this rhx does not know is said, and nothing is saved past a member.
	k, err := ann.unlocked()
	noError(t, err)
	r, err := ann.openRecordWith(k, false)
	noError(t, err, r.share(Member{Name: "later", Recipient: "age9unknown"}))
	r.close()
	if _, err := ann.Put(t.Context(), fake("new"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "the key of later") {
		t.Error(err)
	}
}
