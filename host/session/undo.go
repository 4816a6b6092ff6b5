package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/exactjson"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fingerprint"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
)

var errNoJournal = errors.New("nothing is kept for undo here")

// memory is what rhx remembered before a session: it is kept with the session, and
// undo brings it back. It holds names and fingerprints, and no values.
type memory struct {
	// Prints are the fingerprints, sealed as they are in their file.
	Prints []byte                     `json:"prints,omitempty"`
	Places map[string]config.Location `json:"places"`
	// Created are the files that were rhx's.
	Created []string `json:"created"`
	// Deletes are the secrets that the session was to delete from the store.
	Deletes []string `json:"deletes,omitempty"`
	// Expiring are the places out of which secrets were to be taken.
	Expiring []Expiry `json:"expiring,omitempty"`
}

// Deletes are the secrets that a session was to delete from the store.
func Deletes(last *journal.Last) ([]string, error) {
	if len(last.Note) == 0 {
		return nil, nil
	}
	var m memory
	err := json.Unmarshal(last.Note, &m)
	return m.Deletes, err
}

// remembered is the memory as it is now.
func (b *Book) remembered(deletes []string) []byte {
	m := memory{Deletes: deletes}
	var err1, err3 error
	m.Prints, err1 = os.ReadFile(fingerprint.Path(b.Dirs.State))
	if errors.Is(err1, fs.ErrNotExist) {
		err1 = nil
	}
	conf, err2 := config.Load(b.Dirs)
	if err2 == nil {
		m.Places = conf.Secrets
	}
	m.Created, err3 = config.Created(b.Dirs)
	var err4 error
	m.Expiring, err4 = b.Expiring()
	data, err5 := exactjson.Marshal(m)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		b.warn("rhx undo will bring files back, and not what rhx remembers of them: " + err.Error())
		return nil
	}
	return data
}

// LastSession is the newest session of the journal.
func (b *Book) LastSession(ctx context.Context) (*journal.Last, error) {
	if b.Journal == nil {
		return nil, errNoJournal
	}
	last, err := b.Journal.Last(ctx)
	if errors.Is(err, journal.ErrNothing) {
		return nil, fault.WithKind(err, fault.Usage)
	}
	return last, err
}

// Undone is the outcome for one file.
type Undone struct {
	At place.Place
	journal.Undone
	// Short is the path with "~/" for the home folder.
	Short string
}

// Undo brings every file of a session back to what it was before, on all machines,
// and what rhx remembered of them. A file that was changed since is left, and so is
// the session then, for another try.
func (b *Book) Undo(ctx context.Context, last *journal.Last, f fleet.Fleet, opts journal.UndoOptions) ([]Undone, error) {
	places := make([]place.Place, len(last.Machines))
	for i, name := range last.Machines {
		places[i] = place.Parse(name)
	}
	var out []Undone
	left := false
	results := fleet.Each(ctx, f, places, func(ctx context.Context, at place.Place, m machine.Machine) ([]Undone, error) {
		info, err := m.Info(ctx, nil)
		if err != nil {
			return nil, err
		}
		undone, err := last.Undo(ctx, at.String(), m, opts, func(ctx context.Context, changes []machine.Change) ([]error, error) {
			return complete(ctx, m, changes)
		})
		var out []Undone
		for _, u := range undone {
			out = append(out, Undone{at, u, info.Short(u.Path)})
		}
		return out, err
	}, nil)
	var events []Event
	for _, r := range results {
		if r.Err != nil && len(r.Value) == 0 {
			r.Value = []Undone{{At: r.At, Undone: journal.Undone{Err: r.Err}}}
		}
		for _, u := range r.Value {
			left = left || !u.Restored
			out = append(out, u)
			events = append(events, Event{Command: "undo", Machine: r.At.String(), Path: u.Short, Action: u.Action()})
		}
	}
	if opts.DryRun {
		return out, nil
	}
	b.Note(events)
	if left {
		return out, nil
	}
	if err := b.recall(ctx, last, out); err != nil {
		return out, err
	}
	return out, last.Forget()
}

// recall has rhx remember again what it remembered before a session, of which these files
// were brought back.
func (b *Book) recall(ctx context.Context, last *journal.Last, undone []Undone) error {
	if len(last.Note) == 0 {
		return nil
	}
	var before memory
	if err := json.Unmarshal(last.Note, &before); err != nil {
		return fmt.Errorf("what rhx remembered before: %w", err)
	}
	local := slices.ContainsFunc(last.Machines, func(name string) bool { return place.Parse(name) == place.Here })
	rec, err := b.fingerprints(ctx)
	if err == nil {
		err = rec.Restore(ctx, before.Prints, last.Machines)
	}
	if err == nil {
		err = rec.Save(ctx)
	}
	if local {
		err = errors.Join(err, config.Restore(ctx, b.Dirs, b.Local, before.Places, before.Created))
	}
	return errors.Join(err, b.restoreExpiries(ctx, undone, before.Expiring))
}
