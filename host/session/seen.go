package session

import (
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
func (b *Book) Saw(at place.Place, versions map[string]Version) {
	n := note{at: at.String(), set: map[string]string{}}
	for name, v := range versions {
		n.set[entryKey(name, "")] = v.String()
	}
	if len(n.set) == 0 {
		return
	}
	if err := b.changePrints([]note{n}); err != nil {
		b.warn("which versions this machine has was not noted: " + err.Error())
	}
}

// Seen returns the version of a secret that a machine had last of a store; 0 where
// that is not known.
func (b *Book) Seen(at place.Place, name, store string) (int, error) {
	f, err := b.load()
	if err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	number, of, _ := strings.Cut(f.by[at.String()][entryKey(name, "")], " ")
	if of != store {
		return 0, nil
	}
	n, _ := strconv.Atoi(number) // what is no number is not known
	return n, nil
}
