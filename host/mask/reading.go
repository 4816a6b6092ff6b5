package mask

import (
	"bytes"
	"sort"
)

// reading is a way to read a stream: what its escapes stand for.
type reading struct {
	// name is what the form of a value is called that is found by it.
	name string
	// leads are the bytes that an escape begins with.
	leads [2]byte
	// signs are texts of which one is in all text with escapes; only where those are
	// rarer than the leads.
	signs  []string
	escape escape
	// behind is what the byte behind a lead byte says; nil where it says nothing.
	behind *[256]byte
	// code says that only words in code are in it; its escapes stand for nothing.
	code bool
	// from is an offset in the stream at which no escape is open, and before which no
	// word begins that is not found yet.
	from int
}

// escape appends to text what the escape at the beginning of raw stands for, and
// returns its length in raw: 0 if there is none, and incomplete where only more can
// tell.
type escape func(text, raw []byte) (appended []byte, length int)

const incomplete = -1

// longestEscape is the length of the longest escape that stands for something, one
// of JSON.
const longestEscape = len(`\ud83d\ude00`)

// span is a part of a text, by offsets. as is what stands for it if it is one word;
// "" else.
type span struct {
	start, end int
	as         string
	// word is the number of the word, or of one of several; reading is by which it was
	// found, counted from 1, and 0 where its text is as it is.
	word, reading int
}

// join makes a span reach over one that overlaps it. What stands for the larger of both
// stands for them if the other is within it.
func (s *span) join(o span) {
	switch {
	case s.start <= o.start && o.end <= s.end:
	case o.start <= s.start && s.end <= o.end:
		*s = o
	default:
		s.start, s.end, s.as = min(s.start, o.start), max(s.end, o.end), ""
	}
}

// decoded is a text without its escapes.
type decoded struct {
	text  []byte
	marks []mark
	// read is how much of the text with escapes was read: what follows is incomplete.
	read    int
	escapes escapes
}

// mark is where an escape was: at an offset in the decoded text, with so many bytes,
// and where it was in the text with escapes.
type mark struct{ at, length, rawStart, rawEnd int }

// decode reads raw into d, whose memory it uses. whole says that no more text will
// come. The text is empty where it is the same as raw.
func (r *reading) decode(d *decoded, raw []byte, whole bool) {
	d.text, d.marks, d.read = d.text[:0], d.marks[:0], len(raw)
	if r.signs != nil && !r.signed(raw) {
		return
	}
	done := 0
	e := &d.escapes
	for e.start(r, raw, whole); e.next(); done = e.end {
		d.text = append(append(d.text, raw[done:e.at]...), e.text...)
		d.marks = append(d.marks, mark{len(d.text) - len(e.text), len(e.text), e.at, e.end})
	}
	d.read = e.read
	if len(d.marks) > 0 || d.read < len(raw) {
		d.text = append(d.text, raw[done:d.read]...)
	}
}

// escapes goes from one escape of a text to the next.
type escapes struct {
	r     *reading
	raw   []byte
	whole bool
	leads [2]int // where the next of each lead byte is; the end if there is none
	// The escape is of raw[at:end], and stands for text.
	at, end int
	text    []byte
	buf     [longestEscape]byte
	// read is how much was read when there is no other escape: what follows is incomplete.
	read int
}

// start begins with a text. whole says that no more of it will come.
func (e *escapes) start(r *reading, raw []byte, whole bool) {
	e.r, e.raw, e.whole, e.at, e.end, e.read = r, raw, whole, 0, 0, len(raw)
	e.leads = [2]int{e.lead(0, 0), e.lead(1, 0)}
}

// next goes to the next escape, and reports whether there is one.
func (e *escapes) next() bool {
	for {
		at := min(e.leads[0], e.leads[1])
		if at == len(e.raw) {
			return false
		}
		text, n := e.r.escape(e.buf[:0], e.raw[at:])
		if n == incomplete && !e.whole {
			e.read = at
			return false
		}
		end := at + max(n, 1)
		e.skip(end)
		if n > 0 {
			e.at, e.end, e.text = at, end, text
			return true
		}
	}
}

// skip has the next escape begin at an offset or behind it.
func (e *escapes) skip(end int) {
	for i := range e.leads {
		if e.leads[i] < end {
			e.leads[i] = e.lead(i, end)
		}
	}
}

// lead is where the next of a lead byte is; the end if there is none.
func (e *escapes) lead(which, from int) int {
	if which == 1 && e.r.leads[0] == e.r.leads[1] {
		return len(e.raw)
	}
	if i := bytes.IndexByte(e.raw[from:], e.r.leads[which]); i >= 0 {
		return from + i
	}
	return len(e.raw)
}

// signed reports that there may be an escape in a text.
func (r *reading) signed(raw []byte) bool {
	for _, s := range r.signs {
		if bytes.Contains(raw, []byte(s)) {
			return true
		}
	}
	end := raw[max(0, len(raw)-longestEscape):] // where one may be cut
	return bytes.IndexByte(end, r.leads[0]) >= 0 || bytes.IndexByte(end, r.leads[1]) >= 0
}

// raw is the part of the text with escapes that a byte of the decoded text stands
// for.
func (d *decoded) raw(i int) span {
	n := sort.Search(len(d.marks), func(n int) bool { return d.marks[n].at > i })
	if n == 0 {
		return span{start: i, end: i + 1}
	}
	m := d.marks[n-1]
	if i < m.at+m.length {
		return span{start: m.rawStart, end: m.rawEnd}
	}
	start := m.rawEnd + i - m.at - m.length
	return span{start: start, end: start + 1}
}
