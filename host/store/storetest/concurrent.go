package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

const (
	writers = 4
	puts    = 8
)

func testNothingLost(t *testing.T, c Config) {
	if c.NewestOnly {
		return // see Config.NewestOnly
	}
	open := c.New(t)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = map[int]string{}
	)
	handles := []store.Store{open(), open()}
	for w := range writers {
		s := handles[w%len(handles)]
		wg.Go(func() {
			for i := range puts {
				text := fake(w*puts + i)
				n, err := s.Put(t.Context(), one("a", text), store.AnyVersion)
				mu.Lock()
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
				} else if seen[n] != "" {
					t.Errorf("version %d was given to two writers", n)
				}
				seen[n] = text
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	s := open()
	for n := 1; n <= writers*puts; n++ {
		if got := text(t, s, "a", n); got != seen[n] {
			t.Errorf("version %d has another value than its writer wrote", n)
		}
	}
	if h, err := s.History(t.Context(), "a"); err != nil || len(h) != writers*puts {
		t.Errorf("History has %d versions, %v; want %d", len(h), err, writers*puts)
	}
}

func testOneWins(t *testing.T, c Config) {
	if c.NewestOnly {
		return // see Config.NewestOnly
	}
	open := c.New(t)
	for round := range 5 {
		var wg sync.WaitGroup
		errs := make([]error, writers)
		for w := range writers {
			s := open()
			wg.Go(func() { _, errs[w] = s.Put(t.Context(), one("a", fake(round*writers+w)), round) })
		}
		wg.Wait()
		winner, wins := 0, 0
		for w, err := range errs {
			if err == nil {
				winner, wins = w, wins+1
			} else if !errors.Is(err, store.ErrConflict) {
				t.Errorf("round %d: %v", round, err)
			}
		}
		if wins != 1 {
			t.Fatalf("round %d: %d of %d writers won", round, wins, writers)
		}
		r := get(t, open(), "a", 0)
		if r.Version != round+1 || r.Secret.Values["key"].Reveal() != fake(round*writers+winner) {
			t.Errorf("round %d: version %d is not what the winner wrote", round, r.Version)
		}
	}
}

// testWholeVersions reads while another handle writes two keys that always
// have the same text.
func testWholeVersions(t *testing.T, c Config) {
	open := c.New(t)
	w, r := open(), open()
	write := func(n int) error {
		v := secret.NewValue(strings.Repeat(fake(n), 500))
		_, err := w.Put(t.Context(), &secret.Secret{Name: "a", Values: secret.Values{"one": v, "two": v}}, store.AnyVersion)
		return err
	}
	if err := write(0); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		var err error
		for n := 1; n <= 20 && err == nil; n++ {
			err = write(n)
		}
		done <- err
	}()
	for last := 0; ; {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
		rec := get(t, r, "a", 0)
		if rec.Version < last {
			t.Errorf("read version %d after version %d", rec.Version, last)
		}
		last = rec.Version
		if len(rec.Secret.Values) != 2 || rec.Secret.Values["one"] != rec.Secret.Values["two"] {
			t.Errorf("version %d is half of one and half of another", rec.Version)
		}
		wantList(t, r, "a")
	}
}

func testCancelled(t *testing.T, c Config) {
	s := c.New(t)()
	put(t, s, one("a", fake(1)), 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for method, err := range all(ctx, s, one("a", fake(2)), store.AnyVersion) {
		wantErr(t, method, err, context.Canceled)
	}
	if r := get(t, s, "a", 0); r.Version != 1 || r.Secret.Values["key"].Reveal() != fake(1) {
		t.Error("a cancelled method changed the secret")
	}
}

func testErrorsShowNoValue(t *testing.T, c Config) {
	s := c.New(t)()
	const value = "fake-value-that-no-error-may-show"
	put(t, s, one("a", value), 0)
	bad := one("a", value)
	bad.Name = "a//b"
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	var errs []error
	for _, sec := range []*secret.Secret{bad, one("a", value)} {
		for _, expect := range []int{0, 7, -2} {
			_, err := s.Put(t.Context(), sec, expect)
			errs = append(errs, err)
		}
	}
	for _, err := range all(cancelled, s, one("a", value), store.AnyVersion) {
		errs = append(errs, err)
	}
	if i := slices.Index(errs, nil); i >= 0 {
		t.Errorf("call %d did not fail", i)
	}
	for _, err := range errs {
		for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
			if strings.Contains(fmt.Sprintf(verb, err), value) {
				t.Errorf("an error shows a value: %s", strings.ReplaceAll(err.Error(), value, secret.Redacted))
			}
		}
	}
	r := get(t, s, "a", 0)
	if shown := fmt.Sprintf("%v %+v %#v", r, r, *r); strings.Contains(shown, value) {
		t.Error("printing a record shows a value")
	}
}
