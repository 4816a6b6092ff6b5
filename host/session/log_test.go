package session_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// lines are the events of the log, without time and user.
func lines(t *testing.T, b *session.Book) string {
	t.Helper()
	events, err := b.Events()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		out = append(out, fmt.Sprintf("%s: %s%v %s %s %s %d %v, %s", e.Command, e.Secret, e.Secrets, e.Machine, e.Path, e.Action, e.Stored, e.Keys, e.Reason))
	}
	return strings.Join(out, "\n")
}

// wrapping is a store that can do more.
type wrapping struct{ store.Store }

func (wrapping) Names() []string { return []string{"a"} }

// Every write to a store is in the log, if it was made, with the command and the reason.
func TestWritesToAStoreAreLogged(t *testing.T) {
	b, home := newBook(t)
	b.Command, b.Reason = "test", "why"
	under := wrapping{agestore.Open(agestore.Options{Dir: home})}
	st := b.Stored(under)
	ctx := t.Context()
	sec := &secret.Secret{Name: "db", Values: secret.Values{"b": secret.NewValue("fake-value"), "a": secret.NewValue("2")}}
	if n, err := st.Put(ctx, sec, 0); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := st.Put(ctx, sec, 0); !errors.Is(err, store.ErrConflict) {
		t.Error(err)
	}
	if n, err := st.Put(ctx, sec, 1); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	for _, err := range []error{st.Delete(ctx, "db"), st.Undelete(ctx, "db", 2), st.Destroy(ctx, "db")} {
		if err != nil {
			t.Error(err)
		}
	}
	for _, err := range []error{st.Delete(ctx, "no"), st.Undelete(ctx, "no", 0)} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	}
	want := `test: db[] store local saved 1 [a b], why
test: db[] store local saved 2 [a b], why
test: db[] store local deleted 0 [], why
test: db[] store local undeleted 2 [], why
test: db[] store local destroyed 0 [], why`
	if got := lines(t, b); got != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
	events, _ := b.Events()
	if e := events[0]; e.User == "" || e.Time.IsZero() || runtime.GOOS == "linux" && e.Caller == "" {
		t.Errorf("%+v", e)
	}
	// What else the store can do is found behind it.
	if n, ok := store.As[interface{ Names() []string }](st); !ok || n.Names()[0] != "a" {
		t.Error("not found")
	}
	if _, ok := store.As[store.Wrapper](st); ok {
		t.Error("it wraps")
	}
	if w, ok := store.As[wrapping](st); !ok || w != under {
		t.Error("not found")
	}
}

// What is read at once is one line; lines stay short.
func TestReadsAreLogged(t *testing.T) {
	b, _ := newBook(t)
	b.Command = "test"
	b.NoteRead("local", nil)
	b.NoteRead("local", []store.Info{{Name: "a", Version: 3}})
	b.NoteRead("vault://x", []store.Info{{Name: "a", Version: 3}, {Name: "b", Version: 4}})
	many := make([]store.Info, 401)
	for i := range many {
		many[i].Name = fmt.Sprint(i)
	}
	b.NoteRead("local", many)
	got := strings.Split(lines(t, b), "\n")
	if len(got) != 5 || got[0] != "test: a[] store local read 3 [], " || got[1] != "test: [a b] store vault://x read 0 [], " {
		t.Errorf("%q", got)
	}
	events, _ := b.Events()
	for i, want := range []int{200, 200, 1} {
		if n := len(events[2+i].Secrets); n != want {
			t.Errorf("line %d has %d, want %d", 2+i, n, want)
		}
	}
	if events[4].Secrets[0] != "400" || events[3].Secrets[0] != "200" {
		t.Error(events[3].Secrets[0], events[4].Secrets)
	}
}

// A log that cannot be written stops nothing, and is said.
func TestALogThatFailsIsSaid(t *testing.T) {
	b, home := newBook(t)
	var said []string
	b.Warn = func(text string) { said = append(said, text) }
	if err := os.MkdirAll(b.Dirs.State, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(b.Dirs.State+"/log.jsonl", 0o700); err != nil {
		t.Fatal(err)
	}
	st := b.Stored(agestore.Open(agestore.Options{Dir: home}))
	if n, err := st.Put(t.Context(), &secret.Secret{Name: "db"}, 0); n != 1 || err != nil {
		t.Error(n, err)
	}
	b.NoteRead("local", []store.Info{{Name: "a"}})
	if len(said) != 2 || !strings.HasPrefix(said[1], "the log could not be written: ") || !strings.Contains(said[1], "log.jsonl") {
		t.Errorf("%q", said)
	}
}

func TestReason(t *testing.T) {
	for _, text := range []string{"", "ticket 4711", strings.Repeat("x", 200), "größer"} {
		if err := session.CheckReason(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"a\nb", "a\x1bb", "a\u202eb", "a\xffb", strings.Repeat("x", 201)} {
		if err := session.CheckReason(text); fault.KindOf(err) != fault.Usage {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The chain is that of this user's key: the log of one rhx is not another's.
func TestLogIsProvenByTheKeyOfTheStore(t *testing.T) {
	b, _ := newBook(t)
	if _, err := b.Keys.Derive(t.Context(), "x"); err != nil { // makes the key
		t.Fatal(err)
	}
	b.NoteRead("local", []store.Info{{Name: "a"}})
	check, err := b.VerifyLog(t.Context())
	if err != nil || len(check.Problems) > 0 || check.Entries != 1 || check.Unproven != 0 {
		t.Errorf("%+v, %v", check, err)
	}
	other, _ := newBook(t)
	other.Dirs.State = b.Dirs.State
	if _, err := other.Keys.Derive(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if check, err := other.VerifyLog(t.Context()); err != nil || len(check.Problems) != 2 {
		t.Errorf("%+v, %v", check, err)
	}
}
