package confine

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// Hides reports that this process is itself in a confined command, which does not see what
// is in a folder. The folder may have to be made yet: then it is the one above that counts.
func Hides(dir string) bool {
	if n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || n == 0 {
		return false
	}
	for {
		f, err := os.Open(dir)
		switch {
		case err == nil:
			defer f.Close()
			var st unix.Statfs_t
			return unix.Fstatfs(int(f.Fd()), &st) == nil && st.Type == unix.TMPFS_MAGIC && st.Files == hiddenInodes && st.Flags&unix.ST_RDONLY != 0
		case errors.Is(err, unix.EACCES):
			// By Landlock, where the modes of the folder allow it.
			return unix.Faccessat(unix.AT_FDCWD, dir, unix.R_OK|unix.X_OK, unix.AT_EACCESS) == nil
		case !errors.Is(err, fs.ErrNotExist) || dir == path.Dir(dir):
			return false
		}
		dir = path.Dir(dir)
	}
}
