// Package journal keeps what files were before rhx changed them, sealed, so that
// the change can be undone byte for byte, on other machines too.
//
// A session is a folder of the state folder, named by its time. Before a machine
// writes, an entry with the old contents is there, on the disk. So whenever rhx is
// killed, each file is as the entry says it was, or as it was to be.
//
// An entry that this user's rhx has not sealed, for its own place in its own
// session, is an error: undo writes what entries say.
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
	"regexp"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/exactjson"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/ownfile"
)

const (
	// Of the sessions that are older than an hour, the last keepSessions are kept,
	// for keepDays. Younger ones may be those of commands that still run; of them
	// there are mostSessions at most.
	keepSessions = 20
	keepDays     = 30
	mostSessions = 200

	folderTime  = "20060102T150405.000000000Z"
	sessionFile = "session.age"
	// oldSessionFile is what the file was before version 1, when nothing was sealed.
	oldSessionFile = "session.json"

	version = 1
	// maxFile bounds what is read: an entry has the files of one machine.
	maxFile = 1 << 30
)

var entryName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{6,}\.age$`) })

// Journal is the sessions in one folder.
type Journal struct {
	// Dir is the folder; it is made when a session first writes.
	Dir string
	// Seal encrypts for the user alone, with a proof that the user's own rhx did so
	// for label. Unseal decrypts, and fails where that is not proven.
	Seal, Unseal func(ctx context.Context, label string, data []byte) ([]byte, error)

	clock func() time.Time // time.Now; tests have one that stands still
}

// Session is one command's changes. Its methods may be called from several
// goroutines.
type Session struct {
	j       *Journal
	command string
	note    func() ([]byte, error)

	mu  sync.Mutex
	dir string // "" until something is written
	n   int
}

// meta says what a session was.
type meta struct {
	Version int       `json:"version"`
	Command string    `json:"command"`
	Time    time.Time `json:"time"`
	Note    []byte    `json:"note,omitempty"`
}

// entry is what one machine was asked to write.
type entry struct {
	Version int      `json:"version"`
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

// Begin starts a session; nothing is made before it writes. note is called then, and
// what it returns is the Note of Last; it may be nil.
func (j *Journal) Begin(command string, note func() ([]byte, error)) *Session {
	return &Session{j: j, command: command, note: note}
}

// Write adds an entry of what a machine is to write, and then calls write. Where the
// entry cannot be kept, write is not called.
func (s *Session) Write(ctx context.Context, name string, changes []machine.Change, write func(context.Context) ([]error, error)) ([]error, error) {
	e := entry{Version: version, Machine: name}
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
	path, err := s.next(ctx)
	if err != nil {
		return err
	}
	// Without the lock: many hosts' entries go to the disk together.
	return s.j.write(ctx, path, e)
}

// next returns the file of the next entry.
func (s *Session) next(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		if err := s.open(ctx); err != nil {
			return "", err
		}
	}
	s.n++
	return filepath.Join(s.dir, fmt.Sprintf("%06d.age", s.n)), nil
}

// open makes the session's folder, and removes the oldest ones.
func (s *Session) open(ctx context.Context) error {
	var note []byte
	if s.note != nil {
		var err error
		if note, err = s.note(); err != nil {
			return err
		}
	}
	if err := atomicfile.MkdirAll(s.j.Dir); err != nil {
		return err
	}
	clock := time.Now
	if s.j.clock != nil {
		clock = s.j.clock
	}
	now := clock().UTC()
	dir := filepath.Join(s.j.Dir, now.Format(folderTime))
	// The folder is this session's alone: another command may begin in the same
	// instant.
	err := os.Mkdir(dir, 0o700)
	for ; errors.Is(err, fs.ErrExist); err = os.Mkdir(dir, 0o700) {
		now = now.Add(1)
		dir = filepath.Join(s.j.Dir, now.Format(folderTime))
	}
	if err == nil {
		err = atomicfile.Options{}.SyncDir(s.j.Dir)
	}
	if err == nil {
		err = s.j.write(ctx, filepath.Join(dir, sessionFile), meta{version, s.command, now, note})
	}
	if err != nil {
		return err
	}
	s.dir = dir
	s.j.prune(now)
	return nil
}

// label names the place of a file of the journal: a sealed file is good there alone.
func label(path string) string {
	return "journal/" + filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
}

func (j *Journal) write(ctx context.Context, path string, what any) error {
	plain, err := exactjson.Marshal(what)
	if err != nil {
		return err
	}
	defer clear(plain)
	sealed, err := j.Seal(ctx, label(path), plain)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, sealed, 0o600)
}

// read is the inverse of write. versionOf returns the version that was read.
func (j *Journal) read(ctx context.Context, path string, into any, versionOf func() int) error {
	sealed, err := ownfile.Read(path, maxFile)
	if err != nil {
		return err
	}
	plain, err := j.Unseal(ctx, label(path), sealed)
	defer clear(plain)
	if err == nil {
		err = json.Unmarshal(plain, into)
	}
	if err != nil {
		return fault.WithHint(fmt.Errorf("read %s: %w; nothing was undone", path, err),
			"if you know why it is so, move "+filepath.Dir(path)+" away: rhx undo then goes on with the session before")
	}
	return ownfile.CheckVersion(path, versionOf(), version)
}

// prune removes old sessions, and what processes that were killed have left. It is
// no error where that fails: the next session tries again.
func (j *Journal) prune(now time.Time) {
	all, left, err := j.sessions()
	if err != nil {
		return
	}
	tooOld := now.AddDate(0, 0, -keepDays).Format(folderTime)
	ended := now.Add(-time.Hour).Format(folderTime)
	for i, name := range all {
		if name < tooOld || i < len(all)-keepSessions && name < ended || i < len(all)-mostSessions {
			_ = j.remove(filepath.Join(j.Dir, name))
		}
	}
	for _, name := range left {
		if name < ended {
			_ = j.remove(filepath.Join(j.Dir, name))
		}
	}
	_ = atomicfile.Sweep(j.Dir)
}

// remove deletes a session. Its first file goes first: a half of one is never taken
// for a whole.
func (j *Journal) remove(dir string) error {
	for _, name := range []string{sessionFile, oldSessionFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.RemoveAll(dir)
}

// sessions lists the sessions that were not undone, the oldest first. left are
// those whose making or removal was not ended.
func (j *Journal) sessions() (whole, left []string, err error) {
	entries, err := os.ReadDir(j.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries { // sorted
		if _, err := time.Parse(folderTime, e.Name()); err != nil || !e.IsDir() {
			continue
		}
		there := false
		for _, name := range []string{sessionFile, oldSessionFile} {
			_, err := os.Lstat(filepath.Join(j.Dir, e.Name(), name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, nil, err
			}
			there = there || err == nil
		}
		if there {
			whole = append(whole, e.Name())
		} else {
			left = append(left, e.Name())
		}
	}
	return whole, left, nil
}
