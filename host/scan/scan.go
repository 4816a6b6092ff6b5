// Package scan finds the values of a store where they should not be: in files, in the
// history of a git repository, in images. It finds a value in each form that package
// mask knows, and tells where it is and whose it is, never the value itself.
package scan

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/secret"
)

// Holder is a value of a version of a secret.
type Holder struct {
	Secret, Key string
	Version     int
	// Current says that it is of the newest version.
	Current bool
	Value   secret.Value
	// Part says that it is a text in a value that is a document.
	Part bool
}

// Name is the holder as people read it.
func (h *Holder) Name() string { return h.Secret + " " + h.Key }

// Place is where a text is.
type Place struct {
	// Path is that of a file, or of one in a repository. "!" is before the path of one
	// that is within another.
	Path string
	// Object is the blob, commit or tag in a git repository; "" for a file.
	Object string
	// Commit is the first known one that has the object.
	Commit string
	// age is larger for an older commit.
	age int
}

// String is the place as people read it.
func (p Place) String() string {
	switch {
	case p.Object == "":
		return p.Path
	case p.Commit != "" && p.Path != "":
		return p.Commit[:min(len(p.Commit), 12)] + ":" + p.Path
	case p.Commit != "":
		return p.Commit[:min(len(p.Commit), 12)]
	}
	return "object " + p.Object[:min(len(p.Object), 12)]
}

// Finding is a value at a place.
type Finding struct {
	Place
	// Line and Column count from 1, Column in bytes.
	Line, Column int
	// Holder is whose value it is, a current one where there is one; its Version is 0 where
	// a pattern was found: then Secret is the provider.
	Holder
	// Form is how it is written: see [mask.Match]; "pattern" where a pattern was found.
	Form string
	// Also is in how many other versions of the file it is in a repository's history.
	Also int
}

// MaxFindings is how many findings are kept: who has more has to begin somewhere.
const MaxFindings = 10_000

// Scanner searches. Its fields are set before the first text.
type Scanner struct {
	// Skip are absolute paths of folders that are not looked into.
	Skip []string
	// Placed reports that rhx itself put a secret into a file, by absolute path.
	Placed func(path, secret string) bool
	// Patterns are searched for, too; nil for none.
	Patterns *Patterns

	finder  *mask.Finder
	holders [][]Holder // by value

	mu       sync.Mutex
	findings []Finding
	more     int
	placed   int
	unread   []Unread
	bytes    int64
}

// Unread is what could not be read, or not to its end.
type Unread struct {
	Place string
	Err   error
}

// New returns a Scanner for values, and the holders whose values are left out: they are
// in too many texts by chance. See [Plain].
func New(holders []Holder) (s *Scanner, left []Holder) {
	s = &Scanner{}
	at := map[string]int{}
	var list []mask.Sought
	for _, h := range holders {
		text := strings.TrimSpace(h.Value.Reveal())
		switch {
		case h.Part && !telling(text):
			continue // another document has it, too
		case Plain(text):
			left = append(left, h)
			continue
		}
		i, ok := at[text]
		if !ok {
			i = len(list)
			at[text] = i
			list = append(list, mask.Sought{Value: h.Value, Line: telling})
			s.holders = append(s.holders, nil)
		}
		s.holders[i] = append(s.holders[i], h)
	}
	for _, h := range s.holders {
		slices.SortStableFunc(h, func(a, b Holder) int {
			if a.Current != b.Current {
				if a.Current {
					return -1
				}
				return 1
			}
			return cmp.Compare(b.Version, a.Version)
		})
	}
	s.finder = mask.NewFinder(list)
	return s, left
}

// Findings returns what was found, sorted by place, and how much more was.
func (s *Scanner) Findings() (found []Finding, more int) {
	slices.SortFunc(s.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Commit+a.Object, b.Commit+b.Object), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return s.findings, s.more
}

// Unread returns what could not be read.
func (s *Scanner) Unread() []Unread {
	slices.SortFunc(s.unread, func(a, b Unread) int { return cmp.Compare(a.Place, b.Place) })
	return s.unread
}

// PlacedCount returns how many values are where rhx put them.
func (s *Scanner) PlacedCount() int { return s.placed }

// Bytes returns how much was searched.
func (s *Scanner) Bytes() int64 { return s.bytes }

func (s *Scanner) notRead(place string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unread = append(s.unread, Unread{place, err})
}

// texts searches texts, one after the other.
type texts struct {
	s        *Scanner
	search   *mask.Search
	patterns *patternSearch
	buf      []byte
	found    []Finding // in the present text
	n        int64
	// budget is how much more may come of what is compressed in the present file.
	budget int64
}

const bufferSize = 256 << 10

func (s *Scanner) texts() *texts {
	t := &texts{s: s, buf: make([]byte, bufferSize)}
	t.search = s.finder.Search(func(m mask.Match) {
		t.add(Finding{Line: m.Line, Column: m.Column, Holder: s.holders[m.Value][0], Form: m.Form})
	})
	if s.Patterns != nil {
		t.patterns = s.Patterns.search(t.add)
	}
	return t
}

func (t *texts) add(f Finding) {
	if len(t.found) < MaxFindings {
		t.found = append(t.found, f)
	}
}

// Write searches a part of the present text.
func (t *texts) Write(p []byte) (int, error) {
	t.n += int64(len(p))
	if t.patterns != nil {
		t.patterns.write(p)
	}
	return t.search.Write(p)
}

// end ends a text, and files what is in it under a place. path is the absolute path of
// its file; "" for none.
func (t *texts) end(place Place, path string) {
	t.search.End()
	if t.patterns != nil {
		t.patterns.end()
	}
	type start struct{ line, column int }
	known := map[start]bool{}
	for _, f := range t.found {
		if f.Version > 0 {
			known[start{f.Line, f.Column}] = true
		}
	}
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range t.found {
		f.Place = place
		switch {
		case f.Version == 0 && known[start{f.Line, f.Column}]: // it is told whose it is
		case path != "" && f.Version > 0 && s.Placed != nil && s.Placed(path, f.Secret):
			s.placed++
		case len(s.findings) >= MaxFindings:
			s.more++
		default:
			s.findings = append(s.findings, f)
		}
	}
	s.bytes += t.n
	t.found, t.n = t.found[:0], 0
}

// read searches all of a text. What was read before an error counts.
func (t *texts) read(place Place, path string, in io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{t}, struct{ io.Reader }{in}, t.buf)
	t.end(place, path)
	return err
}

// Text searches all of a text that is at a path.
func (s *Scanner) Text(path string, in io.Reader) {
	if err := s.texts().read(Place{Path: path}, "", in); err != nil && !errors.Is(err, io.EOF) {
		s.notRead(path, err)
	}
}
