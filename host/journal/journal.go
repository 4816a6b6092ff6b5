// Package journal keeps what files were before rhx changed them, encrypted, so
// that the change can be undone byte for byte, on other machines too.
//
// A session is a folder of the state folder, named by its time. Before a machine
// writes, an entry with the old contents is there, on the disk. So whenever rhx is
// killed, each file is as the entry says it was, or as it was to be.
package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/machine"
)

// What is kept: the last keepSessions sessions, for keepDays.
const (
	keepSessions = 20
	keepDays     = 30

	folderTime = "20060102T150405.000000000Z"
)

// Journal is the sessions in one folder.
type Journal struct {
	// Dir is the folder; it is made when a session first writes.
	Dir string
	// Seal encrypts for the user alone; Unseal decrypts.
	Seal, Unseal func(ctx context.Context, data []byte) ([]byte, error)
}

// Session is one command's changes. Its methods may be called from several
// goroutines.
type Session struct {
	j       *Journal
	command string
	// note is JSON, kept beside the entries unencrypted: it must hold no secret.
	note json.RawMessage

	mu  sync.Mutex
	dir string // "" until something is written
	n   int
}

// meta says what a session was.
type meta struct {
	Command string          `json:"command"`
	Time    time.Time       `json:"time"`
	Note    json.RawMessage `json:"note,omitempty"`
}

// entry is what one machine was asked to write.
type entry struct {
	Machine string   `json:"machine"`
	Changes []change `json:"changes"`
}

type change struct {
	Path string `json:"path"`
	// Old is the content before, nil for no file. New is the digest of that after,
	// "" for none.
	Old []byte `json:"old"`
	New string `json:"new"`
}

// Begin starts a session; nothing is made before it writes. note is JSON, and given
// back by Undo.
func (j *Journal) Begin(command string, note json.RawMessage) *Session {
	return &Session{j: j, command: command, note: note}
}

// Write adds an entry of what a machine is to write, and then calls write.
func (s *Session) Write(ctx context.Context, name string, changes []machine.Change, write func(context.Context) ([]error, error)) ([]error, error) {
	e := entry{Machine: name}
	for _, c := range changes {
		ch := change{Path: c.Path, Old: c.Old, New: digest(c.Data)}
		if c.Remove {
			ch.New = ""
		}
		e.Changes = append(e.Changes, ch)
	}
	if err := s.add(ctx, e); err != nil {
		return nil, fmt.Errorf("keep what the files were for rhx undo: %w", err)
	}
	return write(ctx)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (s *Session) add(ctx context.Context, e entry) error {
	plain, err := json.Marshal(e)
	if err != nil {
		return err
	}
	defer clear(plain)
	sealed, err := s.j.Seal(ctx, plain)
	if err != nil {
		return err
	}
	name, err := s.next()
	if err != nil {
		return err
	}
	// Without the lock: many hosts' entries go to the disk together.
	return atomicfile.Write(name, sealed, 0o600)
}

// next returns the file of the next entry.
func (s *Session) next() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		if err := s.open(); err != nil {
			return "", err
		}
	}
	s.n++
	return filepath.Join(s.dir, fmt.Sprintf("%06d.age", s.n)), nil
}

// open makes the session's folder, and removes the oldest ones.
func (s *Session) open() error {
	now := time.Now().UTC()
	dir := filepath.Join(s.j.Dir, now.Format(folderTime))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(meta{s.command, now, s.note})
	if err == nil {
		err = atomicfile.Write(filepath.Join(dir, "session.json"), data, 0o600)
	}
	if err != nil {
		return err
	}
	s.dir = dir
	if all, err := s.j.sessions(); err == nil {
		oldest := now.AddDate(0, 0, -keepDays).Format(folderTime)
		for i, name := range all {
			if i < len(all)-keepSessions || name < oldest {
				_ = os.RemoveAll(filepath.Join(s.j.Dir, name))
			}
		}
	}
	return nil
}

// sessions lists the sessions that were not undone, the oldest first.
func (j *Journal) sessions() ([]string, error) {
	entries, err := os.ReadDir(j.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(j.Dir, e.Name(), "session.json")); err == nil && e.IsDir() {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, err
}

// ErrNothing is what Last returns where no session is left.
var ErrNothing = errors.New("nothing is left to undo")

// Last is the newest session, for its changes to be undone.
type Last struct {
	Command string
	Time    time.Time
	// Note is what Begin was given.
	Note json.RawMessage
	// Machines are those whose files it changed, by name.
	Machines []string

	dir     string
	entries []entry
}

// Last reads the newest session.
func (j *Journal) Last(ctx context.Context) (*Last, error) {
	all, err := j.sessions()
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, ErrNothing
	}
	dir := filepath.Join(j.Dir, all[len(all)-1])
	data, err := os.ReadFile(filepath.Join(dir, "session.json"))
	if err != nil {
		return nil, err
	}
	var m meta
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	l := &Last{Command: m.Command, Time: m.Time, Note: m.Note, dir: dir}
	names, err := filepath.Glob(filepath.Join(dir, "*.age"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		sealed, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		plain, err := j.Unseal(ctx, sealed)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		var e entry
		err = json.Unmarshal(plain, &e)
		clear(plain)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
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
	// Err says why it was left.
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
	case u.Err != nil:
		return "failed"
	case u.Removed:
		return "removed"
	}
	return "restored"
}

// Undo brings the files of the machine called name back to what they were before
// the session, by write.
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
	now := map[string]machine.File{}
	for _, f := range files {
		now[f.Path] = f
	}
	out := make([]Undone, len(paths))
	var changes []machine.Change
	var of []int
	for i, p := range paths {
		out[i] = Undone{Path: p}
		f, was := now[p], first[p].Old
		gone := f.Path == "" || errors.Is(f.Err, fs.ErrNotExist)
		switch {
		case f.Err != nil && !gone:
			out[i].Err = f.Err
		case gone && was == nil, !gone && was != nil && digest(f.Data) == digest(was):
			out[i].Restored = true // by an earlier try, or the change never came
		case opts.Overwrite:
			changes, of = append(changes, machine.Change{Path: p, Data: was, Remove: was == nil, Old: f.Data}), append(of, i)
		case gone && !slices.Contains(last[p], ""), !gone && !slices.Contains(last[p], digest(f.Data)):
			out[i].Err = ErrChangedSince
		default:
			c := machine.Change{Path: p, Data: was, Remove: was == nil}
			if !gone {
				c.Old = f.Data
			}
			changes, of = append(changes, c), append(of, i)
		}
	}
	if opts.DryRun || len(changes) == 0 {
		for _, i := range of {
			out[i].Restored, out[i].Removed = true, first[out[i].Path].Old == nil
		}
		return out, nil
	}
	errs, err := write(ctx, changes)
	for k, i := range of {
		if k < len(errs) && errs[k] == nil && err == nil {
			out[i].Restored, out[i].Removed = true, changes[k].Remove
		} else if k < len(errs) {
			out[i].Err = errors.Join(errs[k], err)
		}
	}
	return out, err
}

// Forget removes the session, once it is undone.
func (l *Last) Forget() error { return os.RemoveAll(l.dir) }

// Describe says what the session was: its command and time.
func (l *Last) Describe() string {
	return strings.TrimSpace("rhx " + l.Command + " of " + l.Time.Local().Format("2006-01-02 15:04:05"))
}
