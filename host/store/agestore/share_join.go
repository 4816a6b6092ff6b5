package agestore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/store"
)

// Shared says with whom a store is shared.
type Shared struct {
	Owner   Member
	Members []Member
	// You is the name of the user; "" where that is not known without a passphrase, or the
	// user is none of them.
	You string
	// Serial counts the changes of the list.
	Serial int64
	// Fingerprint is what two people compare to know that it is the same store, of the same
	// owner.
	Fingerprint string
}

func (r *roster) shared() Shared {
	return Shared{Owner: r.Owner, Members: r.Members, Serial: r.Serial, Fingerprint: fingerprint("store", r.Store, r.Owner.Signer)}
}

// Shared returns with whom the store is shared; nil where it is not. It asks for nothing.
func (s *Store) Shared(ctx context.Context) (*Shared, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	r, err := s.shared()
	if err != nil || r == nil {
		return nil, err
	}
	out := r.shared()
	if me, _ := s.knownMe(r); me != nil {
		out.You = me.Name
	}
	return &out, nil
}

// Others implements [store.Sharer]. It asks for nothing; where it is not known who the user is, none
// are others'.
func (s *Store) Others(ctx context.Context, names []string) ([]string, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	r, err := s.shared()
	if err != nil || r == nil {
		return nil, nil //nolint:nilerr // who reads one is told
	}
	me, known := s.knownMe(r)
	if !known {
		return nil, nil
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return me != nil && me.reads(folderName(name)) }), nil
}

// knownMe is the user in a list of members, nil for none of them, as far as that is known without a
// passphrase.
func (s *Store) knownMe(r *roster) (me *Member, known bool) {
	if k, err := s.ready(); err == nil && k != nil {
		if me, _, err := r.own(k); err == nil {
			return me, true
		}
	}
	s.mu.Lock()
	k := s.key
	s.mu.Unlock()
	if k != nil && r.reader(k.public) != nil { // a key of SSH says its public half
		return r.reader(k.public), true
	}
	if was, err := s.readSeen(); err == nil {
		me = r.whose(was.ID)
	}
	return me, me != nil
}

// Invitation is the list of members that is in the folder, for a user who is to say whether
// that is whom they share the store with.
type Invitation struct {
	Shared
	// Was is the owner until now, and OtherStore says that it was another store; nil where
	// this machine has joined none.
	Was        *Member
	OtherStore bool
	// Behind says what is not as this machine has seen it last; "" for nothing.
	Behind string
	// Private are the secrets in the folder that the user has saved, and the record of the shared
	// store does not have: they are given out no more once it is joined.
	Private []string
	// Folder is that of the store.
	Folder string

	roster *roster
	pin    []byte // of the list until now
}

// Invitation returns the list of members in the folder; nil where this machine has joined it, and
// all is there that it has seen. The list is checked by itself: whether its owner is who they say
// only the user can know.
func (s *Store) Invitation(ctx context.Context) (*Invitation, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	pin, err := s.pin()
	if err != nil {
		return nil, err
	}
	in := &Invitation{}
	now, bad := s.shared()
	switch err := bad; {
	case err == nil && pin == nil:
		return nil, fault.WithHint(fmt.Errorf("there is no list of members in %s", s.root()), "Bring the folder here first, with git or as you like.")
	case err == nil:
		if in.Behind, err = s.behind(now); err != nil {
			return nil, err
		}
		if in.Behind == "" {
			return nil, s.invited(&Invitation{roster: now, pin: pin.raw})
		}
	case !errors.Is(err, errMembers):
		return nil, err
	case pin != nil && !errors.Is(err, errNewOwner):
		in.Behind = err.Error()
	}
	raw, err := ownfile.ReadNoLink(s.membersPath(), maxRoster)
	if err != nil {
		return nil, cmp.Or(bad, err)
	}
	r, err := parseRoster(raw)
	if err != nil {
		return nil, cmp.Or(bad, fmt.Errorf("%s: %w", s.membersPath(), err))
	}
	in.Shared, in.roster = r.shared(), r
	if pin != nil {
		in.pin, in.Was, in.OtherStore = pin.raw, &pin.Owner, pin.Store != r.Store
	}
	if err := s.invited(in); err != nil {
		return nil, err
	}
	if in.Behind != "" && in.You == r.Owner.Name {
		return nil, fault.WithHint(errors.New(in.Behind), "You own the store: rhx store verify says more, and rhx store verify --accept takes it as it is.")
	}
	return in, nil
}

// behind says what is not in the folder any more that this machine has seen there; "" for nothing.
func (s *Store) behind(members *roster) (string, error) {
	was, err := s.readSeen()
	if err != nil {
		return err.Error(), nil //nolint:nilerr // it is what is shown
	}
	l, err := s.readLedger(members, was)
	if err != nil {
		return "", err
	}
	return l.behind(), nil
}

// invited finds out who the user is in the list of an invitation, and what they have here.
func (s *Store) invited(in *Invitation) error {
	r := in.roster
	in.Folder = s.root()
	saved := false
	if was, err := s.readSeen(); err == nil {
		saved = in.pin == nil && len(was.Sizes) > 0
	} else if in.Behind == "" {
		return err
	}
	s.mu.Lock()
	k, err := s.load()
	s.mu.Unlock()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		me := r.reader(k.public)
		if me == nil && k.ids != nil {
			if me, _, err = r.own(k); err != nil {
				return err
			}
		}
		if in.pin == nil && k.ids != nil && !saved { // on another machine, perhaps
			files, err := s.recordFiles()
			if err != nil {
				return err
			}
			own, err := signersOf(k, files)
			if err != nil {
				return err
			}
			saved = len(own.of) > 0
		}
		if me != nil {
			in.You = me.Name
		}
	}
	if saved {
		if in.Private, err = s.unlisted(r); err != nil {
			return err
		}
	}
	if in.You == "" {
		anyMore := ""
		if in.pin != nil {
			anyMore = " any more"
		}
		return fault.WithHint(fault.Mark(fmt.Errorf("you are not a member of the store of %s%s", r.Owner.Name, anyMore), store.ErrDenied), "Give "+r.Owner.Name+" what rhx store key prints here.")
	}
	return nil
}

// unlisted are the secrets with a version in the folder that the record of a shared store does not have.
func (s *Store) unlisted(r *roster) ([]string, error) {
	l, err := s.readLedger(r, &seen{})
	if err != nil {
		return nil, err
	}
	want, _ := l.want()
	names, err := s.names()
	if err != nil && fault.KindOf(err) != fault.Partial { // what is no secret is nobody's
		return nil, err
	}
	var out []string
	for _, name := range names {
		folder := s.folder(name)
		vs, err := versions(folder)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(vs, func(v version) bool {
			data, err := readVersion(filepath.Join(folder, v.file()))
			return err == nil && !want[folderName(name)][v.n].is(hashFile(data))
		}) {
			out = append(out, name)
		}
	}
	return out, nil
}

// Join has the store be shared here with those in the list that was shown, and with nobody
// else whom its owner does not name later.
func (s *Store) Join(ctx context.Context, in *Invitation) error {
	return s.locked(ctx, func() error {
		if pin, err := ownfile.Read(s.pinPath(), maxRoster); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		} else if !bytes.Equal(pin, in.pin) {
			return errors.New("another process has joined the store meanwhile")
		}
		if err := s.disk().Write(s.pinPath(), in.roster.raw, 0o600); err != nil {
			return err
		}
		now, err := s.shared()
		if err != nil {
			return err
		}
		if in.OtherStore || in.Behind != "" { // what was seen before is no measure
			was := s.readSeenAnyway()
			was.ID, was.Sizes, was.Hashes = newSharedID(""), map[string]int64{}, nil
			if err := (&recorder{store: s, seen: was}).saveSeen(); err != nil {
				return err
			}
		}
		was, err := s.readSeen()
		if err != nil {
			return err
		}
		l, err := s.readLedger(now, was)
		if err != nil {
			return err
		}
		return s.remember(l)
	})
}

// authors returns who has saved each version of a secret, by its number; nil where the store
// is not shared, or its record is not to be believed.
func (s *Store) authors(folder string, vs []version) map[int]string {
	members, err := s.shared()
	if err != nil || members == nil {
		return nil
	}
	was, err := s.readSeen()
	if err != nil {
		return nil
	}
	l, err := s.readLedger(members, was)
	if err != nil {
		return nil
	}
	want, _ := l.want()
	out := map[int]string{}
	for _, v := range vs {
		out[v.n] = "?"
		data, err := readVersion(filepath.Join(s.secrets(), folder, v.file()))
		if err != nil {
			continue
		}
		w, hash, b := want[folder][v.n], hashFile(data), bindingOf(data)
		if a := members.maker(w, hash, b); w.is(hash) && a != nil && b.by != nobody {
			out[v.n] = a.name
		}
	}
	return out
}
