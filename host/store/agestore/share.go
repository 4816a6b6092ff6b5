package agestore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// keyIntro begins the line that somebody hands to the owner of a store, and linePlain is put
// in the place of the blank in a public key of SSH, so that it is one word.
const (
	keyIntro  = "rhx-key:"
	linePlain = "_"
)

// OwnKey returns the user's key as others need it to share a store. It is made where there is
// none yet.
func (s *Store) OwnKey(ctx context.Context) (*Member, error) {
	k, err := s.private(ctx)
	if err != nil {
		return nil, err
	}
	all, err := k.signers()
	if err != nil {
		return nil, err
	}
	return &Member{Recipients: k.public[:1], Signer: all[0].public}, nil
}

// Line is m's key as one word: the public key, the one that signs, and a checksum.
func (m *Member) Line() string {
	text := strings.ReplaceAll(m.Recipients[0], " ", linePlain) + ":" + m.Signer
	return keyIntro + text + ":" + checksum(text)
}

func checksum(text string) string {
	sum := sha256.Sum256([]byte(keyIntro + text))
	return hex.EncodeToString(sum[:4])
}

// ParseKey reads what Line returns, or a public key of age, of one of its plugins or of SSH,
// with which somebody only reads; the name is the comment of one of SSH. Its error shows
// nothing of text, which may be a private key by mistake.
func ParseKey(text string) (*Member, error) {
	text = strings.TrimSpace(text)
	line, ours := strings.CutPrefix(text, keyIntro)
	m := &Member{}
	if ours {
		at := strings.LastIndexByte(line, ':')
		if at < 0 || checksum(line[:at]) != line[at+1:] {
			return nil, errors.New("the line of rhx store key is damaged, or not whole")
		}
		recipient, signer, ok := strings.Cut(line[:at], ":")
		if !ok || !validSigner(signer) {
			return nil, errors.New("the line of rhx store key is damaged, or not whole")
		}
		if strings.HasPrefix(recipient, "ssh-") {
			recipient = strings.Replace(recipient, linePlain, " ", 1)
		}
		m.Recipients, m.Signer = []string{recipient}, signer
	} else {
		if _, err := ParseRecipient(text); err != nil {
			return nil, err
		}
		fields := strings.Fields(text)
		if m.Recipients = fields[:1]; len(fields) > 1 {
			m.Recipients = []string{fields[0] + " " + fields[1]}
			m.Name = strings.Join(fields[2:], " ")
		}
	}
	_, err := canonicalRecipient(m.Recipients[0])
	return m, err
}

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
	if k, err := s.ready(); err == nil && k != nil {
		if me, _, err := r.own(k); err == nil && me != nil {
			out.You = me.Name
		}
	} else if was, err := s.readSeen(); err == nil && r.whose(was.ID) != nil {
		out.You = r.whose(was.ID).Name
	}
	return &out, nil
}

// reshaping is a change of with whom a store is shared.
type reshaping struct {
	next *roster // the list as it is to be, not signed yet; nil where it stays
	as   *signer // who signs it
	// start are changes that the owner's new file of the record begins with.
	start []change
	// takes are the IDs of files of the record whose word is the owner's from then on, and
	// voids those of files that count for nothing. Neither count by themselves after that.
	takes, voids []string
	// removes are those of them that are removed in the end: nobody writes to them any more, so
	// that git tells of no conflict.
	removes []string
	// folders are those of the secrets that are to be encrypted anew.
	folders []string
	// anyway: it is done though the record is not as it was.
	anyway bool
	// takenOut: somebody could read before what they are not to read any more.
	takenOut bool
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
			c.folders = foldersOf(add)
			return s.incoming(c, add.Signer)
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
			if err := s.incoming(c, add.Signer); err != nil {
				return err
			}
		}
		// What they were not to say before does not count either when they have more.
		c.takenOut = !add.All && (old.All || slices.ContainsFunc(old.Secrets, func(name Text) bool { return !slices.Contains(add.Secrets, name) }))
		return s.leaving(c, old.Signer)
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

// incoming has nothing count that somebody wrote before they were a member.
func (s *Store) incoming(c *reshaping, signer string) error {
	ids, err := s.filesOf(signer)
	c.voids = append(c.voids, ids...)
	return err
}

// leaving has the owner say what somebody has said until now.
func (s *Store) leaving(c *reshaping, signer string) error {
	ids, err := s.filesOf(signer)
	c.takes = append(c.takes, ids...)
	return err
}

// firstShare has the user own the store, and say what is in it. What the record said of it
// before has no ID of the store.
func (s *Store) firstShare(c *reshaping, k *key, m Member, self string) (err error) {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // it never fails
	owner := Member{Name: self, Recipients: k.public, Signer: c.as.public, All: true}
	c.next = &roster{Store: hex.EncodeToString(raw), Serial: 1, Owner: owner, Members: []Member{m}}
	if c.start, err = s.present(false); err != nil {
		return err
	}
	c.folders = foldersOf(m)
	c.voids, err = s.allRecordIDs()
	return err
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
		return s.leaving(c, out.Signer)
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
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	if _, err := s.private(ctx); err != nil {
		return 0, err
	}
	k, err := s.unlocked()
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
		return nil, &reshaping{as: all[0]}, errors.Join(s.mustHaveRecord(), s.mustBeRight(ctx, k))
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

// publishAgain puts the list that this machine has seen last into the folder, unless the record
// has a later one.
func (s *Store) publishAgain(pin *roster) error {
	l, err := s.ledgerOf(pin)
	if err != nil {
		return err
	}
	if what := l.ahead(); what != "" {
		return fault.WithHint(fault.Mark(fmt.Errorf("%s: %s", s.membersPath(), what), errMembers), pin.wayOut(&pin.Owner))
	}
	return s.publish(pin, pin)
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
	l, err := s.ledgerOf(was)
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
		if err := s.newList(was, next, l, c); err != nil {
			return 0, err
		}
		was = next
	}
	return s.encryptAll(ctx, k, was, c)
}

// ledgerOf reads the record of a shared store; nil where it is not.
func (s *Store) ledgerOf(r *roster) (*ledger, error) {
	if r == nil {
		return nil, nil
	}
	seen, err := s.readSeen()
	if err != nil {
		return nil, err
	}
	return s.readLedger(r, seen)
}

// newList has the owner's record say what it is to say with another list of members, and then
// has that be the list. A process that is killed in between is found by endPublish.
func (s *Store) newList(was, next *roster, l *ledger, c *reshaping) error {
	if err := s.disk().Write(s.nextPath(), next.raw, 0o600); err != nil {
		return err
	}
	if err := s.restate(l, next, c); err != nil {
		return err
	}
	if err := s.publish(was, next); err != nil {
		return err
	}
	s.step()
	if err := os.Remove(s.nextPath()); err != nil {
		return err
	}
	return s.removeVoid(c.removes)
}

// nextPath is the file of a list of members that is being made. The owner's record may speak
// of it already.
func (s *Store) nextPath() string { return s.pinPath() + ".next" }

// endPublish ends what a process began that was killed, and returns the list that there is
// then. It makes no list of one that another machine has made: that may have others on it.
func (s *Store) endPublish(was *roster) (*roster, error) {
	raw, err := ownfile.Read(s.nextPath(), maxRoster)
	if errors.Is(err, fs.ErrNotExist) {
		return was, nil
	}
	if err != nil {
		return nil, err
	}
	next, err := parseRoster(raw)
	if err == nil && next.Store == was.Store && next.Owner.Signer == was.Owner.Signer && next.Serial > was.Serial {
		l, err := s.ledgerOf(was)
		if err != nil {
			return nil, err
		}
		if l.hasList(next) && l.newestList() == next.Serial {
			if err := s.publish(was, next); err != nil {
				return nil, err
			}
			was = next
		}
	}
	s.step()
	return was, os.Remove(s.nextPath())
}

// removeVoid removes files of the record that count no more.
func (s *Store) removeVoid(ids []string) error {
	for _, id := range ids {
		s.step()
		if err := os.Remove(s.recordPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.warn("%s counts no more, and cannot be removed: %v", s.recordPath(id), fault.Cause(err))
		}
	}
	return s.disk().SyncDir(s.recordDir())
}

// encryptAll encrypts anew what is to be, and says what cannot be.
func (s *Store) encryptAll(ctx context.Context, k *key, now *roster, c *reshaping) (int, error) {
	if known, err := s.recorded(); err != nil || !slices.Equal(known, now.public()) {
		if err := s.writeRecipients(now.public()); err != nil {
			return 0, err
		}
	}
	r, err := s.openShared(k, now, c.anyway)
	if r != nil {
		defer r.close()
	}
	if err != nil {
		return 0, err
	}
	n, left, err := r.encryptShared(ctx)
	if err == nil && left != "" && c.takenOut {
		err = fault.WithHint(fault.WithKind(fmt.Errorf("the list of members is changed, and this is not encrypted anew, since the record does not say who made it: %s", left), fault.Partial),
			"rhx store verify says more. Who could read it can read it still: change it where it comes from, and save it.")
	}
	return n, err
}

// fits is the error for keys that cannot be encrypted to together, such as one whose plugin is
// not there.
func (r *roster) fits() error {
	for _, m := range r.everybody() {
		_, err := age.Encrypt(io.Discard, &described{&age.Stanza{Type: stanzaType}, slices.Concat(r.Owner.to, m.to)})
		if err != nil {
			return fmt.Errorf("encrypt to the key of %s: %w", m.Name, err)
		}
	}
	return nil
}

// publish has the list of members be another one. The first one of an owner is known here
// before it is in the folder; later ones are found there.
func (s *Store) publish(was, next *roster) error {
	if was == nil || was.Owner.Signer != next.Owner.Signer {
		if err := s.gitFiles(); err != nil {
			return err
		}
		if err := s.setPin(next); err != nil {
			return err
		}
	}
	if err := s.disk().Write(s.membersPath(), next.raw, 0o600); err != nil {
		return err
	}
	return s.setPin(next)
}

// gitFiles keep out of git what belongs to one machine, and have it change no line ends.
func (s *Store) gitFiles() error {
	for name, text := range map[string]string{".gitignore": "/lock\n/tmp/\n", ".gitattributes": "* -text\n*.age binary\n"} {
		path := filepath.Join(s.root(), name)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				return err
			}
			continue
		}
		if err := s.disk().Write(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// slackClock is how much later than all others somebody's changes may be who has only made
// changes. What is later gets a new clock where the owner says it in their place.
const slackClock = 1 << 20

// restate writes a file of the record in which the owner says what files said that are void
// from then on, and that there is a list of members. l is the record until now; nil where the
// store was not shared.
func (s *Store) restate(l *ledger, next *roster, c *reshaping) error {
	void, takes := map[string]bool{}, map[string]bool{}
	before, owner := "", idPrefix(next.Owner.Signer)
	t := &recorder{signer: c.as}
	if l != nil {
		before = idPrefix(l.roster.Owner.Signer)
		maps.Copy(void, l.void)
		for _, id := range c.takes {
			takes[id] = true
		}
		// What is signed for the owner until now counts no more, nor does anything if somebody
		// has set the clock; and the files that were made so before are one again.
		all := before != owner || l.clock() > highClock
		for _, id := range l.ids() {
			if slices.ContainsFunc(l.pages[id].lines, func(c change) bool { return c.op == opList }) {
				takes[id], c.removes = true, append(c.removes, id)
			} else if all {
				takes[id] = true
			}
		}
	}
	var changes []change
	for _, id := range slices.Sorted(maps.Keys(takes)) {
		p := l.pages[id]
		if p == nil {
			continue
		}
		made, pending := p.made()
		if pending != nil {
			if is, err := s.made(pending); err != nil {
				return err
			} else if is {
				made = append(made, *pending)
			}
		}
		changes = append(changes, made...)
		delete(l.pages, id)
	}
	if l != nil {
		t.clock = l.clock()
	}
	c.takes = slices.Sorted(maps.Keys(takes))
	for _, id := range slices.Concat(c.takes, c.voids) {
		void[id] = true
	}
	inOrder(changes)
	id := newSharedID(c.as.public)
	t.sum = next.newSum(id)
	var b bytes.Buffer
	by := owner
	of := func(key string) {
		if key == "" || key == before {
			key = owner
		}
		if key != by {
			b.Write(t.line(change{op: opOf, folder: key}))
			by = key
		}
	}
	last, highest := t.clock, t.clock+slackClock
	for _, ch := range changes {
		t.clock = min(ch.clock, highest) - 1
		of(ch.by.key)
		t.clock = min(ch.clock, highest) - 1
		b.Write(t.line(ch))
		if ch.pending() {
			b.Write(t.line(change{op: opDone}))
		}
		last = max(last, t.clock)
	}
	t.clock = last
	for _, ch := range c.start {
		if ch.op != opDone {
			of(ch.by.key)
		}
		b.Write(t.line(ch))
	}
	for _, id := range slices.Sorted(maps.Keys(void)) {
		b.Write(t.line(change{op: opVoid, folder: id}))
	}
	if l != nil && before == owner {
		for _, ch := range l.rekeys { // that are not done, perhaps
			b.Write(t.line(change{op: opRekey, folder: ch.folder, version: ch.version}))
		}
	}
	for _, folder := range c.folders {
		b.Write(t.line(change{op: opRekey, folder: folder, version: int(next.Serial)}))
	}
	b.Write(t.line(change{op: opList, version: int(next.Serial), hash: hashFile(next.raw)}))
	if t.signer == nil {
		return errNotSigned
	}
	if err := s.disk().MkdirAll(s.recordDir()); err != nil {
		return err
	}
	return s.disk().Write(s.recordPath(id), b.Bytes(), 0o600)
}

// encryptShared encrypts what the owner had said to be encrypted anew, and is not yet. Each is
// noted as a save is. What is not as the record has it, or was not made by who has said it, is
// left, and named in left.
func (r *recorder) encryptShared(ctx context.Context) (n int, left string, err error) {
	want, _ := r.ledger.want()
	folders, err := r.store.folders()
	if err != nil {
		return 0, "", err
	}
	slices.Sort(folders)
	var others []string
	for _, folder := range folders {
		since := r.ledger.since(folder)
		if since == 0 {
			continue
		}
		if !isPlain(filepath.Join(r.store.secrets(), folder), fs.ModeDir) {
			others = append(others, folder)
			continue
		}
		vs, err := versions(filepath.Join(r.store.secrets(), folder))
		if err != nil {
			return n, "", err
		}
		for _, v := range slices.Backward(vs) {
			if err := ctx.Err(); err != nil {
				return n, "", err
			}
			path := filepath.Join(r.store.secrets(), folder, v.file())
			if !isPlain(path, 0) {
				others = append(others, filepath.Join(folder, v.file()))
				continue
			}
			data, err := ownfile.ReadNoLink(path, maxFile)
			if v.gone || errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return n, "", err
			}
			b, hash := bindingOf(data), hashFile(data)
			w := want[folder][v.n]
			if b.serial >= since && w.is(hash) {
				continue
			}
			var info store.Info
			var sec *secret.Secret
			err = errNotShared
			maker := r.ledger.roster.maker(w, hash, b)
			if w.is(hash) && maker != nil {
				info, sec, err = r.store.decode(r.key, data)
			}
			if err != nil || folderName(info.Name) != folder || info.Version != v.n {
				others = append(others, filepath.Join(folder, v.file()))
				continue
			}
			if err := r.anew(path, info, sec, maker.key == nobody); err != nil {
				return n, "", err
			}
			n++
		}
	}
	if len(others) > maxBad {
		others = append(others[:maxBad], "and more")
	}
	return n, strings.Join(others, ", "), nil
}

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

// Invitation is the list of members that is in the folder, for a user who is to say whether
// that is whom they share the store with.
type Invitation struct {
	Shared
	// Was is the owner until now, and OtherStore says that it was another store; nil where
	// this machine has joined none.
	Was        *Member
	OtherStore bool
	// Saved reports that this machine has saved something here that was shared with nobody.
	Saved bool

	roster *roster
	pin    []byte // of the list until now
}

// Invitation returns the list of members in the folder; nil where this machine has joined it.
// The list is checked by itself: whether its owner is who they say only the user can know.
func (s *Store) Invitation(ctx context.Context) (*Invitation, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	_, err := s.shared()
	if err != nil && !errors.Is(err, errNotJoined) && !errors.Is(err, errNewOwner) {
		return nil, err
	}
	if err == nil {
		if is, err := s.pinned(); err != nil || is {
			return nil, err
		}
		return nil, fault.WithHint(fmt.Errorf("there is no list of members in %s", s.root()), "Bring the folder here first, with git or as you like.")
	}
	raw, err := ownfile.ReadNoLink(s.membersPath(), maxRoster)
	if err != nil {
		return nil, err
	}
	r, err := parseRoster(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.membersPath(), err)
	}
	in := &Invitation{Shared: r.shared(), roster: r}
	pin, err := s.pin()
	if err != nil {
		return nil, err
	}
	if pin != nil {
		in.pin, in.Was, in.OtherStore = pin.raw, &pin.Owner, pin.Store != r.Store
	}
	was, err := s.readSeen()
	if err != nil {
		return nil, err
	}
	in.Saved = pin == nil && len(was.Sizes) > 0
	s.mu.Lock()
	k, err := s.load()
	s.mu.Unlock()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		me := r.reader(k.public)
		if me == nil && k.ids != nil {
			me, _, err = r.own(k)
		}
		if pin == nil && k.ids != nil && !in.Saved { // on another machine, perhaps
			files, err := s.recordFiles()
			if err != nil {
				return nil, err
			}
			own, err := signersOf(k, files)
			if err != nil {
				return nil, err
			}
			in.Saved = len(own.of) > 0
		}
		if me != nil {
			in.You = me.Name
		}
	} else {
		err = nil
	}
	if err == nil && in.You == "" {
		err = fault.WithHint(fault.Mark(fmt.Errorf("you are not a member of the store of %s", r.Owner.Name), store.ErrDenied), "Give "+r.Owner.Name+" what rhx store key prints here.")
	}
	return in, err
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
		was, err := s.readSeen()
		if err != nil {
			return err
		}
		if in.OtherStore { // what was seen of the other is no measure
			was.Version, was.ID, was.Sizes, was.Hashes = 1, newSharedID(""), map[string]int64{}, nil
			if err := (&recorder{store: s, seen: was}).saveSeen(); err != nil {
				return err
			}
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
		data, err := ownfile.ReadNoLink(filepath.Join(s.secrets(), folder, v.file()), maxFile)
		if err != nil {
			continue
		}
		w, hash := want[folder][v.n], hashFile(data)
		if a := members.maker(w, hash, bindingOf(data)); w.is(hash) && a != nil {
			out[v.n] = a.name
		}
	}
	return out
}
