package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// specsCheck reads the specs that the user has written.
var specsCheck = Check{Name: "specs", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	entries, err := os.ReadDir(filepath.Join(d.Engine.Dirs.Config, "providers"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Finding
	for _, e := range entries {
		name, ok := cutYAML(e.Name())
		if !ok {
			continue
		}
		if _, err := d.Engine.Specs.Get(name); err != nil {
			out = append(out, Finding{
				Level: Warning, What: err.Error(), Why: "rhx does not know this provider.",
				Command: d.edit(filepath.Join(d.Engine.Dirs.Config, "providers", e.Name())),
			})
		}
	}
	return out, nil
}}

func cutYAML(name string) (string, bool) {
	ext := filepath.Ext(name)
	return name[:len(name)-len(ext)], ext == ".yaml" || ext == ".yml"
}
