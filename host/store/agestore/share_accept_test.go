package agestore

import (
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

	"github.com/rhx-dev/rhx/host/store"
)

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

// What the owner has accepted, and nobody knows for whom it was meant, stays the owner's alone,
// whatever a member says of it, and when: with its hash from before or now, or with another, with a clock
// before, between and behind what the owner says.
func TestSoakWhatIsAcceptedStaysTheOwners(t *testing.T) {
	for _, hash := range []string{"before", "now", strings.Repeat("0", 32)} {
		clocks := []int64{-1, 1}
		if nextStep(7) == 1 {
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

// What the owner's file said of files that are void, and of what is to be encrypted anew,
// is lost with the file, where accept has made that void: it is not said again.
func TestRekeyIsLostWithAVoidFile(t *testing.T) {
	ann, bob := shared(t)
	carl := third(t, ann, "carl", 3)
	pull(t, ann, bob)
	_, _, err := ann.Unshare(t.Context(), "bob")
	noError(t, err)
	if got := lostOf(t, ann); got != "bob: a, b" {
		t.Error(got)
	}
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
