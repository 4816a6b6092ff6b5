package mask

import (
	"bytes"
	"encoding/binary"
	"sort"
)

// reading is a way to read a stream: what its escapes stand for.
type reading struct {
	// leads are the bytes that an escape begins with.
	leads [2]byte
	// signs are texts of which one is in all text with escapes; only where those are
	// rarer than the leads.
	signs  []string
	escape escape
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
}

// join makes a span reach over one that overlaps it. What stands for the larger of both
// stands for them if the other is within it.
func (s *span) join(o span) {
	switch {
	case s.start <= o.start && o.end <= s.end:
	case o.start <= s.start && s.end <= o.end:
		*s = o
	default:
		*s = span{min(s.start, o.start), max(s.end, o.end), ""}
	}
}

// decoded is a text without its escapes.
type decoded struct {
	text  []byte
	marks []mark
	buf   [longestEscape]byte
	// read is how much of the text with escapes was read: what follows is incomplete.
	read int
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
	next := [2]int{r.lead(raw, 0, 0), r.lead(raw, 1, 0)}
	for {
		at := min(next[0], next[1])
		if at == len(raw) {
			break
		}
		text, n := r.escape(d.buf[:0], raw[at:])
		if n == incomplete && !whole {
			d.read = at
			break
		}
		end := at + max(n, 1)
		if n > 0 {
			d.text = append(append(d.text, raw[done:at]...), text...)
			d.marks = append(d.marks, mark{len(d.text) - len(text), len(text), at, end})
			done = end
		}
		for i := range next {
			if next[i] < end {
				next[i] = r.lead(raw, i, end)
			}
		}
	}
	if len(d.marks) > 0 || d.read < len(raw) {
		d.text = append(d.text, raw[done:d.read]...)
	}
}

// lead is where the next of a lead byte is; the end if there is none.
func (r *reading) lead(raw []byte, which, from int) int {
	if which == 1 && r.leads[0] == r.leads[1] {
		return len(raw)
	}
	if i := bytes.IndexByte(raw[from:], r.leads[which]); i >= 0 {
		return from + i
	}
	return len(raw)
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

// matters reports that a word, or the beginning of one at the end, may have a part
// on both sides of an escape or in one. Most often none has, and there is nothing to
// find that is not in the text as it is.
func (d *decoded) matters(w *words) bool {
	for _, m := range d.marks {
		for i := max(0, m.at-3); i < m.at+m.length || i < m.at; i++ {
			if i+4 > len(d.text) || w.quads.has(binary.LittleEndian.Uint32(d.text[i:])) {
				return true
			}
		}
	}
	return false
}

// lastEnd is where the last escape ends in the text with escapes; its beginning where
// there is none.
func (d *decoded) lastEnd() int {
	if len(d.marks) == 0 {
		return 0
	}
	return d.marks[len(d.marks)-1].rawEnd
}
