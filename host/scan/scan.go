// Package scan finds the values of a store where they should not be: in files, in the
// history of a git repository, in images. It finds a value in each form that package
// mask knows, and tells where it is and whose it is, never the value itself.
package scan

import (
	"cmp"
	"context"
	"io"
	"path/filepath"
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
	// inner says that Path ends with that of something in an archive.
	inner bool
	// age is larger for an older commit.
	age int
}

// source is the place where it is read.
func (p Place) source() string {
	switch {
	case p.Object == "" || p.Path != "" && !strings.HasPrefix(p.Path, "!"):
		return p.Path
	}
	return "object " + p.Object + p.Path
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
	text := "object " + p.Object[:min(len(p.Object), 12)]
	if p.inner {
		text += p.Path
	}
	return text
}

// Finding is a value at a place.
type Finding struct {
	Place
	// Line and Column count from 1, Column in bytes. They are 0 where it is InName.
	Line, Column int
	// InName says that it is not in the text but in the path, which has asterisks there.
	InName bool
	// Holder is whose value it is, a current one where there is one; its Version is 0 where
	// a pattern was found: then Secret is the provider.
	Holder
	// Form is how it is written: see [mask.Match]; "pattern" where a pattern was found.
	Form string
	// ID says that it is by a pattern and public: see [Pattern].
	ID bool
	// Also is in how many other versions of the file it is in a repository's history.
	Also int
	// end is where in its line it ends.
	end int
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
	// Zstd unpacks zstd, as package scan/zstandard does; with nil, what is packed so is
	// told of as not read.
	Zstd func(io.Reader) (io.ReadCloser, error)
	// AsTheyAre has archives searched without unpacking them.
	AsTheyAre bool

	finder  *mask.Finder
	holders [][]Holder // by value

	mu       sync.Mutex
	findings []Finding
	more     int
	placed   int
	unread   []Unread
	bytes    int64
	unpacked int64
	archives int
	// named are the names, up to what is in them, that were told of.
	named map[string]bool
}

// Unread is what could not be read, or not to its end.
type Unread struct {
	Place string
	Err   error
}

// New returns a Scanner for values, and the holders whose values are left out: they are
// in too many texts by chance. See [Plain].
func New(holders []Holder) (s *Scanner, left []Holder) {
	s = &Scanner{named: map[string]bool{}}
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

// Seeks returns how many values are searched for.
func (s *Scanner) Seeks() int { return len(s.holders) }

// PlacedCount returns how many values are where rhx put them.
func (s *Scanner) PlacedCount() int { return s.placed }

// Bytes returns how much was searched, and how much of that came out of archives.
func (s *Scanner) Bytes() (all, unpacked int64) { return s.bytes, s.unpacked }

// NotUnpacked returns how many archives were searched as they are.
func (s *Scanner) NotUnpacked() int { return s.archives }

func (s *Scanner) notRead(place string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unread = append(s.unread, Unread{s.Shown(place), err})
}

// Shown is a path as it may be shown: with asterisks for what is searched for.
func (s *Scanner) Shown(path string) string {
	path = s.finder.Replace(path)
	if s.Patterns == nil {
		return path
	}
	var found []Finding
	search := s.Patterns.search(func(f Finding) { found = append(found, f) })
	search.write([]byte(oneLine(path)))
	search.end()
	for _, f := range slices.Backward(found) {
		path = path[:f.Column-1] + secret.Redacted + path[f.end:]
	}
	return path
}

// oneLine is a path in which a column is an offset.
func oneLine(path string) string { return strings.ReplaceAll(path, "\n", " ") }

// texts searches texts, one after the other.
type texts struct {
	s        *Scanner
	search   *mask.Search
	patterns *patternSearch
	buf      []byte
	found    []Finding // in the present text
	n        int64

	// Of the text that is read, and in no other one: see whole.
	ctx   context.Context
	in    *source
	at    io.ReaderAt // nil where there is none
	size  int64
	named bool
	// depth is how many archives the text that is searched is in.
	depth int
	// budget is how much more may come of what is packed in it, and spool is what is left of
	// the memory for zips.
	budget, spool int64
	notes         []Unread
	unnoted       int
}

const bufferSize = 256 << 10

func (s *Scanner) texts() *texts {
	t := &texts{s: s, buf: make([]byte, bufferSize), spool: maxSpool}
	t.search = s.finder.Search(func(m mask.Match) {
		t.add(Finding{Line: m.Line, Column: m.Column, Holder: s.holders[m.Value][0], Form: m.Form, end: m.Column - 1 + m.Length})
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

// ended ends a text, and returns what is in it: of a value that is also a pattern, whose
// it is.
func (t *texts) ended() []Finding {
	t.search.End()
	if t.patterns != nil {
		t.patterns.end()
	}
	if len(t.found) == 0 {
		return nil
	}
	type start struct{ line, column int }
	known := map[start]bool{}
	for _, f := range t.found {
		if f.Version > 0 {
			known[start{f.Line, f.Column}] = true
		}
	}
	found := slices.DeleteFunc(t.found, func(f Finding) bool { return f.Version == 0 && known[start{f.Line, f.Column}] })
	t.found = t.found[:0]
	return found
}

// end ends a text, and files what is in it under a place. file is the path of its file, by
// which one may know that rhx put a value there; "" for none.
func (t *texts) end(place Place, file string) {
	found := t.ended()
	s := t.s
	path := ""
	if file != "" && len(found) > 0 {
		path, _ = filepath.Abs(file) // without a working folder nobody knows who put it there
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(found) > 0 {
		place.Path = s.Shown(place.Path)
	}
	for _, f := range found {
		f.Place = place
		if path != "" && f.Version > 0 && s.Placed != nil && s.Placed(path, f.Secret) {
			s.placed++
			continue
		}
		s.add(f)
	}
	s.bytes += t.n
	if t.depth > 0 {
		s.unpacked += t.n
	}
	t.n = 0
}

// add files a finding.
func (s *Scanner) add(f Finding) {
	if len(s.findings) >= MaxFindings {
		s.more++
		return
	}
	s.findings = append(s.findings, f)
}

// name searches the path of a place. What is in the name of a folder is told once, and
// not of each file there.
func (t *texts) name(place Place) {
	path := place.Path
	_, _ = t.Write([]byte(oneLine(path)))
	t.n = 0
	found := t.ended()
	if len(found) == 0 {
		return
	}
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range found {
		until := path[:f.end]
		key := strings.Join([]string{place.Object, until, f.Secret, f.Key}, "\x00")
		if s.named[key] {
			continue
		}
		s.named[key] = true
		if i := strings.IndexAny(path[f.end:], "/"+string(filepath.Separator)); i >= 0 {
			until = path[:f.end+i]
		} else {
			until = path
		}
		f.Place, f.Line, f.Column, f.InName = place, 0, 0, true
		f.Path = s.Shown(until)
		s.add(f)
	}
}

// Text searches all of a text that is at a path, and may come slowly. It returns the
// context's error.
func (s *Scanner) Text(ctx context.Context, path string, in io.Reader) error {
	r, w := io.Pipe() // a read of a terminal does not end with the context
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{in}, make([]byte, bufferSize))
		_ = w.CloseWithError(err)
	}()
	stop := context.AfterFunc(ctx, func() { _ = r.CloseWithError(ctx.Err()) })
	defer stop()
	t := s.texts()
	t.named = true
	if err := t.whole(ctx, Place{Path: path}, "", r); err != nil && ctx.Err() == nil {
		s.notRead(path, err)
	}
	return ctx.Err()
}
