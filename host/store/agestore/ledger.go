package agestore

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/store"
)

// The record of a shared store. Its files belong to a key by their name: the ID of a file
// begins with a hash of the key that signs it. Each line has a proof by that key, over the ID
// of the store, that of the file, and all of the file up to there.

// page is a file of the record of a shared store.
type page struct {
	by *Member
	// lines are those that count, and size is where they end: nothing behind a line that is
	// not proven does. hash is that of the file up to there.
	lines []change
	size  int64
	hash  string
	// cut reports that there is something behind that, and bad says what is wrong.
	cut bool
	bad []string
	// behind reports that it was shorter, or another one, when this machine saw it last.
	behind bool
	// fresh counts the lines that were not proven to this machine before.
	fresh int
}

// former is the name of whoever is not a member any more.
const former = "(former)"

const (
	// maxBad bounds what is said of one file.
	maxBad = 10
	// maxFiles is how many files of the record a member may have, and maxEach how long they may be together in
	// bytes: some hundred thousand changes.
	maxFiles = 100
	maxEach  = 32 << 20
	// maxLine is how long a line may be in bytes.
	maxLine = 1 << 10
	// maxJump is by how much the number of a version may be higher than that of any before it. A
	// member who could say any number could say the highest, and nobody would save that secret.
	maxJump = 100
	// highClock is a clock that nobody gets to by saving. Those up to maxClock/2 count; a store
	// that has one this high waits for its owner.
	highClock = maxClock / 4
)

func (p *page) say(format string, args ...any) {
	if len(p.bad) < maxBad {
		p.bad = append(p.bad, fmt.Sprintf(format, args...))
	}
}

// page is readFrom of what a file has.
func (r *roster) page(id string, data []byte, was *seen) *page {
	if r.whose(id) == nil {
		return nil
	}
	p, _ := r.readFrom(id, bytes.NewReader(data), int64(len(data)), was) // it never fails
	return p
}

// readFrom says which lines of a file of the record count, which is that of somebody of the
// store, by its name. Nothing else says so. It reads no further than that: behind it there may
// be anything.
func (r *roster) readFrom(id string, f io.Reader, size int64, was *seen) (*page, error) {
	m := r.whose(id)
	p := &page{by: m}
	// What this machine has looked at line by line, and is the same, is proven already.
	limit := int64(maxEach)
	if m == &r.Owner { // who says again what others have said
		limit = math.MaxInt64
	}
	known := min(was.Sizes[id], size, limit)
	before := make([]byte, known)
	if _, err := io.ReadFull(f, before); err != nil {
		return nil, err
	}
	sum := r.newSum(id)
	sum.Write(before)
	if known < was.Sizes[id] || known > 0 && hashText(sum) != was.Hashes[id] {
		p.behind, known, sum = true, 0, r.newSum(id)
	}
	lines := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(before), f), maxLine)
	by := author{key: id[:sharedID/2], name: m.Name}
	for n := 1; ; n++ {
		line, kind, err := nextLine(lines)
		if err != nil {
			return nil, err
		}
		if kind == noLine {
			p.hash = hashText(sum)
			return p, nil
		}
		at := bytes.LastIndexByte(line, ' ') + 1
		c, proof, ok := parseChange(string(bytes.TrimSuffix(line, []byte("\n"))))
		if p.size >= known {
			good := hashText(sum)
			p.fresh++
			sum.Write(line[:at])
			if kind == longLine || !ok || p.size > limit || string(line[:at]) != c.text() || c.clock > maxClock/2 || !signed(m.Signer, recordPurpose, sum.Sum(nil), proof) {
				p.say("%d: it, or a line before it, was changed, or another key than that of %s wrote it", n, m.Name)
				p.cut, p.hash = true, good
				return p, nil
			}
			sum.Write(line[at:])
		}
		p.size += int64(len(line))
		if !r.may(m, &c) {
			p.say("%d: %s may not say this: %q", n, m.Name, strings.TrimSpace(c.text()))
			c.op = opUndone // nor does a line behind it finish what was before it
		}
		if c.op == opOf {
			if by = (author{key: c.folder, name: former}); r.by[by.key] != nil {
				by.name = r.by[by.key].Name
			}
		}
		c.by = by
		p.lines = append(p.lines, c)
	}
}

// What nextLine finds: a line, one that is longer than any of rhx, or the end. What a process
// that was killed has written of a line is none.
const (
	aLine = iota
	longLine
	noLine
)

func nextLine(r *bufio.Reader) (line []byte, kind int, err error) {
	line, err = r.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF):
		return nil, noLine, nil
	case errors.Is(err, bufio.ErrBufferFull):
		return line, longLine, nil
	}
	return line, aLine, err
}

func hashText(sum hash.Hash) string { return hex.EncodeToString(sum.Sum(nil)) }

func (r *roster) hashOf(id string, data []byte) string {
	sum := r.newSum(id)
	sum.Write(data)
	return hashText(sum)
}

// made are the changes that were made, in their order, and the one that may have been.
func (p *page) made() (made []change, pending *change) {
	for i := range p.lines {
		c := &p.lines[i]
		switch {
		case c.op == opDone && pending != nil:
			made, pending = append(made, *pending), nil
		case c.op == opForget:
			made, pending = append(made, *c), nil
		case c.pending():
			pending = c
		default:
			pending = nil
		}
	}
	return made, pending
}

// ledger is the record of a shared store.
type ledger struct {
	roster *roster
	pages  map[string]*page // those that count, by ID
	void   map[string]bool  // the IDs of those that the owner has made void
	// strangers are the IDs of files that are nobody's, of which nothing is read, or of which
	// not even the first line is by the key that they belong to.
	strangers []string
	// removed are those that are not there any more.
	removed []string
	// beyond are those of members who have more than there can be, and many has these members.
	beyond map[string]bool
	many   map[*Member]bool
	// rekeys are the owner's words that secrets are encrypted anew, and lists those of which
	// lists of members there are.
	rekeys, lists []change
}

// readLedger reads the files of the record that count.
func (s *Store) readLedger(r *roster, was *seen) (*ledger, error) {
	ids, err := s.allRecordIDs()
	if err != nil {
		return nil, err
	}
	l := &ledger{roster: r, pages: map[string]*page{}, void: map[string]bool{}, beyond: map[string]bool{}, many: map[*Member]bool{}}
	var owners, others []string
	for _, id := range ids {
		switch r.whose(id) {
		case nil:
			if info, err := os.Lstat(s.recordPath(id)); err != nil || !info.Mode().IsRegular() || info.Size() > 0 {
				l.strangers = append(l.strangers, id) // an empty one says nothing
			}
		case &r.Owner:
			owners = append(owners, id)
		default:
			others = append(others, id)
		}
	}
	read := func(id string) {
		p := s.readPage(r, id, was)
		switch {
		case p.size == 0 && p.cut && !p.behind:
			l.strangers = append(l.strangers, id)
		case p.size > 0 || p.behind || id == was.ID:
			l.pages[id] = p
		}
	}
	for _, id := range owners {
		if read(id); l.pages[id] == nil {
			continue
		}
		for _, c := range l.pages[id].lines {
			switch c.op {
			case opVoid:
				l.void[c.folder] = true
			case opRekey:
				l.rekeys = append(l.rekeys, c)
			case opList:
				l.lists = append(l.lists, c)
			}
		}
	}
	files, sizes := map[*Member]int{}, map[*Member]int64{}
	for _, id := range others {
		m := r.whose(id)
		if l.void[id] {
			continue
		}
		if !l.many[m] {
			read(id)
		}
		if p := l.pages[id]; p != nil {
			files[m]++
			sizes[m] += p.size
		}
		if l.many[m] = l.many[m] || files[m] > maxFiles || sizes[m] > maxEach; l.many[m] {
			l.beyond[id] = true
			delete(l.pages, id)
		}
	}
	maps.DeleteFunc(l.many, func(_ *Member, many bool) bool { return !many })
	maps.DeleteFunc(l.pages, func(id string, _ *page) bool { return l.void[id] })
	l.rekeys = r.lastRekeys(l.rekeys)
	l.number()
	l.strangers = slices.DeleteFunc(l.strangers, func(id string) bool { return l.void[id] })
	for _, id := range slices.Sorted(maps.Keys(was.Sizes)) {
		if was.Sizes[id] > 0 && r.whose(id) != nil && !l.void[id] && !l.beyond[id] && l.pages[id] == nil {
			l.removed = append(l.removed, id)
		}
	}
	return l, nil
}

// lastRekeys are those of some that count, one of each folder: files that are void say theirs, too, and
// somebody could put all of them back before each change of the list.
func (r *roster) lastRekeys(all []change) (out []change) {
	// What is not known counts as the list that there is, whichever that is.
	rank := func(c change) int { return cmp.Or(r.place(c.hash)+1, len(r.Before)+2) }
	at := map[string]int{}
	for _, c := range all {
		i, ok := at[c.folder]
		if !ok {
			at[c.folder] = len(out)
			out = append(out, c)
		} else if rank(c) > rank(out[i]) {
			out[i] = c
		}
	}
	return out
}

// stale reports whether a version is to be encrypted anew: it is not encrypted to the list for which
// the owner had that done last, nor to a later one. Nobody knows the hash of a list to come.
func (l *ledger) stale(folder string, b binding) bool {
	return l.roster.place(b.list) < l.since(folder)
}

// number has no member's word on a version count that has a number which nobody gets to.
func (l *ledger) number() {
	type put struct {
		page *page
		line int
	}
	var puts []put
	for _, id := range l.ids() {
		p := l.pages[id]
		for i := range p.lines {
			if p.lines[i].op == opPut {
				puts = append(puts, put{p, i})
			}
		}
	}
	slices.SortStableFunc(puts, func(a, b put) int { return compareClock(a.page.lines[a.line], b.page.lines[b.line]) })
	highest := map[string]int{}
	for _, is := range puts {
		c := &is.page.lines[is.line]
		if last := highest[c.folder]; is.page.by != &l.roster.Owner && c.version > last+maxJump {
			is.page.say("%d: the number of the version is far above that of any other: %q", is.line+1, strings.TrimSpace(c.text()))
			c.op = opUndone // as of what a member may not say
			continue
		}
		highest[c.folder] = max(highest[c.folder], c.version)
	}
}

// readPage reads one file, as far as it counts. Of one that cannot be read nothing does.
func (s *Store) readPage(r *roster, id string, was *seen) *page {
	none := &page{by: r.whose(id), cut: true, behind: was.Sizes[id] > 0}
	info, err := os.Lstat(s.recordPath(id))
	if err != nil || !info.Mode().IsRegular() {
		return none
	}
	f, err := ownfile.OpenNoLink(s.recordPath(id))
	if err != nil {
		return none
	}
	defer func() { _ = f.Close() }()
	p, err := r.readFrom(id, f, info.Size(), was)
	if err != nil {
		return none
	}
	return p
}

// ids are those of the pages, in order.
func (l *ledger) ids() []string { return slices.Sorted(maps.Keys(l.pages)) }

// behind names a file of the record that was removed, or put back to what it was before; ""
// for none.
func (l *ledger) behind() string {
	for _, id := range l.ids() {
		if l.pages[id].behind {
			return id + recordEnding + " is shorter or another one than when this machine saw it last: the store may be an older copy of itself"
		}
	}
	if len(l.removed) > 0 {
		return l.removed[0] + recordEnding + " was removed"
	}
	return ""
}

// want is what is to be in the store, and pending what may or may not be, by folder and file
// of the record.
func (l *ledger) want() (want states, pending map[string][]change) {
	want, pending = states{}, map[string][]change{}
	for _, id := range l.ids() {
		if _, next := l.pages[id].made(); next != nil {
			pending[next.folder] = append(pending[next.folder], *next)
		}
	}
	all := l.made()
	for i := range all {
		want.apply(&all[i])
	}
	return want, pending
}

// made are all changes that were made, in their order.
func (l *ledger) made() (all []change) {
	for _, id := range l.ids() {
		made, _ := l.pages[id].made()
		all = append(all, made...)
	}
	inOrder(all)
	return all
}

// since returns the place of the last list of members for which the owner had the secret in a
// folder encrypted anew; -1 for none.
func (l *ledger) since(folder string) int {
	last := -1
	for _, c := range l.rekeys {
		if c.folder != allFolders && c.folder != folder {
			continue
		}
		at := l.roster.place(c.hash)
		if at < 0 { // it is too long ago to be known, or somebody keeps it back
			at = l.roster.place(l.roster.hash)
		}
		last = max(last, at)
	}
	return last
}

// hasList reports whether the owner has said that there is a list of members.
func (l *ledger) hasList(r *roster) bool {
	return slices.ContainsFunc(l.lists, func(c change) bool { return int64(c.version) == r.Serial && c.hash == r.hash })
}

// newestList is the highest serial of those.
func (l *ledger) newestList() int64 {
	last := int64(0)
	for _, c := range l.lists {
		last = max(last, int64(c.version))
	}
	return last
}

// ahead says that the owner's record has another list of members than the one that is there;
// "" where it has not.
func (l *ledger) ahead() string {
	for _, c := range l.lists {
		if !l.roster.follows(c.hash) {
			return fmt.Sprintf("its owner has made list %d of the members, and this is another one, %d: somebody may keep the newer one from you", c.version, l.roster.Serial)
		}
	}
	if !l.hasList(l.roster) {
		return fmt.Sprintf("its owner's record does not have list %d of the members: somebody may keep that record from you", l.roster.Serial)
	}
	return ""
}

// wrong are the IDs of the files that are not as they are to be, or nobody's.
func (l *ledger) wrong() (pages, strangers []string) {
	for _, id := range l.ids() {
		if p := l.pages[id]; p.behind || p.cut || len(p.bad) > 0 {
			pages = append(pages, id)
		}
	}
	return pages, l.strangers
}

// clock is the highest.
func (l *ledger) clock() int64 {
	last := int64(0)
	for _, p := range l.pages {
		for i := range p.lines {
			last = max(last, p.lines[i].clock)
		}
	}
	return last
}

// remember has was be what is there. What was longer, or another one, stays noted as it was.
func (l *ledger) remember(was *seen) {
	sizes, hashes := map[string]int64{}, map[string]string{}
	files := map[*Member]int{}
	for _, p := range l.pages {
		files[p.by]++
	}
	for _, id := range slices.Sorted(maps.Keys(was.Sizes)) {
		m := l.roster.whose(id)
		if m == nil || l.void[id] {
			continue
		}
		if l.pages[id] == nil { // it is gone; a member may put there others and others
			if files[m]++; files[m] > maxFiles && id != was.ID {
				continue
			}
		}
		sizes[id], hashes[id] = was.Sizes[id], was.Hashes[id]
	}
	for id, p := range l.pages {
		if !p.behind && p.size >= sizes[id] {
			sizes[id], hashes[id] = p.size, p.hash
		}
	}
	was.Sizes, was.Hashes = sizes, hashes
}

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
