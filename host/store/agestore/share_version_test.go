package agestore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// A member puts into the shared store a version of the owner's private store (the same
// key, the same name), which they cannot read: the owner's next share encrypts it to them.
func TestPrivateStoreIsEncryptedToAMember(t *testing.T) {
	ann, bob := shared(t, "a")
	private := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	for range 3 {
		putFake(t, private, "a", "PRIVATE")
	}
	if opensVersion(t, bob, private, "a", 3) {
		t.Fatal("bob reads the private store")
	}
	write(t, filepath.Join(bob.folder("a"), "3.age"), contents(t, filepath.Join(private.folder("a"), "3.age")), 0o600)
	says(t, bob, change{op: opPut, folder: "a", version: 3, hash: hashOf(t, bob, "a", 3)}, change{op: opDone})
	merge(t, bob, ann)
	if got := problems(t, ann); got == "" {
		t.Error("verify finds nothing")
	}
	if got := reads(t, ann, "a", 0); got == "PRIVATE" {
		t.Error("ann reads it without a warning")
	}
	_, err := ann.Share(t.Context(), nil, "")
	noError(t, err)
	if opensVersion(t, bob, ann, "a", 3) {
		t.Error("bob reads what was private")
	}
}

// The same with what the owner had in this very store before bob was there, and destroyed:
// git has it in its history.
func TestDestroyedVersionIsEncryptedToAMember(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	for range 3 {
		putFake(t, ann, "a", "PRIVATE")
	}
	old := contents(t, filepath.Join(ann.folder("a"), "3.age")) // in git's history
	noError(t, ann.Destroy(t.Context(), "a"))
	putFake(t, ann, "a", "FAKE")
	share(t, ann, memberOf(t, bob, "bob", "a"), 1)
	pull(t, ann, bob)
	join(t, bob)
	write(t, filepath.Join(bob.folder("a"), "3.age"), old, 0o600)
	says(t, bob, change{op: opPut, folder: "a", version: 3, hash: hashOf(t, bob, "a", 3)}, change{op: opDone})
	merge(t, bob, ann)
	if got := problems(t, ann); got == "" {
		t.Error("verify finds nothing")
	}
	_, err := ann.Share(t.Context(), nil, "")
	noError(t, err)
	if opensVersion(t, bob, ann, "a", 3) {
		t.Error("bob reads what was private")
	}
}

// By way of the owner's restating: bob is taken out, and his accomplice reads it.
func TestRestatedForAnAccomplice(t *testing.T) {
	ann, bob := shared(t)
	carl := third(t, ann, "carl", 3)
	private := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	for range 3 {
		putFake(t, private, "a", "PRIVATE")
	}
	write(t, filepath.Join(bob.folder("a"), "3.age"), contents(t, filepath.Join(private.folder("a"), "3.age")), 0o600)
	pull(t, ann, bob)
	write(t, filepath.Join(bob.folder("a"), "3.age"), contents(t, filepath.Join(private.folder("a"), "3.age")), 0o600)
	says(t, bob, change{op: opPut, folder: "a", version: 3, hash: hashOf(t, bob, "a", 3)}, change{op: opDone})
	merge(t, bob, ann)
	_, _, err := ann.Unshare(t.Context(), "bob")
	if fault.KindOf(err) != fault.Partial || !strings.Contains(err.Error(), "a/3.age") || names(t, ann) != "ann carl" {
		t.Error(err)
	}
	if opensVersion(t, carl, ann, "a", 3) {
		t.Error("carl reads what was private")
	}
}

// A mark without a version hides a secret: it is not found any more, and verify says that
// all is right.
func TestAMarkHidesASecret(t *testing.T) {
	ann, _ := shared(t)
	write(t, filepath.Join(ann.folder("a"), "999.deleted"), nil, 0o600)
	if _, err := Open(ann.opt).Get(t.Context(), "a", 0); err == nil {
		t.Fatal("it is found")
	}
	if got := problems(t, ann); got == "" {
		t.Error("verify finds nothing")
	}
}

// A stranger's mark with the highest number: nobody saves the secret any more, and
// verify says that all is right.
func TestAMarkThatStopsSaving(t *testing.T) {
	ann, _ := shared(t)
	write(t, filepath.Join(ann.folder("a"), "2147483648.deleted"), nil, 0o600)
	_, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion)
	if got := problems(t, ann); err != nil && got == "" {
		t.Errorf("%v, and verify finds nothing", err)
	}
	noError(t, accept(t.Context(), ann))
	if _, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err != nil {
		t.Error(err)
	}
}

// Likewise with a version; accept says what the owner may not say, and never ends.
func TestAVersionThatStopsSaving(t *testing.T) {
	ann, _ := shared(t)
	noError(t, os.MkdirAll(ann.folder("a"), 0o700))
	write(t, filepath.Join(ann.folder("a"), "2147483649.age"), contents(t, filepath.Join(ann.folder("a"), "2.age")), 0o600)
	noError(t, accept(t.Context(), ann))
	noError(t, os.Remove(filepath.Join(ann.folder("a"), "2147483649.age")))
	right(t, ann)
	noError(t, accept(t.Context(), ann))
	right(t, ann)
}

// Bob says another hash, and then ann's own, of her version: who made it is not known any
// more, and it is left when he is taken out.
func TestSomebodyElsesHash(t *testing.T) {
	ann, bob := shared(t)
	says(t, bob, change{op: opPut, folder: "a", version: 2, hash: strings.Repeat("0", 2*hashBytes)}, change{op: opDone},
		change{op: opPut, folder: "a", version: 2, hash: hashOf(t, bob, "a", 2)}, change{op: opDone})
	merge(t, bob, ann)
	if got := problems(t, ann); got != "" {
		t.Error(got)
	}
	_, n, err := ann.Unshare(t.Context(), "bob")
	if opensVersion(t, bob, ann, "a", 2) {
		t.Errorf("bob reads ann's version: %d, %v", n, err)
	}
}

// A stranger removes the record of a store that is not shared yet, and puts in what is of
// another store of hers; on a machine that has not written there nothing is noticed, and the
// first share gives it to bob.
func TestTheFirstShareWithoutARecord(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	putFake(t, ann, "a", "FAKE")
	private := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	putFake(t, private, "a", "PRIVATE")
	putFake(t, private, "a", "PRIVATE")
	second := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	clone(t, ann.root(), second.root())
	noError(t, os.RemoveAll(second.recordDir()))
	write(t, filepath.Join(second.folder("a"), "2.age"), contents(t, filepath.Join(private.folder("a"), "2.age")), 0o600)
	var said []string
	second.opt.Warn = func(m string) { said = append(said, m) }
	_, err := second.Share(t.Context(), memberOf(t, bob, "bob"), "ann")
	if err == nil && opensVersion(t, bob, second, "a", 2) {
		t.Errorf("bob reads what was private; said: %q", said)
	}
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
	// Also where they come when it was looked at already.
	k, err := locked.unlocked()
	noError(t, err)
	_, shareErr := locked.presentAsRecorded(k, true)
	const left = "version 2 of a is not as rhx left it"
	if changes, err := locked.presentAsRecorded(k, false); err == nil || !strings.Contains(err.Error(), left) || shareErr == nil || !strings.Contains(shareErr.Error(), left) {
		t.Errorf("%v, %v, %v", changes, err, shareErr)
	}
	_, err = Open(locked.opt).Share(t.Context(), memberOf(t, bob, "bob"), "ann")
	if err == nil || !strings.Contains(err.Error(), "version 2 of a was added by somebody else") {
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
	err = s.say(k, "a", 0, func() (found, error) {
		if calls++; calls > 1 {
			return found{version: 2, hash: bound(good)}, nil
		}
		return found{version: 2, hash: hashOf(t, ann, "a", 2)}, nil
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
		if got, err := read(); err != nil || got.hash != want {
			t.Errorf("%+v, %v, want %s", got, err, want)
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

// An old ciphertext of the owner's, for a former member too, is not encrypted to others on another
// member's word, nor taken for theirs.
func TestAnOldVersionOnAnothersWord(t *testing.T) {
	ann, bob := shared(t)
	carl := third(t, ann, "carl", 3)
	putFake(t, ann, "a", "FAKE9")
	path := filepath.Join(ann.folder("a"), "3.age")
	old := contents(t, path)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	noError(t, ann.Destroy(t.Context(), "a"))
	write(t, path, old, 0o600)
	signs(t, carl, ann, ann, change{op: opPut, folder: "a", version: 3, hash: hashFile(old)}, change{op: opDone})
	if got := problems(t, ann); !strings.Contains(got, "version 3 of a was made by another one") {
		t.Error(got)
	}
	dan := somebody(t)
	if _, err := Open(ann.opt).Share(t.Context(), memberOf(t, dan, "dan"), ""); err != nil && fault.KindOf(err) != fault.Partial {
		t.Error(err)
	}
	if opensVersion(t, dan, ann, "a", 3) {
		t.Error("dan reads it")
	}
	n, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion)
	noError(t, err)
	if opensVersion(t, bob, ann, "a", n) {
		t.Error("bob reads what is new")
	}
}

// One version that cannot be read is named, and hides no other: verify reads on, and accept leaves it
// as the record has it.
func TestOneVersionThatIsNone(t *testing.T) {
	s := recorded(t)
	s.opt.Warn = nil
	path := filepath.Join(s.folder("a"), "1.age")
	good := contents(t, path)
	sparse(t, path, maxFile+1)
	noError(t, os.Remove(filepath.Join(s.folder("a"), "2.age")))
	got := problems(t, s)
	if !strings.Contains(got, "a/1.age is larger than any version") || !strings.Contains(got, "version 2 of a was taken away") {
		t.Error(got)
	}
	noError(t, accept(t.Context(), Open(s.opt)))
	if got := problems(t, s); !strings.Contains(got, "a/1.age is larger than any version") || strings.Contains(got, "version 2") {
		t.Error(got)
	}
	write(t, path, good, 0o600)
	right(t, s)
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
