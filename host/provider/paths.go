package provider

import (
	"context"
	"errors"
	"slices"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/spec"
)

// Paths returns where specs have files on a machine: by default, and where variables move
// them to. "{profile}" in a name stands for any. It reads no file.
func Paths(ctx context.Context, m machine.Machine, specs []*spec.Spec) ([]string, error) {
	vars := []string{machine.WorkVar}
	for _, s := range specs {
		vars = append(vars, s.Vars()...)
	}
	slices.Sort(vars)
	info, err := m.Info(ctx, slices.Compact(vars))
	if err != nil {
		return nil, err
	}
	snap := &Snapshot{Info: info}
	if err := snap.expand(ctx, m, specs); err != nil {
		return nil, err
	}
	var out []string
	for _, s := range specs {
		for i := range s.Files {
			// A variable that is set moves the file, and the one at the default path
			// may be there all the same.
			f := s.Files[i]
			out = append(out, snap.abs(f.Path(info.OS)))
			for _, o := range s.Files[i].Override {
				f.Override = []spec.Override{o}
				located, err := snap.locate(s, &f)
				var e *misled
				if err != nil && !errors.As(err, &e) && !errors.Is(err, errNoFile) {
					return nil, err
				}
				out = append(out, located...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
