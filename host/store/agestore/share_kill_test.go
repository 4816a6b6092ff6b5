package agestore

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
func nextStep(far int) int {
	if os.Getenv("RHX_SOAK") != "" {
		return 1
	}
	return far
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
		lost string   // what somebody could read who cannot any more
	}{
		"the first share": {alone, func(s *Store) error {
			_, err := s.Share(context.Background(), memberOf(t, bob, "bob"), "ann")
			return err
		}, []string{keep(t, bob)}, nil, ""},
		"share":   {ann, func(s *Store) error { _, err := s.Share(context.Background(), carl, ""); return err }, []string{keep(t, bob)}, nil, ""},
		"unshare": {ann, func(s *Store) error { _, _, err := s.Unshare(context.Background(), "bob"); return err }, nil, []string{keep(t, bob)}, "bob: a, b, of bob"},
		"less": {ann, func(s *Store) error {
			_, err := s.Share(context.Background(), memberOf(t, bob, "bob", "x"), "")
			return err
		}, nil, []string{keep(t, bob)}, "bob: a, b, of bob"},
		"rekey": {ann, func(s *Store) error { _, err := s.Rekey(context.Background(), ""); return err }, []string{keep(t, bob)}, []string{keep(t, ann)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for step := 1; ; step += nextStep(7) {
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
				if got := lostOf(t, next); got != c.lost {
					t.Fatalf("step %d: lost is %q, want %q", step, got, c.lost)
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
	for step := 1; ; step += nextStep(7) {
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

// An accept that was killed between any two steps is ended by the next, and leaks nothing.
func TestSoakAcceptOfAStrangersIsKilled(t *testing.T) {
	ann, bob := shared(t, "a")
	putBeside(t, privateOf(t, ann, "a", 3), ann, "a", 3)
	for step := 1; ; step += nextStep(7) {
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

// A kill between the owner's word and the list, and then `rhx store share` as verify
// advises: bob, who was to be taken out, is encrypted to again.
func TestSoakShareEndsAnUnshare(t *testing.T) {
	ann, _ := shared(t)
	work := func(s *Store) error { _, _, err := s.Unshare(t.Context(), "bob"); return err }
	for step := 1; ; step += nextStep(7) {
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
