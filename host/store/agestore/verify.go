package agestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/rhx-dev/rhx/host/fault"
)

// Verified is what Verify found.
type Verified struct {
	Secrets  int `json:"secrets"`
	Versions int `json:"versions"`
	// Problems say what was taken away, put back, added or altered.
	Problems []string `json:"problems"`
	// Notes say what need not be anybody's doing.
	Notes      []string     `json:"notes"`
	Unfinished []Unfinished `json:"-"`
}

// Unfinished is what a command of the user has left that was interrupted, and the command that
// ends it. Notes have it, too.
type Unfinished struct {
	What, Command string
}

func (v *Verified) problem(format string, args ...any) {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
}

func (v *Verified) note(format string, args ...any) {
	v.Notes = append(v.Notes, fmt.Sprintf(format, args...))
}

// Verify reads all of the store and compares it with the record of what is to be in it.
// It finds versions that were taken away, put back, added, replaced or marked by
// somebody who has not the key; a copy of the whole folder from before it finds on a
// machine that has written since. It may ask for the passphrase of the key.
func (s *Store) Verify(ctx context.Context) (*Verified, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	v := &Verified{Problems: []string{}, Notes: []string{}}
	folders, err := s.folders()
	if err != nil {
		return nil, err
	}
	ids, err := s.recordIDs()
	if err != nil {
		return nil, err
	}
	was, err := s.seenOrSaid(&Verified{}) // run says it
	if err != nil {
		return nil, err
	}
	_, odd, err := s.recordAndOdd()
	if err != nil {
		return nil, err
	}
	members, err := s.shared()
	if errors.Is(err, errMembers) {
		v.problem("%v. %s", err, fault.Hint(err))
	} else if err != nil {
		return nil, err
	}
	if members == nil && len(folders)+len(ids)+len(odd)+len(was.Sizes) == 0 {
		return v, nil
	}
	ready, err := s.ready()
	if err != nil {
		return nil, err
	}
	k, err := s.unlocked()
	if err != nil {
		return nil, err
	}
	err = s.locked(ctx, func() error {
		c := &comparison{Verified: v, store: s, key: k, locked: ready == nil || k.asks}
		err := c.run(ctx)
		v.Problems = append(v.Problems, c.foreign...)
		if err == nil && c.ledger != nil && was.ID != unknownSeen {
			err = s.remember(c.ledger)
		}
		return err
	})
	return v, err
}

// unknownSeen is in the place of the ID where what was seen cannot be read.
const unknownSeen = "?"

// seenOrSaid is readSeen; in a shared store what cannot be read is a problem, which stops nothing: the
// owner's accept and a member's join begin anew.
func (s *Store) seenOrSaid(v *Verified) (*seen, error) {
	was, err := s.readSeen()
	if err == nil {
		return was, nil
	}
	if is, pinErr := s.pinned(); pinErr != nil || !is {
		return nil, err
	}
	v.problem("%v, so nobody knows what this machine has seen of the store: the owner's rhx store verify --accept begins anew, and a member's rhx store join", err)
	return &seen{ID: unknownSeen, Sizes: map[string]int64{}}, nil
}

// remember has this machine know a record that was looked at. Callers hold the lock.
func (s *Store) remember(l *ledger) error {
	r := &recorder{store: s, ledger: l}
	var err error
	if r.seen, err = s.readSeen(); err != nil {
		return err
	}
	if err := s.setPin(l.roster); err != nil {
		return err
	}
	if r.seen.ID == "" {
		r.seen.ID = newSharedID("")
	}
	l.remember(r.seen)
	return r.saveSeen()
}

// comparison is one Verify.
type comparison struct {
	*Verified
	store *Store
	key   *key
	// locked reports that the key waits for a passphrase: there are lines without a
	// proof then.
	locked  bool
	pending map[string]change // changes that may or may not be made, by folder
	signers *signers
	// files are those of the record, and wrong the IDs of other machines' that are not as
	// they were written.
	files map[string][]byte
	wrong []string
	// forgot are the versions that were taken away, which the user knows.
	forgot map[string]map[int]bool
	// foreign says which files of the record count for nothing.
	foreign []string
	// ledger takes the place of signers in a shared store; me is the user there.
	ledger *ledger
	me     *Member
	// stale and others count the versions that are not encrypted as they are to be, and those
	// that are not shared with the user.
	stale, others int
	// unproven are files of the record with lines without a proof that this machine has not written.
	unproven []string
	// want and pendings are what is to be in a shared store, and what may be.
	want     states
	pendings map[string][]change
}

func (c *comparison) run(ctx context.Context) error {
	s := c.store
	folders, err := s.folders()
	if err != nil {
		return err
	}
	want, recorded, err := c.read()
	if err != nil {
		return err
	}
	all := slices.Compact(slices.Sorted(slices.Values(append(folders, slices.Collect(maps.Keys(want))...))))
	for _, folder := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !isPlain(filepath.Join(s.secrets(), folder), fs.ModeDir) {
			c.problem("%s is no folder: somebody else has put it there, and it is to be removed", filepath.Join(s.secrets(), folder))
			continue
		}
		vs, err := versions(filepath.Join(s.secrets(), folder))
		if err != nil {
			c.problem("%v", err)
			continue
		}
		if len(vs) > 0 {
			c.Secrets++
		}
		if err := c.folder(folder, vs, want[folder], recorded); err != nil {
			return err
		}
	}
	if c.others > 0 {
		c.note("%d versions are not shared with you; they are as the record has them", c.others)
	}
	c.left()
	if c.stale > 0 {
		if c.me == &c.ledger.roster.Owner {
			c.Unfinished = append(c.Unfinished, Unfinished{fmt.Sprintf("%d versions are not encrypted to the members of the store as they are now", c.stale), "rhx store share"})
		}
		c.note("%d versions are not encrypted to the members as they are now, since rhx store share, unshare or rekey was interrupted, or somebody saved before they had the list: %s runs rhx store share", c.stale, c.ledger.roster.Owner.Name)
	}
	if n := c.unfinished(want); n > 0 {
		c.Unfinished = append(c.Unfinished, Unfinished{fmt.Sprintf("%d versions are still encrypted as before rhx store rekey", n), "rhx store rekey"})
		c.note("%d versions are still encrypted as before rhx store rekey, which was interrupted: run it again, and it goes on", n)
	}
	return nil
}

// left says what those could read whom the user has taken out, where that was not said.
func (c *comparison) left() {
	if c.ledger == nil {
		return
	}
	lost, err := c.store.lostBy(c.ledger.roster)
	if err != nil {
		c.note("%v. %s", err, fault.Hint(err))
	}
	for _, l := range lost {
		what := fmt.Sprintf("%s could read these, and cannot any more; you were not told yet to change them where they come from: %s", l.Name, l.names())
		c.Unfinished = append(c.Unfinished, Unfinished{what, "rhx store share"})
		c.note("%s. rhx store share says it, and ends what was interrupted", what)
	}
}

// unfinished counts the versions that were written before the last rekey.
func (c *comparison) unfinished(want states) int {
	if c.signers == nil {
		return 0
	}
	since, n := rekeyedAt(c.signers, c.files), 0
	for _, of := range want {
		for _, v := range of {
			if v.clock <= since {
				n++
			}
		}
	}
	return n
}
