//go:build !unix

package doctor

import (
	"errors"
	"io/fs"
)

// own reports that a file is this user's: a folder of the user's profile is.
func own(fs.FileInfo) bool { return true }

// narrow has nothing to take away: files have no such modes here.
func narrow(string, fs.FileInfo, fs.FileMode) error { return errors.ErrUnsupported }
