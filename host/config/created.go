package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/ownfile"
)

// Which files rhx made is kept in the state folder, one path a line: what rhx
// found there already it must not remove as a whole later.

func createdPath(d Dirs) string { return filepath.Join(d.State, "created") }

// Created returns the files that were not there before rhx wrote them, with
// "~/" for the home folder.
func Created(d Dirs) ([]string, error) {
	data, err := ownfile.Read(createdPath(d), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("which files rhx made: %w", err)
	}
	return createdIn(data), nil
}

func createdIn(data []byte) []string {
	return slices.DeleteFunc(strings.Split(string(data), "\n"), func(l string) bool { return l == "" })
}

// noteCreated adds files to the list, and takes out those that are gone: when
// somebody makes them anew they are not rhx's.
func noteCreated(ctx context.Context, d Dirs, m machine.Machine, more []string) (err error) {
	if _, err := os.Stat(createdPath(d)); errors.Is(err, fs.ErrNotExist) && len(more) == 0 {
		return nil
	}
	info, err := m.Info(ctx, nil)
	if err != nil {
		return err
	}
	unlock, err := lock(ctx, d.State)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	old, err := ownfile.Read(createdPath(d), maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	files := createdIn(old)
	files = slices.DeleteFunc(files, func(f string) bool {
		if rest, ok := strings.CutPrefix(f, "~/"); ok {
			f = info.Home + "/" + rest
		}
		_, err := os.Lstat(filepath.FromSlash(f))
		return errors.Is(err, fs.ErrNotExist)
	})
	for _, f := range more {
		// A path with a line break does not fit into the list: the file stays.
		if !slices.Contains(files, f) && !strings.Contains(f, "\n") {
			files = append(files, f)
		}
	}
	c := machine.Change{Path: filepath.ToSlash(createdPath(d)), Old: old, Data: []byte(strings.Join(files, "\n") + "\n")}
	if c.Remove = len(files) == 0; !c.Remove && bytes.Equal(c.Data, old) || c.Remove && old == nil {
		return nil
	}
	errs, err := m.Write(ctx, []machine.Change{c})
	return errors.Join(append(errs, err)...)
}
