package agestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
)

// Who is taken out, or has less, has read what they could read: it is to be changed where it
// comes from. What that is, is noted in store.lost before the list of members is another one,
// and stays there until it was said to the user: a process that is killed says nothing.

// Lost is what somebody could read who cannot any more.
type Lost struct {
	Name    string `json:"name"`
	Secrets []Text `json:"secrets"`
	// List is the hash of the list of members that has taken it from them.
	List string `json:"list"`
}

type lostFile struct {
	Version int    `json:"version"`
	Lost    []Lost `json:"lost"`
}

func (s *Store) lostPath() string { return filepath.Join(s.opt.Dir, "store.lost") }

// Lost returns what those could read whom the user has taken out, or who have less, which was not
// said yet: [Store.LostSaid] ends that.
func (s *Store) Lost(ctx context.Context) ([]Lost, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	pin, err := s.pin()
	if err != nil {
		return nil, err
	}
	return s.lostBy(pin)
}

// lostBy is Lost up to a list of members. That of a process which was killed before its list
// counted is left out.
func (s *Store) lostBy(now *roster) ([]Lost, error) {
	all, err := s.readLost()
	if err != nil || now == nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(l Lost) bool { return !now.follows(l.List) }), nil
}

func (s *Store) readLost() ([]Lost, error) {
	data, err := ownfile.Read(s.lostPath(), maxSeen)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var f lostFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fault.WithHint(fmt.Errorf("%s is damaged", s.lostPath()), "It said what members could read whom you have taken out. Remove it.")
	}
	return f.Lost, ownfile.CheckVersion(s.lostPath(), f.Version, 1)
}

// noteLost notes what a change of the list of members takes from somebody, before it is made.
// What was noted and cannot be read any more stops nobody from being taken out.
func (s *Store) noteLost(lost []Lost, next *roster) error {
	if len(lost) == 0 {
		return nil
	}
	all, err := s.readLost()
	if err != nil {
		s.warnOnce("%v: what else was to be changed is not known", err)
	}
	for _, l := range lost {
		l.List = next.hash
		// A process that was killed before may have noted it: what is signed again is the same list.
		all = slices.DeleteFunc(all, func(o Lost) bool { return o.Name == l.Name && o.List == l.List })
		all = append(all, l)
	}
	data, err := Marshal(lostFile{1, all})
	if err != nil {
		return err
	}
	return s.disk().Write(s.lostPath(), data, 0o600)
}

// LostSaid forgets what [Store.Lost] has returned, which the user knows then.
func (s *Store) LostSaid(ctx context.Context, said []Lost) error {
	return s.locked(ctx, func() error {
		all, err := s.readLost()
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(slices.Clone(all), func(l Lost) bool {
			return slices.ContainsFunc(said, func(o Lost) bool { return l.List == o.List && l.Name == o.Name })
		})
		switch {
		case len(left) == len(all):
			return nil
		case len(left) > 0:
			data, err := Marshal(lostFile{1, left})
			if err != nil {
				return err
			}
			return s.disk().Write(s.lostPath(), data, 0o600)
		}
		s.step()
		return os.Remove(s.lostPath())
	})
}

// loses is what somebody could read until now, and does not read as now; nil where now is nobody.
// What cannot be listed stops nobody from being taken out.
func (s *Store) loses(old, now *Member) []Lost {
	secrets := slices.Clone(old.Secrets)
	if old.All {
		names, err := s.names()
		if err != nil && fault.KindOf(err) != fault.Partial { // what is no secret was not shared
			s.warnOnce("what %s could read is not known: %v", old.Name, err)
		}
		for _, name := range names {
			secrets = append(secrets, Text(name))
		}
	}
	if now != nil {
		secrets = slices.DeleteFunc(secrets, func(name Text) bool { return now.All || slices.Contains(now.Secrets, name) })
	}
	if len(secrets) == 0 {
		return nil
	}
	return []Lost{{Name: old.Name, Secrets: secrets}}
}

// names are the secrets, of many the first.
func (l *Lost) names() string {
	var names []string
	for i, name := range l.Secrets {
		if i == maxBad {
			names = append(names, fmt.Sprintf("%d more", len(l.Secrets)-i))
			break
		}
		names = append(names, string(name))
	}
	return strings.Join(names, ", ")
}
