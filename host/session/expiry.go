package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/exactjson"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fingerprint"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
)

// Expiry is a place of a machine out of which a secret is to be taken again. It is on
// the disk before the secret is at the place, so that no kill leaves a secret there for
// good. It has no values, but fingerprints of them.
type Expiry struct {
	// Machine is the place's name, Secret that of the secret in the store, or of the text
	// of a manifest.
	Machine string `json:"machine"`
	Secret  string `json:"secret"`
	// Path is a file, as sources have it; "" for variables of the env file.
	Path string   `json:"path,omitempty"`
	Vars []string `json:"vars,omitempty"`
	// Provider and Profile say how the file is read. Format is that of a file which the
	// user named, and which has the secret in no provider's form.
	Provider string `json:"provider,omitempty"`
	Profile  string `json:"profile,omitempty"`
	Format   string `json:"format,omitempty"`
	// File is the path of the file, also of the env file, as it was when it was placed.
	File string `json:"file,omitempty"`
	// Created reports that rhx made the file.
	Created bool `json:"created,omitempty"`
	// Set is when it was placed, Due when it is to go, by the clock of this machine.
	Set time.Time `json:"set"`
	Due time.Time `json:"due"`
	// Boot is the machine's start in which Up, the time since then, was so at Set.
	Boot string        `json:"boot,omitempty"`
	Up   time.Duration `json:"up,omitempty"`
	// Prints are the fingerprints of what was placed, by key.
	Prints map[string]string `json:"prints"`

	// Whole is a fingerprint of the file's content, where it has nothing that is not to
	// be taken out with this; "" where that is not known.
	Whole string `json:"whole,omitempty"`

	// TTL and Values are what Write is given, for Due and Prints. Was and Is are the
	// content of a file before and after the write, for Whole; nil for none.
	TTL     time.Duration `json:"-"`
	Values  secret.Values `json:"-"`
	Was, Is []byte        `json:"-"`
}

// same reports whether two are about the same secret at the same place. The variables of
// a secret are one place.
func (e *Expiry) same(o *Expiry) bool {
	return e.Machine == o.Machine && e.Secret == o.Secret && e.Path == o.Path
}

// of reports whether an outcome is about the place.
func (e *Expiry) of(o *Outcome) bool {
	return e.Machine == o.At.String() && e.Secret == o.name() && e.Path == o.Source.Path && (e.Path != "" || o.Source.Var != "")
}

// Where names the place for people.
func (e *Expiry) Where() string {
	if e.Path != "" {
		return e.Path
	}
	return "rhx's env file"
}

// clock is what a machine knows of the time. boot and up are "" and 0 where it cannot
// say how long it runs.
type clock struct {
	now  time.Time
	boot string
	up   time.Duration
}

// clockSlack is how far a clock may be set back without counting as wrong.
const clockSlack = 5 * time.Minute

// over reports whether the time has passed. The clock may have been set meanwhile: since
// the same start the time is known all the same, and a clock that is before Set is none
// to go by.
func (e *Expiry) over(c clock) bool {
	switch {
	case !c.now.Before(e.Due):
		return true
	case e.Boot != "" && e.Boot == c.boot:
		return c.up-e.Up >= e.Due.Sub(e.Set)
	}
	return c.now.Before(e.Set.Add(-clockSlack))
}

const (
	expiryVersion = 1
	maxExpiries   = 64 << 20
)

type expiries struct {
	Version  int      `json:"version"`
	Expiring []Expiry `json:"expiring"`
}

func (b *Book) expiryFile() string { return filepath.Join(b.Dirs.State, "expiring.json") }

// Expiring are all places out of which secrets are to be taken. Where there is none it
// costs one look for a file.
func (b *Book) Expiring() ([]Expiry, error) {
	path := b.expiryFile()
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	data, err := ownfile.Read(path, maxExpiries)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all expiries
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("read %s: %w", path, err), "it says when secrets are to be taken out of files. If you know why it is so, move it away, and take them out by hand")
	}
	return all.Expiring, ownfile.CheckVersion(path, all.Version, expiryVersion)
}

// Due are the places whose time has passed.
func (b *Book) Due() ([]Expiry, error) {
	all, err := b.Expiring()
	now := readClock()
	return slices.DeleteFunc(all, func(e Expiry) bool { return !e.over(now) }), err
}

// expiryChanges are the changes of the file that wait, so that those of many machines go
// to the disk together.
type expiryChanges struct {
	turn    sync.Mutex // of who writes
	mu      sync.Mutex
	waiting []*expiryChange
}

type expiryChange struct {
	change func([]Expiry) []Expiry
	done   chan error
}

// changeExpiries changes the list of times, and returns when it is on the disk. A lock keeps
// other processes out meanwhile; changes of this process that come together are written once.
func (b *Book) changeExpiries(ctx context.Context, change func([]Expiry) []Expiry) error {
	q := &b.expiries
	mine := &expiryChange{change, make(chan error, 1)}
	q.mu.Lock()
	q.waiting = append(q.waiting, mine)
	q.mu.Unlock()
	q.turn.Lock()
	defer q.turn.Unlock()
	q.mu.Lock()
	all := q.waiting
	q.waiting = nil
	q.mu.Unlock()
	if len(all) > 0 { // else the one before has written mine
		err := b.writeAll(ctx, all)
		for _, c := range all {
			c.done <- err
		}
	}
	return <-mine.done
}

func (b *Book) writeAll(ctx context.Context, all []*expiryChange) error {
	if err := atomicfile.MkdirAll(b.Dirs.State); err != nil {
		return err
	}
	path := b.expiryFile()
	// The others' changes are not to fail with the context of one.
	unlock, err := ownfile.Lock(context.WithoutCancel(ctx), path+".lock")
	if err != nil {
		return err
	}
	return errors.Join(b.writeExpiries(path, func(now []Expiry) []Expiry {
		for _, c := range all {
			now = c.change(now)
		}
		return now
	}), unlock())
}

func (b *Book) writeExpiries(path string, change func([]Expiry) []Expiry) error {
	was, err := b.Expiring()
	if err != nil {
		return err
	}
	now := change(slices.Clone(was))
	if len(now) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	old, err := json.Marshal(expiries{expiryVersion, was})
	if err != nil {
		return err
	}
	data, err := exactjson.Marshal(expiries{expiryVersion, now})
	if err != nil || string(data) == string(old) {
		return err
	}
	return atomicfile.Write(path, append(data, '\n'), 0o600)
}

// DropExpiry forgets that a secret is to be taken out of a place.
func (b *Book) DropExpiry(ctx context.Context, e Expiry) error {
	return b.changeExpiries(ctx, func(all []Expiry) []Expiry {
		return slices.DeleteFunc(all, func(o Expiry) bool { return o.same(&e) && o.Set.Equal(e.Set) })
	})
}

// CanCompare opens what Unchanged needs, which may ask for a passphrase.
func (b *Book) CanCompare(ctx context.Context) error {
	_, err := b.fingerprints(ctx)
	return err
}

// Unchanged reports which keys have another value than was placed, and which have the
// same; one that has no value is in neither.
func (b *Book) Unchanged(ctx context.Context, e Expiry, have secret.Values) (same, changed []string, err error) {
	rec, err := b.fingerprints(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, key := range have.Keys() {
		switch print := e.Prints[key]; {
		case print == "":
		case rec.Matches(print, have[key]):
			same = append(same, key)
		default:
			changed = append(changed, key)
		}
	}
	return same, changed, nil
}

// expire notes when the secrets of a write are to go, before they are written. What was
// noted of their places stays until it is known that they are: settleExpiries.
func (b *Book) expire(ctx context.Context, w *Work) error {
	if len(w.Expiring) == 0 {
		return nil
	}
	rec, err := b.fingerprints(ctx)
	if err != nil {
		return err
	}
	now := readClock()
	return b.changeExpiries(ctx, func(all []Expiry) []Expiry {
		w.Expiring = slices.DeleteFunc(w.Expiring, func(e Expiry) bool { return !b.placedByRhx(rec.Is, all, &e, w) })
		for i := range w.Expiring {
			e := &w.Expiring[i]
			e.complete(rec, now, all, w.At)
			e.File = w.Outcomes[slices.IndexFunc(w.Outcomes, func(o Outcome) bool { return e.of(&o) })].File
		}
		return append(all, w.Expiring...)
	})
}

// complete fills in what is to be noted of a place; all is what is noted already.
func (e *Expiry) complete(rec *fingerprint.Record, now clock, all []Expiry, at place.Place) {
	e.Machine, e.Set, e.Due, e.Boot, e.Up = at.String(), now.now, now.now.Add(e.TTL), now.boot, now.up
	e.Prints = map[string]string{}
	for key, v := range e.Values {
		e.Prints[key] = rec.Of(v)
	}
	whole := e.Is != nil && e.Was == nil
	for _, o := range all {
		if o.same(e) {
			e.Created = e.Created || o.Created
			whole = whole || e.Is != nil && rec.Matches(o.Whole, secret.NewValue(string(e.Was)))
		}
	}
	if whole {
		e.Whole = rec.Of(secret.NewValue(string(e.Is)))
	}
}

// placedByRhx reports whether what an Expiry is about is, or will be, put there by rhx.
// A value that somebody else put there is not rhx's to take out.
func (b *Book) placedByRhx(is func(machine, name, key string, v secret.Value) bool, all []Expiry, e *Expiry, w *Work) bool {
	e.Machine = w.At.String()
	mine, failed, there := false, false, false
	for i := range w.Outcomes {
		o := &w.Outcomes[i]
		if !e.of(o) {
			continue
		}
		failed = failed || o.Err != nil
		mine = mine || o.Action == provider.Created || o.Action == provider.Updated
		there = true
	}
	switch {
	case !there || failed:
		return false
	case mine || slices.ContainsFunc(all, func(o Expiry) bool { return o.same(e) }):
		return true
	case w.At == place.Here:
		mine = b.noted(e, w)
	default:
		mine = len(e.Values) > 0
		for key, v := range e.Values {
			mine = mine && is(e.Machine, e.Secret, key, v)
		}
	}
	if !mine {
		b.warn(fmt.Sprintf("%s: rhx did not put it into %s, so it stays there when the time has passed", e.Secret, e.Where()))
	}
	return mine
}

// noted reports whether config.yaml has a place of this machine, or one that stands for
// it: the first of the files that go together.
func (b *Book) noted(e *Expiry, w *Work) bool {
	conf, err := config.Load(b.Dirs)
	if err != nil {
		return false
	}
	l := conf.Secrets[e.Secret]
	if e.Path == "" {
		return slices.ContainsFunc(e.Vars, func(v string) bool { return slices.Contains(l.Vars, v) })
	}
	return slices.ContainsFunc(w.Outcomes, func(o Outcome) bool {
		return o.name() == e.Secret && o.Source.Path != "" && (l.Path == o.Source.Path || slices.Contains(l.Also, o.Source.Path))
	})
}

// writeState is what is known of a write as a whole.
type writeState int

const (
	// written: the outcomes say of each change what became of it.
	written writeState = iota
	// unknown: what failed may be there all the same.
	unknown
	// nothing was written.
	nothing
)

// settleExpiries makes what is noted agree with what was written: of each place the
// latest that was placed counts, and what was placed for good does not expire any more.
func (b *Book) settleExpiries(ctx context.Context, w *Work, known writeState) error {
	over := func(e Expiry) bool {
		placed, failed := became(&e, w)
		failed = failed || known == nothing
		if slices.ContainsFunc(w.Expiring, func(o Expiry) bool { return o.same(&e) && o.Set.Equal(e.Set) }) {
			return failed && known != unknown
		}
		return placed && !failed
	}
	if all, err := b.Expiring(); err != nil || !slices.ContainsFunc(all, over) {
		return err
	}
	return b.changeExpiries(ctx, func(all []Expiry) []Expiry { return slices.DeleteFunc(all, over) })
}

// became is what a write did to a place.
func became(e *Expiry, w *Work) (placed, failed bool) {
	for i := range w.Outcomes {
		if o := &w.Outcomes[i]; e.of(o) {
			placed, failed = true, failed || o.Err != nil
		}
	}
	return placed, failed
}

// restoreExpiries has the places in files that were brought back expire as they did
// before. Other places are as they are: what was loaded since for another time, or for
// good, may have changed no file. What brings back a secret whose time has passed brings
// it back for good: it would go at once.
func (b *Book) restoreExpiries(ctx context.Context, undone []Undone, before []Expiry) error {
	now, err := b.Expiring()
	if err != nil || len(now)+len(before) == 0 {
		return err
	}
	back := func(e Expiry) bool {
		return slices.ContainsFunc(undone, func(u Undone) bool { return u.At.String() == e.Machine && u.Path == e.File })
	}
	clock := readClock()
	return b.changeExpiries(ctx, func(all []Expiry) []Expiry {
		all = slices.DeleteFunc(all, back)
		for _, e := range before {
			if back(e) && !e.over(clock) {
				all = append(all, e)
			}
		}
		return all
	})
}

// Expiring are the places of one machine out of which secrets are to be taken; where that
// cannot be known, none.
func (s *Session) Expiring(at place.Place) []Expiry {
	all, _ := s.book.Expiring()
	return slices.DeleteFunc(all, func(e Expiry) bool { return e.Machine != at.String() })
}

// Book is the book that the session is in.
func (s *Session) Book() *Book { return s.book }
