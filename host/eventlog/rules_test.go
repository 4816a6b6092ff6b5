package eventlog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A log at its limit begins anew at most once: what another command began meanwhile
// stays, and a second look under the lock finds it.
func TestRotationLooksAgain(t *testing.T) {
	l := newLog(t)
	l.max = 10
	add(t, l, event("old"))
	// Another command holds the lock, and rotates.
	add(t, l, event("new"))
	if got := secrets(t, l); got != "old new" {
		t.Error(got)
	}
	if err := os.Remove(l.before()); err != nil {
		t.Fatal(err)
	}
	if err := l.rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(l.before()); err != nil {
		t.Errorf("a large log is not moved: %v", err)
	}
	// There is none now: nothing is moved, and that is no error.
	before := read(t, l.before())
	if err := l.rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if read(t, l.before()) != before {
		t.Error("the log before is another one")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A log that is small has no lock file: nothing is locked for it.
func TestSmallLogIsNotLocked(t *testing.T) {
	l := newLog(t)
	add(t, l, event("a"))
	add(t, l, event("b"))
	if names, err := os.ReadDir(filepath.Dir(l.Path)); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
	if got := read(t, l.Path); strings.Count(got, "\n") != 2 {
		t.Errorf("%q", got)
	}
}

// Where the log's folder, its lock or the log before is not what it should be, that is
// an error.
func TestLogThatCannotBeWritten(t *testing.T) {
	for name, prepare := range map[string]func(l *Log) error{
		"a file in the folder's place": func(l *Log) error {
			return os.WriteFile(filepath.Dir(l.Path), nil, 0o600)
		},
		"a folder in the lock's place": func(l *Log) error {
			return errors.Join(os.MkdirAll(l.Path+".lock", 0o700), os.WriteFile(l.Path, []byte(strings.Repeat("x", 20)), 0o600))
		},
		"a folder in the place of the log before": func(l *Log) error {
			return errors.Join(os.MkdirAll(filepath.Join(l.before(), "x"), 0o700), os.WriteFile(l.Path, []byte(strings.Repeat("x", 20)), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			l.max = 10
			if err := prepare(l); err != nil {
				t.Fatal(err)
			}
			if err := l.Append(t.Context(), []Event{event("a")}); err == nil {
				t.Error("no error")
			}
			if data, err := os.ReadFile(l.Path); err == nil && strings.Contains(string(data), "jane") {
				t.Error("it was written")
			}
		})
	}
}

// The part of a line that a killed command left has a line of its own; a whole one has
// no empty line behind it.
func TestPartOfALine(t *testing.T) {
	l := newLog(t)
	if err := os.MkdirAll(filepath.Dir(l.Path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.Path, []byte(`{"time":"20`), 0o600); err != nil {
		t.Fatal(err)
	}
	add(t, l, event("a"))
	add(t, l, event("b"))
	lines := strings.Split(read(t, l.Path), "\n")
	if len(lines) != 4 || lines[0] != `{"time":"20` || lines[3] != "" {
		t.Errorf("%q", lines)
	}
}

// The log before is read first; one that cannot be read is an error, and not left out.
func TestLogBeforeThatCannotBeRead(t *testing.T) {
	l := newLog(t)
	add(t, l, event("a"))
	if err := os.Mkdir(l.before(), 0o700); err != nil {
		t.Fatal(err)
	}
	if events, err := l.Read(); events != nil || err == nil || !strings.Contains(err.Error(), l.before()) {
		t.Errorf("%+v, %v", events, err)
	}
}
