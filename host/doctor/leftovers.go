package doctor

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// leftoversCheck looks for folders in memory that a killed rhx has left.
var leftoversCheck = Check{Name: "leftovers", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	var out []Finding
	for _, dir := range d.LeftFolders() {
		out = append(out, Finding{
			Level: Warning, What: "a command that was killed has left its files in " + d.short(dir), Why: "They may hold secrets in plaintext.",
			Command: "rm -r " + d.short(dir),
			Fix: func() error {
				if !slices.Contains(d.LeftFolders(), dir) {
					return fmt.Errorf("%s is not what was looked at any more: it was not removed", dir)
				}
				return os.RemoveAll(dir)
			},
		})
	}
	return out, nil
}}
