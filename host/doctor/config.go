package doctor

import (
	"context"

	"github.com/rhx-dev/rhx/host/config"
)

var configCheck = Check{Name: "config", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	if _, err := d.Engine.Stores.Config(); err != nil {
		return []Finding{{
			Level: Warning, What: err.Error(), Why: "rhx guesses nothing of it: every command that needs it stops.",
			Command: d.edit(config.Path(d.Engine.Dirs)),
		}}, nil
	}
	return nil, nil
}}
