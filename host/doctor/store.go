package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rhx-dev/rhx/host/fault"
)

// storeCheck opens the store and lists it. Others build on it.
var storeCheck = Check{Name: "store", Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	infos, err := d.Engine.Records.List(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && d.local() {
		return []Finding{{Level: Warning, What: err.Error(), Why: "Secrets in it may be lost; a backup has them.", Command: "rhx store verify"}}, nil
	}
	if err != nil {
		f := Finding{Level: Warning, What: err.Error(), Why: "Nothing can be read or saved."}
		if f.Command = "rhx where NAME"; fault.Hint(err) != "" {
			f.Why, f.Command = f.Why+" What to do: "+fault.Hint(err)+".", ""
		}
		return []Finding{f}, nil
	}
	if !d.local() || len(infos) == 0 || d.Getenv("RHX_AGE_IDENTITY_CMD") != "" {
		return nil, nil
	}
	local, err := d.Engine.Stores.Local()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(local.KeyPath()); errors.Is(err, fs.ErrNotExist) {
		return []Finding{{
			Level: Warning, What: fmt.Sprintf("the store has %d secrets, and its key %s is not there", len(infos), d.short(local.KeyPath())),
			Why:     "Without the key no value can be read, by anybody.",
			Command: "cp COPY-OF-THE-KEY " + d.short(filepath.Clean(local.KeyPath())),
		}}, nil
	} else if err != nil {
		return nil, err
	}
	return nil, nil
}}
