//go:build slim

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/store"
)

// rhx as it is installed is built without the Vault client and the wasm
// runtime: their packages cost every start of a program that has them a
// millisecond. rhx-full, beside it, is the same program with them. git does so
// with curl.

// full returns the path of rhx-full.
func full() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(exe), "rhx-full"+filepath.Ext(exe))
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fault.WithHint(fmt.Errorf("%s, which speaks to Vault and runs wasm modules, is not there", path), "make install puts it beside rhx")
	}
	return path, nil
}

// openVault goes on as rhx-full. A command opens its store before it has read
// its input, asked or done anything.
func (a *app) openVault(string, string) (store.Store, error) {
	path, err := full()
	if err != nil {
		return nil, err
	}
	a.close()
	a.stopSignals()
	return nil, execute(append([]string{path}, os.Args[1:]...), os.Environ(), a)
}

// newRunner returns what runs wasm modules: rhx-full, once for each.
func newRunner(cache string, warn func(string)) runner { return child{cache, warn} }

type child struct {
	cache string
	warn  func(string)
}

func (c child) run(ctx context.Context, m abi.Module, req *abi.Request) (*abi.Response, error) {
	path, err := full()
	if err != nil {
		return nil, err
	}
	call, err := json.Marshal(guestCall{c.cache, m, req})
	if err != nil {
		return nil, err
	}
	defer clear(call)
	var out, warnings bytes.Buffer
	cmd := exec.CommandContext(ctx, path, guestArg)
	cmd.Env = []string{} // a guest's process needs nothing of this one's
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(call), &out, &warnings
	err = cmd.Run()
	defer clear(out.Bytes())
	for line := range strings.Lines(warnings.String()) {
		c.warn(strings.TrimRight(line, "\n"))
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", path, err)
	}
	return answer(out.Bytes())
}

func (child) close() {}

// answer reads a guestResult.
func answer(out []byte) (*abi.Response, error) {
	var result guestResult
	if err := json.Unmarshal(out, &result); err != nil {
		return nil, errors.New("rhx-full gave no answer")
	}
	if result.Error != "" {
		return nil, errors.New(result.Error)
	}
	return result.Response, nil
}
