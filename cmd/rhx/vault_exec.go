//go:build novault

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

// openVault goes on as rhx-vault, the same program with the Vault client in
// it. The client's packages cost every start of a program that has them half a
// millisecond, so rhx itself is built without them, as git is without curl.
// Nothing has been done or printed yet when a command opens its store.
func (a *app) openVault(string, string) (store.Store, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		return nil, err
	}
	other := filepath.Join(filepath.Dir(exe), "rhx-vault")
	if _, err := os.Stat(other); errors.Is(err, fs.ErrNotExist) {
		return nil, fault.WithHint(fmt.Errorf("%s, which speaks to Vault, is not there", other), "make install puts it beside rhx")
	}
	a.close()
	a.stopSignals()
	return nil, execute(append([]string{other}, os.Args[1:]...), os.Environ(), a)
}
