package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
)

// ErrNothing is what Last returns where no session is left.
var ErrNothing = errors.New("nothing is left to undo")

// Last is the newest session, for its changes to be undone. Its methods may be called
// from several goroutines.
type Last struct {
	Command string
	Time    time.Time
	// Note is what Begin was given.
	Note []byte
	// Machines are those whose files it changed, by name.
	Machines []string

	j       *Journal
	dir     string
	entries []entry

	mu   sync.Mutex
	done map[string]bool // the machines on which every file is as it was
}

// Last reads the newest session.
func (j *Journal) Last(ctx context.Context) (*Last, error) {
	all, _, err := j.sessions()
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, ErrNothing
	}
	dir := filepath.Join(j.Dir, all[len(all)-1])
	var m meta
	err = j.read(ctx, filepath.Join(dir, sessionFile), &m, func() int { return m.Version })
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.WithHint(fmt.Errorf("%s was written by a rhx that did not seal what it kept, or by somebody else: it is not undone", dir),
			"look at what is in it and remove it: rhx undo then goes on with the session before")
	}
	if err != nil {
		return nil, err
	}
	l := &Last{Command: m.Command, Time: m.Time, Note: m.Note, j: j, dir: dir, done: map[string]bool{}}
	files, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if !entryName().MatchString(f.Name()) {
			continue
		}
		var e entry
		if err := j.read(ctx, filepath.Join(dir, f.Name()), &e, func() int { return e.Version }); err != nil {
			return nil, err
		}
		l.entries = append(l.entries, e)
		if !slices.Contains(l.Machines, e.Machine) {
			l.Machines = append(l.Machines, e.Machine)
		}
	}
	return l, nil
}

// Undone is the outcome for one file.
type Undone struct {
	// Path is the file; "" where the machine as a whole could not be had.
	Path string
	// Restored reports that it is as it was before; Removed that it was not there.
	Restored, Removed bool
	// Err says why it was left; one that is not Restored has it.
	Err error
}

// ErrChangedSince is a file that is not as the session left it.
var ErrChangedSince = errors.New("it was changed since")

// UndoOptions say how far an undo goes.
type UndoOptions struct {
	// DryRun only says what would be restored.
	DryRun bool
	// Overwrite restores files that were changed since, too.
	Overwrite bool
}

// Action says what was done, or would be: restored, removed or failed.
func (u *Undone) Action() string {
	switch {
	case !u.Restored:
		return "failed"
	case u.Removed:
		return "removed"
	}
	return "restored"
}

// Undo brings the files of the machine called name back to what they were before
// the session, by write. Every file that is not is in the result, with its error.
func (l *Last) Undo(ctx context.Context, name string, m machine.Machine, opts UndoOptions, write func(context.Context, []machine.Change) ([]error, error)) ([]Undone, error) {
	// What was changed twice goes back to what it was first.
	var paths []string
	first, last := map[string]change{}, map[string][]string{}
	for _, e := range l.entries {
		if e.Machine != name {
			continue
		}
		for _, c := range e.Changes {
			if _, ok := first[c.Path]; !ok {
				first[c.Path] = c
				paths = append(paths, c.Path)
			}
			last[c.Path] = append(last[c.Path], c.New)
		}
	}
	quoted := make([]string, len(paths))
	for i, p := range paths {
		quoted[i] = machine.Quote(p)
	}
	files, err := m.Read(ctx, quoted)
	if err != nil {
		return nil, err
	}
	if len(files) != len(paths) {
		return nil, fmt.Errorf("%s was asked for %d files and answers with %d", name, len(paths), len(files))
	}
	out := make([]Undone, len(paths))
	var changes []machine.Change
	var of []int
	for i, p := range paths {
		out[i] = Undone{Path: p}
		f, was := files[i], first[p].Old
		gone := errors.Is(f.Err, fs.ErrNotExist)
		restore := machine.Change{Path: p, Data: was, Remove: was == nil, Old: f.Data}
		switch {
		case f.Err != nil && !gone:
			out[i].Err = f.Err
		case gone && was == nil, !gone && was != nil && digest(f.Data) == digest(was):
			out[i].Restored = true // by an earlier try, or the change never came
		case opts.Overwrite:
			changes, of = append(changes, restore), append(of, i)
		case gone && !slices.Contains(last[p], ""), !gone && !slices.Contains(last[p], digest(f.Data)):
			out[i].Err = ErrChangedSince
		default:
			changes, of = append(changes, restore), append(of, i)
		}
	}
	if opts.DryRun {
		for _, i := range of {
			out[i].Restored, out[i].Removed = true, first[out[i].Path].Old == nil
		}
		return out, nil
	}
	var writeErr error
	if len(changes) > 0 {
		var errs []error
		errs, writeErr = write(ctx, changes)
		for k, i := range of {
			why := writeErr
			if k < len(errs) {
				why = errors.Join(errs[k], writeErr)
			} else if why == nil {
				why = errors.New("it is not known whether it was restored")
			}
			out[i].Restored, out[i].Removed, out[i].Err = why == nil, why == nil && changes[k].Remove, why
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[name] = !slices.ContainsFunc(out, func(u Undone) bool { return !u.Restored })
	return out, writeErr
}

// Forget removes the session. It is an error where Undo has not brought back every
// file of every machine.
func (l *Last) Forget() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range l.Machines {
		if !l.done[name] {
			return fmt.Errorf("what %s did on %s is not undone: it is kept for another try", l.Describe(), name)
		}
	}
	return l.j.remove(l.dir)
}

// Describe says what the session was: its command and time.
func (l *Last) Describe() string {
	return strings.TrimSpace("rhx " + l.Command + " of " + l.Time.Local().Format("2006-01-02 15:04:05"))
}
