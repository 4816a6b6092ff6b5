package vaultstore

import (
	"maps"
	"slices"
	"sync"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// maxSeen is how many versions of one entry are remembered.
const maxSeen = 8

// seen remembers, of the versions that a store has read, the fields that
// something else than rhx wrote: [secret.Values] are texts, and cannot say that a
// port was a number. What is put again with the same text is put as it was.
type seen struct {
	mu sync.Mutex
	// versions are those read of an entry, by its path, the last read last.
	versions map[string][]seenVersion
}

type seenVersion struct {
	number int
	values secret.Values
	fields fields
}

// add remembers a version. Where no version of an entry has such fields, there is
// nothing to remember.
func (s *seen) add(path string, number int, values secret.Values, f fields) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.DeleteFunc(s.versions[path], func(v seenVersion) bool { return v.number == number })
	if len(list) == 0 && len(f) == 0 {
		delete(s.versions, path)
		return
	}
	if len(list) == maxSeen {
		list = list[1:]
	}
	if s.versions == nil {
		s.versions = map[string][]seenVersion{}
	}
	s.versions[path] = append(list, seenVersion{number, maps.Clone(values), f})
}

// fields returns what the fields of values were: those of a version that had just
// these values, as when it is brought back; else those of the version that is
// replaced, which is the newest one where expect does not say.
func (s *seen) fields(path string, values secret.Values, expect int) fields {
	s.mu.Lock()
	defer s.mu.Unlock()
	replaced := seenVersion{}
	for _, v := range slices.Backward(s.versions[path]) {
		if v.values.Equal(values) {
			return v.fields
		}
		if v.number == expect || expect == store.AnyVersion && v.number > replaced.number {
			replaced = v
		}
	}
	return replaced.fields
}

func (s *seen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions = nil
}
