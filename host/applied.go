package host

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
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
)

// applied is what rhx put onto machines last: keyed fingerprints of values, by
// machine, secret and key. With them a value that somebody changed by hand can be
// told from one that rhx itself wrote and that is out of date.
type applied struct {
	path string
	key  []byte

	mu sync.Mutex
	by map[string]map[string]string // MACHINE -> SECRET + NUL + KEY -> fingerprint
}

func (h *Host) appliedFile() string { return filepath.Join(h.Dirs.State, "applied.json") }

// loadApplied reads the fingerprints, and their key, which is made where there is
// none.
func (h *Host) loadApplied() (*applied, error) {
	a := &applied{path: h.appliedFile(), by: map[string]map[string]string{}}
	var err error
	if a.key, err = h.fingerprintKey(); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &a.by)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", a.path, err)
	}
	return a, nil
}

func (h *Host) fingerprintKey() ([]byte, error) {
	path := filepath.Join(h.Dirs.Data, "fingerprint.key")
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
	errs, err := h.Local.Write(context.Background(), []machine.Change{{Path: filepath.ToSlash(path), Data: data}})
	if err := errors.Join(append(errs, err)...); err != nil {
		// Another rhx may have been faster.
		if made, readErr := os.ReadFile(path); readErr == nil && len(made) == 32 {
			return made, nil
		}
		return nil, err
	}
	return data, nil
}

// Fingerprint is a short name for a value that tells nothing of it to whoever has
// no key, and stays the same on this machine.
func (a *applied) Fingerprint(v secret.Value) string {
	mac := hmac.New(sha256.New, a.key)
	mac.Write([]byte(v.Reveal()))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

func entryKey(name, key string) string { return name + "\x00" + key }

// known reports whether every value that a place has is the one that rhx put there.
func (a *applied) known(m, name string, c *provider.ConflictError) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, key := range c.Keys {
		want := a.by[m][entryKey(name, key)]
		if want == "" || want != a.Fingerprint(c.Have[key]) {
			return false
		}
	}
	return len(c.Keys) > 0
}

// note records what machines have now of secrets, by what was done.
func (a *applied) note(loaded []Loaded, values map[string]secret.Values) {
	a.mu.Lock()
	defer a.mu.Unlock()
	bad := map[string]bool{}
	for _, l := range loaded {
		bad[l.Machine+"\x00"+l.Secret] = bad[l.Machine+"\x00"+l.Secret] || l.Err != nil
	}
	for _, l := range loaded {
		if bad[l.Machine+"\x00"+l.Secret] {
			continue
		}
		if a.by[l.Machine] == nil {
			a.by[l.Machine] = map[string]string{}
		}
		for key, v := range values[l.Secret] {
			a.by[l.Machine][entryKey(l.Secret, key)] = a.Fingerprint(v)
		}
	}
}

// save writes the fingerprints. What another rhx has written meanwhile of other
// machines stays.
func (a *applied) save(machines []string) error {
	if err := os.MkdirAll(filepath.Dir(a.path), 0o700); err != nil {
		return err
	}
	lock := flock.New(a.path+".lock", flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer func() { _ = lock.Unlock() }()
	now := map[string]map[string]string{}
	if data, err := os.ReadFile(a.path); err == nil {
		_ = json.Unmarshal(data, &now) // broken, it is made anew
	}
	a.mu.Lock()
	for _, m := range machines {
		if a.by[m] != nil {
			now[m] = a.by[m]
		}
	}
	data, err := json.MarshalIndent(now, "", " ")
	a.mu.Unlock()
	if err != nil {
		return err
	}
	return atomicfile.Write(a.path, data, 0o600)
}

// short is the beginning of a fingerprint, for people.
func short(fingerprint string) string { return fingerprint[:min(6, len(fingerprint))] }
