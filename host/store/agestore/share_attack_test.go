package agestore

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
)

// signerOfStore is what signs for somebody.
func signerOfStore(t *testing.T, s *Store) *signer {
	t.Helper()
	k, err := s.unlocked()
	noError(t, err)
	all, err := k.signers()
	noError(t, err)
	return all[0]
}

// fileOf is the file of the record that somebody's machine writes.
func fileOf(t *testing.T, s *Store) string { return s.recordPath(s.mustSeen(t).ID) }

func contents(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	noError(t, err)
	return data
}

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

// sharedPin returns an error where the store is shared with others than those.
func (s *Store) sharedPin(t *testing.T, want string) error {
	t.Helper()
	r, err := s.pin()
	if err != nil {
		return err
	}
	got := ""
	for _, m := range r.everybody() {
		got += " " + m.Name
	}
	if got[1:] != want {
		return fmt.Errorf("shared with%s", got)
	}
	return nil
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
	if err != nil || !in.Saved {
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

// What somebody writes into the record, a member or not, says no more than they may say.
func TestAttacksOnTheSharedRecord(t *testing.T) {
	bogus := " " + strings.Repeat("A", 86) + "\n"
	evil := func(t *testing.T, s *Store) (lines string) {
		forge(t, s, "evil", 1)
		return "90 put evil 1 " + hashOf(t, s, "evil", 1) + bogus + "91 done - 0 -" + bogus
	}
	added := "version 1 of evil was added by somebody else"
	for name, c := range map[string]struct {
		do   func(t *testing.T, ann, bob, eve *Store)
		want string // of what Verify says
		// anybody saves as before
		saves bool
	}{
		"a stranger's file": {func(t *testing.T, ann, _, eve *Store) {
			writesAs(t, eve, ann, ann, "evil", 1)
		}, added, true},
		"many of them": {func(t *testing.T, ann, _, _ *Store) {
			for i := range maxRecords + 10 {
				write(t, ann.recordPath(fmt.Sprintf("%032x", i)), []byte("x"), 0o600)
			}
			forge(t, ann, "evil", 1)
		}, "there are more files of the record that no member wrote", true},
		"one with the owner's prefix": {func(t *testing.T, ann, _, eve *Store) {
			id := writesAs(t, eve, ann, ann, "evil", 1)
			noError(t, os.Rename(ann.recordPath(id), ann.recordPath(newSharedID(signerOfStore(t, ann).public))))
		}, added, true},
		"lines without a proof in the owner's": {func(t *testing.T, ann, _, _ *Store) {
			lines := strings.ReplaceAll(evil(t, ann), bogus, " -\n")
			write(t, fileOf(t, ann), append(contents(t, fileOf(t, ann)), lines...), 0o600)
		}, added, true},
		"the owner's file under another name": {func(t *testing.T, ann, _, _ *Store) {
			evil(t, ann)
			write(t, ann.recordPath(newSharedID(signerOfStore(t, ann).public)), contents(t, fileOf(t, ann)), 0o600)
		}, added, true},
		"lines behind a member's": {func(t *testing.T, ann, bob, _ *Store) {
			path := ann.recordPath(bob.mustSeen(t).ID)
			write(t, path, append(contents(t, path), evil(t, ann)...), 0o600)
		}, added, true},
		"a member's lines behind a stranger's": {func(t *testing.T, ann, bob, _ *Store) {
			path := fileOf(t, bob)
			write(t, path, append(contents(t, path), evil(t, ann)...), 0o600)
			putFake(t, bob, "of bob", "FAKE2")
			merge(t, bob, ann)
		}, added, true},
		"a member voids the owner's file": {func(t *testing.T, ann, bob, _ *Store) {
			says(t, bob, change{op: opVoid, folder: ann.mustSeen(t).ID})
			evil(t, ann)
			merge(t, bob, ann)
		}, "bob may not say this", true},
		"a member encrypts anew": {func(t *testing.T, ann, bob, _ *Store) {
			forge(t, ann, "a", 2)
			says(t, bob, change{op: opAgain, folder: "a", version: 2, hash: hashOf(t, ann, "a", 2)}, change{op: opDone})
			evil(t, ann)
			merge(t, bob, ann)
		}, "version 2 of a was replaced", true},
		"a member accepts, forgets and has all encrypted anew": {func(t *testing.T, ann, bob, _ *Store) {
			says(t, bob, change{op: opAccept}, change{op: opForget, folder: "a", version: 2}, change{op: opRekey, folder: allFolders, version: 1 << 30}, change{op: "more"})
			evil(t, ann)
			merge(t, bob, ann)
			noError(t, os.Remove(filepath.Join(ann.folder("a"), "2.age")))
		}, "version 2 of a was taken away", true},
		"a line that is not said finishes none before it": {func(t *testing.T, ann, bob, _ *Store) {
			forge(t, ann, "evil", 1)
			says(t, bob, change{op: opPut, folder: "evil", version: 1, hash: hashOf(t, ann, "evil", 1)}, change{op: opVoid, folder: ann.mustSeen(t).ID}, change{op: opDone})
			merge(t, bob, ann)
		}, added, true},
		"a path in the place of a folder": {func(t *testing.T, ann, bob, _ *Store) {
			for _, folder := range []string{"..", "../record", "/etc", "a/b", ".", "A", "=x", "con", `a\b`} {
				says(t, bob, change{op: opPut, folder: folder, version: 1, hash: strings.Repeat("0", 2*hashBytes)}, change{op: opDone})
			}
			evil(t, ann)
			merge(t, bob, ann)
		}, "bob may not say this", true},
		"numbers that none is": {func(t *testing.T, ann, bob, _ *Store) {
			for _, n := range []int{0, -1, math.MaxInt} {
				says(t, bob, change{op: opPut, folder: "a", version: n, hash: strings.Repeat("0", 2*hashBytes)}, change{op: opDone})
			}
			evil(t, ann)
			merge(t, bob, ann)
		}, "bob may not say this", true},
		"a clock that nobody gets to": {func(t *testing.T, ann, bob, _ *Store) {
			clocked(t, bob, ann, maxClock/2+1)
			evil(t, ann)
		}, "no member wrote it", true},
		"the owner's file is cut": {func(t *testing.T, ann, _, _ *Store) {
			lines := bytes.SplitAfter(contents(t, fileOf(t, ann)), []byte("\n"))
			write(t, fileOf(t, ann), bytes.Join(lines[:len(lines)-3], nil), 0o600)
			evil(t, ann)
		}, "is shorter or another one than when this machine saw it last", false},
		"a member's is cut": {func(t *testing.T, ann, bob, _ *Store) {
			path := ann.recordPath(bob.mustSeen(t).ID)
			lines := bytes.SplitAfter(contents(t, path), []byte("\n"))
			write(t, path, bytes.Join(lines[:len(lines)-3], nil), 0o600)
			evil(t, ann)
		}, "is shorter or another one than when this machine saw it last", false},
		"a member's is another one": {func(t *testing.T, ann, bob, _ *Store) {
			path := ann.recordPath(bob.mustSeen(t).ID)
			lines := bytes.SplitAfter(contents(t, path), []byte("\n"))
			lines[0][0]++
			write(t, path, bytes.Join(lines, nil), 0o600)
			evil(t, ann)
		}, "is shorter or another one than when this machine saw it last", false},
		"the proof of a line is written otherwise": {func(t *testing.T, ann, bob, _ *Store) {
			path := ann.recordPath(bob.mustSeen(t).ID)
			data := contents(t, path)
			at := len(data) - 2
			i := strings.IndexByte(base64Text64, data[at])
			data[at] = base64Text64[i^1] // bits that no byte has
			write(t, path, data, 0o600)
			evil(t, ann)
		}, "is shorter or another one than when this machine saw it last", false},
		"a member's is removed": {func(t *testing.T, ann, bob, _ *Store) {
			noError(t, os.Remove(ann.recordPath(bob.mustSeen(t).ID)))
			evil(t, ann)
		}, "was removed", false},
	} {
		t.Run(name, func(t *testing.T) {
			ann, bob := shared(t)
			putFake(t, bob, "of bob", "FAKE1")
			pull(t, bob, ann)
			right(t, ann) // has seen bob's file
			putFake(t, ann, "a", "FAKE3")
			eve := somebody(t)
			c.do(t, ann, bob, eve)
			for range 2 {
				got := problems(t, ann)
				if !strings.Contains(got, c.want) || !strings.Contains(got, added) {
					t.Errorf("%s\nwant %s", got, c.want)
				}
				if strings.Contains(got, "of of bob") && c.saves {
					t.Error(got)
				}
				_, err := Open(ann.opt).Put(t.Context(), fake("more"), store.AnyVersion)
				if (err == nil) != c.saves {
					t.Errorf("saved: %v", err)
				}
			}
			if got := reads(t, ann, "evil", 0); !strings.Contains(got, "is not as a member has left it") {
				t.Error(got)
			}
			if got := authors(t, ann, "evil"); got != "?" {
				t.Error(got)
			}
			// Those who take what they have are told nothing later; who was seen with more, is.
			noError(t, accept(t.Context(), Open(ann.opt)))
			if name == "many of them" { // a thousand at a time
				noError(t, accept(t.Context(), Open(ann.opt)))
			}
			right(t, ann)
			putFake(t, Open(ann.opt), "b", "FAKE")
			right(t, ann)
			pull(t, ann, bob)
			right(t, bob)
			putFake(t, Open(bob.opt), "of bob", "FAKE9")
			merge(t, bob, ann)
			right(t, ann, bob)
		})
	}
}

const base64Text64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// clocked puts a file of bob's into the folder that deletes a with a clock.
func clocked(t *testing.T, bob, ann *Store, clock int64) {
	t.Helper()
	r, err := ann.pin()
	noError(t, err)
	as := signerOfStore(t, bob)
	id := newSharedID(as.public)
	w := &recorder{signer: as, sum: r.newSum(id), clock: clock - 1}
	write(t, ann.recordPath(id), append(w.line(change{op: opDelete, folder: "a", version: 2}), w.line(change{op: opDone})...), 0o600)
}

// The highest clock that counts has nobody save anything: the owner takes out whose it is,
// and what they said is not the last word then.
func TestTheLastOfAllClocks(t *testing.T) {
	ann, bob := shared(t)
	carl := third(t, ann, "carl", 3)
	clocked(t, bob, ann, maxClock/2-1)
	pull(t, ann, carl)
	for _, s := range []*Store{ann, carl} {
		if _, err := Open(s.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "a clock into the record") {
			t.Error(err)
		}
	}
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	if got := problems(t, ann); got != "version 2 of a was deleted, and is not any more: secrets/a/2.deleted is gone" {
		t.Error(got)
	}
	noError(t, accept(t.Context(), ann))
	putFake(t, Open(ann.opt), "new", "FAKE")
	pull(t, ann, carl)
	putFake(t, Open(carl.opt), "new", "FAKE")
	right(t, ann, carl)
}

// A machine that has seen nothing is not asked to believe what its key did not sign: what is
// cut is not known there, and what was added is.
func TestALaterMachine(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "of bob", "FAKE")
	pull(t, bob, ann)
	second := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	pull(t, ann, second)
	join(t, second)
	right(t, second)
	putFake(t, second, "of her second", "FAKE")
	carl := somebody(t)
	share(t, second, memberOf(t, carl, "carl"), 5)
	pull(t, second, ann)
	right(t, ann)
	if got := names(t, ann); got != "ann bob carl" {
		t.Error(got)
	}
	// Both of her machines change the list at once.
	share(t, ann, memberOf(t, somebody(t), "dan"), 5)
	share(t, second, memberOf(t, somebody(t), "emma"), 5)
	merge(t, ann, second)
	merge(t, second, ann)
	write(t, ann.membersPath(), contents(t, second.membersPath()), 0o600)
	if got := problems(t, ann); !strings.Contains(got, "two of the owner's machines have changed it at once") {
		t.Error(got)
	}
	if got := problems(t, second); !strings.Contains(got, "its owner has made list 3 of the members, and this is another one, 3") {
		t.Error(got)
	}
	noError(t, accept(t.Context(), ann))
	if got := names(t, ann); got != "ann" { // who is on both she may have taken out since
		t.Error(got)
	}
	right(t, ann)
	pull(t, ann, second)
	right(t, second)
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

// A killed first share leaves files that a store which is not shared does not know, and the
// record of before counts for nothing once it is shared.
func TestTheRecordOfBefore(t *testing.T) {
	ann := somebody(t)
	putFake(t, ann, "a", "FAKE")
	raw := make([]byte, 16)
	_, _ = rand.Read(raw)
	write(t, ann.recordPath(hex.EncodeToString(raw)), []byte("1 put a 1 x -\n"), 0o600)
	right(t, ann)
	putFake(t, ann, "a", "FAKE")
	before := t.TempDir()
	clone(t, ann.root(), before)
	share(t, ann, memberOf(t, somebody(t), "bob"), 2)
	right(t, ann)
	putFake(t, ann, "a", "FAKE")
	// The whole folder is put back.
	clone(t, before, ann.root())
	if got := problems(t, ann); !strings.Contains(got, "members: it was removed") {
		t.Error(got)
	}
	if _, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); !errors.Is(err, errOlder) {
		t.Error(err)
	}
	if got := reads(t, ann, "a", 0); !strings.Contains(got, "members: it was removed") {
		t.Error(got)
	}
	noError(t, accept(t.Context(), ann))
	right(t, ann)
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
