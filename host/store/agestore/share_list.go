package agestore

import (
	"bytes"
	"context"
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

// publishAgain puts the list that this machine has seen last into the folder, unless the record
// has a later one.
func (s *Store) publishAgain(pin *roster) error {
	l, err := s.ledgerOf(pin, true)
	if err != nil {
		return err
	}
	if what := l.ahead(); what != "" {
		return fault.WithHint(fault.Mark(fmt.Errorf("%s: %s", s.membersPath(), what), errMembers), pin.wayOut(&pin.Owner))
	}
	return s.publish(pin, pin)
}

// ledgerOf reads the record of a shared store; nil where it is not. anyway: also where nobody knows
// what was seen of it.
func (s *Store) ledgerOf(r *roster, anyway bool) (*ledger, error) {
	if r == nil {
		return nil, nil
	}
	if anyway {
		return s.readLedger(r, s.readSeenAnyway())
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
	if err := s.noteLost(c.lost, next); err != nil {
		return err
	}
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
		l, err := s.ledgerOf(was, true)
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
		if err := s.writeRecipients(now.public()); err != nil { // nothing is encrypted to what is there
			s.warn("%v", err)
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
func (r *roster) fits() error { return r.fitsFor(r.everybody()) }

func (r *roster) fitsFor(members []*Member) error {
	for _, m := range members {
		_, err := age.Encrypt(io.Discard, &described{&age.Stanza{Type: stanzaType}, slices.Concat(r.Owner.to, m.to)})
		if err != nil {
			return fault.WithHint(fmt.Errorf("encrypt to the key of %s: %w", m.Name, err),
				"A key of a plugin needs that plugin wherever what it reads is saved, or its sharing changed. "+r.Owner.Name+" can take "+m.Name+" out where the plugin is, or share with another key of theirs.")
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

// counting leaves out, of changes in their order, what comes to nothing whatever others have done
// meanwhile: what was before a secret was destroyed, but for the highest number that it had, which
// others may have gone on from, and each deletion of a version that is not the last word on it.
func counting(changes []change) []change {
	type place struct {
		folder  string
		version int
	}
	destroyed, marked := map[string]int{}, map[place]int{}
	for i, c := range changes {
		switch c.op {
		case opDestroy:
			destroyed[c.folder] = i
		case opDelete, opBack:
			marked[place{c.folder, c.version}] = i
		}
	}
	var out []change
	highest := map[string]int{} // where in out
	for i, c := range changes {
		if last, ok := destroyed[c.folder]; ok && i < last {
			if c.op != opPut {
				continue
			}
			if at, ok := highest[c.folder]; ok {
				if was := &out[at]; c.version > was.version {
					was.version, was.hash, was.by = c.version, c.hash, c.by
				}
				continue
			}
			highest[c.folder] = len(out)
		}
		if last, ok := marked[place{c.folder, c.version}]; ok && (c.op == opDelete || c.op == opBack) && i < last {
			continue
		}
		out = append(out, c)
	}
	return out
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
			if is, err := s.made(pending); err == nil && is { // else Verify says that nobody has
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
	changes = counting(changes)
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
		clock := ch.clock
		if clock > highest {
			clock = max(last, highest) + 1
		}
		t.clock = clock - 1
		of(ch.by.key)
		t.clock = clock - 1
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
			b.Write(t.line(change{op: opRekey, folder: ch.folder, version: ch.version, hash: ch.hash}))
		}
	}
	for _, folder := range c.folders {
		b.Write(t.line(change{op: opRekey, folder: folder, version: int(next.Serial), hash: next.hash}))
	}
	b.Write(t.line(change{op: opList, version: int(next.Serial), hash: next.hash}))
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
		if since < 0 {
			continue
		}
		vs, err := versions(filepath.Join(r.store.secrets(), folder))
		if err != nil {
			others = append(others, folder)
			continue
		}
		for _, v := range slices.Backward(vs) {
			if err := ctx.Err(); err != nil {
				return n, "", err
			}
			path := filepath.Join(r.store.secrets(), folder, v.file())
			data, err := readVersion(path)
			if v.gone || errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				others = append(others, filepath.Join(folder, v.file()))
				continue
			}
			b, hash := bindingOf(data), hashFile(data)
			w := want[folder][v.n]
			if w.is(hash) && !r.ledger.stale(folder, b) {
				continue
			}
			var info store.Info
			var sec *secret.Secret
			err = errNotShared
			if w.is(hash) && r.ledger.roster.maker(w, hash, b) != nil {
				info, sec, err = r.store.decode(r.key, data)
			}
			if err != nil || folderName(info.Name) != folder || info.Version != v.n {
				others = append(others, filepath.Join(folder, v.file()))
				continue
			}
			err = r.anew(path, info, sec, b.by == nobody)
			if errors.Is(err, errForeign) {
				others = append(others, filepath.Join(folder, v.file()))
				continue
			}
			if err != nil {
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
