package records

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/exactjson"
	"github.com/rhx-dev/rhx/host/expiry"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/store"
)

// Ends keeps, from one command to the next, when secrets stop working: of a store that says
// it to nobody without the key, all values would have to be decrypted for it. It is sealed for
// the same reason. What it says holds for the version that was read, as it was written then.
//
// It is a cache: where it cannot be read or written, the values are read.
type Ends struct {
	// Path is of the file, in a folder that may be missing.
	Path string
	// Seal and Unseal are those of [agestore.Store].
	//
	// [agestore.Store]: https://pkg.go.dev/github.com/rhx-dev/rhx/host/store/agestore#Store
	Seal   func(ctx context.Context, label string, data []byte) ([]byte, error)
	Unseal func(ctx context.Context, label string, sealed []byte) ([]byte, error)
}

// endsFormat is another one for each change of the file, and of what package expiry reads.
const endsFormat = 1

// maxEnds is how long the file may be, in bytes.
const maxEnds = 16 << 20

type endsFile struct {
	Format int            `json:"format"`
	Ends   map[string]end `json:"ends"`
}

// end is when a version stops working.
type end struct {
	Version int       `json:"version"`
	Updated time.Time `json:"updated"`
	// At is zero where the values do not say.
	At time.Time `json:"at,omitzero"`
}

func (e *end) isOf(i store.Info) bool { return e.Version == i.Version && e.Updated.Equal(i.Updated) }

func (e *Ends) label() string { return "expiries at " + e.Path }

// load returns what is kept; nothing where that cannot be had.
func (e *Ends) load(ctx context.Context) map[string]end {
	sealed, err := ownfile.Read(e.Path, maxEnds)
	if err != nil {
		return nil
	}
	plain, err := e.Unseal(ctx, e.label(), sealed)
	if err != nil {
		return nil
	}
	var f endsFile
	if json.Unmarshal(plain, &f) != nil || f.Format != endsFormat {
		return nil
	}
	return f.Ends
}

func (e *Ends) save(ctx context.Context, ends map[string]end) error {
	plain, err := exactjson.Marshal(endsFile{endsFormat, ends})
	if err != nil {
		return err
	}
	sealed, err := e.Seal(ctx, e.label(), plain)
	if err != nil || len(sealed) > maxEnds {
		return err
	}
	if err := atomicfile.MkdirAll(filepath.Dir(e.Path)); err != nil {
		return err
	}
	return atomicfile.Write(e.Path, sealed, 0o600)
}

// Expiries returns when secrets stop working, by name, of those of which that is known. It
// reads all values for it, which goes to nobody.
func (r *Records) Expiries(ctx context.Context, infos []store.Info) (map[string]time.Time, error) {
	st, err := r.Store(ctx)
	if err != nil {
		return nil, err
	}
	found, errs := r.readEnds(ctx, st, infos)
	return endsOf(found), fault.Join(errs...)
}

// KnownExpiries is Expiries where that asks nobody for anything, and cheap: values are read
// once, and only where the store opens by itself. listed is all that the store has, of which
// infos may be a part.
func (r *Records) KnownExpiries(ctx context.Context, infos, listed []store.Info) (map[string]time.Time, error) {
	st, err := r.Store(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]end{}
	for _, i := range infos {
		found[i.Name] = end{i.Version, i.Updated, i.Expires}
	}
	opener, ok := store.As[interface{ Opens() bool }](st)
	if !ok || len(infos) == 0 || !opener.Opens() {
		return endsOf(found), nil
	}
	kept := map[string]end{}
	if r.Ends != nil {
		kept = r.Ends.load(ctx)
	}
	now := map[string]end{} // what is to be kept
	for _, i := range listed {
		if e, ok := kept[i.Name]; ok && e.isOf(i) {
			now[i.Name] = e
		}
	}
	var unknown []store.Info
	for _, i := range infos {
		if e, ok := now[i.Name]; ok {
			found[i.Name] = e
		} else {
			unknown = append(unknown, i)
		}
	}
	read, _ := r.readEnds(ctx, st, unknown) // what cannot be read says nothing of its end
	for name, e := range read {
		found[name], now[name] = e, e
	}
	if r.Ends != nil && (len(read) > 0 || len(now) < len(kept)) {
		_ = r.Ends.save(ctx, now)
	}
	return endsOf(found), nil
}

// readEnds reads the values of secrets, several at once. One that was deleted meanwhile is
// neither found nor an error.
func (r *Records) readEnds(ctx context.Context, st store.Store, infos []store.Info) (map[string]end, []error) {
	if len(infos) == 0 {
		return nil, nil
	}
	infos, err := r.mineOf(ctx, infos, nil) // who lists them is not told what is not theirs
	if err != nil {
		return nil, []error{err}
	}
	ends, errs := make([]end, len(infos)), make([]error, len(infos))
	r.Each("reading", len(infos), func(i int) {
		rec, err := st.Get(ctx, infos[i].Name, 0)
		switch {
		case err == nil:
			ends[i] = end{rec.Version, rec.Updated, expiry.Of(&rec.Secret)}
		case !errors.Is(err, store.ErrNotFound):
			errs[i] = err
		}
	})
	found := map[string]end{}
	for i, e := range ends {
		if e.Version > 0 {
			found[infos[i].Name] = e
		}
	}
	return found, errs
}

func endsOf(found map[string]end) map[string]time.Time {
	out := map[string]time.Time{}
	for name, e := range found {
		if !e.At.IsZero() {
			out[name] = e.At
		}
	}
	return out
}
