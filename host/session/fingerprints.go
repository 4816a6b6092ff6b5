package session

import (
	"context"
	"sync"

	"github.com/rhx-dev/rhx/host/fingerprint"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
)

// fingerprints are those of what rhx put onto machines last, read when they are
// first needed.
type fingerprints struct {
	mu  sync.Mutex
	rec *fingerprint.Record
}

func (b *Book) fingerprints(ctx context.Context) (*fingerprint.Record, error) {
	b.prints.mu.Lock()
	defer b.prints.mu.Unlock()
	if b.prints.rec == nil {
		rec, err := fingerprint.Open(ctx, b.Dirs.State, b.Dirs.Data, b.Keys)
		if err != nil {
			return nil, err
		}
		b.prints.rec = rec
	}
	return b.prints.rec, nil
}

// Fingerprint is a short name for a value, which tells nothing of it to whoever has
// no key and stays the same on this machine.
func (b *Book) Fingerprint(v secret.Value) (string, error) {
	rec, err := b.fingerprints(context.Background())
	if err != nil {
		return "", err
	}
	return rec.Of(v)[:6], nil
}

// Wrote reports whether every value of a conflict is the one that rhx put there.
// stored is the secret's name in the store.
func (b *Book) Wrote(at place.Place, stored string, c *provider.ConflictError) (bool, error) {
	rec, err := b.fingerprints(context.Background())
	if err != nil {
		return false, err
	}
	for _, key := range c.Keys {
		if !rec.Is(at.String(), stored, key, c.Have[key]) {
			return false, nil
		}
	}
	return len(c.Keys) > 0, nil
}

// noteWork records what a machine has now of secrets, by what was done there. What
// was there already and is as wanted counts as rhx's from now on.
func noteWork(rec *fingerprint.Record, w *Work) {
	failed := map[string]bool{}
	for _, o := range w.Outcomes {
		failed[o.Secret] = failed[o.Secret] || o.Err != nil
	}
	for _, o := range w.Outcomes {
		switch {
		case failed[o.Secret]:
		case o.Action == provider.Removed:
			rec.Forget(w.At.String(), o.name(), o.Keys)
		default:
			rec.Note(w.At.String(), o.name(), w.Values[o.Secret])
		}
		if v, ok := w.Versions[o.Stored]; ok && !failed[o.Secret] {
			rec.NoteVersion(w.At.String(), o.Stored, v.String())
		}
	}
}

// name is that by which values are remembered.
func (o *Outcome) name() string {
	if o.Stored != "" {
		return o.Stored
	}
	return o.Secret
}
