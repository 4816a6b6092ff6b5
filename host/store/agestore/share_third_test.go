package agestore

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// What a third reviewer found, each as it was done.

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

// privateOf is another store of the same person, where a secret has a number of versions.
func privateOf(t *testing.T, s *Store, name string, versions int) *Store {
	t.Helper()
	private := Open(Options{Dir: dataDir(t), Identity: keep(t, s)})
	for range versions {
		putFake(t, private, name, "PRIVATE")
	}
	return private
}

// putBeside puts the file of a version of one store into another.
func putBeside(t *testing.T, from, to *Store, name string, number int) {
	t.Helper()
	file := version{n: number}.file()
	write(t, filepath.Join(to.folder(name), file), contents(t, filepath.Join(from.folder(name), file)), 0o600)
}

// What the owner has accepted, and nobody knows for whom it was meant, stays the owner's alone,
// whatever a member says of it, and when: with its hash from before or now, or with another, with a clock
// before, between and behind what the owner says.
func TestSoakWhatIsAcceptedStaysTheOwners(t *testing.T) {
	for _, hash := range []string{"before", "now", strings.Repeat("0", 32)} {
		clocks := []int64{-1, 1}
		if nextStep() == 1 {
			clocks = []int64{-1000, -1, 0, 1, 2, 1000}
		}
		for _, after := range clocks {
			ann, bob := shared(t, "a")
			private := privateOf(t, ann, "a", 3)
			putBeside(t, private, ann, "a", 3)
			noError(t, accept(t.Context(), Open(ann.opt)))
			right(t, ann)
			said := hash
			switch hash {
			case "before":
				said = hashOf(t, private, "a", 3)
			case "now":
				said = hashOf(t, ann, "a", 3)
			}
			at := int64(0)
			l, err := ann.readLedger(ann.sharedRoster(t), &seen{})
			noError(t, err)
			for _, p := range l.pages {
				for _, c := range p.lines {
					if c.version == 3 && c.op == opPut {
						at = c.clock
					}
				}
			}
			if at == 0 {
				t.Fatal("the owner has not said it")
			}
			signsAt(t, bob, ann, ann, max(0, at+after-1), change{op: opPut, folder: "a", version: 3, hash: said}, change{op: opDone})
			noError(t, os.RemoveAll(bob.root()))
			clone(t, ann.root(), bob.root())
			for range 2 {
				_, err = Open(ann.opt).Share(t.Context(), memberOf(t, somebody(t), fmt.Sprint("c", time.Now().UnixNano())), "")
				if opensVersion(t, bob, ann, "a", 3) {
					t.Fatalf("%s at %d: bob reads what was private: %v", hash, after, err)
				}
			}
			if _, _, err = Open(ann.opt).Unshare(t.Context(), "bob"); opensVersion(t, bob, ann, "a", 3) {
				t.Errorf("%s at %d: %v", hash, after, err)
			}
			if got := reads(t, ann, "a", 3); !strings.HasPrefix(got, "PRIVATE") {
				t.Errorf("%s at %d: the owner reads %q", hash, after, got)
			}
		}
	}
}

// An accept that was killed between any two steps is ended by the next, and leaks nothing.
func TestSoakAcceptOfAStrangersIsKilled(t *testing.T) {
	ann, bob := shared(t, "a")
	putBeside(t, privateOf(t, ann, "a", 3), ann, "a", 3)
	for step := 1; ; step += nextStep() {
		s, done := killedAt(t, ann, step, func(s *Store) error { return accept(t.Context(), s) })
		if done {
			if step < 15 {
				t.Error("only", step, "steps")
			}
			return
		}
		noError(t, accept(t.Context(), Open(s.opt)))
		right(t, s)
		if _, err := Open(s.opt).Share(t.Context(), memberOf(t, somebody(t), "carl", "a"), ""); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if opensVersion(t, bob, s, "a", 3) {
			t.Fatalf("step %d: bob reads", step)
		}
		if got := authors(t, s, "a"); got != "ann ann ?" {
			t.Errorf("step %d: %q", step, got)
		}
	}
}

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

// The owner takes somebody out, and accepts, also where store.seen is lost, or is no file of rhx; a
// member begins anew by joining.
func TestWithoutWhatWasSeen(t *testing.T) {
	for _, text := range []string{"", "{", strings.Repeat(" ", 100), `{"version":9,"id":"x"}`} {
		ann, bob := shared(t)
		carl := third(t, ann, "carl", 3)
		for _, s := range []*Store{ann, carl} {
			write(t, s.seenPath(), []byte(text), 0o600)
			if _, err := Open(s.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "store.seen") {
				t.Errorf("%q: %v", text, err)
			}
			if got := problems(t, s); !strings.Contains(got, "store.seen") || !strings.Contains(got, "begins anew") {
				t.Errorf("%q: %s", text, got)
			}
		}
		if _, _, err := Open(ann.opt).Unshare(t.Context(), "bob"); err != nil {
			t.Errorf("%q: unshare: %v", text, err)
		}
		if reaches(t, bob, ann) {
			t.Errorf("%q: bob reads", text)
		}
		right(t, ann)
		write(t, ann.seenPath(), []byte(text), 0o600)
		noError(t, accept(t.Context(), Open(ann.opt)))
		right(t, ann)
		putFake(t, Open(ann.opt), "new", "FAKE")
		pull(t, ann, carl)
		join(t, Open(carl.opt))
		right(t, carl)
		putFake(t, Open(carl.opt), "new", "FAKE")
		merge(t, carl, ann)
		right(t, ann)
	}
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

// A version says that it is encrypted to another list than it is.
func TestAVersionOfAnotherList(t *testing.T) {
	for _, list := range []string{"", "2", "1073741824", strings.Repeat("0", 32), "now"} {
		for _, number := range []int{2, 3} {
			ann, bob := shared(t)
			if list == "now" {
				list = ann.sharedRoster(t).hash
			}
			early(t, bob, ann, list, number)
			right(t, ann)
			_, n, err := ann.Unshare(t.Context(), "bob")
			if err != nil || n < 3 || opensVersion(t, bob, ann, "a", number) {
				t.Errorf("members=%s, version %d: bob reads what is in the folder; %d, %v", list, number, n, err)
			}
			right(t, ann)
		}
		ann, bob := shared(t)
		early(t, bob, ann, list, 3)
		old := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
		_, err := ann.Rekey(t.Context(), "")
		noError(t, err)
		if opensVersion(t, old, ann, "a", 3) {
			t.Errorf("members=%s: the old key reads", list)
		}
		fresh := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
		if !opensVersion(t, fresh, ann, "a", 3) || !opensVersion(t, bob, ann, "a", 3) {
			t.Errorf("members=%s: the new key does not, or bob", list)
		}
	}
}

// A member's machine has seen what is gone, and the owner's may or may not have.
func TestAMemberHasSeenWhatIsGone(t *testing.T) {
	for _, gone := range []bool{true, false} {
		for _, ownerSaw := range []bool{true, false} {
			ann, bob := shared(t)
			carl := third(t, ann, "carl", 3)
			pull(t, ann, bob)
			putFake(t, bob, "x", "1")
			before := contents(t, fileOf(t, bob))
			putFake(t, bob, "x", "2")
			merge(t, bob, carl)
			right(t, carl)
			merge(t, bob, ann)
			path := ann.recordPath(bob.mustSeen(t).ID)
			if ownerSaw {
				right(t, ann)
			}
			noError(t, os.Remove(path), os.Remove(filepath.Join(ann.folder("x"), "2.age")))
			if gone {
				noError(t, os.RemoveAll(ann.folder("x")))
			} else {
				write(t, path, before, 0o600)
			}
			noError(t, accept(t.Context(), Open(ann.opt)))
			right(t, ann)
			for who, s := range map[string]*Store{"carl": carl, "bob": bob} {
				noError(t, os.RemoveAll(s.root()))
				clone(t, ann.root(), s.root())
				in, err := Open(s.opt).Invitation(t.Context())
				noError(t, err)
				if want := !ownerSaw; (in != nil) != want {
					t.Fatalf("gone %v, the owner saw it %v: %s is asked: %v", gone, ownerSaw, who, in != nil)
				}
				if in != nil {
					_, err := Open(s.opt).Put(t.Context(), fake("new"), store.AnyVersion)
					if err == nil || !strings.Contains(fault.Hint(err), "rhx store join takes the folder as it is") {
						t.Errorf("%v, %s", err, fault.Hint(err))
					}
					if in.Behind == "" || in.OtherStore {
						t.Errorf("%+v", in)
					}
					noError(t, Open(s.opt).Join(t.Context(), in))
				}
				right(t, s)
				putFake(t, Open(s.opt), "new", "FAKE")
			}
		}
	}
}

// For the owner the way out is accept, which says who reads then; a list that is older than the one a
// member has seen, or beside it, is taken by that member's word only.
func TestJoinIsTheWayOutOfAMember(t *testing.T) {
	ann, bob := shared(t)
	older := filepath.Join(t.TempDir(), "older")
	clone(t, ann.root(), older)
	third(t, ann, "carl", 3)
	pull(t, ann, bob)
	right(t, bob, ann)
	for _, s := range []*Store{ann, bob} {
		noError(t, os.RemoveAll(s.root()))
		clone(t, older, s.root())
	}
	if in, err := Open(ann.opt).Invitation(t.Context()); err == nil || !strings.Contains(fault.Hint(err), "rhx store verify --accept") {
		t.Errorf("%+v, %v", in, err)
	}
	if _, err := Open(bob.opt).Put(t.Context(), fake("new"), store.AnyVersion); !errors.Is(err, errOlder) {
		t.Error(err)
	}
	in, err := Open(bob.opt).Invitation(t.Context())
	noError(t, err)
	if !strings.Contains(in.Behind, "earlier time") || len(in.Members) != 1 {
		t.Errorf("%+v", in)
	}
	noError(t, Open(bob.opt).Join(t.Context(), in))
	right(t, bob)
	putFake(t, Open(bob.opt), "new", "FAKE")
	noError(t, os.Remove(bob.membersPath()))
	if in, err := Open(bob.opt).Invitation(t.Context()); !errors.Is(err, errOlder) {
		t.Errorf("%+v, %v", in, err)
	}
}

// A store whose key has a passphrase is shared for the first time: lines without a proof, by a
// stranger, are not the owner's word.
func TestTheFirstShareWithUnprovenLines(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	private := privateOf(t, ann, "a", 2)
	plain, err := os.ReadFile(keep(t, ann))
	noError(t, err)
	locked := Open(Options{Dir: dataDir(t), Identity: write(t, filepath.Join(t.TempDir(), "id"), withPassphrase(t, plain, true), 0o600),
		Passphrase: func(string) (string, error) { return passphrase, nil }})
	putFake(t, locked, "a", "FAKE")
	putBeside(t, private, locked, "a", 2)
	var b bytes.Buffer
	for i, c := range []change{{op: opPut, folder: "a", version: 2, hash: hashOf(t, locked, "a", 2)}, {op: opDone}} {
		c.clock = int64(100 + i)
		b.WriteString(c.text() + "-\n")
	}
	write(t, locked.recordPath("00112233aabbccdd"), b.Bytes(), 0o600)
	// Also where they come when it was looked at already; for a rekey, which gives it to nobody, they count.
	k, err := locked.unlocked()
	noError(t, err)
	_, shareErr := locked.presentAsRecorded(k, true)
	if changes, err := locked.presentAsRecorded(k, false); err != nil || len(changes) != 4 || shareErr == nil || !strings.Contains(shareErr.Error(), "have no proof") {
		t.Errorf("%v, %v, %v", changes, err, shareErr)
	}
	_, err = Open(locked.opt).Share(t.Context(), memberOf(t, bob, "bob"), "ann")
	if err == nil || !strings.Contains(err.Error(), "have no proof: somebody may have put secrets there") {
		t.Error(err)
	}
	if reaches(t, bob, locked) {
		t.Error("bob reads what was private")
	}
}

// What stands in the place of a folder of the store is said, and what to do.
func TestAFileAsAFolder(t *testing.T) {
	for _, dir := range []string{"record", "tmp", "secrets"} {
		ann, _ := shared(t)
		path := filepath.Join(ann.root(), dir)
		noError(t, os.RemoveAll(path))
		write(t, path, []byte("x"), 0o600)
		_, verifyErr := Open(ann.opt).Verify(t.Context())
		_, _, unshareErr := Open(ann.opt).Unshare(t.Context(), "bob")
		for _, err := range []error{verifyErr, unshareErr, accept(t.Context(), Open(ann.opt))} {
			if err == nil || !strings.HasSuffix(err.Error(), dir+" is not a folder") || !strings.Contains(fault.Hint(err), "remove it, and get the folder back") {
				t.Errorf("%s: %v, %s", dir, err, fault.Hint(err))
			}
		}
	}
}

// Changes with the same clock have the same order before and after the owner says them in the place of
// who has made them.
func TestTheSameClock(t *testing.T) {
	for range 6 {
		ann, bob := shared(t)
		carl := third(t, ann, "carl", 3)
		pull(t, ann, bob)
		// at once, neither has the other's
		noError(t, bob.Destroy(t.Context(), "b"))
		putFake(t, carl, "b", "of carl")
		merge(t, bob, ann)
		merge(t, carl, ann)
		before := problems(t, ann)
		_, _, err := ann.Unshare(t.Context(), "bob")
		if after := problems(t, ann); before != after {
			t.Errorf("before: %q, after: %q; %v", before, after, err)
		}
	}
}

// A name with an escape, or one that is too long, that a stranger has put there is none of a secret.
func TestNamesThatAreNone(t *testing.T) {
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
	if !slices.Equal(all, []string{"a", "b"}) || err == nil || strings.ContainsRune(err.Error(), 0x1b) {
		t.Errorf("%q, %v", all, err)
	}
	if begin, err := ann.Begin(t.Context(), "ev"); err != nil || len(begin) > 0 {
		t.Errorf("%q, %v", begin, err)
	}
	if got := problems(t, ann); strings.ContainsRune(got, 0x1b) || !strings.Contains(got, folderName(name)) {
		t.Errorf("%q", got)
	}
	if list, err := ann.List(t.Context()); len(list) != 1 || err == nil || strings.ContainsRune(err.Error(), 0x1b) {
		t.Errorf("%v, %v", list, err)
	}
}

// A member replaces the owner's version in its place: it is theirs to write, and it is said who did it.
func TestInItsPlace(t *testing.T) {
	ann, bob := shared(t)
	early(t, bob, ann, ann.sharedRoster(t).hash, 2)
	right(t, ann)
	if got := authors(t, ann, "a"); got != "ann bob" {
		t.Error(got)
	}
}

// Somebody is taken out, too, where a file of theirs was removed.
func TestUnshareAfterRemoval(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "x", "1")
	merge(t, bob, ann)
	right(t, ann)
	noError(t, os.Remove(ann.recordPath(bob.mustSeen(t).ID)))
	_, n, err := Open(ann.opt).Unshare(t.Context(), "bob")
	if n != 3 || fault.KindOf(err) != fault.Partial || !strings.Contains(err.Error(), "x/1.age") {
		t.Errorf("%d, %v", n, err)
	}
	if opensVersion(t, bob, ann, "a", 2) {
		t.Error("bob reads")
	}
}

// What no member has put there is given to nobody: whoever saves it again would give it to all.
func TestWhatNoMemberHasSavedIsNotRead(t *testing.T) {
	ann, bob := shared(t)
	private := privateOf(t, ann, "a", 4)
	putBeside(t, private, ann, "a", 3)
	for _, number := range []int{0, 3} {
		rec, err := Open(ann.opt).Get(t.Context(), "a", number)
		if rec != nil || !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "version 3 was added by somebody else") || !strings.Contains(fault.Hint(err), "rhx store verify --accept") || !strings.Contains(fault.Hint(err), "or remove the file that rhx store verify names") {
			t.Errorf("%+v, %v", rec, err)
		}
	}
	if got := reads(t, ann, "a", 2); !strings.HasPrefix(got, "FAKE2") {
		t.Error(got)
	}
	// Also where the record is not as it was, and where a version was there.
	noError(t, os.Remove(filepath.Join(ann.folder("a"), "3.age")))
	putBeside(t, private, ann, "a", 2)
	putFake(t, bob, "x", "1")
	merge(t, bob, ann)
	problems(t, ann) // it has seen bob's file then
	noError(t, os.Remove(ann.recordPath(bob.mustSeen(t).ID)))
	if rec, err := Open(ann.opt).Get(t.Context(), "a", 2); err == nil {
		t.Errorf("%+v", rec)
	}
}

// What the owner says in the place of others is what still counts: with any changes of somebody else between
// them it comes to the same.
func TestWhatStillCounts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	fewer := 0
	for range 3000 {
		var all, taken, others []change
		for clock := range int64(2 + random.IntN(40)) {
			c := change{clock: clock, op: []string{opPut, opPut, opDelete, opBack, opDestroy, opForget, opAgain}[random.IntN(7)], folder: []string{"a", "b"}[random.IntN(2)], by: author{key: "bob"}}
			if c.op != opDestroy {
				c.version = 1 + random.IntN(3)
			}
			if c.op == opPut || c.op == opAgain {
				c.hash = fmt.Sprint(random.IntN(3))
			}
			if random.IntN(3) == 0 {
				c.by.key = "carl"
				others = append(others, c)
			} else {
				taken = append(taken, c)
			}
			all = append(all, c)
		}
		less := counting(taken)
		fewer += len(taken) - len(less)
		merged := append(slices.Clone(less), others...)
		inOrder(merged)
		want, got := states{}, states{}
		for i := range all {
			want.apply(&all[i])
		}
		for i := range merged {
			got.apply(&merged[i])
		}
		for _, of := range []states{want, got} { // a folder with nothing is none
			for folder, vs := range of {
				if len(vs) == 0 {
					delete(of, folder)
				}
			}
		}
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("%v\nof %v and %v\nis %v, want %v", less, taken, others, got, want)
		}
	}
	if fewer < 3000 {
		t.Errorf("%d are left out", fewer)
	}
}

// A member's many changes that came to nothing are not the owner's for good.
func TestUnshareOfWhoHasMadeMuch(t *testing.T) {
	ann, bob := shared(t)
	var all []change
	for i := range 300 {
		all = append(all, change{op: opPut, folder: "x", version: 1 + i, hash: strings.Repeat("0", 2*hashBytes)}, change{op: opDone})
	}
	all = append(all, change{op: opDestroy, folder: "x"}, change{op: opDone})
	signsAt(t, bob, ann, ann, 100, all...)
	right(t, ann)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	right(t, ann)
	l, err := ann.readLedger(ann.sharedRoster(t), &seen{})
	noError(t, err)
	for id, p := range l.pages {
		if len(p.lines) > 50 {
			t.Errorf("%s has %d lines", id, len(p.lines))
		}
	}
}

// It is not given out either where somebody changes the folder while it is read, nor saved again after it was
// read where nobody could tell.
func TestWhatNoMemberHasSavedInARace(t *testing.T) {
	ann, _ := shared(t)
	private := privateOf(t, ann, "a", 3)
	path := filepath.Join(ann.folder("a"), "2.age")
	good := contents(t, path)
	s := Open(ann.opt)
	s.opt.Warn = nil
	putBeside(t, private, ann, "a", 2)
	k, err := s.unlocked()
	noError(t, err)
	calls := 0
	err = s.say(k, "a", 0, func() (int, string, error) {
		if calls++; calls > 1 {
			return 2, bound(good), nil
		}
		return 2, hashOf(t, ann, "a", 2), nil
	})
	if !errors.Is(err, errOther) || calls != 2 {
		t.Errorf("%v, %d calls", err, calls)
	}
	if _, err := s.GetDeleted(t.Context(), "a", 2); !errors.Is(err, store.ErrDenied) {
		t.Error(err)
	}
	// What is looked at first is what was read, whatever is there by then.
	read := rereadingFile(path, 2, good)
	for _, want := range []string{bound(good), hashOf(t, ann, "a", 2)} {
		if _, got, err := read(); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	list := contents(t, ann.membersPath())
	write(t, ann.membersPath(), []byte("x"), 0o600)
	rec, err := s.Get(t.Context(), "a", 2)
	noError(t, err)
	write(t, ann.membersPath(), list, 0o600)
	if _, err := s.Put(t.Context(), &rec.Secret, store.AnyVersion); !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "nothing is saved") {
		t.Error(err)
	}
	putFake(t, Open(ann.opt), "b", "FAKE")
}

// Somebody adds a version while a rekey has looked at the store already: it does not become the user's.
func TestARekeyWhileSomebodyWrites(t *testing.T) {
	s := twoVersions(t)
	k, err := s.unlocked()
	noError(t, err)
	forge(t, s, "evil", 1)
	r, err := s.beginRekey(k, k)
	if r != nil {
		r.close()
	}
	if err == nil || !strings.Contains(err.Error(), "version 1 of evil is not as rhx left it") {
		t.Error(err)
	}
}

// A version with a number that accept does not take hides the secret until it is removed, as the error says; what is
// there is there again then.
func TestAVersionThatHidesASecret(t *testing.T) {
	ann, _ := shared(t)
	path := filepath.Join(ann.folder("a"), "500.age")
	write(t, path, contents(t, filepath.Join(ann.folder("a"), "2.age")), 0o600)
	if _, err := Open(ann.opt).Get(t.Context(), "a", 0); err == nil {
		t.Error("it is given out")
	}
	if got := problems(t, ann); !strings.Contains(got, "500.age") {
		t.Error(got)
	}
	putFake(t, Open(ann.opt), "a", "FAKE3")
	noError(t, os.Remove(path))
	if got := reads(t, ann, "a", 0); got != "FAKE3" {
		t.Error(got)
	}
	right(t, ann)
}

// A save that is refused leaves nothing, and an empty file of the record of somebody is nothing.
func TestARefusedSaveLeavesNothing(t *testing.T) {
	ann, bob := shared(t, "a")
	before := tree(t, bob.root())
	for what, err := range map[string]error{
		"put":    func() error { _, err := Open(bob.opt).Put(t.Context(), fake("new"), store.AnyVersion); return err }(),
		"delete": Open(bob.opt).Delete(t.Context(), "b"), "destroy": Open(bob.opt).Destroy(t.Context(), "b"),
	} {
		if err == nil {
			t.Error(what)
		} else if what == "put" && err.Error() != `"new": it is not shared with your key` {
			t.Error(err)
		}
	}
	if now := tree(t, bob.root()); now != before {
		t.Errorf("it was changed:\n%s\nwas\n%s", now, before)
	}
	write(t, ann.recordPath(newSharedID(signerOfStore(t, somebody(t)).public)), nil, 0o600)
	right(t, ann)
	putFake(t, Open(bob.opt), "a", "FAKE")
	right(t, bob)
}

// Who was taken out is told so, and has nothing of all.
func TestWhoWasTakenOutIsNoMember(t *testing.T) {
	ann, bob := shared(t)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	pull(t, ann, bob)
	if in, err := Open(bob.opt).Invitation(t.Context()); in != nil || !errors.Is(err, store.ErrDenied) || !strings.HasSuffix(err.Error(), "you are not a member of the store of ann any more") {
		t.Errorf("%+v, %v", in, err)
	}
	if others, err := Open(bob.opt).Others(t.Context(), []string{"a", "b"}); err != nil || len(others) != 2 {
		t.Error(others, err)
	}
	if others, err := Open(ann.opt).Others(t.Context(), []string{"a", "b"}); err != nil || len(others) != 0 {
		t.Error(others, err)
	}
}
