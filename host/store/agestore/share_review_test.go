package agestore

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

// secondOf is another machine of a store's owner, that has the folder as it is now.
func secondOf(t *testing.T, ann *Store) *Store {
	t.Helper()
	s := somebody(t)
	noError(t, os.RemoveAll(s.opt.Dir), os.CopyFS(s.opt.Dir, os.DirFS(ann.opt.Dir)), os.Remove(s.seenPath()))
	right(t, s)
	return s
}

// sparse makes a file that is larger than any version, and takes no room in git.
func sparse(t *testing.T, path string, size int64) {
	t.Helper()
	noError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	write(t, path, nil, 0o600)
	noError(t, os.Truncate(path, size))
}

// One machine of the owner takes bob out. The other one gets all but the new list: it is held
// back, or gone. What it accepts then brings bob back to nobody.
func TestAcceptBringsNobodyBack(t *testing.T) {
	for name, held := range map[string]func(t *testing.T, s *Store, list []byte){
		"the list before is put back": func(t *testing.T, s *Store, list []byte) { write(t, s.membersPath(), list, 0o600) },
		"the list is removed":         func(t *testing.T, s *Store, _ []byte) { noError(t, os.Remove(s.membersPath())) },
	} {
		t.Run(name, func(t *testing.T) {
			ann, bob := shared(t)
			carl := third(t, ann, "carl", 3)
			putFake(t, carl, "of carl", "FAKE")
			pull(t, carl, ann)
			right(t, ann)
			second := secondOf(t, ann)
			list := contents(t, second.membersPath())
			_, _, err := ann.Unshare(t.Context(), "bob")
			noError(t, err)
			pull(t, ann, second)
			held(t, second, list)
			if problems(t, second) == "" {
				t.Error("verify finds nothing")
			}
			if _, err := Open(second.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil {
				t.Error("it saves")
			}
			// The user is shown that.
			shown, err := Open(second.opt).Acceptance(t.Context())
			noError(t, err)
			var out []string
			for _, m := range shown.Out {
				out = append(out, m.Name)
			}
			if !slices.Equal(out, []string{"bob", "carl"}) || len(shown.Members) != 0 {
				t.Errorf("%q are out, %v stay", out, shown.Members)
			}
			noError(t, Open(second.opt).Accept(t.Context(), shown))
			if got := names(t, second); got != "ann" {
				t.Error(got)
			}
			right(t, second)
			if got := authors(t, second, "of carl"); got != "carl" && got != former {
				t.Error(got)
			}
			pull(t, second, ann)
			right(t, ann)
			if got := names(t, ann); got != "ann" {
				t.Error(got)
			}
			putFake(t, Open(ann.opt), "new", "FAKE")
			if opensVersion(t, bob, ann, "new", 1) {
				t.Error("bob reads what machine 1 saves")
			}
			if opensVersion(t, carl, ann, "new", 1) {
				t.Error("carl reads what machine 1 saves")
			}
			// Carl is asked back.
			share(t, ann, memberOf(t, carl, "carl"), 5)
			pull(t, ann, carl)
			right(t, ann, carl)
			putFake(t, carl, "again", "FAKE")
		})
	}
}

// One machine of the owner takes bob out. The other one gets the list, and neither what the owner
// has said with it nor what was encrypted anew. What it accepts bob does not read.
func TestAcceptWithoutTheWordBehindTheList(t *testing.T) {
	ann, bob := shared(t)
	carl := third(t, ann, "carl", 3)
	second := secondOf(t, ann)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	write(t, second.membersPath(), contents(t, ann.membersPath()), 0o600)
	if got := problems(t, second); !strings.Contains(got, "record does not have list 3") {
		t.Error(got)
	}
	noError(t, accept(t.Context(), Open(second.opt)))
	right(t, second)
	if got := names(t, second); got != "ann carl" {
		t.Error(got)
	}
	if reaches(t, bob, second) {
		t.Error("bob reads")
	}
	if !opensVersion(t, carl, second, "a", 2) {
		t.Error("carl does not read")
	}
}

// Nothing is accepted but what was shown.
func TestAcceptOfAnotherListThanTheOneShown(t *testing.T) {
	ann, _ := shared(t)
	shown, err := ann.Acceptance(t.Context())
	noError(t, err)
	if got := len(shown.Members); got != 1 || shown.Out != nil {
		t.Errorf("%+v", shown)
	}
	third(t, ann, "carl", 3)
	if err := Open(ann.opt).Accept(t.Context(), shown); err == nil || !strings.Contains(err.Error(), "has changed meanwhile") {
		t.Error(err)
	}
	if err := Open(ann.opt).Accept(t.Context(), nil); err == nil {
		t.Error("what was not shown is accepted")
	}
	if got := names(t, ann); got != "ann bob carl" {
		t.Error(got)
	}
}

// What a member, or anybody who writes to the folder, puts there does not stop the owner from
// taking the member out, nor verify from telling of it.
func TestUnshareIsNotStopped(t *testing.T) {
	for name, c := range map[string]struct {
		put  func(t *testing.T, ann, bob *Store)
		want string
	}{
		"a version larger than any": {func(t *testing.T, ann, _ *Store) {
			sparse(t, filepath.Join(ann.folder("0"), "1.age"), maxFile+1)
		}, "is larger than any version"},
		"names of no secret": {func(t *testing.T, ann, _ *Store) {
			for _, name := range []string{"%zz", "=aa", "a b", strings.Repeat("x", 200)} {
				write(t, filepath.Join(ann.secrets(), name, "1.age"), []byte("x"), 0o600)
			}
		}, "was added by somebody else"},
		"an empty version": {func(t *testing.T, ann, _ *Store) {
			write(t, filepath.Join(ann.folder("a"), "5.age"), nil, 0o600)
		}, "version 5 of a was added by somebody else"},
		"more files of the record than there can be": {func(t *testing.T, ann, bob *Store) {
			for range maxFiles + 1 {
				signs(t, bob, ann, ann, change{op: opPut, folder: "a", version: 2, hash: hashOf(t, ann, "a", 2)}, change{op: opDone})
			}
		}, "bob has more files of the record than there can be"},
		"a save that is under way, and larger than any": {func(t *testing.T, ann, bob *Store) {
			path := filepath.Join(ann.folder("c"), "1.age")
			sparse(t, path, maxFile+1)
			signs(t, bob, ann, ann, change{op: opPut, folder: "c", version: 1, hash: strings.Repeat("0", 2*hashBytes)})
		}, "is larger than any version"},
		"a folder as the list of keys": {func(t *testing.T, ann, _ *Store) {
			noError(t, os.Remove(ann.recipientsPath()))
			write(t, filepath.Join(ann.recipientsPath(), "x"), nil, 0o600)
		}, ""},
		"a version with a header that rhx does not write": {func(t *testing.T, ann, bob *Store) {
			args := binding{ann.sharedRoster(t).hash, ann.sharedRoster(t).Store, idPrefix(signerOfStore(t, bob).public)}.args()
			args = append(args, "name=0", "version=1", "updated=2026-11-29T00:00:00Z", "provider="+strings.Repeat("x", maxStanza))
			var b bytes.Buffer
			w, err := age.Encrypt(&b, &described{&age.Stanza{Type: stanzaType, Args: args}, ann.sharedRoster(t).recipients("0")})
			noError(t, err)
			_, err = w.Write([]byte(`{"values":{}}`))
			noError(t, err, w.Close())
			write(t, filepath.Join(ann.folder("0"), "1.age"), b.Bytes(), 0o600)
			signs(t, bob, ann, ann, change{op: opPut, folder: "0", version: 1, hash: hashFile(b.Bytes())}, change{op: opDone})
		}, ""},
		"files of the record that are none": {func(t *testing.T, ann, bob *Store) {
			for _, s := range []*Store{ann, bob} {
				noError(t, os.Mkdir(ann.recordPath(newSharedID(signerOfStore(t, s).public)), 0o700))
				sparse(t, ann.recordPath(newSharedID(signerOfStore(t, s).public)), maxRecord+1)
				write(t, ann.recordPath(newSharedID(signerOfStore(t, s).public)), []byte("junk\n"), 0o600)
			}
		}, "no member wrote it"},
	} {
		t.Run(name, func(t *testing.T) {
			ann, bob := shared(t)
			c.put(t, ann, bob)
			if got := problems(t, ann); !strings.Contains(got, c.want) {
				t.Error(got)
			}
			putFake(t, Open(ann.opt), "more", "FAKE")
			_, n, err := ann.Unshare(t.Context(), "bob")
			if n != 4 || err != nil && fault.KindOf(err) != fault.Partial {
				t.Errorf("%d versions were encrypted anew, %v", n, err)
			}
			for v := range 2 {
				if opensVersion(t, bob, ann, "a", v+1) {
					t.Errorf("bob reads version %d", v+1)
				}
			}
			if got := names(t, ann); got != "ann" {
				t.Error(got)
			}
			if err := accept(t.Context(), Open(ann.opt)); err != nil {
				t.Error(err)
			}
			putFake(t, Open(ann.opt), "new", "FAKE")
		})
	}
}

// A member who has more files than there can be saves nothing that would not count.
func TestTooManyFilesOfAMember(t *testing.T) {
	ann, bob := shared(t)
	for range maxFiles {
		signs(t, bob, bob, ann, change{op: opPut, folder: "a", version: 2, hash: hashOf(t, ann, "a", 2)}, change{op: opDone})
	}
	pull(t, bob, ann)
	if _, err := Open(bob.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "more files of the record than there can be") {
		t.Error(err)
	}
	putFake(t, ann, "new", "FAKE")
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	right(t, ann)
}

// A member's word on the highest number of all does not count: the next save has the next one.
func TestTheHighestNumber(t *testing.T) {
	for _, n := range []int{maxNumber, 3 * maxJump} {
		ann, bob := shared(t, "a")
		data := contents(t, filepath.Join(ann.folder("a"), "2.age"))
		path := filepath.Join(ann.folder("a"), version{n: n}.file())
		write(t, path, data, 0o600)
		signs(t, bob, ann, ann, change{op: opPut, folder: "a", version: n, hash: hashFile(data)}, change{op: opDone})
		if got := problems(t, ann); !strings.Contains(got, "the number of the version is far above that of any other") || !strings.Contains(got, fmt.Sprintf("version %d of a was added", n)) {
			t.Error(got)
		}
		for want := 3; want <= 4; want++ {
			if got, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err != nil || got != want {
				t.Errorf("version %d, %v", got, err)
			}
		}
		_, _, err := ann.Unshare(t.Context(), "bob")
		if err != nil && fault.KindOf(err) != fault.Partial {
			t.Error(err)
		}
		noError(t, accept(t.Context(), Open(ann.opt)))
		if got, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err != nil || got != 5 {
			t.Errorf("version %d, %v", got, err)
		}
		noError(t, os.Remove(path))
		right(t, ann)
	}
}

// What is near above the others counts; one more does not.
func TestANumberNearTheOthers(t *testing.T) {
	ann, bob := shared(t)
	b := binding{ann.sharedRoster(t).hash, ann.sharedRoster(t).Store, idPrefix(signerOfStore(t, bob).public)}
	plain, err := encodePayload(fake("a"))
	noError(t, err)
	data, err := encodeBound(store.Info{Name: "a", Version: 2 + maxJump}, plain, ann.sharedRoster(t).recipients("a"), b.args()...)
	noError(t, err)
	write(t, filepath.Join(ann.folder("a"), version{n: 2 + maxJump}.file()), data, 0o600)
	signs(t, bob, ann, ann, change{op: opPut, folder: "a", version: 2 + maxJump, hash: hashFile(data)}, change{op: opDone})
	right(t, ann)
	if got, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err != nil || got != 3+maxJump {
		t.Errorf("version %d, %v", got, err)
	}
	signs(t, bob, ann, ann, change{op: opPut, folder: "a", version: 4 + 2*maxJump, hash: hashFile(data)}, change{op: opDone})
	if got := problems(t, ann); !strings.Contains(got, "far above that of any other") {
		t.Error(got)
	}
}

func (s *Store) sharedRoster(t *testing.T) *roster {
	t.Helper()
	r, err := s.shared()
	noError(t, err)
	return r
}

// Files in the place of the next versions are skipped, and not for ever.
func TestNumbersThatAreTaken(t *testing.T) {
	ann, _ := shared(t)
	for n := range maxJump {
		if n == maxJump-1 {
			if got, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err != nil || got != 2+maxJump {
				t.Fatalf("version %d, %v", got, err)
			}
			continue
		}
		write(t, filepath.Join(ann.folder("a"), version{n: 3 + n}.file()), []byte("x"), 0o600)
	}
	for n := range maxJump {
		write(t, filepath.Join(ann.folder("a"), version{n: 3 + maxJump + n}.file()), []byte("x"), 0o600)
	}
	if _, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "there are 100 versions that the record does not have") {
		t.Error(err)
	}
	if got := problems(t, ann); !strings.Contains(got, "version 102 of a was") && !strings.Contains(got, "version 103 of a was added") {
		t.Error(got)
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

// An rhx from before sharing says of what was seen that a newer one wrote it, and does not
// advise to remove it: the halves of the ID are what it takes for one.
func TestSeenOfASharedStore(t *testing.T) {
	ann, bob := shared(t)
	for _, s := range []*Store{ann, bob} {
		was := struct {
			Version int
			ID      string
			Rest    string
		}{}
		noError(t, json.Unmarshal(contents(t, s.seenPath()), &was))
		if was.Version != 2 || !validID(was.ID) || was.ID+was.Rest != s.mustSeen(t).ID {
			t.Errorf("%+v", was)
		}
	}
	alone := twoVersions(t)
	was := map[string]any{}
	noError(t, json.Unmarshal(contents(t, alone.seenPath()), &was))
	if _, is := was["rest"]; is || was["version"] != 1.0 {
		t.Errorf("%v", was)
	}
}

// A save that was not in the owner's folder yet when the owner changed what somebody has is told
// from a stranger's.
func TestASaveThatWasNotThere(t *testing.T) {
	ann, bob := shared(t)
	putFake(t, bob, "early", "FAKE")
	pull(t, bob, ann)
	putFake(t, bob, "late", "FAKE")
	share(t, ann, memberOf(t, bob, "bob", "a", "early", "late"), 4)
	clone(t, bob.folder("late"), ann.folder("late"))
	pull(t, ann, bob)
	if got := problems(t, bob); !strings.Contains(got, "version 1 of late was added by somebody else") || !strings.Contains(got, "it says that it is by bob: what was saved, and not in the owner's folder yet") {
		t.Error(got)
	}
	noError(t, accept(t.Context(), Open(ann.opt)))
	right(t, ann)
	if got := authors(t, ann, "early") + authors(t, ann, "late"); got != "bob?" { // for whom it was nobody knows
		t.Error(got)
	}
}

// What stands in the place of the list stops no verify, and the owner gets it back.
func TestAFolderAsTheList(t *testing.T) {
	ann, _ := shared(t)
	noError(t, os.Remove(ann.membersPath()), os.Mkdir(ann.membersPath(), 0o700))
	if got := problems(t, ann); !strings.Contains(got, "members: it cannot be read") || !strings.Contains(got, "Remove what is in its place") {
		t.Error(got)
	}
	if _, err := Open(ann.opt).Put(t.Context(), fake("new"), store.AnyVersion); err == nil {
		t.Error("it saves")
	}
	noError(t, os.Remove(ann.membersPath()), accept(t.Context(), Open(ann.opt)))
	right(t, ann)
	if got := names(t, ann); got != "ann bob" {
		t.Error(got)
	}
	// In a private store, too.
	s := twoVersions(t)
	noError(t, os.Mkdir(s.membersPath(), 0o700))
	if got := problems(t, s); !strings.Contains(got, "members: ") {
		t.Error(got)
	}
}

// Who has the folder first gets a key all the same, and nobody else does.
func TestAKeyForAFolderThatIsThere(t *testing.T) {
	ann, _ := shared(t)
	carl := Open(Options{Dir: dataDir(t)})
	clone(t, ann.root(), carl.root())
	if _, err := carl.Put(t.Context(), fake("x"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Error(err)
	}
	list := contents(t, carl.membersPath())
	write(t, carl.membersPath(), []byte("junk\n"), 0o600)
	if _, err := carl.OwnKey(t.Context()); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Error(err)
	}
	write(t, carl.membersPath(), list, 0o600)
	share(t, ann, memberOf(t, carl, "carl"), 3)
	pull(t, ann, carl)
	join(t, carl)
	right(t, ann, carl)
	// The owner's own is not made anew in the place of one that is gone.
	noError(t, os.Remove(filepath.Join(ann.opt.Dir, "identity.txt")))
	if _, err := Open(ann.opt).OwnKey(t.Context()); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Error(err)
	}
}

// Whose key it is that cannot be encrypted to is said.
func TestWhosePluginIsMissing(t *testing.T) {
	ann, _ := shared(t)
	id, err := age.GenerateX25519Identity()
	noError(t, err)
	r := ann.sharedRoster(t).next()
	r.Members = append(r.Members, Member{Name: "hardware", Recipients: []string{plugin.EncodeRecipient("fakenotthere", []byte(id.Recipient().String()))}, Secrets: []Text{"a"}})
	_, err = r.sealed(signerOfStore(t, ann))
	noError(t, err)
	next, err := r.sealed(signerOfStore(t, ann))
	noError(t, err)
	was := ann.sharedRoster(t)
	l, err := ann.ledgerOf(was, false)
	noError(t, err)
	noError(t, ann.locked(t.Context(), func() error {
		return ann.newList(was, next, l, &reshaping{as: signerOfStore(t, ann)})
	}))
	if _, err := Open(ann.opt).Put(t.Context(), fake("a"), store.AnyVersion); err == nil || !strings.Contains(err.Error(), "encrypt to the key of hardware") {
		t.Error(err)
	}
	putFake(t, Open(ann.opt), "c", "FAKE") // which is not theirs
}

// The agent signs what a user saves, and not with whom the store is shared: that takes the key.
func TestAnAgentSharesWithNobody(t *testing.T) {
	s := twoVersions(t)
	k, err := s.unlocked()
	noError(t, err)
	for _, purpose := range []string{rosterPurpose, "", "record ", "more"} {
		if sig, err := (heldKey{k}).Sign(purpose, []byte("x")); err == nil || sig != nil {
			t.Errorf("it signs for %q", purpose)
		}
	}
	if sig, err := (heldKey{k}).Sign(recordPurpose, []byte("x")); err != nil || sig == nil {
		t.Error(err)
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
