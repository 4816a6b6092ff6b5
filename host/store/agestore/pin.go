package agestore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/store"
)

// What this machine has last seen of store/members is kept outside of the store folder, in
// store.members: whose store it is, and which was the newest list. It is there since the user
// shared the store or joined it, and for no other reason. A list in the folder counts where
// it is that one, or a later one that the same owner has signed.

var (
	// errMembers is the kind of error for a list in the folder that is not to be believed.
	errMembers = errors.New("the list of the members is not to be believed")
	// errNotJoined is that of a list that the user has not said to be theirs.
	errNotJoined = errors.New("not joined")
	// errNewOwner is that of a list of somebody else than until now.
	errNewOwner = errors.New("another owner")
	// errOlder is that of one that is gone, or from before.
	errOlder = errors.New("an older list")
)

func (s *Store) membersPath() string { return filepath.Join(s.root(), "members") }
func (s *Store) pinPath() string     { return filepath.Join(s.opt.Dir, "store.members") }

// pinned reports whether this machine has shared the store, or joined it.
func (s *Store) pinned() (bool, error) {
	_, err := os.Lstat(s.pinPath())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// pin returns the list that this machine has seen last; nil where there is none.
func (s *Store) pin() (*roster, error) {
	raw, err := ownfile.Read(s.pinPath(), maxRoster)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := parseRoster(raw)
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("%s is damaged: %w", s.pinPath(), err), "remove it, and join the store anew: rhx store join")
	}
	return r, nil
}

// setPin has r be what this machine has seen last.
func (s *Store) setPin(r *roster) error {
	if was, err := ownfile.Read(s.pinPath(), maxRoster); err == nil && bytes.Equal(was, r.raw) {
		return nil
	}
	return s.disk().Write(s.pinPath(), r.raw, 0o600)
}

// shared returns with whom the store is shared; nil where it is not. The error for a list in
// the folder that this machine does not believe matches errMembers.
func (s *Store) shared() (*roster, error) {
	pin, err := s.pin()
	if err != nil {
		return nil, err
	}
	raw, err := ownfile.ReadNoLink(s.membersPath(), maxRoster)
	gone := errors.Is(err, fs.ErrNotExist)
	if pin == nil && gone {
		return nil, nil
	}
	unread := err
	if pin != nil && bytes.Equal(raw, pin.raw) {
		return pin, nil
	}
	bad := func(kind error, hint, format string, args ...any) (*roster, error) {
		err := fmt.Errorf("%s: %w", s.membersPath(), fmt.Errorf(format, args...))
		return nil, fault.WithHint(fault.Mark(fault.Mark(fault.Mark(err, kind), errMembers), store.ErrDenied), hint)
	}
	var now *roster
	if unread == nil {
		now, err = parseRoster(raw)
	}
	const (
		join   = "rhx store join takes it, after it has shown whose it is"
		unless = "If you did not expect that, somebody else has put the file there: remove it. Else " + join + "."
	)
	if pin == nil {
		if err != nil {
			return bad(errNotJoined, "Nobody has shared this store here. Look where the file comes from, and remove it.", "the store is said to be shared, and the list of its members is wrong: %w", err)
		}
		return bad(errNotJoined, unless, "the store is said to be shared by %s, and you have not joined it", now.Owner.Name)
	}
	back := "Get the folder as the others have it (git), or ask " + pin.Owner.Name + ", who shares the store. The owner's rhx store verify --accept writes the list of members anew."
	asked := back + " If the owner has told you of that, " + join + "."
	switch {
	case gone:
		return bad(errOlder, back, "it was removed")
	case unread != nil:
		return bad(nil, "Remove what is in its place. "+back, "it cannot be read: %w", err)
	case err != nil:
		return bad(nil, back, "it was changed: %w", err)
	case now.Store != pin.Store:
		return bad(errNewOwner, asked, "it is that of another store, which is said to be shared by %s", now.Owner.Name)
	case now.Serial < pin.Serial:
		return bad(errOlder, back, "it was put back to what it was at an earlier time: the store may be an older copy of itself")
	case now.Owner.Signer != pin.Owner.Signer && now.Serial > pin.Serial:
		return bad(errNewOwner, asked, "somebody says that the owner's key is %s now, and it was %s", now.Owner.Fingerprint(), pin.Owner.Fingerprint())
	case now.Owner.Signer != pin.Owner.Signer:
		return bad(nil, back, "it is by somebody else than %s, whose store it is", pin.Owner.Name)
	case now.Serial == pin.Serial, !now.follows(pin.hash):
		return bad(nil, back, "it was not made of the one that this machine has seen last: two of the owner's machines have changed it at once, or somebody has the owner's key. --accept begins with the owner alone")
	}
	now.later = true
	return now, nil
}

// openForWriting has the key be open where every change is to be signed, before the store is
// locked: nobody is asked for anything then.
func (s *Store) openForWriting() error {
	if is, err := s.pinned(); err != nil || !is {
		return err
	}
	_, err := s.unlocked()
	return err
}
