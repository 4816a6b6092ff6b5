package agestore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

// view is the record as it was read, for a reader of values.
type view struct {
	stamp string // of the files
	want  states
	// either are the changes that may or may not be made, by folder.
	either map[string]change
	// pending are those of a shared store, and members with whom that is shared.
	pending map[string][]change
	members *roster
	// bad says why the record is not to be believed; "" for nothing.
	bad string
}

// Together implements [store.Together].
func (s *Store) Together() (end func()) {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.together++
	return sync.OnceFunc(func() {
		s.reading.Lock()
		defer s.reading.Unlock()
		if s.together--; s.together == 0 {
			s.recent = nil
		}
	})
}

// look is lookNow, or where many secrets are read together, what an earlier look of them has
// found, unless again says that it has left a doubt.
func (s *Store) look(k *key, folder string, again bool) (*view, error) {
	s.reading.Lock()
	if s.together == 0 {
		s.reading.Unlock()
		return s.lookNow(k, folder)
	}
	defer s.reading.Unlock()
	if s.recent != nil && !again {
		return s.recent, nil
	}
	v, err := s.lookNow(k, "")
	if err == nil {
		s.recent = v
	}
	return v, err
}

// lookNow returns the record as far as it is about the folder of a secret, "" for all; nil where
// there is none. A second look at the same record reads all of it, for those to come.
func (s *Store) lookNow(k *key, folder string) (*view, error) {
	members, err := s.shared()
	if errors.Is(err, errMembers) {
		return &view{bad: err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	idsOf := s.recordIDs
	if members != nil {
		idsOf = s.allRecordIDs
	}
	ids, err := idsOf()
	if err != nil {
		return nil, err
	}
	was, err := s.readSeen()
	if err != nil || members == nil && len(ids)+len(was.Sizes) == 0 {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintln(&b, was.Sizes, was.Hashes)
	if members != nil {
		fmt.Fprintln(&b, members.hash)
	}
	for _, id := range ids {
		info, err := os.Lstat(s.recordPath(id))
		if err != nil {
			return nil, err
		}
		fmt.Fprintln(&b, id, info.Size(), info.ModTime().UnixNano())
	}
	stamp := b.String()
	s.viewing.Lock()
	defer s.viewing.Unlock()
	switch {
	case members != nil && (stamp != s.stamp || s.view == nil):
		s.stamp = stamp
		s.view, err = s.sharedView(members, was, stamp)
	case stamp != s.stamp:
		s.view, s.stamp = nil, stamp
		return s.readView(k, ids, was, folder, stamp)
	case s.view == nil:
		s.view, err = s.readView(k, ids, was, "", stamp)
	}
	return s.view, err
}

// readView reads what the record says of a folder, "" for all.
func (s *Store) readView(k *key, ids []string, was *seen, folder, stamp string) (*view, error) {
	v := &view{stamp: stamp, want: states{}, either: map[string]change{}}
	for id, size := range was.Sizes {
		if size > 0 && !slices.Contains(ids, id) {
			v.bad = s.recordPath(id) + " was removed"
		}
	}
	var all []change
	files, err := s.recordFilesOf(ids)
	if err != nil {
		return nil, err
	}
	c, err := signersOf(k, files)
	if err != nil {
		return nil, err
	}
	waits := k.asks
	for _, id := range ids {
		lines, bad := c.counted(id, files[id], was, waits)
		if bad != "" {
			v.bad = s.recordPath(id) + ": " + bad
		} else if int64(len(files[id])) < was.Sizes[id] {
			v.bad = s.recordPath(id) + " is older than when this machine last wrote: the store may be an older copy of itself"
		}
		made, pending := changesOf(lines, folder, waits)
		if all = append(all, made...); pending != nil {
			v.either[pending.folder] = *pending
		}
	}
	inOrder(all)
	for i := range all {
		v.want.apply(&all[i])
	}
	return v, nil
}

// sharedView is readView for a store that is shared, of all folders.
func (s *Store) sharedView(members *roster, was *seen, stamp string) (*view, error) {
	l, err := s.readLedger(members, was)
	if err != nil {
		return nil, err
	}
	v := &view{stamp: stamp, bad: cmp.Or(l.behind(), l.ahead()), members: members}
	fresh := 0
	for _, id := range l.ids() {
		p := l.pages[id]
		if fresh += p.fresh; p.cut {
			v.bad = id + recordEnding + ": it, or a line in it, was changed, or another key wrote it"
		}
	}
	if fresh > 0 || members.later {
		s.rememberSoon(l)
	}
	v.want, v.pending = l.want()
	return v, nil
}

// rememberSoon has this machine know a record that was read, so that the next reader does not
// check it again, unless somebody writes just then.
func (s *Store) rememberSoon(l *ledger) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second/50)
	defer cancel()
	_ = s.locked(ctx, func() error { // it is known as well when somebody writes
		if now, err := s.shared(); err != nil || !bytes.Equal(now.raw, l.roster.raw) {
			return err
		}
		return s.remember(l)
	})
}

// changesOf are the changes of a folder, "" for all, that were made, and the one that
// may have been. unproven takes those without a proof, too.
func changesOf(lines []byte, folder string, unproven bool) (made []change, pending *change) {
	of := []byte(" " + folder + " ")
	for line := range bytes.Lines(lines) {
		if folder != "" && pending == nil && !bytes.Contains(line, of) {
			continue
		}
		c, proof, ok := parseChange(string(bytes.TrimSuffix(line, []byte("\n"))))
		switch {
		case !ok, proof == "-" && !unproven:
		case c.op == opDone && pending != nil:
			made, pending = append(made, *pending), nil
		case c.op == opForget:
			made, pending = append(made, c), nil
		default:
			if pending = nil; c.pending() && (folder == "" || c.folder == folder) {
				pending = &c
			}
		}
	}
	return made, pending
}

// found is what a reader has found of a secret: a version with its hash, "" where it is not there,
// and whether it is marked as deleted.
type found struct {
	version int
	hash    string
	marked  bool
}

// doubt says why a version that was read is not what the record has; "" where it is. Of one that
// is not there f.version is what was asked for. newest says that the newest one was asked for.
// foreign says that nobody whose word counts has put it there.
func (v *view) doubt(folder string, f found, newest bool) (what string, foreign bool) {
	if v.bad != "" && v.members == nil {
		return v.bad, false
	}
	if what, foreign = v.doubtOf(folder, f, newest); foreign {
		return what, true
	}
	return cmp.Or(v.bad, what), false
}

func (v *view) doubtOf(folder string, f found, newest bool) (what string, foreign bool) {
	version := f.version
	hash, header, _ := strings.Cut(f.hash, " ")
	if _, ok := v.either[folder]; ok {
		return "", false // a process may just be writing it
	}
	for _, c := range v.pending[folder] {
		after := &view{want: states{folder: maps.Clone(v.want[folder])}, members: v.members}
		after.want.apply(&c)
		if what, _ := after.doubtOf(folder, f, newest); what == "" {
			return "", false // likewise
		}
	}
	of := v.want[folder]
	last := 0
	for n := range of {
		last = max(last, n)
	}
	if hash == "" && newest {
		version = last
	}
	w, known := of[version]
	switch {
	case hash == "" && known && !w.deleted:
		return fmt.Sprintf("version %d was taken away, or marked as deleted", version), false
	case hash == "":
		return "", false
	case !known:
		return fmt.Sprintf("version %d was added by somebody else", version), true
	case !w.is(hash):
		return fmt.Sprintf("version %d was replaced", version), true
	case v.members != nil && v.members.maker(w, hash, bindingOf([]byte("\n"+header))) == nil:
		return fmt.Sprintf("version %d was made by another one than who has put it there", version), true
	case w.deleted && !f.marked:
		return fmt.Sprintf("version %d was deleted", version), false
	case f.marked && !w.deleted:
		return fmt.Sprintf("version %d is marked as deleted, and rhx did not delete it", version), false
	case newest && version < last:
		return fmt.Sprintf("version %d was taken away", last), false
	}
	return "", false
}

// say tells of a secret that was read and is not as the record has it: what is read is
// what is there, and the user decides. In a shared store what no member has put there is an error: who
// saves it again, in another version or under another name, would give it to all of them, and
// it may be from another store of the user's. Another process may write meanwhile, so it looks
// until the secret is the same before and after the record was; errOther says that it is another one
// than what was read.
func (s *Store) say(k *key, name string, number int, read func() (found, error)) error {
	before, first := "", ""
	for i := range tries {
		f, err := read()
		if err != nil {
			return errOther
		}
		if is := fmt.Sprint(f.version, f.hash); first == "" {
			first = is
		} else if is != first {
			return errOther
		}
		v, err := s.look(k, folderName(name), i > 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			s.unsure.Store(true)
			s.warn("the record of the store cannot be read: %v", err)
			return nil
		}
		if v == nil {
			return nil
		}
		if v.members == nil && v.bad != "" {
			s.unsure.Store(true)
		}
		doubt, foreign := v.doubt(folderName(name), f, number == 0)
		if doubt == "" {
			return nil
		}
		now := fmt.Sprint(f, v.stamp)
		if now != before {
			before = now
			continue
		}
		if foreign && v.members != nil {
			return fault.WithHint(fault.Mark(fmt.Errorf("%q is not as a member has left it in the store: %s", name, doubt), store.ErrDenied),
				"Get the folder as the others have it (git), or remove the file that rhx store verify names. Where it is right, "+v.members.Owner.Name+" can take it: rhx store verify --accept.")
		}
		s.warn("%s is not as rhx left it in the store: %s. rhx store verify says more", name, doubt)
		return nil
	}
	return errOther
}

// errOther is the error of say for what is not there any more.
var errOther = errors.New("it has changed meanwhile")

// bound is what say compares of the file of a version.
func bound(data []byte) string {
	if b := bindingOf(data); b.store != "" {
		return hashFile(data) + " " + strings.Join(b.args(), " ")
	}
	return hashFile(data)
}

// rereading returns what was read, and at later calls what is there then.
func (s *Store) rereading(name string, asked, number int, data []byte) func() (found, error) {
	return func() (found, error) {
		if data == nil {
			var err error
			if _, data, number, err = s.read(name, asked); err != nil {
				return found{}, err
			}
		}
		hash := bound(data)
		data = nil
		return found{version: number, hash: hash}, nil
	}
}

// sayGone tells of a secret that is not there, and was not deleted, if the key is open.
func (s *Store) sayGone(name string, number int) {
	k, err := s.ready()
	if err != nil || k == nil {
		return
	}
	_ = s.say(k, name, number, func() (found, error) {
		if _, _, _, err := s.read(name, number); !errors.Is(err, store.ErrNotFound) {
			return found{}, errors.New("it is there now")
		}
		return found{version: number}, nil
	})
}
