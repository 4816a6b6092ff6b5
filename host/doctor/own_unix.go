//go:build unix

package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// own reports whether a file or folder is this user's, and has no other name.
func own(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Uid == uint32(os.Geteuid()) && (info.IsDir() || s.Nlink == 1)
}

// narrow takes rights to what was looked at away. Somebody may have put something else in
// its place since: what is opened counts, which is never what a link leads to.
func narrow(path string, looked fs.FileInfo, forbidden fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !os.SameFile(info, looked) || !info.Mode().IsRegular() && !info.IsDir() || !own(info):
		err = fmt.Errorf("%s is not what was looked at any more: its mode was not changed", path)
	default:
		err = f.Chmod(info.Mode() &^ forbidden)
	}
	return errors.Join(err, f.Close())
}
