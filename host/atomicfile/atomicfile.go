// Package atomicfile writes the files that rhx keeps for itself: each is replaced
// whole or not at all, and is on the disk when the function returns. (Files of the
// user's go through package machine, which also looks whether they are still as
// they were read.)
package atomicfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

// Prefix begins the names of files that are being written. A process that is
// killed leaves them behind; see Sweep.
const Prefix = ".new-"

// Options say how a file is written. The zero Options are those of Write.
type Options struct {
	// Temp is the folder in which the new file is made, on the same file system as
	// the old one; "" is the folder of the old one.
	Temp string
	// Step is called before every change on the disk, for tests that end the
	// process there; it may be nil.
	Step func()
}

// Write replaces the file at path, in a folder that must be there. A crash leaves
// the old file or the new one.
func Write(path string, data []byte, mode fs.FileMode) error {
	return Options{}.Write(path, data, mode)
}

// Write is [Write] with options. Its errors name path, not a temporary file.
func (o Options) Write(path string, data []byte, mode fs.FileMode) error {
	return o.Stream(path, mode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Stream is Write for what is written in parts: where write fails, the old file stays.
func (o Options) Stream(path string, mode fs.FileMode, write func(io.Writer) error) error {
	var own error // of write, which is about something else than the file
	err := o.replace(path, mode, func(w io.Writer) error {
		out := &failing{w: w}
		err := write(out)
		if out.err == nil {
			own = err
		}
		return cmp.Or(out.err, err)
	})
	if own != nil || err == nil {
		return own
	}
	return fmt.Errorf("write %s: %w", path, fault.Cause(err))
}

// failing remembers the error of a writer.
type failing struct {
	w   io.Writer
	err error
}

func (f *failing) Write(p []byte) (n int, err error) {
	n, err = f.w.Write(p)
	f.err = cmp.Or(f.err, err)
	return n, err
}

func (o Options) replace(path string, mode fs.FileMode, write func(io.Writer) error) error {
	temp := o.Temp
	if temp == "" {
		temp = filepath.Dir(path)
	}
	o.step()
	f, err := os.CreateTemp(temp, Prefix+"*") // mode 0600
	if err != nil {
		return err
	}
	o.step()
	err = write(f)
	if err == nil && mode != 0o600 {
		err = f.Chmod(mode)
	}
	if err == nil {
		o.step()
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		o.step()
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return o.SyncDir(filepath.Dir(path))
}

// MkdirAll makes a folder for the user alone, and those above it that are not
// there. When it returns, they are on the disk.
func MkdirAll(dir string) error { return Options{}.MkdirAll(dir) }

// MkdirAll is [MkdirAll] with options.
func (o Options) MkdirAll(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	up := filepath.Dir(dir)
	if up != dir {
		if err := o.MkdirAll(up); err != nil {
			return err
		}
	}
	o.step()
	// Another process may be making it at this moment.
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return o.SyncDir(up)
}

// SyncDir has the names in a folder survive a power failure. Windows has no such
// call for folders; NTFS keeps a journal of its own.
func (o Options) SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	o.step()
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !notForFolders(err) {
		return err
	}
	return nil
}

// leftAfter is the age from which a file that is being written is one that a
// process left behind. Writing one takes milliseconds.
const leftAfter = time.Hour

// Sweep removes from a folder what processes that were killed while they wrote
// there have left. What is younger than an hour may still be in use.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), Prefix) {
			continue
		}
		info, statErr := e.Info()
		if errors.Is(statErr, fs.ErrNotExist) {
			continue // it was no left-over
		}
		if statErr == nil && time.Since(info.ModTime()) > leftAfter {
			statErr = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
		err = errors.Join(err, statErr)
	}
	return err
}

func (o Options) step() {
	if o.Step != nil {
		o.Step()
	}
}
