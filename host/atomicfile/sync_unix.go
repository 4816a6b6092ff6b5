//go:build unix

package atomicfile

import (
	"errors"
	"syscall"
)

// notForFolders reports that a file system cannot sync folders: some of those
// over a network say so with EINVAL.
func notForFolders(err error) bool { return errors.Is(err, syscall.EINVAL) }
