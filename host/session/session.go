// Package session is the one way in which rhx writes to machines. It keeps what
// rhx has to remember of a write: what the files were (for undo), which secret
// went where (the log, and config.yaml for logout), and fingerprints of the values
// (to tell them from values that somebody else wrote).
package session

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/eventlog"
	"github.com/rhx-dev/rhx/host/fingerprint"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
)

// Book is what rhx on this machine remembers of its writes. Its fields are set once.
type Book struct {
	Dirs config.Dirs
	// Local is this machine.
	Local machine.Machine
	// Keys seal and derive with this user's key, for the fingerprints and the log.
	Keys Keys
	// Command is the command that is being run, for the log, and Reason what the user
	// gives as the reason for it.
	Command, Reason string
	// Journal keeps what files were; nil where nothing is kept for undo.
	Journal *journal.Journal
	// Warn is told what could not be remembered of a write that was made; nil for
	// nobody. It may be called from several goroutines.
	Warn func(text string)

	prints   fingerprints
	expiries expiryChanges
}

// Keys are the keys of this user's rhx.
type Keys interface {
	fingerprint.Keys
	eventlog.Keys
}

func (b *Book) warn(text string) {
	if b.Warn != nil {
		b.Warn(text)
	}
}

// Outcome is what became, or would become, of one secret at one place of a machine.
type Outcome struct {
	// At is the machine; [place.Store] for what was done in the store.
	At place.Place
	// Secret is its name as people know it: in the manifest, else in the store.
	Secret string
	// Stored is its name in the store; "" for a text of a manifest.
	Stored string
	provider.Placement
	// File is the absolute path of the file that holds the place; "" for none.
	File string
	// Was and Is are fingerprints of the values before and after, by key; a key that
	// is new has no Was. They are set where a manifest is planned or applied.
	Was, Is map[string]string
}

// Failure is the outcome of a secret of which nothing came to a machine.
func Failure(at place.Place, name string, err error) Outcome {
	return Outcome{At: at, Secret: name, Placement: provider.Placement{Action: provider.Failed, Err: err}}
}

// Changes reports whether something was changed, or would be.
func (o *Outcome) Changes() bool {
	return o.Action == provider.Created || o.Action == provider.Updated || o.Action == provider.Removed
}

// Session is the writes of one command. Its methods may be called from several
// goroutines.
type Session struct {
	book    *Book
	command string
	journal *journal.Session // nil: nothing is kept for undo

	mu      sync.Mutex
	noted   bool      // of values, and not in the file yet
	flushed time.Time // when they last went there
}

// flushEvery is how long the fingerprints of what was written may be in memory alone.
const flushEvery = time.Second

// Begin starts a session, which undo takes back as a whole. deletes are the secrets
// that it is also to delete from the store.
func (b *Book) Begin(command string, deletes ...string) *Session {
	s := b.BeginFinal(command)
	if b.Journal != nil {
		s.journal = b.Journal.Begin(command, func() ([]byte, error) { return b.remembered(deletes), nil })
	}
	return s
}

// BeginFinal starts a session of which nothing is kept for undo: what it removes is
// to be beyond recovery.
func (b *Book) BeginFinal(command string) *Session { return &Session{book: b, command: command} }

// Work is what is to be written to one machine.
type Work struct {
	At      place.Place
	Machine machine.Machine
	Changes []machine.Change
	// Outcomes say what the changes are for. Those whose change fails become Failed.
	Outcomes []Outcome
	// Values are those that the secrets have there afterwards, by Outcome.Secret and
	// key; a variable's key is its name.
	Values map[string]secret.Values
	// Versions are those that the machine has afterwards, by the secret's name in the
	// store.
	Versions map[string]Version
	// Displaced are places that are not rhx's to remember any more, by the secret's
	// name in the store.
	Displaced map[string]config.Location
	// Expiring are the places out of which what is placed is to be taken again, with TTL
	// and Values. Afterwards it has those that are noted.
	Expiring []Expiry
}

// Write makes the changes. A write that has begun when ctx ends comes to its own
// end. What was done is logged and remembered; where that fails, Book.Warn is told.
// The error means that nothing is known to be written.
func (s *Session) Write(ctx context.Context, w *Work) error {
	errs, err := s.commit(ctx, w)
	if err != nil && (len(errs) == 0 || len(errs) != len(w.Changes)) {
		return errors.Join(err, s.book.settleExpiries(context.WithoutCancel(ctx), w, nothing))
	}
	// Where the connection was lost, errs says of which changes that is known.
	for i, c := range w.Changes {
		if errs[i] == nil {
			continue
		}
		for j := range w.Outcomes {
			if o := &w.Outcomes[j]; o.File == filepath.ToSlash(c.Path) && o.Changes() {
				o.Action, o.Err = provider.Failed, errs[i]
			}
		}
	}
	s.remember(context.WithoutCancel(ctx), w, allNil(errs))
	known := written
	if err != nil {
		known = unknown
	}
	if err := s.book.settleExpiries(context.WithoutCancel(ctx), w, known); err != nil {
		s.book.warn("when secrets are to be taken out again was not noted: " + err.Error())
	}
	return nil
}

func allNil(errs []error) bool { return errors.Join(errs...) == nil }

// commit keeps what the files were, notes when what is placed is to go, and has the
// machine write.
func (s *Session) commit(ctx context.Context, w *Work) ([]error, error) {
	write := func(ctx context.Context) ([]error, error) {
		if err := s.book.expire(ctx, w); err != nil {
			return nil, fmt.Errorf("note when it is to be taken out again: %w", err)
		}
		return complete(ctx, w.Machine, w.Changes)
	}
	switch {
	case len(w.Changes) == 0:
		return nil, s.book.expire(ctx, w)
	case s.journal == nil:
		return write(ctx)
	}
	return s.journal.Write(ctx, w.At.String(), w.Changes, write)
}

// remember notes what was done.
func (s *Session) remember(ctx context.Context, w *Work, done bool) {
	b := s.book
	b.Note(eventsOf(s.command, w.Outcomes))
	if err := b.notePlaces(ctx, w, done); err != nil {
		b.warn("the places were not noted in rhx's configuration: " + err.Error())
	}
	s.noteValues(ctx, w)
}

// noteValues notes the fingerprints of what a machine has now. The file has those of
// all machines, so many machines' go there together.
func (s *Session) noteValues(ctx context.Context, w *Work) {
	rec, err := s.book.fingerprints(ctx)
	if err != nil {
		s.notNoted(err)
		return
	}
	noteWork(rec, w)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noted = true; s.flushed.IsZero() {
		s.flushed = time.Now()
	}
	if time.Since(s.flushed) > flushEvery {
		s.flush()
	}
}

// End ends the session: what it has to remember is on the disk then.
func (s *Session) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
}

func (s *Session) flush() {
	if !s.noted {
		return
	}
	// What is done is noted, also where ctx of the command has ended.
	ctx := context.Background()
	rec, err := s.book.fingerprints(ctx)
	if err == nil {
		err = rec.Save(ctx)
	}
	if err != nil {
		s.notNoted(err)
	}
	s.noted, s.flushed = false, time.Now()
}

func (s *Session) notNoted(err error) {
	s.book.warn("what was written is not noted, so the next apply will call it a conflict: " + err.Error())
}

// Relay logs what another rhx did on its machine at the request of this one.
func (s *Session) Relay(outcomes []Outcome) {
	s.book.Note(eventsOf(s.command, outcomes))
}

// notePlaces notes in config.yaml where secrets were placed on this machine, and
// which files are rhx's. What was there already is not rhx's to remove later.
func (b *Book) notePlaces(ctx context.Context, w *Work, done bool) error {
	if w.At != place.Here {
		return nil
	}
	placed := map[string]config.Location{}
	var created []string
	private := map[string]string{} // of a pair of keys, where it could not be written
	for _, o := range w.Outcomes {
		if o.Action == provider.Failed {
			private[o.Stored] = o.Source.Path
		}
		if o.Action == provider.Created && o.Source.Path != "" {
			created = append(created, o.Source.Path)
		}
		if o.Stored == "" || o.Action != provider.Created && o.Action != provider.Updated {
			continue
		}
		l := placed[o.Stored]
		if o.Source.Kind == secret.SourceEnv {
			l.Vars = append(l.Vars, o.Source.Var)
		} else if was := private[o.Stored]; was != "" && o.Source.Path == was+".pub" {
			continue // the public half does not stand for both
		} else if l.Path == "" { // the first file stands for those that go with it
			l.Path = o.Source.Path
		}
		placed[o.Stored] = l
	}
	var errs []error
	if len(placed) > 0 || len(created) > 0 {
		errs = append(errs, config.Add(ctx, b.Dirs, b.Local, placed, created...))
	}
	if len(w.Displaced) > 0 && done {
		errs = append(errs, config.Remove(ctx, b.Dirs, b.Local, w.Displaced))
	}
	return errors.Join(errs...)
}
