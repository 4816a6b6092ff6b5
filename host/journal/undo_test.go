package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
)

func change(path, from, to string) machine.Change {
	c := machine.Change{Path: home + path, Old: []byte(from), Data: []byte(to)}
	if from == "" {
		c.Old = nil
	}
	if to == "" {
		c.Data, c.Remove = nil, true
	}
	return c
}

// A file that a session changed twice goes back to what it was at first, wherever
// the session was killed; and is left where it is neither of what it has been.
func TestUndoOfAFileChangedTwice(t *testing.T) {
	for now, want := range map[string]string{
		"one": "a restored", "two": "a restored", "three": "a restored", "other": "a it was changed since", "": "a it was changed since",
	} {
		j, m := newJournal(t), machine.NewMemory("gpu")
		m.PutFile(home+"a", []byte("one"), 0o600)
		s := j.Begin("load", nil)
		write(t, s, m, change("a", "one", "two"))
		write(t, s, m, change("a", "two", "three"))
		m.Delete(home + "a")
		if now != "" {
			m.PutFile(home+"a", []byte(now), 0o600)
		}
		if got := undo(t, j, m, journal.UndoOptions{}); got != want {
			t.Errorf("%q: %s", now, got)
		}
		after := "a=one"
		if want != "a restored" {
			after = strings.Trim("a="+now, "=")
			if now == "" {
				after = ""
			}
		}
		if state(m) != after {
			t.Errorf("%q: %s", now, state(m))
		}
	}
}

// A file that the session removed, and one that it made and somebody deleted since.
func TestUndoOfDeletedFiles(t *testing.T) {
	for _, c := range []struct {
		from, to, now, want, after string
	}{
		{"old", "", "", "a restored", "a=old"},
		{"old", "", "mine", "a it was changed since", "a=mine"},
		{"old", "new", "", "a it was changed since", ""},
		{"", "new", "", "a restored", ""},
		{"", "new", "new", "a removed", ""},
		{"", "new", "mine", "a it was changed since", "a=mine"},
	} {
		j, m := newJournal(t), machine.NewMemory("gpu")
		if c.from != "" {
			m.PutFile(home+"a", []byte(c.from), 0o600)
		}
		write(t, j.Begin("load", nil), m, change("a", c.from, c.to))
		m.Delete(home + "a")
		if c.now != "" {
			m.PutFile(home+"a", []byte(c.now), 0o600)
		}
		if got := undo(t, j, m, journal.UndoOptions{}); got != c.want || state(m) != c.after {
			t.Errorf("%+v: %s, %s", c, got, state(m))
		}
		// With Overwrite it goes back whatever it is now.
		if c.want == "a it was changed since" {
			want := "a=" + c.from
			if c.from == "" {
				want = ""
			}
			if got := undo(t, j, m, journal.UndoOptions{Overwrite: true}); state(m) != want || strings.Contains(got, "since") {
				t.Errorf("%+v: %s, %s", c, got, state(m))
			}
		}
	}
}

// What is not brought back is not forgotten, whatever the reason.
func TestNothingIsForgottenThatWasNotDone(t *testing.T) {
	broken := errors.New("no space left")
	for what, do := range map[string]func(t *testing.T, j *journal.Journal, m *machine.Memory) (restore func()){
		"a file cannot be read": func(_ *testing.T, _ *journal.Journal, m *machine.Memory) func() {
			m.FailRead(home+"b", broken)
			return func() { m.FailRead(home+"b", nil) }
		},
		"a file cannot be written": func(_ *testing.T, _ *journal.Journal, m *machine.Memory) func() {
			m.FailWrite(home+"b", broken)
			return func() { m.FailWrite(home+"b", nil) }
		},
		"the machine is gone": func(_ *testing.T, _ *journal.Journal, m *machine.Memory) func() {
			m.Fail(broken)
			return func() { m.Fail(nil) }
		},
		"it was only asked": func(*testing.T, *journal.Journal, *machine.Memory) func() { return func() {} },
	} {
		t.Run(what, func(t *testing.T) {
			j, m := newJournal(t), machine.NewMemory("gpu")
			m.PutFile(home+"a", []byte("old"), 0o600)
			write(t, j.Begin("load", nil), m, change("a", "old", "new"), change("b", "", "new"))
			restore := do(t, j, m)
			last, err := j.Last(ctx)
			if err != nil {
				t.Fatal(err)
			}
			undone, err := last.Undo(ctx, m.Name(), m, journal.UndoOptions{DryRun: what == "it was only asked"}, m.Write)
			for _, u := range undone {
				if !u.Restored && u.Err == nil {
					t.Errorf("%+v is neither restored nor an error", u)
				}
			}
			if err == nil && what == "the machine is gone" {
				t.Error("no error")
			}
			if err := last.Forget(); err == nil || !strings.Contains(err.Error(), "gpu") {
				t.Errorf("forgotten: %v", err)
			}
			restore()
			undo(t, j, m, journal.UndoOptions{})
			if state(m) != "a=old" {
				t.Error(state(m))
			}
			if _, err := j.Last(ctx); !errors.Is(err, journal.ErrNothing) {
				t.Error(err)
			}
		})
	}
}

// short answers with fewer results than it was asked for, against its contract.
type short struct{ *machine.Memory }

func (s short) Read(ctx context.Context, paths []string) ([]machine.File, error) {
	files, err := s.Memory.Read(ctx, paths)
	return files[:len(files)-1], err
}

type shortWrite struct{ *machine.Memory }

func (s shortWrite) Write(ctx context.Context, changes []machine.Change) ([]error, error) {
	errs, err := s.Memory.Write(ctx, changes)
	return errs[:len(errs)-1], err
}

func TestAMachineThatAnswersTooLittle(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	write(t, j.Begin("load", nil), m, change("a", "", "new"), change("b", "", "new"))
	last, err := j.Last(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := last.Undo(ctx, m.Name(), short{m}, journal.UndoOptions{}, m.Write); err == nil || state(m) != "a=new b=new" {
		t.Error(err, state(m))
	}
	undone, err := last.Undo(ctx, m.Name(), m, journal.UndoOptions{}, shortWrite{m}.Write)
	if err != nil || len(undone) != 2 || !undone[0].Restored || undone[1].Restored || undone[1].Err == nil {
		t.Error(undone, err)
	}
	if last.Forget() == nil {
		t.Error("forgotten")
	}
}

// Every file of the journal counts: one that cannot be read, is not sealed for its
// place, is broken or newer is an error, and nothing is undone or forgotten.
func TestFilesOfTheJournalThatAreNotAsRhxLeftThem(t *testing.T) {
	sealed := func(path, text string) []byte {
		data, _ := seal(ctx, "journal/"+filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), []byte(text))
		return data
	}
	forged, err := json.Marshal(map[string]any{"version": 1, "machine": "gpu", "changes": []map[string]any{{"path": home + ".bash_profile", "old": []byte("evil"), "new": ""}}})
	if err != nil {
		t.Fatal(err)
	}
	put := func(t *testing.T, path string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"session.age", "000001.age"} {
		for what, spoil := range map[string]func(t *testing.T, path string){
			"not sealed": func(t *testing.T, path string) { put(t, path, forged) },
			"of another place": func(t *testing.T, path string) {
				put(t, path, sealed(filepath.Join(filepath.Dir(filepath.Dir(path)), "x", filepath.Base(path)), string(forged)))
			},
			"of another number": func(t *testing.T, path string) {
				put(t, path, sealed(filepath.Join(filepath.Dir(path), "000009.age"), string(forged)))
			},
			"broken": func(t *testing.T, path string) { put(t, path, sealed(path, "{")) },
			"newer":  func(t *testing.T, path string) { put(t, path, sealed(path, `{"version":2}`)) },
			"a folder": func(t *testing.T, path string) {
				if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
					t.Fatal(err)
				}
			},
		} {
			t.Run(file+" "+what, func(t *testing.T) {
				j, m := newJournal(t), machine.NewMemory("gpu")
				write(t, j.Begin("load", nil), m, change("a", "", "new"))
				dir := filepath.Join(j.Dir, sessions(t, j)[0])
				path := filepath.Join(dir, file)
				spoil(t, path)
				_, err := j.Last(ctx)
				if err == nil || !strings.Contains(err.Error(), path) || errors.Is(err, journal.ErrNothing) {
					t.Fatal(err)
				}
				if want := map[string]string{"newer": "version 2", "not sealed": errNotSealed.Error()}[what]; !strings.Contains(err.Error(), want) || what != "a folder" && fault.Hint(err) == "" {
					t.Error(err)
				}
				if state(m) != "a=new" || len(sessions(t, j)) != 1 {
					t.Error("something was done")
				}
			})
		}
	}
}

// A session of before version 1 was not sealed: anybody can have written it.
func TestSessionOfBeforeVersion1(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	write(t, j.Begin("load", nil), m, change("a", "", "new"))
	dir := filepath.Join(j.Dir, sessions(t, j)[0])
	if err := os.Rename(filepath.Join(dir, "session.age"), filepath.Join(dir, "session.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Last(ctx); err == nil || errors.Is(err, journal.ErrNothing) || !strings.Contains(err.Error(), dir) || fault.Hint(err) == "" {
		t.Error(err)
	}
}

// A folder that cannot be listed is not an empty one.
func TestAJournalThatCannotBeListed(t *testing.T) {
	j := newJournal(t)
	if _, err := j.Last(ctx); !errors.Is(err, journal.ErrNothing) {
		t.Error(err)
	}
	if err := os.WriteFile(j.Dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Last(ctx); err == nil || errors.Is(err, journal.ErrNothing) {
		t.Error(err)
	}
}

func TestDescribe(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	write(t, j.Begin("load", nil), m, change("a", "", "new"))
	last, err := j.Last(ctx)
	if err != nil || !strings.HasPrefix(last.Describe(), "rhx load of 20") {
		t.Error(last.Describe(), err)
	}
}

// What a machine's write answers is what Write answers.
func TestWriteReturnsWhatTheMachineSays(t *testing.T) {
	j := newJournal(t)
	one, all := errors.New("one"), errors.New("all")
	errs, err := j.Begin("load", nil).Write(ctx, "gpu", nil, func(context.Context) ([]error, error) { return []error{one}, all })
	if len(errs) != 1 || errs[0] != one || err != all {
		t.Error(errs, err)
	}
}

// Where what the session is cannot be kept, its entries are not, and nothing is written.
func TestNothingIsWrittenWithoutASession(t *testing.T) {
	j := newJournal(t)
	j.Seal = func(ctx context.Context, label string, data []byte) ([]byte, error) {
		if strings.HasSuffix(label, "/session.age") {
			return nil, errors.New("no space left")
		}
		return seal(ctx, label, data)
	}
	if _, err := j.Begin("load", nil).Write(ctx, "gpu", nil, func(context.Context) ([]error, error) { t.Error("written"); return nil, nil }); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Error(err)
	}
}

// Files that are none of the journal's are no matter.
func TestOtherFilesInTheJournal(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	write(t, j.Begin("load", nil), m, change("a", "", "new"))
	session := sessions(t, j)[0]
	for _, path := range []string{session + "/notes.txt", session + "/.new-1", session + "/1.age", "20200101T000000.000000000Z"} {
		if err := os.WriteFile(filepath.Join(j.Dir, path), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(j.Dir, "0mine"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, j.Begin("load", nil), m, change("b", "", "new"))
	if got := sessions(t, j); len(got) != 4 || got[0] != "0mine" || got[1] != "20200101T000000.000000000Z" {
		t.Errorf("%v", got)
	}
	undo(t, j, m, journal.UndoOptions{})
	if got := undo(t, j, m, journal.UndoOptions{}); got != "a removed" {
		t.Error(got)
	}
	if _, err := j.Last(ctx); !errors.Is(err, journal.ErrNothing) {
		t.Error(err)
	}
}

// An empty file is not the same as none.
func TestUndoOfAnEmptyFile(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	m.PutFile(home+"a", nil, 0o600)
	write(t, j.Begin("load", nil), m, machine.Change{Path: home + "a", Old: []byte{}, Remove: true}, machine.Change{Path: home + "b", Data: []byte{}})
	if got := undo(t, j, m, journal.UndoOptions{}); got != "a restored, b removed" || state(m) != "a=" {
		t.Error(got, state(m))
	}
}

// A machine on which all is as it was is not written to, and a read that fails is said
// as it is.
func TestUndoWritesNothingNeedlessly(t *testing.T) {
	j, m := newJournal(t), machine.NewMemory("gpu")
	write(t, j.Begin("load", nil), m, change("a", "", "new"))
	m.Delete(home + "a")
	last, err := j.Last(ctx)
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("connection lost")
	m.Fail(gone)
	if _, err := last.Undo(ctx, "gpu", m, journal.UndoOptions{}, m.Write); !errors.Is(err, gone) {
		t.Error(err)
	}
	m.Fail(nil)
	undone, err := last.Undo(ctx, "gpu", m, journal.UndoOptions{}, func(context.Context, []machine.Change) ([]error, error) {
		t.Error("written")
		return nil, nil
	})
	if err != nil || len(undone) != 1 || !undone[0].Restored || undone[0].Action() != "restored" || last.Forget() != nil {
		t.Error(undone, err)
	}
	if a := (&journal.Undone{Restored: true, Removed: true}).Action(); a != "removed" {
		t.Error(a)
	}
	if a := (&journal.Undone{Err: gone}).Action(); a != "failed" {
		t.Error(a)
	}
}

// A session of two machines is forgotten when both are as they were; one that was
// begun after it, and wrote nothing, does not hide it.
func TestUndoOnTwoMachines(t *testing.T) {
	j, a, b := newJournal(t), machine.NewMemory("a"), machine.NewMemory("b")
	s := j.Begin("sync", nil)
	write(t, s, a, change("x", "", "new"))
	write(t, s, b, change("y", "", "new"))
	if err := os.Mkdir(filepath.Join(j.Dir, time.Now().UTC().Format("20060102T150405.000000000Z")), 0o700); err != nil {
		t.Fatal(err)
	}
	last, err := j.Last(ctx)
	if err != nil || strings.Join(last.Machines, " ") != "a b" {
		t.Fatal(last, err)
	}
	for i, m := range []*machine.Memory{a, b} {
		undone, err := last.Undo(ctx, m.Name(), m, journal.UndoOptions{}, m.Write)
		if err != nil || len(undone) != 1 || filepath.Base(undone[0].Path) != []string{"x", "y"}[i] || state(m) != "" {
			t.Error(undone, err, state(m))
		}
		if err := last.Forget(); (err == nil) != (i == 1) || err != nil && !strings.Contains(err.Error(), "on b is not undone") {
			t.Error(err)
		}
	}
}
