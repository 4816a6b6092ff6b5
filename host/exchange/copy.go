package exchange

import (
	"context"
	"errors"
	"fmt"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// CopyOptions say what is copied, and where.
type CopyOptions struct {
	// From is the secret and To its name there; "" with All, and To also where the
	// name stays.
	From, To string
	// All copies every secret, under its name.
	All bool
	// Store is the other store; nil for the same one.
	Store store.Store
	// Overwrite replaces other values there.
	Overwrite bool
	// Move deletes what was copied where it came from.
	Move bool
}

// Copied is the outcome for one secret.
type Copied struct {
	// Name is the secret's; To is its name there.
	Name string
	Saved
	// Moved reports that it is deleted where it was.
	Moved bool
}

// Copy copies secrets to another name or another store: the newest version with all
// that belongs to it. A secret that fails stops no other; those of which not even the name can be had
// are the error then, of kind [fault.Partial].
func (x *Exchange) Copy(ctx context.Context, opts CopyOptions) ([]Copied, error) {
	from, err := x.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	to := opts.Store
	if to == nil {
		to = from
	}
	if opts.To == "" {
		opts.To = opts.From
	}
	if to.URL() == from.URL() && (opts.All || opts.From == opts.To) {
		return nil, fault.WithHint(fault.WithKind(errors.New("that is where it is already"), fault.Usage), "give another name, or another store with --to-store")
	}
	var reads []records.Read
	var unread error
	if opts.All {
		var infos []store.Info
		if infos, unread, err = x.Records.Readable(ctx); err != nil {
			return nil, err
		}
		names := make([]string, len(infos))
		for i, info := range infos {
			names[i] = info.Name
		}
		if reads, err = x.Records.ReadMany(ctx, names); err != nil {
			return nil, err
		}
	} else {
		rec, err := x.Records.Get(ctx, opts.From, 0)
		if err != nil {
			return nil, err
		}
		reads = []records.Read{{Name: opts.From, Record: rec}}
	}
	out := make([]Copied, len(reads))
	x.Records.Each("copying", len(reads), func(i int) {
		name := reads[i].Name
		if !opts.All {
			name = opts.To
		}
		out[i] = x.copyOne(ctx, from, to, reads[i], name, opts)
	})
	return out, unread
}

func (x *Exchange) copyOne(ctx context.Context, from, to store.Store, read records.Read, name string, opts CopyOptions) Copied {
	c := Copied{Name: read.Name, Saved: Saved{Name: name, Action: provider.Failed, Err: read.Err}}
	if c.Err != nil {
		return c
	}
	sec, err := x.renamed(&read.Record.Secret, name)
	if err != nil {
		c.Err = err
		return c
	}
	c.Saved = put(ctx, to, sec, func(*store.Record) error {
		if opts.Overwrite {
			return nil
		}
		return fault.WithHint(fmt.Errorf("%s has a secret of this name with other values", to.URL()), "--overwrite replaces them")
	})
	if c.Err != nil || !opts.Move {
		return c
	}
	if err := from.Delete(ctx, read.Name); err != nil {
		c.Err = fmt.Errorf("copied, and not deleted in %s: %w", from.URL(), err)
		return c
	}
	c.Moved = true
	return c
}

// renamed is a secret under another name. A name that begins with its provider says
// the profile, too; any other name leaves the profile as it is.
func (x *Exchange) renamed(sec *secret.Secret, name string) (*secret.Secret, error) {
	if err := secret.ValidName(name); err != nil {
		return nil, fault.WithKind(err, fault.Usage)
	}
	out := sec.Clone()
	if out.Name = name; sec.Provider == "" || name == sec.Name {
		return out, nil
	}
	sp, err := x.Specs.Get(sec.Provider)
	if err == nil && !x.ownName(sp, name) {
		_, out.Profile = secret.SplitName(name)
	}
	return out, nil
}
