package agestore

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// The record of a shared store. Its files belong to a key by their name: the ID of a file
// begins with a hash of the key that signs it. Each line has a proof by that key, over the ID
// of the store, that of the file, and all of the file up to there.

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
