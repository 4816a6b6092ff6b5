package doctor

import "context"

// lockedCheck says what is not looked at. It is no fault that a key has a passphrase.
var lockedCheck = Check{Name: "locked", Needs: Listed, Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	infos, err := d.Engine.Records.List(ctx)
	if err != nil || len(infos) == 0 || d.opens() {
		return nil, err
	}
	return []Finding{{
		Level: Note, What: "the store is locked", Why: "Its record, what expires, and whether files that were placed still have the stored values, is not looked at.",
		Command: "rhx unlock",
	}}, nil
}}
