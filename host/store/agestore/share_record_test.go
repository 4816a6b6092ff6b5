package agestore

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
)

// What somebody writes into the record, a member or not, says no more than they may say.
func TestAttacksOnTheSharedRecord(t *testing.T) {
	bogus := " " + strings.Repeat("A", 86) + "\n"
	evil := func(t *testing.T, s *Store) (lines string) {
		forge(t, s, "evil", 1)
		return "90 put evil 1 " + hashOf(t, s, "evil", 1) + bogus + "91 done - 0 -" + bogus
	}
	added := "version 1 of evil was added by somebody else"
	for name, c := range map[string]struct {
		do   func(t *testing.T, ann, bob, eve *Store)
		want string // of what Verify says
		// anybody saves as before
		saves bool
	}{
		"a stranger's file": {func(t *testing.T, ann, _, eve *Store) {
			writesAs(t, eve, ann, ann, "evil", 1)
		}, added, true},
		"many of them": {func(t *testing.T, ann, _, _ *Store) {
			for i := range maxRecords + 10 {
				write(t, ann.recordPath(fmt.Sprintf("%032x", i)), []byte("x"), 0o600)
			}
			forge(t, ann, "evil", 1)
		}, "there are more files of the record that no member wrote", true},
		"one with the owner's prefix": {func(t *testing.T, ann, _, eve *Store) {
			id := writesAs(t, eve, ann, ann, "evil", 1)
			noError(t, os.Rename(ann.recordPath(id), ann.recordPath(newSharedID(signerOfStore(t, ann).public))))
		}, added, true},
		"lines without a proof in the owner's": {func(t *testing.T, ann, _, _ *Store) {
			lines := strings.ReplaceAll(evil(t, ann), bogus, " -\n")
			write(t, fileOf(t, ann), append(contents(t, fileOf(t, ann)), lines...), 0o600)
		}, added, true},
		"the owner's file under another name": {func(t *testing.T, ann, _, _ *Store) {
			evil(t, ann)
			write(t, ann.recordPath(newSharedID(signerOfStore(t, ann).public)), contents(t, fileOf(t, ann)), 0o600)
		}, added, true},
		"lines behind a member's": {func(t *testing.T, ann, bob, _ *Store) {
			path := ann.recordPath(bob.mustSeen(t).ID)
			write(t, path, append(contents(t, path), evil(t, ann)...), 0o600)
		}, added, true},
		"a member's lines behind a stranger's": {func(t *testing.T, ann, bob, _ *Store) {
			path := fileOf(t, bob)
			write(t, path, append(contents(t, path), evil(t, ann)...), 0o600)
			putFake(t, bob, "of bob", "FAKE2")
			merge(t, bob, ann)
		}, added, true},
		"a member voids the owner's file": {func(t *testing.T, ann, bob, _ *Store) {
			says(t, bob, change{op: opVoid, folder: ann.mustSeen(t).ID})
			evil(t, ann)
			merge(t, bob, ann)
		}, "bob may not say this", true},
		"a member encrypts anew": {func(t *testing.T, ann, bob, _ *Store) {
			forge(t, ann, "a", 2)
			says(t, bob, change{op: opAgain, folder: "a", version: 2, hash: hashOf(t, ann, "a", 2)}, change{op: opDone})
			evil(t, ann)
			merge(t, bob, ann)
		}, "version 2 of a was replaced", true},
		"a member accepts, forgets and has all encrypted anew": {func(t *testing.T, ann, bob, _ *Store) {
			says(t, bob, change{op: opAccept}, change{op: opForget, folder: "a", version: 2}, change{op: opRekey, folder: allFolders, version: 1 << 30}, change{op: "more"})
			evil(t, ann)
			merge(t, bob, ann)
			noError(t, os.Remove(filepath.Join(ann.folder("a"), "2.age")))
		}, "version 2 of a was taken away", true},
		"a line that is not said finishes none before it": {func(t *testing.T, ann, bob, _ *Store) {
			forge(t, ann, "evil", 1)
			says(t, bob, change{op: opPut, folder: "evil", version: 1, hash: hashOf(t, ann, "evil", 1)}, change{op: opVoid, folder: ann.mustSeen(t).ID}, change{op: opDone})
			merge(t, bob, ann)
		}, added, true},
		"a path in the place of a folder": {func(t *testing.T, ann, bob, _ *Store) {
			for _, folder := range []string{"..", "../record", "/etc", "a/b", ".", "A", "=x", "con", `a\b`} {
				says(t, bob, change{op: opPut, folder: folder, version: 1, hash: strings.Repeat("0", 2*hashBytes)}, change{op: opDone})
			}
			evil(t, ann)
			merge(t, bob, ann)
		}, "bob may not say this", true},
		"numbers that none is": {func(t *testing.T, ann, bob, _ *Store) {
			for _, n := range []int{0, -1, math.MaxInt} {
				says(t, bob, change{op: opPut, folder: "a", version: n, hash: strings.Repeat("0", 2*hashBytes)}, change{op: opDone})
			}
			evil(t, ann)
			merge(t, bob, ann)
		}, "bob may not say this", true},
		"a clock that nobody gets to": {func(t *testing.T, ann, bob, _ *Store) {
			clocked(t, bob, ann, maxClock/2+1)
			evil(t, ann)
		}, "no member wrote it", true},
		"the owner's file is cut": {func(t *testing.T, ann, _, _ *Store) {
			lines := bytes.SplitAfter(contents(t, fileOf(t, ann)), []byte("\n"))
			write(t, fileOf(t, ann), bytes.Join(lines[:len(lines)-3], nil), 0o600)
			evil(t, ann)
		}, "is shorter or another one than when this machine saw it last", false},
		"a member's is cut": {func(t *testing.T, ann, bob, _ *Store) {
			path := ann.recordPath(bob.mustSeen(t).ID)
			lines := bytes.SplitAfter(contents(t, path), []byte("\n"))
			write(t, path, bytes.Join(lines[:len(lines)-3], nil), 0o600)
			evil(t, ann)
		}, "is shorter or another one than when this machine saw it last", false},
		"a member's is another one": {func(t *testing.T, ann, bob, _ *Store) {
			path := ann.recordPath(bob.mustSeen(t).ID)
			lines := bytes.SplitAfter(contents(t, path), []byte("\n"))
			lines[0][0]++
			write(t, path, bytes.Join(lines, nil), 0o600)
			evil(t, ann)
		}, "is shorter or another one than when this machine saw it last", false},
		"the proof of a line is written otherwise": {func(t *testing.T, ann, bob, _ *Store) {
			path := ann.recordPath(bob.mustSeen(t).ID)
			data := contents(t, path)
			at := len(data) - 2
			i := strings.IndexByte(base64Text64, data[at])
			data[at] = base64Text64[i^1] // bits that no byte has
			write(t, path, data, 0o600)
			evil(t, ann)
		}, "is shorter or another one than when this machine saw it last", false},
		"a member's is removed": {func(t *testing.T, ann, bob, _ *Store) {
			noError(t, os.Remove(ann.recordPath(bob.mustSeen(t).ID)))
			evil(t, ann)
		}, "was removed", false},
	} {
		t.Run(name, func(t *testing.T) {
			ann, bob := shared(t)
			putFake(t, bob, "of bob", "FAKE1")
			pull(t, bob, ann)
			right(t, ann) // has seen bob's file
			putFake(t, ann, "a", "FAKE3")
			eve := somebody(t)
			c.do(t, ann, bob, eve)
			for range 2 {
				got := problems(t, ann)
				if !strings.Contains(got, c.want) || !strings.Contains(got, added) {
					t.Errorf("%s\nwant %s", got, c.want)
				}
				if strings.Contains(got, "of of bob") && c.saves {
					t.Error(got)
				}
				_, err := Open(ann.opt).Put(t.Context(), fake("more"), store.AnyVersion)
				if (err == nil) != c.saves {
					t.Errorf("saved: %v", err)
				}
			}
			if got := reads(t, ann, "evil", 0); !strings.Contains(got, "is not as a member has left it") {
				t.Error(got)
			}
			if got := authors(t, ann, "evil"); got != "?" {
				t.Error(got)
			}
			// Those who take what they have are told nothing later; who was seen with more, is.
			noError(t, accept(t.Context(), Open(ann.opt)))
			if name == "many of them" { // a thousand at a time
				noError(t, accept(t.Context(), Open(ann.opt)))
			}
			right(t, ann)
			putFake(t, Open(ann.opt), "b", "FAKE")
			right(t, ann)
			pull(t, ann, bob)
			right(t, bob)
			putFake(t, Open(bob.opt), "of bob", "FAKE9")
			merge(t, bob, ann)
			right(t, ann, bob)
		})
	}
}

// The highest clock that counts has nobody save anything: the owner takes out whose it is,
// and what they said is not the last word then.
func TestTheLastOfAllClocks(t *testing.T) {
	ann, bob := shared(t)
	carl := third(t, ann, "carl", 3)
	clocked(t, bob, ann, maxClock/2-1)
	pull(t, ann, carl)
	for _, s := range []*Store{ann, carl} {
		if _, err := Open(s.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "a clock into the record") {
			t.Error(err)
		}
	}
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	if got := problems(t, ann); got != "version 2 of a was deleted, and is not any more: secrets/a/2.deleted is gone" {
		t.Error(got)
	}
	noError(t, accept(t.Context(), ann))
	putFake(t, Open(ann.opt), "new", "FAKE")
	pull(t, ann, carl)
	putFake(t, Open(carl.opt), "new", "FAKE")
	right(t, ann, carl)
}

// A machine that has seen nothing is not asked to believe what its key did not sign: what is
// cut is not known there, and what was added is.
func TestALaterMachine(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "of bob", "FAKE")
	pull(t, bob, ann)
	second := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	pull(t, ann, second)
	join(t, second)
	right(t, second)
	putFake(t, second, "of her second", "FAKE")
	carl := somebody(t)
	share(t, second, memberOf(t, carl, "carl"), 5)
	pull(t, second, ann)
	right(t, ann)
	if got := names(t, ann); got != "ann bob carl" {
		t.Error(got)
	}
	// Both of her machines change the list at once.
	share(t, ann, memberOf(t, somebody(t), "dan"), 5)
	share(t, second, memberOf(t, somebody(t), "emma"), 5)
	merge(t, ann, second)
	merge(t, second, ann)
	write(t, ann.membersPath(), contents(t, second.membersPath()), 0o600)
	if got := problems(t, ann); !strings.Contains(got, "two of the owner's machines have changed it at once") {
		t.Error(got)
	}
	if got := problems(t, second); !strings.Contains(got, "its owner has made list 3 of the members, and this is another one, 3") {
		t.Error(got)
	}
	noError(t, accept(t.Context(), ann))
	if got := names(t, ann); got != "ann" { // who is on both she may have taken out since
		t.Error(got)
	}
	right(t, ann)
	pull(t, ann, second)
	right(t, second)
}

// A killed first share leaves files that a store which is not shared does not know, and the
// record of before counts for nothing once it is shared.
func TestTheRecordOfBefore(t *testing.T) {
	ann := somebody(t)
	putFake(t, ann, "a", "FAKE")
	raw := make([]byte, 16)
	_, _ = rand.Read(raw)
	write(t, ann.recordPath(hex.EncodeToString(raw)), []byte("1 put a 1 x -\n"), 0o600)
	right(t, ann)
	putFake(t, ann, "a", "FAKE")
	before := t.TempDir()
	clone(t, ann.root(), before)
	share(t, ann, memberOf(t, somebody(t), "bob"), 2)
	right(t, ann)
	putFake(t, ann, "a", "FAKE")
	// The whole folder is put back.
	clone(t, before, ann.root())
	if got := problems(t, ann); !strings.Contains(got, "members: it was removed") {
		t.Error(got)
	}
	if _, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); !errors.Is(err, errOlder) {
		t.Error(err)
	}
	if got := reads(t, ann, "a", 0); !strings.Contains(got, "members: it was removed") {
		t.Error(got)
	}
	noError(t, accept(t.Context(), ann))
	right(t, ann)
}

// A clock just below the bound: the others' next lines are beyond it, and taking out whose
// it was does not help any more: the owner can save nothing, ever.
func TestAClockThatIsPassedOn(t *testing.T) {
	ann, bob := shared(t, "a")
	clocked(t, bob, ann, maxClock/2-maxRecord-1)
	noError(t, os.WriteFile(filepath.Join(ann.folder("a"), "2.deleted"), nil, 0o600))
	for range 2 {
		_, _ = Open(ann.opt).Put(t.Context(), fake("new"), store.AnyVersion)
	}
	if _, _, err := ann.Unshare(t.Context(), "bob"); err != nil {
		t.Error("unshare: ", err)
	}
	if err := accept(t.Context(), ann); err != nil {
		t.Error("accept: ", err)
	}
	if _, err := Open(ann.opt).Put(t.Context(), fake("new"), store.AnyVersion); err != nil {
		t.Error("put: ", err)
	}
}

// A stranger's empty files whose names begin with the owner's hash stop all, for ever.
func TestAThousandNames(t *testing.T) {
	ann, _ := shared(t)
	for range maxRecords {
		write(t, ann.recordPath(newSharedID(signerOfStore(t, ann).public)), nil, 0o600)
	}
	if _, err := Open(ann.opt).Put(t.Context(), fake("new"), store.AnyVersion); err != nil {
		t.Error("put: ", err)
	}
	if _, err := Open(ann.opt).Verify(t.Context()); err != nil {
		t.Error("verify: ", err)
	}
	if err := accept(t.Context(), ann); err != nil {
		t.Error("accept: ", err)
	}
	if _, _, err := ann.Unshare(t.Context(), "bob"); err != nil {
		t.Error("unshare: ", err)
	}
}

// What a stranger puts under such a name is read to its end, and kept: memory.
func TestLargeFilesOfStrangers(t *testing.T) {
	ann, _ := shared(t)
	for range 4 {
		path := ann.recordPath(newSharedID(signerOfStore(t, ann).public))
		noError(t, os.WriteFile(path, nil, 0o600), os.Truncate(path, 64<<20)) // of zeros: nothing on the disk
	}
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	_ = reads(t, ann, "a", 0)
	runtime.ReadMemStats(&b)
	if n := (b.TotalAlloc - a.TotalAlloc) >> 20; n > 64 {
		t.Errorf("a get takes %d MiB for 4 files of 64 MiB without one line", n)
	}
}

// Nor does a folder, or a link, of such a name stop all.
func TestAFolderAsAFile(t *testing.T) {
	ann, _ := shared(t)
	noError(t, os.Mkdir(ann.recordPath(newSharedID(signerOfStore(t, ann).public)), 0o700))
	if _, err := Open(ann.opt).Put(t.Context(), fake("new"), store.AnyVersion); err != nil {
		t.Error("put: ", err)
	}
	if err := accept(t.Context(), ann); err != nil {
		t.Error("accept: ", err)
	}
}

// What a member says that counts for nothing is shown with their bytes.
func TestEscapesInProblems(t *testing.T) {
	ann, bob := shared(t)
	says(t, bob, change{op: "\x1b[2Jclean", folder: "\x1b]0;x\a"})
	merge(t, bob, ann)
	if got := problems(t, ann); strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}

// A line of a member with many secrets costs a look at each of them.
func TestManySecrets(t *testing.T) {
	ann, bob := shared(t)
	m := memberOf(t, bob, "bob")
	for i := range 1000 {
		m.Secrets = append(m.Secrets, Text(fmt.Sprintf("team/aws/prod-%04d", i)))
	}
	share(t, ann, m, 3)
	pull(t, ann, bob)
	var changes []change
	for range 500 {
		changes = append(changes, change{op: opPut, folder: folderName("team/aws/prod-0999"), version: 1, hash: strings.Repeat("0", 2*hashBytes)}, change{op: opDone})
	}
	says(t, bob, changes...)
	merge(t, bob, ann)
	_ = problems(t, ann)
	r, err := ann.pin()
	noError(t, err)
	n := testing.AllocsPerRun(1, func() { r.Members[0].reads("none") })
	if n > 10 {
		t.Errorf("each line of the record of such a member takes %v allocations to look at", n)
	}
}

// Zeros behind the lines of a real file: it is larger than a file may be, and all stops,
// also what puts it right; and up to that size each get has it in memory.
func TestAFileMadeTooLarge(t *testing.T) {
	ann, bob := shared(t)
	path := fileOf(t, ann)
	for _, size := range []int64{maxRecord - 1, maxRecord + 1} {
		noError(t, os.Truncate(path, size))
		var a, b runtime.MemStats
		runtime.ReadMemStats(&a)
		_ = reads(t, bob, "a", 0)
		_ = reads(t, ann, "a", 0)
		runtime.ReadMemStats(&b)
		if n := (b.TotalAlloc - a.TotalAlloc) >> 20; n > 64 {
			t.Errorf("%d bytes: a get takes %d MiB", size, n)
		}
	}
	if _, err := Open(ann.opt).Verify(t.Context()); err != nil {
		t.Error("verify: ", err)
	}
	if err := accept(t.Context(), Open(ann.opt)); err != nil {
		t.Error("accept: ", err)
	}
	if _, _, err := Open(ann.opt).Unshare(t.Context(), "bob"); err != nil {
		t.Error("unshare: ", err)
	}
}

// A file with the owner's name on it does not pass for a rekey that was interrupted.
func TestAFileWithTheOwnersName(t *testing.T) {
	ann, _ := shared(t)
	write(t, ann.recordPath(newSharedID(signerOfStore(t, ann).public)), []byte("junk\n"), 0o600)
	v, err := Open(ann.opt).Verify(t.Context())
	noError(t, err)
	if len(v.Notes) != 0 || len(v.Problems) != 1 || !strings.Contains(v.Problems[0], "no member wrote it") {
		t.Errorf("%+v", *v)
	}
}

// Files of the record that no machine writes stop nothing in a store of one, and are named.
func TestFilesOfTheRecordThatAreNone(t *testing.T) {
	for name, put := range map[string]func(t *testing.T, s *Store, path string){
		"a folder":          func(t *testing.T, _ *Store, path string) { noError(t, os.Mkdir(path, 0o700)) },
		"one that is large": func(t *testing.T, _ *Store, path string) { sparse(t, path, maxRecord+1) },
		"many that are large": func(t *testing.T, s *Store, path string) {
			for i := range 3 {
				sparse(t, s.recordPath(fmt.Sprintf("%016x", i)), maxRecord)
			}
		},
		"this machine's, padded": func(t *testing.T, s *Store, _ string) {
			noError(t, os.Truncate(fileOf(t, s), maxRecord+1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := twoVersions(t)
			path := s.recordPath(hex.EncodeToString([]byte("FAKEFAKE")))
			put(t, s, path)
			if got := problems(t, s); !strings.Contains(got, "counts for nothing") {
				t.Error(got)
			}
			putFake(t, Open(s.opt), "b", "FAKE")
			noError(t, Open(s.opt).Delete(t.Context(), "b"))
			noError(t, accept(t.Context(), Open(s.opt)))
			v, err := Open(s.opt).Verify(t.Context())
			noError(t, err)
			for _, p := range v.Problems {
				path, _, odd := strings.Cut(p, " counts for nothing: ")
				if !odd || os.Remove(path) != nil {
					t.Errorf("%q", p)
				}
			}
			noError(t, accept(t.Context(), Open(s.opt)))
			right(t, s)
		})
	}
}
