package journal_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
)

const home = "/home/u/"

var ctx = context.Background()

// seal and unseal stand for encryption: what is on the disk must not be readable,
// and is good for its place alone.
func seal(_ context.Context, label string, data []byte) ([]byte, error) {
	return flip([]byte("sealed " + label + "\n" + string(data))), nil
}

var errNotSealed = errors.New("not sealed for this place")

func unseal(_ context.Context, label string, sealed []byte) ([]byte, error) {
	data, ok := bytes.CutPrefix(flip(sealed), []byte("sealed "+label+"\n"))
	if !ok {
		return nil, errNotSealed
	}
	return data, nil
}

func flip(data []byte) []byte {
	out := bytes.Clone(data)
	for i := range out {
		out[i] ^= 0x5a
	}
	return out
}

func text(note string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(note), nil }
}

func newJournal(t *testing.T) *journal.Journal {
	t.Helper()
	return &journal.Journal{Dir: filepath.Join(t.TempDir(), "journal"), Seal: seal, Unseal: unseal}
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
	s := j.Begin("apply", text("fake-note"))
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
	if err != nil || last.Command != "apply" || string(last.Note) != "fake-note" || !slices.Equal(last.Machines, []string{"gpu"}) {
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

// age gives every session of the journal a name that is a time ago.
func age(t *testing.T, j *journal.Journal, ago time.Duration) {
	t.Helper()
	for i, name := range sessions(t, j) {
		if when, err := time.Parse("20060102T150405.000000000Z", name); err == nil && time.Since(when) < time.Hour {
			older := when.Add(-ago).Add(time.Duration(i)).Format("20060102T150405.000000000Z")
			if err := os.Rename(filepath.Join(j.Dir, name), filepath.Join(j.Dir, older)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func sessions(t *testing.T, j *journal.Journal) []string {
	t.Helper()
	entries, err := os.ReadDir(j.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func load(t *testing.T, j *journal.Journal, m *machine.Memory, text string) {
	t.Helper()
	write(t, j.Begin("load", nil), m, machine.Change{Path: home + "x", Data: []byte(text), Old: old(m)})
}

// Sessions that wrote nothing leave nothing. Of those that ended the last ones stay;
// what may still run is not taken from a command.
func TestSessionsAreBounded(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	j.Begin("load", nil)
	if _, err := os.Stat(j.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a session that wrote nothing made a folder")
	}
	for i := range 25 {
		load(t, j, m, string(rune('a'+i)))
	}
	if n := len(sessions(t, j)); n != 25 {
		t.Errorf("%d sessions of commands that may still run", n)
	}
	age(t, j, 59*time.Minute)
	load(t, j, m, "within the hour")
	if n := len(sessions(t, j)); n != 26 {
		t.Errorf("%d sessions of the last hour", n)
	}
	age(t, j, time.Minute)
	kept := sessions(t, j)
	load(t, j, m, "later")
	if got := sessions(t, j); len(got) != 20 || !slices.Equal(got[:19], kept[len(kept)-19:]) {
		t.Errorf("%d sessions: %v", len(got), got)
	}
	for i := range 210 {
		dir := filepath.Join(j.Dir, time.Now().UTC().Add(time.Duration(i-1000)*time.Millisecond).Format("20060102T150405.000000000Z"))
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "session.age"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	load(t, j, m, "last")
	if n := len(sessions(t, j)); n != 200 {
		t.Errorf("%d sessions in all", n)
	}
}

// What is older than a month goes with the next session, and so does what a process
// that was killed has left.
func TestOldSessionsGo(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	load(t, j, m, "a")
	past := []string{time.Now().UTC().AddDate(0, 0, -31).Format("20060102T150405.000000000Z"), time.Now().UTC().AddDate(0, 0, -29).Format("20060102T150405.000000000Z")}
	if err := os.Rename(filepath.Join(j.Dir, sessions(t, j)[0]), filepath.Join(j.Dir, past[0])); err != nil {
		t.Fatal(err)
	}
	load(t, j, m, "b")
	if got := sessions(t, j); len(got) != 1 || got[0] == past[0] {
		t.Errorf("after a month: %v", got)
	}
	if err := os.Rename(filepath.Join(j.Dir, sessions(t, j)[0]), filepath.Join(j.Dir, past[1])); err != nil {
		t.Fatal(err)
	}
	// Begun and killed: long ago, and just now. And folders that are none of ours.
	begun := time.Now().UTC().Add(-time.Minute).Format("20060102T150405.000000000Z")
	for _, name := range []string{"20200101T000000.000000000Z", begun, "mine"} {
		if err := os.Mkdir(filepath.Join(j.Dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	load(t, j, m, "c")
	if got := sessions(t, j); len(got) != 4 || got[0] != past[1] || got[1] != begun || got[3] != "mine" {
		t.Errorf("%v", got)
	}
}

// Commands that begin in the same instant have a folder each.
func TestSessionsAtOnce(t *testing.T) {
	j := newJournal(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			m := machine.NewMemory("gpu")
			load(t, j, m, string(rune('a'+i)))
		})
	}
	wg.Wait()
	if n := len(sessions(t, j)); n != 16 {
		t.Errorf("%d sessions", n)
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
	untouched := func(j *journal.Journal, note func() ([]byte, error)) {
		t.Helper()
		if _, err := j.Begin("load", note).Write(ctx, "gpu", nil, func(context.Context) ([]error, error) { t.Error("written"); return nil, nil }); err == nil || state(m) != "" {
			t.Error(err, state(m))
		}
	}
	untouched(j, func() ([]byte, error) { return nil, errors.New("no note") })
	j.Seal = func(context.Context, string, []byte) ([]byte, error) { return nil, errors.New("no key") }
	untouched(j, nil)
	j = newJournal(t)
	if err := os.WriteFile(j.Dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	untouched(j, nil)
}
