package agestore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

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
	if own && (bad == unprovenAgain || bad == unprovenEnd) {
		c.problem("%s: %s", path, bad)
	}
	if own && c.locked {
		data = part
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
			if unproven++; proven && !(c.locked && own) {
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
