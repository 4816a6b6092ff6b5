package doctor

import "context"

var manifestCheck = Check{Name: "manifest", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	path, _, trusted, err := d.Manifest()
	switch {
	case path == "" && err == nil:
		return nil, nil
	case err != nil && path == "":
		return nil, err
	case err != nil:
		return []Finding{{Level: Warning, What: err.Error(), Why: "No command uses the project's manifest as it stands.", Command: d.edit(path)}}, nil
	case !trusted:
		return []Finding{{
			Level: Note, What: d.short(path) + " is not trusted", Why: "rhx does nothing by it: its store, its bundles and its names of secrets do not count.",
			Command: "rhx trust " + d.short(path),
		}}, nil
	}
	return nil, nil
}}
