package agestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/rhx-dev/rhx/host/fault"
)

// version is one version in the folder of a secret: the file "3.age", and
// beside it an empty "3.deleted" if it is deleted. A mark, rather than another
// name, since a reader that lists the folder at that moment could see neither
// name and take the version before for the newest.
type version struct {
	n       int
	deleted bool
	// gone: the mark is there and the file is not, by somebody's hand.
	gone bool
}

func (v version) file() string { return strconv.Itoa(v.n) + ".age" }
func (v version) mark() string { return strconv.Itoa(v.n) + ".deleted" }

// versions returns what the folder of a secret holds, newest first; nothing if
// there is no such folder. Files that are none of ours are left out.
func versions(folder string) ([]version, error) {
	names, err := dirNames(folder)
	if err != nil {
		return nil, err
	}
	var (
		vs     []version
		marked map[int]bool
	)
	for _, name := range names {
		number, ext, _ := strings.Cut(name, ".")
		n, ok := parseVersion(number)
		switch {
		case ok && ext == "age":
			vs = append(vs, version{n: n})
		case ok && ext == "deleted":
			if marked == nil {
				marked = map[int]bool{}
			}
			marked[n] = true
		}
	}
	for i := range vs {
		vs[i].deleted = marked[vs[i].n]
		delete(marked, vs[i].n)
	}
	for n := range marked {
		vs = append(vs, version{n: n, deleted: true, gone: true})
	}
	slices.SortFunc(vs, func(a, b version) int { return cmp.Compare(b.n, a.n) })
	return vs, nil
}

// dirNames returns the names in a folder, in no order; none if it is not there.
func dirNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // removed while it was open
	}
	return names, err
}

// folders returns the names of the folders of all secrets, in no order.
func (s *Store) folders() ([]string, error) {
	f, err := os.Open(s.secrets())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	var names []string
	for _, e := range entries {
		// File managers leave files such as .DS_Store behind.
		if !e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// makeDir makes a folder for the user alone, if it is not there, and makes sure
// that it is still there after a power failure.
func (s *Store) makeDir(dir string) error {
	s.step()
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.syncDir(filepath.Dir(dir))
}

// writeFile writes a file of mode 0600 so that at any instant it is there as
// it was or as it shall be. tmp is a folder of the same file system. Its error
// names path.
func (s *Store) writeFile(path string, data []byte, tmp, pattern string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, fault.Cause(err))
		}
	}()
	s.step()
	f, err := os.CreateTemp(tmp, pattern)
	if err != nil {
		return err
	}
	s.step()
	_, err = f.Write(data)
	if err == nil {
		s.step()
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		s.step()
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return s.syncDir(filepath.Dir(path))
}

// syncDir makes the names in a folder survive a power failure. Windows has no
// such call for folders; NTFS keeps a journal of its own.
func (s *Store) syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	s.step()
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// locked runs work while no other process and no other goroutine writes. It
// makes the folders of the store, and clears up what a process that died left.
func (s *Store) locked(ctx context.Context, work func() error) (err error) {
	s.step()
	if err := os.MkdirAll(s.opt.Dir, 0o700); err != nil {
		return err
	}
	for _, dir := range []string{s.root(), s.secrets(), s.temp()} {
		if err := s.makeDir(dir); err != nil {
			return err
		}
	}
	lock := flock.New(filepath.Join(s.root(), "lock"))
	// The lock ends with the process that holds it, however that ends, and is
	// held for milliseconds; nobody is asked for anything meanwhile.
	if _, err := lock.TryLockContext(ctx, 2*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("lock %s: %w", lock.Path(), fault.Cause(err))
	}
	defer func() {
		if e := lock.Unlock(); err == nil && e != nil {
			err = fmt.Errorf("unlock %s: %w", lock.Path(), e)
		}
	}()
	left, err := dirNames(s.temp())
	if err != nil {
		return err
	}
	for _, name := range left {
		s.step()
		_ = os.RemoveAll(filepath.Join(s.temp(), name))
	}
	return work()
}
