package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/gofrs/flock"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/store"
)

// withFiles runs a command beside files that are gone when it ends. rhx stays, as
// the command's parent, to remove them; where it is killed, the next one does.
func (c *runCmd) withFiles(ctx context.Context, a *app, h *host.Host, argv, environ []string, recs []*store.Record, m *mask.Masker) error {
	dir, release, err := privateFolder(a.Getenv)
	if err != nil {
		return err
	}
	defer release()
	files, vars, err := h.PrivateFiles(ctx, recs, filepath.ToSlash(dir))
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(f.Path, f.Data, f.Mode&0o700); err != nil {
			return err
		}
	}
	for _, v := range vars {
		environ = append(environ, v.Name+"="+v.Value) // of two of a name, exec.Cmd takes the last
	}
	return a.supervise(argv, environ, m)
}

// supervise runs a command as a child, with this process's streams, and returns
// its end as the exit status: 128 and the number of the signal that ended it. m
// masks what it writes; nil masks nothing.
func (a *app) supervise(argv, environ []string, m *mask.Masker) error {
	if m != nil {
		return a.superviseMasked(argv, environ, m)
	}
	path, err := found(argv[0])
	if err != nil {
		return notRun(a, argv[0], err)
	}
	return a.runChild(&exec.Cmd{Path: path, Args: argv, Env: environ, Stdin: a.In, Stdout: a.Out, Stderr: a.Err}, argv[0])
}

func found(name string) (string, error) {
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrDot) {
		err = nil
	}
	return path, err
}

// runChild runs a command of a name and outlives the signals that are for it.
func (a *app) runChild(cmd *exec.Cmd, name string) error {
	// Before the command starts, so that none that comes then ends rhx alone.
	pass, stop := holdSignals(a.stopSignals)
	defer stop()
	if err := cmd.Start(); err != nil {
		return notRun(a, name, err)
	}
	go pass(cmd.Process)
	err := cmd.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) && cmd.ProcessState == nil {
		return err
	}
	return exitCode(statusOf(cmd.ProcessState))
}

// notRun reports a command that was not started. Like env(1) rhx gives 127 for one
// that is not there and 126 for one that cannot be run.
func notRun(a *app, name string, err error) error {
	code := 127
	if errors.Is(err, fs.ErrPermission) {
		code = 126
	}
	var ee *exec.Error
	if errors.As(err, &ee) {
		err = ee.Err
	}
	a.fail(fmt.Errorf("run %s: %w", name, err))
	return exitCode(code)
}

const privatePrefix = "rhx-run-"

// privateFolder makes a folder that only the user can read, in memory where the
// system has a place for it, and removes those that a killed rhx has left.
func privateFolder(getenv func(string) string) (dir string, release func(), err error) {
	base := memoryFolder(getenv)
	sweepPrivate(base)
	dir, err = os.MkdirTemp(base, privatePrefix+strconv.Itoa(os.Getuid())+"-*") // mode 0700
	if err != nil {
		return "", nil, fmt.Errorf("make a folder for the files of the command: %w", err)
	}
	// Whoever can take the lock knows that this process is gone.
	lock := flock.New(filepath.Join(dir, ".lock"), flock.SetPermissions(0o600))
	if _, err := lock.TryLock(); err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return dir, func() { _ = os.RemoveAll(dir); _ = lock.Unlock() }, nil
}

// memoryFolder is where files are that never reach a disk: XDG_RUNTIME_DIR or
// /dev/shm. Without one of them it is the folder for temporary files.
func memoryFolder(getenv func(string) string) string {
	for _, dir := range []string{getenv("XDG_RUNTIME_DIR"), "/dev/shm"} {
		if filepath.IsAbs(dir) && writable(dir) {
			return dir
		}
	}
	return os.TempDir()
}

func writable(dir string) bool {
	test, err := os.MkdirTemp(dir, privatePrefix+"test-*")
	if err != nil {
		return false
	}
	return os.Remove(test) == nil
}

// sweepPrivate removes the user's folders whose rhx is gone.
func sweepPrivate(base string) {
	left, _ := filepath.Glob(filepath.Join(base, privatePrefix+strconv.Itoa(os.Getuid())+"-*"))
	for _, dir := range left {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || !ownFolder(info) {
			continue // anybody can make a folder of that name in /dev/shm
		}
		lock := flock.New(filepath.Join(dir, ".lock"), flock.SetPermissions(0o600))
		if ok, err := lock.TryLock(); err == nil && ok {
			_ = os.RemoveAll(dir)
			_ = lock.Unlock()
		}
	}
}
