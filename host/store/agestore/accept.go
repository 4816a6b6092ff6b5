package agestore

import (
	"context"
	"maps"
	"slices"
)

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
