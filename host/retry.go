package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
)

// FailedSync is what a sync did not get done, for another try. It holds names,
// and no values.
type FailedSync struct {
	Hosts   []string `json:"hosts"`
	Secrets []string `json:"secrets"`
	Bundles []string `json:"bundles,omitempty"`
	// Manifest is the absolute path of the manifest that the bundles are of, and
	// Profile its profile.
	Manifest  string `json:"manifest,omitempty"`
	Profile   string `json:"profile,omitempty"`
	Env       bool   `json:"env,omitempty"`
	Overwrite bool   `json:"overwrite,omitempty"`
	// Via is "vault" where the hosts got wrapping tokens only.
	Via string `json:"via,omitempty"`
}

func (h *Host) failedSyncFile() string {
	return filepath.ToSlash(filepath.Join(h.Dirs.State, "sync-failed.json"))
}

// NoteFailedSync keeps what a sync did not get done, in place of what the last
// one did not; nothing where all was done.
func (h *Host) NoteFailedSync(ctx context.Context, f FailedSync) error {
	path := h.failedSyncFile()
	files, err := h.Local.Read(ctx, []string{machine.Quote(path)})
	if err != nil {
		return err
	}
	change := machine.Change{Path: path, Remove: len(f.Hosts) == 0}
	if len(files) > 0 {
		change.Old = files[0].Data
	}
	if change.Remove && change.Old == nil {
		return nil
	}
	if change.Data, err = json.MarshalIndent(f, "", "  "); err != nil {
		return err
	}
	errs, err := h.Local.Write(ctx, []machine.Change{change})
	return errors.Join(append(errs, err)...)
}

// FailedSync returns what the last sync did not get done.
func (h *Host) FailedSync(ctx context.Context) (FailedSync, error) {
	var f FailedSync
	path := h.failedSyncFile()
	files, err := h.Local.Read(ctx, []string{machine.Quote(path)})
	switch {
	case err != nil:
		return f, err
	case len(files) == 0 || missing(files[0]):
		return f, fault.WithKind(errors.New("the last sync has left nothing to try again"), fault.Usage)
	case files[0].Err != nil:
		return f, fmt.Errorf("read %s: %w", path, files[0].Err)
	}
	if err := json.Unmarshal(files[0].Data, &f); err != nil {
		return f, fmt.Errorf("read %s: %w", path, err)
	}
	return f, nil
}

// FailedOn returns the hosts on which something failed, in order.
func FailedOn(loaded []Loaded) []string {
	var hosts []string
	for _, l := range loaded {
		if l.Err != nil && !slices.Contains(hosts, l.Machine) {
			hosts = append(hosts, l.Machine)
		}
	}
	return hosts
}
