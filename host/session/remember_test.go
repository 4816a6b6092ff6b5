package session_test

import (
	"context"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fingerprint"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
)

var errGone = errors.New("the connection is gone")

func isGone(err error) bool { return errors.Is(err, errGone) }

// memoryBook is newBook with a machine in memory as this one.
func memoryBook(t *testing.T) (*session.Book, *machine.Memory) {
	t.Helper()
	b, _ := newBook(t)
	m := machine.NewMemory("local")
	b.Local = m
	return b, m
}

// warnings has what a book warns of kept, and not fail the test.
func warnings(b *session.Book) *[]string {
	var out []string
	b.Warn = func(text string) { out = append(out, text) }
	return &out
}

func write(t *testing.T, s *session.Session, w *session.Work) {
	t.Helper()
	if err := s.Write(t.Context(), w); err != nil {
		t.Fatal(err)
	}
}

func breakFile(t *testing.T, file string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("\x00 not as rhx wrote it"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// config.yaml has where secrets were put, for logout: the first file of several, the
// variables, and nothing of what was there already or is no secret of the store. The
// list of created files has all that rhx made.
func TestPlacesThatAreNoted(t *testing.T) {
	b, home := newBook(t)
	env := filepath.Join(home, "env")
	variable := func(name, v string, action provider.Action) session.Outcome {
		return session.Outcome{Secret: name, Stored: name, File: env, Placement: provider.Placement{
			Source: secret.Source{Kind: secret.SourceEnv, Var: v}, Action: action, Keys: []string{v}}}
	}
	text := fileOutcome("npmrc", filepath.Join(home, "text"), "~/text", provider.Created, "npmrc")
	text.Stored = ""
	var changes []machine.Change
	for _, name := range []string{"text", "id", "id.pub"} {
		changes = append(changes, machine.Change{Path: filepath.Join(home, name), Data: []byte("x")})
	}
	for _, name := range []string{"old", "env"} {
		file := filepath.Join(home, name)
		if err := os.WriteFile(file, []byte("theirs"), 0o600); err != nil {
			t.Fatal(err)
		}
		changes = append(changes, machine.Change{Path: file, Old: []byte("theirs"), Data: []byte("x")})
	}
	s := b.Begin("load")
	defer s.End()
	write(t, s, &session.Work{Machine: b.Local, Changes: changes, Outcomes: []session.Outcome{
		text,
		fileOutcome("ssh", filepath.Join(home, "id"), "~/id", provider.Created, "private_key"),
		fileOutcome("ssh", filepath.Join(home, "id.pub"), "~/id.pub", provider.Created, "public_key"),
		fileOutcome("half", filepath.Join(home, "half"), "~/half", provider.Failed, "private_key"),
		fileOutcome("half", filepath.Join(home, "half.pub"), "~/half.pub", provider.Created, "public_key"),
		fileOutcome("late", filepath.Join(home, "late"), "~/late", provider.Unchanged),
		fileOutcome("late", filepath.Join(home, "late.pub"), "~/late.pub", provider.Created, "public_key"),
		fileOutcome("both", filepath.Join(home, "a"), "~/a", provider.Failed, "k"),
		fileOutcome("both", filepath.Join(home, "b"), "~/b", provider.Updated, "k"),
		fileOutcome("aws", filepath.Join(home, "old"), "~/old", provider.Updated, "k"),
		fileOutcome("same", filepath.Join(home, "same"), "~/same", provider.Unchanged),
		variable("openai", "OPENAI_API_KEY", provider.Created),
		variable("openai", "OPENAI_ORG", provider.Updated),
		variable("cohere", "CO_API_KEY", provider.Unchanged),
	}})
	conf, err := config.Load(b.Dirs)
	want := map[string]config.Location{
		"ssh": {Path: "~/id"}, "both": {Path: "~/b"}, "late": {Path: "~/late.pub"}, "aws": {Path: "~/old"}, "openai": {Vars: []string{"OPENAI_API_KEY", "OPENAI_ORG"}},
	}
	if err != nil || !reflect.DeepEqual(conf.Secrets, want) {
		t.Errorf("%+v, %v", conf.Secrets, err)
	}
	created, err := config.Created(b.Dirs)
	if err != nil || !slices.Equal(created, []string{"~/text", "~/id", "~/id.pub", "~/half.pub", "~/late.pub"}) {
		t.Errorf("%v, %v", created, err)
	}
}

// An update of a file that was there already is noted, and the file is not rhx's.
func TestUpdateAloneIsNoted(t *testing.T) {
	b, home := newBook(t)
	file := filepath.Join(home, "creds")
	if err := os.WriteFile(file, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, b, place.Here, b.Local, file, "aws", "k", "theirs", "ours")
	conf, err := config.Load(b.Dirs)
	if err != nil || conf.Secrets["aws"].Path != "~/creds" {
		t.Errorf("%+v, %v", conf, err)
	}
	if created, err := config.Created(b.Dirs); err != nil || len(created) != 0 {
		t.Errorf("%v, %v", created, err)
	}
}

// What could not be remembered of a write that was made is said, and is no error of
// the write: the file is there.
func TestWhatIsNotRememberedIsSaid(t *testing.T) {
	for says, broken := range map[string]func(config.Dirs) string{
		"the log could not be written: ":                                             func(d config.Dirs) string { return filepath.Join(d.State, "log.jsonl", "x") },
		"the places were not noted in rhx's configuration: ":                         config.Path,
		"what was written is not noted, so the next apply will call it a conflict: ": func(d config.Dirs) string { return fingerprint.Path(d.State) },
	} {
		t.Run(says, func(t *testing.T) {
			b, home := newBook(t)
			breakFile(t, broken(b.Dirs))
			said := warnings(b)
			s := b.BeginFinal("load")
			file := filepath.Join(home, "creds")
			write(t, s, &session.Work{Machine: b.Local, Changes: []machine.Change{{Path: file, Data: []byte("x")}},
				Outcomes: []session.Outcome{fileOutcome("aws", file, "~/creds", provider.Created, "k")},
				Values:   map[string]secret.Values{"aws": {"k": secret.NewValue("x")}}})
			s.End()
			if len(*said) != 1 || !strings.HasPrefix((*said)[0], says) {
				t.Errorf("%q", *said)
			}
			if data, err := os.ReadFile(file); string(data) != "x" {
				t.Errorf("%q, %v", data, err)
			}
		})
	}
}

// The fingerprints' file can break while the session runs: that is said at its end.
func TestFingerprintsLostAtTheEnd(t *testing.T) {
	b, _ := newBook(t)
	said := warnings(b)
	s := b.BeginFinal("sync")
	write(t, s, &session.Work{At: place.Host("gpu"), Machine: machine.NewMemory("gpu"),
		Outcomes: []session.Outcome{fileOutcome("aws", "/home/u/creds", "~/creds", provider.Unchanged)},
		Values:   map[string]secret.Values{"aws": {"k": secret.NewValue("x")}}})
	breakFile(t, fingerprint.Path(b.Dirs.State))
	s.End()
	if len(*said) != 1 || !strings.HasPrefix((*said)[0], "what was written is not noted") {
		t.Errorf("%q", *said)
	}
}

// A book that nobody listens to warns nobody.
func TestNobodyIsWarned(t *testing.T) {
	b, _ := newBook(t)
	b.Warn = nil
	breakFile(t, filepath.Join(b.Dirs.State, "log.jsonl", "x"))
	b.BeginFinal("relay").Relay([]session.Outcome{fileOutcome("aws", "/a", "~/a", provider.Created, "k")})
}

// What another rhx did at this one's request is in the log of this one.
func TestRelay(t *testing.T) {
	b, _ := newBook(t)
	t.Setenv("USER", "nobody-of-this-name")
	o := fileOutcome("aws", "/home/u/a", "~/a", provider.Created, "k")
	o.At = place.Host("gpu")
	same := fileOutcome("same", "/home/u/b", "~/b", provider.Unchanged)
	b.Begin("sync").Relay([]session.Outcome{o, same})
	events, err := b.Events()
	if err != nil || len(events) != 1 {
		t.Fatalf("%+v, %v", events, err)
	}
	e := events[0]
	if e.Command != "sync" || e.Machine != "gpu" || e.Secret != "aws" || e.Path != "~/a" || e.Action != "created" || !slices.Equal(e.Keys, []string{"k"}) {
		t.Errorf("%+v", e)
	}
	// The name is the user database's, whatever the environment says.
	if who, err := user.Current(); err != nil || e.User != who.Username {
		t.Errorf("%q, %v", e.User, err)
	}

	said := warnings(b)
	breakFile(t, filepath.Join(b.Dirs.State, "log.jsonl.1"))
	if _, err := b.Events(); err == nil || fault.KindOf(err) != fault.Partial {
		t.Errorf("a broken line is not said: %v", err)
	}
	if err := os.Remove(filepath.Join(b.Dirs.State, "log.jsonl")); err != nil {
		t.Fatal(err)
	}
	breakFile(t, filepath.Join(b.Dirs.State, "log.jsonl", "x"))
	b.Begin("sync").Relay([]session.Outcome{o})
	if len(*said) != 1 || !strings.HasPrefix((*said)[0], "the log could not be written: ") {
		t.Errorf("%q", *said)
	}
}

// A secret one part of which failed is not remembered as rhx's, whichever part it was.
func TestFailedInPart(t *testing.T) {
	for _, bad := range []string{"/home/u/a", "/home/u/b"} {
		b, _ := newBook(t)
		m := machine.NewMemory("gpu")
		m.FailWrite(bad, errors.New("no space left on device"))
		s := b.Begin("sync")
		write(t, s, &session.Work{At: place.Host("gpu"), Machine: m,
			Changes: []machine.Change{{Path: "/home/u/a", Data: []byte("x")}, {Path: "/home/u/b", Data: []byte("y")}},
			Outcomes: []session.Outcome{
				fileOutcome("ssh", "/home/u/a", "~/a", provider.Created, "k"),
				fileOutcome("ssh", "/home/u/b", "~/b", provider.Created, "l"),
			},
			Values:   map[string]secret.Values{"ssh": {"k": secret.NewValue("x"), "l": secret.NewValue("y")}},
			Versions: map[string]session.Version{"ssh": {Number: 2, Store: "local"}}})
		s.End()
		if wrote(t, b, place.Host("gpu"), "ssh", conflict("k", "x")) || wrote(t, b, place.Host("gpu"), "ssh", conflict("l", "y")) {
			t.Errorf("%s failed, and the secret counts as written", bad)
		}
		if v, err := b.Seen(t.Context(), place.Host("gpu"), "ssh", "local"); v != 0 || err != nil {
			t.Errorf("%s failed, and version %d counts as there, %v", bad, v, err)
		}
	}
}

// Values are remembered under the secret's name in the store, and those of a text of
// the manifest under its own.
func TestNamesOfFingerprints(t *testing.T) {
	b, _ := newBook(t)
	gpu := place.Host("gpu")
	stored := fileOutcome("db", "/home/u/a", "~/a", provider.Unchanged)
	stored.Stored = "prod/db"
	text := fileOutcome("npmrc", "/home/u/b", "~/b", provider.Unchanged)
	text.Stored = ""
	s := b.Begin("apply")
	write(t, s, &session.Work{At: gpu, Machine: machine.NewMemory("gpu"), Outcomes: []session.Outcome{stored, text},
		Values:   map[string]secret.Values{"db": {"k": secret.NewValue("x")}, "npmrc": {"npmrc": secret.NewValue("y")}},
		Versions: map[string]session.Version{"prod/db": {Number: 4, Store: "local"}}})
	s.End()
	b = again(b)
	if !wrote(t, b, gpu, "prod/db", conflict("k", "x")) || wrote(t, b, gpu, "db", conflict("k", "x")) || !wrote(t, b, gpu, "npmrc", conflict("npmrc", "y")) {
		t.Error("a value is remembered under another name")
	}
	// A write that knows no version leaves the one that is known.
	s = b.Begin("apply")
	write(t, s, &session.Work{At: gpu, Machine: machine.NewMemory("gpu"), Outcomes: []session.Outcome{stored},
		Values: map[string]secret.Values{"db": {"k": secret.NewValue("x")}}})
	s.End()
	if v, err := again(b).Seen(t.Context(), gpu, "prod/db", "local"); v != 4 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
}

// Versions that were seen on a machine are there for the next rhx.
func TestSaw(t *testing.T) {
	b, _ := newBook(t)
	gpu := place.Host("gpu")
	b.Saw(t.Context(), gpu, map[string]session.Version{"aws": {Number: 12, Store: "vault://kv/me"}})
	if v, err := again(b).Seen(t.Context(), gpu, "aws", "vault://kv/me"); v != 12 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
	if v, err := again(b).Seen(t.Context(), place.Here, "aws", "vault://kv/me"); v != 0 || err != nil {
		t.Errorf("version %d elsewhere, %v", v, err)
	}

	breakFile(t, fingerprint.Path(b.Dirs.State))
	b = again(b)
	said := warnings(b)
	b.Saw(t.Context(), gpu, nil)
	if len(*said) != 0 {
		t.Errorf("%q of nothing", *said)
	}
	b.Saw(t.Context(), gpu, map[string]session.Version{"aws": {Number: 13, Store: "local"}})
	if len(*said) != 1 || !strings.HasPrefix((*said)[0], "which versions this machine has was not noted: ") {
		t.Errorf("%q", *said)
	}
	if _, err := b.Seen(t.Context(), gpu, "aws", "local"); err == nil {
		t.Error("a broken record says that no version is known")
	}
	if yes, err := b.Wrote(gpu, "aws", conflict("k", "x")); yes || err == nil {
		t.Errorf("a broken record says whose a value is: %v, %v", yes, err)
	}
	if f, err := b.Fingerprint(secret.NewValue("x")); f != "" || err == nil {
		t.Errorf("%q, %v", f, err)
	}
}

// A fingerprint stays the same on a machine, and tells values from each other.
func TestFingerprint(t *testing.T) {
	b, _ := newBook(t)
	of := func(b *session.Book, v string) string {
		f, err := b.Fingerprint(secret.NewValue(v))
		if err != nil || len(f) != 6 {
			t.Errorf("%q, %v", f, err)
		}
		return f
	}
	if of(b, "one") != of(again(b), "one") || of(b, "one") == of(b, "two") {
		t.Error("the fingerprints do not tell what they are for")
	}
	other, _ := newBook(t)
	if of(b, "one") == of(other, "one") {
		t.Error("another user has the same fingerprint")
	}
}

// sealings counts how often the fingerprints are sealed, which is how often their file
// is written.
type sealings struct {
	session.Keys
	n int
}

func (s *sealings) Seal(ctx context.Context, label string, data []byte) ([]byte, error) {
	if label == "applied" {
		s.n++
	}
	return s.Keys.Seal(ctx, label, data)
}

// The fingerprints of many machines go to the disk together, and those of a long sync
// are there before its end.
func TestFingerprintsOfALongSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBook(t)
		counts := &sealings{Keys: b.Keys}
		b.Keys = counts
		s := b.BeginFinal("sync")
		on := func(name string) {
			write(t, s, &session.Work{At: place.Host(name), Machine: machine.NewMemory(name),
				Outcomes: []session.Outcome{fileOutcome("aws", "/home/u/creds", "~/creds", provider.Unchanged)},
				Values:   map[string]secret.Values{"aws": {"k": secret.NewValue(name)}}})
		}
		there := func(when string, want int, names ...string) {
			t.Helper()
			if counts.n != want {
				t.Errorf("%s: written %d times, not %d", when, counts.n, want)
			}
			other := again(b)
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				if wrote(t, other, place.Host(name), "aws", conflict("k", name)) != slices.Contains(names, name) {
					t.Errorf("%s: those of %s", when, name)
				}
			}
		}
		on("a")
		on("b")
		there("at once", 0)
		time.Sleep(time.Second)
		on("c")
		there("after a second", 0)
		time.Sleep(time.Millisecond)
		on("d")
		there("after more than a second", 1, "a", "b", "c", "d")
		on("e")
		there("right after that", 1, "a", "b", "c", "d")
		s.End()
		there("at the end", 2, "a", "b", "c", "d", "e")
		s.End()
		there("at another end", 2, "a", "b", "c", "d", "e")
	})
}

// A session that wrote nothing leaves nothing, not even a key.
func TestEmptySessionLeavesNothing(t *testing.T) {
	b, home := newBook(t)
	b.Begin("load").End()
	if left, err := os.ReadDir(home); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestReportPartly(t *testing.T) {
	bad := errors.New("no")
	ok := fileOutcome("a", "/a", "~/a", provider.Unchanged)
	failed := fileOutcome("b", "/b", "~/b", provider.Failed)
	failed.Err = bad
	for name, c := range map[string]struct {
		r    session.Report
		kind fault.Kind
	}{
		"one of two secrets":         {session.Report{{Value: []session.Outcome{ok, failed}}}, fault.Partial},
		"the same, the other way":    {session.Report{{Value: []session.Outcome{failed, ok}}}, fault.Partial},
		"one of two places":          {session.Report{{Value: []session.Outcome{ok}}, {At: place.Host("x"), Err: bad}}, fault.Partial},
		"all secrets":                {session.Report{{Value: []session.Outcome{failed, failed}}}, fault.KindOf(bad)},
		"a place that cannot be had": {session.Report{{At: place.Host("x"), Err: bad}}, fault.KindOf(bad)},
	} {
		if err := c.r.Err(); err == nil || fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v, kind %v", name, err, fault.KindOf(err))
		}
	}
}
