package agestore

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// signsAt is signs with the clock before the first line.
func signsAt(t *testing.T, who, folder, owner *Store, clock int64, changes ...change) {
	t.Helper()
	k, err := who.unlocked()
	noError(t, err)
	all, err := k.signers()
	noError(t, err)
	r, err := owner.pin()
	noError(t, err)
	id := newSharedID(all[0].public)
	w := &recorder{signer: all[0], sum: r.newSum(id), clock: clock}
	var b []byte
	for _, c := range changes {
		b = append(b, w.line(c)...)
	}
	write(t, folder.recordPath(id), b, 0o600)
}

// R1: what the owner has accepted as nobody's is encrypted to a member, who says with an earlier
// clock that it is theirs.
func TestR1NobodyIsForgotten(t *testing.T) {
	ann, bob := shared(t, "a")
	private := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	for range 3 {
		putFake(t, private, "a", "PRIVATE")
	}
	write(t, filepath.Join(ann.folder("a"), "3.age"), contents(t, filepath.Join(private.folder("a"), "3.age")), 0o600)
	noError(t, accept(t.Context(), Open(ann.opt)))
	right(t, ann)
	if opensVersion(t, bob, ann, "a", 3) {
		t.Fatal("bob reads it at once")
	}
	signsAt(t, bob, ann, ann, 0, change{op: opPut, folder: "a", version: 3, hash: hashOf(t, private, "a", 3)}, change{op: opDone})
	t.Log("verify:", problems(t, ann))
	n, err := ann.Share(t.Context(), memberOf(t, somebody(t), "carl"), "")
	t.Log(n, err)
	if opensVersion(t, bob, ann, "a", 3) {
		t.Error("bob reads what was private")
	}
}

// R1b: the same with another hash.
func TestR1bNobodyIsForgotten(t *testing.T) {
	ann, bob := shared(t, "a")
	private := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	for range 3 {
		putFake(t, private, "a", "PRIVATE")
	}
	write(t, filepath.Join(ann.folder("a"), "3.age"), contents(t, filepath.Join(private.folder("a"), "3.age")), 0o600)
	noError(t, accept(t.Context(), Open(ann.opt)))
	l, err := ann.readLedger(ann.sharedRoster(t), &seen{})
	noError(t, err)
	var at int64
	for _, p := range l.pages {
		for _, c := range p.lines {
			if c.op == opPut && c.version == 3 {
				at = c.clock
			}
		}
	}
	signsAt(t, bob, ann, ann, at-1, change{op: opPut, folder: "a", version: 3, hash: strings.Repeat("0", 32)}, change{op: opDone})
	t.Log("verify:", problems(t, ann))
	n, err := ann.Share(t.Context(), memberOf(t, somebody(t), "carl"), "")
	t.Log(n, err)
	if opensVersion(t, bob, ann, "a", 3) {
		t.Error("bob reads what was private")
	}
}

// R2: a member has the others' store.seen grow until it cannot be read.
func TestR2SeenGrows(t *testing.T) {
	ann, bob := shared(t)
	for round := range 9 {
		k, err := bob.unlocked()
		noError(t, err)
		all, err := k.signers()
		noError(t, err)
		r := ann.sharedRoster(t)
		var made []string
		for range 990 {
			id := newSharedID(all[0].public)
			w := &recorder{signer: all[0], sum: r.newSum(id), clock: 100}
			write(t, ann.recordPath(id), w.line(change{op: opUndone}), 0o600)
			made = append(made, ann.recordPath(id))
		}
		_, err = Open(ann.opt).Verify(t.Context())
		for _, path := range made {
			noError(t, os.Remove(path))
		}
		if err != nil {
			t.Logf("round %d: %v", round, err)
			break
		}
	}
	info, err := os.Stat(ann.seenPath())
	noError(t, err)
	t.Log(info.Size())
	if _, _, err := Open(ann.opt).Unshare(t.Context(), "bob"); err != nil {
		t.Error("unshare:", err)
	}
	if err := accept(t.Context(), Open(ann.opt)); err != nil {
		t.Error("accept:", err)
	}
	if _, err := Open(ann.opt).Put(t.Context(), fake("new"), store.AnyVersion); err != nil {
		t.Error("put:", err)
	}
}

func early(t *testing.T, bob, ann *Store, serial, number int) {
	t.Helper()
	r := ann.sharedRoster(t)
	plain, err := encodePayload(&secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("FAKE")}})
	noError(t, err)
	k, err := bob.unlocked()
	noError(t, err)
	all, err := k.signers()
	noError(t, err)
	data, err := encodeBound(store.Info{Name: "a", Version: number, Updated: time.Now()}, plain, r.recipients("a"), binding{serial, r.Store, idPrefix(all[0].public)}.args()...)
	noError(t, err)
	write(t, filepath.Join(ann.folder("a"), version{n: number}.file()), data, 0o600)
	signsAt(t, bob, ann, ann, 100, change{op: opPut, folder: "a", version: number, hash: hashFile(data)}, change{op: opDone})
}

// R3: a version says that it is encrypted to a list to come.
func TestR3AListToCome(t *testing.T) {
	for _, serial := range []int{2, 1 << 30} {
		for _, number := range []int{2, 3} {
			ann, bob := shared(t)
			early(t, bob, ann, serial, number)
			right(t, ann)
			_, n, err := ann.Unshare(t.Context(), "bob")
			t.Log(n, err)
			if opensVersion(t, bob, ann, "a", number) {
				v, err := Open(ann.opt).Verify(t.Context())
				noError(t, err)
				t.Errorf("members=%d, version %d: bob reads what is in the folder; verify: %q %q", serial, number, v.Problems, v.Notes)
			}
		}
		ann, bob := shared(t)
		early(t, bob, ann, serial, 3)
		old := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
		_, err := ann.Rekey(t.Context(), "")
		t.Log(err)
		if opensVersion(t, old, ann, "a", 3) {
			t.Errorf("members=%d: the old key reads", serial)
		}
		fresh := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
		if !opensVersion(t, fresh, ann, "a", 3) {
			t.Errorf("members=%d: the new key does not", serial)
		}
	}
}

// R4: a member has seen what the owner has not, and what is gone.
func TestR4AMemberIsLockedOut(t *testing.T) {
	for _, gone := range []bool{true, false} {
		for _, ownerSaw := range []bool{true, false} {
			ann, bob := shared(t)
			carl := third(t, ann, "carl", 3)
			pull(t, ann, bob)
			putFake(t, bob, "x", "1")
			before := contents(t, fileOf(t, bob))
			putFake(t, bob, "x", "2")
			merge(t, bob, carl)
			right(t, carl)
			merge(t, bob, ann)
			path := ann.recordPath(bob.mustSeen(t).ID)
			if ownerSaw {
				right(t, ann)
			}
			noError(t, os.Remove(path), os.Remove(filepath.Join(ann.folder("x"), "2.age")))
			if gone {
				noError(t, os.RemoveAll(ann.folder("x")))
			} else {
				write(t, path, before, 0o600)
			}
			noError(t, accept(t.Context(), Open(ann.opt)))
			right(t, ann)
			for who, s := range map[string]*Store{"carl": carl, "bob": bob} {
				noError(t, os.RemoveAll(s.root()))
				clone(t, ann.root(), s.root())
				if _, err := Open(s.opt).Put(t.Context(), fake("new"), store.AnyVersion); err != nil {
					t.Errorf("gone %v, the owner saw it %v: %s is locked out: %v", gone, ownerSaw, who, err)
				}
			}
		}
	}
}

// R5: a store whose key has a passphrase is shared for the first time: lines without a proof, by a
// stranger, are the owner's word.
func TestR5TheFirstShareWithUnprovenLines(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	private := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	putFake(t, private, "a", "PRIVATE")
	putFake(t, private, "a", "PRIVATE")
	plain, err := os.ReadFile(keep(t, ann))
	noError(t, err)
	locked := Open(Options{Dir: dataDir(t), Identity: write(t, filepath.Join(t.TempDir(), "id"), withPassphrase(t, plain, true), 0o600),
		Passphrase: func(string) (string, error) { return passphrase, nil }})
	putFake(t, locked, "a", "FAKE")
	write(t, filepath.Join(locked.folder("a"), "2.age"), contents(t, filepath.Join(private.folder("a"), "2.age")), 0o600)
	var b bytes.Buffer
	for i, c := range []change{{op: opPut, folder: "a", version: 2, hash: hashOf(t, locked, "a", 2)}, {op: opDone}} {
		c.clock = int64(100 + i)
		b.WriteString(c.text() + "-\n")
	}
	write(t, locked.recordPath("00112233aabbccdd"), b.Bytes(), 0o600)
	v, err := Open(locked.opt).Verify(t.Context())
	noError(t, err)
	t.Logf("verify: %q %q", v.Problems, v.Notes)
	_, err = Open(locked.opt).Share(t.Context(), memberOf(t, bob, "bob"), "ann")
	t.Log(err)
	if err == nil && opensVersion(t, bob, locked, "a", 2) {
		t.Error("bob reads what was private")
	}
}

// R6: what stands in the place of a folder of the store.
func TestR6AFileAsAFolder(t *testing.T) {
	for _, dir := range []string{"record", "tmp", "secrets"} {
		ann, bob := shared(t)
		path := filepath.Join(ann.root(), dir)
		noError(t, os.RemoveAll(path))
		write(t, path, []byte("x"), 0o600)
		_, _, err := Open(ann.opt).Unshare(t.Context(), "bob")
		t.Log(dir, "unshare:", err)
		v, err := Open(ann.opt).Verify(t.Context())
		t.Log(dir, "verify:", v, err)
		noError(t, os.Remove(path))
		_ = bob
	}
}

// R7: clocks that are the same are in the order of the names of files, which restating changes.
func TestR7TheSameClock(t *testing.T) {
	lost := 0
	for range 6 {
		ann, bob := shared(t)
		carl := third(t, ann, "carl", 3)
		pull(t, ann, bob)
		// at once, neither has the other's
		noError(t, bob.Destroy(t.Context(), "b"))
		putFake(t, carl, "b", "of carl")
		merge(t, bob, ann)
		merge(t, carl, ann)
		before := problems(t, ann)
		_, _, err := ann.Unshare(t.Context(), "bob")
		after := problems(t, ann)
		if before != after {
			lost++
			t.Log(fmt.Sprintf("before: %q, after: %q; %v", before, after, err))
		}
	}
	t.Log(lost)
}
