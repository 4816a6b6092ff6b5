package doctor

import (
	"context"
	"time"
)

// backupEvery is how old the last backup may be.
const backupEvery = 180 * 24 * time.Hour

var backupCheck = Check{Name: "backup", Needs: Listed, Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	if !d.local() {
		return nil, nil
	}
	infos, err := d.Engine.Records.List(ctx)
	if err != nil || len(infos) == 0 {
		return nil, err
	}
	events, err := d.Engine.Book.Events()
	if err != nil && len(events) == 0 {
		return nil, err
	}
	for _, e := range events {
		if e.Action == "exported" && time.Since(e.Time) < backupEvery {
			return nil, nil
		}
	}
	return []Finding{{
		Level: Note, What: "no backup of the store was made on this machine in the last half year", Why: "The key alone opens the store: where the disk is lost, so are the secrets.",
		Command: "rhx store export rhx-backup.age",
	}}, nil
}}
