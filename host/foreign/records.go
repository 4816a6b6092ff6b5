package foreign

import (
	"context"
	"errors"
	"path"

	"github.com/rhx-dev/rhx/host/store"
)

// Records reads what others keep in a store: the secrets of names that are there, or
// without names all. Each is called by a prefix and its name. One of rhx's own is left:
// it is copied with all that rhx knows of it.
func Records(ctx context.Context, st store.Store, prefix string, names []string) (*Export, error) {
	asked := len(names) > 0
	if !asked {
		infos, err := st.List(ctx)
		if err != nil {
			return nil, err
		}
		for _, info := range infos {
			names = append(names, info.Name)
		}
	}
	e := &Export{Sealed: true}
	for _, name := range names {
		rec, err := st.Get(ctx, name, 0)
		title := path.Join(prefix, name)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case asked && errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			e.Left = append(e.Left, Left{Name: title, Why: err.Error()})
			continue
		case rec.Secret.Provider != "":
			e.Left = append(e.Left, Left{Name: title, Why: "it is a secret of rhx: rhx copy brings it to another store"})
			continue
		}
		it := Item{Title: title, Name: title}
		for _, key := range rec.Secret.Values.Keys() {
			it.add(key, rec.Secret.Values[key].Reveal(), false)
		}
		e.put(it)
	}
	return e.checked()
}
