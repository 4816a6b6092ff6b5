package host

import (
	"context"
	"slices"

	"github.com/rhx-dev/rhx/host/machine"
)

// visit is a machine to which both files and the env file are brought: it is asked
// once for what both need to know, and the env file is read with the others.
type visit struct {
	machine.Machine
	vars []string // more variables to ask for

	info    *machine.Info
	envFile string
	read    *machine.File
}

func (v *visit) Info(ctx context.Context, names []string) (machine.Info, error) {
	if v.info != nil {
		return *v.info, nil
	}
	all := slices.Concat(names, v.vars, envFileVars())
	slices.Sort(all)
	info, err := v.Machine.Info(ctx, slices.Compact(all))
	if err != nil {
		return info, err
	}
	v.info, v.envFile = &info, envFileAt(info)
	return info, nil
}

func (v *visit) Read(ctx context.Context, paths []string) ([]machine.File, error) {
	env := machine.Quote(v.envFile)
	if v.read != nil && slices.Equal(paths, []string{env}) {
		return []machine.File{*v.read}, nil
	}
	if v.read != nil || v.info == nil || slices.Contains(paths, env) {
		return v.Machine.Read(ctx, paths)
	}
	files, err := v.Machine.Read(ctx, append(slices.Clone(paths), env))
	if n := len(files); err == nil && n > 0 && files[n-1].Path == v.envFile {
		v.read = &files[n-1]
		files = files[:n-1]
	}
	return files, err
}
