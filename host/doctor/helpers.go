package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rhx-dev/rhx/host/helper"
)

// helpersCheck looks whether clients that are to ask rhx find it.
var helpersCheck = Check{Name: "helpers", Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	var out []Finding
	var errs error
	for _, c := range helper.Clients() {
		files, err := d.Installer.Installed(ctx, c)
		if err != nil || len(files) == 0 {
			errs = errors.Join(errs, err)
			continue
		}
		lacks, own, err := d.Installer.Lacks(ctx, c)
		if err != nil || lacks == "" {
			errs = errors.Join(errs, err)
			continue
		}
		command := "rhx helper install " + c.Name
		if !own {
			command += " --bin " + d.short(d.bin())
		}
		out = append(out, Finding{
			Level: Warning, What: fmt.Sprintf("%s is to ask rhx, as %s says, and looks for %s, which is not there", c.Name, strings.Join(files, ", "), lacks),
			Why: c.Name + " gets no credentials.", Command: command,
		})
	}
	return out, errs
}}

// bin is a folder of PATH for a program of the user's: one below the home folder, or else
// that of rhx.
func (d *Doctor) bin() string {
	for _, dir := range filepath.SplitList(d.Getenv("PATH")) {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && strings.HasPrefix(dir, d.Home+string(filepath.Separator)) {
			return dir
		}
	}
	return filepath.Dir(d.Program)
}
