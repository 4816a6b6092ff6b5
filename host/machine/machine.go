// Package machine offers the same few operations on the home folder of this
// machine and of one reached over SSH, so that what works on one works on the
// other with the same code.
//
// Operations take many files at once: over SSH each is one round trip. A
// machine knows no formats and no secrets; it moves bytes.
package machine

import (
	"context"
	"errors"
	"io/fs"
	"strings"
)

// MaxFile is the largest file, in bytes, that Read returns.
const MaxFile = 4 << 20

// ErrTooLarge is a file's Err when it is larger than MaxFile.
var ErrTooLarge = errors.New("file is larger than 4 MiB")

// ErrNotRegular is a file's Err when it is a folder, a device, a pipe or a socket.
var ErrNotRegular = errors.New("not a regular file")

// ErrChanged is a change's error when the file is no longer what Change.Old says.
var ErrChanged = errors.New("the file was changed by another program meanwhile")

// WorkVar is the variable that says which folder paths count from. On this machine
// Info gives the working folder that the kernel knows.
const WorkVar = "PWD"

// Machine is a home folder and an environment. Its methods may be called from
// several goroutines.
type Machine interface {
	// Name is "local", or the host as the user named it.
	Name() string
	// Info returns the home folder, the operating system and, of the variables
	// names, those that are set and not empty.
	Info(ctx context.Context, names []string) (Info, error)
	// Read returns the files at paths, in order. A path whose last element has a
	// wildcard (as in path.Match; see Quote) gives every regular file that matches,
	// sorted, not counting names that begin with a dot unless the pattern does;
	// another path gives one File, with an Err that matches fs.ErrNotExist where
	// there is none. The error is for the whole operation, such as a lost connection.
	Read(ctx context.Context, paths []string) ([]File, error)
	// Write makes the changes, each by itself atomic and durable: a crash or a
	// lost connection leaves each file old or new. It returns one error or nil
	// per change, in order, always as many as there are changes; the second error
	// is for the whole operation, and then also stands for the changes whose
	// outcome is not known. Missing folders are made with mode 0700.
	Write(ctx context.Context, changes []Change) ([]error, error)
	// Close ends the connection, if there is one.
	Close() error
}

// Looker is a machine that can say at little cost what is not there. set reports
// whether a variable is set; there reports whether a file may exist, "~/" being the
// home folder: of what is not among paths it may say so although there is none.
type Looker interface {
	Look(paths []string) (set, there func(string) bool)
}

// Info is what a machine says of itself.
type Info struct {
	// Home is the absolute path of the home folder, without a last slash.
	Home string
	// OS is as in runtime.GOOS: linux, darwin, windows, ….
	OS string
	// Env holds the variables that were asked for and are set and not empty.
	Env map[string]string
}

// Short returns an absolute path with "~/" for the home folder.
func (i Info) Short(p string) string {
	if rest, ok := strings.CutPrefix(p, i.Home+"/"); ok {
		return "~/" + rest
	}
	return p
}

// File is one file as it was read.
type File struct {
	// Path is absolute; for a pattern, the file that matched.
	Path string
	// Data is not nil where Err is nil, not even for an empty file, so that it
	// can serve as Change.Old.
	Data []byte
	// Mode holds the permission bits.
	Mode fs.FileMode
	// Err says why there is no Data: it matches fs.ErrNotExist or
	// fs.ErrPermission, or is ErrTooLarge, ErrNotRegular or another error.
	Err error
}

// Change is what Write does to one file.
type Change struct {
	// Path is absolute. A symbolic link is followed: its target changes.
	Path string
	// Data is the new content, at most MaxFile bytes; ignored where Remove is set.
	Data []byte
	// Remove deletes the file itself (of a symbolic link, its target; the link
	// stays); one that is not there is no error.
	Remove bool
	// Old is the content the file must still have, nil where it must not exist.
	// Otherwise nothing is done and the error matches ErrChanged.
	Old []byte
	// Mode is for a new file; 0 means 0600. An existing file keeps the bits of
	// its own mode that are also in Mode, so it never becomes more open.
	Mode fs.FileMode
}
