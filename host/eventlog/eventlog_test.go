package eventlog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

func event(secret string) Event {
	return Event{Time: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), User: "jane", Command: "load", Machine: "gpu", Secret: secret, Path: "~/x", Action: "created", Keys: []string{"k"}}
}

func newLog(t *testing.T) *Log {
	t.Helper()
	return &Log{Path: filepath.Join(t.TempDir(), "state", "log.jsonl"), Keys: fakeKeys{{1}}}
}

// fakeKeys are open; of lockedKeys the passphrase has to be asked for.
type (
	fakeKeys   [][]byte
	lockedKeys [][]byte
)

func (k fakeKeys) DeriveAll(context.Context, string, bool) ([][]byte, error) { return k, nil }

func (k lockedKeys) DeriveAll(_ context.Context, _ string, ask bool) ([][]byte, error) {
	if !ask {
		return nil, nil
	}
	return k, nil
}

func add(t *testing.T, l *Log, events ...Event) {
	t.Helper()
	if err := l.Append(t.Context(), events); err != nil {
		t.Fatal(err)
	}
}

func secrets(t *testing.T, l *Log) string {
	t.Helper()
	events, err := l.Read()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		out = append(out, e.Secret)
	}
	return strings.Join(out, " ")
}

func TestWhatIsLoggedIsRead(t *testing.T) {
	l := newLog(t)
	if got := secrets(t, l); got != "" {
		t.Error(got)
	}
	add(t, l)
	if _, err := os.Stat(filepath.Dir(l.Path)); !os.IsNotExist(err) {
		t.Error("nothing to log made a folder")
	}
	add(t, l, event("a"), event("b"))
	add(t, l, event("c"))
	got, err := l.Read()
	want := event("a")
	want.Version, want.chained = 1, chained{Seq: 1}
	if err != nil || len(got) != 3 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("%+v, %v", got, err)
	}
	if info, err := os.Stat(l.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

// The log begins anew when it is larger than its limit, once, and the one before it
// stays; of the one before that nothing does.
func TestRotation(t *testing.T) {
	l := newLog(t)
	l.max = 1000
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if os.IsNotExist(err) {
			return -1
		}
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	fill := func(secret string) {
		for size(l.Path) <= l.max {
			add(t, l, event(secret))
		}
	}
	add(t, l, event("a"))
	if err := os.Truncate(l.Path, 0); err != nil {
		t.Fatal(err)
	}
	fill("a")
	if size(l.Path+".1") != -1 {
		t.Error("begun anew too early")
	}
	add(t, l, event("b"))
	if size(l.Path+".1") <= l.max || size(l.Path) > 300 || !strings.HasPrefix(secrets(t, l), "a a ") || !strings.HasSuffix(secrets(t, l), "a b") {
		t.Error(secrets(t, l))
	}
	fill("b")
	add(t, l, event("c"))
	if got := secrets(t, l); strings.Contains(got, "a") || !strings.HasPrefix(got, "b b ") || !strings.HasSuffix(got, "b c") {
		t.Error(got)
	}
	if l.max = 0; size(l.Path) > 300 {
		t.Fatal("not anew")
	}
	fill8 := strings.Repeat(" ", maxLog-int(size(l.Path))-1) + "\n"
	f, err := os.OpenFile(l.Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(fill8); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	add(t, l, event("d")) // at the limit, not beyond
	if size(l.Path) < maxLog {
		t.Error("begun anew at the limit")
	}
	add(t, l, event("e"))
	if size(l.Path) > 300 || !strings.HasSuffix(secrets(t, l), "c d e") {
		t.Error(secrets(t, l))
	}
}

// Commands at once lose no event, also where the log begins anew meanwhile.
func TestLoggedAtOnce(t *testing.T) {
	l := newLog(t)
	l.max = 20 * 200 // of 80 events a few rotations, which drop the oldest
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			mine := &Log{Path: l.Path, Keys: l.Keys, max: l.max}
			for k := range 10 {
				if err := mine.Append(t.Context(), []Event{event(fmt.Sprintf("%d-%d", i, k))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	events, err := l.Read()
	if err != nil {
		t.Fatal(err) // no line is mixed with another
	}
	if len(events) == 0 {
		t.Error("nothing is there")
	}
	if c := verify(t, l); len(c.Problems) > 0 || c.Entries != len(events) {
		t.Errorf("%+v", c)
	}
}

func TestBrokenAndNewerLines(t *testing.T) {
	l := newLog(t)
	add(t, l, event("a"))
	f, err := os.OpenFile(l.Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// A version 0 line, a half one, and no line break at the end.
	if _, err := f.WriteString(`{"time":"2026-01-01T00:00:00Z","secret":"old"}` + "\n\n{}\n" + `{"time":"20`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	add(t, l, event("b"))
	events, err := l.Read()
	if len(events) != 3 || events[1].Secret != "old" || events[2].Secret != "b" {
		t.Errorf("%+v", events)
	}
	if fault.KindOf(err) != fault.Partial || !strings.Contains(err.Error(), "log.jsonl:4: ") || !strings.Contains(err.Error(), "log.jsonl:5: ") || strings.Count(err.Error(), "\n") != 1 {
		t.Error(err)
	}
	if err := os.WriteFile(l.Path, []byte(`{"v":2,"time":"2026-01-01T00:00:00Z"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Read(); err == nil || !strings.Contains(err.Error(), "log.jsonl:1: it is of version 2") {
		t.Error(err)
	}
	if err := os.Remove(l.Path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(l.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Read(); err == nil {
		t.Error("a folder is no error")
	}
	if err := l.Append(t.Context(), []Event{event("a")}); err == nil || !strings.Contains(err.Error(), l.Path) {
		t.Error(err)
	}
}
