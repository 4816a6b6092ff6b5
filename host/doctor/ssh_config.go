package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rhx-dev/rhx/host/ownfile"
)

// sshConfigCheck has ssh read its own configuration.
var sshConfigCheck = Check{Name: "ssh-config", Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	path := filepath.Join(d.Home, ".ssh", "config")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	// Match exec in it runs programs, and with -F ssh does not look who can write it.
	if err := ownfile.Check(path); err != nil {
		return []Finding{{
			Level: Warning, What: "ssh's configuration was not tried: " + err.Error(), Why: "ssh refuses it, or runs what others have put there.", Command: "ls -lL " + d.short(path),
		}}, nil
	}
	out, err := output(ctx, nil, "ssh", "-F", path, "-G", "localhost")
	if err == nil || errors.Is(err, errNoProgram) {
		return nil, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	line, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	if strings.Contains(line, "Bad owner or permissions") {
		return nil, nil // ssh-files says it
	}
	return []Finding{{
		Level: Warning, What: "ssh does not take its configuration: " + line, Why: "ssh, git and rhx sync reach no host.", Command: d.edit(path),
	}}, nil
}}
