// Package eventlog keeps the local log: a line of JSON for each event, in a file that
// begins anew when it is large.
package eventlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
)

// Event is a line of the log: who brought which secret where. It has no values.
type Event struct {
	// Version is that of the line. Lines of before there were versions have 0.
	Version int       `json:"v"`
	Time    time.Time `json:"time"`
	User    string    `json:"user"`
	Command string    `json:"command"`
	Machine string    `json:"machine"`
	Secret  string    `json:"secret"`
	// Path or Var is the place; To is the program that got it.
	Path   string   `json:"path,omitempty"`
	Var    string   `json:"var,omitempty"`
	To     string   `json:"to,omitempty"`
	Action string   `json:"action"`
	Keys   []string `json:"keys,omitempty"`
}

const (
	version = 1
	// maxLog is the size in bytes at which the log begins anew; the one before is kept.
	maxLog = 8 << 20
	// maxRead bounds what is read: a log, and the events of one command beyond maxLog.
	maxRead = 64 << 20
)

// Log is the log in one file.
type Log struct {
	// Path is the file; its folder is made when something is logged. The log before
	// it is in Path.1.
	Path string

	max int64 // maxLog; tests lower it
}

func (l *Log) before() string { return l.Path + ".1" }

// Append adds events, in one write, so that commands that run at once do not mix
// theirs.
func (l *Log) Append(ctx context.Context, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	var b bytes.Buffer
	for _, e := range events {
		e.Version = version
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	if err := atomicfile.MkdirAll(filepath.Dir(l.Path)); err != nil {
		return err
	}
	if err := l.rotate(ctx); err != nil {
		return err
	}
	f, err := os.OpenFile(l.Path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	data := b.Bytes()
	// A command that was killed, or a full disk, may have left a part of a line.
	if whole, err := endsInLine(f); err != nil {
		return errors.Join(err, f.Close())
	} else if !whole {
		data = append([]byte("\n"), data...)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func endsInLine(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return true, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return last[0] == '\n', err
}

// rotate begins the log anew if it is large.
func (l *Log) rotate(ctx context.Context) error {
	if large, err := l.large(); err != nil || !large {
		return err
	}
	unlock, err := ownfile.Lock(ctx, l.Path+".lock")
	if err != nil {
		return err
	}
	// Another command may have been faster: what it began must not replace the log
	// before.
	large, err := l.large()
	if err == nil && large {
		err = os.Rename(l.Path, l.before())
	}
	return errors.Join(err, unlock())
}

func (l *Log) large() (bool, error) {
	err := ownfile.Plain(l.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info, err := os.Stat(l.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // another command has just moved it
	}
	if err != nil {
		return false, err
	}
	most := l.max
	if most == 0 {
		most = maxLog
	}
	return info.Size() > most, nil
}

// Read returns the events, the oldest first. Lines that are broken are named in an
// error of kind [fault.Partial], beside the others.
func (l *Log) Read() ([]Event, error) {
	var out []Event
	var broken []error
	for _, path := range []string{l.before(), l.Path} {
		data, err := ownfile.Read(path, maxRead)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		n := 0
		for line := range bytes.Lines(data) {
			n++
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			var e Event
			if json.Unmarshal(line, &e) != nil || e.Time.IsZero() {
				broken = append(broken, fmt.Errorf("%s:%d: this line is not as rhx wrote it", path, n))
				continue
			}
			if err := ownfile.CheckVersion(fmt.Sprintf("%s:%d", path, n), e.Version, version); err != nil {
				return nil, err
			}
			out = append(out, e)
		}
	}
	return out, fault.WithKind(errors.Join(broken...), fault.Partial)
}
