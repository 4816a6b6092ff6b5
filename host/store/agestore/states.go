package agestore

import (
	"cmp"
	"slices"
)

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
		// Two machines have saved one number where it comes twice and was not forgotten in between.
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
