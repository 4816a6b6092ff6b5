package agestore

import (
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
	"time"

	"github.com/rhx-dev/rhx/host/secret"
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

// secondOf is another machine of a store's owner, that has the folder as it is now.
func secondOf(t *testing.T, ann *Store) *Store {
	t.Helper()
	s := somebody(t)
	noError(t, os.RemoveAll(s.opt.Dir), os.CopyFS(s.opt.Dir, os.DirFS(ann.opt.Dir)), os.Remove(s.seenPath()))
	right(t, s)
	return s
}

// privateOf is another store of the same person, where a secret has a number of versions.
func privateOf(t *testing.T, s *Store, name string, versions int) *Store {
	t.Helper()
	private := Open(Options{Dir: dataDir(t), Identity: keep(t, s)})
	for range versions {
		putFake(t, private, name, "PRIVATE")
	}
	return private
}

// reaches reports whether somebody's key opens any version of a store.
func reaches(t *testing.T, who, s *Store) bool {
	t.Helper()
	n, _ := opens(t, s, filepath.Join(who.opt.Dir, "identity.txt"))
	return n > 0
}

// opensVersion reports whether somebody's key opens a version.
func opensVersion(t *testing.T, who, s *Store, name string, n int) bool {
	t.Helper()
	k, err := who.unlocked()
	noError(t, err)
	data := contents(t, filepath.Join(s.folder(name), version{n: n}.file()))
	_, _, err = decodeFile(data, k.ids)
	return err == nil
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

// putBeside puts the file of a version of one store into another.
func putBeside(t *testing.T, from, to *Store, name string, number int) {
	t.Helper()
	file := version{n: number}.file()
	write(t, filepath.Join(to.folder(name), file), contents(t, filepath.Join(from.folder(name), file)), 0o600)
}

// early has bob save a version of a that says that it is encrypted to another list.
func early(t *testing.T, bob, ann *Store, list string, number int) {
	t.Helper()
	r := ann.sharedRoster(t)
	plain, err := encodePayload(&secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("FAKE")}})
	noError(t, err)
	k, err := bob.unlocked()
	noError(t, err)
	all, err := k.signers()
	noError(t, err)
	info := store.Info{Name: "a", Version: number, Updated: time.Now()}
	data, err := encodeBound(info, plain, r.recipients("a"), binding{list, r.Store, idPrefix(all[0].public)}.args()...)
	noError(t, err)
	write(t, filepath.Join(ann.folder("a"), version{n: number}.file()), data, 0o600)
	signsAt(t, bob, ann, ann, 100, change{op: opPut, folder: "a", version: number, hash: hashFile(data)}, change{op: opDone})
}

// sparse makes a file that is larger than any version, and takes no room in git.
func sparse(t *testing.T, path string, size int64) {
	t.Helper()
	noError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	write(t, path, nil, 0o600)
	noError(t, os.Truncate(path, size))
}

func (s *Store) sharedRoster(t *testing.T) *roster {
	t.Helper()
	r, err := s.shared()
	noError(t, err)
	return r
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
