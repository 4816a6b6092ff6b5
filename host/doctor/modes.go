package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
)

// modesCheck looks for files with credentials that others can read. Those of ssh have a check
// of their own.
var modesCheck = Check{Name: "modes", Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	all, err := d.Engine.Detector.On(ctx, d.Engine.Local)
	if err != nil && len(all) == 0 {
		return nil, err
	}
	var paths []string
	for _, f := range all {
		sp, err := d.Engine.Specs.Get(f.Provider)
		if err != nil {
			return nil, err
		}
		public := provider.Public(sp, f.Values)
		if f.Provider == "ssh" || !slices.ContainsFunc(f.Values.Keys(), func(k string) bool { return !public(k) }) {
			continue
		}
		for _, src := range f.Sources {
			if src.Kind == secret.SourceFile && !slices.Contains(paths, src.Path) && !strings.HasSuffix(src.Path, ".pub") {
				paths = append(paths, src.Path)
			}
		}
	}
	paths = append(paths, d.Engine.Deliver.EnvFile())
	var out []Finding
	for _, path := range paths {
		if path = d.home(path); !reached(path) {
			continue
		}
		found, err := d.open(path, 0o077, "others can read %s, which has credentials", "Every user of this machine can use them.")
		if err != nil {
			return out, err
		}
		out = append(out, found...)
	}
	return out, nil
}}
