package agestore

import (
	"cmp"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/ownfile"
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
	hash    string
	deleted bool
}

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
	was, err := s.readSeen()
	if err != nil || len(folders)+len(ids)+len(was.Sizes) == 0 {
		return v, err
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
		c := &comparison{Verified: v, store: s, key: k, locked: ready == nil}
		return c.run(ctx)
	})
	return v, err
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
		vs, err := versions(filepath.Join(s.secrets(), folder))
		if err != nil {
			return err
		}
		if len(vs) > 0 {
			c.Secrets++
		}
		if err := c.folder(folder, vs, want[folder], recorded); err != nil {
			return err
		}
	}
	return nil
}

// read reads the record. recorded is false where there is none.
func (c *comparison) read() (want states, recorded bool, err error) {
	s := c.store
	ids, err := s.recordIDs()
	if err != nil {
		return nil, false, err
	}
	was, err := s.readSeen()
	if err != nil {
		return nil, false, err
	}
	keys := make([][]byte, len(c.key.roots))
	for i, root := range c.key.roots {
		if keys[i], err = derive(root, "store record"); err != nil {
			return nil, false, err
		}
	}
	for id, size := range was.Sizes {
		if !slices.Contains(ids, id) && size > 0 {
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
		changes, err := c.file(id, keys, was.Sizes[id])
		if err != nil {
			return nil, false, err
		}
		all = append(all, changes...)
	}
	inOrder(all)
	want = states{}
	for i := range all {
		want.apply(&all[i])
	}
	return want, true, nil
}

// file reads one file of the record, and returns the changes that were made.
func (c *comparison) file(id string, keys [][]byte, least int64) ([]change, error) {
	path := c.store.recordPath(id)
	data, err := ownfile.Read(path, maxRecord)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) < least {
		c.problem("%s was put back to what it was at an earlier time: the store may be an older copy of itself", path)
	}
	var made []change
	var pending *change
	var wrong []string // with lines since the last that was accepted
	say := func(n int, text string) { wrong = append(wrong, fmt.Sprintf("%s:%d: %s", path, n, text)) }
	sum := newSum(id)
	n, unproven, proven := 0, 0, false
	for line := range strings.Lines(string(wholeLines(data))) {
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
		case slices.ContainsFunc(keys, func(key []byte) bool { return hmac.Equal([]byte(proof), []byte(recordProof(key, sum))) }):
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
	if unproven > 0 && (!proven || c.locked) {
		c.note("the last %d changes in %s were made while the key was locked or not there yet: the next one proves them", unproven, path)
	}
	if pending != nil {
		c.pending[pending.folder] = *pending
	}
	return made, nil
}

// inOrder sorts changes that several machines made by their clocks.
func inOrder(all []change) {
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Compare(a.clock, b.clock) })
}

func (w states) apply(c *change) {
	of := w[c.folder]
	if of == nil {
		of = map[int]state{}
		w[c.folder] = of
	}
	switch c.op {
	case opPut:
		of[c.version] = state{hash: c.hash}
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
			continue
		}
		c.Versions++
		hash, name, err := c.version(folder, v)
		if err != nil {
			return err
		}
		if w, ok := want[v.n]; recorded && !c.expected(folder, v, hash, w, ok) {
			c.differs(folder, name, v, hash, w, ok)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(want)) {
		p, pending := c.pending[folder]
		destroyed := pending && p.op == opDestroy && len(vs) == 0
		if v, ok := have[n]; !ok && !destroyed || v.gone {
			c.problem("version %d of %s was taken away", n, c.name(folder))
		}
	}
	return nil
}

// expected reports whether a version is as the record says, or as a change would have
// made it that a process may have been killed in.
func (c *comparison) expected(folder string, v version, hash string, w state, ok bool) bool {
	if ok && w == (state{hash, v.deleted}) {
		return true
	}
	p, pending := c.pending[folder]
	if !pending || p.version != v.n {
		return false
	}
	after := states{folder: {}}
	if ok {
		after[folder][v.n] = w
	}
	after.apply(&p)
	return after[folder][v.n] == state{hash, v.deleted}
}

// differs says how a version is not as the record says.
func (c *comparison) differs(folder, name string, v version, hash string, w state, ok bool) {
	path := filepath.Join(c.store.secrets(), folder, v.file())
	switch {
	case !ok:
		c.problem("version %d of %s was added by somebody else, or put back after it was destroyed: %s", v.n, name, path)
	case w.hash != hash:
		c.problem("version %d of %s was replaced: %s", v.n, name, path)
	case v.deleted:
		c.problem("version %d of %s is marked as deleted, and rhx did not delete it: %s", v.n, name, filepath.Join(c.store.secrets(), folder, v.mark()))
	default:
		c.problem("version %d of %s was deleted, and is not any more: %s is gone", v.n, name, filepath.Join(c.store.secrets(), folder, v.mark()))
	}
}

// version reads a version, and checks it by itself. name is that of the secret.
func (c *comparison) version(folder string, v version) (hash, name string, err error) {
	path := filepath.Join(c.store.secrets(), folder, v.file())
	name = c.name(folder)
	data, err := ownfile.Read(path, maxFile)
	if err != nil {
		return "", name, err
	}
	info, _, err := decodeFile(data, c.key.ids)
	switch mismatch := new(age.NoIdentityMatchError); {
	case errors.As(err, &mismatch):
		c.problem("%s", c.store.wrongKey(path, c.key))
	case err != nil:
		c.problem("%s: %v", path, err)
	case folderName(info.Name) != folder || info.Version != v.n:
		c.problem("%s", misplaced(path, info))
	default:
		name = info.Name
	}
	return hashFile(data), name, nil
}

// name is the name of the secret of a folder, where the folder says it.
func (c *comparison) name(folder string) string {
	if text, ok := percentDecode(folder); ok && folderName(text) == folder {
		return text
	}
	return "the secret in " + folder
}

// Accept has the record say what the folder holds, as it is now. It is for a user who
// knows why the two differ.
func (s *Store) Accept(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	k, err := s.unlocked()
	if err != nil {
		return err
	}
	return s.locked(ctx, func() error {
		r, err := s.openRecord()
		if r != nil {
			defer r.close()
		}
		if err != nil {
			return err
		}
		c := &comparison{Verified: &Verified{}, store: s, key: k}
		want, _, err := c.read()
		if err != nil {
			return err
		}
		now, err := s.present()
		if err != nil {
			return err
		}
		have := states{}
		for i := range now {
			have.apply(&now[i])
		}
		for folder, of := range want {
			for n := range of {
				if _, ok := have[folder][n]; !ok {
					if err := r.add(change{op: opForget, folder: folder, version: n}, false); err != nil {
						return err
					}
				}
			}
		}
		for _, ch := range now {
			if err := r.add(ch, false); err != nil {
				return err
			}
		}
		return r.accept()
	})
}
