package agestore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/store"
)

// rekeyShared has the owner's new key, the first of k, be the owner's, and encrypts all to it.
func (s *Store) rekeyShared(ctx context.Context, k *key, was *roster) (int, error) {
	all, err := k.signers()
	if err != nil {
		return 0, err
	}
	c := &reshaping{as: all[0]}
	if was.Owner.Signer != c.as.public {
		c.next, c.folders, c.takenOut = was.next(), []string{allFolders}, true
		c.next.Owner.Recipients, c.next.Owner.Signer = k.public, c.as.public
		c.enters = []string{c.as.public}
	}
	return s.apply(ctx, k, was, c)
}

// Acceptance is what Accept would have a shared store be.
type Acceptance struct {
	// Shared is with whom it is shared then.
	Shared
	// Out are the members until now where that is with nobody: the owner has made another list of
	// them, and those who are on this one may be taken out there.
	Out []Member

	hash string // of the list until now
}

// Acceptance says what Accept would have a shared store be; nil where it is not shared.
func (s *Store) Acceptance(ctx context.Context) (a *Acceptance, err error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if is, err := s.pinned(); err != nil || !is {
		return nil, err
	}
	s.withoutAgent()
	k, err := s.unlocked()
	if err != nil {
		return nil, err
	}
	err = s.locked(ctx, func() error {
		w, err := s.accepting(k)
		if err == nil && w != nil {
			a = w.shown()
		}
		return err
	})
	return a, err
}

// accepting is an Accept of a shared store.
type accepting struct {
	as     *signer
	was    *roster // the list that counts
	ledger *ledger
	// next takes its place, with the owner alone; nil where it stays.
	next *roster
	// publish: it is not in the folder.
	publish bool
	// doubt: the owner has said more than the record has, such as what is to be encrypted anew.
	doubt bool
}

func (w *accepting) shown() *Acceptance {
	if w.next == nil {
		return &Acceptance{w.was.shared(), nil, w.was.hash}
	}
	return &Acceptance{w.next.shared(), w.was.Members, w.was.hash}
}

// accepting finds out what there is to accept. The owner alone accepts. Where the owner has made a
// list of members that this machine has not, or one that was made beside its own, nobody knows
// here who is to be on it: it begins with the owner alone.
func (s *Store) accepting(k *key) (*accepting, error) {
	pin, err := s.pin()
	if err != nil || pin == nil {
		return nil, err
	}
	_, as, err := pin.own(k)
	if err != nil {
		return nil, err
	}
	if as == nil || as.public != pin.Owner.Signer {
		return nil, fault.WithHint(fault.Mark(fmt.Errorf("%s owns the store, and alone says what it is to be", pin.Owner.Name), store.ErrDenied), pin.wayOut(nil))
	}
	w := &accepting{as: as}
	w.was, err = s.shared()
	if err == nil {
		w.was, err = s.endPublish(w.was)
	}
	if err != nil && !errors.Is(err, errMembers) {
		return nil, err
	}
	if w.publish = err != nil; w.publish {
		w.was = pin
	}
	if w.ledger, err = s.ledgerOf(w.was, true); err != nil {
		return nil, err
	}
	unknown, serial := false, w.ledger.newestList()
	var hashes []string
	for _, c := range w.ledger.lists {
		hashes = append(hashes, c.hash)
		unknown = unknown || !w.was.follows(c.hash)
	}
	if raw, err := ownfile.ReadNoLink(s.membersPath(), maxRoster); err == nil {
		if r, err := parseRoster(raw); err == nil && r.Store == pin.Store && r.Owner.Signer == as.public && !w.was.follows(r.hash) {
			unknown, serial = true, max(serial, r.Serial)
			hashes = append(append(hashes, r.Before...), r.hash)
		}
	}
	if w.doubt = unknown || !w.ledger.hasList(w.was); unknown {
		w.next, err = w.was.alone(serial, hashes).sealed(as)
	}
	return w, err
}

// acceptShared is Accept for a store that is shared; done reports that it is. shown is what the
// user has seen.
func (s *Store) acceptShared(ctx context.Context, k *key, shown *Acceptance) (done bool, err error) {
	w, err := s.accepting(k)
	if err != nil || w == nil {
		return w != nil || err != nil, err
	}
	if now := w.shown(); shown == nil || shown.hash != now.hash || len(shown.Out) != len(now.Out) {
		return true, errors.New("the list of the members has changed meanwhile: nothing was accepted")
	}
	l, now := w.ledger, w.was
	c := &reshaping{as: w.as, anyway: true}
	c.takes, c.voids = l.wrong()
	c.voids = c.voids[:min(len(c.voids), maxRecords)] // the next Accept goes on
	c.removes = slices.Clone(c.voids)
	c.voids = append(c.voids, l.removed...) // else nobody who has seen them would save any more
	next := w.next
	if next == nil {
		next = now
	}
	if c.start, err = s.acceptable(k, l, next, w.doubt); err != nil {
		return true, err
	}
	if w.doubt {
		c.folders, c.takenOut = []string{allFolders}, true
	}
	if w.next != nil {
		for _, m := range now.Members {
			c.leaves = append(c.leaves, m.Signer)
		}
		if err := s.settle(l, w.next, c); err != nil {
			return true, err
		}
		err = s.newList(now, w.next, l, c)
		now = w.next
	} else {
		if err = s.restate(l, now, c); err == nil && w.publish {
			err = s.publish(now, now)
		}
		if err == nil {
			err = s.removeVoid(c.removes)
		}
	}
	if err != nil {
		return true, err
	}
	// What was seen before is no measure any more.
	seen := s.readSeenAnyway()
	seen.ID, seen.Sizes, seen.Hashes = newSharedID(w.as.public), map[string]int64{}, nil
	if err := (&recorder{store: s, seen: seen}).saveSeen(); err != nil {
		return true, err
	}
	_, err = s.encryptAll(ctx, k, now, c)
	return true, err
}

// acceptable are the changes that lead from what the record says to what is in the folder. What
// cannot be read stays as it was. next is the list of members that there is then; where there is
// doubt, nobody knows to whom anything was to be encrypted.
func (s *Store) acceptable(k *key, l *ledger, next *roster, doubt bool) ([]change, error) {
	now, unread, err := s.present()
	if err != nil {
		return nil, err
	}
	want, _ := l.want()
	highest := map[string]int{}
	for folder, of := range want {
		for n := range of {
			highest[folder] = max(highest[folder], n)
		}
	}
	var is []change
	for i := 0; i+1 < len(now); i += 2 { // each with its done, and the versions of a secret in order
		c := now[i]
		if !l.roster.may(&l.roster.Owner, &c) || c.version > highest[c.folder]+maxJump {
			continue
		}
		highest[c.folder] = max(highest[c.folder], c.version)
		if w := want[c.folder][c.version]; c.op == opPut {
			err := s.take(k, l, next, w, &c, doubt)
			switch {
			case errors.Is(err, errForeign):
				unread = append(unread, change{folder: c.folder, version: c.version})
			case err != nil:
				return nil, err
			}
		}
		is = append(is, c, now[i+1])
	}
	return becoming(want, slices.DeleteFunc(is, func(c change) bool {
		return slices.ContainsFunc(unread, func(u change) bool { return u.version > 0 && u.folder == c.folder && u.version == c.version })
	}), unread), nil
}

// take has a version be accepted, of which the record says w, and says in c whose word it is then. What
// the record has so, by who has made it, stays. Else it is that of who has made it where it is encrypted
// to those who are to read it. Else somebody may have put it there to have it encrypted to others: it
// becomes the owner's, who encrypts it to themselves alone. What the owner cannot read matches
// errForeign, and so does what has another hash than c by now: who changes it meanwhile would have the
// hash of the one file be accepted for the header of another.
func (s *Store) take(k *key, l *ledger, next *roster, w state, c *change, doubt bool) error {
	path := filepath.Join(s.secrets(), c.folder, version{n: c.version}.file())
	data, err := readVersion(path)
	if err != nil {
		return err
	}
	if hashFile(data) != c.hash {
		return errForeign
	}
	b := bindingOf(data)
	if w.hash == c.hash {
		if l.roster.maker(w, c.hash, b) != nil {
			return nil
		}
		doubt = true
	}
	info, sec, err := s.decode(k, data)
	if err != nil || folderName(info.Name) != c.folder || info.Version != c.version {
		return errForeign
	}
	if !doubt && b.store == l.roster.Store && l.roster.place(b.list) >= max(0, l.since(c.folder)) {
		if b.by == nobody {
			return nil
		}
		if len(b.by) == sharedID/2 && isHex(b.by) {
			c.by.key = b.by
			return nil
		}
	}
	plain, err := encodePayload(sec)
	if err != nil {
		return err
	}
	defer clear(plain)
	if data, err = next.encodeAlone(info, plain); err != nil {
		return errForeign
	}
	c.hash = hashFile(data)
	return s.disk().Write(path, data, 0o600)
}
