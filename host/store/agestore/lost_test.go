package agestore

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

// lostOf is what somebody could read who cannot any more, as it is said to the user once.
func lostOf(t *testing.T, s *Store) string {
	t.Helper()
	lost, err := s.Lost(t.Context())
	noError(t, err)
	var out []string
	for _, l := range lost {
		out = append(out, l.Name+": "+l.names())
	}
	noError(t, s.LostSaid(t.Context(), lost))
	again, err := s.Lost(t.Context())
	if err != nil || len(again) > 0 {
		t.Errorf("said, and again: %v, %v", again, err)
	}
	return strings.Join(out, "; ")
}

// Who takes somebody out, and is interrupted, is told later what to change; verify says so until then.
func TestWhatIsToBeChangedIsKept(t *testing.T) {
	ann, _ := shared(t)
	ctx, cancel := context.WithCancel(t.Context())
	listed := false
	ann.onStep = func() {
		if listed = listed || names(t, ann) == "ann"; listed {
			cancel() // while versions are encrypted anew
		}
	}
	m, _, err := ann.Unshare(ctx, "bob")
	if !errors.Is(err, context.Canceled) || m == nil || m.Name != "bob" {
		t.Fatalf("%+v, %v", m, err)
	}
	ann.onStep = nil
	v, err := Open(ann.opt).Verify(t.Context())
	noError(t, err)
	said := strings.Join(v.Notes, "\n")
	for _, want := range []string{"bob could read these, and cannot any more; you were not told yet to change them where they come from: a, b. rhx store share says it", "versions are not encrypted to the members as they are now"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said: %s", want, said)
		}
	}
	if len(v.Problems) > 0 || len(v.Unfinished) != 2 || v.Unfinished[0].Command != "rhx store share" || v.Unfinished[1].Command != "rhx store share" {
		t.Errorf("%+v", v)
	}
	if _, err := Open(ann.opt).Share(t.Context(), nil, ""); err != nil {
		t.Fatal(err)
	}
	if v, err := Open(ann.opt).Verify(t.Context()); err != nil || len(v.Notes) != 1 || len(v.Unfinished) != 1 {
		t.Errorf("it was not said yet: %+v, %v", v, err)
	}
	if got := lostOf(t, ann); got != "bob: a, b" {
		t.Error(got)
	}
	if v, err := Open(ann.opt).Verify(t.Context()); err != nil || len(v.Notes)+len(v.Problems)+len(v.Unfinished) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := os.Lstat(ann.lostPath()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// Who has less has lost what they have no more, and what is of another list counts for nothing.
func TestWhatSomebodyHasNoMore(t *testing.T) {
	ann, bob := shared(t)
	share(t, ann, memberOf(t, bob, "bob", "a"), 3)
	carl := memberOf(t, somebody(t), "carl")
	share(t, ann, carl, 3)
	if lost, err := ann.Lost(t.Context()); err != nil || len(lost) != 1 || lost[0].Name != "bob" || lost[0].names() != "b" {
		t.Errorf("%+v, %v", lost, err)
	}
	if _, _, err := ann.Unshare(t.Context(), "carl"); err != nil {
		t.Fatal(err)
	}
	r := ann.sharedRoster(t)
	elsewhere := *r
	elsewhere.hash = strings.Repeat("0", 2*hashBytes)
	noError(t, ann.noteLost([]Lost{{Name: "eve", Secrets: []Text{"a"}}}, &elsewhere))
	if got := lostOf(t, ann); got != "bob: b; carl: a, b" {
		t.Error(got)
	}
	share(t, ann, memberOf(t, bob, "bob"), 3)
	if got := lostOf(t, ann); got != "" {
		t.Error(got)
	}
}

// A damaged note stops nobody from being taken out, and is said.
func TestADamagedNoteOfWhatIsLost(t *testing.T) {
	ann, _ := shared(t)
	for text, want := range map[string]string{"[]": "store.lost is damaged", "": "store.lost is damaged", `{"version":2}`: "it is of version 2"} {
		write(t, ann.lostPath(), []byte(text), 0o600)
		if _, err := ann.Lost(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	var said []string
	ann.opt.Warn = func(m string) { said = append(said, m) }
	if _, _, err := ann.Unshare(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "what else was to be changed is not known") {
		t.Errorf("%q", said)
	}
	if got := lostOf(t, ann); got != "bob: a, b" {
		t.Error(got)
	}
}
