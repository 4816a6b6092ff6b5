package agestore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// R9: a name with an escape, that a stranger has put there, is among the names of all secrets.
func TestR9NamesWithEscapes(t *testing.T) {
	ann, _ := shared(t)
	name := "evil\x1b]0;x\a" + strings.Repeat("x", 200)
	plain, err := encodePayload(&secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue("EVIL")}})
	noError(t, err)
	k, err := ann.unlocked()
	noError(t, err)
	data, err := encodeFile(store.Info{Name: name, Version: 1, Updated: time.Now()}, plain, k.recipients)
	noError(t, err)
	noError(t, os.MkdirAll(ann.folder(name), 0o700))
	write(t, filepath.Join(ann.folder(name), "1.age"), data, 0o600)
	all, err := ann.AllNames(t.Context())
	for _, n := range all {
		if strings.ContainsRune(n, 0x1b) {
			t.Errorf("AllNames has %q", n)
		}
	}
	t.Log(problems(t, ann))
	_ = err
}

// R1c: a line of another hash between the owner's put of nobody and her `again`.
func TestR1cNobodyIsForgotten(t *testing.T) {
	ann, bob := shared(t, "a")
	private := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	for range 3 {
		putFake(t, private, "a", "PRIVATE")
	}
	write(t, filepath.Join(ann.folder("a"), "3.age"), contents(t, filepath.Join(private.folder("a"), "3.age")), 0o600)
	noError(t, accept(t.Context(), Open(ann.opt)))
	l, err := ann.readLedger(ann.sharedRoster(t), &seen{})
	noError(t, err)
	var at, again int64
	for _, p := range l.pages {
		for _, c := range p.lines {
			if c.version == 3 && c.op == opPut {
				at = c.clock
			}
			if c.version == 3 && c.op == opAgain {
				again = c.clock
			}
		}
	}
	t.Log(at, again)
	signsAt(t, bob, ann, ann, at, change{op: opPut, folder: "a", version: 3, hash: strings.Repeat("0", 32)}, change{op: opDone})
	t.Log("verify:", problems(t, ann))
	_, err = ann.Share(t.Context(), memberOf(t, somebody(t), "carl"), "")
	if opensVersion(t, bob, ann, "a", 3) {
		t.Error("bob reads what was private", err)
	}
}

// R10: a clock below the owner's takes a value away that the owner has restored, and what is
// again: bob replaces the owner's version in its place, with verify right, and who did it.
func TestR10InItsPlace(t *testing.T) {
	ann, bob := shared(t)
	early(t, bob, ann, 1, 2)
	t.Log("verify:", problems(t, ann), "by:", authors(t, ann, "a"), "reads:", reads(t, ann, "a", 2))
}

// R11: an unshare of the owner where a member has many lines; how long, and how large, for good.
func TestR11LinesForGood(t *testing.T) {
	ann, bob := shared(t)
	var all []change
	for range 100000 {
		all = append(all, change{op: opUndone})
	}
	signsAt(t, bob, ann, ann, 100, all...)
	start := time.Now()
	_, _, err := Open(ann.opt).Unshare(t.Context(), "bob")
	t.Log("unshare:", time.Since(start), err)
	info, err := os.ReadDir(ann.recordDir())
	noError(t, err)
	for _, e := range info {
		i, _ := e.Info()
		t.Log(e.Name()[:4], i.Size())
	}
	start = time.Now()
	_, err = Open(ann.opt).Get(t.Context(), "a", 0)
	t.Log("get:", time.Since(start), err)
}

// R12: everybody with all of the past: a former's file that the owner never saw, put there when they are
// a member again.
func TestR12HeldBackUntilBack(t *testing.T) {
	ann, bob := shared(t)
	early2 := newSharedID
	_ = early2
	held := signs(t, bob, bob, ann, change{op: opDestroy, folder: "a"}, change{op: opDone})
	data := contents(t, bob.recordPath(held))
	noError(t, os.Remove(bob.recordPath(held)))
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	_, err = ann.Share(t.Context(), memberOf(t, bob, "bob"), "")
	noError(t, err)
	write(t, ann.recordPath(held), data, 0o600)
	t.Log("verify:", problems(t, ann))
}

// R13: unshare where store.members.next, the pin's folder and so on are as a killed process left them, and a
// member's file is behind.
func TestR13UnshareAfterRemoval(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "x", "1")
	merge(t, bob, ann)
	right(t, ann)
	noError(t, os.Remove(ann.recordPath(bob.mustSeen(t).ID)))
	_, n, err := Open(ann.opt).Unshare(t.Context(), "bob")
	t.Log(n, err, fault.Hint(err))
	t.Log("verify:", problems(t, ann))
	if reaches(t, bob, ann) {
		t.Log("bob still reads", err)
	}
	if _, err := Open(ann.opt).Put(t.Context(), fake("new"), store.AnyVersion); err != nil {
		t.Error("put:", err)
	}
}
