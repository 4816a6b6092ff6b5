package session_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fingerprint"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
)

func lastOf(t *testing.T, b *session.Book) *journal.Last {
	t.Helper()
	last, err := b.LastSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// only is a fleet of one machine, whatever it is called.
func only(m machine.Machine) fleet.Fleet {
	return fleet.Fleet{Open: func(place.Place) machine.Machine { return m }}
}

func content(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(data)
}

// A dry run of undo says what would be restored, and leaves everything: the file, what
// is remembered, the log and the session.
func TestUndoDryRun(t *testing.T) {
	b, home := newBook(t)
	file := filepath.Join(home, "creds")
	put(t, b, place.Here, b.Local, file, "aws", "k", "", "one")
	put(t, b, place.Here, b.Local, file, "aws", "k", "one", "two")
	undone, err := b.Undo(t.Context(), lastOf(t, b), only(b.Local), journal.UndoOptions{DryRun: true})
	if err != nil || len(undone) != 1 || undone[0].Path != file || undone[0].Action() != "restored" {
		t.Errorf("%+v, %v", undone, err)
	}
	if got := content(t, file); got != "two" {
		t.Errorf("the file has %q", got)
	}
	if b = again(b); !wrote(t, b, place.Here, "aws", conflict("k", "two")) {
		t.Error("the fingerprints are those of before")
	}
	if events, err := b.Events(); err != nil || len(events) != 2 {
		t.Errorf("%+v, %v", events, err)
	}
	// So undo itself still finds it.
	if undone, err := b.Undo(t.Context(), lastOf(t, b), only(b.Local), journal.UndoOptions{}); err != nil || undone[0].Err != nil || content(t, file) != "one" {
		t.Errorf("%+v, %v, %q", undone, err, content(t, file))
	}
	events, err := b.Events()
	if err != nil || len(events) != 3 || events[2].Command != "undo" || events[2].Machine != "local" || events[2].Path != "~/creds" || events[2].Action != "restored" {
		t.Errorf("%+v, %v", events, err)
	}
}

// A file that one session changed twice goes back to what it was before the first
// change; the files that rhx had made before are known as its own, and no others.
func TestUndoOfAFileChangedTwice(t *testing.T) {
	b, home := newBook(t)
	a, c := filepath.Join(home, "a"), filepath.Join(home, "c")
	put(t, b, place.Here, b.Local, a, "aws", "k", "", "zero")
	s := b.Begin("apply")
	for _, ch := range []machine.Change{{Path: a, Old: []byte("zero"), Data: []byte("one")}, {Path: a, Old: []byte("one"), Data: []byte("two")}, {Path: c, Data: []byte("new")}} {
		action := provider.Updated
		if ch.Old == nil {
			action = provider.Created
		}
		write(t, s, &session.Work{Machine: b.Local, Changes: []machine.Change{ch},
			Outcomes: []session.Outcome{fileOutcome("aws", ch.Path, "~/"+filepath.Base(ch.Path), action, "k")},
			Values:   map[string]secret.Values{"aws": {"k": secret.NewValue(string(ch.Data))}}})
	}
	s.End()
	if undone, err := b.Undo(t.Context(), lastOf(t, b), only(b.Local), journal.UndoOptions{}); err != nil || len(undone) != 2 {
		t.Fatalf("%+v, %v", undone, err)
	}
	if content(t, a) != "zero" || content(t, c) != "" {
		t.Errorf("%q, %q", content(t, a), content(t, c))
	}
	if created, err := config.Created(b.Dirs); err != nil || !slices.Equal(created, []string{"~/a"}) {
		t.Errorf("%v, %v", created, err)
	}
	if b = again(b); !wrote(t, b, place.Here, "aws", conflict("k", "zero")) {
		t.Error("the fingerprint of before is not back")
	}
}

// A file that was deleted since is not made anew, unless that is wanted.
func TestUndoOfAFileDeletedSince(t *testing.T) {
	b, home := newBook(t)
	file := filepath.Join(home, "creds")
	put(t, b, place.Here, b.Local, file, "aws", "k", "", "one")
	put(t, b, place.Here, b.Local, file, "aws", "k", "one", "two")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	undone, err := b.Undo(t.Context(), lastOf(t, b), only(b.Local), journal.UndoOptions{})
	if err != nil || len(undone) != 1 || !errors.Is(undone[0].Err, journal.ErrChangedSince) || content(t, file) != "" {
		t.Errorf("%+v, %v, %q", undone, err, content(t, file))
	}
	undone, err = b.Undo(t.Context(), lastOf(t, b), only(b.Local), journal.UndoOptions{Overwrite: true})
	if err != nil || undone[0].Err != nil || content(t, file) != "one" {
		t.Errorf("%+v, %v, %q", undone, err, content(t, file))
	}
}

// One of two files of a session was changed since: the other is restored, and the
// session and what is remembered stay for another try.
func TestUndoInPart(t *testing.T) {
	b, home := newBook(t)
	first, second := filepath.Join(home, "a"), filepath.Join(home, "b")
	for _, changed := range []string{first, second} {
		s := b.Begin("load")
		write(t, s, &session.Work{Machine: b.Local, Changes: []machine.Change{{Path: first, Data: []byte("x")}, {Path: second, Data: []byte("x")}},
			Outcomes: []session.Outcome{fileOutcome("one", first, "~/a", provider.Created, "k"), fileOutcome("two", second, "~/b", provider.Created, "k")}})
		s.End()
		if err := os.WriteFile(changed, []byte("by hand"), 0o600); err != nil {
			t.Fatal(err)
		}
		last := lastOf(t, b)
		if undone, err := b.Undo(t.Context(), last, only(b.Local), journal.UndoOptions{}); err != nil || len(undone) != 2 {
			t.Fatalf("%+v, %v", undone, err)
		}
		if conf, err := config.Load(b.Dirs); err != nil || len(conf.Secrets) != 2 {
			t.Errorf("%+v, %v", conf, err)
		}
		if again := lastOf(t, b); !again.Time.Equal(last.Time) {
			t.Error("the session is gone")
		}
		if _, err := b.Undo(t.Context(), lastOf(t, b), only(b.Local), journal.UndoOptions{Overwrite: true}); err != nil {
			t.Fatal(err)
		}
		if conf, err := config.Load(b.Dirs); err != nil || len(conf.Secrets) != 0 {
			t.Errorf("%+v, %v", conf, err)
		}
	}
}

// fails is a machine that reads, and fails to write as a whole.
type fails struct{ *machine.Memory }

func (m *fails) Write(context.Context, []machine.Change) ([]error, error) { return nil, errGone }

// Where a host is lost while it restores, each of its files says so.
func TestUndoOnAHostThatIsLost(t *testing.T) {
	b, _ := newBook(t)
	m := machine.NewMemory("gpu")
	put(t, b, place.Host("gpu"), m, "/home/u/creds", "aws", "k", "", "one")
	undone, err := b.Undo(t.Context(), lastOf(t, b), only(&fails{m}), journal.UndoOptions{})
	if err != nil || len(undone) != 1 || undone[0].Path != "/home/u/creds" || !isGone(undone[0].Err) {
		t.Errorf("%+v, %v", undone, err)
	}
	lastOf(t, b) // it is there for another try
}

// An undo on hosts leaves what is noted of this machine.
func TestUndoOnAHostLeavesThisMachine(t *testing.T) {
	b, _ := newBook(t)
	m := machine.NewMemory("gpu")
	put(t, b, place.Host("gpu"), m, "/home/u/creds", "aws", "k", "", "one")
	if err := config.Add(t.Context(), b.Dirs, b.Local, map[string]config.Location{"db": {Path: "~/db"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Undo(t.Context(), lastOf(t, b), only(m), journal.UndoOptions{}); err != nil {
		t.Fatal(err)
	}
	if conf, err := config.Load(b.Dirs); err != nil || conf.Secrets["db"].Path != "~/db" {
		t.Errorf("%+v, %v", conf, err)
	}
	if b = again(b); wrote(t, b, place.Host("gpu"), "aws", conflict("k", "one")) {
		t.Error("what was undone counts as rhx's")
	}
}

// A session that could not keep what rhx remembered brings its files back, and leaves
// what is remembered.
func TestUndoWithoutAMemory(t *testing.T) {
	for says, broken := range map[string]func(config.Dirs) string{
		"applied.age": func(d config.Dirs) string { return filepath.Join(fingerprint.Path(d.State), "x") },
		"config.yaml": config.Path,
		"created":     func(d config.Dirs) string { return filepath.Join(d.State, "created", "x") },
	} {
		t.Run(says, func(t *testing.T) {
			b, home := newBook(t)
			breakFile(t, broken(b.Dirs))
			said := warnings(b)
			file := filepath.Join(home, "creds")
			s := b.Begin("load", "aws")
			write(t, s, &session.Work{Machine: b.Local, Changes: []machine.Change{{Path: file, Data: []byte("x")}}})
			s.End()
			if len(*said) == 0 || !strings.HasPrefix((*said)[0], "rhx undo will bring files back, and not what rhx remembers of them: ") || !strings.Contains((*said)[0], says) {
				t.Errorf("%q", *said)
			}
			last := lastOf(t, b)
			if names, err := session.Deletes(last); names != nil || err != nil {
				t.Errorf("%q, %v", names, err)
			}
			if undone, err := b.Undo(t.Context(), last, only(b.Local), journal.UndoOptions{}); err != nil || undone[0].Err != nil || content(t, file) != "" {
				t.Errorf("%+v, %v", undone, err)
			}
			if _, err := b.LastSession(t.Context()); fault.KindOf(err) != fault.Usage {
				t.Errorf("the session is kept: %v", err)
			}
		})
	}
}

// What a newer rhx remembered, in a way that this one does not know, is not taken for
// nothing: the session stays.
func TestUndoOfAMemoryThatIsNotUnderstood(t *testing.T) {
	b, home := newBook(t)
	file := filepath.Join(home, "creds")
	s := b.Journal.Begin("load", func() ([]byte, error) { return []byte(`{"places":1}`), nil })
	_, err := s.Write(t.Context(), "local", []machine.Change{{Path: file, Data: []byte("x")}}, func(context.Context) ([]error, error) {
		return nil, os.WriteFile(file, []byte("x"), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	undone, err := b.Undo(t.Context(), lastOf(t, b), only(b.Local), journal.UndoOptions{})
	if err == nil || !strings.HasPrefix(err.Error(), "what rhx remembered before: ") || len(undone) != 1 || undone[0].Err != nil {
		t.Errorf("%+v, %v", undone, err)
	}
	if _, err := session.Deletes(lastOf(t, b)); err == nil {
		t.Error("what was to be deleted is understood")
	}
}

// Where what rhx remembers cannot be brought back, undo says so, and may be tried again.
func TestUndoWithABrokenRecord(t *testing.T) {
	for name, broken := range map[string]func(config.Dirs) string{
		"fingerprints": func(d config.Dirs) string { return fingerprint.Path(d.State) },
		"config.yaml":  config.Path,
	} {
		t.Run(name, func(t *testing.T) {
			b, home := newBook(t)
			file := filepath.Join(home, "creds")
			put(t, b, place.Here, b.Local, file, "aws", "k", "", "one")
			breakFile(t, broken(b.Dirs))
			b = again(b)
			if _, err := b.Undo(t.Context(), lastOf(t, b), only(b.Local), journal.UndoOptions{}); err == nil {
				t.Error("no error")
			}
			if content(t, file) != "" {
				t.Error("the file is not restored")
			}
			if err := os.Remove(broken(b.Dirs)); err != nil {
				t.Fatal(err)
			}
			if _, err := again(b).Undo(t.Context(), lastOf(t, b), only(b.Local), journal.UndoOptions{}); err != nil {
				t.Errorf("the second try: %v", err)
			}
		})
	}
}

// An undo whose log cannot be written says that, and is done.
func TestUndoWithoutALog(t *testing.T) {
	b, home := newBook(t)
	file := filepath.Join(home, "creds")
	put(t, b, place.Here, b.Local, file, "aws", "k", "", "one")
	log := filepath.Join(b.Dirs.State, "log.jsonl")
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	breakFile(t, filepath.Join(log, "x"))
	said := warnings(b)
	if undone, err := b.Undo(t.Context(), lastOf(t, b), only(b.Local), journal.UndoOptions{}); err != nil || undone[0].Err != nil || content(t, file) != "" {
		t.Errorf("%+v, %v", undone, err)
	}
	if len(*said) != 1 || !strings.HasPrefix((*said)[0], "the log could not be written: ") {
		t.Errorf("%q", *said)
	}
}

// There may be nothing to undo, and nothing may be kept for it at all.
func TestLastSession(t *testing.T) {
	b, home := newBook(t)
	if last, err := b.LastSession(t.Context()); last != nil || fault.KindOf(err) != fault.Usage || !errors.Is(err, journal.ErrNothing) {
		t.Errorf("%+v, %v", last, err)
	}
	// A session that found all as it should be is none to undo.
	s := b.Begin("load")
	write(t, s, &session.Work{Machine: b.Local, Outcomes: []session.Outcome{fileOutcome("aws", filepath.Join(home, "x"), "~/x", provider.Unchanged)}})
	s.End()
	if last, err := b.LastSession(t.Context()); last != nil || !errors.Is(err, journal.ErrNothing) {
		t.Errorf("%+v, %v", last, err)
	}
	s = b.Begin("delete --contents", "aws", "db")
	write(t, s, &session.Work{Machine: b.Local, Changes: []machine.Change{{Path: filepath.Join(home, "x"), Data: []byte("x")}}})
	s.End()
	if names, err := session.Deletes(lastOf(t, b)); err != nil || !slices.Equal(names, []string{"aws", "db"}) {
		t.Errorf("%q, %v", names, err)
	}
	sessions, err := filepath.Glob(filepath.Join(b.Journal.Dir, "*", "session.age"))
	if err != nil || len(sessions) != 1 {
		t.Fatal(sessions, err)
	}
	breakFile(t, sessions[0])
	if _, err := b.LastSession(t.Context()); err == nil || fault.KindOf(err) == fault.Usage {
		t.Errorf("a broken session: %v", err)
	}
	b.Journal = nil
	if last, err := b.LastSession(t.Context()); last != nil || err == nil {
		t.Errorf("%+v, %v", last, err)
	}
}
