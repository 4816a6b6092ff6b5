package agestore

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/store"
)

// openShared is openRecordWith for a store that is shared. anyway: also where it is not
// as it was, for who puts that right.
func (s *Store) openShared(k *key, members *roster, anyway bool) (*recorder, error) {
	if k == nil {
		return nil, errors.New("the store is shared, so each change is signed, and the key waits for its passphrase")
	}
	me, as, err := members.own(k)
	if err != nil {
		return nil, err
	}
	if me == nil {
		return nil, fault.WithHint(fault.Mark(errors.New("you are not a member of the store"), store.ErrDenied), askOwner(members))
	}
	if as == nil {
		return nil, fault.WithHint(fault.Mark(errors.New("the store is shared with you for reading"), store.ErrDenied), askOwner(members))
	}
	r := &recorder{store: s, key: k, signer: as, me: me, sizes: map[string]int64{}}
	if anyway {
		r.seen = s.readSeenAnyway()
	} else if r.seen, err = s.readSeen(); err != nil {
		return nil, err
	}
	if err := s.setPin(members); err != nil {
		return nil, err
	}
	if r.ledger, err = s.readLedger(members, r.seen); err != nil {
		return nil, err
	}
	if what := r.ledger.behind(); what != "" && !anyway {
		return nil, fault.WithHint(fmt.Errorf("%s/%s", s.recordDir(), what), members.wayOut(me))
	}
	if what := r.ledger.ahead(); what != "" {
		return nil, fault.WithHint(fault.Mark(fmt.Errorf("%s: %s", s.membersPath(), what), errMembers), members.wayOut(me))
	}
	if r.clock = r.ledger.clock(); r.clock > highClock {
		return nil, fault.WithHint(errors.New("somebody has written a clock into the record of the store that nobody gets to"),
			"Whose it is the owner finds in "+s.recordDir()+", and takes them out: rhx store unshare NAME. rhx store verify --accept only sets the clocks back.")
	}
	own := r.ledger.pages[r.seen.ID]
	files := 0
	for _, p := range r.ledger.pages {
		if p.by == me {
			files++
		}
	}
	if r.ledger.many[me] || own == nil && files >= maxFiles && me != &members.Owner {
		return nil, fault.WithHint(errors.New("you have more files of the record than there can be"), "Your machines have made that many, or another program has. "+askOwner(members)+" They take you out, and share the store with you again.")
	}
	_, was := r.seen.Sizes[r.seen.ID]
	if members.whose(r.seen.ID) != me || r.ledger.void[r.seen.ID] || own == nil && was || own != nil && (own.behind || len(own.bad) > 0) {
		r.seen.ID, own = newSharedID(as.public), nil
	}
	r.sum = members.newSum(r.seen.ID)
	if err := s.disk().MkdirAll(s.recordDir()); err != nil {
		return nil, err
	}
	if own == nil { // it is made with its first line
		return r, nil
	}
	data, err := ownfile.ReadNoLink(s.recordPath(r.seen.ID), own.size+maxLine) // and what a process that was killed has left
	if err != nil {
		return nil, err
	}
	r.files = map[string][]byte{r.seen.ID: data[:own.size]}
	return r, r.openOwn()
}

// wayOut says what to do about a record that is not as it was.
func (r *roster) wayOut(me *Member) string {
	if me == &r.Owner {
		return "Get the folder as your other machines have it (git). rhx store verify says more, and rhx store verify --accept takes it as it is, with the members as this machine has seen them last."
	}
	return "Get the folder as the others have it (git), or ask " + r.Owner.Name + ", who owns the store. Where nobody has it any more, look at rhx store verify: rhx store join takes the folder as it is."
}

func askOwner(r *roster) string { return "Ask " + r.Owner.Name + ", who owns the store." }

var errNotYours = errors.New("it is not shared with your key")

// notShared is the error for a secret that is not shared with the user.
func notShared(r *roster) error {
	return fault.WithHint(fault.Mark(errNotYours, store.ErrDenied), askOwner(r))
}

// newSharedID is the ID of a new file of the record that a key signs.
func newSharedID(signer string) string {
	raw := make([]byte, sharedID/4)
	_, _ = rand.Read(raw) // it never fails
	return idPrefix(signer) + hex.EncodeToString(raw)
}
