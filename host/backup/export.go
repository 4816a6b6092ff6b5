package backup

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/parallel"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// atOnce is how many versions are read at once, and so are in memory, while they are
// short; one where the ones before were longer than long, in bytes.
const (
	atOnce = 16
	long   = 256 << 10
)

// Exported is what was written.
type Exported struct {
	Store string
	// Secrets and Versions are how many of them are in the backup with their values.
	Secrets, Versions int
	// Gone are deleted versions whose values the store does not give.
	Gone int
	// Failed are those that are not in it although the store has them.
	Failed []Failure
}

// Failure is something that could not be read.
type Failure struct {
	// What is a secret, or a version of one; "" where the store does not say.
	What string
	Err  error
}

// ErrIncomplete is the error of a backup that lacks something. It was not written.
var ErrIncomplete = errors.New("no backup was written: it would lack what could not be read")

// Export writes every version of every secret of the store to w, encrypted to some keys.
// Where something cannot be read, the result names it, and w gets an end only if partial:
// without one no rhx and no age takes what was written.
func (b *Backup) Export(ctx context.Context, w io.Writer, to []age.Recipient, partial bool) (*Exported, error) {
	st, err := b.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	out := &Exported{Store: st.URL()}
	all, err := b.versions(ctx, st, out)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 && len(out.Failed) == 0 {
		return nil, empty(st)
	}
	if len(out.Failed) > 0 && !partial {
		return out, incomplete()
	}
	encrypted, err := age.Encrypt(w, to...)
	if err != nil {
		return nil, fmt.Errorf("encrypt the backup: %w", err)
	}
	buffered := bufio.NewWriterSize(encrypted, 1<<16)
	lines := &writer{w: buffered}
	if err := lines.other(header{format, st.URL(), time.Now().UTC().Truncate(time.Second)}); err != nil {
		return nil, err
	}
	if err := b.export(ctx, st, lines, all, out); err != nil {
		return nil, err
	}
	if len(out.Failed) > 0 && (!partial || out.Versions == 0) {
		return out, incomplete()
	}
	if out.Versions == 0 {
		return nil, empty(st)
	}
	var missing []string
	for _, f := range out.Failed {
		missing = append(missing, cmp.Or(f.What, "a secret whose name cannot be read"))
	}
	if err = lines.end(missing); err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = encrypted.Close()
	}
	return out, err
}

// empty is the error of a backup that would have nothing, and perhaps take the place of
// a good one.
func empty(st store.Store) error {
	return fmt.Errorf("%s has no secrets: no backup was written", st.URL())
}

func incomplete() error {
	return fault.WithHint(ErrIncomplete, "--partial writes what can be read")
}

// versions returns the versions of all secrets, those of each one behind another, the
// oldest first.
func (b *Backup) versions(ctx context.Context, st store.Store, out *Exported) ([]store.Info, error) {
	names, err := allNames(ctx, st)
	if fault.KindOf(err) == fault.Partial {
		out.Failed = append(out.Failed, Failure{Err: err})
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if names, err = b.Records.Mine(ctx, names); err != nil {
		return nil, err
	}
	found := make([][]store.Info, len(names))
	errs := make([]error, len(names))
	b.Records.Each("listing", len(names), func(i int) {
		if errs[i] = cmp.Or(ctx.Err(), secret.ValidName(names[i])); errs[i] == nil {
			found[i], errs[i] = st.History(ctx, names[i])
		}
	})
	var all []store.Info
	for i, name := range names {
		switch err := errs[i]; {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, store.ErrNotFound): // a name, and nothing known of it
		case errors.Is(err, store.ErrUnavailable):
			return nil, err
		case err != nil:
			out.Failed = append(out.Failed, Failure{name, err})
			// Those of which something is known follow.
		}
		slices.Reverse(found[i])
		all = append(all, found[i]...)
	}
	return all, nil
}

// allNames are the names of all secrets, of deleted ones too.
func allNames(ctx context.Context, st store.Store) ([]string, error) {
	if a, ok := store.As[store.Archive](st); ok {
		return a.AllNames(ctx)
	}
	if n, ok := store.As[store.Namer](st); ok {
		return n.Names(ctx)
	}
	infos, err := st.List(ctx)
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name
	}
	return names, err
}

// entry is the line of a version that was read. It has values, unless the version is
// deleted and the store does not give them.
type entry struct {
	data   []byte
	values bool
	err    error
}

// export writes versions.
func (b *Backup) export(ctx context.Context, st store.Store, lines *writer, all []store.Info, out *Exported) error {
	step, end := func() {}, func() {}
	if b.Records.Progress != nil && len(all) > 1 {
		step, end = b.Records.Progress("reading", len(all))
	}
	defer end()
	var noted []store.Info
	defer func() {
		if len(noted) > 0 && b.Records.Read != nil {
			b.Records.Read(st.URL(), noted)
		}
	}()
	// A secret is written when it is known whether there are values of it; a line
	// without values waits for that.
	var waiting [][]byte
	name, values := "", false
	for n := 1; len(all) > 0; {
		part := all[:min(n, len(all))]
		all = all[len(part):]
		entries := make([]entry, len(part))
		parallel.Do(n, len(part), func(i int) {
			entries[i] = readEntry(ctx, st, part[i])
			step()
		})
		if err := ctx.Err(); err != nil {
			return err
		}
		n = min(2*n, atOnce)
		for i, e := range entries {
			if len(e.data) > long {
				n = 1
			}
			if part[i].Name != name {
				name, values, waiting = part[i].Name, false, nil
			}
			switch {
			case errors.Is(e.err, store.ErrUnavailable):
				return e.err
			case e.err != nil:
				out.Failed = append(out.Failed, Failure{fmt.Sprintf("%s version %d", name, part[i].Version), e.err})
				continue
			case !e.values:
				out.Gone++
			default:
				out.Versions++
				if !values {
					values = true
					out.Secrets++
					noted = append(noted, part[i])
				}
			}
			if waiting = append(waiting, e.data); !values {
				continue
			}
			for _, data := range waiting {
				if err := lines.add(data); err != nil {
					return err
				}
				clear(data)
			}
			waiting = nil
		}
	}
	return nil
}

// readEntry reads one version.
func readEntry(ctx context.Context, st store.Store, info store.Info) entry {
	if err := ctx.Err(); err != nil {
		return entry{err: err}
	}
	l := &line{Name: agestore.Text(info.Name), Version: info.Version, Updated: info.Updated, Provider: agestore.Text(info.Provider), Deleted: info.Deleted}
	rec, err := getAny(ctx, st, info)
	if err == nil && rec != nil {
		l.Provider = agestore.Text(rec.Secret.Provider)
		l.Payload, err = agestore.NewPayload(&rec.Secret)
	}
	if err != nil {
		return entry{err: err}
	}
	data, err := encode(l)
	return entry{data, rec != nil, err}
}

// getAny reads a version, which may be deleted; nil where the store does not give the
// values of that.
func getAny(ctx context.Context, st store.Store, info store.Info) (*store.Record, error) {
	if !info.Deleted {
		return st.Get(ctx, info.Name, info.Version)
	}
	a, ok := store.As[store.Archive](st)
	if !ok || info.Destroyed {
		return nil, nil
	}
	return a.GetDeleted(ctx, info.Name, info.Version)
}
