package agestore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

// What a member has written and taken away again is known of so many files, and no more: else they have
// the others' store.seen grow until it cannot be read.
func TestWhatAMemberTakesAwayIsBounded(t *testing.T) {
	if maxMembers*maxFiles*160 > maxSeen {
		t.Error("what is seen can be larger than what is read")
	}
	ann, bob := shared(t)
	r := ann.sharedRoster(t)
	k, err := bob.unlocked()
	noError(t, err)
	all, err := k.signers()
	noError(t, err)
	for range 3 {
		var made []string
		for range maxFiles - 10 {
			id := newSharedID(all[0].public)
			w := &recorder{signer: all[0], sum: r.newSum(id), clock: 100}
			write(t, ann.recordPath(id), w.line(change{op: opUndone}), 0o600)
			made = append(made, ann.recordPath(id))
		}
		_, err = Open(ann.opt).Verify(t.Context())
		noError(t, err)
		for _, path := range made {
			noError(t, os.Remove(path))
		}
	}
	if n := len(ann.mustSeen(t).Sizes); n < maxFiles || n > maxFiles+5 {
		t.Errorf("%d files are known", n)
	}
}

// A member who has more files than there can be saves nothing that would not count.
func TestTooManyFilesOfAMember(t *testing.T) {
	ann, bob := shared(t)
	for range maxFiles {
		signs(t, bob, bob, ann, change{op: opPut, folder: "a", version: 2, hash: hashOf(t, ann, "a", 2)}, change{op: opDone})
	}
	pull(t, bob, ann)
	if _, err := Open(bob.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "more files of the record than there can be") {
		t.Error(err)
	}
	putFake(t, ann, "new", "FAKE")
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	right(t, ann)
}

// A member's word on the highest number of all does not count: the next save has the next one.
func TestTheHighestNumber(t *testing.T) {
	for _, n := range []int{maxNumber, 3 * maxJump} {
		ann, bob := shared(t, "a")
		data := contents(t, filepath.Join(ann.folder("a"), "2.age"))
		path := filepath.Join(ann.folder("a"), version{n: n}.file())
		write(t, path, data, 0o600)
		signs(t, bob, ann, ann, change{op: opPut, folder: "a", version: n, hash: hashFile(data)}, change{op: opDone})
		if got := problems(t, ann); !strings.Contains(got, "the number of the version is far above that of any other") || !strings.Contains(got, fmt.Sprintf("version %d of a was added", n)) {
			t.Error(got)
		}
		for want := 3; want <= 4; want++ {
			if got, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err != nil || got != want {
				t.Errorf("version %d, %v", got, err)
			}
		}
		_, _, err := ann.Unshare(t.Context(), "bob")
		if err != nil && fault.KindOf(err) != fault.Partial {
			t.Error(err)
		}
		noError(t, accept(t.Context(), Open(ann.opt)))
		if got, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err != nil || got != 5 {
			t.Errorf("version %d, %v", got, err)
		}
		noError(t, os.Remove(path))
		right(t, ann)
	}
}

// What is near above the others counts; one more does not.
func TestANumberNearTheOthers(t *testing.T) {
	ann, bob := shared(t)
	b := binding{ann.sharedRoster(t).hash, ann.sharedRoster(t).Store, idPrefix(signerOfStore(t, bob).public)}
	plain, err := encodePayload(fake("a"))
	noError(t, err)
	data, err := encodeBound(store.Info{Name: "a", Version: 2 + maxJump}, plain, ann.sharedRoster(t).recipients("a"), b.args()...)
	noError(t, err)
	write(t, filepath.Join(ann.folder("a"), version{n: 2 + maxJump}.file()), data, 0o600)
	signs(t, bob, ann, ann, change{op: opPut, folder: "a", version: 2 + maxJump, hash: hashFile(data)}, change{op: opDone})
	right(t, ann)
	if got, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err != nil || got != 3+maxJump {
		t.Errorf("version %d, %v", got, err)
	}
	signs(t, bob, ann, ann, change{op: opPut, folder: "a", version: 4 + 2*maxJump, hash: hashFile(data)}, change{op: opDone})
	if got := problems(t, ann); !strings.Contains(got, "far above that of any other") {
		t.Error(got)
	}
}

// Files in the place of the next versions are skipped, and not for ever.
func TestNumbersThatAreTaken(t *testing.T) {
	ann, _ := shared(t)
	for n := range maxJump {
		if n == maxJump-1 {
			if got, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err != nil || got != 2+maxJump {
				t.Fatalf("version %d, %v", got, err)
			}
			continue
		}
		write(t, filepath.Join(ann.folder("a"), version{n: 3 + n}.file()), []byte("x"), 0o600)
	}
	for n := range maxJump {
		write(t, filepath.Join(ann.folder("a"), version{n: 3 + maxJump + n}.file()), []byte("x"), 0o600)
	}
	if _, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "there are 100 versions that the record does not have") {
		t.Error(err)
	}
	if got := problems(t, ann); !strings.Contains(got, "version 102 of a was") && !strings.Contains(got, "version 103 of a was added") {
		t.Error(got)
	}
}
