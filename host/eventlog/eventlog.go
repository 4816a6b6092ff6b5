// Package eventlog keeps the local log: a line of JSON for each event, in a file that
// begins anew when it is large.
//
// The lines are a chain: each has a number and the hash of the one before, and a proof
// (HMAC) by a key that only this user's rhx has. log.jsonl.head, beside the log, has the
// number and the hash of the last line. So Verify finds lines that were changed, added
// or cut, also at the end. It does not find that both files were replaced by older
// copies of themselves: no other file says how long the log was.
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
	// Secrets are those that were read at once; Secret is "" then.
	Secrets []string `json:"secrets,omitempty"`
	// Path or Var is the place, for a store its URL; To is the program that got it.
	Path   string   `json:"path,omitempty"`
	Var    string   `json:"var,omitempty"`
	To     string   `json:"to,omitempty"`
	Action string   `json:"action"`
	Keys   []string `json:"keys,omitempty"`
	// Stored is the version in the store.
	Stored int `json:"version,omitempty"`
	// Status is that of the answer to a request that the broker has put the secret into,
	// and Times how many such there were at once; 0 is one.
	Status int `json:"status,omitempty"`
	Times  int `json:"times,omitempty"`
	// Caller is the program that started rhx, as it calls itself; Reason is what the
	// user gave with --reason.
	Caller string `json:"caller,omitempty"`
	Reason string `json:"reason,omitempty"`

	chained
}

// chained is what makes lines a chain.
type chained struct {
	// Seq is the line's number. The first line has 1, and rotation does not begin anew;
	// 0 is a line that an rhx without the chain wrote. Prev is the hash of the line
	// before.
	Seq  int64  `json:"seq,omitempty"`
	Prev string `json:"prev,omitempty"`
	// Open reports that the head had no proof when this line was added.
	Open bool `json:"open,omitempty"`
}

const (
	version = 1
	// maxLog is the size in bytes at which the log begins anew; the one before is kept.
	maxLog = 8 << 20
	// maxRead bounds what is read: a log, and the events of one command beyond maxLog.
	maxRead = 64 << 20
	// lockWait is how long other commands may take that write theirs: somebody else
	// who holds the lock stops no command.
	lockWait = 10 * time.Second
)

// Keys are the keys of this user's rhx. agestore.Store has them.
type Keys interface {
	// DeriveAll makes keys for a purpose, the one for new proofs first. Where that
	// takes a question and ask is false, or there is no key to make them of, there
	// are none.
	DeriveAll(ctx context.Context, purpose string, ask bool) ([][]byte, error)
}

// Log is the log in one file.
type Log struct {
	// Path is the file; its folder is made when something is logged. The log before
	// it is in Path.1.
	Path string
	// Keys prove what is added.
	Keys Keys

	max int64 // maxLog; tests lower it
	// onStep is called before each change on the disk, for tests that end there.
	onStep func()
}

func (l *Log) before() string { return l.Path + ".1" }
func (l *Log) lock() string   { return l.Path + ".lock" }

func (l *Log) step() {
	if l.onStep != nil {
		l.onStep()
	}
}

// Append adds events, in one write. Commands that run at once take turns. Where there
// is no key, or it waits for a passphrase, the lines have no proof of their own; those
// after them prove that they stood there.
func (l *Log) Append(ctx context.Context, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	keys, keyErr := l.Keys.DeriveAll(ctx, purpose, false)
	if err := atomicfile.MkdirAll(filepath.Dir(l.Path)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	unlock, err := ownfile.Lock(ctx, l.lock())
	if err != nil {
		return fmt.Errorf("wait for %s: %w", l.lock(), err)
	}
	return errors.Join(l.append(events, keys), unlock(), keyErr)
}

// append is Append with the lock held.
func (l *Log) append(events []Event, keys [][]byte) error {
	if err := ownfile.Plain(l.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // opening a pipe would wait
	}
	f, err := os.OpenFile(l.Path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	h, open, size, err := l.headFor(f, keys)
	if err == nil && size > l.limit() {
		if err = f.Close(); err == nil {
			f, err = l.rotate(h, keys)
		}
		if err != nil {
			return err
		}
	}
	if err == nil {
		err = l.add(f, h, open, events, keys)
	}
	return errors.Join(err, f.Close())
}

func (l *Log) limit() int64 {
	if l.max != 0 {
		return l.max
	}
	return maxLog
}

// add writes lines and notes in the head that they are there. Where a command is
// killed in between, the next one finds them.
func (l *Log) add(f *os.File, h *head, open bool, events []Event, keys [][]byte) error {
	var b bytes.Buffer
	// A command that was killed, or a full disk, may have left a part of a line.
	if whole, err := endsInLine(f); err != nil {
		return err
	} else if !whole {
		b.WriteByte('\n')
	}
	for _, e := range events {
		e.Version = version
		e.chained = chained{Seq: h.Seq + 1, Prev: h.Hash, Open: open}
		line, err := prove(e, keys)
		if err != nil {
			return err
		}
		h.Seq, h.Hash, open = e.Seq, hashOf(line), false
		b.Write(line)
		b.WriteByte('\n')
	}
	l.step()
	if _, err := f.Write(b.Bytes()); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	return l.writeHead(h, keys)
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

// rotate begins the log anew. The head knows first: what it says is true of both.
func (l *Log) rotate(h *head, keys [][]byte) (*os.File, error) {
	h.First, h.Start, h.Size = h.Start, h.Seq+1, 0
	if err := l.writeHead(h, keys); err != nil {
		return nil, err
	}
	l.step()
	if err := os.Rename(l.Path, l.before()); err != nil {
		return nil, err
	}
	return os.OpenFile(l.Path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
}

// Read returns the events, the oldest first. Lines that are broken are named in an
// error of kind [fault.Partial], beside the others.
func (l *Log) Read() ([]Event, error) {
	var out []Event
	var broken []error
	err := l.lines(func(at string, line []byte) error {
		e, err := parse(at, line)
		if fault.KindOf(err) == fault.Partial {
			broken = append(broken, err)
			return nil
		}
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, fault.WithKind(errors.Join(broken...), fault.Partial)
}

// lines calls do for each line that is not empty, with where it is.
func (l *Log) lines(do func(at string, line []byte) error) error {
	for _, path := range []string{l.before(), l.Path} {
		data, err := ownfile.Read(path, maxRead)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		n := 0
		for line := range bytes.Lines(data) {
			n++
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			if err := do(fmt.Sprintf("%s:%d", path, n), line); err != nil {
				return err
			}
		}
	}
	return nil
}

// parse reads a line. The error for one that is broken is of kind [fault.Partial].
func parse(at string, line []byte) (Event, error) {
	var e Event
	if json.Unmarshal(line, &e) != nil || e.Time.IsZero() {
		return e, fault.WithKind(fmt.Errorf("%s: this line is not as rhx wrote it", at), fault.Partial)
	}
	return e, ownfile.CheckVersion(at, e.Version, version)
}
