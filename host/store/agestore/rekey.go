package agestore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Rekey encrypts all that is in the store to a new key. from is the file of the key until
// now, where the new one is that of Options; "" has rhx make a new key in its own
// identity.txt. It returns how many versions were encrypted anew.
//
// A process that is killed leaves a store in which either key works; called again, it
// goes on. What else was sealed with the old key stays readable: see retired.
func (s *Store) Rekey(ctx context.Context, from string) (int, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	if err := s.MayRekey(ctx); err != nil {
		return 0, err
	}
	s.withoutAgent() // which gives no private key away
	var (
		now, k *key   // as the key is, and as it is to be
		data   []byte // the file of the new key, where that is to be written
		err    error
	)
	if from != "" {
		k, err = s.keyAfter(ctx, from)
		now = k
	} else {
		now, k, data, err = s.newOwnKey()
	}
	if err != nil {
		return 0, err
	}
	defer clear(data)
	n := 0
	err = s.locked(ctx, func() error {
		if err := s.changed(now); err != nil {
			return err
		}
		members, err := s.mayRekey(ctx, now)
		if err != nil {
			return err
		}
		if err := s.mustBeRight(ctx, now); err != nil {
			return err
		}
		if data != nil {
			if err := s.disk().Write(k.path, data, 0o600); err != nil {
				return err
			}
			s.use(k)
		}
		if from == "" {
			k = k.toFirst()
		}
		known, err := s.recorded()
		if err != nil {
			return err
		}
		if err := s.writeRecipients(append(known, k.public...)); err != nil {
			return err
		}
		if members != nil {
			if n, err = s.rekeyShared(ctx, k, members); err != nil {
				return err
			}
			return s.endRekey(k, from == "")
		}
		r, err := s.beginRekey(now, k)
		if r != nil {
			defer r.close()
		}
		if err != nil {
			return err
		}
		if n, err = r.encryptAnew(ctx); err != nil {
			return err
		}
		return s.endRekey(k, from == "")
	})
	return n, err
}

// MayRekey is the error for a store that is not there yet, so that nothing is asked about it.
func (s *Store) MayRekey(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	key, err := s.hasKey()
	if err != nil || key {
		return err
	}
	if held, err := s.holdsSecrets(); err != nil || held {
		return err // Rekey says that the key is missing
	}
	known, err := s.recorded()
	if err != nil || len(known) > 0 {
		return err
	}
	return fault.WithHint(errors.New("there is no store yet: there is nothing to encrypt anew"), "The first save makes it, with a key.")
}

// newKeyOnly is the key without those before it.
func (k *key) newKeyOnly() *key {
	only := *k
	only.ids, only.roots, only.texts = k.ids[:1], k.roots[:1], k.texts[:1]
	return &only
}

// newOwnKey returns the key in identity.txt, and the file that has a new one before it. data
// is nil where a process that was killed has put one there.
func (s *Store) newOwnKey() (now, both *key, data []byte, err error) {
	path, own := s.identityPath()
	if !own {
		return nil, nil, nil, fault.WithHint(fault.WithKind(fmt.Errorf("the key %s is not one that rhx made", path), fault.Usage),
			"Have RHX_AGE_IDENTITY, or identity: in config.yaml, name the new key, and give the old one with --from.")
	}
	now, err = s.unlocked()
	if err != nil || len(now.ids) > 1 {
		return now, now, nil, err
	}
	var passphrase string
	if now.asks && now.plugins == nil || s.opt.NewPassphrase {
		if passphrase, err = s.asking().Choose("key file", path, "no key was made", s.opt.Weak); err != nil {
			return nil, nil, nil, err
		}
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, nil, nil, err
	}
	text := append(identityText(id, time.Now()), "# The key before. rhx store rekey takes it out when it is done.\n"+now.texts[0]+"\n"...)
	defer clear(text)
	if both, err = s.parseAge(path, text); err != nil {
		return nil, nil, nil, err
	}
	if data, err = s.protect(path, passphrase, text); err != nil {
		return nil, nil, nil, err
	}
	both.asks, both.passphrase, both.digest = passphrase != "", passphrase, hashFile(data)
	return now, both, data, nil
}

// toFirst is the key with all of its private parts, that encrypts to the first.
func (k *key) toFirst() *key {
	first := *k
	first.recipients, first.public = k.recipients[:1], k.public[:1]
	return &first
}

// keyAfter returns the key of Options, with what opens the store until now behind it.
func (s *Store) keyAfter(ctx context.Context, from string) (*key, error) {
	before := &Store{opt: s.opt}
	before.opt.Identity, before.opt.Command = from, nil
	old, err := before.unlocked()
	if err != nil {
		return nil, err
	}
	known, err := s.recorded()
	if err != nil {
		return nil, err
	}
	// Both are the store's from here on, so that each is asked for its passphrase.
	s.mu.Lock()
	k, err := s.load()
	s.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) {
		err = s.keyGone(err)
	}
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(k.public, func(p string) bool { return slices.Contains(old.public, p) }) {
		return nil, fault.WithKind(fmt.Errorf("%s and %s are the same key", k.path, from), fault.Usage)
	}
	if len(known) > 0 && !old.oneOf(known) {
		return nil, s.wrongStore(known, old)
	}
	if len(known) > 0 && !k.oneOf(known) {
		err = s.locked(ctx, func() error { return s.writeRecipients(append(known, k.public...)) })
		if err != nil {
			return nil, err
		}
	}
	if k, err = s.unlocked(); err != nil {
		return nil, err
	}
	both := *k
	both.ids, both.roots, both.texts = slices.Concat(k.ids, old.ids), slices.Concat(k.roots, old.roots), slices.Concat(k.texts, old.texts)
	return &both, nil
}

// beginRekey has this machine begin another file of the record, which the new key proves:
// it says all that is in the store, and that the files of the old key count no more.
func (s *Store) beginRekey(now, k *key) (*recorder, error) {
	r, err := s.openRecordWith(k)
	if err != nil {
		return r, err
	}
	mine := r.signer.public
	if r.signers.of[r.seen.ID] == mine && bytes.Contains(r.files[r.seen.ID], []byte(" "+opRekey+" ")) {
		return r, nil // it was begun, and interrupted
	}
	changes, err := s.presentAsRecorded(now, false) // mustBeRight has looked at all of it
	if err != nil {
		return r, err
	}
	for _, id := range slices.Sorted(maps.Keys(r.files)) {
		// Lines that waited for the old key's passphrase have counted until now.
		_, proof, _ := lastProof(r.files[id])
		if r.signers.of[id] != "" || r.signers.void[id] || proof == "" {
			changes = append(changes, change{op: opVoid, folder: id})
		}
	}
	changes = append(changes, change{op: opRekey})
	r.close()
	r.newID()
	r.sum = newSum(r.seen.ID)
	if err := r.write(changes); err != nil {
		return r, err
	}
	return r, r.reread()
}

// endRekey takes the old key out of the way: it opens what was sealed with it, and
// nothing of the store.
func (s *Store) endRekey(k *key, own bool) error {
	only := k.newKeyOnly()
	if err := s.retire(only, k); err != nil {
		return err
	}
	if own {
		text := []byte(fmt.Sprintf("# changed: %s\n# public key: %s\n%s\n", time.Now().UTC().Format(time.RFC3339), only.public[0], only.texts[0]))
		defer clear(text)
		data, err := s.protect(k.path, k.passphrase, text)
		if err != nil {
			return err
		}
		defer clear(data)
		if err := s.disk().Write(k.path, data, 0o600); err != nil {
			return err
		}
		only.digest = hashFile(data)
	}
	s.use(only)
	public := only.public
	if members, err := s.shared(); err != nil {
		return err
	} else if members != nil {
		public = members.public()
	}
	return s.writeRecipients(public)
}

// mayRekey returns with whom the store is shared, nil for nobody. In a shared store the owner
// alone makes a new key: the others know a member by theirs.
func (s *Store) mayRekey(ctx context.Context, k *key) (*roster, error) {
	is, err := s.pinned()
	if err == nil && !is {
		_, err = s.shared()
	}
	if err != nil || !is {
		return nil, err
	}
	members, _, err := s.owned(ctx, k)
	if errors.Is(err, store.ErrDenied) && !errors.Is(err, errMembers) {
		return nil, fault.WithHint(err, "With a new key you are a new member: give the owner what rhx store key prints for it.")
	}
	return members, err
}

// retiredLabel is what the file of old keys is sealed for.
const retiredLabel = "retired keys"

func (s *Store) retiredPath() string { return filepath.Join(s.opt.Dir, "retired.age") }

// retire keeps the old keys of k, sealed with the new one. Journals, fingerprints, the log and a
// login that is kept were sealed with them, on this machine.
func (s *Store) retire(only, k *key) error {
	old, err := s.retired(k)
	if err != nil {
		return err
	}
	all := slices.Clone(k.texts[1:])
	for _, o := range old {
		for _, text := range o.texts {
			if !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	plain, err := json.Marshal(all)
	if err != nil {
		return err
	}
	defer clear(plain)
	sealed, err := only.seal(retiredLabel, plain)
	if err != nil {
		return err
	}
	return s.disk().Write(s.retiredPath(), sealed, 0o600)
}

// retired returns the keys from before the last rekey; none where there are none.
func (s *Store) retired(k *key) ([]*key, error) {
	sealed, err := ownfile.Read(s.retiredPath(), maxIdentity)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	plain, err := k.unseal(retiredLabel, sealed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.retiredPath(), err)
	}
	defer clear(plain)
	var texts []string
	if err := json.Unmarshal(plain, &texts); err != nil {
		return nil, fmt.Errorf("%s is damaged", s.retiredPath())
	}
	var out []*key
	for _, text := range texts {
		o, err := s.parseKey(s.retiredPath(), []byte(text))
		if err != nil {
			return nil, err
		}
		if o.ids == nil {
			return nil, fmt.Errorf("%s is damaged", s.retiredPath())
		}
		out = append(out, o)
	}
	return out, nil
}

// mustBeRight is the error for a store that is not as the record says.
func (s *Store) mustBeRight(ctx context.Context, k *key) error {
	c := &comparison{Verified: &Verified{}, store: s, key: k, locked: k.asks}
	if err := c.run(ctx); err != nil {
		return err
	}
	if n := len(c.Problems); n > 0 {
		return fault.WithHint(fmt.Errorf("the store is not as rhx left it: %s", c.Problems[0]),
			"rhx store verify lists all of it, and rhx store verify --accept takes it as it is.")
	}
	return nil
}

// mustBeProven is mustBeRight, and the error for what the record says without a proof, which anybody
// can write: with a key that has a passphrase it counts, and others would get to read it.
func (s *Store) mustBeProven(ctx context.Context, k *key) error {
	if err := s.mustBeRight(ctx, k); err != nil {
		return err
	}
	c := &comparison{Verified: &Verified{}, store: s, key: k, locked: k.asks}
	if _, _, err := c.read(); err != nil || len(c.unproven) == 0 {
		return err
	}
	return notProven(c.unproven[0])
}

func notProven(path string) error {
	return fault.WithHint(fmt.Errorf("the last lines of %s have no proof: somebody may have put secrets there", path),
		"If another machine of yours has written it, save something there with the key open (rhx unlock). Else remove it, and look at rhx store verify.")
}

// encryptAnew encrypts the versions that were written before the rekey, or to the old key,
// too. Each is noted as a save is, so a process that is killed leaves a store that is right,
// and the next call goes on.
func (r *recorder) encryptAnew(ctx context.Context) (int, error) {
	c := &comparison{Verified: &Verified{}, store: r.store, key: r.key}
	want, _, err := c.read()
	if err != nil {
		return 0, err
	}
	since, n := rekeyedAt(r.signers, r.files), 0
	for _, folder := range slices.Sorted(maps.Keys(want)) {
		for _, number := range slices.Sorted(maps.Keys(want[folder])) {
			if err := ctx.Err(); err != nil {
				return n, err
			}
			if want[folder][number].clock > since && r.toAll(folder, number) {
				continue
			}
			if err := r.again(folder, number); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// rekeyedAt returns the clock of the last rekey; 0 for none.
func rekeyedAt(c *signers, files map[string][]byte) int64 {
	last := int64(0)
	for id, lines := range files {
		if c.of[id] == "" || c.void[id] {
			continue
		}
		for line := range bytes.Lines(lines) {
			if ch, _, ok := parseChange(string(bytes.TrimSuffix(line, []byte("\n")))); ok && ch.op == opRekey {
				last = max(last, ch.clock)
			}
		}
	}
	return last
}

// toAll reports whether a version is encrypted to as many keys as it is to be. A save
// while a rekey was interrupted has the old key, too. What cannot be read counts as right:
// Verify tells of it.
func (r *recorder) toAll(folder string, number int) bool {
	data, err := ownfile.ReadNoLink(filepath.Join(r.store.secrets(), folder, version{n: number}.file()), maxFile)
	if err != nil {
		return true
	}
	by := &witness{ids: r.key.ids}
	if _, err := age.Decrypt(bytes.NewReader(data), by); err != nil {
		return true
	}
	return len(by.stanzas) == 1+len(r.key.recipients)
}

// again encrypts a version anew.
func (r *recorder) again(folder string, number int) error {
	s := r.store
	path := filepath.Join(s.secrets(), folder, version{n: number}.file())
	data, err := ownfile.ReadNoLink(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Verify says that it is gone
	}
	if err != nil {
		return err
	}
	info, sec, err := s.decode(r.key, data)
	if mismatch := new(age.NoIdentityMatchError); errors.As(err, &mismatch) {
		return s.wrongKey(path, r.key)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return r.anew(path, info, sec, false)
}

// anew writes a version anew, which is noted; alone: also in a shared store to the user's own
// keys only.
func (r *recorder) anew(path string, info store.Info, sec *secret.Secret, alone bool) error {
	plain, err := encodePayload(sec)
	if err != nil {
		return err
	}
	defer clear(plain)
	data, err := r.encode(info, plain, r.key.recipients)
	if alone {
		data, err = r.ledger.roster.encodeAlone(info, plain)
	}
	if err != nil { // as rhx would never have written it, too large for one
		return fault.Mark(err, errForeign)
	}
	c := change{op: opAgain, folder: folderName(info.Name), version: info.Version, hash: hashFile(data)}
	return r.noted(path, c, func() error { return r.store.disk().Write(path, data, 0o600) })
}
