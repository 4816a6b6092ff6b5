package agestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Put implements [store.Store]. The first Put makes the folders and the key.
func (s *Store) Put(ctx context.Context, sec *secret.Secret, expect int) (int, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	if err := secret.ValidName(sec.Name); err != nil {
		return 0, err
	}
	if expect < store.AnyVersion {
		return 0, fmt.Errorf("%q: %d is not a version", sec.Name, expect)
	}
	plain, err := encodePayload(sec)
	if err != nil {
		return 0, err
	}
	defer clear(plain)
	k, err := s.keyToSave(ctx)
	if err != nil {
		return 0, err
	}
	number := 0
	put := func() error {
		if err := s.changed(k); err != nil {
			return err
		}
		folder := s.folder(sec.Name)
		members, err := s.shared()
		if err != nil {
			return err
		}
		if members == nil {
			err = s.checkRecipients(k)
		} else if s.unsure.Load() {
			err = fault.WithHint(fault.Mark(errors.New("the store was not as its members left it when something was read of it, which may be nobody's: nothing is saved"), store.ErrDenied), "Look at rhx store verify, and run the command again.")
		}
		if err != nil {
			return err
		}
		vs, err := versions(folder)
		if err != nil {
			return err
		}
		next, err := nextVersion(sec.Name, vs, expect)
		if err != nil {
			return err
		}
		if len(vs) > 0 {
			// A folder that was renamed by hand must not mix two secrets. A
			// damaged version is no reason to refuse a new one.
			path := filepath.Join(folder, vs[0].file())
			if i, err := readHeader(path); err == nil && i.Name != sec.Name {
				return misplaced(path, i)
			}
		}
		r, err := s.openRecord()
		if r != nil {
			defer r.close()
		}
		if err != nil {
			return unnoted(folder, err)
		}
		if next, err = r.number(folderName(sec.Name), next, vs); err != nil {
			return unnoted(folder, err)
		}
		info := store.Info{Name: sec.Name, Provider: sec.Provider, Version: next, Updated: time.Now()}
		data, err := r.encode(info, plain, k.recipients)
		if err != nil {
			return err
		}
		path := filepath.Join(folder, version{n: next}.file())
		err = r.noted(path, change{op: opPut, folder: folderName(sec.Name), version: next, hash: hashFile(data)}, func() error {
			if err := s.disk().MkdirAll(folder); err != nil {
				return err
			}
			return s.disk().Write(path, data, 0o600)
		})
		if err == nil {
			number = next
		} else if errors.Is(err, errNotYours) {
			err = fmt.Errorf("%q: %w", sec.Name, err)
		}
		return err
	}
	for range tries {
		if err = s.locked(ctx, put); !errors.Is(err, errKeyChanged) || k.asks {
			break
		}
		s.use(nil)
		if k, err = s.keyToSave(ctx); err != nil {
			break
		}
	}
	if err != nil {
		return 0, err
	}
	return number, nil
}

// keyToSave is keyOrNew, open where the store is shared.
func (s *Store) keyToSave(ctx context.Context) (*key, error) {
	k, err := s.keyOrNew(ctx)
	if err == nil {
		err = s.openForWriting()
	}
	return k, err
}

// encode returns the file of a version. It is encrypted to the user's own keys, and in a shared
// store to those of everybody with whom it is shared.
func (r *recorder) encode(info store.Info, plain []byte, own []age.Recipient) ([]byte, error) {
	if r.ledger == nil {
		return encodeFile(info, plain, own)
	}
	members := r.ledger.roster
	b := binding{members.hash, members.Store, idPrefix(r.signer.public)}
	data, err := encodeBound(info, plain, members.recipients(folderName(info.Name)), b.args()...)
	if err != nil {
		readers := slices.DeleteFunc(members.everybody(), func(m *Member) bool { return !m.reads(folderName(info.Name)) })
		err = cmp.Or(members.fitsFor(readers), err) // which says whose key it is
	}
	return data, err
}

// encodeAlone returns the file of a version that the owner has accepted, and nobody knows for whom
// it was meant.
func (r *roster) encodeAlone(info store.Info, plain []byte) ([]byte, error) {
	return encodeBound(info, plain, r.Owner.to, binding{r.hash, r.Store, nobody}.args()...)
}

// nextVersion returns the number of the version to write, or ErrConflict.
func nextVersion(name string, vs []version, expect int) (int, error) {
	if len(vs) == 0 {
		vs = []version{{n: 0, deleted: true}}
	}
	newest := vs[0]
	switch {
	case expect == store.AnyVersion, expect == newest.n, expect == 0 && newest.deleted:
		return newest.n + 1, nil
	case newest.n == 0:
		return 0, fault.Mark(fmt.Errorf("%q does not exist, and version %d was expected", name, expect), store.ErrConflict)
	case expect == 0:
		return 0, fault.Mark(fmt.Errorf("%q exists already, at version %d", name, newest.n), store.ErrConflict)
	}
	return 0, fault.Mark(fmt.Errorf("%q is at version %d, not %d", name, newest.n, expect), store.ErrConflict)
}

// Delete implements [store.Store]. It needs no key. The deleted version stays
// in the folder, encrypted, until Destroy.
func (s *Store) Delete(ctx context.Context, name string) error {
	if ok, err := s.has(ctx, name); err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("%q: %w", name, store.ErrNotFound)
	}
	if err := s.openForWriting(); err != nil {
		return err
	}
	return s.locked(ctx, func() error {
		folder := s.folder(name)
		vs, err := versions(folder)
		if err != nil {
			return err
		}
		if len(vs) == 0 || vs[0].deleted {
			return fmt.Errorf("%q: %w", name, store.ErrNotFound)
		}
		mark := filepath.Join(folder, vs[0].mark())
		path := filepath.Join(folder, vs[0].file())
		return s.noted(path, change{op: opDelete, folder: folderName(name), version: vs[0].n}, func() error {
			s.step()
			f, err := os.OpenFile(mark, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
			if err == nil {
				err = f.Close()
			}
			if err != nil {
				return fmt.Errorf("delete %s: %w", path, fault.Cause(err))
			}
			return s.disk().SyncDir(folder)
		})
	})
}

// Undelete implements [store.Store]. It needs no key.
func (s *Store) Undelete(ctx context.Context, name string, number int) error {
	missing := fmt.Errorf("%q: %w", name, store.ErrNotFound)
	if number != 0 {
		missing = fmt.Errorf("%q version %d: %w", name, number, store.ErrNotFound)
	}
	if ok, err := s.has(ctx, name); err != nil {
		return err
	} else if !ok {
		return missing
	}
	if err := s.openForWriting(); err != nil {
		return err
	}
	return s.locked(ctx, func() error {
		folder := s.folder(name)
		vs, err := versions(folder)
		if err != nil {
			return err
		}
		for i, v := range vs {
			if number != v.n && (number != 0 || i > 0) {
				continue
			}
			switch {
			case v.gone:
				return missing
			case !v.deleted:
				return nil
			}
			path := filepath.Join(folder, v.file())
			return s.noted(path, change{op: opBack, folder: folderName(name), version: v.n}, func() error {
				s.step()
				if err := os.Remove(filepath.Join(folder, v.mark())); err != nil {
					return fmt.Errorf("undelete %s: %w", path, fault.Cause(err))
				}
				return s.disk().SyncDir(folder)
			})
		}
		return missing
	})
}

// Destroy implements [store.Store]. It needs no key. What is not there is
// destroyed already. The files are removed, not overwritten: what a disk or a
// backup still has of them is encrypted.
func (s *Store) Destroy(ctx context.Context, name string) error {
	if ok, err := s.has(ctx, name); err != nil || !ok {
		return err
	}
	if err := s.openForWriting(); err != nil {
		return err
	}
	destroy := func() error {
		folder := s.folder(name)
		// One rename takes all versions away at once. The temporary folder
		// gives its new place a name that nothing else has.
		s.step()
		away, err := os.MkdirTemp(s.temp(), destroyedPrefix+"*")
		if err == nil {
			s.step()
			err = os.Rename(folder, filepath.Join(away, "secret"))
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another process was faster
		}
		if err != nil {
			return fmt.Errorf("destroy %s: %w", folder, fault.Cause(err))
		}
		if err := s.disk().SyncDir(s.secrets()); err != nil {
			return err
		}
		s.step()
		return os.RemoveAll(away)
	}
	return s.locked(ctx, func() error {
		return s.noted(s.folder(name), change{op: opDestroy, folder: folderName(name)}, destroy)
	})
}

// has reports whether there is a folder for name, so that asking for what is
// not there makes no folders.
func (s *Store) has(ctx context.Context, name string) (bool, error) {
	if err := s.begin(ctx); err != nil {
		return false, err
	}
	if err := secret.ValidName(name); err != nil {
		return false, err
	}
	_, err := os.Stat(s.folder(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
