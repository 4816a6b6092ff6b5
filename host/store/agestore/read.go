package agestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// tries bounds how often a reader looks again because what it found was
// deleted before it could open it. Each time some other process did finish
// its work, so that a few are plenty.
const tries = 100

// List implements [store.Store]. It reads the beginning of one file for each
// secret and needs no key. If some files cannot be read or are not what their
// place says, it returns the others together with an error of kind
// [fault.Partial] that names them.
//
// The headers that it reads are proven genuine by Get only.
func (s *Store) List(ctx context.Context) ([]store.Info, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	folders, err := s.folders()
	if err != nil {
		return nil, err
	}
	var (
		infos []store.Info
		errs  []error
	)
	for _, folder := range folders {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		i, err := s.newest(folder)
		if err != nil {
			errs = append(errs, err)
		} else if i.Version > 0 {
			infos = append(infos, i)
		}
	}
	slices.SortFunc(infos, func(a, b store.Info) int { return strings.Compare(a.Name, b.Name) })
	return infos, fault.WithKind(errors.Join(errs...), fault.Partial)
}

// newest returns what the newest version in a folder says of itself; the zero
// Info if it is deleted or there is none.
func (s *Store) newest(folder string) (store.Info, error) {
	dir := filepath.Join(s.secrets(), folder)
	for range tries {
		vs, err := versions(dir)
		if err != nil || len(vs) == 0 || vs[0].deleted {
			return store.Info{}, err
		}
		i, err := s.header(folder, vs[0])
		if !errors.Is(err, fs.ErrNotExist) {
			return i, err
		}
	}
	return store.Info{}, busy(dir)
}

// header reads what a file says of itself, and checks that it is in its place.
func (s *Store) header(folder string, v version) (store.Info, error) {
	path := filepath.Join(s.secrets(), folder, v.file())
	i, err := readHeader(path)
	if err != nil {
		return store.Info{}, err
	}
	if secret.ValidName(i.Name) != nil {
		return store.Info{}, fmt.Errorf("%s: the name in its header is none of a secret", path)
	}
	if folderName(i.Name) != folder || i.Version != v.n {
		return store.Info{}, misplaced(path, i)
	}
	i.Deleted = v.deleted
	return i, nil
}

// History implements [store.Store]. Like List it needs no key, and returns
// what it can read along with an error that names the rest.
func (s *Store) History(ctx context.Context, name string) ([]store.Info, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if err := secret.ValidName(name); err != nil {
		return nil, err
	}
again:
	for range tries {
		vs, err := versions(s.folder(name))
		if err != nil {
			return nil, err
		}
		if len(vs) == 0 {
			return nil, fmt.Errorf("%q: %w", name, store.ErrNotFound)
		}
		var (
			infos []store.Info
			errs  []error
		)
		for _, v := range vs {
			if v.gone {
				infos = append(infos, store.Info{Name: name, Version: v.n, Deleted: true, Destroyed: true})
				continue
			}
			i, err := s.header(folderName(name), v)
			if errors.Is(err, fs.ErrNotExist) {
				continue again
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			infos = append(infos, i)
		}
		by := s.authors(folderName(name), vs)
		for i := range infos {
			infos[i].By = by[infos[i].Version]
		}
		return infos, fault.WithKind(errors.Join(errs...), fault.Partial)
	}
	return nil, busy(s.folder(name))
}

// Get implements [store.Store]. It reads one folder, the key and one file.
func (s *Store) Get(ctx context.Context, name string, number int) (*store.Record, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if err := secret.ValidName(name); err != nil {
		return nil, err
	}
	asked := number
	for range tries {
		path, data, number, err := s.read(name, asked)
		if errors.Is(err, store.ErrNotFound) {
			s.sayGone(name, asked)
		}
		if err != nil {
			return nil, err
		}
		rec, k, err := s.decrypt(path, data, name, number)
		if err != nil {
			return nil, err
		}
		if err := s.say(k, name, asked, s.rereading(name, asked, number, data)); !errors.Is(err, errOther) {
			if err != nil {
				rec = nil
			}
			return rec, err
		}
	}
	return nil, busy(s.folder(name))
}

// decrypt returns what the file of a version holds, and the key that opens it.
func (s *Store) decrypt(path string, data []byte, name string, number int) (*store.Record, *key, error) {
	k, err := s.unlocked()
	if err != nil {
		return nil, nil, err
	}
	info, sec, err := s.decode(k, data)
	if mismatch := new(age.NoIdentityMatchError); errors.As(err, &mismatch) {
		if err := s.notForMe(k, name); err != nil {
			return nil, nil, err
		}
		return nil, nil, s.wrongKey(path, k)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if info.Name != name || info.Version != number {
		return nil, nil, misplaced(path, info)
	}
	return &store.Record{Info: info, Secret: *sec}, k, nil
}

// notForMe is the error for a secret of a shared store that is not shared with the user; nil
// where it is another reason that the key does not open it.
func (s *Store) notForMe(k *key, name string) error {
	members, _ := s.shared() // what is wrong with the list, readers are told
	if members == nil {
		return nil
	}
	me, _, err := members.own(k)
	if err != nil || me != nil && me.reads(folderName(name)) {
		return err
	}
	return fault.WithHint(fmt.Errorf("%q: %w", name, notShared(members)), askOwner(members))
}

// decode is decodeFile with the key, or with one from before a rekey: another machine may
// have saved something to that meanwhile.
func (s *Store) decode(k *key, data []byte) (store.Info, *secret.Secret, error) {
	info, sec, err := decodeFile(data, k.ids)
	if mismatch := new(age.NoIdentityMatchError); errors.As(err, &mismatch) {
		old, _ := s.retired(k) // an error there is not that of this file
		for _, o := range old {
			if info, sec, err := decodeFile(data, o.ids); err == nil {
				return info, sec, nil
			}
		}
	}
	return info, sec, err
}

// read returns the file of a version, 0 for the newest, and its number.
func (s *Store) read(name string, number int) (path string, data []byte, n int, err error) {
	folder := s.folder(name)
	for range tries {
		n = number
		if number == 0 {
			vs, err := versions(folder)
			if err != nil {
				return "", nil, 0, err
			}
			if len(vs) == 0 || vs[0].deleted {
				return "", nil, 0, fmt.Errorf("%q: %w", name, store.ErrNotFound)
			}
			n = vs[0].n
		}
		v := version{n: n}
		path = filepath.Join(folder, v.file())
		data, err := ownfile.ReadNoLink(path, maxFile)
		if err == nil && number != 0 {
			_, marked := os.Lstat(filepath.Join(folder, v.mark()))
			if marked == nil {
				err = fs.ErrNotExist
			} else if !errors.Is(marked, fs.ErrNotExist) {
				err = marked
			}
		}
		if err == nil {
			return path, data, n, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, 0, err
		}
		if number != 0 {
			return "", nil, 0, fmt.Errorf("%q version %d: %w", name, number, store.ErrNotFound)
		}
	}
	return "", nil, 0, busy(folder)
}

func busy(path string) error {
	return fmt.Errorf("%s changes faster than it can be read: %w", path, store.ErrUnavailable)
}

func misplaced(path string, i store.Info) error {
	return fault.WithHint(
		fmt.Errorf("%s is version %d of %q: it was moved or altered", path, i.Version, i.Name),
		"Put the file back from a backup, or remove it if you know why it is there.")
}
