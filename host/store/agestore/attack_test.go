package agestore

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
)

// graft puts a file of the record into a victim's folder that says "share with eve", made by
// an rhx with the key in a file, in a store of its own.
func graft(t *testing.T, identity string, victim *Store) (eve *Store) {
	t.Helper()
	eve = somebody(t)
	thief := Open(Options{Dir: dataDir(t), Identity: identity})
	_, err := thief.Share(t.Context(), memberOf(t, eve, "eve"), "thief")
	noError(t, err)
	id := thief.mustSeen(t).ID
	data, err := os.ReadFile(thief.recordPath(id))
	noError(t, err)
	write(t, victim.recordPath(id), data, 0o600)
	return eve
}

// reaches reports whether somebody's key opens any version of a store.
func reaches(t *testing.T, who, s *Store) bool {
	t.Helper()
	n, _ := opens(t, s, filepath.Join(who.opt.Dir, "identity.txt"))
	return n > 0
}

// Whoever has the key of somebody who may not let others in lets nobody in, whatever they
// have rhx write in a store of their own and put into the folder.
func TestAGraftLetsNobodyIn(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T) (identity string, victims []*Store){
		"of a part": func(t *testing.T) (string, []*Store) {
			ann, bob := shared(t, "a")
			return keep(t, bob), []*Store{ann}
		},
		"who was taken out": func(t *testing.T) (string, []*Store) {
			ann, bob := shared(t)
			carl := somebody(t)
			_, err := ann.Share(t.Context(), memberOf(t, carl, "carl"), "ann")
			noError(t, err)
			pull(t, ann, carl)
			noError(t, carl.Accept(t.Context()))
			_, _, err = ann.Unshare(t.Context(), "bob")
			noError(t, err)
			pull(t, ann, carl)
			return keep(t, bob), []*Store{ann, carl}
		},
		"who was taken out, and the other accepts after that": func(t *testing.T) (string, []*Store) {
			ann, bob := shared(t)
			carl := somebody(t)
			putFake(t, bob, "of bob", "FAKE")
			pull(t, bob, ann)
			_, err := ann.Share(t.Context(), memberOf(t, carl, "carl"), "ann")
			noError(t, err)
			_, _, err = ann.Unshare(t.Context(), "bob")
			noError(t, err)
			pull(t, ann, carl)
			noError(t, carl.Accept(t.Context()))
			return keep(t, bob), []*Store{carl}
		},
		"with the old key of the founder": func(t *testing.T) (string, []*Store) {
			ann, bob := shared(t)
			stolen := keep(t, ann)
			_, err := ann.Rekey(t.Context(), "")
			noError(t, err)
			pull(t, ann, bob)
			return stolen, []*Store{ann, bob}
		},
		"and goes on after that": func(t *testing.T) (string, []*Store) {
			ann, bob := shared(t)
			_, _, err := ann.Unshare(t.Context(), "bob")
			noError(t, err)
			stolen := keep(t, bob)
			graft(t, stolen, ann)
			// With the same key again he would be believed what he wrote meanwhile.
			if _, err := ann.Share(t.Context(), memberOf(t, bob, "bob"), ""); err == nil || !strings.Contains(err.Error(), "was taken out") {
				t.Error(err)
			}
			return stolen, []*Store{ann}
		},
	} {
		t.Run(name, func(t *testing.T) {
			identity, victims := prepare(t)
			right(t, victims...)
			for _, victim := range victims {
				eve := graft(t, identity, victim)
				ms, err := Open(victim.opt).Members(t.Context())
				if err != nil || slices.ContainsFunc(ms, func(m Member) bool { return m.Name == "eve" }) {
					t.Errorf("%+v, %v", ms, err)
				}
				if _, err := Open(victim.opt).Put(t.Context(), fake("new"), store.AnyVersion); err != nil {
					t.Logf("nothing is saved: %v", err)
				}
				_, _ = Open(victim.opt).Rekey(t.Context(), "")
				if reaches(t, eve, victim) {
					t.Error("eve reads")
				}
			}
		})
	}
}

// Who was taken in takes nobody out who was there before.
func TestAMemberDoesNotTakeOutWhoTookHimIn(t *testing.T) {
	ann, bob := shared(t)
	if _, _, err := bob.Unshare(t.Context(), "ann"); err == nil || !strings.Contains(err.Error(), "ann was a member before you") {
		t.Error(err)
	}
	// With another rhx that does so all the same.
	k, err := bob.unlocked()
	noError(t, err)
	r, err := bob.openRecordWith(k, false)
	noError(t, err)
	text, err := new(memberOf(t, ann, "ann")).text()
	noError(t, err, r.add(change{op: opUnshare, hash: text}, true), bob.writeRecipients(bob.key.public))
	r.close()
	pull(t, bob, ann)
	putFake(t, ann, "new", "FAKE")
	if got := reads(t, ann, "new", 0); got != "FAKE" {
		t.Error(got)
	}
	if ms, err := ann.Members(t.Context()); err != nil || len(ms) != 2 {
		t.Errorf("%+v, %v", ms, err)
	}
}

// With whom a part is shared changes that part, and the others take no other change of
// theirs for genuine; their own rhx does not make it.
func TestAPartIsAPart(t *testing.T) {
	ann, bob := shared(t, "a")
	putFake(t, bob, "a", "of bob")
	for what, err := range map[string]error{
		"put":       func() error { _, err := bob.Put(t.Context(), fake("b"), store.AnyVersion); return err }(),
		"put other": func() error { _, err := bob.Put(t.Context(), fake("new"), store.AnyVersion); return err }(),
		"undelete":  bob.Undelete(t.Context(), "b", 0),
		"destroy":   bob.Destroy(t.Context(), "b"),
		"unshare":   func() error { _, _, err := bob.Unshare(t.Context(), "ann"); return err }(),
		"share":     func() error { _, err := bob.Share(t.Context(), memberOf(t, somebody(t), "x"), ""); return err }(),
	} {
		if err == nil {
			t.Errorf("%s was done", what)
		}
	}
	pull(t, bob, ann)
	right(t, ann)
	if got := reads(t, ann, "a", 0); got != "of bob" {
		t.Error(got)
	}
	// With another rhx that does so all the same.
	k, err := bob.unlocked()
	noError(t, err)
	r, err := bob.openRecordWith(k, false)
	noError(t, err)
	forge(t, bob, "b", 2)
	data, err := os.ReadFile(filepath.Join(bob.folder("b"), "2.age"))
	noError(t, err, r.noteAll(change{op: opPut, folder: "b", version: 2, hash: hashFile(data)}, change{op: opDone}))
	r.close()
	pull(t, bob, ann)
	if got := problems(t, ann); !strings.Contains(got, "version 2 of b was added by somebody else") {
		t.Error(got)
	}
}

// Who only reads is told so before something is saved.
func TestAReaderSavesNothing(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	putFake(t, ann, "a", "FAKE")
	m := memberOf(t, bob, "bob")
	m.Signer = ""
	_, err := ann.Share(t.Context(), m, "ann")
	noError(t, err)
	pull(t, ann, bob)
	noError(t, bob.Accept(t.Context()))
	if _, err := bob.Put(t.Context(), fake("a"), store.AnyVersion); !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "shared with you for reading") {
		t.Error(err)
	}
	right(t, bob)
}

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
	ann, bob := shared(t)
	putFake(t, bob, "a", "of bob")
	_, err := ann.Rekey(t.Context(), "")
	noError(t, err)
	for _, name := range []string{"3.age"} {
		data, err := os.ReadFile(filepath.Join(bob.folder("a"), name))
		noError(t, err)
		write(t, filepath.Join(ann.folder("a"), name), data, 0o600)
	}
	id := bob.mustSeen(t).ID
	data, err := os.ReadFile(bob.recordPath(id))
	noError(t, err)
	write(t, ann.recordPath(id), data, 0o600)
	right(t, ann)
	if got := reads(t, ann, "a", 0); got != "of bob" {
		t.Error(got)
	}
	if _, err := ann.Rekey(t.Context(), ""); err != nil {
		t.Error(err)
	}
	if n, all := opens(t, ann, keep(t, ann)); n != all || n != 4 {
		t.Errorf("%d of %d", n, all)
	}
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
				"accept":  func(s *Store) error { return s.Accept(ctx) },
				"rekey":   func(s *Store) error { _, err := s.Rekey(ctx, ""); return err },
				"destroy": func(s *Store) error { return s.Destroy(ctx, "a") },
				"get":     func(s *Store) error { _, err := s.Get(ctx, "a", 0); return err },
				"list":    func(s *Store) error { _, err := s.List(ctx); return err },
			} {
				err := do(Open(s.opt))
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

// A member gets a new key from those who took them in; their own rhx makes none that the
// others would not know, and changes nothing.
func TestAMemberIsNotRekeyed(t *testing.T) {
	ann, bob := shared(t)
	before := tree(t, bob.opt.Dir)
	if _, err := bob.Rekey(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "have to know your new key") {
		t.Error(err)
	}
	if now := tree(t, bob.opt.Dir); now != before {
		t.Errorf("it was changed:\n%s\nwas\n%s", now, before)
	}
	// A new key, and the old one taken out.
	next := somebody(t)
	_, err := ann.Share(t.Context(), memberOf(t, next, "bob2"), "")
	noError(t, err)
	_, _, err = ann.Unshare(t.Context(), "bob")
	noError(t, err)
	if reaches(t, bob, ann) || !reaches(t, next, ann) {
		t.Error("the old key reads, or the new one does not")
	}
}

// A rekey that is refused has changed nothing.
func TestARefusedRekeyChangesNothing(t *testing.T) {
	s := somebody(t)
	putFake(t, s, "a", "FAKE")
	forge(t, s, "a", 2)
	before := tree(t, s.opt.Dir)
	if _, err := Open(s.opt).Rekey(t.Context(), ""); err == nil {
		t.Error("it was done")
	}
	if now := tree(t, s.opt.Dir); now != before {
		t.Errorf("it was changed:\n%s\nwas\n%s", now, before)
	}
}

// A file of the record that counts for nothing stops nobody from taking somebody out.
func TestAStrayRecordStopsNothing(t *testing.T) {
	ann, bob := shared(t)
	graft(t, keep(t, somebody(t)), ann)
	if _, _, err := ann.Unshare(t.Context(), "bob"); err != nil {
		t.Error(err)
	}
	if reaches(t, bob, ann) {
		t.Error("bob reads")
	}
	if got := problems(t, ann); !strings.Contains(got, "a key wrote it that is neither yours nor a member's") {
		t.Error(got)
	}
}

// What was interrupted is said until it is done.
func TestAnUnfinishedUnshareIsSaid(t *testing.T) {
	ann, _ := shared(t)
	n := 0
	ann.onStep = func() {
		if n++; n == 28 {
			noError(t, os.RemoveAll(ann.temp()), os.WriteFile(ann.temp(), nil, 0o600))
		}
	}
	if _, _, err := ann.Unshare(t.Context(), "bob"); err == nil || !strings.Contains(err.Error(), "not all versions are encrypted anew") {
		t.Fatal(err, n)
	}
	noError(t, os.Remove(ann.temp()))
	next := Open(ann.opt)
	if v, err := next.Verify(t.Context()); err != nil || len(v.Problems) > 0 || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "are still encrypted as before") {
		t.Errorf("%+v, %v", v, err)
	}
	if _, _, err := next.Unshare(t.Context(), "bob"); err != nil {
		t.Error(err)
	}
	if v, err := next.Verify(t.Context()); err != nil || len(v.Problems)+len(v.Notes) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}
