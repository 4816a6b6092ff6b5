package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// rule allows access to a file, or to all that is below a folder.
type rule struct {
	path   string
	access uint64
}

// complement are the rules that allow everything but what is hidden: Landlock can only
// allow, so they are of all that lies beside the ways there. Nothing is allowed in the
// folders on these ways themselves, since that would be allowed below them, too.
func (p *Plan) complement(all, files uint64) ([]rule, error) {
	hidden, onWay := map[string]bool{}, map[string][]string{}
	note := func(name string) {
		for name != "/" {
			up := path.Dir(name)
			if !slices.Contains(onWay[up], name) {
				onWay[up] = append(onWay[up], name)
			}
			name = up
		}
	}
	for _, h := range slices.Concat(p.Hidden, p.Private) {
		hidden[h] = true
		note(h)
	}
	for _, l := range p.Links { // which must not be removed: see Plan
		note(l)
	}
	var out []rule
	var walk func(dir string) error
	walk = func(dir string) error {
		names, err := entries(dir, append(slices.Clone(onWay[dir]), p.toward(dir)...))
		if err != nil {
			return err
		}
		for _, name := range names {
			info, err := os.Lstat(name)
			switch {
			case hidden[name] || err != nil || info.Mode()&fs.ModeSymlink != 0:
			case dir == "/dev" && !device(path.Base(name), p.Offline):
				// Disks have all files, and root may read them.
			case len(onWay[name]) > 0 || name == "/dev":
				err = walk(name)
			case name == "/proc" || name == "/sys":
				out = append(out, rule{name, reads})
			case info.IsDir():
				out = append(out, rule{name, all})
			default:
				out = append(out, rule{name, files})
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
				return err
			}
		}
		return nil
	}
	if err := walk("/"); err != nil {
		return nil, err
	}
	for _, k := range p.Keep {
		out = append(out, rule{k, all})
	}
	return out, nil
}

// toward is the entry of a folder that leads to the working folder.
func (p *Plan) toward(dir string) []string {
	rest, below := strings.CutPrefix(p.Dir, strings.TrimSuffix(dir, "/")+"/")
	if !below {
		return nil
	}
	name, _, _ := strings.Cut(rest, "/")
	return []string{path.Join(dir, name)}
}

// entries are the paths of what is in a folder. Of one that cannot be listed they are those
// that are known.
func entries(dir string, known []string) ([]string, error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrPermission) {
		slices.Sort(known)
		return slices.Compact(known), nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = path.Join(dir, e.Name())
	}
	return out, nil
}

// device reports whether something in /dev is for a command. Landlock alone leaves it the
// terminals and the memory that programs share.
func device(name string, offline bool) bool {
	if name == keptOnline {
		return !offline
	}
	return slices.ContainsFunc(slices.Concat(kept, []string{"pts", "ptmx", "console", "shm", "mqueue"}), func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}
