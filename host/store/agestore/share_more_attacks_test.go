package agestore

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

// opensVersion reports whether somebody's key opens a version.
func opensVersion(t *testing.T, who, s *Store, name string, n int) bool {
	t.Helper()
	k, err := who.unlocked()
	noError(t, err)
	data := contents(t, filepath.Join(s.folder(name), version{n: n}.file()))
	_, _, err = decodeFile(data, k.ids)
	return err == nil
}

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

// Eve makes a store of her own with the ID of ann's, in which ann is a member with the same
// key. What ann says there counts in her own store, as the owner's word.
func TestAnotherStoreWithTheSameID(t *testing.T) {
	ann, _ := shared(t)
	r, err := ann.pin()
	noError(t, err)
	eve := somebody(t)
	there := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	// eve's list, with the ID that she has from ann's folder.
	m := *memberOf(t, ann, "ann")
	m.All = true
	o := *memberOf(t, eve, "eve")
	o.All = true
	list, err := (&roster{Store: r.Store, Serial: 1, Owner: o, Members: []Member{m}}).sealed(signerOfStore(t, eve))
	noError(t, err)
	noError(t, os.MkdirAll(there.root(), 0o700))
	write(t, there.membersPath(), list.raw, 0o600)
	said := newSharedID(signerOfStore(t, eve).public)
	w := &recorder{signer: signerOfStore(t, eve), sum: list.newSum(said)}
	noError(t, os.MkdirAll(there.recordDir(), 0o700))
	write(t, there.recordPath(said), w.line(change{op: opList, version: 1, hash: hashFile(list.raw)}), 0o600)
	join(t, there)
	for range 2 {
		putFake(t, there, "a", "of eve's store")
	}
	putFake(t, there, "a", "of eve's store")
	noError(t, there.Destroy(t.Context(), "a"))
	putFake(t, there, "c", "of eve's store")
	// eve can write to the folder of ann's store: she brings ann's file of the record, and
	// removes a secret.
	id := there.mustSeen(t).ID
	write(t, ann.recordPath(id), contents(t, there.recordPath(id)), 0o600)
	clone(t, there.folder("c"), ann.folder("c"))
	noError(t, os.RemoveAll(ann.folder("a")))
	got := problems(t, ann)
	if !strings.Contains(got, "of a was taken away") {
		t.Errorf("what was removed is not found: %q", got)
	}
	if !strings.Contains(got, "of c was added") {
		t.Errorf("what was added is not found: %q", got)
	}
}

// Ann takes bob out on one machine, and on the other shares with carl meanwhile. When she
// has merged the two, and taken the list without bob, all that the other machine had written
// is readable to bob for ever, and nothing says so.
func TestForkedListKeepsAFormerMember(t *testing.T) {
	ann, bob := shared(t)
	second := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	pull(t, ann, second)
	join(t, second)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	share(t, second, memberOf(t, somebody(t), "carl"), 3)
	putFake(t, second, "new", "NEW")
	// git: the files of the second are taken where there is a conflict.
	pull(t, second, ann)
	noError(t, accept(t.Context(), ann))
	right(t, ann)
	if got := names(t, ann); got != "ann" {
		t.Fatal(got)
	}
	v, err := Open(ann.opt).Verify(t.Context())
	noError(t, err)
	_, err = ann.Share(t.Context(), nil, "")
	noError(t, err)
	if reaches(t, bob, ann) {
		t.Errorf("bob reads; verify: %+v", v)
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

// Each change of the list is one more file, of which a thousand are read.
func TestEachShareIsAFile(t *testing.T) {
	ann, _ := shared(t)
	eve := memberOf(t, somebody(t), "eve")
	count := func() int {
		ids, err := ann.allRecordIDs()
		noError(t, err)
		return len(ids)
	}
	before := count()
	for range 5 {
		_, err := ann.Share(t.Context(), eve, "")
		noError(t, err)
		_, _, err = ann.Unshare(t.Context(), "eve")
		noError(t, err)
	}
	if n := count() - before; n > 2 {
		t.Errorf("%d changes of the list made %d files; %d are read", 10, n, maxRecords)
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

// A former member with the folder's server keeps only the new list from carl: his
// record proves that there is one, and he goes on encrypting to the former.
func TestTheListIsHeldBack(t *testing.T) {
	ann, bob := shared(t)
	carl := third(t, ann, "carl", 3)
	list := contents(t, carl.membersPath())
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	pull(t, ann, carl)
	write(t, carl.membersPath(), list, 0o600)
	if got := problems(t, carl); got == "" {
		t.Error("verify finds nothing, though the record has the owner's word for list 3")
	}
	if _, err := Open(carl.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil {
		if reaches(t, bob, carl) {
			t.Error("carl encrypts to bob")
		}
	}
}

// The owner's second machine, which has not seen the new list either, makes a later one
// out of the old: the former is a member again, by `rhx store share` as verify advises.
func TestTheFormerComesBack(t *testing.T) {
	ann, bob := shared(t)
	second := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	pull(t, ann, second)
	join(t, second)
	list := contents(t, ann.membersPath())
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	share(t, ann, memberOf(t, somebody(t), "carl"), 3)
	pull(t, ann, second)
	write(t, second.membersPath(), list, 0o600)
	v, err := Open(second.opt).Verify(t.Context())
	noError(t, err)
	n, err := second.Share(t.Context(), nil, "")
	if err == nil && reaches(t, bob, second) {
		t.Errorf("bob reads again: %d versions were encrypted to him; verify before: %+v; %s", n, v, names(t, second))
	}
}

// A name that is nobody's is said to be taken out, where something else was unfinished.
func TestNobodyIsTakenOut(t *testing.T) {
	ann, _ := shared(t)
	carl := third(t, ann, "carl", 3)
	_, err := ann.Share(t.Context(), memberOf(t, somebody(t), "dan", "a"), "") // carl does not know yet
	noError(t, err)
	putFake(t, carl, "a", "of carl")
	merge(t, carl, ann)
	if _, n, err := ann.Unshare(t.Context(), "bbo"); err == nil {
		t.Errorf("bbo is taken out: %d versions; bob is there: %v", n, names(t, ann))
	}
}

// Bob hands the owner a line with carl's public key and his own signer: carl is replaced.
func TestALineWithTheKeyOfAnother(t *testing.T) {
	ann, _ := shared(t)
	carl := third(t, ann, "carl", 3)
	eve := somebody(t)
	line := &Member{Recipients: memberOf(t, carl, "").Recipients, Signer: memberOf(t, eve, "").Signer}
	m, err := ParseKey(line.Line())
	if err != nil {
		return
	}
	m.Name = "eve"
	if _, err := ann.Share(t.Context(), m, "ann"); err == nil {
		t.Errorf("carl is not a member any more, and was not named: %s", names(t, ann))
	}
}

// A key that signs everything for everybody is taken.
func TestASignerOfSmallOrder(t *testing.T) {
	one := make([]byte, ed25519.PublicKeySize)
	one[0] = 1
	sig := make([]byte, ed25519.SignatureSize)
	sig[0] = 1
	if !ed25519.Verify(one, []byte("anything"), sig) {
		t.Fatal("it signs not everything")
	}
	eve := somebody(t)
	line := &Member{Recipients: memberOf(t, eve, "").Recipients, Signer: sigText.EncodeToString(one)}
	if m, err := ParseKey(line.Line()); err == nil && validSigner(m.Signer) {
		t.Error("it is taken")
	}
}

// Unshare says that it is done, and has encrypted nothing anew, where somebody has cut
// the record before.
func TestUnshareOfACutRecord(t *testing.T) {
	ann, bob := shared(t)
	for _, id := range func() []string { ids, _ := ann.allRecordIDs(); return ids }() {
		if strings.HasPrefix(id, idPrefix(signerOfStore(t, ann).public)) {
			noError(t, os.Truncate(ann.recordPath(id), 0))
		}
	}
	_, n, err := ann.Unshare(t.Context(), "bob")
	if err == nil && reaches(t, bob, ann) {
		t.Errorf("bob is taken out with %d versions encrypted anew, and reads all", n)
	}
}

// Two stores of the same owner have the same fingerprint: a script that joins one with
// --owner joins the other, whose members are others.
func TestJoinOfAnotherStoreOfTheSameOwner(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	eve := somebody(t)
	putFake(t, ann, "a", "FAKE")
	share(t, ann, memberOf(t, bob, "bob"), 1)
	other := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	share(t, other, memberOf(t, bob, "bob"), 0)
	share(t, other, memberOf(t, eve, "eve"), 0)
	one := Open(Options{Dir: dataDir(t), Identity: keep(t, bob)})
	pull(t, ann, one)
	write(t, one.membersPath(), contents(t, other.membersPath()), 0o600)
	in, err := one.Invitation(t.Context())
	noError(t, err)
	if r, err := ann.Shared(t.Context()); err != nil || in.Fingerprint == r.Fingerprint {
		t.Errorf("the fingerprint that rhx store share printed for another store fits: %d members", len(in.Members))
	}
}

// The fingerprint of the owner with two keys is not that of rhx store key.
func TestTwoKeysAnotherFingerprint(t *testing.T) {
	ann := somebody(t)
	id, err := age.GenerateX25519Identity()
	noError(t, err)
	path := filepath.Join(ann.opt.Dir, "identity.txt")
	write(t, path, append(contents(t, path), id.String()+"\n"...), 0o600)
	ann = Open(ann.opt)
	share(t, ann, memberOf(t, somebody(t), "bob"), 0)
	r, err := ann.pin()
	noError(t, err)
	if own := memberOf(t, ann, ""); own.Fingerprint() != r.Owner.Fingerprint() {
		t.Error("rhx store join --owner with the fingerprint that share printed is refused")
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

// Who reads only sees a list, and then the one before.
func TestAReaderSeesNoRollback(t *testing.T) {
	ann, bob := shared(t)
	list := contents(t, bob.membersPath())
	third(t, ann, "carl", 3)
	pull(t, ann, bob)
	_ = reads(t, bob, "a", 0)
	write(t, bob.membersPath(), list, 0o600)
	if got := reads(t, bob, "a", 0); !strings.Contains(got, "earlier time") {
		t.Errorf("he is not told: %s", got)
	}
}

// Join moves the pin back.
func TestJoinMovesThePinBack(t *testing.T) {
	ann, bob := somebody(t), somebody(t)
	share(t, ann, memberOf(t, bob, "bob"), 0)
	pull(t, ann, bob)
	in, err := bob.Invitation(t.Context()) // shown, and not answered yet
	noError(t, err)
	share(t, ann, memberOf(t, somebody(t), "carl"), 0)
	pull(t, ann, bob)
	join(t, bob) // in another terminal
	old := in.roster.raw
	write(t, bob.membersPath(), old, 0o600)
	_ = bob.Join(t.Context(), in)
	r, err := bob.pin()
	noError(t, err)
	if bytes.Equal(r.raw, old) {
		t.Error("the pin is back at the first list")
	}
}

// What the owner's file said of files that are void, and of what is to be encrypted anew,
// is lost with the file, where accept has made that void: it is not said again.
func TestRekeyIsLostWithAVoidFile(t *testing.T) {
	ann, bob := shared(t)
	carl := third(t, ann, "carl", 3)
	pull(t, ann, bob)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	putFake(t, carl, "of carl", "NEW") // he does not know yet
	merge(t, carl, ann)
	v, err := Open(ann.opt).Verify(t.Context())
	if err != nil || len(v.Notes) != 1 {
		t.Fatal(v, err)
	}
	// Somebody spoils the owner's files; she accepts; they remove them, which count no more.
	ids, err := ann.allRecordIDs()
	noError(t, err)
	for _, id := range ids {
		if strings.HasPrefix(id, idPrefix(signerOfStore(t, ann).public)) {
			write(t, ann.recordPath(id), append(contents(t, ann.recordPath(id)), "x\n"...), 0o600)
		}
	}
	noError(t, accept(t.Context(), Open(ann.opt)))
	right(t, ann)
	for _, id := range ids {
		if validID(id) || strings.HasPrefix(id, idPrefix(signerOfStore(t, ann).public)) {
			_ = os.Remove(ann.recordPath(id)) // accept may have done so
		}
	}
	v, err = Open(ann.opt).Verify(t.Context())
	noError(t, err)
	_, _ = Open(ann.opt).Share(t.Context(), nil, "")
	if opensVersion(t, bob, ann, "of carl", 1) && len(v.Problems)+len(v.Notes) == 0 {
		t.Error("bob reads it, and verify finds nothing")
	}
}

// Who joins another store (or the owner's new one) saves nothing there, ever: files of
// their key in the store before are said to be removed.
func TestJoiningAnotherStore(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "of bob", "FAKE")
	anew := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	putFake(t, anew, "a", "FAKE")
	share(t, anew, memberOf(t, bob, "bob"), 1)
	clone(t, anew.root(), bob.root())
	join(t, bob)
	if got := problems(t, bob); got != "" {
		t.Error(got)
	}
	if _, err := Open(bob.opt).Put(t.Context(), fake("new"), store.AnyVersion); err != nil {
		t.Error(err)
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

// Two machines take out one member each: the one's accept brings the other's back.
func TestForkBringsBack(t *testing.T) {
	ann, _ := shared(t)
	carl := third(t, ann, "carl", 3)
	second := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	pull(t, ann, second)
	join(t, second)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	_, _, err = second.Unshare(t.Context(), "carl")
	noError(t, err)
	pull(t, second, ann)
	noError(t, accept(t.Context(), ann))
	right(t, ann)
	putFake(t, Open(ann.opt), "new", "NEW")
	if opensVersion(t, carl, ann, "new", 1) {
		t.Errorf("carl, whom the second machine took out, reads what is new: %s", names(t, ann))
	}
}

// A rekey of the owner that was signed again by a thief of the old key, before the others
// have joined.
func TestAuthorsAfterRestating(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "x", "WRONG")
	merge(t, bob, ann)
	if got := authors(t, ann, "x"); got != "bob" {
		t.Fatal(got)
	}
	_, err := ann.Share(t.Context(), memberOf(t, bob, "bob", "a", "x"), "")
	noError(t, err)
	if got := authors(t, ann, "x"); got == "ann" {
		t.Error("history says that ann has saved what bob saved")
	}
}

// The second machine of somebody who saves on the first one only: join does not say
// that there are private secrets in the folder.
func TestSavedElsewhere(t *testing.T) {
	ann, eve := somebody(t), somebody(t)
	putFake(t, ann, "a", "PRIVATE")
	second := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	clone(t, ann.root(), second.root())
	_ = reads(t, second, "a", 0)
	share(t, eve, memberOf(t, ann, "ann-laptop"), 0)
	write(t, second.membersPath(), contents(t, eve.membersPath()), 0o600)
	in, err := second.Invitation(t.Context())
	if err != nil || !in.Saved {
		t.Errorf("%+v, %v", in, err)
	}
}

// The owner's own machine advises to join somebody else's list.
func TestTheOwnerIsAdvisedToJoin(t *testing.T) {
	ann, _ := shared(t)
	eve := somebody(t)
	share(t, eve, memberOf(t, ann, "ann2"), 0)
	write(t, ann.membersPath(), contents(t, eve.membersPath()), 0o600)
	_, err := Open(ann.opt).Put(t.Context(), fake("new"), store.AnyVersion)
	if hint := fault.Hint(err); !strings.Contains(hint, "--accept") {
		t.Errorf("%v: %s", err, hint)
	}
	private := somebody(t)
	putFake(t, private, "a", "PRIVATE")
	share(t, eve, memberOf(t, private, "private"), 0)
	write(t, private.membersPath(), contents(t, eve.membersPath()), 0o600)
	_, err = Open(private.opt).Put(t.Context(), fake("new"), store.AnyVersion)
	if hint := fault.Hint(err); !strings.Contains(hint, "remove") {
		t.Errorf("%v: %s", err, hint)
	}
}

// A fork with different numbers: ann takes bob out on her second machine (list 2'), and on
// the first makes lists 2 and 3. The second takes 3 for a later one: bob is a member again, and
// nobody is told.
func TestALongerForkWins(t *testing.T) {
	ann, bob := shared(t)
	second := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	pull(t, ann, second)
	join(t, second)
	_, _, err := second.Unshare(t.Context(), "bob")
	noError(t, err)
	third(t, ann, "carl", 3)
	third(t, ann, "dan", 3)
	merge(t, ann, second)
	write(t, second.membersPath(), contents(t, ann.membersPath()), 0o600)
	if got := problems(t, second); got == "" {
		t.Errorf("the machine that took bob out finds nothing: %s", names(t, second))
	}
	if _, err := Open(second.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil && opensVersion(t, bob, second, "new", 1) {
		t.Error("it encrypts to bob")
	}
}

// By way of accept: a stranger puts in what is of another store of hers.
func TestAccepted(t *testing.T) {
	ann, bob := shared(t)
	private := Open(Options{Dir: dataDir(t), Identity: keep(t, ann)})
	for range 3 {
		putFake(t, private, "a", "PRIVATE")
	}
	write(t, filepath.Join(ann.folder("a"), "3.age"), contents(t, filepath.Join(private.folder("a"), "3.age")), 0o600)
	_ = accept(t.Context(), ann)
	_, _ = ann.Share(t.Context(), nil, "")
	if opensVersion(t, bob, ann, "a", 3) {
		t.Error("bob reads what was private")
	}
}

// Accept, killed at any step: called again it ends, and nobody else reads.
func TestSoakAcceptIsKilled(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "of bob", "FAKE1")
	putFake(t, bob, "of bob", "FAKE2")
	pull(t, bob, ann)
	right(t, ann)
	noError(t, os.Remove(ann.membersPath()))
	forge(t, ann, "evil", 1)
	path := ann.recordPath(bob.mustSeen(t).ID)
	lines := bytes.SplitAfter(contents(t, path), []byte("\n"))
	write(t, path, bytes.Join(lines[:len(lines)-3], nil), 0o600)
	work := func(s *Store) error { return accept(t.Context(), s) }
	for step := 1; ; step += nextStep() {
		s, done := killedAt(t, ann, step, work)
		if done {
			if step < 20 {
				t.Errorf("only %d steps", step)
			}
			return
		}
		noError(t, accept(t.Context(), Open(s.opt)))
		right(t, Open(s.opt))
		if got := names(t, Open(s.opt)); got != "ann bob" {
			t.Errorf("step %d: %s", step, got)
		}
		putFake(t, Open(s.opt), "more", "FAKE")
		right(t, Open(s.opt))
	}
}

// A kill between the owner's word and the list, and then `rhx store share` as verify
// advises: bob, who was to be taken out, is encrypted to again.
func TestSoakShareEndsAnUnshare(t *testing.T) {
	ann, _ := shared(t)
	work := func(s *Store) error { _, _, err := s.Unshare(t.Context(), "bob"); return err }
	for step := 1; ; step += nextStep() {
		s, done := killedAt(t, ann, step, work)
		if done {
			return
		}
		v, err := Open(s.opt).Verify(t.Context())
		noError(t, err)
		n, err := Open(s.opt).Share(t.Context(), nil, "")
		if got := names(t, Open(s.opt)); n > 0 && err == nil && got != "ann" {
			t.Errorf("step %d: verify said %q; share ended it with %d versions anew for %s", step, v.Notes, n, got)
		}
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

// Recipients.txt, which says nothing, stops a key of SSH with a passphrase.
func TestRecipientsOfAStranger(t *testing.T) {
	ann, bob := shared(t)
	write(t, bob.recipientsPath(), []byte(memberOf(t, somebody(t), "").Recipients[0]+"\n"), 0o600)
	if got := reads(t, bob, "a", 0); got != "FAKE2" {
		t.Error(got)
	}
	if _, err := Open(bob.opt).Put(t.Context(), fake("new"), store.AnyVersion); err != nil {
		t.Error(err)
	}
	merge(t, bob, ann)
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

// The server gives a machine that joins the newest list, and of the owner's record all but
// the file that says so, and what is void with it.
func TestAListWithoutItsLine(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "of bob", "FAKE")
	merge(t, bob, ann)
	old := t.TempDir()
	clone(t, ann.recordDir(), old)
	carl := somebody(t)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	_, err = ann.Share(t.Context(), memberOf(t, carl, "carl"), "")
	noError(t, err)
	pull(t, ann, carl)
	clone(t, old, carl.recordDir())
	join(t, carl)
	v, err := Open(carl.opt).Verify(t.Context())
	noError(t, err)
	if got := strings.Join(v.Problems, " "); !strings.Contains(got, "members") {
		t.Errorf("that the owner's record has no word of this list is not said: %d problems", len(v.Problems))
	}
	if _, err := Open(carl.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil {
		t.Error("he saves")
	}
}

// Likewise a version that is a folder, or cannot be read.
func TestUnshareWithAFolderAsAVersion(t *testing.T) {
	ann, bob := shared(t)
	noError(t, os.MkdirAll(filepath.Join(ann.folder("0"), "1.age"), 0o700))
	_, n, err := ann.Unshare(t.Context(), "bob")
	if opensVersion(t, bob, ann, "a", 2) {
		t.Errorf("bob reads: %d, %v", n, err)
	}
	if _, err := Open(ann.opt).Verify(t.Context()); err != nil {
		t.Error("verify ends: ", err)
	}
}

// A version that was taken away, and accepted as gone: its mark hides the secret again.
func TestAMarkOfAForgottenVersion(t *testing.T) {
	ann, _ := shared(t)
	one := recorded(t)
	one.opt.Warn = nil
	for name, s := range map[string]*Store{"shared": ann, "alone": one} {
		k := 2
		if name == "alone" {
			k = 3
		}
		noError(t, os.Remove(filepath.Join(s.folder("a"), version{n: k}.file())))
		noError(t, accept(t.Context(), Open(s.opt)))
		right(t, s)
		write(t, filepath.Join(s.folder("a"), version{n: k}.mark()), nil, 0o600)
		_, err := Open(s.opt).Get(t.Context(), "a", 0)
		if got := problems(t, s); err != nil && got == "" {
			t.Errorf("%s: %v, and verify finds nothing", name, err)
		}
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
