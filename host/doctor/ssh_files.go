package doctor

import (
	"context"
	"path/filepath"
)

var sshFilesCheck = Check{Name: "ssh-files", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	var out []Finding
	for _, f := range []struct{ name, why string }{
		{"", "Others can put keys and a configuration of theirs there."},
		{"config", "ssh refuses it; it says which programs ssh runs, and as whom you log in."},
		{"known_hosts", "Others can have you trust a host of theirs."},
		{"authorized_keys", "Others can log in as you; sshd refuses the file."},
	} {
		found, err := d.open(filepath.Join(d.Home, ".ssh", f.name), 0o022, "others can write %s", f.why)
		if err != nil {
			return out, err
		}
		out = append(out, found...)
	}
	return out, nil
}}
