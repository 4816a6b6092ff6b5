package harden

import (
	"context"
	"io/fs"
	"slices"

	"github.com/rhx-dev/rhx/host/machine"
)

// overlay is a machine as it will be: what is planned for its files is read as if it was
// there. It writes nothing.
type overlay struct {
	machine.Machine
	changes []machine.Change
}

// Read returns files as planned. Paths with a wildcard are read as they are.
func (o *overlay) Read(ctx context.Context, paths []string) ([]machine.File, error) {
	files, err := o.Machine.Read(ctx, paths)
	for i := range files {
		f := &files[i]
		for _, c := range o.changes {
			switch {
			case c.Path != f.Path:
			case c.Remove:
				f.Data, f.Err = nil, &fs.PathError{Op: "read", Path: f.Path, Err: fs.ErrNotExist}
			default:
				f.Data, f.Err = c.Data, nil
			}
		}
	}
	return files, err
}

// Write refuses: a plan is for whom it was made for.
func (o *overlay) Write(context.Context, []machine.Change) ([]error, error) {
	return nil, fs.ErrPermission
}

// add plans a change of a file as it is planned so far.
func (o *overlay) add(c machine.Change) {
	i := slices.IndexFunc(o.changes, func(had machine.Change) bool { return had.Path == c.Path })
	if i < 0 {
		o.changes = append(o.changes, c)
		return
	}
	// What the file must be before is what it was before the first change.
	c.Old = o.changes[i].Old
	o.changes[i] = c
}
