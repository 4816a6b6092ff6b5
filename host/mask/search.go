package mask

import (
	"bytes"

	"github.com/rhx-dev/rhx/host/secret"
)

// Sought is a value to search for, with the lines of it that are searched for alone.
type Sought struct {
	Value secret.Value
	// Line reports whether a line of a value of several is searched for alone; nil for
	// none.
	Line func(line string) bool
}

// Finder knows what a [Search] searches for: the values that a [Masker] would mask, in
// the same forms. It does not change.
type Finder struct{ m *Masker }

// NewFinder returns a Finder for values; a [Match] has the number of its value.
func NewFinder(list []Sought) *Finder {
	var words []word
	quotes := false
	for i, s := range list {
		for n, p := range parts(s.Value.Reveal()) {
			prefix := ""
			if n >= wholes {
				if s.Line == nil || !s.Line(p) {
					continue
				}
				prefix = "line+"
			}
			quotes = quotes || hasQuote(p)
			for j, text := range plain(p) {
				words = append(words, word{text: text, of: i, form: prefix + plainForms[j]})
			}
			codes := encoded(p)
			for j, text := range codes {
				form := "hex"
				if inBase64 := len(codes) - 2; j < inBase64 { // each text and its UTF-16, in two alphabets
					form = "base64"
					if j%(inBase64/2) >= inBase64/4 {
						form = "utf16+base64"
					}
				}
				words = append(words, word{text: text, code: true, of: i, form: prefix + form})
			}
		}
	}
	return &Finder{newMasker(words, quotes, false)}
}

// Replace masks what a Search would find in a text.
func (f *Finder) Replace(text string) string { return f.m.Replace(text) }

// plainForms are what the looks of plain are called.
var plainForms = [...]string{"plain", "utf16", "url"}

// Match is a place of a value in a text.
type Match struct {
	// Offset and Length are in bytes.
	Offset int64
	Length int
	// Line and Column count from 1, Column in bytes.
	Line, Column int
	// Value is the number of the value.
	Value int
	// Form is how it is written, such as "base64", "line+hex" or "plain+escapes".
	Form string
}

// Search searches texts, one after the other. It does what a [Writer] does but writes
// nothing.
type Search struct {
	f     *Finder
	s     *stream
	found func(Match)
	// lines are before the offset in the text at which raw begins, and lineStart is where
	// the last of them begins.
	lines, lineStart int
}

// Search returns a search that calls found for each match, in order. Of those that
// overlap it has the largest, or one.
func (f *Finder) Search(found func(Match)) *Search {
	return &Search{f: f, s: f.m.stream(), found: found}
}

// Write searches a part of a text.
func (s *Search) Write(p []byte) (int, error) {
	for n := len(p); ; {
		piece := p[:min(block, len(p))]
		s.s.raw = append(s.s.raw, piece...)
		s.s.read(false)
		s.pass(s.s.open())
		if p = p[len(piece):]; len(p) == 0 {
			return n, nil
		}
	}
}

// End ends a text. What is written then is another one.
func (s *Search) End() {
	s.s.read(true)
	s.pass(s.s.end())
	s.s.reset()
	s.lines, s.lineStart = 0, 0
}

// pass tells of what was found before the offset sure, and forgets what is before it.
func (s *Search) pass(sure int) {
	t := s.s
	n := 0
	for _, f := range t.found {
		if f.start >= sure {
			break
		}
		n++
		s.tell(f)
	}
	t.found = append(t.found[:0], t.found[n:]...)
	if t.shown = sure; sure > t.base {
		gone := t.raw[:sure-t.base]
		if i := bytes.LastIndexByte(gone, '\n'); i >= 0 {
			s.lines += bytes.Count(gone, []byte{'\n'})
			s.lineStart = t.base + i + 1
		}
		t.raw = append(t.raw[:0], t.raw[len(gone):]...)
		t.base = sure
	}
}

func (s *Search) tell(f span) {
	before := f.start < s.s.masked
	if s.s.masked = max(s.s.masked, f.end); before {
		return // it is one with what was told before
	}
	text := s.s.raw[:f.start-s.s.base]
	line, start := s.lines, s.lineStart
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		line, start = line+bytes.Count(text, []byte{'\n'}), s.s.base+i+1
	}
	w := &s.f.m.words.sorted[f.word]
	form := w.form
	if f.reading > 0 {
		form += "+" + s.s.escaped[f.reading-1].name
	}
	s.found(Match{Offset: int64(f.start), Length: f.end - f.start, Line: line + 1, Column: f.start - start + 1, Value: w.of, Form: form})
}
