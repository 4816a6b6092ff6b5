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
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// newBook returns the book of an rhx whose folders are new, with a real key and
// journal, and its home folder. What it warns of fails the test.
func newBook(t *testing.T) (*session.Book, string) {
	t.Helper()
	home := t.TempDir()
	dirs := config.NewDirs(home, func(string) string { return "" })
	keys := agestore.Open(agestore.Options{Dir: dirs.Data})
	return &session.Book{
		Dirs: dirs, Local: machine.Local(home, func(string) string { return "" }), Keys: keys,
		Journal: &journal.Journal{Dir: filepath.Join(dirs.State, "journal"), Seal: keys.Seal, Unseal: keys.Unseal},
		Warn:    func(text string) { t.Error(text) },
	}, home
}

// again is another rhx over the same folders.
func again(b *session.Book) *session.Book {
	return &session.Book{Dirs: b.Dirs, Local: b.Local, Keys: b.Keys, Journal: b.Journal, Warn: b.Warn}
}

func fileOutcome(name, file, short string, action provider.Action, keys ...string) session.Outcome {
	return session.Outcome{Secret: name, Stored: name, File: file, Placement: provider.Placement{
		Source: secret.Source{Kind: secret.SourceFile, Path: short}, Action: action, Keys: keys,
	}}
}

// put writes one value of a secret into one file, as rhx does.
func put(t *testing.T, b *session.Book, at place.Place, m machine.Machine, file, name, key, old, value string) {
	t.Helper()
	s := b.Begin("load")
	defer s.End()
	action := provider.Updated
	c := machine.Change{Path: file, Data: []byte(value), Old: []byte(old)}
	if old == "" {
		c.Old, action = nil, provider.Created
	}
	o := fileOutcome(name, file, "~/"+filepath.Base(file), action, key)
	o.At = at
	w := &session.Work{At: at, Machine: m, Changes: []machine.Change{c}, Outcomes: []session.Outcome{o},
		Values:   map[string]secret.Values{name: {key: secret.NewValue(value)}},
		Versions: map[string]session.Version{name: {Number: 3, Store: "local"}}}
	if err := s.Write(t.Context(), w); err != nil || w.Outcomes[0].Err != nil {
		t.Fatal(err, w.Outcomes)
	}
}

func conflict(key, have string) *provider.ConflictError {
	return &provider.ConflictError{Keys: []string{key}, Have: secret.Values{key: secret.NewValue(have)}}
}

func wrote(t *testing.T, b *session.Book, at place.Place, name string, c *provider.ConflictError) bool {
	t.Helper()
	yes, err := b.Wrote(at, name, c)
	if err != nil {
		t.Fatal(err)
	}
	return yes
}

// One write is kept for undo, logged, noted as a place and as a fingerprint, and
// undo takes all of it back.
func TestWriteIsRememberedAndUndone(t *testing.T) {
	b, home := newBook(t)
	file := filepath.Join(home, "creds")
	put(t, b, place.Here, b.Local, file, "aws", "k", "", "one")

	b = again(b)
	conf, err := config.Load(b.Dirs)
	if err != nil || conf.Secrets["aws"].Path != "~/creds" {
		t.Errorf("noted: %+v, %v", conf.Secrets, err)
	}
	created, err := config.Created(b.Dirs)
	if err != nil || !slices.Equal(created, []string{"~/creds"}) {
		t.Errorf("created: %v, %v", created, err)
	}
	events, err := b.Events()
	if err != nil || len(events) != 1 || events[0].Command != "load" || events[0].Secret != "aws" || events[0].Machine != "local" || events[0].Path != "~/creds" || events[0].Action != "created" {
		t.Errorf("log: %+v, %v", events, err)
	}
	if !wrote(t, b, place.Here, "aws", conflict("k", "one")) {
		t.Error("a value that rhx wrote counts as another's")
	}
	if v, err := b.Seen(t.Context(), place.Here, "aws", "local"); v != 3 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
	if v, err := b.Seen(t.Context(), place.Here, "aws", "vault://x"); v != 0 || err != nil {
		t.Errorf("version %d of another store, %v", v, err)
	}

	last, err := b.LastSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	local := fleet.Fleet{Open: func(place.Place) machine.Machine { return b.Local }}
	undone, err := b.Undo(t.Context(), last, local, journal.UndoOptions{})
	if err != nil || len(undone) != 1 || undone[0].Err != nil || undone[0].At != place.Here || undone[0].Action() != "removed" {
		t.Fatalf("%+v, %v", undone, err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file: %v", err)
	}
	b = again(b)
	if conf, err := config.Load(b.Dirs); err != nil || len(conf.Secrets) != 0 {
		t.Errorf("still noted: %+v, %v", conf, err)
	}
	if created, err := config.Created(b.Dirs); err != nil || len(created) != 0 {
		t.Errorf("still rhx's: %v, %v", created, err)
	}
	if wrote(t, b, place.Here, "aws", conflict("k", "one")) {
		t.Error("a value of before counts as rhx's after undo")
	}
	if events, err := b.Events(); err != nil || len(events) != 2 || events[1].Command != "undo" || events[1].Action != "removed" {
		t.Errorf("log: %+v, %v", events, err)
	}
	if _, err := b.LastSession(t.Context()); err == nil {
		t.Error("the session is there after undo")
	}
}

// Undo brings back the fingerprints of the session before.
func TestUndoRestoresFingerprints(t *testing.T) {
	b, home := newBook(t)
	file := filepath.Join(home, "creds")
	put(t, b, place.Here, b.Local, file, "aws", "k", "", "one")
	b = again(b)
	put(t, b, place.Here, b.Local, file, "aws", "k", "one", "two")
	b = again(b)
	if wrote(t, b, place.Here, "aws", conflict("k", "one")) || !wrote(t, b, place.Here, "aws", conflict("k", "two")) {
		t.Error("not the newest value is known")
	}
	last, err := b.LastSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	local := fleet.Fleet{Open: func(place.Place) machine.Machine { return b.Local }}
	if undone, err := b.Undo(t.Context(), last, local, journal.UndoOptions{}); err != nil || undone[0].Err != nil {
		t.Fatal(undone, err)
	}
	b = again(b)
	if !wrote(t, b, place.Here, "aws", conflict("k", "one")) || wrote(t, b, place.Here, "aws", conflict("k", "two")) {
		t.Error("not the value of before is known after undo")
	}
	if conf, err := config.Load(b.Dirs); err != nil || conf.Secrets["aws"].Path != "~/creds" {
		t.Errorf("the place of the session before is forgotten: %+v, %v", conf, err)
	}
}

// What rhx never wrote is nobody's but the user's: another value, another key, secret,
// machine; and a conflict without keys says nothing.
func TestWroteKnowsOnlyItsOwn(t *testing.T) {
	b, _ := newBook(t)
	gpu := machine.NewMemory("gpu")
	put(t, b, place.Host("gpu"), gpu, "/home/u/creds", "aws", "k", "", "one")
	for what, yes := range map[string]bool{
		"the value":       wrote(t, b, place.Host("gpu"), "aws", conflict("k", "one")),
		"another value":   !wrote(t, b, place.Host("gpu"), "aws", conflict("k", "two")),
		"another key":     !wrote(t, b, place.Host("gpu"), "aws", conflict("l", "one")),
		"another secret":  !wrote(t, b, place.Host("gpu"), "db", conflict("k", "one")),
		"another machine": !wrote(t, b, place.Here, "aws", conflict("k", "one")),
		"no keys":         !wrote(t, b, place.Host("gpu"), "aws", &provider.ConflictError{}),
		"one key of two": !wrote(t, b, place.Host("gpu"), "aws", &provider.ConflictError{Keys: []string{"k", "l"},
			Have: secret.Values{"k": secret.NewValue("one"), "l": secret.NewValue("x")}}),
	} {
		if !yes {
			t.Error(what)
		}
	}
	// A host's files are not noted as this machine's.
	if conf, err := config.Load(b.Dirs); err != nil || len(conf.Secrets) != 0 {
		t.Errorf("%+v, %v", conf, err)
	}
	if events, err := b.Events(); err != nil || len(events) != 1 || events[0].Machine != "gpu" {
		t.Errorf("%+v, %v", events, err)
	}
}

// A change that fails makes the outcomes of its file fail, and no other; nothing is
// noted of these.
func TestWriteFails(t *testing.T) {
	b, _ := newBook(t)
	m := machine.NewMemory("gpu")
	m.FailWrite("/home/u/b", errors.New("no space left on device"))
	s := b.Begin("sync")
	defer s.End()
	w := &session.Work{At: place.Host("gpu"), Machine: m,
		Changes: []machine.Change{{Path: "/home/u/a", Data: []byte("x")}, {Path: "/home/u/b", Data: []byte("y")}},
		Outcomes: []session.Outcome{
			fileOutcome("one", "/home/u/a", "~/a", provider.Created, "k"),
			fileOutcome("two", "/home/u/b", "~/b", provider.Created, "k"),
			fileOutcome("same", "/home/u/b", "~/b", provider.Unchanged),
		},
		Values: map[string]secret.Values{"one": {"k": secret.NewValue("x")}, "two": {"k": secret.NewValue("y")}, "same": {"k": secret.NewValue("z")}}}
	if err := s.Write(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range w.Outcomes {
		got = append(got, o.Secret+" "+string(o.Action))
	}
	if strings.Join(got, ", ") != "one created, two failed, same unchanged" {
		t.Error(got)
	}
	if !wrote(t, b, place.Host("gpu"), "one", conflict("k", "x")) || wrote(t, b, place.Host("gpu"), "two", conflict("k", "y")) {
		t.Error("what failed is noted, or what did not is not")
	}
	// What was there already and is as wanted counts as rhx's.
	if !wrote(t, b, place.Host("gpu"), "same", conflict("k", "z")) {
		t.Error("what is as wanted is not noted")
	}
	events, err := b.Events()
	if err != nil || len(events) != 2 {
		t.Errorf("%+v, %v", events, err)
	}
}

// A machine that cannot be had is an error of the whole, and nothing is noted.
func TestWriteNotBegun(t *testing.T) {
	b, _ := newBook(t)
	m := machine.NewMemory("gpu")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := b.Begin("sync")
	defer s.End()
	w := &session.Work{At: place.Host("gpu"), Machine: m, Changes: []machine.Change{{Path: "/home/u/a", Data: []byte("x")}},
		Outcomes: []session.Outcome{fileOutcome("one", "/home/u/a", "~/a", provider.Created, "k")},
		Values:   map[string]secret.Values{"one": {"k": secret.NewValue("x")}}}
	if err := s.Write(ctx, w); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, _, ok := m.File("/home/u/a"); ok {
		t.Error("it was written")
	}
	if events, err := b.Events(); err != nil || len(events) != 0 {
		t.Errorf("%+v, %v", events, err)
	}
}

// Places that rhx gives up are forgotten, unless the write failed.
func TestDisplaced(t *testing.T) {
	b, home := newBook(t)
	file := filepath.Join(home, "creds")
	put(t, b, place.Here, b.Local, file, "aws", "k", "", "one")
	remove := func(old string) error {
		s := b.Begin("logout")
		defer s.End()
		o := fileOutcome("aws", file, "~/creds", provider.Removed, "k")
		w := &session.Work{Machine: b.Local, Changes: []machine.Change{{Path: file, Old: []byte(old), Remove: true}}, Outcomes: []session.Outcome{o},
			Displaced: map[string]config.Location{"aws": {Path: "~/creds"}}}
		if err := s.Write(t.Context(), w); err != nil {
			return err
		}
		return w.Outcomes[0].Err
	}
	if err := remove("not so"); err == nil {
		t.Error("a file that is not as it was read was removed")
	}
	if conf, _ := config.Load(b.Dirs); conf.Secrets["aws"].Path == "" {
		t.Error("forgotten, and not removed")
	}
	if err := remove("one"); err != nil {
		t.Fatal(err)
	}
	if conf, _ := config.Load(b.Dirs); conf.Secrets["aws"].Path != "" {
		t.Error("removed, and not forgotten")
	}
	if wrote(t, b, place.Here, "aws", conflict("k", "one")) {
		t.Error("the fingerprint of what was removed stays")
	}
}

// A file that was changed since is left, and so is the session, for another try.
func TestUndoLeavesWhatWasChanged(t *testing.T) {
	b, home := newBook(t)
	file := filepath.Join(home, "creds")
	put(t, b, place.Here, b.Local, file, "aws", "k", "", "one")
	if err := os.WriteFile(file, []byte("by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	last, err := b.LastSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	local := fleet.Fleet{Open: func(place.Place) machine.Machine { return b.Local }}
	undone, err := b.Undo(t.Context(), last, local, journal.UndoOptions{})
	if err != nil || !errors.Is(undone[0].Err, journal.ErrChangedSince) {
		t.Errorf("%+v, %v", undone, err)
	}
	if data, _ := os.ReadFile(file); string(data) != "by hand" {
		t.Errorf("%q", data)
	}
	if _, err := b.LastSession(t.Context()); err != nil {
		t.Errorf("the session is forgotten: %v", err)
	}
	if conf, _ := config.Load(b.Dirs); conf.Secrets["aws"].Path == "" {
		t.Error("the place is forgotten")
	}
}

// A host of a session that cannot be had leaves the session; its line has no path.
func TestUndoWithoutTheHost(t *testing.T) {
	b, _ := newBook(t)
	m := machine.NewMemory("gpu")
	put(t, b, place.Host("gpu"), m, "/home/u/creds", "aws", "k", "", "one")
	last, err := b.LastSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.Fail(errors.New("no route to host"))
	hosts := fleet.Fleet{Open: func(at place.Place) machine.Machine {
		if at != place.Host("gpu") {
			t.Errorf("%v was asked for", at)
		}
		return m
	}}
	undone, err := b.Undo(t.Context(), last, hosts, journal.UndoOptions{})
	if err != nil || len(undone) != 1 || undone[0].Err == nil || undone[0].Path != "" || undone[0].At != place.Host("gpu") {
		t.Errorf("%+v, %v", undone, err)
	}
	if _, err := b.LastSession(t.Context()); err != nil {
		t.Errorf("the session is forgotten: %v", err)
	}
}

// Many machines are undone at once, and the session goes when all of them are.
func TestUndoOnManyMachines(t *testing.T) {
	b, _ := newBook(t)
	machines := map[place.Place]*machine.Memory{}
	s := b.Begin("sync")
	for _, name := range []string{"a", "b", "c", "d"} {
		at, m := place.Host(name), machine.NewMemory(name)
		machines[at] = m
		w := &session.Work{At: at, Machine: m, Changes: []machine.Change{{Path: "/home/u/x", Data: []byte(name)}}}
		if err := s.Write(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	s.End()
	last, err := b.LastSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hosts := fleet.Fleet{Open: func(at place.Place) machine.Machine { return machines[at] }}
	undone, err := b.Undo(t.Context(), last, hosts, journal.UndoOptions{})
	if err != nil || len(undone) != 4 {
		t.Fatalf("%+v, %v", undone, err)
	}
	for at, m := range machines {
		if _, _, there := m.File("/home/u/x"); there {
			t.Errorf("%s has the file", at)
		}
	}
	if _, err := b.LastSession(t.Context()); err == nil {
		t.Error("the session is kept")
	}
}

// Beyond recovery: nothing is kept.
func TestBeginFinal(t *testing.T) {
	b, _ := newBook(t)
	s := b.BeginFinal("delete --contents")
	m := machine.NewMemory("gpu")
	w := &session.Work{At: place.Host("gpu"), Machine: m, Changes: []machine.Change{{Path: "/home/u/a", Data: []byte("x")}}}
	if err := s.Write(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	s.End()
	if _, err := b.LastSession(t.Context()); err == nil {
		t.Error("something is kept")
	}
}

func TestReport(t *testing.T) {
	bad := errors.New("no")
	ok := fileOutcome("a", "/a", "~/a", provider.Unchanged)
	failed := fileOutcome("b", "/b", "~/b", provider.Failed)
	failed.Err, failed.At = bad, place.Host("x")
	r := session.Report{
		{At: place.Here, Value: []session.Outcome{ok}},
		{At: place.Host("x"), Value: []session.Outcome{ok, failed}},
		{At: place.Host("down"), Err: bad, Value: []session.Outcome{session.Failure(place.Host("down"), "a", bad)}},
	}
	if got := r.FailedAt(); !slices.Equal(got, []place.Place{place.Host("x"), place.Host("down")}) {
		t.Error(got)
	}
	if len(r.Outcomes()) != 4 || r.Changes() {
		t.Error(r.Outcomes())
	}
	if err := r.Err(); err == nil || err.Error() != "x: b: no\ndown: no" || !errors.Is(err, bad) {
		t.Error(err)
	}
	if err := r[:1].Err(); err != nil {
		t.Error(err)
	}
	for action, changes := range map[provider.Action]bool{provider.Created: true, provider.Updated: true, provider.Removed: true, provider.Unchanged: false, provider.Conflict: false, provider.Failed: false} {
		o := fileOutcome("a", "/a", "~/a", action)
		if o.Changes() != changes || (session.Report{{Value: []session.Outcome{o}}}).Changes() != changes {
			t.Error(action)
		}
	}
}
