package machine

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	// listFrom is how many paths have to be asked for below a folder for a list of
	// its names to be cheaper than to look for each.
	listFrom = 16
	// listMost is the largest folder that is listed, in names.
	listMost = 4096
)

// listings are the names in the folders below which many paths are asked for. Most
// of what hundreds of providers ask for is not there: one look at a folder answers
// for all of it.
type listings struct {
	home string
	// many are the folders below which many paths are asked for.
	many map[string]bool
	// names are what is in each, in lower case; nil where that is not known.
	names map[string]map[string]bool
}

// Look returns what says cheaply of many variables and paths ("~/" is the home folder)
// that they are not there: set is certain, there may be wrong in saying that a file is.
func (l *local) Look(paths []string) (set, there func(string) bool) {
	abs := func(p string) string {
		if rest, ok := strings.CutPrefix(p, "~/"); ok {
			return l.home + "/" + rest
		}
		return p
	}
	asked := make([]string, len(paths))
	for i, p := range paths {
		asked[i] = abs(p)
	}
	seen := newListings(l.home, asked)
	return func(name string) bool { return l.getenv(name) != "" }, func(p string) bool { return !seen.absent(abs(p)) }
}

func newListings(home string, paths []string) *listings {
	l := &listings{home: home, many: map[string]bool{}, names: map[string]map[string]bool{}}
	if len(paths) < listFrom {
		return l
	}
	below := map[string]int{}
	for _, p := range paths {
		for dir := range l.folders(p) {
			if below[dir]++; below[dir] == listFrom {
				l.many[dir] = true
			}
		}
	}
	return l
}

// folders gives the folders that a path leads through, from the home folder on,
// and the name in each. Of a path that is not in the home folder it gives none.
func (l *listings) folders(p string) func(yield func(dir, name string) bool) {
	return func(yield func(dir, name string) bool) {
		rest, ok := strings.CutPrefix(p, l.home)
		if !ok || rest == "" || !os.IsPathSeparator(rest[0]) || strings.Contains(rest, "..") {
			return
		}
		for dir, at := l.home, len(l.home)+1; at <= len(p); {
			name := p[at:]
			end := strings.IndexByte(name, '/')
			if end >= 0 {
				name = name[:end]
			}
			if !yield(dir, name) || end < 0 {
				return
			}
			dir, at = p[:at+end], at+end+1
		}
	}
}

// absent reports that there is no file at a path, where a listing shows it. Where it
// does not, there may be one.
func (l *listings) absent(p string) bool {
	if len(l.many) == 0 {
		return false
	}
	for dir, name := range l.folders(p) {
		if !l.many[dir] || IsPattern(name) {
			continue
		}
		names, ok := l.names[dir]
		if !ok {
			names = listFolder(dir)
			l.names[dir] = names
		}
		if names != nil && plain(name) && !names[strings.ToLower(name)] {
			return true
		}
	}
	return false
}

// plain reports that a name is of ASCII, and certainly one name: file systems differ
// in what they take for the same one beyond that.
func plain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == '\\' || c == ':' {
			return false
		}
	}
	return name != ""
}

// list returns the names in a folder, in lower case, since there are file systems
// on which case does not count; nil where they cannot be had.
func listFolder(dir string) map[string]bool {
	d, err := os.Open(filepath.FromSlash(dir))
	if err != nil {
		if missing(err) {
			return map[string]bool{}
		}
		return nil
	}
	defer d.Close()
	all, err := d.Readdirnames(listMost)
	if err != nil && !errors.Is(err, io.EOF) || len(all) == listMost {
		return nil
	}
	names := make(map[string]bool, len(all))
	for _, name := range all {
		names[strings.ToLower(name)] = true
	}
	return names
}
