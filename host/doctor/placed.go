package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/store"
)

// placedCheck looks whether the files in which rhx placed secrets are as it left them.
var placedCheck = Check{Name: "placed", Needs: Listed, Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	conf, err := d.Engine.Stores.Config()
	if err != nil {
		return nil, nil // config says why
	}
	var out []Finding
	var errs error
	for _, name := range slices.Sorted(maps.Keys(conf.Secrets)) {
		at := conf.Secrets[name]
		for _, path := range append([]string{at.Path}, at.Also...) {
			if path == "" {
				continue
			}
			found, err := d.placed(ctx, name, path)
			errs = errors.Join(errs, err)
			out = append(out, found...)
		}
	}
	return out, errs
}}

func (d *Doctor) placed(ctx context.Context, name, path string) ([]Finding, error) {
	load := "rhx load " + quoted(name) + " --to " + d.short(d.home(path))
	if _, err := os.Stat(d.home(path)); errors.Is(err, fs.ErrNotExist) {
		return []Finding{{
			Level: Warning, What: fmt.Sprintf("%s was placed in %s, which is gone", name, path), Why: "What reads that file does not find it.", Command: load,
		}}, nil
	} else if err != nil {
		return nil, err
	}
	if !d.opens() {
		return nil, nil
	}
	st, err := d.Engine.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	rec, err := st.Get(ctx, name, 0)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // it is in a file, and nowhere else: that is no fault of the file
	}
	if err != nil {
		return nil, err
	}
	planned, err := d.Engine.Deliver.Plan(ctx, place.Here, d.Engine.Local, deliver.Delivery{Files: []*store.Record{rec}, Paths: map[string]string{rec.Secret.Name: path}}, deliver.Options{Unsafe: true})
	if err != nil {
		return nil, err
	}
	for _, o := range planned {
		if o.Action == provider.Unchanged || o.Source.Path == "" {
			continue
		}
		return []Finding{{
			Level: Warning, What: fmt.Sprintf("%s in %s is not as the store has it", name, path),
			Why:     "It was changed there, or a new version was saved since: one of the two does not work any more, or is not kept.",
			Command: load + " --overwrite",
		}}, nil
	}
	return nil, nil
}
