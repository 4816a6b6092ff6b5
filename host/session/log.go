package session

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/rhx-dev/rhx/host/eventlog"
	"github.com/rhx-dev/rhx/host/provider"
)

// Event is a line of the local log.
type Event = eventlog.Event

func (b *Book) log() *eventlog.Log {
	return &eventlog.Log{Path: filepath.Join(b.Dirs.State, "log.jsonl")}
}

// Log adds events to the local log.
func (b *Book) Log(events []Event) error {
	if len(events) == 0 {
		return nil
	}
	who := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	now := time.Now().UTC().Truncate(time.Second)
	for i := range events {
		events[i].Time, events[i].User = now, who
	}
	return b.log().Append(context.Background(), events)
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

// Events reads the log, the oldest first. Lines that are broken are named in an error
// of kind [fault.Partial], beside the others.
func (b *Book) Events() ([]Event, error) { return b.log().Read() }
