package agestore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
)

func TestS3Number(t *testing.T) {
	ann, bob := shared(t, "a")
	data := contents(t, filepath.Join(ann.folder("a"), "2.age"))
	write(t, filepath.Join(ann.folder("a"), "2147483647.age"), data, 0o600)
	signs(t, bob, ann, ann, change{op: opPut, folder: "a", version: 2147483647, hash: hashFile(data)}, change{op: opDone})
	t.Log("verify:", problems(t, ann))
	_, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion)
	t.Log("put:", err)
	_, n, err := ann.Unshare(t.Context(), "bob")
	t.Log("unshare:", n, err)
	_, err = Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion)
	t.Log("put:", err)
	t.Log("accept:", accept(t.Context(), Open(ann.opt)))
	t.Log("verify:", problems(t, ann))
	_, err = Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion)
	t.Log("put:", err)
	noError(t, os.Remove(filepath.Join(ann.folder("a"), "2147483647.age")))
	t.Log("accept after removing:", accept(t.Context(), Open(ann.opt)))
	_, err = Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion)
	t.Log("put:", err)
}

func TestS3Note(t *testing.T) {
	ann, _ := shared(t)
	write(t, ann.recordPath(newSharedID(signerOfStore(t, ann).public)), []byte("junk\n"), 0o600)
	v, err := Open(ann.opt).Verify(t.Context())
	noError(t, err)
	t.Logf("%+v", *v)
}

// a member's stale machine: list and record both held back, and the record of the former
func TestS3Folder(t *testing.T) {
	ann, bob := shared(t)
	// a folder with an over-long or odd name
	for _, name := range []string{"%zz", "=aa", "a b", strings.Repeat("x", 200)} {
		noError(t, os.MkdirAll(filepath.Join(ann.secrets(), name), 0o700))
		write(t, filepath.Join(ann.secrets(), name, "1.age"), []byte("x"), 0o600)
	}
	_, n, err := ann.Unshare(t.Context(), "bob")
	t.Log(n, err)
	if opensVersion(t, bob, ann, "a", 2) {
		t.Error("stays")
	}
	v, err := Open(ann.opt).Verify(t.Context())
	t.Log(v, err)
	t.Log(accept(t.Context(), Open(ann.opt)), problems(t, ann))
}

// unreadable by mode, empty secret dirs, and a file 0
func TestS3Empty(t *testing.T) {
	ann, bob := shared(t)
	write(t, filepath.Join(ann.folder("a"), "5.age"), nil, 0o600)
	_, n, err := ann.Unshare(t.Context(), "bob")
	t.Log(n, err)
	if opensVersion(t, bob, ann, "a", 2) {
		t.Error("stays")
	}
	t.Log(accept(t.Context(), Open(ann.opt)), problems(t, ann))
}
