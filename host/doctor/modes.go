package doctor

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// modesCheck looks for files with credentials that others can read. Those of ssh have a check
// of their own.
var modesCheck = Check{Name: "modes", Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	all, specErr := d.Engine.Detector.On(ctx, d.Engine.Local) // what is wrong with a spec does not hide the others
	var out []Finding
	var paths []string
	for _, f := range all {
		sp, err := d.Engine.Specs.Get(f.Provider)
		if err != nil {
			return nil, err
		}
		public := provider.Public(sp, f.Values)
		broken := f.State == provider.Invalid
		if broken {
			found := Finding{
				Level: Warning, What: "broken: " + f.Err.Error(), Why: "What reads it may fail too, and what is in there is not looked at.", Command: "rhx detect",
			}
			// Several providers may have the same file.
			if !slices.ContainsFunc(out, func(o Finding) bool { return o.What == found.What }) {
				out = append(out, found)
			}
		}
		// What cannot be read may have what its provider keeps secret.
		secrets := slices.ContainsFunc(f.Values.Keys(), func(k string) bool { return !public(k) }) ||
			broken && slices.ContainsFunc(sp.Values, func(v spec.Value) bool { return !v.Public })
		if f.Provider == "ssh" || !secrets {
			continue
		}
		for _, src := range f.Sources {
			if src.Kind == secret.SourceFile && !slices.Contains(paths, src.Path) && !strings.HasSuffix(src.Path, ".pub") {
				paths = append(paths, src.Path)
			}
		}
	}
	paths = append(paths, d.Engine.Deliver.EnvFile())
	for _, path := range paths {
		if path = d.home(path); !reached(path) {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			continue // which is why it is broken
		}
		found, err := d.open(path, 0o077, "others can read %s, which has credentials", "Every user of this machine can use them.")
		if err != nil {
			return out, err
		}
		out = append(out, found...)
	}
	return out, specErr
}}
