package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/paths"
)

// hookMark is in a hook that is rhx's.
const hookMark = "# Written by rhx scan --install-hook."

// HookLine is what a hook of others needs.
const HookLine = "rhx scan --staged || exit 1"

const hookText = `#!/bin/sh
` + hookMark + ` To take it out, remove this file.
command -v rhx >/dev/null 2>&1 || {
	echo "rhx is not in PATH: what is staged was not searched for secrets" >&2
	exit 1
}
exec rhx scan --staged
`

// InstallHook has each commit of a repository searched before it is made. It returns the
// hook's path, and whether it was there already. A hook of others stays as it is, and so
// does a folder of hooks that is not this repository's alone.
func (g *Git) InstallHook(ctx context.Context) (path string, already bool, err error) {
	dir, err := g.Output(ctx, "rev-parse", "--path-format=absolute", "--git-path", "hooks")
	if err != nil {
		return "", false, err
	}
	common, err := g.Output(ctx, "rev-parse", "--path-format=absolute", "--git-common-dir")
	if err != nil {
		return "", false, err
	}
	top, err := g.Top(ctx)
	if err != nil {
		return "", false, err
	}
	if top == "" {
		return "", false, errors.New("this is a bare repository: no commit is made in it")
	}
	// One that says itself where its files are could name any folder.
	if elsewhere, err := g.isSet(ctx, "--get", "core.worktree"); err != nil {
		return "", false, err
	} else if elsewhere {
		top = ""
	}
	dir = filepath.FromSlash(dir)
	path = filepath.Join(dir, "pre-commit")
	if !below(dir, filepath.FromSlash(common)) && (top == "" || !below(dir, top)) {
		return "", false, fault.WithHint(fmt.Errorf("the hooks of this repository are in %s, which others may use (core.hooksPath)", dir),
			"to have them all search, put this line into "+path+": "+HookLine)
	}
	if _, err := os.Lstat(path); err == nil {
		if ownHook(path) {
			return path, true, nil
		}
		return "", false, fault.WithHint(fmt.Errorf("%s is there already, and is not rhx's", path), "put this line into it: "+HookLine)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", false, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", false, err
	}
	// Whole or not at all: git takes an empty one for a hook that has found nothing.
	return path, false, atomicfile.Write(path, []byte(hookText), 0o755)
}

// ownHook reports that rhx wrote a hook. What is no file is not read: it may have no end.
func ownHook(path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false
	}
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	return err == nil && strings.Contains(string(text), hookMark)
}

// below reports whether a folder is another one or in it, symbolic links followed.
func below(dir, other string) bool {
	resolve := func(p string) string {
		for rest := ""; ; {
			if real, err := filepath.EvalSymlinks(p); err == nil {
				return filepath.Join(real, rest)
			}
			if filepath.Dir(p) == p {
				return filepath.Join(p, rest)
			}
			p, rest = filepath.Dir(p), filepath.Join(filepath.Base(p), rest)
		}
	}
	_, is := paths.Below(resolve(other), resolve(dir))
	return is
}
