package session

import (
	"context"

	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Stored is a store of which every write is in the log.
func (b *Book) Stored(st store.Store) store.Store { return &stored{st, b} }

// stored notes what was written. What else the store can do is asked of it by
// [store.As].
type stored struct {
	store.Store
	book *Book
}

// Under implements what [store.As] asks for.
func (s *stored) Under() store.Store { return s.Store }

func (s *stored) note(err error, name string, version int, action string, keys []string) error {
	if err == nil {
		s.book.Note([]Event{{Machine: place.Store.String(), Secret: name, Path: s.URL(), Action: action, Stored: version, Keys: keys}})
	}
	return err
}

// Put implements [store.Store].
func (s *stored) Put(ctx context.Context, sec *secret.Secret, expect int) (int, error) {
	n, err := s.Store.Put(ctx, sec, expect)
	return n, s.note(err, sec.Name, n, "saved", sec.Values.Keys())
}

// Delete implements [store.Store].
func (s *stored) Delete(ctx context.Context, name string) error {
	return s.note(s.Store.Delete(ctx, name), name, 0, "deleted", nil)
}

// Undelete implements [store.Store].
func (s *stored) Undelete(ctx context.Context, name string, version int) error {
	return s.note(s.Store.Undelete(ctx, name, version), name, version, "undeleted", nil)
}

// Destroy implements [store.Store].
func (s *stored) Destroy(ctx context.Context, name string) error {
	return s.note(s.Store.Destroy(ctx, name), name, 0, "destroyed", nil)
}

// NoteStore notes what was done at a store as a whole, or at its server.
func (b *Book) NoteStore(url, action string) {
	b.Note([]Event{{Machine: place.Store.String(), Path: url, Action: action}})
}

// maxTogether bounds the secrets of one event.
const maxTogether = 200

// NoteRead notes that values were read from a store.
func (b *Book) NoteRead(url string, read []store.Info) {
	event := Event{Machine: place.Store.String(), Path: url, Action: "read"}
	if len(read) == 1 {
		event.Secret, event.Stored = read[0].Name, read[0].Version
		b.Note([]Event{event})
		return
	}
	var events []Event
	for i, info := range read {
		if i%maxTogether == 0 {
			events = append(events, event)
		}
		last := &events[len(events)-1]
		last.Secrets = append(last.Secrets, info.Name)
	}
	b.Note(events)
}
