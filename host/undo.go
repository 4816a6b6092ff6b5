package host

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
)

// LastSession is the newest session of the journal.
func (h *Host) LastSession(ctx context.Context) (*journal.Last, error) {
	if h.Journal == nil {
		return nil, errNoJournal
	}
	last, err := h.Journal.Last(ctx)
	if errors.Is(err, journal.ErrNothing) {
		return nil, fault.WithKind(err, fault.Usage)
	}
	return last, err
}

// Undo brings every file of a session back to what it was before, on all machines.
// A file that was changed since is left, and so is the session then, for another
// try. open returns a machine by its name.
func (h *Host) Undo(ctx context.Context, last *journal.Last, open func(name string) machine.Machine, opts journal.UndoOptions) ([]journal.Undone, error) {
	var out []journal.Undone
	left := false
	for _, name := range last.Machines {
		m := open(name)
		undone, err := last.Undo(ctx, m, opts)
		if m != h.Local {
			_ = m.Close()
		}
		if err != nil && len(undone) == 0 {
			undone = []journal.Undone{{Machine: name, Err: err}}
		}
		for _, u := range undone {
			left = left || u.Err != nil
		}
		out = append(out, undone...)
	}
	if opts.DryRun || left {
		return out, nil
	}
	return out, errors.Join(h.restoreApplied(last), last.Forget())
}

// restoreApplied has the fingerprints say again what they said before a session.
func (h *Host) restoreApplied(last *journal.Last) error {
	a, err := h.loadApplied()
	if err != nil {
		return err
	}
	before := map[string]map[string]string{}
	if len(last.Note) > 0 {
		if err := json.Unmarshal(last.Note, &before); err != nil {
			return nil //nolint:nilerr // then what is there counts as somebody else's
		}
	}
	for _, name := range last.Machines {
		if a.by[name] = before[name]; a.by[name] == nil {
			a.by[name] = map[string]string{}
		}
	}
	return a.save(last.Machines)
}
