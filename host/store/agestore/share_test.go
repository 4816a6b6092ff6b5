package agestore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
)

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
		if got := names(t, s); got != "ann bob" {
			t.Error(got)
		}
		if got := authors(t, s, "a"); got != "ann ann bob" {
			t.Error(got)
		}
	}
	for s, want := range map[*Store]string{ann: "ann", bob: "bob"} {
		for _, s := range []*Store{s, Open(s.opt)} {
			if r, err := s.Shared(t.Context()); err != nil || r.You != want {
				t.Errorf("%+v, %v", r, err)
			}
		}
	}
	share(t, ann, memberOf(t, bob, "bob"), 0)
	if r, err := ann.shared(); err != nil || r.Serial != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// Folders that two have written to at once are merged by keeping the files of both.
func TestFoldersOfTwoMerge(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, ann, "x", "of ann")
	putFake(t, bob, "y", "of bob")
	putFake(t, ann, "a", "third of ann")
	putFake(t, bob, "a", "third of bob")
	merge(t, ann, bob)
	merge(t, bob, ann)
	right(t, ann, bob)
	for s, want := range map[*Store]string{ann: "third of ann", bob: "third of bob"} {
		if x, y, a := reads(t, s, "x", 0), reads(t, s, "y", 0), reads(t, s, "a", 0); x != "of ann" || y != "of bob" || a != want {
			t.Errorf("%q %q %q", x, y, a)
		}
		if got := authors(t, s, "a"); got != "ann ann "+want[len("third of "):] {
			t.Error(got)
		}
	}
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
	if _, err := bob.Get(t.Context(), "own", 0); !errors.Is(err, store.ErrDenied) || err.Error() != `"own": it is not shared with your key` {
		t.Error(err)
	}
	if v, err := bob.Verify(t.Context()); err != nil || !slices.Equal(v.Notes, []string{"2 versions are not shared with you; they are as the record has them"}) {
		t.Errorf("%+v, %v", v, err)
	}
	if infos, err := bob.List(t.Context()); err != nil || len(infos) != 2 {
		t.Errorf("%+v, %v", infos, err)
	}
	// Then another, then all, then the first one only.
	for _, c := range []struct {
		secrets []string
		own     string
		n       int
	}{{[]string{"own", "a"}, "of ann", 4}, {nil, "of ann", 5}, {[]string{"a"}, `"own": it is not shared with your key`, 5}} {
		putFake(t, bob, "a", "of bob")
		pull(t, bob, ann)
		noError(t, ann.Destroy(t.Context(), "a"))
		putFake(t, ann, "a", "FAKE4")
		putFake(t, ann, "a", "FAKE4")
		putFake(t, ann, "a", "FAKE4")
		share(t, ann, memberOf(t, bob, "bob", c.secrets...), c.n)
		pull(t, ann, bob)
		if got := reads(t, bob, "own", 0); got != c.own {
			t.Error(got)
		}
		right(t, ann, bob)
	}
	if n, all := opens(t, ann, keep(t, bob)); n != 3 || all != 5 {
		t.Errorf("bob's key opens %d of %d", n, all)
	}
}

// With whom a part is shared changes that part, and the others take no other change of
// theirs for genuine; their own rhx does not make it.
func TestAPartIsAPart(t *testing.T) {
	ann, bob := shared(t, "a")
	putFake(t, bob, "a", "of bob")
	before := tree(t, bob.secrets())
	for what, err := range map[string]error{
		"put":       func() error { _, err := bob.Put(t.Context(), fake("b"), store.AnyVersion); return err }(),
		"put other": func() error { _, err := bob.Put(t.Context(), fake("new"), store.AnyVersion); return err }(),
		"undelete":  bob.Undelete(t.Context(), "b", 0),
		"destroy":   bob.Destroy(t.Context(), "b"),
	} {
		if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "it is not shared with your key") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if now := tree(t, bob.secrets()); now != before {
		t.Errorf("it was changed:\n%s\nwas\n%s", now, before)
	}
	pull(t, bob, ann)
	right(t, ann)
	// With another rhx that does so all the same.
	forge(t, ann, "b", 2)
	pull(t, ann, bob)
	says(t, bob, change{op: opPut, folder: "b", version: 2, hash: hashOf(t, bob, "b", 2)}, change{op: opDone})
	pull(t, bob, ann)
	if got := problems(t, ann); !strings.Contains(got, "version 2 of b was added by somebody else") || !strings.Contains(got, "bob may not say this") {
		t.Error(got)
	}
	// Nor does that become true when all is shared with him later.
	share(t, ann, memberOf(t, bob, "bob"), 4)
	if got := problems(t, ann); got != "version 2 of b was added by somebody else, or put back after it was destroyed: secrets/b/2.age" {
		t.Error(got)
	}
	if got := authors(t, ann, "b"); got != "ann ?" {
		t.Error(got)
	}
	noError(t, accept(t.Context(), ann))
	right(t, ann)
}

// Who only reads is told so before something is saved.
func TestAReaderSavesNothing(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	putFake(t, ann, "a", "FAKE")
	m := memberOf(t, bob, "bob")
	m.Signer = ""
	share(t, ann, m, 1)
	pull(t, ann, bob)
	join(t, bob)
	if _, err := bob.Put(t.Context(), fake("a"), store.AnyVersion); !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "shared with you for reading") {
		t.Error(err)
	}
	right(t, bob)
	if got := reads(t, bob, "a", 0); got != "FAKE" {
		t.Error(got)
	}
	// With another rhx that does so all the same, and then may: what was before does not count.
	writesAs(t, bob, bob, ann, "a", 2)
	pull(t, bob, ann)
	if got := problems(t, ann); !strings.Contains(got, "version 2 of a was added by somebody else") {
		t.Error(got)
	}
	share(t, ann, memberOf(t, bob, "bob"), 0)
	if got := problems(t, ann); !strings.Contains(got, "version 2 of a was added by somebody else") {
		t.Error(got)
	}
}

// Only the owner says who reads.
func TestAMemberSharesWithNobody(t *testing.T) {
	ann, bob := shared(t)
	eve := somebody(t)
	ctx := t.Context()
	before := tree(t, bob.opt.Dir)
	_, shareErr := bob.Share(ctx, memberOf(t, eve, "eve"), "bob")
	_, _, unshareErr := bob.Unshare(ctx, "bob")
	_, rekeyErr := bob.Rekey(ctx, "")
	for what, err := range map[string]error{"share": shareErr, "unshare": unshareErr, "rekey": rekeyErr, "accept": accept(ctx, bob)} {
		if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "ann owns the store") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if now := tree(t, bob.opt.Dir); now != before {
		t.Errorf("it was changed:\n%s\nwas\n%s", now, before)
	}
	if _, err := ann.Share(ctx, memberOf(t, eve, "bob"), "ann"); err == nil || !strings.Contains(err.Error(), "shared with another bob") {
		t.Error(err)
	}
	for name, m := range map[string]*Member{
		"the owner's key":    memberOf(t, ann, "me"),
		"her key that signs": {Name: "me", Recipients: memberOf(t, eve, "").Recipients, Signer: memberOf(t, ann, "").Signer},
		"a member's":         {Name: "me", Recipients: memberOf(t, eve, "").Recipients, Signer: memberOf(t, bob, "").Signer},
		"her name":           memberOf(t, eve, "Ann"),
		"a name like a line": memberOf(t, eve, "eve\x1b[2J"),
		"no name":            memberOf(t, eve, ""),
		"a secret like none": memberOf(t, eve, "eve", "../x"),
	} {
		before := tree(t, ann.opt.Dir)
		if _, err := ann.Share(ctx, m, "ann"); err == nil {
			t.Errorf("%s: it is shared", name)
		}
		if now := tree(t, ann.opt.Dir); now != before {
			t.Errorf("%s: it was changed:\n%s\nwas\n%s", name, now, before)
		}
	}
}

// A store that is not as rhx left it is not shared: a version that somebody added would
// become the user's word.
func TestADoubtfulStoreIsNotShared(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	putFake(t, ann, "a", "FAKE")
	forge(t, ann, "a", 2)
	before := tree(t, ann.opt.Dir)
	if _, err := ann.Share(t.Context(), memberOf(t, bob, "bob"), "ann"); err == nil || !strings.Contains(err.Error(), "version 2 of a was added by somebody else") {
		t.Error(err)
	}
	if now := tree(t, ann.opt.Dir); now != before {
		t.Errorf("it was changed:\n%s\nwas\n%s", now, before)
	}
	// One that is added later is not encrypted to those who come later.
	noError(t, os.Remove(filepath.Join(ann.folder("a"), "2.age")))
	share(t, ann, memberOf(t, bob, "bob"), 1)
	forge(t, ann, "a", 2)
	carl := somebody(t)
	share(t, ann, memberOf(t, carl, "carl"), 1)
	if n, all := opens(t, ann, keep(t, carl)); n != 1 || all != 2 {
		t.Errorf("carl's key opens %d of %d", n, all)
	}
	if got := problems(t, ann); !strings.Contains(got, "version 2 of a was added by somebody else") {
		t.Error(got)
	}
}

// Two that share at once on one machine do so one after the other.
func TestTwoSharesAtOnce(t *testing.T) {
	ann := somebody(t)
	putFake(t, ann, "a", "FAKE")
	var wg sync.WaitGroup
	for _, name := range []string{"bob", "carl", "dan"} {
		m := memberOf(t, somebody(t), name)
		wg.Go(func() {
			if _, err := Open(ann.opt).Share(t.Context(), m, "ann"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(func() {
		if _, err := Open(ann.opt).Put(t.Context(), fake("b"), store.AnyVersion); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	if got := strings.Fields(names(t, ann)); len(got) != 4 {
		t.Error(got)
	}
	right(t, ann)
	if v, err := ann.Verify(t.Context()); err != nil || len(v.Notes) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// A save that is refused leaves nothing, and an empty file of the record of somebody is nothing.
func TestARefusedSaveLeavesNothing(t *testing.T) {
	ann, bob := shared(t, "a")
	before := tree(t, bob.root())
	for what, err := range map[string]error{
		"put":    func() error { _, err := Open(bob.opt).Put(t.Context(), fake("new"), store.AnyVersion); return err }(),
		"delete": Open(bob.opt).Delete(t.Context(), "b"), "destroy": Open(bob.opt).Destroy(t.Context(), "b"),
	} {
		if err == nil {
			t.Error(what)
		} else if what == "put" && err.Error() != `"new": it is not shared with your key` {
			t.Error(err)
		}
	}
	if now := tree(t, bob.root()); now != before {
		t.Errorf("it was changed:\n%s\nwas\n%s", now, before)
	}
	write(t, ann.recordPath(newSharedID(signerOfStore(t, somebody(t)).public)), nil, 0o600)
	right(t, ann)
	putFake(t, Open(bob.opt), "a", "FAKE")
	right(t, bob)
}

// A save that was not in the owner's folder yet when the owner changed what somebody has is told
// from a stranger's.
func TestASaveThatWasNotThere(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "early", "FAKE")
	pull(t, bob, ann)
	putFake(t, bob, "late", "FAKE")
	share(t, ann, memberOf(t, bob, "bob", "a", "early", "late"), 4)
	clone(t, bob.folder("late"), ann.folder("late"))
	pull(t, ann, bob)
	if got := problems(t, bob); !strings.Contains(got, "version 1 of late was added by somebody else") || !strings.Contains(got, "it says that it is by bob: what was saved, and not in the owner's folder yet") {
		t.Error(got)
	}
	noError(t, accept(t.Context(), Open(ann.opt)))
	right(t, ann)
	if got := authors(t, ann, "early") + authors(t, ann, "late"); got != "bob?" { // for whom it was nobody knows
		t.Error(got)
	}
}

// The agent signs what a user saves, and not with whom the store is shared: that takes the key.
func TestAnAgentSharesWithNobody(t *testing.T) {
	s := twoVersions(t)
	k, err := s.unlocked()
	noError(t, err)
	for _, purpose := range []string{rosterPurpose, "", "record ", "more"} {
		if sig, err := (heldKey{k}).Sign(purpose, []byte("x")); err == nil || sig != nil {
			t.Errorf("it signs for %q", purpose)
		}
	}
	if sig, err := (heldKey{k}).Sign(recordPurpose, []byte("x")); err != nil || sig == nil {
		t.Error(err)
	}
}
