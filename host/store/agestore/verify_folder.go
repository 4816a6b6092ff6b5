package agestore

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/secret"
)

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
	case errors.As(err, &mismatch) && stale && c.me == &c.ledger.roster.Owner:
		// No list of members leaves the owner out, so sharing anew does not help.
		c.problem("version %d of %s cannot be read with the owner's key: %s has encrypted it to others only, or to the key that you had before. Ask them to save it again; then remove %s, and run rhx store verify --accept", v.n, name, c.by(folder, v.n, hash), path)
		return hash, name, false, nil
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

// by names who has saved a version, by the record.
func (c *comparison) by(folder string, n int, hash string) string {
	w := c.want[folder][n]
	said := w.by
	if hash != w.hash {
		said = w.otherBy
	}
	if !w.is(hash) || len(said) == 0 {
		return "somebody"
	}
	return said[0].name
}

// name is the name of the secret of a folder, where the folder says it.
func (c *comparison) name(folder string) string {
	if text, ok := percentDecode(folder); ok && folderName(text) == folder && secret.ValidName(text) == nil {
		return text
	}
	return "the secret in " + folder
}
