package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/rhx-dev/rhx/host/exactjson"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/ownfile"
)

// FailedSync is what a sync did not get done, for another try. It holds names,
// and no values.
type FailedSync struct {
	// Version is that of the file; 0 is one of before there were versions.
	Version int      `json:"version"`
	Hosts   []string `json:"hosts"`
	Secrets []string `json:"secrets"`
	Bundles []string `json:"bundles,omitempty"`
	// Manifest is the absolute path of the manifest that the bundles are of, and
	// Profile its profile.
	Manifest string `json:"manifest,omitempty"`
	Profile  string `json:"profile,omitempty"`
	Env      bool   `json:"env,omitempty"`
	// To is the file of a single secret.
	To        string `json:"to,omitempty"`
	Overwrite bool   `json:"overwrite,omitempty"`
	// TTL is after how long the secrets are taken out again.
	TTL time.Duration `json:"ttl,omitempty"`
	// Via is "vault" where the hosts got wrapping tokens only.
	Via string `json:"via,omitempty"`
}

const failedSyncVersion = 1

func (b *Book) failedSyncFile() string {
	return filepath.ToSlash(filepath.Join(b.Dirs.State, "sync-failed.json"))
}

// NoteFailedSync keeps what a sync did not get done, and drops what an earlier one
// left. A sync that got all done leaves nothing.
func (b *Book) NoteFailedSync(ctx context.Context, f FailedSync) error {
	path := b.failedSyncFile()
	files, err := b.Local.Read(ctx, []string{machine.Quote(path)})
	if err != nil {
		return err
	}
	if err := files[0].Err; err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", path, err)
	}
	change := machine.Change{Path: path, Remove: len(f.Hosts) == 0, Old: files[0].Data}
	if change.Remove && change.Old == nil {
		return nil
	}
	f.Version = failedSyncVersion
	if change.Data, err = exactjson.MarshalIndent(f); err != nil {
		return err
	}
	errs, err := b.Local.Write(ctx, []machine.Change{change})
	return errors.Join(append(errs, err)...)
}

// FailedSync returns what the last sync did not get done.
func (b *Book) FailedSync(ctx context.Context) (FailedSync, error) {
	var f FailedSync
	path := b.failedSyncFile()
	files, err := b.Local.Read(ctx, []string{machine.Quote(path)})
	switch {
	case err != nil:
		return f, err
	case errors.Is(files[0].Err, fs.ErrNotExist):
		return f, fault.WithKind(errors.New("the last sync has left nothing to try again"), fault.Usage)
	case files[0].Err != nil:
		return f, fmt.Errorf("read %s: %w", path, files[0].Err)
	}
	if err := json.Unmarshal(files[0].Data, &f); err != nil {
		return f, fmt.Errorf("read %s: %w", path, err)
	}
	return f, ownfile.CheckVersion(path, f.Version, failedSyncVersion)
}
