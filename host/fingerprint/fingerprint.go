// Package fingerprint remembers what rhx put onto machines last, without the values:
// a keyed fingerprint of each. With them a value that somebody changed by hand can be
// told from one that rhx itself wrote and that is out of date.
//
// The key of the fingerprints is derived from the user's private key, and the file
// that they are in is sealed with it. So nobody else can search them for a short
// value, or have rhx take a value for its own.
package fingerprint

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/exactjson"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/secret"
)

// Keys are what only this user's rhx can do. agestore.Store does it.
type Keys interface {
	Derive(ctx context.Context, purpose string) ([]byte, error)
	// DeriveAll has the keys of before the present one, too, behind it.
	DeriveAll(ctx context.Context, purpose string, ask bool) ([][]byte, error)
	Seal(ctx context.Context, label string, data []byte) ([]byte, error)
	Unseal(ctx context.Context, label string, sealed []byte) ([]byte, error)
}

const (
	fileName = "applied.age"
	label    = "applied"
	version  = 1
	maxFile  = 64 << 20

	// Before version 1 the record was not sealed, and its key was in a file.
	oldFileName = "applied.json"
	oldKeyName  = "fingerprint.key"
	oldKeySize  = 32
)

// Record is the fingerprints of all machines. Its methods may be called from several
// goroutines.
type Record struct {
	keys       Keys
	state, old string // the file, and the one of before version 1
	oldKeyFile string
	key        []byte
	before     [][]byte // of entries from when the store had another key
	oldKey     []byte   // of entries of before version 1; nil for none

	mu      sync.Mutex
	by      entries
	changed map[string]map[string]bool // what Save is to write, by machine and entry
}

// entries are the fingerprints by machine, and by SECRET, NUL, KEY.
type entries map[string]map[string]string

// content is what is sealed.
type content struct {
	Version  int     `json:"version"`
	Machines entries `json:"machines"`
	// OldKey is that of entries that were made before version 1.
	OldKey []byte `json:"old_key,omitempty"`
}

// Path is the file of the record below rhx's state folder.
func Path(state string) string { return filepath.Join(state, fileName) }

// Open reads the record in rhx's state folder; data is its data folder.
func Open(ctx context.Context, state, data string, keys Keys) (*Record, error) {
	r := &Record{keys: keys, state: Path(state), old: filepath.Join(state, oldFileName), oldKeyFile: filepath.Join(data, oldKeyName),
		by: entries{}, changed: map[string]map[string]bool{}}
	var err error
	if r.key, err = keys.Derive(ctx, "fingerprints"); err != nil {
		return nil, err
	}
	if r.before, err = keys.DeriveAll(ctx, "fingerprints", true); err != nil {
		return nil, err
	}
	c, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	r.by, r.oldKey = c.Machines, c.OldKey
	return r, nil
}

// read returns what is on the disk.
func (r *Record) read(ctx context.Context) (*content, error) {
	sealed, err := ownfile.Read(r.state, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return r.readOld()
	}
	if err != nil {
		return nil, err
	}
	return r.unseal(ctx, sealed)
}

func (r *Record) unseal(ctx context.Context, sealed []byte) (*content, error) {
	plain, err := r.keys.Unseal(ctx, label, sealed)
	c := &content{}
	if err == nil {
		err = json.Unmarshal(plain, c)
	}
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("read %s: %w", r.state, err),
			"rhx notes there what it put where. If you know why it is so, move it away: values that differ then count as changed by hand")
	}
	if err := ownfile.CheckVersion(r.state, c.Version, version); err != nil {
		return nil, err
	}
	if c.Machines == nil {
		c.Machines = entries{}
	}
	return c, nil
}

// readOld reads the record of before version 1, if its key is there.
func (r *Record) readOld() (*content, error) {
	c := &content{Machines: entries{}}
	key, err := ownfile.Read(r.oldKeyFile, oldKeySize)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil && len(key) != oldKeySize {
		err = fmt.Errorf("read %s: it is not as rhx wrote it", r.oldKeyFile)
	}
	if err != nil {
		return nil, err
	}
	data, err := ownfile.Read(r.old, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &c.Machines); err != nil {
		return nil, fmt.Errorf("read %s: %w", r.old, err)
	}
	c.OldKey = key
	return c, nil
}

// Of returns a short name for a value that tells nothing of it to whoever has no
// key, and stays the same on this machine.
func (r *Record) Of(v secret.Value) string { return of(r.key, v) }

func of(key []byte, v secret.Value) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(v.Reveal()))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

func entryKey(name, key string) string { return name + "\x00" + key }

// Is reports whether a value is the one that rhx put there last.
func (r *Record) Is(machine, name, key string, v secret.Value) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Matches(r.by[machine][entryKey(name, key)], v)
}

// Matches reports whether a fingerprint that Of made, also with an earlier key, is that
// of a value; none is "".
func (r *Record) Matches(was string, v secret.Value) bool {
	if was == "" {
		return false
	}
	return was == r.Of(v) || r.oldKey != nil && was == of(r.oldKey, v) ||
		slices.ContainsFunc(r.before, func(key []byte) bool { return was == of(key, v) })
}

// Note records what a machine has now of a secret.
func (r *Record) Note(machine, name string, values secret.Values) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, v := range values {
		if f := r.Of(v); r.by[machine][entryKey(name, key)] != f {
			r.set(machine, entryKey(name, key), f)
		}
	}
}

// Forget takes out what is recorded of keys of a secret on a machine.
func (r *Record) Forget(machine, name string, keys []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range keys {
		if r.by[machine][entryKey(name, key)] != "" {
			r.set(machine, entryKey(name, key), "")
		}
	}
}

// set changes one entry; "" takes it away.
func (r *Record) set(machine, entry, fingerprint string) {
	if r.by[machine] == nil {
		r.by[machine] = map[string]string{}
	}
	if r.changed[machine] == nil {
		r.changed[machine] = map[string]bool{}
	}
	r.changed[machine][entry] = true
	r.by[machine][entry] = fingerprint
}

// Restore has machines' entries say again what they said in an earlier copy of the
// file; nil is one without entries.
func (r *Record) Restore(ctx context.Context, copied []byte, machines []string) error {
	before := entries{}
	if copied != nil {
		c, err := r.unseal(ctx, copied)
		if err != nil {
			return err
		}
		before = c.Machines
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range machines {
		for entry := range r.by[m] {
			if before[m][entry] == "" {
				r.set(m, entry, "")
			}
		}
		for entry, fingerprint := range before[m] {
			if r.by[m][entry] != fingerprint {
				r.set(m, entry, fingerprint)
			}
		}
	}
	return nil
}

// Save writes what changed since Open. What another rhx has written meanwhile stays.
func (r *Record) Save(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.changed) == 0 {
		return nil
	}
	if err := atomicfile.MkdirAll(filepath.Dir(r.state)); err != nil {
		return err
	}
	unlock, err := ownfile.Lock(ctx, r.state+".lock")
	if err != nil {
		return err
	}
	return errors.Join(r.merge(ctx), unlock())
}

// merge writes the entries that changed into the file as it is now.
func (r *Record) merge(ctx context.Context) error {
	now, err := r.read(ctx)
	if err != nil {
		return err
	}
	now.Version = version
	if now.OldKey == nil {
		now.OldKey = r.oldKey
	}
	for m, changed := range r.changed {
		for entry := range changed {
			fingerprint := r.by[m][entry]
			switch {
			case fingerprint == "":
				delete(now.Machines[m], entry)
			case now.Machines[m] == nil:
				now.Machines[m] = map[string]string{entry: fingerprint}
			default:
				now.Machines[m][entry] = fingerprint
			}
		}
	}
	plain, err := exactjson.Marshal(now)
	if err != nil {
		return err
	}
	sealed, err := r.keys.Seal(ctx, label, plain)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(r.state, sealed, 0o600); err != nil {
		return err
	}
	r.by, r.oldKey, r.changed = now.Machines, now.OldKey, map[string]map[string]bool{}
	// What version 1 took over is not left for others to search.
	for _, path := range []string{r.oldKeyFile, r.old} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// NoteVersion records which version of a secret a machine has, as a text. It is kept
// under no key of the secret's.
func (r *Record) NoteVersion(machine, name, version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry := entryKey(name, ""); r.by[machine][entry] != version {
		r.set(machine, entry, version)
	}
}

// Version returns the text that NoteVersion recorded; "" for none.
func (r *Record) Version(machine, name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.by[machine][entryKey(name, "")]
}
