package trust

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/exactjson"
	"github.com/rhx-dev/rhx/host/ownfile"
)

// lock is rhx.lock: JSON, written by rhx alone.
type lock struct {
	Version int `json:"version"`
	// Keys are the trusted public keys, as minisign writes them.
	Keys      []string          `json:"keys,omitempty"`
	Providers map[string]*entry `json:"providers"`
	// Projects are the approved providers of projects, by their folders.
	Projects map[string]*entry `json:"projects,omitempty"`
	// Manifests are the digests of trusted manifests, by their paths.
	Manifests map[string]string `json:"manifests,omitempty"`
}

// entry is one approved provider.
type entry struct {
	Origin string `json:"origin"`
	// Files are the digests of all its files, by name.
	Files map[string]string `json:"files"`
	// Permissions are those that were approved, to compare a changed package
	// with, when the approved spec itself may be lost.
	Permissions []string `json:"permissions"`
	// Signer is the key whose signature stood for a yes, and Signed when it was made,
	// in seconds since 1970; 0 where it does not say.
	Signer   string `json:"signer,omitempty"`
	Signed   int64  `json:"signed,omitempty"`
	Replaces bool   `json:"replaces,omitempty"`
}

const (
	lockVersion = 1
	maxLock     = 64 << 20
)

func (p *Providers) lockPath() string { return filepath.Join(p.data, "rhx.lock") }

// locked returns the lock, read once.
func (p *Providers) locked() (*lock, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lock == nil {
		l, err := readLock(p.lockPath())
		if err != nil {
			return nil, err
		}
		p.lock = l
	}
	return p.lock, nil
}

func readLock(path string) (*lock, error) {
	l := &lock{Version: lockVersion, Providers: map[string]*entry{}, Projects: map[string]*entry{}, Manifests: map[string]string{}}
	data, err := ownfile.Read(path, maxLock)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, l); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if err := ownfile.CheckVersion(path, l.Version, lockVersion); err != nil {
		return nil, err
	}
	l.Version = lockVersion
	if l.Manifests == nil {
		l.Manifests = map[string]string{}
	}
	for _, entries := range []*map[string]*entry{&l.Providers, &l.Projects} {
		for name, e := range *entries {
			if e == nil {
				return nil, fmt.Errorf("read %s: %s has no entry", path, name)
			}
		}
		if *entries == nil {
			*entries = map[string]*entry{}
		}
	}
	return l, nil
}

// change has do change the lock as it is now on disk, and writes it. Commands
// that run at once wait for one another.
func (p *Providers) change(do func(*lock) error) (err error) {
	if err := atomicfile.MkdirAll(p.folder()); err != nil {
		return err
	}
	unlock, err := ownfile.Lock(context.Background(), filepath.Join(p.folder(), ".lock"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := p.sweep(); err != nil {
		return err
	}
	l, err := readLock(p.lockPath())
	if err != nil {
		return err
	}
	if err := do(l); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lock = l
	return nil
}

// write replaces the lock file, wholly or not at all.
func (p *Providers) write(l *lock) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(l)
	data, err := exactjson.Check(b.Bytes(), err)
	if err != nil {
		return err
	}
	return atomicfile.Write(p.lockPath(), data, 0o600)
}

// sweep removes what a command that was killed left behind. The lock is held, so in
// the providers' folder nobody is at work.
func (p *Providers) sweep() error {
	entries, err := os.ReadDir(p.folder())
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newPrefix) || strings.HasPrefix(e.Name(), oldPrefix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(p.folder(), e.Name())))
		}
	}
	return errors.Join(err, atomicfile.Sweep(p.data))
}
