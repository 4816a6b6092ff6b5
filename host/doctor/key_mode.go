package doctor

import "context"

var keyModeCheck = Check{Name: "key-mode", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	local, err := d.Engine.Stores.Local()
	if err != nil {
		return nil, nil // config says why
	}
	return d.open(local.KeyPath(), 0o077, "others can read the store's key %s", "Whoever has it reads every secret in any copy of the store.")
}}
