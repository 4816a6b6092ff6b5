package agestore

import (
	"path/filepath"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
)

// bob's own withheld file from his first time as a member of a, after he comes in again with more
func TestS5Withheld(t *testing.T) {
	ann, bob := shared(t)
	carl := third(t, ann, "carl", 3)
	_ = carl
	putFake(t, ann, "a", "FAKE9")
	old := contents(t, filepath.Join(ann.folder("a"), "3.age")) // ann's, for bob and carl
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	noError(t, ann.Destroy(t.Context(), "a"))
	// carl says that an old ciphertext of ann's is his
	write(t, filepath.Join(ann.folder("a"), "3.age"), old, 0o600)
	signs(t, carl, ann, ann, change{op: opPut, folder: "a", version: 3, hash: hashFile(old)}, change{op: opDone})
	t.Log(problems(t, ann))
	n, err := Open(ann.opt).Share(t.Context(), memberOf(t, somebody(t), "dan"), "")
	t.Log(n, err)
	_, err = Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion)
	t.Log(err, opensVersion(t, bob, ann, "a", 4), problems(t, ann))
}
