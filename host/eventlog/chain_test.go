package eventlog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const childEnv = "RHX_EVENTLOG_TEST_CHILD"

func TestMain(m *testing.M) {
	path := os.Getenv(childEnv)
	if path == "" {
		os.Exit(m.Run())
	}
	l := &Log{Path: path, Keys: fakeKeys{{1}}, max: 20 << 10}
	for i := range 5 {
		if err := l.Append(context.Background(), []Event{event(fmt.Sprintf("%d-%d", os.Getpid(), i)), event("second")}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func verify(t *testing.T, l *Log) *Check {
	t.Helper()
	c, err := l.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// problems are what Verify says, without the folder.
func problems(t *testing.T, l *Log) string {
	t.Helper()
	return strings.ReplaceAll(strings.Join(verify(t, l).Problems, "\n"), filepath.Dir(l.Path)+string(filepath.Separator), "")
}

func whole(t *testing.T, l *Log, entries int) {
	t.Helper()
	if c := verify(t, l); len(c.Problems) > 0 || c.Entries != entries {
		t.Errorf("%+v", c)
	}
}

// rotated is a log of 10 lines of which 5 are in log.jsonl.1.
func rotated(t *testing.T) *Log {
	t.Helper()
	l := newLog(t)
	for i := range 5 {
		add(t, l, event(fmt.Sprint("a", i)))
	}
	l.max = 1
	add(t, l, event("b0"))
	l.max = 0
	for i := 1; i < 5; i++ {
		add(t, l, event(fmt.Sprint("b", i)))
	}
	whole(t, l, 10)
	return l
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// edit changes the lines of a file.
func edit(t *testing.T, path string, change func(lines [][]byte) [][]byte) {
	t.Helper()
	lines := bytes.SplitAfter(read(t, path), []byte("\n"))
	write(t, path, bytes.Join(change(lines[:len(lines)-1]), nil))
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func drop(from, to int) func([][]byte) [][]byte {
	return func(lines [][]byte) [][]byte { return append(lines[:from:from], lines[to:]...) }
}

// Whoever can write the files, and has no key, is found: where they cut, changed,
// moved or added a line, and also after rhx has gone on.
func TestTampering(t *testing.T) {
	forged := func(seq int64, prev string, keys ...[]byte) []byte {
		e := event("forged")
		e.chained = chained{Seq: seq, Prev: prev}
		line, _ := prove(e, keys)
		return append(line, '\n')
	}
	for name, c := range map[string]struct {
		do         func(t *testing.T, l *Log)
		now, after string
	}{
		"a line is cut": {
			do:  func(t *testing.T, l *Log) { edit(t, l.Path, drop(1, 2)) },
			now: "log.jsonl:2: number 7 is gone before it",
		},
		"lines are cut": {
			do:  func(t *testing.T, l *Log) { edit(t, l.Path, drop(1, 3)) },
			now: "log.jsonl:2: numbers 7 to 8 are gone before it",
		},
		"the end is cut": {
			do:    func(t *testing.T, l *Log) { edit(t, l.Path, drop(3, 5)) },
			now:   "at the end, numbers 9 to 10 are gone (a machine that lost power can lose the last ones, too)",
			after: "log.jsonl:4: numbers 9 to 10 are gone before it",
		},
		"the beginning is cut": {
			do:  func(t *testing.T, l *Log) { edit(t, l.before(), drop(0, 2)) },
			now: "at the beginning, numbers 1 to 2 are gone",
		},
		"the log before is removed": {
			do:  func(t *testing.T, l *Log) { remove(t, l.before()) },
			now: "at the beginning, numbers 1 to 5 are gone",
		},
		"the log is removed": {
			do:    func(t *testing.T, l *Log) { remove(t, l.Path) },
			now:   "at the end, numbers 6 to 10 are gone (a machine that lost power can lose the last ones, too)",
			after: "log.jsonl:1: numbers 6 to 10 are gone before it",
		},
		"a line is changed": {
			do: func(t *testing.T, l *Log) {
				write(t, l.Path, bytes.Replace(read(t, l.Path), []byte(`"b2"`), []byte(`"XX"`), 1))
			},
			now: "log.jsonl:3: it was changed, or another key wrote it\nlog.jsonl:4: the line before it was changed or replaced",
		},
		"the last line is changed": {
			do: func(t *testing.T, l *Log) {
				write(t, l.Path, bytes.Replace(read(t, l.Path), []byte(`"b4"`), []byte(`"XX"`), 1))
			},
			now:   "log.jsonl:5: it was changed, or another key wrote it\nthe last line was changed",
			after: "log.jsonl:5: it was changed, or another key wrote it\nlog.jsonl:6: the line before it was changed or replaced",
		},
		"lines change places": {
			do: func(t *testing.T, l *Log) {
				edit(t, l.Path, func(x [][]byte) [][]byte { x[1], x[2] = x[2], x[1]; return x })
			},
			now: "log.jsonl:2: number 7 is gone before it\nlog.jsonl:3: it is number 7 and follows number 8: it was put here again, or moved\nlog.jsonl:4: number 8 is gone before it",
		},
		"a line is there twice": {
			do: func(t *testing.T, l *Log) {
				edit(t, l.Path, func(x [][]byte) [][]byte { return append(x[:2:2], x[1:]...) })
			},
			now: "log.jsonl:3: it is number 7 and follows number 7: it was put here again, or moved",
		},
		"a line without a number is added": {
			do: func(t *testing.T, l *Log) {
				edit(t, l.Path, func(x [][]byte) [][]byte {
					return append(x[:2:2], append([][]byte{[]byte(`{"v":1,"time":"2026-01-01T00:00:00Z","secret":"x"}` + "\n")}, x[2:]...)...)
				})
			},
			now: "log.jsonl:3: it is not in the chain: it was added, or a rhx from before there was one wrote it",
		},
		"a line is added at the end": {
			do: func(t *testing.T, l *Log) {
				edit(t, l.Path, func(x [][]byte) [][]byte { return append(x, forged(11, hashOf(bytes.TrimSpace(x[4])))) })
			},
			now: "log.jsonl:6: it has no proof: it was added or changed, or written while there was no key",
		},
		"a line is added by another key": {
			do: func(t *testing.T, l *Log) {
				edit(t, l.Path, func(x [][]byte) [][]byte {
					return append(x, forged(11, hashOf(bytes.TrimSpace(x[4])), []byte{2}))
				})
			},
			now:   "log.jsonl:6: it was changed, or another key wrote it",
			after: "log.jsonl:6: it was changed, or another key wrote it\nlog.jsonl:7: it is number 11 and follows number 11: it was put here again, or moved",
		},
		"the end is cut and the head, too": {
			do: func(t *testing.T, l *Log) {
				edit(t, l.Path, drop(3, 5))
				remove(t, l.headPath())
			},
			now:   "log.jsonl.head is missing or damaged: lines may have been cut at the end",
			after: "log.jsonl:4: the chain begins anew here: log.jsonl.head was removed or changed before, and lines may have been cut",
		},
		"the end is cut and the head is damaged": {
			do: func(t *testing.T, l *Log) {
				edit(t, l.Path, drop(3, 5))
				write(t, l.headPath(), []byte("{"))
			},
			now:   "log.jsonl.head is missing or damaged: lines may have been cut at the end",
			after: "log.jsonl:4: the chain begins anew here: log.jsonl.head was removed or changed before, and lines may have been cut",
		},
		"the end is cut and the head says so": {
			do: func(t *testing.T, l *Log) {
				edit(t, l.Path, drop(3, 5))
				forgeHead(t, l, []byte{2})
			},
			now:   "log.jsonl.head was changed, or another key wrote it",
			after: "log.jsonl:4: the chain begins anew here: log.jsonl.head was removed or changed before, and lines may have been cut",
		},
		"the end is cut and the head says so without a proof": {
			do: func(t *testing.T, l *Log) {
				edit(t, l.Path, drop(3, 5))
				forgeHead(t, l)
			},
			now:   "log.jsonl.head was replaced: lines may have been cut at the end",
			after: "log.jsonl:4: log.jsonl.head was replaced before it, and lines may have been cut",
		},
		"all is removed but the head": {
			do: func(t *testing.T, l *Log) {
				remove(t, l.Path)
				remove(t, l.before())
			},
			now:   "at the end, numbers 1 to 10 are gone (a machine that lost power can lose the last ones, too)",
			after: "at the beginning, numbers 1 to 10 are gone",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := rotated(t)
			c.do(t, l)
			if got := problems(t, l); got != c.now {
				t.Errorf("at once:\n%s\nwant:\n%s", got, c.now)
			}
			add(t, l, event("later"))
			add(t, l, event("and later"))
			if c.after == "" {
				c.after = c.now
			}
			if got := problems(t, l); got != c.after {
				t.Errorf("after rhx has gone on:\n%s\nwant:\n%s", got, c.after)
			}
		})
	}
}

// forgeHead writes the head that the log as it is would have.
func forgeHead(t *testing.T, l *Log, keys ...[]byte) {
	t.Helper()
	data := read(t, l.Path)
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	var e Event
	if err := json.Unmarshal(lines[len(lines)-1], &e); err != nil {
		t.Fatal(err)
	}
	if err := l.writeHead(&head{Seq: e.Seq, Hash: hashOf(lines[len(lines)-1]), Size: int64(len(data)), Start: 6, First: 1}, keys); err != nil {
		t.Fatal(err)
	}
}

// A command that ends before any of its changes leaves a log that is whole, and the
// next one goes on.
func TestEndAtEveryStep(t *testing.T) {
	for _, max := range []int64{0, 1} { // with and without beginning anew
		for _, before := range []int{0, 1, 3} {
			for step := 0; ; step++ {
				l := newLog(t)
				for range before {
					add(t, l, event("before"))
				}
				l.max = max
				if !endAt(t, l, step) {
					if step < 2 {
						t.Errorf("only %d steps", step)
					}
					break
				}
				if got := problems(t, l); got != "" {
					t.Errorf("%d before, max %d, step %d: %s", before, max, step, got)
				}
				l.max, l.onStep = 0, nil
				add(t, l, event("after"))
				add(t, l, event("after"))
				if got := problems(t, l); got != "" {
					t.Errorf("%d before, max %d, step %d, after: %s", before, max, step, got)
				}
			}
		}
	}
}

// endAt appends, and ends before the change of that number; false: there is none.
func endAt(t *testing.T, l *Log, step int) (ended bool) {
	t.Helper()
	l.onStep = func() {
		if step--; step < 0 {
			panic("end")
		}
	}
	defer func() { ended = recover() != nil }()
	// Without the lock, which ends with the process.
	if err := os.MkdirAll(filepath.Dir(l.Path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.append([]Event{event("x"), event("y")}, [][]byte{{1}}); err != nil {
		t.Fatal(err)
	}
	return false
}

// A command may be killed in the middle of a line.
func TestHalfALine(t *testing.T) {
	l := newLog(t)
	add(t, l, event("a"))
	write(t, l.Path, append(read(t, l.Path), `{"v":1,"time":"20`...))
	c := verify(t, l)
	if len(c.Problems) > 0 || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "log.jsonl:2: this line is not as rhx wrote it; a command that is killed") {
		t.Errorf("%+v", c)
	}
	add(t, l, event("b"))
	add(t, l, event("c"))
	if whole(t, l, 3); len(verify(t, l).Notes) != 1 {
		t.Error(verify(t, l).Notes)
	}
}

// A log of before there was a chain is gone on with.
func TestOlderLog(t *testing.T) {
	l := newLog(t)
	old := strings.Repeat(`{"v":1,"time":"2026-01-01T00:00:00Z","secret":"old"}`+"\n", 3)
	if err := os.MkdirAll(filepath.Dir(l.Path), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, l.Path, []byte(old))
	add(t, l, event("a"))
	add(t, l, event("b"))
	if c := verify(t, l); len(c.Problems) > 0 || c.Older != 3 || c.Entries != 2 {
		t.Errorf("%+v", c)
	}
	l.max = 1
	add(t, l, event("c"))
	whole(t, l, 3)
}

// While the key waits for its passphrase lines have no proof of their own. Those after
// them prove them, and what is added or cut meanwhile is found by the chain.
func TestLockedKey(t *testing.T) {
	l := newLog(t)
	add(t, l, event("open"))
	l.Keys = lockedKeys{{1}}
	add(t, l, event("locked"))
	add(t, l, event("locked"))
	if c := verify(t, l); len(c.Problems) > 0 || c.Entries != 3 || c.Unproven != 2 {
		t.Errorf("%+v", c)
	}
	l.Keys = fakeKeys{{1}}
	add(t, l, event("open again"))
	l.Keys = lockedKeys{{1}}
	if c := verify(t, l); len(c.Problems) > 0 || c.Entries != 4 || c.Unproven != 2 {
		t.Errorf("%+v", c)
	}
	write(t, l.Path, bytes.Replace(read(t, l.Path), []byte(`"locked"`), []byte(`"LOCKED"`), 1))
	if got := problems(t, l); got != "log.jsonl:3: the line before it was changed or replaced" {
		t.Error(got)
	}
	// With a key that is always open such lines are somebody else's.
	l.Keys = fakeKeys{{1}}
	if got := problems(t, l); !strings.HasPrefix(got, "log.jsonl:2: it has no proof") || !strings.Contains(got, "log.jsonl:3: it has no proof") {
		t.Error(got)
	}
}

// A new key is put before the old one: both prove.
func TestOldAndNewKey(t *testing.T) {
	l := newLog(t)
	add(t, l, event("old"))
	l.Keys = fakeKeys{{2}, {1}}
	add(t, l, event("new"))
	whole(t, l, 2)
	l.Keys = fakeKeys{{3}}
	if got := problems(t, l); strings.Count(got, "another key wrote it") != 3 {
		t.Error(got)
	}
}

// Fifty processes at once lose nothing, while the log begins anew.
func TestFiftyProcesses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l := newLog(t)
	cmds := make([]*exec.Cmd, 50)
	outs := make([]bytes.Buffer, len(cmds))
	for i := range cmds {
		cmds[i] = exec.CommandContext(t.Context(), self)
		cmds[i].Env = append(os.Environ(), childEnv+"="+l.Path)
		cmds[i].Stderr = &outs[i]
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range cmds {
		if err := cmds[i].Wait(); err != nil {
			t.Errorf("%v: %s", err, outs[i].String())
		}
	}
	if got := problems(t, l); got != "" {
		t.Error(got)
	}
	h, _, err := l.readHead()
	if err != nil || h.Seq != 500 {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := os.Stat(l.before()); err != nil {
		t.Error("it did not begin anew: ", err)
	}
}
