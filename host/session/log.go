package session

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/rhx-dev/rhx/host/provider"
)

// Event is a line of the local log: who brought which secret where. It has no
// values.
type Event struct {
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

func (b *Book) logFile() string { return filepath.Join(b.Dirs.State, "log.jsonl") }

// maxLog is the size in bytes at which the log begins anew; the one before is kept.
const maxLog = 8 << 20

// Log adds events to the local log. Each is one write, so that commands that run
// at once do not mix theirs.
func (b *Book) Log(events []Event) error {
	if len(events) == 0 {
		return nil
	}
	path := b.logFile()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		_ = os.Rename(path, path+".1")
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	who := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	now := time.Now().UTC().Truncate(time.Second)
	for _, e := range events {
		e.Time, e.User = now, who
		line, err2 := json.Marshal(e)
		if err2 == nil {
			_, err2 = f.Write(append(line, '\n'))
		}
		err = errors.Join(err, err2)
	}
	return errors.Join(err, f.Close())
}

// eventsOf are the events of what was done.
func eventsOf(command string, outcomes []Outcome) []Event {
	var out []Event
	for _, o := range outcomes {
		if o.Action == provider.Unchanged {
			continue
		}
		out = append(out, Event{Command: command, Machine: o.At.String(), Secret: o.Secret, Path: o.Source.Path, Var: o.Source.Var, Action: string(o.Action), Keys: o.Keys})
	}
	return out
}

// Events reads the log, the oldest first. A line that is broken is left out.
func (b *Book) Events() ([]Event, error) {
	var out []Event
	for _, path := range []string{b.logFile() + ".1", b.logFile()} {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var e Event
			if json.Unmarshal(lines.Bytes(), &e) == nil {
				out = append(out, e)
			}
		}
		err = errors.Join(lines.Err(), f.Close())
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
