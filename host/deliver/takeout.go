package deliver

import (
	"bytes"
	"context"
	"errors"

	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// ErrGone is the error of a secret that is not where it was placed any more.
var ErrGone = errors.New("it is not there any more")

// SecretAt reads a secret of the store that was placed in a file as it is there now; want
// is what was written there, nil where that is not known.
func SecretAt(ctx context.Context, snap *provider.Snapshot, sp *spec.Spec, path, name string, want *secret.Secret) (*secret.Secret, error) {
	if snap.Missing(path) {
		return nil, ErrGone
	}
	found, err := snap.ExtractFile(ctx, sp, path)
	if err != nil {
		return nil, ErrGone // a file that can be read, and has no secret of this kind
	}
	_, profile := secret.SplitName(name)
	if want != nil {
		profile = want.Profile
	}
	named := -1
	for i, f := range found {
		switch {
		case f.State == provider.Invalid && (f.Profile == profile || f.Profile == ""):
			return nil, f.Err
		case f.State != provider.HasValue:
		case f.Profile == profile:
			return f.Secret.Clone(), nil
		case named < 0 && (f.Name == name || len(found) == 1 && len(sp.Files) > 0 && sp.Files[0].PerFile()):
			named = i // unless one has its very profile
		}
	}
	if named < 0 {
		return nil, ErrGone
	}
	sec := found[named].Secret.Clone()
	sec.Profile = profile
	return sec, nil
}

// Emptied is what is left of a file's content when all its values go.
func Emptied(old []byte) []byte {
	if bytes.HasPrefix(bytes.TrimLeft(old, "\ufeff \t\r\n"), []byte("{")) {
		return []byte("{}\n")
	}
	return []byte{}
}
