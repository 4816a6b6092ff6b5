package agestore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/store"
)

// sigPrefix begins the part of a member's line that proves changes.
const sigPrefix = "sig="

// ParseMember reads the public key of somebody with whom to share a store: what [Store.Line]
// returns on their machine, or a public key of age or SSH alone. They can read then; what
// they save is taken for a stranger's.
func ParseMember(line string) (Member, error) {
	var m Member
	fields := strings.Fields(line)
	if n := len(fields); n > 0 && strings.HasPrefix(fields[n-1], sigPrefix) {
		m.Signer = strings.TrimPrefix(fields[n-1], sigPrefix)
		if raw, err := sigText.DecodeString(m.Signer); err != nil || len(raw) != 32 {
			return m, errors.New("the part after sig= is damaged")
		}
		fields = fields[:n-1]
	}
	switch {
	case len(fields) == 1:
		m.Recipient = fields[0]
	case len(fields) >= 2 && (strings.HasPrefix(fields[0], "ecdsa-") || strings.HasPrefix(fields[0], "sk-")):
		return m, fmt.Errorf("only Ed25519 and RSA keys of SSH can decrypt, and this one is %s", fields[0])
	case len(fields) >= 2 && strings.HasPrefix(fields[0], "ssh-"):
		m.Recipient = fields[0] + " " + fields[1]
		m.Name = strings.Join(fields[2:], " ")
	default:
		return m, errors.New("not a public key of age or SSH")
	}
	_, err := recipientOf(m.Recipient)
	return m, err
}

// Line returns what somebody who shares a store with this user needs: the public key, and
// what proves this user's changes. The key is made where there is none yet.
func (s *Store) Line(ctx context.Context) (string, error) {
	k, err := s.private(ctx)
	if err != nil {
		return "", err
	}
	m, err := k.member("")
	if err != nil {
		return "", err
	}
	return m.Recipient + " " + sigPrefix + m.Signer, nil
}

// member is the user as a member of the store.
func (k *key) member(name string) (Member, error) {
	signer, err := signerOf(k.roots[0])
	if err != nil {
		return Member{}, err
	}
	return Member{Name: name, Recipient: k.public[0], Signer: signerText(signer)}, nil
}

// Members returns with whom the store is shared, by name; none where it is not. It has the
// user, too.
func (s *Store) Members(ctx context.Context) ([]Member, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	ids, err := s.recordIDs()
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	k, err := s.unlocked()
	if err != nil {
		return nil, err
	}
	c, err := s.circleNow(k)
	if err != nil {
		return nil, err
	}
	return c.sorted(), nil
}

func (c *circle) sorted() []Member {
	var out []Member
	for _, m := range c.members {
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b Member) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Recipient, b.Recipient))
	})
	return out
}

// Share shares the store with m: all that is in it and will be, or the secrets that m
// names. The first time self is what others are to call the user. It returns how many
// versions were encrypted anew; called again, it goes on where it was interrupted.
func (s *Store) Share(ctx context.Context, m Member, self string) (int, error) {
	return s.reshape(ctx, func(r *recorder) error {
		k, c := r.key, r.circle
		me := c.members[k.public[0]]
		if slices.Contains(k.public, m.Recipient) {
			return errors.New("this is your own key")
		}
		old := c.members[m.Recipient]
		if old != nil {
			m.Signer = cmp.Or(m.Signer, old.Signer)
			if len(m.Secrets) > 0 && len(old.Secrets) > 0 {
				m.Secrets = append(m.Secrets, old.Secrets...)
			} else {
				m.Secrets = nil
			}
		}
		if c.left[m.Recipient] != nil || c.gone[m.Signer] {
			return fault.WithHint(fmt.Errorf("%s was taken out, and nobody knows what that key has signed since", cmp.Or(m.Name, m.Recipient)), "Share it with a new key of theirs.")
		}
		if err := k.fits(m.Recipient); err != nil {
			return err
		}
		slices.Sort(m.Secrets)
		m.Secrets = slices.Compact(m.Secrets)
		for _, other := range c.members {
			if other.Name == m.Name && other.Recipient != m.Recipient {
				return fault.WithHint(fmt.Errorf("the store is shared with another %s", m.Name), "--name gives this one another name.")
			}
		}
		var add []Member
		if me == nil {
			mine, err := k.member(self)
			if err != nil {
				return err
			}
			add = append(add, mine)
		}
		if old == nil || !equalMember(*old, m) {
			add = append(add, m)
		}
		return r.share(add...)
	})
}

// fits is the error for a public key that cannot be encrypted to together with the user's,
// such as one whose plugin is not there.
func (k *key) fits(recipient string) error {
	r, err := recipientOf(recipient)
	if err != nil {
		return err
	}
	_, err = age.Encrypt(io.Discard, &described{&age.Stanza{Type: stanzaType}, append(slices.Clone(k.recipients), r)})
	return err
}

func equalMember(a, b Member) bool {
	x, err1 := a.text()
	y, err2 := b.text()
	return err1 == nil && err2 == nil && x == y
}

// share notes members.
func (r *recorder) share(members ...Member) error {
	for _, m := range members {
		text, err := m.text()
		if err != nil {
			return err
		}
		if err := r.add(change{op: opShare, hash: text}, true); err != nil {
			return err
		}
	}
	return nil
}

// Unshare takes a member out, by name or public key. All versions are encrypted anew,
// without that member. What the member has read is known to them, and what they keep of
// the folder they can read for ever. It returns who it was, and how many versions were
// encrypted anew.
func (s *Store) Unshare(ctx context.Context, who string) (*Member, int, error) {
	var out *Member
	n, err := s.reshape(ctx, func(r *recorder) error {
		var err error
		if out, err = find(r.circle.members, who); err != nil {
			return err
		}
		if out == nil {
			if out, err = find(r.circle.left, who); out != nil || err != nil {
				return err // it was interrupted
			}
			return fault.WithHint(fmt.Errorf("the store is not shared with %q", who), "rhx store members lists with whom it is.")
		}
		if slices.Contains(r.key.public, out.Recipient) {
			return fault.WithHint(errors.New("this is your own key"), "Somebody else with whom the store is shared can take you out.")
		}
		if !r.circle.mayTakeOut(signerText(r.signer), out) {
			return fault.WithHint(fmt.Errorf("%s was a member before you: others would not take your word for it", out.Name), "Who shared the store first can take them out.")
		}
		text, err := out.text()
		if err != nil {
			return err
		}
		// What they wrote, and whom they took in, stays: from now on it is the user's word.
		if err := r.restate(out.Signer); err != nil {
			return err
		}
		keep := slices.DeleteFunc(r.circle.sorted(), func(m Member) bool { return m.Recipient == out.Recipient })
		slices.SortStableFunc(keep, func(a, b Member) int { // in the order in which they came
			return cmp.Or(cmp.Compare(r.circle.by[a.Recipient], r.circle.by[b.Recipient]), cmp.Compare(r.circle.since[a.Recipient], r.circle.since[b.Recipient]))
		})
		if err := r.share(keep...); err != nil {
			return err
		}
		return r.add(change{op: opUnshare, hash: text}, true)
	})
	return out, n, err
}

// authors returns which member has signed each version of a secret; none where the store is
// not shared, the key waits for its passphrase, or who it was cannot be found out: Verify
// says why.
func (s *Store) authors(folder string) map[int]string {
	if !s.isShared() {
		return nil
	}
	k, err := s.ready()
	if err != nil || k == nil {
		return nil
	}
	was, err1 := s.readSeen()
	files, err2 := s.recordFiles()
	if err1 != nil || err2 != nil {
		return nil
	}
	c, err := circleOf(k, was, files)
	if err != nil {
		return nil
	}
	by, at := map[int]string{}, map[int]int64{}
	for id, lines := range files {
		part, _ := c.counted(id, lines, was, false)
		made, _ := changesOf(part, folder, false)
		made = c.countedOf(id, made)
		for _, ch := range made {
			// Who restates what a member wrote who was taken out is later.
			if first, ok := at[ch.version]; ch.op == opPut && (!ok || ch.clock < first) {
				by[ch.version], at[ch.version] = c.whose(c.of[id]), ch.clock
			}
		}
	}
	return by
}

// find returns the member of a name or public key; nil for none.
func find(members map[string]*Member, who string) (*Member, error) {
	if m := members[who]; m != nil {
		return m, nil
	}
	var found *Member
	for _, m := range members {
		if m.Name != who {
			continue
		}
		if found != nil {
			return nil, fault.WithHint(fmt.Errorf("two members are called %q", who), "Give the public key; rhx store members -o json has it.")
		}
		found = m
	}
	return found, nil
}

// restate notes what is there and would not be in the record without the files that one
// key has signed.
func (r *recorder) restate(without string) error {
	var all []change
	for id, lines := range r.files {
		if by := r.circle.of[id]; by == "" || by == without || r.circle.void[id] {
			continue
		}
		made, _ := changesOf(lines, "", true)
		made = r.circle.countedOf(id, made)
		all = append(all, made...)
	}
	inOrder(all)
	want := states{}
	for i := range all {
		want.apply(&all[i])
	}
	now, err := r.store.present()
	if err != nil {
		return err
	}
	return r.become(want, now)
}

// reshape has change say who may read the store, and then encrypts anew what is not
// encrypted to exactly those. A store that is not as the record says is not touched:
// what somebody else has put there would become the user's word.
func (s *Store) reshape(ctx context.Context, change func(*recorder) error) (int, error) {
	k, err := s.private(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	err = s.locked(ctx, func() error {
		if err := s.changed(k); err != nil {
			return err
		}
		if err := s.mustHaveAll(k); err != nil {
			return err
		}
		if err := s.mustBeRight(ctx, k); err != nil {
			return err
		}
		if err := s.checkRecipients(k); err != nil {
			return err
		}
		r, err := s.openRecordWith(k, false)
		if r != nil {
			defer r.close()
		}
		if err != nil {
			return err
		}
		if err := change(r); err != nil {
			return err
		}
		if err := r.reread(); err != nil {
			return err
		}
		if r.circle.members[k.public[0]] == nil && r.seen.Shared {
			return errors.New("nobody takes your word for who the store is shared with")
		}
		if err := r.replaceSeen(); err != nil {
			return err
		}
		if err := s.writeRecipients(slices.Concat(k.public, slices.Sorted(maps.Keys(r.circle.members)))); err != nil {
			return err
		}
		if n, err = r.encryptAnew(ctx); err != nil {
			return fault.WithHint(fmt.Errorf("it is noted, and not all versions are encrypted anew: %w", err), "Run the same command again: it goes on.")
		}
		return nil
	})
	return n, err
}

// circleNow finds out who may change the store as it is now.
func (s *Store) circleNow(k *key) (*circle, error) {
	was, err := s.readSeen()
	if err != nil {
		return nil, err
	}
	files, err := s.recordFiles()
	if err != nil {
		return nil, err
	}
	return circleOf(k, was, files)
}

// mustHaveAll is the error for who has a part of the store: nobody takes their word for who
// else has it.
func (s *Store) mustHaveAll(k *key) error {
	c, err := s.circleNow(k)
	if err != nil {
		return err
	}
	me := c.members[k.public[0]]
	switch {
	case len(c.members) == 0:
	case me == nil:
		return fault.Mark(errors.New("the store is not shared with you any more"), store.ErrDenied)
	case !slices.Contains(c.own, me.Signer):
		return fault.Mark(errors.New("the store is shared with you for reading"), store.ErrDenied)
	case len(me.Secrets) > 0:
		return fault.WithHint(errors.New("the store is shared with you in part"), "Somebody with whom all of it is shared can share it, and take others out.")
	}
	return nil
}

// mayNote is the error for a change by who may not make it: others would take it for a
// stranger's. folder is the secret's.
func (r *recorder) mayNote(folder string) error {
	if len(r.circle.members) == 0 || r.key == nil {
		return nil
	}
	var me *Member
	for _, public := range r.key.public {
		if me == nil {
			me = r.circle.members[public]
		}
	}
	switch {
	case me == nil:
		return fault.Mark(errors.New("the store is not shared with you any more"), store.ErrDenied)
	case !slices.Contains(r.circle.own, me.Signer):
		return fault.WithHint(fault.Mark(errors.New("the store is shared with you for reading"), store.ErrDenied),
			"Give somebody with whom all of it is shared what rhx store key prints here: rhx store share --with KEY.")
	case !me.has(folder):
		return fault.Mark(errors.New("this secret is not shared with you"), store.ErrDenied)
	}
	return nil
}

// mustBeRight is the error for a store that is not as the record says.
func (s *Store) mustBeRight(ctx context.Context, k *key) error {
	c := &comparison{Verified: &Verified{}, store: s, key: k}
	if err := c.run(ctx); err != nil {
		return err
	}
	if c.closed > 0 && len(c.Problems) == 0 {
		return fmt.Errorf("%d versions are not encrypted to your key: who can read them has to share them with you first", c.closed)
	}
	if n := len(c.Problems); n > 0 {
		return fault.WithHint(fmt.Errorf("the store is not as rhx left it: %s", c.Problems[0]),
			"rhx store verify lists all of it, and rhx store verify --accept takes it as it is.")
	}
	return nil
}

// encryptAnew encrypts the versions that were written before the last change of who may
// read them. Each is noted as a save is, so a process that is killed leaves a store that
// is right, and the next call goes on.
func (r *recorder) encryptAnew(ctx context.Context) (int, error) {
	c := &comparison{Verified: &Verified{}, store: r.store, key: r.key}
	want, _, err := c.read()
	if err != nil {
		return 0, err
	}
	since := changedAt(r.circle, r.files)
	n := 0
	for _, folder := range slices.Sorted(maps.Keys(want)) {
		for _, number := range slices.Sorted(maps.Keys(want[folder])) {
			if err := ctx.Err(); err != nil {
				return n, err
			}
			if want[folder][number].clock > since(folder) && r.toAll(folder, number) {
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

// changedAt returns the clock of the last change of who may read the secret in a folder.
func changedAt(who *circle, files map[string][]byte) func(folder string) int64 {
	var ops []change
	for id, lines := range files {
		if who.of[id] == "" {
			continue
		}
		for line := range bytes.Lines(lines) {
			if c, _, ok := parseChange(string(bytes.TrimSuffix(line, []byte("\n")))); ok && (c.op == opShare || c.op == opUnshare || c.op == opRekey) {
				ops = append(ops, c)
			}
		}
	}
	return func(folder string) int64 {
		last := int64(0)
		for _, c := range ops {
			m, ok := parseMember(c.hash)
			if c.op == opRekey || ok && m.has(folder) && !slices.Contains(who.own, m.Signer) {
				last = max(last, c.clock)
			}
		}
		return last
	}
}

// toAll reports whether a version is encrypted to as many keys as it is to be. A save
// while a rekey was interrupted has the old key, too. What cannot be read counts as right:
// Verify tells of it.
func (r *recorder) toAll(folder string, number int) bool {
	want, err := r.circle.recipients(r.key, folder)
	if slices.ContainsFunc(want, func(r age.Recipient) bool { _, ok := r.(*plugin.Recipient); return ok }) {
		return true // which may make as many of them as it likes
	}
	data, readErr := ownfile.ReadNoLink(filepath.Join(r.store.secrets(), folder, version{n: number}.file()), maxFile)
	if err != nil || readErr != nil {
		return true
	}
	by := &witness{ids: r.key.ids}
	if _, err := age.Decrypt(bytes.NewReader(data), by); err != nil {
		return true
	}
	return len(by.stanzas) == 1+len(want)
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
	plain, err := encodePayload(sec)
	if err != nil {
		return err
	}
	defer clear(plain)
	to, err := r.circle.recipients(r.key, folder)
	if err != nil {
		return err
	}
	if data, err = encodeFile(info, plain, to); err != nil {
		return err
	}
	return r.noted(path, change{op: opAgain, folder: folder, version: number, hash: hashFile(data)}, func() error {
		return s.disk().Write(path, data, 0o600)
	})
}

// writeRecipients writes the list of public keys.
func (s *Store) writeRecipients(keys []string) error {
	var b strings.Builder
	b.WriteString("# The public keys that the secrets in this folder are encrypted to. rhx\n" +
		"# compares them with your key, and does not encrypt to keys added here.\n")
	for i, key := range keys {
		if !slices.Contains(keys[:i], key) {
			b.WriteString(key + "\n")
		}
	}
	return s.disk().Write(s.recipientsPath(), []byte(b.String()), 0o600)
}

// mayWrite asks for the passphrase of the key where the store is shared, since others
// take a change for genuine by its proof only.
func (s *Store) mayWrite() error {
	if was, err := s.readSeen(); err != nil || !was.Shared {
		return nil //nolint:nilerr // who notes the change says so
	}
	_, err := s.unlocked()
	return err
}
