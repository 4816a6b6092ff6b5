package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

// maxLinks is how many symbolic links a path may lead through, as in Linux.
const maxLinks = 40

// Temporary files are named .rhx-PID-RANDOM.tmp, here and over SSH, so that a
// later write can tell one that a crash left from one in use.
const tempPrefix, tempSuffix = ".rhx-", ".tmp"

var errNotFolder = errors.New("a part of the path is not a folder")

type local struct {
	home   string
	getenv func(string) string
}

// Local returns this machine, with the home folder and the environment that
// the caller gives, usually os.Getenv. As root, a new file or folder inside
// home gets the owner of home; an existing file always keeps its own.
func Local(home string, getenv func(string) string) Machine {
	return &local{home: filepath.Clean(home), getenv: getenv}
}

func (l *local) Name() string { return "local" }

func (l *local) Close() error { return nil }

func (l *local) Info(ctx context.Context, names []string) (Info, error) {
	info := Info{Home: l.home, OS: runtime.GOOS, Env: make(map[string]string)}
	for _, name := range names {
		v := l.getenv(name)
		if name == WorkVar {
			// What the kernel says, and not what a parent left in the variable.
			if dir, err := os.Getwd(); err == nil {
				v = dir
			}
		}
		if v != "" {
			info.Env[name] = v
		}
	}
	return info, ctx.Err()
}

func (l *local) Read(ctx context.Context, paths []string) ([]File, error) {
	files := make([]File, 0, len(paths))
	seen := newListings(l.home, paths)
	for _, p := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		dir, name := filepath.Split(p)
		if seen.absent(p) {
			if !IsPattern(name) {
				files = append(files, absentFile(p))
			}
			continue
		}
		if !IsPattern(name) {
			files = append(files, readFile(p))
			continue
		}
		names, err := match(dir, name)
		if err != nil {
			files = append(files, File{Path: p, Err: &fs.PathError{Op: "read", Path: p, Err: err}})
			continue
		}
		for _, name := range names {
			f := readFile(dir + name)
			if f.Err == nil || !errors.Is(f.Err, fs.ErrNotExist) && !errors.Is(f.Err, ErrNotRegular) {
				files = append(files, f)
			}
		}
	}
	return files, nil
}

// absentFile is what Read returns for a path at which there is nothing.
func absentFile(p string) File {
	f := File{Path: p}
	err := validPath(p)
	if err == nil {
		err = fs.ErrNotExist
	}
	f.Err = &fs.PathError{Op: "read", Path: p, Err: err}
	return f
}

// match returns the sorted names in dir that match pattern.
func match(dir, pattern string) ([]string, error) {
	if err := validPattern(pattern); err != nil {
		return nil, err
	}
	if err := validPath(dir + pattern); err != nil {
		return nil, err
	}
	d, err := os.Open(dir)
	if err != nil {
		if missing(err) {
			return nil, nil
		}
		return nil, fault.Cause(err)
	}
	defer d.Close()
	all, err := d.Readdirnames(-1)
	if err != nil {
		if errors.Is(err, syscall.ENOTDIR) {
			return nil, nil
		}
		return nil, fault.Cause(err)
	}
	names := slices.DeleteFunc(all, func(name string) bool { return !matchName(pattern, name) })
	slices.Sort(names)
	return names, nil
}

func readFile(p string) File {
	f := File{Path: p}
	var err error
	if err = validPath(p); err == nil {
		f.Data, f.Mode, err = readRegular(p)
	}
	if err != nil {
		f.Err = &fs.PathError{Op: "read", Path: p, Err: err}
	}
	return f
}

// readRegular reads a regular file of at most MaxFile bytes.
func readRegular(p string) ([]byte, fs.FileMode, error) {
	// Opening a pipe or a device can block or have effects, so look before; and
	// look again afterwards, because what the name means may have changed.
	info, err := os.Stat(p)
	if err != nil {
		if missing(err) {
			err = fs.ErrNotExist
		}
		return nil, 0, fault.Cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, ErrNotRegular
	}
	f, err := os.OpenFile(p, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, 0, fault.Cause(err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, 0, fault.Cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, ErrNotRegular
	}
	if info.Size() > MaxFile {
		return nil, 0, ErrTooLarge
	}
	b := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if _, err := b.ReadFrom(io.LimitReader(f, MaxFile+1)); err != nil {
		return nil, 0, fault.Cause(err)
	}
	if b.Len() > MaxFile {
		return nil, 0, ErrTooLarge
	}
	return b.Bytes(), info.Mode().Perm(), nil
}

func (l *local) Write(ctx context.Context, changes []Change) ([]error, error) {
	errs := make([]error, len(changes))
	for i, c := range changes {
		if err := ctx.Err(); err != nil {
			for ; i < len(changes); i++ {
				errs[i] = err
			}
			return errs, err
		}
		if err := l.change(ctx, c); err != nil {
			errs[i] = changeError(c, err)
		}
	}
	return errs, nil
}

// changeError says what could not be done, and to which file.
func changeError(c Change, err error) error {
	op := "write"
	if c.Remove {
		op = "remove"
	}
	return &fs.PathError{Op: op, Path: c.Path, Err: err}
}

func (l *local) change(ctx context.Context, c Change) error {
	if err := validChange(c); err != nil {
		return err
	}
	target, err := follow(c.Path)
	if err != nil {
		return err
	}
	// A process that cleans up can take a temporary file for a dead one's when
	// it cannot see this process (a shared folder, another machine): once more.
	for try := 0; ; try++ {
		old, err := current(target, c)
		switch {
		case err != nil:
			return err
		case c.Remove && old == nil:
			return nil
		case c.Remove:
			return remove(ctx, target, c)
		}
		err = l.replace(ctx, target, old, c)
		if err == nil || try == 3 || !errors.Is(err, errTempGone) {
			return err
		}
	}
}

var errTempGone = errors.New("the temporary file was removed by another program")

// remove removes target, if it still is as the change expects.
func remove(ctx context.Context, target string, c Change) error {
	unlock, err := lock(ctx, target)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := current(target, c); err != nil {
		return err
	}
	if err := os.Remove(target); err != nil && !missing(err) {
		return fault.Cause(err)
	}
	return syncFolder(parent(target))
}

// replace puts a file with the new content into the place of target.
func (l *local) replace(ctx context.Context, target string, old fs.FileInfo, c Change) (err error) {
	dir := parent(target)
	if err := l.mkdirs(dir); err != nil {
		return err
	}
	sweep(dir)
	f, err := createTemp(dir)
	if err != nil {
		return fmt.Errorf("create a file in %s: %w", dir, fault.Cause(err))
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	mode := c.Mode.Perm()
	if mode == 0 {
		mode = 0o600
	}
	if old != nil {
		mode &= old.Mode().Perm()
	}
	if mode, err = l.own(f, target, old, mode); err != nil {
		return fmt.Errorf("keep the owner: %w", fault.Cause(err))
	}
	if _, err := f.Write(c.Data); err != nil {
		return fault.Cause(err)
	}
	if err := setMode(f, mode); err != nil {
		return fault.Cause(err)
	}
	if err := f.Sync(); err != nil {
		return fault.Cause(err)
	}
	if err := f.Close(); err != nil {
		return fault.Cause(err)
	}
	if err := swap(ctx, f.Name(), target, old, c); err != nil {
		if _, gone := os.Lstat(f.Name()); errors.Is(gone, fs.ErrNotExist) && !errors.Is(err, ErrChanged) {
			return errTempGone
		}
		return fault.Cause(err)
	}
	return syncFolder(dir)
}

// swap puts the file temp into the place of target, if that still is as the change
// expects. Of several processes that do so at once, one succeeds, and the others
// see its file: none is lost.
func swap(ctx context.Context, temp, target string, old fs.FileInfo, c Change) error {
	if old == nil {
		if _, err := current(target, c); err != nil {
			return err
		}
		return placeNew(temp, target)
	}
	unlock, err := lock(ctx, target)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := current(target, c); err != nil {
		return err
	}
	return os.Rename(temp, target)
}

// lockWithin is how long a file may be locked by another process. rhx itself holds
// the lock for less than it takes to read the file.
const lockWithin = 10 * time.Second

// current returns the file at target, nil where there is none, or an error
// that matches ErrChanged when it is not what the change expects.
func current(target string, c Change) (fs.FileInfo, error) {
	info, err := os.Lstat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist), c.Remove && missing(err):
		if c.Old != nil && !c.Remove {
			return nil, ErrChanged
		}
		return nil, nil
	case missing(err):
		return nil, errNotFolder
	case err != nil:
		return nil, fault.Cause(err)
	case !info.Mode().IsRegular():
		return nil, ErrNotRegular
	case c.Old == nil || info.Size() != int64(len(c.Old)):
		return nil, ErrChanged
	}
	data, _, err := readRegular(target)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrTooLarge):
		return nil, ErrChanged
	case err != nil:
		return nil, err
	case !bytes.Equal(data, c.Old):
		return nil, ErrChanged
	}
	return info, nil
}

// follow returns the path that the symbolic links at p lead to. It need not exist.
func follow(p string) (string, error) {
	for range maxLinks {
		info, err := os.Lstat(p)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return p, nil //nolint:nilerr // it need not exist; who opens it says why not
		}
		to, err := os.Readlink(p)
		if err != nil {
			return "", fault.Cause(err)
		}
		if !filepath.IsAbs(to) {
			// Not filepath.Join: it would resolve ".." before the kernel sees links.
			dir, _ := filepath.Split(p)
			to = dir + to
		}
		p = to
	}
	return "", errors.New("too many levels of symbolic links")
}

// Resolve returns the path without symbolic links that p stands for. What is not
// there yet has the path that it would get.
func (l *local) Resolve(p string) (string, error) {
	for range maxLinks {
		real, err := filepath.EvalSymlinks(p)
		if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return real, err
		}
		to, err := follow(p)
		if err != nil {
			return "", err
		}
		if to == p {
			// No link itself: its folder may be below one.
			dir, base := filepath.Split(filepath.Clean(p))
			if dir = filepath.Clean(dir); dir == filepath.Clean(p) {
				return p, nil
			}
			real, err := l.Resolve(dir)
			return filepath.Join(real, base), err
		}
		p = to
	}
	return "", errors.New("too many levels of symbolic links")
}

// mkdirs makes dir and its parents, where missing.
func (l *local) mkdirs(dir string) error {
	var todo []string
	for d := dir; ; d = parent(d) {
		info, err := os.Stat(d)
		if err == nil && !info.IsDir() {
			return errNotFolder
		}
		if err == nil || d == parent(d) {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("folder %s: %w", d, fault.Cause(err))
		}
		todo = append(todo, d)
	}
	for _, d := range slices.Backward(todo) {
		err := os.Mkdir(d, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = l.ownFolder(d)
		}
		if err == nil {
			err = syncFolder(parent(d))
		}
		if err != nil {
			return fmt.Errorf("create folder %s: %w", d, fault.Cause(err))
		}
	}
	return nil
}

// inHome reports whether p is inside the home folder, by its name.
func (l *local) inHome(p string) bool {
	return strings.HasPrefix(filepath.Clean(p), l.home+string(filepath.Separator))
}

// createTemp creates a file that only this user can read, under a name that is new.
func createTemp(dir string) (*os.File, error) {
	for {
		name := tempPrefix + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatUint(rand.Uint64(), 36) + tempSuffix
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// sweep removes temporary files of processes that are no more. It does what it
// can: a file that cannot be removed now is the next sweep's.
func sweep(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		if pid, ok := tempPID(name); ok && !alive(pid) {
			os.Remove(filepath.Join(dir, name))
		}
	}
}

// tempPID returns the process that a temporary file's name says it belongs to.
func tempPID(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, tempPrefix)
	if !ok {
		return 0, false
	}
	if rest, ok = strings.CutSuffix(rest, tempSuffix); !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, "-")
	if !ok {
		return 0, false
	}
	pid, err := strconv.Atoi(digits)
	return pid, err == nil && pid > 0
}

// parent is filepath.Dir without its cleaning, which would resolve ".." before
// the kernel sees the symbolic links.
func parent(p string) string {
	dir, _ := filepath.Split(p)
	trimmed := strings.TrimRight(dir, string(filepath.Separator))
	if len(trimmed) <= len(filepath.VolumeName(dir)) {
		return dir
	}
	return trimmed
}

// validPath refuses what no machine can have as the path of a file.
func validPath(p string) error {
	switch {
	case !filepath.IsAbs(p):
		return errors.New("the path is not absolute")
	case strings.ContainsRune(p, 0):
		return errors.New("the path has a zero byte")
	case os.IsPathSeparator(p[len(p)-1]):
		return ErrNotRegular
	}
	return nil
}

// validChange refuses changes that no machine can make.
func validChange(c Change) error {
	if len(c.Data) > MaxFile || len(c.Old) > MaxFile {
		return ErrTooLarge
	}
	return validPath(c.Path)
}

// missing reports whether err says that there is no such file, also where a
// part of its path is a file.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
