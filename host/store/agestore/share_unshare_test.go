package agestore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

// Who is taken out reads nothing new, and is believed no more, whatever they write of the
// time before.
func TestAMemberIsTakenOut(t *testing.T) {
	ann, bob := shared(t)
	carl := third(t, ann, "carl", 3)
	pull(t, ann, bob)
	putFake(t, bob, "of bob", "FAKE5")
	putFake(t, bob, "of bob", "FAKE6")
	noError(t, bob.Delete(t.Context(), "of bob"), bob.Undelete(t.Context(), "b", 0))
	merge(t, bob, ann)
	noError(t, os.Remove(filepath.Join(ann.folder("b"), "1.deleted")))
	right(t, ann)
	was := t.TempDir()
	clone(t, ann.root(), was)
	pull(t, ann, carl)
	// carl saves at the same time, without knowing of it.
	putFake(t, carl, "a", "of carl")
	noError(t, carl.Undelete(t.Context(), "of bob", 0))

	m, n, err := ann.Unshare(t.Context(), "bob")
	if err != nil || m.Name != "bob" || n != 5 {
		t.Fatalf("%+v, %d, %v", m, n, err)
	}
	right(t, ann)
	if got := lostOf(t, ann); got != "bob: a, b, of bob" {
		t.Error(got)
	}
	if got := authors(t, ann, "of bob"); got != "(former) (former)" {
		t.Error(got)
	}
	stale := tree(t, carl.folder("a"))
	merge(t, carl, ann)
	noError(t, os.Remove(filepath.Join(ann.folder("of bob"), "2.deleted")))
	right(t, ann)
	if v, err := ann.Verify(t.Context()); err != nil || len(v.Notes) != 1 || !strings.HasPrefix(v.Notes[0], "1 versions are not encrypted to the members as they are now") {
		t.Errorf("%+v, %v", v, err)
	}
	if !reaches(t, bob, ann) || stale == "" {
		t.Error("bob does not read what carl saved before he knew")
	}
	share(t, ann, nil, 1)
	pull(t, ann, carl)
	right(t, ann, carl)
	if got := reads(t, carl, "of bob", 0); got != "FAKE6" {
		t.Error(got)
	}
	putFake(t, ann, "later", "FAKE7")
	pull(t, ann, bob)
	for _, name := range []string{"a", "later", "of bob"} {
		if _, err := bob.Get(t.Context(), name, 0); !errors.Is(err, store.ErrDenied) {
			t.Errorf("bob reads %s: %v", name, err)
		}
	}
	if reaches(t, bob, ann) {
		t.Error("bob reads")
	}
	for _, s := range []*Store{ann, carl} {
		if got := names(t, s); got != "ann carl" {
			t.Error(got)
		}
	}
	for name, want := range map[string]string{"nobody": `not shared with "nobody"`, "bob": `not shared with "bob"`, "ann": "the owner of a store is not taken out"} {
		if _, _, err := ann.Unshare(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Error(err)
		}
	}
	// bob goes on in a copy of before, and puts that into the folder, with his file as it was.
	pull(t, ann, bob)
	noError(t, os.RemoveAll(bob.root()))
	clone(t, was, bob.root())
	noError(t, os.Remove(bob.pinPath()))
	join(t, bob)
	putFake(t, bob, "evil", "EVIL")
	ids, err := bob.allRecordIDs()
	noError(t, err)
	for _, s := range []*Store{ann, carl} {
		noError(t, os.CopyFS(s.folder("evil"), os.DirFS(bob.folder("evil"))))
		for _, id := range ids {
			if strings.HasPrefix(id, idPrefix(memberOf(t, bob, "").Signer)) {
				data, err := os.ReadFile(bob.recordPath(id))
				noError(t, err)
				write(t, s.recordPath(id), data, 0o600)
			}
		}
		if got := problems(t, s); got != "version 1 of evil was added by somebody else, or put back after it was destroyed: secrets/evil/1.age" {
			t.Error(got)
		}
	}
	// He is taken in again, with the same key: what he wrote meanwhile counts for nothing.
	evil := writesAs(t, bob, ann, ann, "evil", 2)
	share(t, ann, memberOf(t, bob, "bob"), 7)
	if got := problems(t, ann); !strings.Contains(got, "version 2 of evil was added by somebody else") || strings.Contains(got, evil) {
		t.Error(got)
	}
}

// What a member, or anybody who writes to the folder, puts there does not stop the owner from
// taking the member out, nor verify from telling of it.
func TestUnshareIsNotStopped(t *testing.T) {
	for name, c := range map[string]struct {
		put  func(t *testing.T, ann, bob *Store)
		want string
	}{
		"a version larger than any": {func(t *testing.T, ann, _ *Store) {
			sparse(t, filepath.Join(ann.folder("0"), "1.age"), maxFile+1)
		}, "is larger than any version"},
		"names of no secret": {func(t *testing.T, ann, _ *Store) {
			for _, name := range []string{"%zz", "=aa", "a b", strings.Repeat("x", 200)} {
				write(t, filepath.Join(ann.secrets(), name, "1.age"), []byte("x"), 0o600)
			}
		}, "was added by somebody else"},
		"an empty version": {func(t *testing.T, ann, _ *Store) {
			write(t, filepath.Join(ann.folder("a"), "5.age"), nil, 0o600)
		}, "version 5 of a was added by somebody else"},
		"more files of the record than there can be": {func(t *testing.T, ann, bob *Store) {
			for range maxFiles + 1 {
				signs(t, bob, ann, ann, change{op: opPut, folder: "a", version: 2, hash: hashOf(t, ann, "a", 2)}, change{op: opDone})
			}
		}, "bob has more files of the record than there can be"},
		"a save that is under way, and larger than any": {func(t *testing.T, ann, bob *Store) {
			path := filepath.Join(ann.folder("c"), "1.age")
			sparse(t, path, maxFile+1)
			signs(t, bob, ann, ann, change{op: opPut, folder: "c", version: 1, hash: strings.Repeat("0", 2*hashBytes)})
		}, "is larger than any version"},
		"a folder as the list of keys": {func(t *testing.T, ann, _ *Store) {
			noError(t, os.Remove(ann.recipientsPath()))
			write(t, filepath.Join(ann.recipientsPath(), "x"), nil, 0o600)
		}, ""},
		"a version with a header that rhx does not write": {func(t *testing.T, ann, bob *Store) {
			args := binding{ann.sharedRoster(t).hash, ann.sharedRoster(t).Store, idPrefix(signerOfStore(t, bob).public)}.args()
			args = append(args, "name=0", "version=1", "updated=2026-11-29T00:00:00Z", "provider="+strings.Repeat("x", maxStanza))
			var b bytes.Buffer
			w, err := age.Encrypt(&b, &described{&age.Stanza{Type: stanzaType, Args: args}, ann.sharedRoster(t).recipients("0")})
			noError(t, err)
			_, err = w.Write([]byte(`{"values":{}}`))
			noError(t, err, w.Close())
			write(t, filepath.Join(ann.folder("0"), "1.age"), b.Bytes(), 0o600)
			signs(t, bob, ann, ann, change{op: opPut, folder: "0", version: 1, hash: hashFile(b.Bytes())}, change{op: opDone})
		}, ""},
		"files of the record that are none": {func(t *testing.T, ann, bob *Store) {
			for _, s := range []*Store{ann, bob} {
				noError(t, os.Mkdir(ann.recordPath(newSharedID(signerOfStore(t, s).public)), 0o700))
				sparse(t, ann.recordPath(newSharedID(signerOfStore(t, s).public)), maxRecord+1)
				write(t, ann.recordPath(newSharedID(signerOfStore(t, s).public)), []byte("junk\n"), 0o600)
			}
		}, "no member wrote it"},
	} {
		t.Run(name, func(t *testing.T) {
			ann, bob := shared(t)
			c.put(t, ann, bob)
			if got := problems(t, ann); !strings.Contains(got, c.want) {
				t.Error(got)
			}
			putFake(t, Open(ann.opt), "more", "FAKE")
			_, n, err := ann.Unshare(t.Context(), "bob")
			if n != 4 || err != nil && fault.KindOf(err) != fault.Partial {
				t.Errorf("%d versions were encrypted anew, %v", n, err)
			}
			for v := range 2 {
				if opensVersion(t, bob, ann, "a", v+1) {
					t.Errorf("bob reads version %d", v+1)
				}
			}
			if got := names(t, ann); got != "ann" {
				t.Error(got)
			}
			if err := accept(t.Context(), Open(ann.opt)); err != nil {
				t.Error(err)
			}
			putFake(t, Open(ann.opt), "new", "FAKE")
		})
	}
}

// Unshare says that it is done, and has encrypted nothing anew, where somebody has cut
// the record before.
func TestUnshareOfACutRecord(t *testing.T) {
	ann, bob := shared(t)
	for _, id := range func() []string { ids, _ := ann.allRecordIDs(); return ids }() {
		if strings.HasPrefix(id, idPrefix(signerOfStore(t, ann).public)) {
			noError(t, os.Truncate(ann.recordPath(id), 0))
		}
	}
	_, n, err := ann.Unshare(t.Context(), "bob")
	if err == nil && reaches(t, bob, ann) {
		t.Errorf("bob is taken out with %d versions encrypted anew, and reads all", n)
	}
}

// A name that is nobody's is said to be taken out, where something else was unfinished.
func TestNobodyIsTakenOut(t *testing.T) {
	ann, _ := shared(t)
	carl := third(t, ann, "carl", 3)
	_, err := ann.Share(t.Context(), memberOf(t, somebody(t), "dan", "a"), "") // carl does not know yet
	noError(t, err)
	putFake(t, carl, "a", "of carl")
	merge(t, carl, ann)
	if _, n, err := ann.Unshare(t.Context(), "bbo"); err == nil {
		t.Errorf("bbo is taken out: %d versions; bob is there: %v", n, names(t, ann))
	}
}

// Likewise a version that is a folder, or cannot be read.
func TestUnshareWithAFolderAsAVersion(t *testing.T) {
	ann, bob := shared(t)
	noError(t, os.MkdirAll(filepath.Join(ann.folder("0"), "1.age"), 0o700))
	_, n, err := ann.Unshare(t.Context(), "bob")
	if opensVersion(t, bob, ann, "a", 2) {
		t.Errorf("bob reads: %d, %v", n, err)
	}
	if _, err := Open(ann.opt).Verify(t.Context()); err != nil {
		t.Error("verify ends: ", err)
	}
}

// Somebody is taken out, too, where a file of theirs was removed.
func TestUnshareAfterRemoval(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "x", "1")
	merge(t, bob, ann)
	right(t, ann)
	noError(t, os.Remove(ann.recordPath(bob.mustSeen(t).ID)))
	_, n, err := Open(ann.opt).Unshare(t.Context(), "bob")
	if n != 3 || fault.KindOf(err) != fault.Partial || !strings.Contains(err.Error(), "x/1.age") {
		t.Errorf("%d, %v", n, err)
	}
	if opensVersion(t, bob, ann, "a", 2) {
		t.Error("bob reads")
	}
}

// A member's many changes that came to nothing are not the owner's for good.
func TestUnshareOfWhoHasMadeMuch(t *testing.T) {
	ann, bob := shared(t)
	var all []change
	for i := range 300 {
		all = append(all, change{op: opPut, folder: "x", version: 1 + i, hash: strings.Repeat("0", 2*hashBytes)}, change{op: opDone})
	}
	all = append(all, change{op: opDestroy, folder: "x"}, change{op: opDone})
	signsAt(t, bob, ann, ann, 100, all...)
	right(t, ann)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	right(t, ann)
	l, err := ann.readLedger(ann.sharedRoster(t), &seen{})
	noError(t, err)
	for id, p := range l.pages {
		if len(p.lines) > 50 {
			t.Errorf("%s has %d lines", id, len(p.lines))
		}
	}
}

// Who was taken out is told so, and has nothing of all.
func TestWhoWasTakenOutIsNoMember(t *testing.T) {
	ann, bob := shared(t)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	pull(t, ann, bob)
	if in, err := Open(bob.opt).Invitation(t.Context()); in != nil || !errors.Is(err, store.ErrDenied) || !strings.HasSuffix(err.Error(), "you are not a member of the store of ann any more") {
		t.Errorf("%+v, %v", in, err)
	}
	if others, err := Open(bob.opt).Others(t.Context(), []string{"a", "b"}); err != nil || len(others) != 2 {
		t.Error(others, err)
	}
	if others, err := Open(ann.opt).Others(t.Context(), []string{"a", "b"}); err != nil || len(others) != 0 {
		t.Error(others, err)
	}
}
