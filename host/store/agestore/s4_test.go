package agestore

import (
	"os"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
)

// the list of the other machine is removed (git conflict solved to none), accept
func TestS4Removed(t *testing.T) {
	ann, bob := shared(t, "a")
	ann2 := somebody(t)
	noError(t, os.RemoveAll(ann2.opt.Dir), os.CopyFS(ann2.opt.Dir, os.DirFS(ann.opt.Dir)))
	noError(t, os.Remove(ann2.seenPath()))
	right(t, ann2)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	pull(t, ann, ann2)
	noError(t, os.Remove(ann2.membersPath()))
	t.Log("2 verify: ", problems(t, ann2))
	t.Log("2 accept: ", accept(t.Context(), Open(ann2.opt)))
	t.Log("2: ", names(t, ann2), problems(t, ann2))
	pull(t, ann2, ann)
	t.Log("1 again: ", names(t, ann), problems(t, ann))
	_, err = Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion)
	if opensVersion(t, bob, ann, "a", 3) {
		t.Error("bob reads what machine 1 saves", err)
	}
}
