package journal_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
)

const home = "/home/u/"

var ctx = context.Background()

// flip stands for encryption: what is on the disk must not be readable.
func flip(_ context.Context, data []byte) ([]byte, error) {
	out := bytes.Clone(data)
	for i := range out {
		out[i] ^= 0x5a
	}
	return out, nil
}

func newJournal(t *testing.T) *journal.Journal {
	t.Helper()
	return &journal.Journal{Dir: filepath.Join(t.TempDir(), "journal"), Seal: flip, Unseal: flip}
}

func write(t *testing.T, s *journal.Session, m machine.Machine, changes ...machine.Change) {
	t.Helper()
	errs, err := s.Write(ctx, m.Name(), changes, func(ctx context.Context) ([]error, error) { return m.Write(ctx, changes) })
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
}

func state(m *machine.Memory) string {
	var out []string
	for _, name := range m.Names("/home/u") {
		data, _, _ := m.File(home + name)
		out = append(out, name+"="+string(data))
	}
	return strings.Join(out, " ")
}

func undo(t *testing.T, j *journal.Journal, m machine.Machine, opts journal.UndoOptions) string {
	t.Helper()
	last, err := j.Last(ctx)
	if err != nil {
		t.Fatal(err)
	}
	undone, err := last.Undo(ctx, m.Name(), m, opts, m.Write)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	failed := false
	for _, u := range undone {
		what := "restored"
		switch {
		case u.Err != nil:
			what, failed = u.Err.Error(), true
		case u.Removed:
			what = "removed"
		}
		out = append(out, filepath.Base(u.Path)+" "+what)
	}
	if !opts.DryRun && !failed {
		if err := last.Forget(); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(out, ", ")
}

func TestUndo(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	m.PutFile(home+"a", []byte("fake-old\n"), 0o600)
	m.PutFile(home+"gone", []byte("fake-gone"), 0o600)
	m.PutFile(home+"empty", nil, 0o600)
	before := state(m)
	s := j.Begin("apply", []byte(`"note"`))
	write(t, s, m, machine.Change{Path: home + "a", Old: []byte("fake-old\n"), Data: []byte("one")},
		machine.Change{Path: home + "new", Data: []byte("n")}, machine.Change{Path: home + "empty", Old: []byte{}, Data: []byte("e")})
	write(t, s, m, machine.Change{Path: home + "a", Old: []byte("one"), Data: []byte("two")}, machine.Change{Path: home + "gone", Old: []byte("fake-gone"), Remove: true})
	after := state(m)

	// What is kept can be read by nobody else.
	files, _ := filepath.Glob(filepath.Join(j.Dir, "*", "*"))
	for _, f := range files {
		data, err := os.ReadFile(f)
		info, err2 := os.Stat(f)
		if err != nil || err2 != nil || bytes.Contains(data, []byte("fake-")) || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", f, err, info.Mode())
		}
	}
	last, err := j.Last(ctx)
	if err != nil || last.Command != "apply" || string(last.Note) != `"note"` || !slices.Equal(last.Machines, []string{"gpu"}) {
		t.Fatal(last, err)
	}
	if got := undo(t, j, m, journal.UndoOptions{DryRun: true}); state(m) != after || got != "a restored, new removed, empty restored, gone restored" {
		t.Error(got)
	}
	if got := undo(t, j, m, journal.UndoOptions{}); state(m) != before || got != "a restored, new removed, empty restored, gone restored" {
		t.Errorf("%s: %s, not %s", got, state(m), before)
	}
	if _, err := j.Last(ctx); !errors.Is(err, journal.ErrNothing) {
		t.Error(err)
	}
}

// A process that is killed leaves each file old or new; undo makes all old.
func TestUndoOfAHalfDoneSession(t *testing.T) {
	for done := range 3 {
		j, m := newJournal(t), machine.NewMemory("gpu")
		m.PutFile(home+"a", []byte("old"), 0o600)
		before := state(m)
		s := j.Begin("apply", nil)
		// The entry is there, and of its changes only some were made.
		m.FailWrite(home+"a", errors.New("killed"))
		m.FailWrite(home+"b", errors.New("killed"))
		changes := []machine.Change{{Path: home + "a", Old: []byte("old"), Data: []byte("new")}, {Path: home + "b", Data: []byte("new")}}
		_, _ = s.Write(ctx, "gpu", changes, func(ctx context.Context) ([]error, error) { return m.Write(ctx, changes) })
		m.FailWrite(home+"a", nil)
		m.FailWrite(home+"b", nil)
		if done > 0 {
			m.PutFile(home+"a", []byte("new"), 0o600)
		}
		if done > 1 {
			m.PutFile(home+"b", []byte("new"), 0o600)
		}
		undo(t, j, m, journal.UndoOptions{})
		if got := state(m); got != before {
			t.Errorf("%d done: %s", done, got)
		}
	}
}

func TestWhatChangedSinceIsLeft(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	m.PutFile(home+"a", []byte("old"), 0o600)
	m.PutFile(home+"b", []byte("old"), 0o600)
	write(t, j.Begin("load", nil), m, machine.Change{Path: home + "a", Old: []byte("old"), Data: []byte("new")}, machine.Change{Path: home + "b", Old: []byte("old"), Data: []byte("new")}, machine.Change{Path: home + "c", Data: []byte("new")})
	m.PutFile(home+"a", []byte("by hand"), 0o600)
	m.Delete(home + "c")
	if got := undo(t, j, m, journal.UndoOptions{}); got != "a it was changed since, b restored, c restored" || state(m) != "a=by hand b=old" {
		t.Error(got, state(m))
	}
	if got := undo(t, j, m, journal.UndoOptions{Overwrite: true}); got != "a restored, b restored, c restored" || state(m) != "a=old b=old" {
		t.Error(got, state(m))
	}
}

// Sessions that wrote nothing leave nothing; the oldest go.
func TestSessionsAreBounded(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	j.Begin("load", nil)
	if _, err := os.Stat(j.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a session that wrote nothing made a folder")
	}
	for i := range 25 {
		write(t, j.Begin("load", nil), m, machine.Change{Path: home + "x", Data: []byte{byte('a' + i)}, Old: old(m)})
	}
	entries, err := os.ReadDir(j.Dir)
	if err != nil || len(entries) != 20 {
		t.Errorf("%d sessions, %v", len(entries), err)
	}
}

// What is older than a month goes with the next session.
func TestOldSessionsGo(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	write(t, j.Begin("load", nil), m, machine.Change{Path: home + "x", Data: []byte("a")})
	entries, err := os.ReadDir(j.Dir)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	past := filepath.Join(j.Dir, "20200101T000000.000000000Z")
	if err := os.Rename(filepath.Join(j.Dir, entries[0].Name()), past); err != nil {
		t.Fatal(err)
	}
	write(t, j.Begin("load", nil), m, machine.Change{Path: home + "x", Old: []byte("a"), Data: []byte("b")})
	if _, err := os.Stat(past); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func old(m *machine.Memory) []byte {
	data, _, ok := m.File(home + "x")
	if !ok {
		return nil
	}
	return data
}

// Where the old content cannot be kept, nothing is written.
func TestNothingIsWrittenWithoutAnEntry(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	j.Seal = func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no key") }
	if _, err := j.Begin("load", nil).Write(ctx, "gpu", nil, func(context.Context) ([]error, error) { t.Error("written"); return nil, nil }); err == nil || state(m) != "" {
		t.Error(err, state(m))
	}
}
