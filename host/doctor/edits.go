package doctor

import (
	"context"
	"fmt"
	"time"
)

// keptLong is after how long what was typed in rhx edit may be forgotten.
const keptLong = 30 * 24 * time.Hour

// editsCheck looks for what was typed in rhx edit, could not be saved, and is kept for long.
var editsCheck = Check{Name: "edits", Needs: Listed, Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	infos, err := d.Engine.Records.List(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name
	}
	kept, err := d.Engine.Exchange.KeptFiles(ctx, names)
	if err != nil {
		return nil, err
	}
	var out []Finding
	for _, f := range kept {
		if time.Since(f.Kept) < keptLong {
			break
		}
		// One of no secret of this store can be of another store, so a person decides.
		what, command := "a secret that this store has not", "rm "+d.short(f.Path)
		if f.Secret != "" {
			what, command = f.Secret, "rhx edit "+quoted(f.Secret)+" --kept"
		}
		out = append(out, Finding{
			Level: Note, What: fmt.Sprintf("what was typed in rhx edit for %s on %s, and not saved, is still kept", what, f.Kept.Format(time.DateOnly)),
			Why: "It is sealed with the store's key, and stays until it is saved or dropped.", Command: command,
		})
	}
	return out, nil
}}
