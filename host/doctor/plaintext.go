package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/harden"
	"github.com/rhx-dev/rhx/host/store"
)

// plaintextCheck looks for files with secrets that the store also has, and whose clients can
// ask rhx.
var plaintextCheck = Check{Name: "plaintext", Needs: Listed, Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	infos, err := d.Engine.Records.List(ctx)
	if err != nil || len(infos) == 0 {
		return nil, err
	}
	items, err := d.Harden(ctx)
	if err != nil {
		return nil, err
	}
	var out []Finding
	for _, i := range items {
		if i.Action != harden.Helper || !slices.ContainsFunc(infos, func(info store.Info) bool { return info.Name == i.Secret }) {
			continue
		}
		out = append(out, Finding{
			Level: Note, What: i.Secret + " lies in plaintext in " + strings.Join(i.Files, ", ") + ", and the store has it",
			Why:     "Every program that runs as you can read it there; " + i.Client + " can ask rhx instead.",
			Command: "rhx harden " + quoted(i.Secret),
		})
	}
	return out, nil
}}
