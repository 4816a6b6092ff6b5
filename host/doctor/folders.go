package doctor

import "context"

var foldersCheck = Check{Name: "folders", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	var out []Finding
	dirs := d.Engine.Dirs
	for _, dir := range []string{dirs.Data, dirs.State} {
		if !reached(dir) {
			continue
		}
		found, err := d.open(dir, 0o077, "others can look into rhx's folder %s", "They see the names of your secrets, and where rhx placed them.")
		if err != nil {
			return out, err
		}
		out = append(out, found...)
	}
	return out, nil
}}
