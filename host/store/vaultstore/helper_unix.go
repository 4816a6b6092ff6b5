//go:build unix

package vaultstore

import (
	"fmt"
	"os"
	"syscall"

	"github.com/rhx-dev/rhx/host/fault"
)

// ownProgram returns an error if somebody else than this user and root can have
// written a file that says what is run.
func ownProgram(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fault.WithHint(fmt.Errorf("%s can be written by others, who would choose what is run", path), "chmod go-w it, or set VAULT_TOKEN")
	}
	return nil
}
