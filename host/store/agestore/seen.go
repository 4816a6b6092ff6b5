package agestore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rhx-dev/rhx/host/exactjson"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
)

// seen is what this machine knows of the record, kept outside of the store folder.
type seen struct {
	// Version is 2 where the store is shared.
	Version int `json:"version"`
	// ID names the file of this machine. In a shared store the file of seen has the two halves of
	// it apart: an rhx from before says then that a newer one wrote it, and not that it is damaged.
	ID   string `json:"id"`
	Rest string `json:"rest,omitempty"`
	// Sizes are those of all files when this machine last wrote; in a shared store how far they
	// are proven, and Hashes what they were up to there.
	Sizes  map[string]int64  `json:"sizes"`
	Hashes map[string]string `json:"hashes,omitempty"`
	// Proven is where the last line with a proof ends in the file of this machine.
	Proven int64 `json:"proven,omitempty"`

	length int // of the file
}

// readSeen returns what was seen; the zero seen where nothing was.
func (s *Store) readSeen() (*seen, error) {
	data, err := ownfile.Read(s.seenPath(), maxSeen)
	if errors.Is(err, fs.ErrNotExist) {
		return &seen{Sizes: map[string]int64{}}, nil
	}
	if err != nil {
		return nil, err
	}
	was := &seen{}
	err = json.Unmarshal(data, was)
	if err != nil || !validID(was.ID) || was.Rest != "" && !validID(was.Rest) {
		return nil, fault.WithHint(fmt.Errorf("%s is damaged", s.seenPath()), "without it an older copy of the store is not found; remove it, and look at rhx store verify")
	}
	was.ID, was.Rest = was.ID+was.Rest, ""
	if was.length = len(data); was.Sizes == nil {
		was.Sizes = map[string]int64{}
	}
	return was, ownfile.CheckVersion(s.seenPath(), was.Version, 2)
}

// readSeenAnyway is readSeen for an owner who puts the store right: what cannot be read is no reason to
// leave somebody in it.
func (s *Store) readSeenAnyway() *seen {
	was, err := s.readSeen()
	if err != nil {
		s.warnOnce("%v: what this machine has seen of the store until now is not known", err)
		return &seen{ID: newSharedID(""), Sizes: map[string]int64{}, length: maxSeen + 1}
	}
	return was
}

// writeSeen notes how long the files are. It needs not be on the disk: what it says is
// true of what was before.
func (r *recorder) writeSeen() error {
	if r.ledger != nil {
		r.ledger.remember(r.seen)
		r.seen.Sizes[r.seen.ID], r.seen.Hashes[r.seen.ID] = r.size, hashText(r.sum)
		return r.saveSeen()
	}
	r.sizes[r.seen.ID] = r.size
	for id, size := range r.sizes {
		r.seen.Sizes[id] = max(size, r.seen.Sizes[id])
	}
	return r.saveSeen()
}

func (r *recorder) saveSeen() error {
	out := *r.seen
	if out.Version = 1; len(out.ID) == sharedID {
		out.Version, out.ID, out.Rest = 2, out.ID[:sharedID/2], out.ID[sharedID/2:]
	}
	data, err := exactjson.Marshal(out)
	if err != nil {
		return err
	}
	data = append(data, '\n')
	was := r.seen.length
	r.seen.length = len(data)
	if len(data) < was {
		return r.store.disk().Write(r.store.seenPath(), data, 0o600)
	}
	r.store.step()
	return ownfile.Overwrite(r.store.seenPath(), data)
}

// replaceSeen is writeSeen where a size may be smaller than it was.
func (r *recorder) replaceSeen() error {
	r.seen.Sizes[r.seen.ID] = r.size
	return r.saveSeen()
}
