package agestore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

// reshaping is a change of with whom a store is shared.
type reshaping struct {
	next *roster // the list as it is to be, not signed yet; nil where it stays
	as   *signer // who signs it
	// start are changes that the owner's new file of the record begins with.
	start []change
	// takes are the IDs of files of the record whose word is the owner's from then on, and
	// voids those of files that count for nothing. Neither count by themselves after that.
	takes, voids []string
	// leaves and enters are the keys that sign of whom the owner speaks for from then on, and of
	// whom nothing counts that they have said until then.
	leaves, enters []string
	// removes are those of them that are removed in the end: nobody writes to them any more, so
	// that git tells of no conflict.
	removes []string
	// folders are those of the secrets that are to be encrypted anew.
	folders []string
	// anyway: it is done though the record is not as it was.
	anyway bool
	// takenOut: somebody could read before what they are not to read any more.
	takenOut bool
	// lost is what that is, which is to be said to the user.
	lost []Lost
}

// Share shares the store with m: all that is in it and will be, or m's Secrets. Where it is
// shared with m already they get what m has now, which may be less. The first time self is
// the name of the user, who owns the store from then on. It returns how many versions were
// encrypted anew. Called again, it goes on where it was interrupted; with nil it does that
// and nothing else.
func (s *Store) Share(ctx context.Context, m *Member, self string) (int, error) {
	n, err := s.reshape(ctx, func(was *roster, k *key, c *reshaping) error {
		if m == nil {
			return nil
		}
		add := *m
		add.Secrets = slices.Clone(m.Secrets)
		slices.Sort(add.Secrets)
		add.Secrets = slices.Compact(add.Secrets)
		add.All = len(add.Secrets) == 0
		if was == nil {
			return s.firstShare(c, k, add, self)
		}
		i := slices.IndexFunc(was.Members, func(old Member) bool { return slices.Equal(old.Recipients, add.Recipients) })
		if i < 0 {
			if was.find(add.Name) >= 0 || strings.EqualFold(add.Name, was.Owner.Name) {
				return fault.WithHint(fmt.Errorf("the store is shared with another %s", add.Name), "--name gives this one another name. Who has a new key is taken out first: rhx store unshare "+add.Name+".")
			}
			c.next = was.next()
			c.next.Members = append(c.next.Members, add)
			c.folders, c.enters = foldersOf(add), []string{add.Signer}
			return nil
		}
		old := was.Members[i]
		add.Name = cmp.Or(add.Name, old.Name)
		// Nobody has to have a public key to hand it to the owner as theirs.
		if !strings.EqualFold(add.Name, old.Name) || add.Signer != "" && old.Signer != "" && add.Signer != old.Signer {
			return fault.WithHint(fmt.Errorf("it is the key of %s, with whom the store is shared already", old.Name), "Ask them. rhx store unshare "+old.Name+" takes them out first.")
		}
		if add.Name == old.Name && add.Signer == old.Signer && slices.Equal(add.Secrets, old.Secrets) {
			return nil
		}
		c.next = was.next()
		c.next.Members[i] = add
		if c.folders = foldersOf(add, old); slices.Equal(add.Secrets, old.Secrets) {
			c.folders = nil
		}
		if add.Signer != old.Signer {
			c.enters = []string{add.Signer}
		}
		// What they were not to say before does not count either when they have more.
		c.takenOut = !add.All && (old.All || slices.ContainsFunc(old.Secrets, func(name Text) bool { return !slices.Contains(add.Secrets, name) }))
		c.leaves = []string{old.Signer}
		if c.takenOut {
			c.lost = s.loses(&old, &add)
		}
		return nil
	})
	return n, err
}

// foldersOf are those of what any of some members reads.
func foldersOf(members ...Member) []string {
	var out []string
	for _, m := range members {
		if m.All {
			return []string{allFolders}
		}
		for _, name := range m.Secrets {
			out = append(out, folderName(string(name)))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// filesOf are the IDs of the files of the record by somebody who signs.
func (s *Store) filesOf(signer string) ([]string, error) {
	ids, err := s.allRecordIDs()
	return slices.DeleteFunc(ids, func(id string) bool {
		return signer == "" || len(id) != sharedID || !strings.HasPrefix(id, idPrefix(signer))
	}), err
}

// settle turns leaves and enters into files: those of which at least a line is signed. Anybody can
// make others of such a name, as many as they like.
func (s *Store) settle(l *ledger, next *roster, c *reshaping) error {
	for _, signer := range c.leaves {
		for id := range l.pages {
			if l.pages[id].by.Signer == signer {
				c.takes = append(c.takes, id)
			}
		}
		for id := range l.beyond {
			if l.roster.whose(id).Signer == signer {
				c.voids = append(c.voids, id)
			}
		}
	}
	for _, signer := range c.enters {
		ids, err := s.filesOf(signer)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if s.readPage(next, id, &seen{}).size > 0 {
				c.voids = append(c.voids, id)
			}
		}
	}
	return nil
}

// firstShare has the user own the store, and say what is in it. What the record said of it
// before has no ID of the store.
func (s *Store) firstShare(c *reshaping, k *key, m Member, self string) (err error) {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // it never fails
	owner := Member{Name: self, Recipients: k.public, Signer: c.as.public, All: true}
	c.next = &roster{Store: hex.EncodeToString(raw), Serial: 1, Owner: owner, Members: []Member{m}}
	if c.start, err = s.presentAsRecorded(k, true); err != nil {
		return err
	}
	if i := slices.IndexFunc(c.start, func(c change) bool { return c.version > maxNumber }); i >= 0 {
		return fmt.Errorf("version %d of what is in %s is none that a shared store can have", c.start[i].version, filepath.Join(s.secrets(), c.start[i].folder))
	}
	c.folders = foldersOf(m)
	c.voids, err = s.allRecordIDs()
	c.voids = c.voids[:min(len(c.voids), maxRecords)]
	return err
}

// presentAsRecorded is present, and the error where the record has it otherwise: somebody may have put
// something there since the store was looked at. proven: it is one, too, where the record has it without
// a proof.
func (s *Store) presentAsRecorded(k *key, proven bool) ([]change, error) {
	now, _, err := s.present()
	if err != nil {
		return nil, err
	}
	c := &comparison{Verified: &Verified{}, store: s, key: k, locked: k.asks}
	want, _, err := c.read()
	if err != nil {
		return nil, err
	}
	if proven && len(c.unproven) > 0 {
		return nil, notProven(c.unproven[0])
	}
	have := states{}
	for i := range now {
		have.apply(&now[i])
	}
	for folder, of := range have {
		for n, is := range of {
			w, ok := want[folder][n]
			if !c.expected(folder, version{n: n, deleted: is.deleted}, is.hash, w, ok) {
				return nil, fault.WithHint(fmt.Errorf("version %d of %s is not as rhx left it: it was changed just now", n, c.name(folder)), "rhx store verify says more.")
			}
		}
	}
	return now, nil
}

// Unshare takes a member out. What they could read is encrypted anew without them, and what
// they said until now the owner says; what they say later counts for nothing. It returns who
// it was, and how many versions were encrypted anew. What they have read they know.
func (s *Store) Unshare(ctx context.Context, name string) (*Member, int, error) {
	var out *Member
	n, err := s.reshape(ctx, func(was *roster, _ *key, c *reshaping) error {
		if was == nil {
			return errNotShared
		}
		i := was.find(name)
		if i < 0 {
			if strings.EqualFold(name, was.Owner.Name) {
				return fault.WithKind(errors.New("the owner of a store is not taken out"), fault.Usage)
			}
			return nil // taken out already, and to be finished
		}
		out = &was.Members[i]
		c.next = was.next()
		c.next.Members = slices.Delete(c.next.Members, i, i+1)
		c.folders, c.anyway, c.takenOut = foldersOf(*out), true, true
		c.leaves = []string{out.Signer}
		c.lost = s.loses(out, nil)
		return nil
	})
	if err == nil && out == nil {
		done := ""
		if n > 0 {
			done = fmt.Sprintf(" (what was not finished is: %d versions were encrypted anew)", n)
		}
		return nil, n, fault.WithHint(fault.WithKind(fmt.Errorf("the store is not shared with %q%s", name, done), fault.Usage), "rhx store members lists with whom it is.")
	}
	return out, n, err
}

var errNotSigned = errors.New("the key did not sign the change")

var errNotShared = fault.WithHint(fault.WithKind(errors.New("the store is not shared"), fault.Usage), "rhx store share --with KEY shares it.")

// reshape changes with whom the store is shared, in one lock. A process that is killed leaves
// it as it was, or as it is to be with versions that Verify says are not encrypted so yet;
// the next call goes on with these.
func (s *Store) reshape(ctx context.Context, change func(was *roster, k *key, c *reshaping) error) (n int, err error) {
	s.withoutAgent() // which signs lines of the record, and no list of members
	k, err := s.private(ctx)
	if err != nil {
		return 0, err
	}
	err = s.locked(ctx, func() error {
		if err := s.changed(k); err != nil {
			return err
		}
		was, c, err := s.owned(ctx, k)
		if err != nil {
			return err
		}
		if err := change(was, k, c); err != nil {
			return err
		}
		if was == nil && c.next == nil {
			return errNotShared
		}
		n, err = s.apply(ctx, k, was, c)
		return err
	})
	return n, err
}

// owned returns the list of members, nil where there is none yet, if the user may change it.
func (s *Store) owned(ctx context.Context, k *key) (*roster, *reshaping, error) {
	was, err := s.shared()
	if errors.Is(err, errOlder) {
		// A process that was killed has not written it yet; and the owner writes it anew.
		if pin, pinErr := s.pin(); pinErr == nil && pin != nil {
			if _, as, ownErr := pin.own(k); ownErr == nil && as != nil && as.public == pin.Owner.Signer {
				was, err = pin, s.publishAgain(pin)
			}
		}
	}
	if err != nil {
		return nil, nil, err
	}
	all, err := k.signers()
	if err != nil {
		return nil, nil, err
	}
	if was == nil {
		return nil, &reshaping{as: all[0]}, errors.Join(s.mustHaveRecord(), s.mustBeProven(ctx, k))
	}
	_, as, err := was.own(k)
	if err == nil && as != nil && as.public == was.Owner.Signer {
		was, err = s.endPublish(was)
		return was, &reshaping{as: as}, err
	}
	if err == nil {
		err = fault.WithHint(fault.Mark(fmt.Errorf("%s owns the store, and alone says with whom it is shared", was.Owner.Name), store.ErrDenied), askOwner(was))
	}
	return was, &reshaping{as: as}, err
}

// mustHaveRecord is the error for a store with secrets and no record of what is to be in it: what
// somebody has put there would be shared as the user's.
func (s *Store) mustHaveRecord() error {
	ids, err := s.recordIDs()
	if err != nil || len(ids) > 0 {
		return err
	}
	if held, err := s.holdsSecrets(); err != nil || !held {
		return err
	}
	return fault.WithHint(fmt.Errorf("there is no record of what is to be in %s: somebody may have put secrets there", s.root()),
		"Look at what rhx list shows. The next save makes the record of what is there, and then the store can be shared.")
}

// apply makes a change of the list of members, and encrypts anew what is not encrypted to the
// members as they are then.
func (s *Store) apply(ctx context.Context, k *key, was *roster, c *reshaping) (int, error) {
	l, err := s.ledgerOf(was, c.anyway)
	if err != nil {
		return 0, err
	}
	if l != nil {
		if what := l.ahead(); what != "" {
			return 0, fault.WithHint(fault.Mark(fmt.Errorf("%s: %s", s.membersPath(), what), errMembers), was.wayOut(&was.Owner))
		}
		if what := l.behind(); what != "" && !c.anyway {
			return 0, fault.WithHint(fmt.Errorf("%s/%s", s.recordDir(), what), was.wayOut(&was.Owner))
		}
	}
	if c.next != nil {
		next, err := c.next.sealed(c.as)
		if err != nil {
			return 0, err
		}
		if err := next.fits(); err != nil {
			return 0, err
		}
		if err := s.settle(l, next, c); err != nil {
			return 0, err
		}
		if err := s.newList(was, next, l, c); err != nil {
			return 0, err
		}
		was = next
	}
	return s.encryptAll(ctx, k, was, c)
}
