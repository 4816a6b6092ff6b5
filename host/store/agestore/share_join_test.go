package agestore

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

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
	if err != nil || !slices.Equal(in.Private, []string{"a"}) {
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
