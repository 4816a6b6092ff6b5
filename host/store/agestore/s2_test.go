package agestore

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
)

func TestS2Large(t *testing.T) {
	ann, bob := shared(t)
	noError(t, os.MkdirAll(ann.folder("0"), 0o700))
	p := filepath.Join(ann.folder("0"), "1.age")
	write(t, p, nil, 0o600)
	noError(t, os.Truncate(p, maxFile+1))
	_, n, err := ann.Unshare(t.Context(), "bob")
	t.Log("unshare: ", n, err)
	t.Log("members: ", names(t, ann))
	if opensVersion(t, bob, ann, "a", 2) {
		t.Errorf("bob reads: %d, %v", n, err)
	}
	n, err = Open(ann.opt).Share(t.Context(), nil, "")
	t.Log("share again: ", n, err)
	if _, err := Open(ann.opt).Verify(t.Context()); err != nil {
		t.Error("verify ends: ", err)
	}
	t.Log("accept", accept(t.Context(), Open(ann.opt)))
}

// second machine of ann: held back list, accept
func TestS2AcceptHeldBack(t *testing.T) {
	ann, bob := shared(t)
	_ = third(t, ann, "carl", 3)
	ann2 := somebody(t)
	noError(t, os.RemoveAll(ann2.opt.Dir), os.CopyFS(ann2.opt.Dir, os.DirFS(ann.opt.Dir)))
	noError(t, os.Remove(ann2.seenPath()))
	right(t, ann2)
	list := contents(t, ann2.membersPath())
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	t.Log("1: ", names(t, ann))
	pull(t, ann, ann2)
	write(t, ann2.membersPath(), list, 0o600) // the server
	t.Log("2 verify: ", problems(t, ann2))
	_, err = Open(ann2.opt).Put(t.Context(), fake("new"), store.AnyVersion)
	t.Log("2 put: ", err)
	t.Log("2 accept: ", accept(t.Context(), Open(ann2.opt)))
	t.Log("2: ", names(t, ann2), problems(t, ann2))
	pull(t, ann2, ann)
	t.Log("1 again: ", names(t, ann), problems(t, ann))
	_, err = Open(ann.opt).Put(t.Context(), fake("new2"), store.AnyVersion)
	t.Log("put 1:", err)
	if opensVersion(t, bob, ann, "new2", 1) {
		t.Error("bob reads what machine 1 saves")
	}
}

func TestS2Thousand(t *testing.T) {
	ann, bob := shared(t)
	for range maxRecords + 1 {
		signs(t, bob, ann, ann, change{op: opPut, folder: "a", version: 2, hash: hashOf(t, ann, "a", 2)}, change{op: opDone})
	}
	_, n, err := ann.Unshare(t.Context(), "bob")
	t.Log(n, err)
	if opensVersion(t, bob, ann, "a", 2) {
		t.Errorf("bob stays")
	}
	_, err = Open(ann.opt).Verify(t.Context())
	t.Log("verify", err)
	t.Log("accept", accept(t.Context(), Open(ann.opt)))
}

func TestS2GoneAlone(t *testing.T) {
	s := recorded(t)
	s.opt.Warn = nil
	noError(t, s.Delete(t.Context(), "a"))
	vs, _ := versions(s.folder("a"))
	noError(t, os.Remove(filepath.Join(s.folder("a"), vs[0].file())))
	noError(t, accept(t.Context(), Open(s.opt)))
	right(t, s)
	_, err := Open(s.opt).Rekey(t.Context(), "")
	t.Log("rekey", err)
	t.Log("verify", problems(t, s))
	t.Log("accept", accept(t.Context(), Open(s.opt)))
	t.Log("verify", problems(t, s))
	_, err = Open(s.opt).Rekey(t.Context(), "")
	t.Log("rekey", err)
	_, err = Open(s.opt).Put(t.Context(), fake("a"), store.AnyVersion)
	t.Log("put", err)
}
