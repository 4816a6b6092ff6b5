package agestore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
)

// Verified is what Verify found.
type Verified struct {
	Secrets  int `json:"secrets"`
	Versions int `json:"versions"`
	// Problems say what was taken away, put back, added or altered.
	Problems []string `json:"problems"`
	// Notes say what need not be anybody's doing.
	Notes []string `json:"notes"`
}

func (v *Verified) problem(format string, args ...any) {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
}

func (v *Verified) note(format string, args ...any) {
	v.Notes = append(v.Notes, fmt.Sprintf(format, args...))
}

// state is what the record says of a version.
type state struct {
	hash string
	// other is the hash of what another machine wrote as the same version, before the
	// folders of the two were merged; "" for none.
	other   string
	deleted bool
	clock   int64 // of the change that wrote it
	// by and otherBy are those who have said hash and other, in a shared store.
	by, otherBy []author
}

// author is somebody who has said something in the record of a shared store: what the IDs of
// their files begin with, and their name.
type author struct {
	key, name string
}

func (w state) is(hash string) bool { return hash != "" && (hash == w.hash || hash == w.other) }

// states are those of versions, by folder and number.
type states map[string]map[int]state

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
	if c.stale > 0 {
		c.note("%d versions are not encrypted to the members as they are now, since rhx store share, unshare or rekey was interrupted, or somebody saved before they had the list: %s runs rhx store share", c.stale, c.ledger.roster.Owner.Name)
	}
	if n := c.unfinished(want); n > 0 {
		c.note("%d versions are still encrypted as before rhx store rekey, which was interrupted: run it again, and it goes on", n)
	}
	return nil
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

// read reads the record. recorded is false where there is none.
func (c *comparison) read() (want states, recorded bool, err error) {
	s := c.store
	was, err := s.seenOrSaid(c.Verified)
	if err != nil {
		return nil, false, err
	}
	members, err := s.shared()
	switch {
	case errors.Is(err, errNotJoined) && len(was.Sizes) == 0:
		return nil, false, nil // nor has this machine written here
	case errors.Is(err, errNotJoined): // what the list says is about nothing here
	case errors.Is(err, errMembers):
		return nil, false, nil // nobody's word counts
	case err != nil:
		return nil, false, err
	case members != nil:
		want, err := c.readShared(members, was)
		return want, true, err
	}
	ids, odd, err := s.recordAndOdd()
	if err != nil {
		return nil, false, err
	}
	c.odd(odd)
	if c.files, err = s.recordFiles(); err != nil {
		return nil, false, err
	}
	if c.signers, err = signersOf(c.key, c.files); err != nil {
		return nil, false, err
	}
	for id, size := range was.Sizes {
		if !slices.Contains(ids, id) && !slices.Contains(odd, id) && size > 0 {
			c.problem("%s was removed", s.recordPath(id))
		}
	}
	if len(ids) == 0 {
		if len(was.Sizes) == 0 {
			c.note("the store has no record of what is in it yet: the next write makes it")
		}
		return nil, false, nil
	}
	var all []change
	c.pending = map[string]change{}
	for _, id := range ids {
		all = append(all, c.file(id, c.files[id], was)...)
	}
	inOrder(all)
	want = states{}
	for i := range all {
		want.apply(&all[i])
	}
	c.forgot = forgotten(all)
	return want, true, nil
}

// odd tells of files of the record that count for nothing.
func (c *comparison) odd(ids []string) {
	for i, id := range ids {
		if i == maxBad {
			c.problem("there are %d more like that", len(ids)-i)
			break
		}
		c.problem("%s counts for nothing: it is not a plain file, or larger than any, or one of too many. Somebody else has put it there, and it is to be removed", c.store.recordPath(id))
	}
}

// forgotten are the versions, by folder, that were deleted and then taken away by somebody: only
// their marks may be there.
func forgotten(all []change) map[string]map[int]bool {
	out, now := map[string]map[int]bool{}, states{}
	for i := range all {
		c := &all[i]
		if c.op == opForget && now[c.folder][c.version].deleted {
			if out[c.folder] == nil {
				out[c.folder] = map[int]bool{}
			}
			out[c.folder][c.version] = true
		}
		if c.op == opDestroy {
			delete(out, c.folder)
		}
		now.apply(c)
	}
	return out
}

// readShared is read for a store that is shared.
func (c *comparison) readShared(members *roster, was *seen) (want states, err error) {
	s := c.store
	if c.me, _, err = members.own(c.key); err != nil {
		return nil, err
	}
	if c.ledger, err = s.readLedger(members, was); err != nil {
		return nil, err
	}
	l := c.ledger
	if what := l.ahead(); what != "" {
		c.problem("%s: %s", s.membersPath(), what)
	}
	for _, id := range l.removed {
		c.problem("%s was removed", s.recordPath(id))
	}
	for _, id := range l.ids() {
		p, path := l.pages[id], s.recordPath(id)
		if p.behind {
			c.problem("%s is shorter or another one than when this machine saw it last: the store may be an older copy of itself", path)
		}
		for _, bad := range p.bad {
			c.problem("%s:%s", path, bad)
		}
	}
	own, err := c.key.signers()
	if err != nil {
		return nil, err
	}
	for m := range l.many {
		c.problem("%s has more files of the record than there can be, and the last of them do not count: rhx store unshare %s ends that", m.Name, m.Name)
	}
	for _, id := range l.strangers {
		next := func(k *signer) bool { return strings.HasPrefix(id, idPrefix(k.public)) }
		switch n := len(c.foreign); {
		case c.me == &members.Owner && members.whose(id) == nil && slices.ContainsFunc(own, next):
			c.note("rhx store rekey was interrupted: run it again, and it goes on")
		case n < maxBad:
			c.foreign = append(c.foreign, s.recordPath(id)+": no member wrote it, or one who was taken out")
		case n == maxBad:
			c.foreign = append(c.foreign, "there are more files of the record that no member wrote")
		}
	}
	if c.me == nil {
		c.note("you are not a member of the store. %s", askOwner(members))
	}
	c.want, c.pendings = l.want()
	c.forgot = forgotten(l.made())
	return c.want, nil
}

// file checks one file of the record line by line, and returns the changes that were made.
func (c *comparison) file(id string, data []byte, was *seen) []change {
	own, least := id == was.ID, was.Sizes[id]
	path := c.store.recordPath(id)
	if int64(len(data)) < least {
		c.problem("%s was put back to what it was at an earlier time: the store may be an older copy of itself", path)
	}
	if c.signers.void[id] {
		return nil
	}
	part, bad := c.signers.counted(id, data, was, c.locked)
	if own && bad == unprovenAgain {
		c.problem("%s: %s", path, bad)
	}
	if !own && bad == "" {
		data = part
	} else if !own && !c.anyProof(id, data) {
		// What it says counts for nothing.
		c.foreign = append(c.foreign, fmt.Sprintf("%s: %s", path, bad))
		c.wrong = append(c.wrong, id)
		return nil
	}
	var made []change
	var pending *change
	var wrong []string // with lines since the last that was accepted
	say := func(n int, text string) { wrong = append(wrong, fmt.Sprintf("%s:%d: %s", path, n, text)) }
	sum := newSum(id)
	n, unproven, proven := 0, 0, false
	for line := range strings.Lines(string(data)) {
		n++
		ch, proof, ok := parseChange(strings.TrimSuffix(line, "\n"))
		if !ok {
			say(n, "this line is not as rhx wrote it")
			sum.Write([]byte(line))
			continue
		}
		sum.Write([]byte(ch.text()))
		good := false
		switch {
		case proof == "-":
			if unproven++; proven && !c.locked {
				say(n, "it has no proof: it was added, or written while there was no key")
			}
		case provenBy(c.signers.own, sum, proof) != "":
			good, proven, unproven = true, true, 0
		default:
			say(n, "it, or a line before it, was changed, or another key wrote it")
		}
		sum.Write([]byte(proof + "\n"))
		switch ch.op {
		case opDone:
			if pending != nil {
				made, pending = append(made, *pending), nil
			}
		case opUndone:
			pending = nil
		case opAccept:
			if good {
				wrong = nil
			}
		case opVoid, opRekey:
			pending = nil
		case opLost:
			say(n, "this file was removed before, and what it said of the store is not known")
		case opBehind:
			say(n, "the record was put back to what it was at an earlier time before this: the store may be an older copy of itself")
		default:
			if pending = &ch; !ch.pending() {
				made, pending = append(made, ch), nil
			}
		}
	}
	c.Problems = append(c.Problems, wrong...)
	if len(wrong) > 0 && !own {
		c.wrong = append(c.wrong, id)
	}
	if unproven > 0 && (!own || int64(len(data)) > least) {
		c.unproven = append(c.unproven, path)
	}
	if unproven > 0 && (!proven || c.locked) {
		c.note("the last %d changes in %s were made while the key was locked or not there yet: the next one proves them", unproven, path)
	}
	if pending != nil {
		c.pending[pending.folder] = *pending
	}
	return made
}

// anyProof reports whether some line of a file was signed by a key that counts.
func (c *comparison) anyProof(id string, data []byte) bool {
	sum := newSum(id)
	for line := range bytes.Lines(data) {
		at := bytes.LastIndexByte(line, ' ') + 1
		sum.Write(line[:at])
		if provenBy(c.signers.own, sum, string(bytes.TrimSuffix(line[at:], []byte("\n")))) != "" {
			return true
		}
		sum.Write(line[at:])
	}
	return false
}

// inOrder sorts changes that several machines made by their clocks.
func inOrder(all []change) { slices.SortStableFunc(all, compareClock) }

// compareClock has changes of a shared store at the same clock be in an order that stays when the owner
// says them in the place of who has made them.
func compareClock(a, b change) int {
	if by := cmp.Or(cmp.Compare(a.clock, b.clock), cmp.Compare(a.by.key, b.by.key)); by != 0 || a.by.key == "" {
		return by
	}
	return cmp.Or(cmp.Compare(a.folder, b.folder), cmp.Compare(a.version, b.version), cmp.Compare(a.op, b.op), cmp.Compare(a.hash, b.hash))
}

func (w states) apply(c *change) {
	if !c.pending() && c.op != opForget {
		return
	}
	of := w[c.folder]
	if of == nil {
		of = map[int]state{}
		w[c.folder] = of
	}
	switch c.op {
	case opPut:
		// The same number twice, without its being forgotten between, is by two machines.
		was := of[c.version]
		if said := &was.by; c.by.key != "" && was.is(c.hash) {
			if c.hash != was.hash {
				said = &was.otherBy
			}
			if !slices.Contains(*said, c.by) {
				*said = append(slices.Clip(*said), c.by)
			}
			of[c.version] = was
			return
		}
		of[c.version] = state{hash: c.hash, other: was.hash, clock: c.clock, by: []author{c.by}, otherBy: was.by}
	case opAgain:
		if v, ok := of[c.version]; ok {
			by := c.by
			if v.other == "" && len(v.by) > 0 {
				by.name = v.by[0].name
			}
			v.hash, v.other, v.clock, v.by, v.otherBy = c.hash, "", c.clock, []author{by}, nil
			of[c.version] = v
		}
	case opDelete, opBack:
		if v, ok := of[c.version]; ok {
			v.deleted = c.op == opDelete
			of[c.version] = v
		}
	case opForget:
		delete(of, c.version)
	case opDestroy:
		delete(w, c.folder)
	}
}

// folder compares the versions of one secret.
func (c *comparison) folder(folder string, vs []version, want map[int]state, recorded bool) error {
	have := map[int]version{}
	for _, v := range vs {
		have[v.n] = v
		if v.gone {
			if _, ok := want[v.n]; recorded && !ok && !c.forgot[folder][v.n] {
				c.lonely(folder, v, vs)
			}
			continue
		}
		c.Versions++
		w, ok := want[v.n]
		hash, name, stale, err := c.version(folder, v)
		if err != nil {
			c.problem("%v", err)
			continue
		}
		if recorded && !c.expected(folder, v, hash, w, ok) {
			c.differs(folder, name, v, hash, w, ok)
		} else if stale {
			c.stale++
		}
	}
	for _, n := range slices.Sorted(maps.Keys(want)) {
		p, pending := c.pending[folder]
		destroyed := pending && p.op == opDestroy && len(vs) == 0
		for _, p := range c.pendings[folder] {
			destroyed = destroyed || p.op == opDestroy && len(vs) == 0
		}
		if v, ok := have[n]; !ok && !destroyed || v.gone {
			c.problem("version %d of %s was taken away", n, c.name(folder))
		}
	}
	return nil
}

// lonely tells of a mark without its version. It hides the versions before it; where there are
// none it does nothing: such a one is left where two machines delete and destroy a secret.
func (c *comparison) lonely(folder string, v version, vs []version) {
	path := filepath.Join(c.store.secrets(), folder, v.mark())
	if slices.ContainsFunc(vs, func(o version) bool { return !o.gone && !o.deleted && o.n < v.n }) {
		c.problem("version %d of %s is marked as deleted, and there is none: somebody has put %s there, which is to be removed", v.n, c.name(folder), path)
		return
	}
	c.note("%s marks a version that is not there, and hides none", path)
}

// expected reports whether a version is as the record says, or as a change would have
// made it that a process may have been killed in.
func (c *comparison) expected(folder string, v version, hash string, w state, ok bool) bool {
	if ok && w.is(hash) && w.deleted == v.deleted {
		return true
	}
	pendings := c.pendings[folder]
	if p, pending := c.pending[folder]; pending {
		pendings = []change{p}
	}
	for _, p := range pendings {
		if p.version != v.n {
			continue
		}
		after := states{folder: {}}
		if ok {
			after[folder][v.n] = w
		}
		after.apply(&p)
		if w := after[folder][v.n]; w.is(hash) && w.deleted == v.deleted {
			return true
		}
	}
	return false
}

// differs says how a version is not as the record says.
func (c *comparison) differs(folder, name string, v version, hash string, w state, ok bool) {
	path := filepath.Join(c.store.secrets(), folder, v.file())
	switch {
	case !ok:
		c.problem("version %d of %s was added by somebody else, or put back after it was destroyed: %s%s", v.n, name, path, c.saidToBe(path))
	case !w.is(hash):
		c.problem("version %d of %s was replaced: %s", v.n, name, path)
	case v.deleted:
		c.problem("version %d of %s is marked as deleted, and rhx did not delete it: %s", v.n, name, filepath.Join(c.store.secrets(), folder, v.mark()))
	default:
		c.problem("version %d of %s was deleted, and is not any more: %s is gone", v.n, name, filepath.Join(c.store.secrets(), folder, v.mark()))
	}
}

// saidToBe names the member who has saved a version that the record does not have, by its own word.
func (c *comparison) saidToBe(path string) string {
	data, err := readVersion(path)
	if c.ledger == nil || err != nil {
		return ""
	}
	b := bindingOf(data)
	m := c.ledger.roster.by[b.by]
	if m == nil || b.store != c.ledger.roster.Store {
		return ""
	}
	return fmt.Sprintf(" (it says that it is by %s: what was saved, and not in the owner's folder yet, when the owner changed what %s has is to be saved again)", m.Name, m.Name)
}

// version reads a version, and checks it by itself. name is that of the secret; stale reports
// that it is not encrypted to the members as they are now.
func (c *comparison) version(folder string, v version) (hash, name string, stale bool, err error) {
	path := filepath.Join(c.store.secrets(), folder, v.file())
	name = c.name(folder)
	data, err := readVersion(path)
	if err != nil {
		return "", name, false, err
	}
	hash = hashFile(data)
	if c.ledger != nil {
		b := bindingOf(data)
		stale = c.ledger.stale(folder, b)
		if w := c.want[folder][v.n]; w.is(hash) && c.ledger.roster.maker(w, hash, b) == nil {
			c.problem("version %d of %s was made by another one than who has put it there: %s", v.n, name, path)
		}
	}
	info, _, err := c.store.decode(c.key, data)
	switch mismatch := new(age.NoIdentityMatchError); {
	case errors.As(err, &mismatch) && c.ledger != nil && (c.me == nil || !c.me.reads(folder) || bindingOf(data).by == nobody):
		c.others++
	case errors.As(err, &mismatch) && stale:
	case errors.As(err, &mismatch):
		c.problem("%s", c.store.wrongKey(path, c.key))
	case err != nil:
		c.problem("%s: %v", path, err)
	case secret.ValidName(info.Name) != nil:
		c.problem("%s: the name in its header is none of a secret", path)
	case folderName(info.Name) != folder || info.Version != v.n:
		c.problem("%s", misplaced(path, info))
	default:
		name = info.Name
	}
	return hash, name, stale, nil
}

// name is the name of the secret of a folder, where the folder says it.
func (c *comparison) name(folder string) string {
	if text, ok := percentDecode(folder); ok && folderName(text) == folder && secret.ValidName(text) == nil {
		return text
	}
	return "the secret in " + folder
}

// Accept has the record say what the folder holds, as it is now. It is for a user who
// knows why the two differ.
// In a shared store shown is what Acceptance has returned.
func (s *Store) Accept(ctx context.Context, shown *Acceptance) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if shown != nil {
		s.withoutAgent()
	}
	k, err := s.unlocked()
	if err != nil {
		return err
	}
	return s.locked(ctx, func() error {
		if done, err := s.acceptShared(ctx, k, shown); done || err != nil {
			return err
		}
		r, err := s.openRecordWith(k)
		if r != nil {
			defer r.close()
		}
		if err != nil {
			return err
		}
		c := &comparison{Verified: &Verified{}, store: s, key: k}
		if _, _, err := c.read(); err != nil {
			return err
		}
		for _, id := range c.wrong {
			if err := r.add(change{op: opVoid, folder: id}, false); err != nil {
				return err
			}
		}
		// As it is without what is void.
		if err := r.reread(); err != nil {
			return err
		}
		if err := r.replaceSeen(); err != nil {
			return err
		}
		want, _, err := c.read()
		if err != nil {
			return err
		}
		now, unread, err := s.present()
		if err != nil {
			return err
		}
		if err := r.become(want, now, unread); err != nil {
			return err
		}
		return r.accept()
	})
}

// become notes what leads from what the record says to what is there.
func (r *recorder) become(want states, now, unread []change) error {
	for _, c := range becoming(want, now, unread) {
		if err := r.add(c, false); err != nil {
			return err
		}
	}
	return nil
}

// becoming are the changes that lead from what the record says to what is there. What is unread
// stays as it was.
func becoming(want states, now, unread []change) (out []change) {
	for _, c := range unread {
		if c.version == 0 {
			delete(want, c.folder)
		}
		delete(want[c.folder], c.version)
	}
	have := states{}
	for i := range now {
		have.apply(&now[i])
	}
	for _, folder := range slices.Sorted(maps.Keys(want)) {
		for _, n := range slices.Sorted(maps.Keys(want[folder])) {
			if is, ok := have[folder][n]; ok && is.hash == want[folder][n].hash {
				continue
			}
			out = append(out, change{op: opForget, folder: folder, version: n})
			delete(want[folder], n)
		}
	}
	for i, ch := range now {
		w, ok := want[ch.folder][ch.version]
		known := ok && ch.op == opPut || ch.op == opDelete && w.deleted
		switch {
		case ch.op == opDone: // with its change
		case known:
		default:
			out = append(out, ch, now[i+1])
		}
		if ch.op == opPut && ok && w.deleted && !have[ch.folder][ch.version].deleted {
			out = append(out, change{op: opBack, folder: ch.folder, version: ch.version}, change{op: opDone})
		}
	}
	return out
}
