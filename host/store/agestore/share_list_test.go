package agestore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
)

// What somebody makes of the list of members, who can write to the folder, is found by each
// machine that has seen a later one: it encrypts nothing to others, and saves nothing until
// that is put right.
func TestAttacksOnTheList(t *testing.T) {
	type people struct{ ann, bob, eve *Store }
	signAgain := func(t *testing.T, p people, by *Store, change func(r *roster)) []byte {
		t.Helper()
		r, err := p.ann.pin()
		noError(t, err)
		n := r.next()
		n.Members = append(n.Members, Member{Name: "eve", Recipients: memberOf(t, p.eve, "").Recipients, Signer: signerOfStore(t, p.eve).public, All: true})
		change(n)
		n.Version = 1
		body, err := Marshal(n)
		noError(t, err)
		return append(body, sigText.EncodeToString(signerOfStore(t, by).sign(rosterPurpose, body))+"\n"...)
	}
	for name, c := range map[string]struct {
		list func(t *testing.T, p people, first []byte) []byte // nil: it is removed
		want string
	}{
		"removed":        {func(*testing.T, people, []byte) []byte { return nil }, "it was removed"},
		"empty":          {func(*testing.T, people, []byte) []byte { return []byte{} }, "it is cut off"},
		"the one before": {func(_ *testing.T, _ people, first []byte) []byte { return first }, "put back to what it was at an earlier time"},
		"cut":            {func(t *testing.T, p people, _ []byte) []byte { return contents(t, p.ann.pinPath())[:100] }, "it is cut off"},
		"without the signature": {func(t *testing.T, p people, _ []byte) []byte {
			raw := contents(t, p.ann.pinPath())
			return raw[:bytes.IndexByte(raw, '\n')+1]
		}, "it is cut off"},
		"padded": {func(t *testing.T, p people, _ []byte) []byte { return append(contents(t, p.ann.pinPath()), "x\n"...) }, "it is not as rhx writes it"},
		"a letter is changed": {func(t *testing.T, p people, _ []byte) []byte {
			return bytes.Replace(contents(t, p.ann.pinPath()), []byte(`"bob"`), []byte(`"rob"`), 1)
		}, "its owner has not signed it"},
		"signed by a member": {func(t *testing.T, p people, _ []byte) []byte {
			return signAgain(t, p, p.bob, func(*roster) {})
		}, "its owner has not signed it"},
		"a member as the owner": {func(t *testing.T, p people, _ []byte) []byte {
			return signAgain(t, p, p.bob, func(r *roster) { r.Owner, r.Members[0] = r.Members[0], r.Owner; r.Serial = 99 })
		}, "somebody says that the owner's key is "},
		"another owner, as old": {func(t *testing.T, p people, _ []byte) []byte {
			return signAgain(t, p, p.eve, func(r *roster) { r.Owner = r.Members[2]; r.Members = r.Members[:2]; r.Serial-- })
		}, "it is by somebody else than ann"},
		"another store's": {func(t *testing.T, p people, _ []byte) []byte {
			other := Open(Options{Dir: dataDir(t), Identity: keep(t, p.ann)})
			share(t, other, memberOf(t, p.eve, "eve"), 0)
			return contents(t, other.membersPath())
		}, "it is that of another store"},
		"the same number, another list": {func(t *testing.T, p people, _ []byte) []byte {
			return signAgain(t, p, p.ann, func(r *roster) { r.Serial-- })
		}, "it was not made of the one that this machine has seen last"},
		"a signature of the record": {func(t *testing.T, p people, _ []byte) []byte {
			raw := contents(t, p.ann.pinPath())
			body := raw[:bytes.IndexByte(raw, '\n')+1]
			return append(body, sigText.EncodeToString(signerOfStore(t, p.ann).sign(recordPurpose, body))+"\n"...)
		}, "its owner has not signed it"},
		"too long": {func(t *testing.T, p people, _ []byte) []byte { return make([]byte, maxRoster+1) }, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			ann, bob := shared(t)
			p := people{ann, bob, somebody(t)}
			first := contents(t, ann.membersPath())
			carl := third(t, ann, "carl", 3)
			pull(t, ann, bob)
			right(t, bob)
			if list := c.list(t, p, first); list == nil {
				noError(t, os.Remove(ann.membersPath()))
			} else {
				write(t, ann.membersPath(), list, 0o600)
			}
			pull(t, ann, bob)
			pull(t, ann, carl)
			for who, s := range map[string]*Store{"ann": ann, "bob": bob, "carl": carl} {
				if got := problems(t, s); !strings.Contains(got, c.want) {
					t.Errorf("%s finds %q, want %q", who, got, c.want)
				}
				if got := reads(t, s, "a", 0); !strings.HasPrefix(got, "FAKE2|") {
					t.Errorf("%s is not told: %s", who, got)
				}
				if _, err := Open(s.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil {
					t.Errorf("%s saves", who)
				}
				noError(t, s.sharedPin(t, "ann bob carl"))
			}
			if reaches(t, p.eve, ann) || reaches(t, p.eve, bob) {
				t.Error("eve reads")
			}
			// The owner's way out.
			noError(t, accept(t.Context(), ann))
			right(t, ann)
			putFake(t, ann, "new", "FAKE")
			pull(t, ann, bob)
			right(t, ann, bob)
			if reaches(t, p.eve, ann) {
				t.Error("eve reads")
			}
		})
	}
}

// A list of members that somebody has put into the folder of a store that is not shared, or
// is shared here with others, shares nothing: not one of another store of the same person.
func TestAListFromElsewhere(t *testing.T) {
	work := somebody(t)
	eve := somebody(t)
	putFake(t, work, "of work", "FAKE")
	share(t, work, memberOf(t, eve, "eve"), 1)
	private := Open(Options{Dir: dataDir(t), Identity: keep(t, work)})
	putFake(t, private, "a", "FAKE")
	write(t, private.membersPath(), contents(t, work.membersPath()), 0o600)
	for _, name := range []string{"a", "new"} {
		if _, err := Open(private.opt).Put(t.Context(), fake(name), store.AnyVersion); !errors.Is(err, errNotJoined) {
			t.Error(err)
		}
	}
	if got := problems(t, private); !strings.Contains(got, "you have not joined it") || strings.Contains(got, "of a ") {
		t.Error(got)
	}
	in, err := private.Invitation(t.Context())
	if err != nil || !slices.Equal(in.Private, []string{"a"}) {
		t.Errorf("%+v, %v", in, err)
	}
	// Nor does its record count, nor what it said before it was shared.
	noError(t, os.Remove(private.membersPath()))
	share(t, private, memberOf(t, somebody(t), "bob"), 1)
	ids, err := work.allRecordIDs()
	noError(t, err)
	for _, id := range ids {
		write(t, private.recordPath(id), contents(t, work.recordPath(id)), 0o600)
	}
	noError(t, os.CopyFS(private.folder("of work"), os.DirFS(work.folder("of work"))))
	got := problems(t, private)
	if !strings.Contains(got, "version 1 of of work was added by somebody else") || strings.Contains(got, "of a ") {
		t.Error(got)
	}
	noError(t, accept(t.Context(), private))
	right(t, private)
	if reaches(t, eve, private) && !strings.Contains(tree(t, private.secrets()), "of%20work") {
		t.Error("eve reads")
	}
}

// Links in the place of the list of members lead nowhere.
func TestALinkAsTheList(t *testing.T) {
	ann, bob := shared(t)
	outside := write(t, filepath.Join(t.TempDir(), "outside"), contents(t, ann.membersPath()), 0o600)
	noError(t, os.Remove(bob.membersPath()), os.Symlink(outside, bob.membersPath()))
	if _, err := Open(bob.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "is a symbolic link") {
		t.Error(err)
	}
	if _, err := Open(bob.opt).Invitation(t.Context()); err == nil || !strings.Contains(err.Error(), "is a symbolic link") {
		t.Error(err)
	}
}

// What stands in the place of the list stops no verify, and the owner gets it back.
func TestAFolderAsTheList(t *testing.T) {
	ann, _ := shared(t)
	noError(t, os.Remove(ann.membersPath()), os.Mkdir(ann.membersPath(), 0o700))
	if got := problems(t, ann); !strings.Contains(got, "members: it cannot be read") || !strings.Contains(got, "Remove what is in its place") {
		t.Error(got)
	}
	if _, err := Open(ann.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil {
		t.Error("it saves")
	}
	noError(t, os.Remove(ann.membersPath()), accept(t.Context(), Open(ann.opt)))
	right(t, ann)
	if got := names(t, ann); got != "ann bob" {
		t.Error(got)
	}
	// In a private store, too.
	s := twoVersions(t)
	noError(t, os.Mkdir(s.membersPath(), 0o700))
	if got := problems(t, s); !strings.Contains(got, "members: ") {
		t.Error(got)
	}
}

// Ann takes bob out on one machine, and on the other shares with carl meanwhile. When she
// has merged the two, and taken the list without bob, all that the other machine had written
// is readable to bob for ever, and nothing says so.
func TestForkedListKeepsAFormerMember(t *testing.T) {
	ann, bob := shared(t)
	second := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	pull(t, ann, second)
	join(t, second)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	share(t, second, memberOf(t, somebody(t), "carl"), 3)
	putFake(t, second, "new", "NEW")
	// git: the files of the second are taken where there is a conflict.
	pull(t, second, ann)
	noError(t, accept(t.Context(), ann))
	right(t, ann)
	if got := names(t, ann); got != "ann" {
		t.Fatal(got)
	}
	v, err := Open(ann.opt).Verify(t.Context())
	noError(t, err)
	_, err = ann.Share(t.Context(), nil, "")
	noError(t, err)
	if reaches(t, bob, ann) {
		t.Errorf("bob reads; verify: %+v", v)
	}
}

// A former member with the folder's server keeps only the new list from carl: his
// record proves that there is one, and he goes on encrypting to the former.
func TestTheListIsHeldBack(t *testing.T) {
	ann, bob := shared(t)
	carl := third(t, ann, "carl", 3)
	list := contents(t, carl.membersPath())
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	pull(t, ann, carl)
	write(t, carl.membersPath(), list, 0o600)
	if got := problems(t, carl); got == "" {
		t.Error("verify finds nothing, though the record has the owner's word for list 3")
	}
	if _, err := Open(carl.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil {
		if reaches(t, bob, carl) {
			t.Error("carl encrypts to bob")
		}
	}
}

// The owner's second machine, which has not seen the new list either, makes a later one
// out of the old: the former is a member again, by `rhx store share` as verify advises.
func TestTheFormerComesBack(t *testing.T) {
	ann, bob := shared(t)
	second := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	pull(t, ann, second)
	join(t, second)
	list := contents(t, ann.membersPath())
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	share(t, ann, memberOf(t, somebody(t), "carl"), 3)
	pull(t, ann, second)
	write(t, second.membersPath(), list, 0o600)
	v, err := Open(second.opt).Verify(t.Context())
	noError(t, err)
	n, err := second.Share(t.Context(), nil, "")
	if err == nil && reaches(t, bob, second) {
		t.Errorf("bob reads again: %d versions were encrypted to him; verify before: %+v; %s", n, v, names(t, second))
	}
}

// Two machines take out one member each: the one's accept brings the other's back.
func TestForkBringsBack(t *testing.T) {
	ann, _ := shared(t)
	carl := third(t, ann, "carl", 3)
	second := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	pull(t, ann, second)
	join(t, second)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	_, _, err = second.Unshare(t.Context(), "carl")
	noError(t, err)
	pull(t, second, ann)
	noError(t, accept(t.Context(), ann))
	right(t, ann)
	putFake(t, Open(ann.opt), "new", "NEW")
	if opensVersion(t, carl, ann, "new", 1) {
		t.Errorf("carl, whom the second machine took out, reads what is new: %s", names(t, ann))
	}
}

// A fork with different numbers: ann takes bob out on her second machine (list 2'), and on
// the first makes lists 2 and 3. The second takes 3 for a later one: bob is a member again, and
// nobody is told.
func TestALongerForkWins(t *testing.T) {
	ann, bob := shared(t)
	second := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	pull(t, ann, second)
	join(t, second)
	_, _, err := second.Unshare(t.Context(), "bob")
	noError(t, err)
	third(t, ann, "carl", 3)
	third(t, ann, "dan", 3)
	merge(t, ann, second)
	write(t, second.membersPath(), contents(t, ann.membersPath()), 0o600)
	if got := problems(t, second); got == "" {
		t.Errorf("the machine that took bob out finds nothing: %s", names(t, second))
	}
	if _, err := Open(second.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil && opensVersion(t, bob, second, "new", 1) {
		t.Error("it encrypts to bob")
	}
}

// Who reads only sees a list, and then the one before.
func TestAReaderSeesNoRollback(t *testing.T) {
	ann, bob := shared(t)
	list := contents(t, bob.membersPath())
	third(t, ann, "carl", 3)
	pull(t, ann, bob)
	_ = reads(t, bob, "a", 0)
	write(t, bob.membersPath(), list, 0o600)
	if got := reads(t, bob, "a", 0); !strings.Contains(got, "earlier time") {
		t.Errorf("he is not told: %s", got)
	}
}

// Eve makes a store of her own with the ID of ann's, in which ann is a member with the same
// key. What ann says there counts in her own store, as the owner's word.
func TestAnotherStoreWithTheSameID(t *testing.T) {
	ann, _ := shared(t)
	r, err := ann.pin()
	noError(t, err)
	eve := somebody(t)
	there := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	// eve's list, with the ID that she has from ann's folder.
	m := *memberOf(t, ann, "ann")
	m.All = true
	o := *memberOf(t, eve, "eve")
	o.All = true
	list, err := (&roster{Store: r.Store, Serial: 1, Owner: o, Members: []Member{m}}).sealed(signerOfStore(t, eve))
	noError(t, err)
	noError(t, os.MkdirAll(there.root(), 0o700))
	write(t, there.membersPath(), list.raw, 0o600)
	said := newSharedID(signerOfStore(t, eve).public)
	w := &recorder{signer: signerOfStore(t, eve), sum: list.newSum(said)}
	noError(t, os.MkdirAll(there.recordDir(), 0o700))
	write(t, there.recordPath(said), w.line(change{op: opList, version: 1, hash: hashFile(list.raw)}), 0o600)
	join(t, there)
	for range 2 {
		putFake(t, there, "a", "of eve's store")
	}
	putFake(t, there, "a", "of eve's store")
	noError(t, there.Destroy(t.Context(), "a"))
	putFake(t, there, "c", "of eve's store")
	// eve can write to the folder of ann's store: she brings ann's file of the record, and
	// removes a secret.
	id := there.mustSeen(t).ID
	write(t, ann.recordPath(id), contents(t, there.recordPath(id)), 0o600)
	clone(t, there.folder("c"), ann.folder("c"))
	noError(t, os.RemoveAll(ann.folder("a")))
	got := problems(t, ann)
	if !strings.Contains(got, "of a was taken away") {
		t.Errorf("what was removed is not found: %q", got)
	}
	if !strings.Contains(got, "of c was added") {
		t.Errorf("what was added is not found: %q", got)
	}
}

// Each change of the list is one more file, of which a thousand are read.
func TestEachShareIsAFile(t *testing.T) {
	ann, _ := shared(t)
	eve := memberOf(t, somebody(t), "eve")
	count := func() int {
		ids, err := ann.allRecordIDs()
		noError(t, err)
		return len(ids)
	}
	before := count()
	for range 5 {
		_, err := ann.Share(t.Context(), eve, "")
		noError(t, err)
		_, _, err = ann.Unshare(t.Context(), "eve")
		noError(t, err)
	}
	if n := count() - before; n > 2 {
		t.Errorf("%d changes of the list made %d files; %d are read", 10, n, maxRecords)
	}
}

// Who only reads has seen the record as well: what is taken away later is found there.
func TestAReaderRemembers(t *testing.T) {
	ann, bob := shared(t)
	for range 10 {
		putFake(t, ann, "x", "FAKE")
	}
	pull(t, ann, bob)
	path := filepath.Join(bob.recordDir(), filepath.Base(fileOf(t, ann)))
	lines := bytes.SplitAfter(contents(t, path), []byte("\n"))
	if got := reads(t, bob, "a", 0); got != "FAKE2" {
		t.Error(got)
	}
	write(t, path, bytes.Join(lines[:4], nil), 0o600)
	for _, got := range []string{reads(t, bob, "a", 0), problems(t, bob)} {
		if !strings.Contains(got, "is shorter or another one than when this machine saw it last") {
			t.Error(got)
		}
	}
}
