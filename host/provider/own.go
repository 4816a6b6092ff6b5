package provider

import (
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/machine"
)

// ErrOwn is the error of a file that rhx keeps for itself, such as the key of the
// local store. No provider may name one, in its spec, by a variable that moves a file,
// or by way of a symbolic link.
var ErrOwn = errors.New("it is rhx's own, and no provider may read or write it")

// ownVars are the variables that say where rhx keeps its files.
var ownVars = []string{"RHX_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"}

// resolver is a machine that knows where symbolic links lead: this one. On other
// machines links are not checked: who can make one there can write there anyway.
type resolver interface {
	Resolve(path string) (string, error)
}

// own finds the folders in which rhx keeps its files on the machine. named are the
// files that no spec names but the user, or rhx itself.
func (s *Snapshot) own(m machine.Machine, named []string) {
	s.users = slices.Clone(named)
	d := config.NewDirs(s.Info.Home, func(name string) string { return s.Info.Env[name] })
	for _, dir := range []string{d.Config, d.Data, d.State, d.Cache} {
		s.ownDirs = append(s.ownDirs, s.folded(filepath.ToSlash(dir)))
	}
	if s.Info.Env["RHX_HOME"] != "" {
		s.ownDirs = append(s.ownDirs, path.Dir(s.ownDirs[0]))
	}
	if r, ok := m.(resolver); ok {
		s.resolve = r.Resolve
		for _, dir := range []string{d.Config, d.Data, d.State, d.Cache} {
			// A folder that cannot be resolved is compared as it is named.
			if real, err := r.Resolve(dir); err == nil {
				s.ownDirs = append(s.ownDirs, s.folded(filepath.ToSlash(real)))
			}
		}
	}
}

// folded is a path as the machine's file system compares it.
func (s *Snapshot) folded(p string) string {
	p = path.Clean(p)
	if s.Info.OS == "darwin" || s.Info.OS == "windows" {
		return strings.ToLower(p)
	}
	return p
}

// notNamedOurs returns an error where a path is that of one of rhx's own files. It
// looks at nothing on the machine.
func (s *Snapshot) notNamedOurs(p string) error {
	if slices.Contains(s.users, p) || !s.inOwn(p) {
		return nil
	}
	return ErrOwn
}

// inOwn reports whether a path is below a folder of rhx's own.
func (s *Snapshot) inOwn(p string) bool {
	p = s.folded(p)
	return slices.ContainsFunc(s.ownDirs, func(dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") })
}

// Leads returns where a path leads that nobody named here, such as one that the store
// has, with "~/" for the home folder. It is an error where that is a file of rhx's own,
// whoever named it, or where it cannot be found out.
func (s *Snapshot) Leads(p string) (string, error) {
	p = s.abs(p)
	real, home := p, s.Info.Home
	if s.resolve != nil {
		var err error
		if real, err = s.resolve(p); err != nil {
			return "", err
		}
		real = filepath.ToSlash(real)
		if to, err := s.resolve(home); err == nil {
			home = filepath.ToSlash(to)
		}
	}
	if s.inOwn(p) || s.inOwn(real) {
		return "", ErrOwn
	}
	if rest, ok := strings.CutPrefix(real, home+"/"); ok {
		return "~/" + rest, nil
	}
	return s.Short(real), nil
}

// notOurs returns an error where a file is one of rhx's own, by its path or by way of
// a symbolic link, or where that cannot be found out.
func (s *Snapshot) notOurs(p string) error {
	err := s.notNamedOurs(p)
	if err != nil || s.resolve == nil || slices.Contains(s.users, p) {
		return err
	}
	real, err := s.resolve(p)
	if err != nil {
		return err
	}
	return s.notNamedOurs(filepath.ToSlash(real))
}
