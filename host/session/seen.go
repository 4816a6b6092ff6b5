package session

import (
	"context"
	"strconv"
	"strings"

	"github.com/rhx-dev/rhx/host/place"
)

// Which version of a secret a machine has, or had last, is kept beside the
// fingerprints, under no key of the secret's: "3 local" is version 3 of the local
// store.

// Version is one of a secret in a store.
type Version struct {
	Number int
	// Store is the store's URL.
	Store string
}

func (v Version) String() string { return strconv.Itoa(v.Number) + " " + v.Store }

// Saw notes which versions of secrets, by their names in the store, a machine has.
func (b *Book) Saw(ctx context.Context, at place.Place, versions map[string]Version) {
	if len(versions) == 0 {
		return
	}
	rec, err := b.fingerprints(ctx)
	if err == nil {
		for name, v := range versions {
			rec.NoteVersion(at.String(), name, v.String())
		}
		err = rec.Save(ctx)
	}
	if err != nil {
		b.warn("which versions this machine has was not noted: " + err.Error())
	}
}

// Seen returns the version of a secret that a machine had last of a store; 0 where
// that is not known.
func (b *Book) Seen(ctx context.Context, at place.Place, name, store string) (int, error) {
	rec, err := b.fingerprints(ctx)
	if err != nil {
		return 0, err
	}
	number, of, _ := strings.Cut(rec.Version(at.String(), name), " ")
	if of != store {
		return 0, nil
	}
	n, _ := strconv.Atoi(number) // what is no number is not known
	return n, nil
}
