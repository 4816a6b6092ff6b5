package agestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

var _ store.Archive = (*Store)(nil)

// AllNames implements [store.Archive]. It needs no key. Like List it returns what it
// can find out along with an error that names the rest.
func (s *Store) AllNames(ctx context.Context) ([]string, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s.names()
}

func (s *Store) names() ([]string, error) {
	folders, err := s.folders()
	if err != nil {
		return nil, err
	}
	var (
		names []string
		errs  []error
	)
	for _, folder := range folders {
		name, err := s.nameOf(folder)
		if err != nil {
			errs = append(errs, err)
		} else if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, fault.WithKind(errors.Join(errs...), fault.Partial)
}

// CountVersions returns how many versions there are of some secrets, deleted or not.
func (s *Store) CountVersions(ctx context.Context, names []string) (n int, err error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	for _, name := range names {
		vs, err := versions(s.folder(name))
		if err != nil {
			return 0, err
		}
		n += len(vs)
	}
	return n, nil
}

// nameOf returns the name of the secret whose folder has a name; "" where no version is
// in it. The folder says it, or, where that would be too long, each file.
func (s *Store) nameOf(folder string) (string, error) {
	dir := filepath.Join(s.secrets(), folder)
	for range tries {
		vs, err := versions(dir)
		if err != nil || len(vs) == 0 {
			return "", err
		}
		if name, ok := percentDecode(folder); ok && folderName(name) == folder && secret.ValidName(name) == nil {
			return name, nil
		}
		err = fmt.Errorf("%s: its name is not that of a secret", dir)
		for _, v := range vs {
			i, e := s.header(folder, v)
			if e == nil {
				return i.Name, nil
			}
			err = e
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", busy(dir)
}

// GetDeleted implements [store.Archive].
func (s *Store) GetDeleted(ctx context.Context, name string, number int) (*store.Record, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if err := secret.ValidName(name); err != nil {
		return nil, err
	}
	v := version{n: number}
	path := filepath.Join(s.folder(name), v.file())
	data, err := ownfile.ReadNoLink(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%q version %d: %w", name, number, store.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	rec, k, err := s.decrypt(path, data, name, number)
	if err != nil {
		return nil, err
	}
	if err := s.say(k, name, number, rereadingFile(path, number, data)); err != nil {
		return nil, err
	}
	rec.Deleted = true
	return rec, nil
}

// rereadingFile returns what was read of a file, which is what somebody gets, and at later calls what
// is there then.
func rereadingFile(path string, number int, data []byte) func() (found, error) {
	mark := filepath.Join(filepath.Dir(path), version{n: number}.mark())
	return func() (_ found, err error) {
		if data == nil {
			data, err = ownfile.ReadNoLink(path, maxFile)
		}
		hash := bound(data)
		data = nil
		if err != nil {
			return found{}, err
		}
		_, err = os.Lstat(mark)
		if errors.Is(err, fs.ErrNotExist) {
			return found{version: number, hash: hash}, nil
		}
		return found{number, hash, true}, err
	}
}

// HasKey reports whether the store's key is there.
func (s *Store) HasKey() (bool, error) { return s.hasKey() }

// Identity returns the private keys of the store as one. They are read, and their
// passphrase is asked for, when it is first used.
func (s *Store) Identity() age.Identity { return lazyIdentity(s.unlocked) }

// ReadIdentity returns the private keys of a file of the kinds that a store's key can
// have, which belongs to no store. warn is told what ought to be put right.
func ReadIdentity(path string, asking Asking, warn func(string)) age.Identity {
	s := Open(Options{Identity: path, Passphrase: asking.Passphrase, Checking: asking.Checking, Warn: warn})
	return lazyIdentity(func() (*key, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		k, err := s.load()
		if err == nil && k.ids == nil {
			err = k.open(k)
		}
		return k, err
	})
}

// lazyIdentity returns the key when it is needed.
type lazyIdentity func() (*key, error)

// Unwrap implements [age.Identity].
func (l lazyIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	k, err := l()
	if err != nil {
		return nil, err
	}
	return (&witness{ids: k.ids}).Unwrap(stanzas)
}
