package eventlog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
)

// Where the log, its folder, its lock, its head or the log before is not what it should
// be, logging is an error that names it, and no line is lost that was there.
func TestLogThatCannotBeWritten(t *testing.T) {
	missing := func(l *Log) string { return filepath.Join(filepath.Dir(l.Path), "missing", "x") }
	for name, c := range map[string]struct {
		prepare func(l *Log) error
		at      func(l *Log) string
	}{
		"a folder in the lock's place": {func(l *Log) error { return os.Mkdir(l.lock(), 0o700) }, (*Log).lock},
		"the log is a link to nowhere": {func(l *Log) error { return errors.Join(os.Remove(l.Path), os.Symlink(missing(l), l.Path)) }, func(l *Log) string { return l.Path }},
		"a folder in the log's place":  {func(l *Log) error { return errors.Join(os.Remove(l.Path), os.Mkdir(l.Path, 0o700)) }, func(l *Log) string { return l.Path }},
		"a folder in the head's place": {func(l *Log) error { return errors.Join(os.Remove(l.headPath()), os.Mkdir(l.headPath(), 0o700)) }, (*Log).headPath},
		"the same, of a large log": {func(l *Log) error {
			l.max = 1
			return errors.Join(os.Remove(l.headPath()), os.Mkdir(l.headPath(), 0o700))
		}, (*Log).headPath},
		"the head is a link to nowhere":           {func(l *Log) error { return errors.Join(os.Remove(l.headPath()), os.Symlink(missing(l), l.headPath())) }, (*Log).headPath},
		"a folder in the place of the log before": {func(l *Log) error { l.max = 1; return os.MkdirAll(filepath.Join(l.before(), "x"), 0o700) }, (*Log).before},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			add(t, l, event("a"))
			if name == "a folder in the lock's place" {
				if err := os.Remove(l.lock()); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.prepare(l); err != nil {
				t.Fatal(err)
			}
			err := l.Append(t.Context(), []Event{event("b")})
			if err == nil || !strings.Contains(err.Error(), c.at(l)) {
				t.Errorf("%v does not name %s", err, c.at(l))
			}
			if data, err := os.ReadFile(l.Path); err == nil && (!strings.Contains(string(data), `"a"`) || strings.Contains(string(data), `"b"`)) {
				t.Errorf("%s", data)
			}
		})
	}
	l := newLog(t)
	if err := os.WriteFile(filepath.Dir(l.Path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), []Event{event("a")}); err == nil {
		t.Error("a file in the folder's place is no error")
	}
}

// Verify does not say that all is well where it could not look.
func TestVerifyThatCannotLook(t *testing.T) {
	for name, path := range map[string]func(l *Log) string{
		"the lock":       (*Log).lock,
		"the log":        func(l *Log) string { return l.Path },
		"the log before": (*Log).before,
		"the head":       (*Log).headPath,
	} {
		l := newLog(t)
		add(t, l, event("a"))
		if err := os.Remove(path(l)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.Mkdir(path(l), 0o700); err != nil {
			t.Fatal(err)
		}
		if c, err := l.Verify(t.Context()); c != nil || err == nil || !strings.Contains(err.Error(), path(l)) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if c, err := newLog(t).Verify(t.Context()); err != nil || c == nil || c.Entries != 0 || len(c.Problems) != 0 {
		t.Errorf("no log: %+v, %v", c, err)
	}
}

// brokenKeys fail, from a question on where there is one.
type brokenKeys struct{ asking bool }

var errKeys = errors.New("the identity is broken")

func (k brokenKeys) DeriveAll(_ context.Context, _ string, ask bool) ([][]byte, error) {
	if ask == k.asking {
		return nil, errKeys
	}
	return nil, nil
}

// Keys that cannot be had are an error; what was to be logged is there all the same.
func TestBrokenKeys(t *testing.T) {
	l := newLog(t)
	l.Keys = brokenKeys{}
	if err := l.Append(t.Context(), []Event{event("a")}); !errors.Is(err, errKeys) {
		t.Error(err)
	}
	if got := secrets(t, l); got != "a" {
		t.Errorf("%q", got)
	}
	for _, asking := range []bool{false, true} {
		l.Keys = brokenKeys{asking}
		if c, err := l.Verify(t.Context()); c != nil || !errors.Is(err, errKeys) {
			t.Errorf("%+v, %v", c, err)
		}
	}
}

// A line that only looks like the next one, as somebody may add it, is not gone on from.
func TestLineThatDoesNotFollow(t *testing.T) {
	l := newLog(t)
	add(t, l, event("a"))
	f, err := os.OpenFile(l.Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"v":1,"time":"2026-01-01T00:00:00Z","secret":"x","seq":2,"prev":"00"}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	add(t, l, event("b"))
	events, err := l.Read()
	if err != nil || len(events) != 3 || events[2].Secret != "b" || events[2].Seq != 2 || events[2].Prev != hashOf([]byte(strings.Split(string(read(t, l.Path)), "\n")[0])) {
		t.Errorf("%+v, %v", events, err)
	}
	if problems(t, l) == "" {
		t.Error("nobody says that a line was added")
	}
}

// What is a proof at the end of a line, and what only begins as one.
func TestWhatIsAProof(t *testing.T) {
	keys := [][]byte{{1}, {2}}
	good, err := prove(map[string]int{"a": 1}, keys[1:])
	if err != nil {
		t.Fatal(err)
	}
	field := proofField + strings.Repeat("0", 2*digest) + `"}`
	for line, want := range map[string][2]bool{
		string(good):                      {true, true},
		`{"a":2` + string(good[6:]):       {true, false},
		`{"a":1}`:                         {false, false},
		`{"a":1` + proofField + `ab"}`:    {false, false},
		string(good) + " ":                {false, false},
		field:                             {true, false},
		strings.Repeat("x", len(field)-1): {false, false},
		"":                                {false, false},
	} {
		if has, ok := proven([]byte(line), keys); has != want[0] || ok != want[1] {
			t.Errorf("%s: %v, %v", line, has, ok)
		}
	}
}

// A head with numbers that cannot be is none: the chain begins anew, which Verify says.
func TestHeadThatCannotBe(t *testing.T) {
	for _, text := range []string{`{"seq":-1}`, `{"seq":1,"size":-1}`, `no JSON`} {
		l := newLog(t)
		add(t, l, event("a"))
		if err := os.WriteFile(l.headPath(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if h, _, err := l.readHead(); h != nil || err != nil {
			t.Errorf("%s: %+v, %v", text, h, err)
		}
		add(t, l, event("b"))
		if !strings.Contains(problems(t, l), "the chain begins anew here") {
			t.Errorf("%s: %s", text, problems(t, l))
		}
	}
}

// A rhx whose key is locked goes on from the lines of one that had it, also from those
// that a killed one has not noted; and nothing is open where there is no key.
func TestLockedKeyGoesOn(t *testing.T) {
	l := newLog(t)
	add(t, l, event("a"))
	before := read(t, l.headPath())
	add(t, l, event("b"))
	if err := os.WriteFile(l.headPath(), before, 0o600); err != nil {
		t.Fatal(err)
	}
	keys := l.Keys
	l.Keys = fakeKeys{}
	add(t, l, event("c"))
	add(t, l, event("d"))
	events, err := l.Read()
	if err != nil || len(events) != 4 || events[2].Seq != 3 || events[3].Seq != 4 || events[2].Open || events[3].Open {
		t.Errorf("%+v, %v", events, err)
	}
	l.Keys = keys
	add(t, l, event("e"))
	if events, err := l.Read(); err != nil || events[4].Seq != 5 || !events[4].Open {
		t.Errorf("%+v, %v", events, err)
	}
}

// Without the key nothing can be said, and nothing is called a forgery.
func TestVerifyWithoutTheKey(t *testing.T) {
	l := newLog(t)
	add(t, l, event("a"))
	l.Keys = fakeKeys{}
	if check, err := l.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "the key that proves it is not there") || fault.Hint(err) == "" {
		t.Errorf("%+v, %v", check, err)
	}
	// What was written without one needs none.
	l = newLog(t)
	l.Keys = fakeKeys{}
	add(t, l, event("a"))
	if check, err := l.Verify(t.Context()); err != nil || check.Unproven != 1 || len(check.Problems) > 0 {
		t.Errorf("%+v, %v", check, err)
	}
}
