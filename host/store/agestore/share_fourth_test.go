package agestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/store"
)

// What a fourth reviewer found, each as it was done.

// byAnybody is a version of a that anybody can make: its header names the owner.
func byAnybody(t *testing.T, ann *Store, number int) []byte {
	t.Helper()
	r := ann.sharedRoster(t)
	plain, err := encodePayload(fake("a"))
	noError(t, err)
	info := store.Info{Name: "a", Version: number, Updated: time.Now()}
	data, err := encodeBound(info, plain, r.recipients("a"), binding{r.hash, r.Store, idPrefix(r.Owner.Signer)}.args()...)
	noError(t, err)
	return data
}

// Somebody changes a file between the looks that accept takes at it: what has one hash and another header.
func TestAcceptOfAFileThatChanges(t *testing.T) {
	ann, _ := shared(t, "a")
	private := privateOf(t, ann, "a", 3)
	putBeside(t, private, ann, "a", 3)
	path := filepath.Join(ann.folder("a"), "3.age")
	secretData := contents(t, path)
	s := Open(ann.opt)
	k, err := s.unlocked()
	noError(t, err)
	r := ann.sharedRoster(t)
	l, err := s.ledgerOf(r, true)
	noError(t, err)
	c := change{op: opPut, folder: "a", version: 3, hash: hashFile(secretData)}
	write(t, path, byAnybody(t, ann, 3), 0o600)
	if err = s.take(k, l, r, state{}, &c, false); !errors.Is(err, errForeign) {
		t.Errorf("accepted %v by %q: %v", c.hash, c.by.key, err)
	}
	// Nor is the header of another file looked at for what bob has said.
	c = change{op: opPut, folder: "a", version: 3, hash: hashFile(secretData)}
	w := state{hash: c.hash, by: []author{{key: idPrefix(signerOfStore(t, ann).public)}}}
	if err = s.take(k, l, r, w, &c, false); !errors.Is(err, errForeign) {
		t.Errorf("it is said: %v", err)
	}
}

// Somebody adds a version while the first share has looked at the store already.
func TestTheFirstShareWhileSomebodyWrites(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	putFake(t, ann, "a", "FAKE1")
	private := privateOf(t, ann, "a", 2)
	s := Open(ann.opt)
	s.withoutAgent()
	k, err := s.private(t.Context())
	noError(t, err)
	m := memberOf(t, bob, "bob")
	err = s.locked(t.Context(), func() error {
		was, c, err := s.owned(t.Context(), k)
		if err != nil {
			return err
		}
		putBeside(t, private, ann, "a", 2)
		add := *m
		add.All = true
		if err := s.firstShare(c, k, add, "ann"); err != nil {
			return err
		}
		_, err = s.apply(t.Context(), k, was, c)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "version 2 of a") || opensVersion(t, bob, ann, "a", 2) {
		t.Errorf("bob reads what was private: %v", err)
	}
}

// Somebody puts back the files of the record that the owner has said again.
func TestFilesThatAreVoidComeBack(t *testing.T) {
	ann, _ := shared(t)
	kept := map[string][]byte{}
	var sizes []int
	for i := range 9 {
		names, err := dirNames(ann.recordDir())
		noError(t, err)
		for _, name := range names {
			kept[name] = contents(t, filepath.Join(ann.recordDir(), name))
		}
		var secrets []string
		if i%2 == 0 {
			secrets = []string{"a"}
		}
		m := memberOf(t, somebody(t), fmt.Sprint("m", i), secrets...)
		_, err = Open(ann.opt).Share(t.Context(), m, "")
		noError(t, err)
		n := 0
		names, err = dirNames(ann.recordDir())
		noError(t, err)
		for _, name := range names {
			n = max(n, strings.Count(string(contents(t, filepath.Join(ann.recordDir(), name))), " "+opRekey+" "))
		}
		sizes = append(sizes, n)
		for name, data := range kept {
			if _, err := os.Stat(filepath.Join(ann.recordDir(), name)); err != nil {
				write(t, filepath.Join(ann.recordDir(), name), data, 0o600)
			}
		}
	}
	if last := sizes[len(sizes)-1]; last > 20 {
		t.Errorf("the lines are %v", sizes)
	}
	right(t, ann)
}

// What is said most lately of a folder is that of the latest list, or of one that is not known.
func TestTheLastRekeys(t *testing.T) {
	of := func(n int) string { return strings.Repeat(fmt.Sprint(n), 2*hashBytes) }
	r := &roster{Before: []string{of(1), of(2)}, hash: of(3)}
	got := ""
	for _, c := range r.lastRekeys([]change{{folder: "a", hash: of(2)}, {folder: "b", hash: of(3)}, {folder: "a", hash: of(1)}, {folder: "b", hash: of(9)}, {folder: "b", hash: of(3)}, {folder: "a", hash: of(2)}, {folder: "c", hash: of(1)}, {folder: "c", hash: of(2)}}) {
		got += c.folder + c.hash[:1] + " "
	}
	if got != "a2 b9 c2 " {
		t.Error(got)
	}
}
