package session_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
)

// forTime is a write of one value into one file of a host, for a time.
func forTime(m machine.Machine, ttl time.Duration, action provider.Action, old []byte, value string) *session.Work {
	gpu := place.Host("gpu")
	o := fileOutcome("aws", "/home/u/creds", "~/creds", action, "k")
	o.At = gpu
	w := &session.Work{At: gpu, Machine: m, Outcomes: []session.Outcome{o},
		Values: map[string]secret.Values{"aws": {"k": secret.NewValue(value)}}}
	if action != provider.Unchanged {
		w.Changes = []machine.Change{{Path: "/home/u/creds", Data: []byte(value), Old: old}}
	}
	if ttl > 0 {
		w.Expiring = []session.Expiry{{Secret: "aws", Path: "~/creds", TTL: ttl, Values: secret.Values{"k": secret.NewValue(value)},
			Created: action == provider.Created, Was: old, Is: []byte(value)}}
	}
	return w
}

func expiring(t *testing.T, b *session.Book) []session.Expiry {
	t.Helper()
	all, err := b.Expiring()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// looking is a machine that looks around when it is to write.
type looking struct {
	*machine.Memory
	look func()
}

func (m *looking) Write(ctx context.Context, changes []machine.Change) ([]error, error) {
	m.look()
	return m.Memory.Write(ctx, changes)
}

// A process that is killed at the write leaves what is to go, beside what was to go
// before: either value may be there.
func TestKilledAtTheWrite(t *testing.T) {
	b, _ := newBook(t)
	m := &looking{Memory: machine.NewMemory("gpu")}
	var at []int
	m.look = func() { at = append(at, len(expiring(t, again(b)))) }
	s := b.Begin("sync")
	write(t, s, forTime(m, time.Hour, provider.Created, nil, "one"))
	write(t, s, forTime(m, 2*time.Hour, provider.Updated, []byte("one"), "two"))
	s.End()
	if !slices.Equal(at, []int{1, 2}) || len(expiring(t, b)) != 1 {
		t.Errorf("at the writes %v were to go, and then %d", at, len(expiring(t, b)))
	}
}

// What a secret is to go by is on the disk before the secret is there, and a write that
// fails leaves what was noted before.
func TestExpiryComesFirst(t *testing.T) {
	b, _ := newBook(t)
	m := machine.NewMemory("gpu")
	m.FailWrite("/home/u/creds", errors.New("no space left on device"))
	s := b.Begin("sync")
	write(t, s, forTime(m, time.Hour, provider.Created, nil, "one"))
	if all := expiring(t, b); len(all) != 0 {
		t.Errorf("a write that failed is to go: %+v", all)
	}
	m.FailWrite("/home/u/creds", nil)
	write(t, s, forTime(m, time.Hour, provider.Created, nil, "one"))
	s.End()
	all := expiring(t, again(b))
	if len(all) != 1 || all[0].Machine != "gpu" || all[0].Path != "~/creds" || !all[0].Created || all[0].Whole == "" || !all[0].Due.Equal(all[0].Set.Add(time.Hour)) {
		t.Fatalf("%+v", all)
	}
	data, err := os.ReadFile(filepath.Join(b.Dirs.State, "expiring.json"))
	if err != nil || strings.Contains(string(data), "one") {
		t.Errorf("%s, %v", data, err)
	}
	same, changed, err := b.Unchanged(t.Context(), all[0], secret.Values{"k": secret.NewValue("one"), "other": secret.NewValue("x")})
	if err != nil || !slices.Equal(same, []string{"k"}) || changed != nil {
		t.Errorf("%v %v %v", same, changed, err)
	}
	if same, changed, _ = b.Unchanged(t.Context(), all[0], secret.Values{"k": secret.NewValue("two")}); same != nil || !slices.Equal(changed, []string{"k"}) {
		t.Errorf("%v %v", same, changed)
	}

	// Another time that does not come to be leaves the first one.
	m.FailWrite("/home/u/creds", errors.New("no space left on device"))
	s = again(b).Begin("sync")
	write(t, s, forTime(m, 2*time.Hour, provider.Updated, []byte("one"), "two"))
	if now := expiring(t, b); len(now) != 1 || !now[0].Due.Equal(all[0].Due) {
		t.Errorf("%+v", now)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Write(ended, forTime(m, 2*time.Hour, provider.Updated, []byte("one"), "two")); err == nil {
		t.Error("it was written after the end")
	}
	if now := expiring(t, b); len(now) != 1 || !now[0].Due.Equal(all[0].Due) {
		t.Errorf("%+v", now)
	}
	// Where the connection was lost, either may be there.
	m.Fail(errors.New("the connection is lost"))
	write(t, s, forTime(m, 2*time.Hour, provider.Updated, []byte("one"), "two"))
	s.End()
	if now := expiring(t, b); len(now) != 2 || !now[0].Due.Equal(all[0].Due) || now[1].Due.Sub(now[1].Set) != 2*time.Hour {
		t.Errorf("%+v", now)
	}
}

// The latest write of a secret counts, and what takes it out ends it.
func TestLatestExpiryCounts(t *testing.T) {
	b, _ := newBook(t)
	m := machine.NewMemory("gpu")
	s := b.Begin("sync")
	write(t, s, forTime(m, time.Hour, provider.Created, nil, "one"))
	write(t, s, forTime(m, 3*time.Hour, provider.Unchanged, []byte("one"), "one"))
	all := expiring(t, b)
	if len(all) != 1 || !all[0].Created || all[0].Whole == "" || all[0].Due.Sub(all[0].Set) != 3*time.Hour {
		t.Fatalf("%+v", all)
	}
	// What is put beside it has the file be more than what goes.
	w := forTime(m, 2*time.Hour, provider.Updated, []byte("one and more"), "two and more")
	m.PutFile("/home/u/creds", []byte("one and more"), 0o600)
	write(t, s, w)
	if all = expiring(t, b); len(all) != 1 || all[0].Whole != "" || !all[0].Created {
		t.Errorf("%+v", all)
	}
	write(t, s, forTime(m, 0, provider.Unchanged, nil, "two"))
	if all = expiring(t, b); len(all) != 0 {
		t.Errorf("what was placed for good is to go: %+v", all)
	}
	write(t, s, forTime(m, time.Hour, provider.Unchanged, []byte("two"), "two"))
	if all = expiring(t, b); len(all) != 1 {
		t.Errorf("what rhx had put there is not to go: %+v", all)
	}
	gone := forTime(m, 0, provider.Removed, nil, "")
	gone.Changes = nil
	write(t, s, gone)
	s.End()
	if all = expiring(t, b); len(all) != 0 {
		t.Errorf("what was taken out is to go: %+v", all)
	}
}

// What somebody else put there is not to go, and that is said.
func TestForeignDoesNotExpire(t *testing.T) {
	b, _ := newBook(t)
	said := warnings(b)
	s := b.Begin("sync")
	write(t, s, forTime(machine.NewMemory("gpu"), time.Hour, provider.Unchanged, []byte("one"), "one"))
	s.End()
	if all := expiring(t, b); len(all) != 0 || len(*said) != 1 || !strings.HasPrefix((*said)[0], "aws: rhx did not put it into ~/creds") {
		t.Errorf("%+v, %q", all, *said)
	}
}

// undo brings back what was noted, but for what would go at once.
func TestUndoOfExpiry(t *testing.T) {
	b, _ := newBook(t)
	m := machine.NewMemory("gpu")
	hosts := fleet.Fleet{Open: func(place.Place) machine.Machine { return m }}
	undo := func() {
		t.Helper()
		last, err := again(b).LastSession(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again(b).Undo(t.Context(), last, hosts, journal.UndoOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	one := func(w *session.Work) {
		t.Helper()
		s := again(b).Begin("sync")
		write(t, s, w)
		s.End()
	}
	one(forTime(m, time.Hour, provider.Created, nil, "one"))
	first := expiring(t, b)
	one(forTime(m, 5*time.Hour, provider.Updated, []byte("one"), "two"))
	undo()
	if now := expiring(t, b); len(now) != 1 || !now[0].Due.Equal(first[0].Due) {
		t.Errorf("%+v", now)
	}
	undo()
	if now := expiring(t, b); len(now) != 0 {
		t.Errorf("%+v", now)
	}
	// What was placed elsewhere since, for a time or for good, without a change of a file
	// has nothing to do with it.
	one(forTime(m, 0, provider.Created, nil, "one"))
	other := forTime(m, 0, provider.Created, nil, "other")
	other.Outcomes[0].Secret, other.Outcomes[0].Stored, other.Outcomes[0].File, other.Outcomes[0].Source.Path = "o", "o", "/home/u/other", "~/other"
	other.Changes[0].Path = "/home/u/other"
	one(other)
	one(forTime(m, time.Hour, provider.Unchanged, []byte("one"), "one"))
	undo()
	if now := expiring(t, b); len(now) != 1 || now[0].File != "/home/u/creds" {
		t.Errorf("%+v", now)
	}
	one(other)
	one(forTime(m, 0, provider.Unchanged, []byte("one"), "one"))
	undo()
	if now := expiring(t, b); len(now) != 0 {
		t.Errorf("%+v", now)
	}
	undo()

	one(forTime(m, 1, provider.Created, nil, "one"))
	if due, err := b.Due(); err != nil || len(due) != 1 {
		t.Fatal(due, err)
	}
	one(forTime(m, 0, provider.Updated, []byte("one"), "two"))
	undo()
	if now := expiring(t, b); len(now) != 0 {
		t.Errorf("%+v", now)
	}
}

// A list that cannot be read stops what would add to it, and what does not only says so.
func TestBrokenExpiries(t *testing.T) {
	for name, text := range map[string]string{"no JSON": `{"version":1,`, "of a newer rhx": `{"version":2}`} {
		t.Run(name, func(t *testing.T) {
			b, _ := newBook(t)
			said := warnings(b)
			if err := os.MkdirAll(b.Dirs.State, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(b.Dirs.State, "expiring.json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			m := machine.NewMemory("gpu")
			s := b.Begin("sync")
			defer s.End()
			if err := s.Write(t.Context(), forTime(m, time.Hour, provider.Created, nil, "one")); err == nil || !strings.Contains(err.Error(), "expiring.json") {
				t.Errorf("%v", err)
			}
			if _, _, ok := m.File("/home/u/creds"); ok {
				t.Error("it was written, and nothing takes it out")
			}
			*said = nil
			write(t, s, forTime(m, 0, provider.Created, nil, "one"))
			if len(*said) != 1 || !strings.Contains((*said)[0], "expiring.json") {
				t.Errorf("%q", *said)
			}
		})
	}
}
