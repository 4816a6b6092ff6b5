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
	"strconv"
	"strings"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
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
	if err := ownfile.NoLink(filepath.Dir(folder)); err != nil {
		return nil, err
	}
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

// isPlain reports whether something is of a kind, a folder or 0 for a file, or is not there.
// What is else, such as a link or a pipe, somebody else has made.
func isPlain(path string, kind fs.FileMode) bool {
	info, err := os.Lstat(path)
	return err != nil || info.Mode().Type() == kind
}

// notAFolder is the error for what is in the place of a folder of the store.
func notAFolder(path string) error {
	return fault.WithHint(fmt.Errorf("%s is not a folder", path), "Somebody else has put it there: remove it, and get the folder back from another machine (git) or a backup.")
}

// errForeign is the kind of error for what is in the place of a version and can be none.
var errForeign = errors.New("no file of rhx")

// readVersion reads the file of a version. What somebody else has put in its place, such as a
// pipe or a file that is larger than any, matches errForeign.
func readVersion(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, fault.Mark(ownfile.NoLink(path), errForeign)
	case !info.Mode().IsRegular():
		return nil, fault.Mark(fmt.Errorf("%s is not a plain file: somebody else has put it there, and it is to be removed", path), errForeign)
	case info.Size() > maxFile:
		return nil, fault.Mark(fmt.Errorf("%s is larger than any version: somebody else has put it there, and it is to be removed", path), errForeign)
	}
	return ownfile.ReadNoLink(path, maxFile)
}

// dirNames returns the names in a folder, in no order; none if it is not there. A link to
// one, which somebody else has made, is an error.
func dirNames(dir string) ([]string, error) {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		if err := ownfile.NoLink(dir); err != nil {
			return nil, err
		}
	case !info.IsDir(): // a pipe would be waited for
		return nil, notAFolder(dir)
	}
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
	if err := ownfile.NoLink(s.secrets()); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(s.secrets()); err == nil && !info.IsDir() {
		return nil, notAFolder(s.secrets())
	}
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

// disk writes files of the store by way of its temporary folder, which whoever
// writes next clears.
func (s *Store) disk() atomicfile.Options {
	return atomicfile.Options{Temp: s.temp(), Step: s.onStep}
}

// locked runs work while no other process and no other goroutine writes. It
// makes the folders of the store, and clears up what a process that died left.
func (s *Store) locked(ctx context.Context, work func() error) (err error) {
	// The store's own folder may be a link of the user's, to one that is synchronised.
	for _, path := range []string{s.secrets(), s.temp(), s.recordDir(), s.lockPath()} {
		if err := ownfile.NoLink(path); err != nil {
			return err
		}
	}
	for _, dir := range []string{s.secrets(), s.temp(), s.recordDir()} {
		if !isPlain(dir, fs.ModeDir) {
			return notAFolder(dir)
		}
	}
	for _, dir := range []string{s.opt.Dir, s.root(), s.secrets(), s.temp()} {
		if err := s.disk().MkdirAll(dir); err != nil {
			return err
		}
	}
	// The lock ends with the process that holds it, however that ends, and is
	// held for milliseconds; nobody is asked for anything meanwhile.
	unlock, err := ownfile.Lock(ctx, s.lockPath())
	if err != nil {
		return err
	}
	defer func() {
		if e := unlock(); err == nil {
			err = e
		}
	}()
	if err := s.sweep(); err != nil {
		return err
	}
	return work()
}

// sweep removes what processes that died have left in the temporary folder, and nothing
// else, wherever links in the store lead.
func (s *Store) sweep() error {
	left, err := dirNames(s.temp())
	if err != nil || len(left) == 0 {
		return err
	}
	root, err := os.OpenRoot(s.root())
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range left {
		if strings.HasPrefix(name, atomicfile.Prefix) || strings.HasPrefix(name, destroyedPrefix) {
			s.step()
			_ = root.RemoveAll(filepath.Join(filepath.Base(s.temp()), name))
		}
	}
	return nil
}

// destroyedPrefix begins the names of folders of secrets that are being destroyed.
const destroyedPrefix = "destroyed-"
