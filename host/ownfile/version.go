package ownfile

import (
	"fmt"

	"github.com/rhx-dev/rhx/host/fault"
)

// CheckVersion returns an error where a file is of a version that this rhx does not
// know. Files of before there were versions have 0.
func CheckVersion(path string, version, newest int) error {
	if version >= 0 && version <= newest {
		return nil
	}
	return fault.WithHint(
		fmt.Errorf("read %s: it is of version %d, and this rhx reads version %d at most", path, version, newest),
		"a newer rhx wrote it: use that one, or a newer one")
}
