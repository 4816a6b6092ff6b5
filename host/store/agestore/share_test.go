package agestore

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
)

// memberOf is somebody's key as they hand it to the owner of a store.
func memberOf(t *testing.T, s *Store, name string, secrets ...string) *Member {
	t.Helper()
	own, err := s.OwnKey(t.Context())
	noError(t, err)
	m, err := ParseKey(own.Line())
	noError(t, err)
	m.Name = name
	for _, secret := range secrets {
		m.Secrets = append(m.Secrets, Text(secret))
	}
	return m
}

func share(t *testing.T, s *Store, m *Member, versions int) {
	t.Helper()
	if n, err := s.Share(t.Context(), m, "ann"); err != nil || n != versions {
		t.Fatalf("%d versions were encrypted anew, want %d; %v", n, versions, err)
	}
}

func join(t *testing.T, s *Store) {
	t.Helper()
	in, err := s.Invitation(t.Context())
	noError(t, err)
	noError(t, s.Join(t.Context(), in))
}

// pull has one person's folder be as the other's, as git does: what only the one has
// written of the record stays.
func pull(t *testing.T, from, to *Store) {
	t.Helper()
	own := filepath.Join(t.TempDir(), "record")
	if _, err := os.Stat(to.recordDir()); err == nil {
		clone(t, to.recordDir(), own)
	}
	clone(t, from.root(), to.root())
	names, err := dirNames(own)
	noError(t, err)
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(to.recordDir(), name)); errors.Is(err, fs.ErrNotExist) {
			data, err := os.ReadFile(filepath.Join(own, name))
			noError(t, err, os.WriteFile(filepath.Join(to.recordDir(), name), data, 0o600))
		}
	}
}

// shared is the store of ann, which bob has joined: a has two versions, and b one that is
// deleted. It is made once, and each test has a copy of its own.
func shared(t *testing.T, secrets ...string) (ann, bob *Store) {
	t.Helper()
	of := strings.Join(secrets, " ")
	made, ok := sharedBefore.Load(of)
	if !ok {
		ann, bob = sharedAnew(t, secrets...)
		made, _ = sharedBefore.LoadOrStore(of, [2]map[string][]byte{filesIn(t, ann.opt.Dir), filesIn(t, bob.opt.Dir)})
	}
	folders := made.([2]map[string][]byte)
	return withFiles(t, folders[0]), withFiles(t, folders[1])
}

var sharedBefore sync.Map // of the two folders, by what is shared

func filesIn(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	noError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if e.IsDir() {
			files[rel] = nil
		} else if err == nil {
			files[rel], err = os.ReadFile(path)
			files[rel] = append([]byte{}, files[rel]...) // an empty one is no folder
		}
		return err
	}))
	return files
}

func withFiles(t *testing.T, files map[string][]byte) *Store {
	t.Helper()
	s := Open(Options{Dir: dataDir(t)})
	for _, rel := range slices.Sorted(maps.Keys(files)) {
		path, data := filepath.Join(s.opt.Dir, rel), files[rel]
		if data == nil {
			noError(t, os.MkdirAll(path, 0o700))
		} else {
			noError(t, os.WriteFile(path, data, 0o600))
		}
	}
	_, err := s.unlocked()
	noError(t, err)
	return s
}

func sharedAnew(t *testing.T, secrets ...string) (ann, bob *Store) {
	t.Helper()
	ann, bob = somebody(t), somebody(t)
	putFake(t, ann, "a", "FAKE1")
	putFake(t, ann, "a", "FAKE2")
	putFake(t, ann, "b", "FAKE3")
	noError(t, ann.Delete(t.Context(), "b"))
	n := 3
	if len(secrets) > 0 {
		n = 2
	}
	share(t, ann, memberOf(t, bob, "bob", secrets...), n)
	pull(t, ann, bob)
	join(t, bob)
	right(t, ann, bob)
	return ann, bob
}

// third is another member of ann's store.
func third(t *testing.T, ann *Store, name string, versions int) *Store {
	t.Helper()
	s := somebody(t)
	share(t, ann, memberOf(t, s, name), versions)
	pull(t, ann, s)
	join(t, s)
	right(t, ann, s)
	return s
}

// reaches reports whether somebody's key opens any version of a store.
func reaches(t *testing.T, who, s *Store) bool {
	t.Helper()
	n, _ := opens(t, s, filepath.Join(who.opt.Dir, "identity.txt"))
	return n > 0
}

func names(t *testing.T, s *Store) string {
	t.Helper()
	r, err := Open(s.opt).Shared(t.Context())
	noError(t, err)
	out := []string{r.Owner.Name}
	for _, m := range r.Members {
		out = append(out, m.Name)
	}
	return strings.Join(out, " ")
}

func authors(t *testing.T, s *Store, name string) string {
	t.Helper()
	infos, err := Open(s.opt).History(t.Context(), name)
	noError(t, err)
	var by []string
	for _, i := range slices.Backward(infos) {
		by = append(by, i.By)
	}
	return strings.Join(by, " ")
}

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

// merge adds to a folder what another one has: the files that it lacks, and of the record
// those that are longer.
func merge(t *testing.T, from, to *Store) {
	t.Helper()
	noError(t, filepath.WalkDir(from.root(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(from.root(), path)
		to := filepath.Join(to.root(), rel)
		if _, err := os.Stat(to); err == nil && !strings.Contains(rel, "record") {
			return nil // where both have one, each keeps theirs
		} else if info, err2 := e.Info(); err == nil && err2 == nil {
			if there, _ := os.Stat(to); there.Size() >= info.Size() {
				return nil
			}
		}
		data, err := os.ReadFile(path)
		noError(t, err, os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, data, 0o600))
		return nil
	}))
}

// A store is shared on a machine since its user said so, and by nothing in the folder: who
// has not joined is told, and saves nothing.
func TestAStoreIsJoined(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	putFake(t, ann, "a", "FAKE")
	share(t, ann, memberOf(t, bob, "bob"), 1)
	pull(t, ann, bob)
	if got, want := problems(t, bob), "the store is said to be shared by ann, and you have not joined it. If you did not expect that"; !strings.Contains(got, want) {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := reads(t, bob, "a", 0); !strings.HasPrefix(got, "FAKE|a is not as rhx left it in the store: ") || !strings.Contains(got, "you have not joined it") {
		t.Error(got)
	}
	ctx := t.Context()
	before := tree(t, bob.opt.Dir)
	_, putErr := bob.Put(ctx, fake("new"), store.AnyVersion)
	_, rekeyErr := bob.Rekey(ctx, "")
	_, shareErr := bob.Share(ctx, memberOf(t, ann, "ann"), "bob")
	for what, err := range map[string]error{
		"put": putErr, "rekey": rekeyErr, "share": shareErr, "accept": accept(ctx, bob),
		"delete": bob.Delete(ctx, "a"), "destroy": bob.Destroy(ctx, "a"),
	} {
		if !errors.Is(err, errNotJoined) || !errors.Is(err, store.ErrDenied) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if now := tree(t, bob.opt.Dir); now != before {
		t.Errorf("it was changed:\n%s\nwas\n%s", now, before)
	}
	join(t, bob)
	right(t, bob)
	if in, err := bob.Invitation(ctx); in != nil || err != nil {
		t.Errorf("%+v, %v", in, err)
	}
	putFake(t, bob, "new", "FAKE")
	pull(t, bob, ann)
	right(t, ann)

	stranger := somebody(t)
	pull(t, ann, stranger)
	if _, err := stranger.Invitation(ctx); !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "you are not a member of the store of ann") {
		t.Error(err)
	}
	if _, err := somebody(t).Invitation(ctx); err == nil || !strings.Contains(err.Error(), "there is no list of members") {
		t.Error(err)
	}
}

// What is joined is what was shown, whatever is in the folder by then.
func TestJoiningAnotherListThanTheOneShown(t *testing.T) {
	ann, bob, eve := somebody(t), somebody(t), somebody(t)
	putFake(t, ann, "a", "FAKE")
	share(t, ann, memberOf(t, bob, "bob"), 1)
	pull(t, ann, bob)
	in, err := bob.Invitation(t.Context())
	noError(t, err)
	share(t, eve, memberOf(t, bob, "bob"), 0)
	other, err := os.ReadFile(eve.membersPath())
	noError(t, err)
	write(t, bob.membersPath(), other, 0o600)
	if err := bob.Join(t.Context(), in); !errors.Is(err, errNewOwner) {
		t.Error(err)
	}
	pin, err := bob.pin()
	if err != nil || pin.Owner.Name != "ann" || pin.Owner.Signer != memberOf(t, ann, "").Signer {
		t.Errorf("%+v, %v", pin, err)
	}
	if _, err := bob.Put(t.Context(), fake("new"), store.AnyVersion); !errors.Is(err, errNewOwner) {
		t.Error(err)
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

// says has a member's own rhx write what it would not write.
func says(t *testing.T, s *Store, changes ...change) {
	t.Helper()
	k, err := s.unlocked()
	noError(t, err)
	r, err := s.openRecordWith(k)
	noError(t, err)
	for _, c := range changes {
		noError(t, r.add(c, false))
	}
	noError(t, r.writeSeen())
	r.close()
}

func hashOf(t *testing.T, s *Store, name string, number int) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.folder(name), version{n: number}.file()))
	noError(t, err)
	return hashFile(data)
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

// writesAs puts into a folder a version of a secret that anybody can make, and a file of the
// record of owner's store that says so, signed by who.
func writesAs(t *testing.T, who, folder, owner *Store, name string, number int) (id string) {
	t.Helper()
	forge(t, folder, name, number)
	return signs(t, who, folder, owner, change{op: opPut, folder: folderName(name), version: number, hash: hashOf(t, folder, name, number)}, change{op: opDone})
}

// signs puts a new file of the record of owner's store into a folder, signed by who.
func signs(t *testing.T, who, folder, owner *Store, changes ...change) (id string) {
	t.Helper()
	own, err := who.unlocked()
	noError(t, err)
	all, err := own.signers()
	noError(t, err)
	r, err := owner.pin()
	noError(t, err)
	id = newSharedID(all[0].public)
	writer := &recorder{signer: all[0], sum: r.newSum(id), clock: 100}
	var b []byte
	for _, c := range changes {
		b = append(b, writer.line(c)...)
	}
	write(t, folder.recordPath(id), b, 0o600)
	return id
}

// Who is taken out reads nothing new, and is believed no more, whatever they write of the
// time before.
func TestAMemberIsTakenOut(t *testing.T) {
	ann, bob := shared(t)
	carl := third(t, ann, "carl", 3)
	pull(t, ann, bob)
	putFake(t, bob, "of bob", "FAKE5")
	putFake(t, bob, "of bob", "FAKE6")
	noError(t, bob.Delete(t.Context(), "of bob"), bob.Undelete(t.Context(), "b", 0))
	merge(t, bob, ann)
	noError(t, os.Remove(filepath.Join(ann.folder("b"), "1.deleted")))
	right(t, ann)
	was := t.TempDir()
	clone(t, ann.root(), was)
	pull(t, ann, carl)
	// carl saves at the same time, without knowing of it.
	putFake(t, carl, "a", "of carl")
	noError(t, carl.Undelete(t.Context(), "of bob", 0))

	m, n, err := ann.Unshare(t.Context(), "bob")
	if err != nil || m.Name != "bob" || n != 5 {
		t.Fatalf("%+v, %d, %v", m, n, err)
	}
	right(t, ann)
	if got := authors(t, ann, "of bob"); got != "(former) (former)" {
		t.Error(got)
	}
	stale := tree(t, carl.folder("a"))
	merge(t, carl, ann)
	noError(t, os.Remove(filepath.Join(ann.folder("of bob"), "2.deleted")))
	right(t, ann)
	if v, err := ann.Verify(t.Context()); err != nil || len(v.Notes) != 1 || !strings.HasPrefix(v.Notes[0], "1 versions are not encrypted to the members as they are now") {
		t.Errorf("%+v, %v", v, err)
	}
	if !reaches(t, bob, ann) || stale == "" {
		t.Error("bob does not read what carl saved before he knew")
	}
	share(t, ann, nil, 1)
	pull(t, ann, carl)
	right(t, ann, carl)
	if got := reads(t, carl, "of bob", 0); got != "FAKE6" {
		t.Error(got)
	}
	putFake(t, ann, "later", "FAKE7")
	pull(t, ann, bob)
	for _, name := range []string{"a", "later", "of bob"} {
		if _, err := bob.Get(t.Context(), name, 0); !errors.Is(err, store.ErrDenied) {
			t.Errorf("bob reads %s: %v", name, err)
		}
	}
	if reaches(t, bob, ann) {
		t.Error("bob reads")
	}
	for _, s := range []*Store{ann, carl} {
		if got := names(t, s); got != "ann carl" {
			t.Error(got)
		}
	}
	for name, want := range map[string]string{"nobody": `not shared with "nobody"`, "bob": `not shared with "bob"`, "ann": "the owner of a store is not taken out"} {
		if _, _, err := ann.Unshare(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Error(err)
		}
	}
	// bob goes on in a copy of before, and puts that into the folder, with his file as it was.
	pull(t, ann, bob)
	noError(t, os.RemoveAll(bob.root()))
	clone(t, was, bob.root())
	noError(t, os.Remove(bob.pinPath()))
	join(t, bob)
	putFake(t, bob, "evil", "EVIL")
	ids, err := bob.allRecordIDs()
	noError(t, err)
	for _, s := range []*Store{ann, carl} {
		noError(t, os.CopyFS(s.folder("evil"), os.DirFS(bob.folder("evil"))))
		for _, id := range ids {
			if strings.HasPrefix(id, idPrefix(memberOf(t, bob, "").Signer)) {
				data, err := os.ReadFile(bob.recordPath(id))
				noError(t, err)
				write(t, s.recordPath(id), data, 0o600)
			}
		}
		if got := problems(t, s); got != "version 1 of evil was added by somebody else, or put back after it was destroyed: secrets/evil/1.age" {
			t.Error(got)
		}
	}
	// He is taken in again, with the same key: what he wrote meanwhile counts for nothing.
	evil := writesAs(t, bob, ann, ann, "evil", 2)
	share(t, ann, memberOf(t, bob, "bob"), 7)
	if got := problems(t, ann); !strings.Contains(got, "version 2 of evil was added by somebody else") || strings.Contains(got, evil) {
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

func TestLinesOfKeys(t *testing.T) {
	const key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
	const sshKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"
	sig := sigText.EncodeToString(ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey))
	line := func(recipient string) string { return (&Member{Recipients: []string{recipient}, Signer: sig}).Line() }
	for text, want := range map[string]Member{
		key:                      {Recipients: []string{key}},
		" " + line(key) + "\n":   {Recipients: []string{key}, Signer: sig},
		line(sshKey):             {Recipients: []string{sshKey}, Signer: sig},
		sshKey:                   {Recipients: []string{sshKey}},
		sshKey + " ann@home":     {Recipients: []string{sshKey}, Name: "ann@home"},
		sshKey + "  a b":         {Recipients: []string{sshKey}, Name: "a b"},
		line(key)[:40]:           {},
		line(key) + "0":          {},
		line("age1x"):            {},
		line(sshKey + " ann"):    {},
		line(""):                 {},
		"rhx-key:":               {},
		"rhx-key:a:b:c":          {},
		"":                       {},
		key + " x":               {},
		strings.ToUpper(key):     {},
		"ssh-ed25519":            {},
		"ssh-ed25519 AAAA":       {},
		"AGE-SECRET-KEY-1FAKE":   {},
		"ecdsa-sha2-nistp256 AA": {},
	} {
		got, err := ParseKey(text)
		if want.Recipients == nil {
			if err == nil {
				t.Errorf("%q: %+v", text, got)
			}
			if err != nil && strings.Contains(err.Error(), "FAKE") {
				t.Error(err)
			}
			continue
		}
		if err != nil || !slices.Equal(got.Recipients, want.Recipients) || got.Signer != want.Signer || got.Name != want.Name {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	m := Member{Recipients: []string{key}, Signer: sig}
	if got := m.Fingerprint(); len(got) != 39 || got == (&Member{Recipients: []string{key}}).Fingerprint() || got == (&Member{Recipients: []string{sshKey}, Signer: sig}).Fingerprint() {
		t.Error(got)
	}
}

// Keys of SSH read, and with the line of rhx store key they save as well.
func TestSharingWithAKeyOfSSH(t *testing.T) {
	ann := somebody(t)
	putFake(t, ann, "a", "FAKE")
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	noError(t, err)
	for name, c := range map[string]struct {
		passphrase string
		saves      bool
	}{"reads": {"", false}, "saves": {"", true}, "with-a-passphrase": {passphrase, true}} {
		path := write(t, filepath.Join(t.TempDir(), "id"), sshPEM(t, ed, c.passphrase), 0o600)
		asked := 0
		s := Open(Options{Dir: dataDir(t), Identity: path, Passphrase: func(string) (string, error) { asked++; return passphrase, nil }})
		m := memberOf(t, s, name)
		if !c.saves {
			m.Signer = ""
		}
		n, err := ann.Share(t.Context(), m, "ann")
		if err != nil || n != 1 {
			t.Fatalf("%s: %d, %v", name, n, err)
		}
		pull(t, ann, s)
		s = Open(s.opt)
		join(t, s)
		right(t, s)
		if got := reads(t, s, "a", 0); got != "FAKE" {
			t.Errorf("%s: %s", name, got)
		}
		s, asked = Open(s.opt), 0
		_, err = s.Put(t.Context(), fake("b"), store.AnyVersion)
		if (err == nil) != c.saves || (asked > 0) != (c.passphrase != "") {
			t.Errorf("%s: %v, asked %d times", name, err, asked)
		}
		s, asked = Open(s.opt), 0
		if err := s.Delete(t.Context(), "a"); (err == nil) != c.saves || (asked > 0) != (c.passphrase != "") {
			t.Errorf("%s: %v, asked %d times", name, err, asked)
		}
		if c.saves {
			right(t, s)
		}
		_, _, err = ann.Unshare(t.Context(), name)
		noError(t, err)
	}
}

// killedAt runs work on a copy of a store, and ends it before a step. done reports that it
// came to its end before that.
func killedAt(t *testing.T, base *Store, step int, work func(s *Store) error) (s *Store, done bool) {
	t.Helper()
	s = Open(Options{Dir: dataDir(t)})
	clone(t, base.opt.Dir, s.opt.Dir)
	noError(t, os.Chmod(filepath.Join(s.opt.Dir, "identity.txt"), 0o600))
	n := 0
	type killed struct{}
	s.onStep = func() {
		if n++; n == step {
			panic(killed{})
		}
	}
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
		}
	}()
	noError(t, work(s))
	return s, true
}

// nextStep is how far it is to the next step that is tried: make soak tries each.
func nextStep() int {
	if os.Getenv("RHX_SOAK") != "" {
		return 1
	}
	return 7
}

// A process that is killed at any step leaves a store that is right, or says what is not
// done; the next call does that.
func TestSoakSharingIsKilled(t *testing.T) {
	ann, bob := shared(t)
	alone := somebody(t)
	putFake(t, alone, "a", "FAKE")
	putFake(t, alone, "b", "FAKE")
	noError(t, alone.Delete(t.Context(), "b"))
	putFake(t, bob, "of bob", "FAKE")
	pull(t, bob, ann)
	carl := memberOf(t, somebody(t), "carl")
	for name, c := range map[string]struct {
		base *Store
		work func(s *Store) error
		keys []string // that open, in the end
		not  []string // and do not
	}{
		"the first share": {alone, func(s *Store) error {
			_, err := s.Share(context.Background(), memberOf(t, bob, "bob"), "ann")
			return err
		}, []string{keep(t, bob)}, nil},
		"share":   {ann, func(s *Store) error { _, err := s.Share(context.Background(), carl, ""); return err }, []string{keep(t, bob)}, nil},
		"unshare": {ann, func(s *Store) error { _, _, err := s.Unshare(context.Background(), "bob"); return err }, nil, []string{keep(t, bob)}},
		"less": {ann, func(s *Store) error {
			_, err := s.Share(context.Background(), memberOf(t, bob, "bob", "x"), "")
			return err
		}, nil, []string{keep(t, bob)}},
		"rekey": {ann, func(s *Store) error { _, err := s.Rekey(context.Background(), ""); return err }, []string{keep(t, bob)}, []string{keep(t, ann)}},
	} {
		t.Run(name, func(t *testing.T) {
			for step := 1; ; step += nextStep() {
				s, done := killedAt(t, c.base, step, c.work)
				if done {
					if step < 10 {
						t.Errorf("only %d steps", step)
					}
					return
				}
				next := Open(s.opt)
				if got := reads(t, next, "a", 0); !strings.HasPrefix(got, "FAKE") {
					t.Fatalf("step %d: %s", step, got)
				}
				v, err := next.Verify(t.Context())
				noError(t, err)
				for _, p := range v.Problems {
					if !strings.Contains(p, "members: it was removed") && !strings.Contains(p, "members: it was put back") && !strings.Contains(p, "of the members, and this is another one") {
						t.Fatalf("step %d: %s", step, p)
					}
				}
				next = Open(s.opt)
				if err := c.work(next); err != nil && !strings.Contains(err.Error(), "the store is not shared with") {
					t.Fatalf("step %d: %v", step, err)
				}
				v, err = next.Verify(t.Context())
				if err != nil || len(v.Problems)+len(v.Notes) > 0 {
					t.Fatalf("step %d: %+v, %v", step, v, err)
				}
				for _, key := range c.keys {
					if n, all := opens(t, next, key); n != all {
						t.Fatalf("step %d: a key opens %d of %d", step, n, all)
					}
				}
				for _, key := range c.not {
					if n, _ := opens(t, next, key); n != 0 {
						t.Fatalf("step %d: a key opens %d", step, n)
					}
				}
				putFake(t, next, "between", fmt.Sprint(step))
				right(t, next)
			}
		})
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

// The owner makes a new key: what the old one says counts for nothing, and the others take
// the new one when they were asked.
func TestTheOwnersNewKey(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "of bob", "FAKE")
	pull(t, bob, ann)
	stolen := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	if n, err := ann.Rekey(t.Context(), ""); err != nil || n != 4 {
		t.Fatal(n, err)
	}
	right(t, ann)
	if reaches(t, bob, ann) == false {
		t.Error("bob does not read")
	}
	if n, _ := opens(t, ann, stolen.opt.Identity); n != 0 {
		t.Error("the old key reads")
	}
	pull(t, ann, bob)
	if got := problems(t, bob); !strings.Contains(got, "somebody says that the owner's key is ") {
		t.Error(got)
	}
	if _, err := bob.Put(t.Context(), fake("new"), store.AnyVersion); !errors.Is(err, errNewOwner) {
		t.Error(err)
	}
	in, err := bob.Invitation(t.Context())
	if err != nil || in.Was == nil || in.OtherStore || in.Was.Fingerprint() == in.Owner.Fingerprint() || in.Owner.Fingerprint() != memberOf(t, ann, "").Fingerprint() {
		t.Fatalf("%+v, %v", in, err)
	}
	noError(t, bob.Join(t.Context(), in))
	right(t, bob)
	putFake(t, bob, "new", "FAKE")
	pull(t, bob, ann)
	right(t, ann, bob)
	// Who has the old key writes a later list, and a file of the record.
	r, err := ann.pin()
	noError(t, err)
	k, err := stolen.unlocked()
	noError(t, err)
	all, err := k.signers()
	noError(t, err)
	evil := r.next()
	evil.Serial, evil.Owner.Signer, evil.Owner.Recipients = 99, all[0].public, k.public
	evil, err = evil.sealed(all[0])
	noError(t, err)
	writesAs(t, stolen, ann, ann, "evil", 1)
	if got := problems(t, ann); !strings.Contains(got, "version 1 of evil was added by somebody else") || !strings.Contains(got, "no member wrote it") {
		t.Error(got)
	}
	write(t, ann.membersPath(), evil.raw, 0o600)
	if _, err := ann.Put(t.Context(), fake("a"), store.AnyVersion); !errors.Is(err, errMembers) {
		t.Error(err)
	}
}
