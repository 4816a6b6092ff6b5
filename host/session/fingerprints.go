package session

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
)

// fingerprints are what rhx put onto machines last: keyed digests of values. With
// them a value that somebody changed by hand can be told from one that rhx itself
// wrote and that is out of date.
type fingerprints struct {
	mu     sync.Mutex
	loaded bool
	key    []byte
	by     prints
}

// prints has a fingerprint for each value: MACHINE -> SECRET + NUL + KEY.
type prints map[string]map[string]string

func (b *Book) printsFile() string { return filepath.Join(b.Dirs.State, "applied.json") }

func entryKey(stored, key string) string { return stored + "\x00" + key }

// load reads the fingerprints, and their key, which is made where there is none.
func (b *Book) load() (*fingerprints, error) {
	f := &b.prints
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.loaded {
		return f, nil
	}
	var err error
	if f.key, err = b.fingerprintKey(); err != nil {
		return nil, err
	}
	if f.by, err = b.readPrints(); err != nil {
		return nil, err
	}
	f.loaded = true
	return f, nil
}

func (b *Book) readPrints() (prints, error) {
	by := prints{}
	data, err := os.ReadFile(b.printsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return by, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &by)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", b.printsFile(), err)
	}
	return by, nil
}

func (b *Book) fingerprintKey() ([]byte, error) {
	path := filepath.Join(b.Dirs.Data, "fingerprint.key")
	data, err := os.ReadFile(path)
	if err == nil && len(data) == 32 {
		return data, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		return nil, fmt.Errorf("%s is not as rhx wrote it", path)
	}
	data = make([]byte, 32)
	_, _ = rand.Read(data) // it never fails
	errs, err := b.Local.Write(context.Background(), []machine.Change{{Path: filepath.ToSlash(path), Data: data}})
	if err := errors.Join(append(errs, err)...); err != nil {
		// Another rhx may have been faster.
		if made, readErr := os.ReadFile(path); readErr == nil && len(made) == 32 {
			return made, nil
		}
		return nil, err
	}
	return data, nil
}

func (f *fingerprints) of(v secret.Value) string {
	mac := hmac.New(sha256.New, f.key)
	mac.Write([]byte(v.Reveal()))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Fingerprint is a short name for a value, which tells nothing of it to whoever has
// no key and stays the same on this machine.
func (b *Book) Fingerprint(v secret.Value) (string, error) {
	f, err := b.load()
	if err != nil {
		return "", err
	}
	return f.of(v)[:6], nil
}

// Wrote reports whether every value of a conflict is the one that rhx put there.
// stored is the secret's name in the store.
func (b *Book) Wrote(at place.Place, stored string, c *provider.ConflictError) (bool, error) {
	f, err := b.load()
	if err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range c.Keys {
		want := f.by[at.String()][entryKey(stored, key)]
		if want == "" || want != f.of(c.Have[key]) {
			return false, nil
		}
	}
	return len(c.Keys) > 0, nil
}

// note is what changes in the fingerprints of one machine.
type note struct {
	at   string
	set  map[string]string
	gone []string
}

// notedOf is what a machine has now of secrets, by what was done there. What was
// there already and is as wanted counts as rhx's from now on.
func (f *fingerprints) notedOf(w *Work) note {
	failed := map[string]bool{}
	for _, o := range w.Outcomes {
		failed[o.Secret] = failed[o.Secret] || o.Err != nil
	}
	n := note{at: w.At.String(), set: map[string]string{}}
	for _, o := range w.Outcomes {
		if failed[o.Secret] {
			continue
		}
		if o.Action == provider.Removed {
			for _, key := range o.Keys {
				n.gone = append(n.gone, entryKey(o.name(), key))
			}
			continue
		}
		for key, v := range w.Values[o.Secret] {
			n.set[entryKey(o.name(), key)] = f.of(v)
		}
		if v, ok := w.Versions[o.Stored]; ok {
			n.set[entryKey(o.Stored, "")] = v.String()
		}
	}
	return n
}

// name is that by which values are remembered.
func (o *Outcome) name() string {
	if o.Stored != "" {
		return o.Stored
	}
	return o.Secret
}

// changePrints changes entries in the file, and here. Another rhx may do so at the
// same time: only the entries of notes are changed.
func (b *Book) changePrints(notes []note) error {
	f, err := b.load()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.MkdirAll(b.Dirs.State, 0o700); err != nil {
		return err
	}
	lock := flock.New(b.printsFile()+".lock", flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer func() { _ = lock.Unlock() }()
	by, err := b.readPrints()
	if err != nil {
		return err
	}
	changed := false
	for _, n := range notes {
		changed = by.change(n) || changed
	}
	if f.by = by; !changed {
		return nil
	}
	data, err := json.MarshalIndent(by, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.Write(b.printsFile(), data, 0o600)
}

// change makes the changes of a note, and reports whether there were any.
func (by prints) change(n note) bool {
	at := by[n.at]
	if at == nil {
		at = map[string]string{}
		by[n.at] = at
	}
	changed := false
	for _, key := range n.gone {
		_, there := at[key]
		changed = changed || there
		delete(at, key)
	}
	for key, print := range n.set {
		changed = changed || at[key] != print
		at[key] = print
	}
	return changed
}
