package session

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/eventlog"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/nameservice"
	"github.com/rhx-dev/rhx/host/provider"
)

// Event is a line of the local log.
type Event = eventlog.Event

func (b *Book) log() *eventlog.Log {
	return &eventlog.Log{Path: filepath.Join(b.Dirs.State, "log.jsonl"), Keys: b.Keys}
}

// Log adds events to the local log.
func (b *Book) Log(events []Event) error {
	if len(events) == 0 {
		return nil
	}
	who := os.Getenv("USER")
	if u, err := nameservice.Current(); err == nil {
		who = u.Username
	}
	now := time.Now().UTC().Truncate(time.Second)
	for i := range events {
		e := &events[i]
		e.Time, e.User, e.Caller, e.Reason = now, who, parent(), b.Reason
		if e.Command == "" {
			e.Command = b.Command
		}
	}
	return b.log().Append(context.Background(), events)
}

// Note is Log where an error is told, and stops nothing.
func (b *Book) Note(events []Event) {
	if err := b.Log(events); err != nil {
		b.warn("the log could not be written: " + err.Error())
	}
}

// parent is the program that started rhx, as it calls itself. Any program can call
// itself what it likes.
var parent = sync.OnceValue(func() string {
	name := parentName()
	if len(name) > maxParent {
		name = name[:maxParent]
	}
	return strings.ToValidUTF8(name, "")
})

// maxParent bounds the name of a program, in bytes.
const maxParent = 64

// CheckReason returns an error for a reason that does not fit into the log.
func CheckReason(text string) error {
	if len(text) > maxReason || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fault.WithKind(fmt.Errorf("a reason is one line of at most %d bytes, without control characters", maxReason), fault.Usage)
	}
	return nil
}

const maxReason = 200

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

// VerifyLog says where the log is not as rhx wrote it.
func (b *Book) VerifyLog(ctx context.Context) (*eventlog.Check, error) { return b.log().Verify(ctx) }
