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
		if err := s.incoming(c, c.as.public); err != nil {
			return 0, err
		}
	}
	return s.apply(ctx, k, was, c)
}

// acceptShared is Accept for a store that is shared; done reports that it is. The owner alone
// accepts: with the list of members as this machine has it, and what the folder holds.
func (s *Store) acceptShared(ctx context.Context, k *key) (done bool, err error) {
	pin, err := s.pin()
	if err != nil || pin == nil {
		return false, err
	}
	_, as, err := pin.own(k)
	if err != nil {
		return true, err
	}
	if as == nil || as.public != pin.Owner.Signer {
		return true, fault.WithHint(fault.Mark(fmt.Errorf("%s owns the store, and alone says what it is to be", pin.Owner.Name), store.ErrDenied), pin.wayOut(nil))
	}
	now, listErr := s.shared()
	if listErr != nil && !errors.Is(listErr, errMembers) {
		return true, listErr
	}
	if now == nil {
		now = pin
	}
	l, err := s.ledgerOf(now)
	if err != nil {
		return true, err
	}
	c := &reshaping{as: as, anyway: true}
	c.takes, c.voids = l.wrong()
	c.voids = c.voids[:min(len(c.voids), maxRecords)]
	c.removes = slices.Clone(c.voids)
	if c.start, err = s.acceptable(k, l); err != nil {
		return true, err
	}
	if listErr != nil || l.ahead() != "" {
		next := now.next()
		if raw, err := ownfile.ReadNoLink(s.membersPath(), maxRoster); err == nil {
			if r, err := parseRoster(raw); err == nil && r.Store == pin.Store && r.Owner.Signer == as.public && !now.follows(hashFile(r.raw)) {
				next = now.merged(r)
			}
		}
		for _, c := range l.lists { // nobody has them any more
			if !slices.Contains(next.Before, c.hash) {
				next.Before = append(next.Before, c.hash)
			}
		}
		next.Serial = max(next.Serial, l.newestList()+1)
		c.folders, c.takenOut = []string{allFolders}, true // who is on another list could read what was saved with that
		if next, err = next.sealed(as); err != nil {
			return true, err
		}
		err = s.newList(now, next, l, c)
		now = next
	} else if err = s.restate(l, now, c); err == nil {
		err = s.removeVoid(c.removes)
	}
	if err != nil {
		return true, err
	}
	// What was seen before is no measure any more.
	seen, err := s.readSeen()
	if err != nil {
		return true, err
	}
	seen.Version, seen.ID, seen.Sizes, seen.Hashes = 1, newSharedID(as.public), map[string]int64{}, nil
	if err := (&recorder{store: s, seen: seen}).saveSeen(); err != nil {
		return true, err
	}
	_, err = s.encryptAll(ctx, k, now, c)
	return true, err
}

// acceptable are the changes that lead from what the record says to what is in the folder. Of a
// version that is not encrypted to all members of now, whoever put it there may want that.
func (s *Store) acceptable(k *key, l *ledger) ([]change, error) {
	now, err := s.present(true)
	if err != nil {
		return nil, err
	}
	var is []change
	for i := 0; i+1 < len(now); i += 2 { // each with its done
		if l.roster.may(&l.roster.Owner, &now[i]) {
			is = append(is, now[i], now[i+1])
		}
	}
	want, _ := l.want()
	changes := becoming(want, is)
	for i := range changes {
		c := &changes[i]
		if c.op != opPut {
			continue
		}
		data, err := ownfile.ReadNoLink(filepath.Join(s.secrets(), c.folder, version{n: c.version}.file()), maxFile)
		if err != nil {
			return nil, err
		}
		b := bindingOf(data)
		c.by.key = nobody
		if _, _, err := s.decode(k, data); err == nil && b.store == l.roster.Store && b.serial >= max(1, l.since(c.folder)) && len(b.by) == len(nobody) && isHex(b.by) {
			c.by.key = b.by
		}
	}
	return changes, nil
}
