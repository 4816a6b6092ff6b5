package mask

import (
	"cmp"
	"slices"

	"github.com/rhx-dev/rhx/host/secret"
)

// stream masks one stream. Every byte that is part of anything that is to be masked
// goes, and [secret.Redacted] stands for those that overlap, or a text of the same
// length: what comes out does not depend on the pieces in which the stream comes.
type stream struct {
	words *words
	// sameLength says that what comes out is as long as what came.
	sameLength bool
	// plain is up to where the stream was read as it is: no word begins before it that
	// is not found yet. escaped are its other readings.
	plain   int
	escaped []reading
	// raw is what may still become a part of a value, from offset base on; all before
	// offset shown was passed on.
	raw         []byte
	base, shown int
	// found are the parts to mask that were not passed on, in order, and none overlaps
	// another.
	found []span
	// masked is up to where the last mask reaches.
	masked int
	dec    decoded
	glance glance
	spans  []span
}

// block is how much is read at once: it and its readings stay in the processor's
// cache.
const block = 64 << 10

func (m *Masker) stream() *stream {
	if m.Empty() {
		return &stream{words: m.words}
	}
	return &stream{words: m.words, sameLength: m.sameLength, escaped: slices.Clone(m.readings)}
}

// reset begins another stream.
func (s *stream) reset() {
	s.plain, s.raw, s.base, s.shown, s.found, s.masked = 0, s.raw[:0], 0, 0, s.found[:0], 0
	for i := range s.escaped {
		s.escaped[i].from = 0
	}
}

// write takes the next piece, and appends to out what is sure.
func (s *stream) write(out, p []byte) []byte {
	for piece := range slices.Chunk(p, block) {
		s.raw = append(s.raw, piece...)
		s.read(false)
		out = s.emit(out, s.open())
	}
	return out
}

func (s *stream) end() int { return s.base + len(s.raw) }

// held is how much was not passed on.
func (s *stream) held() int { return s.end() - s.shown }

// open is where the first thing begins that more text may make a value of.
func (s *stream) open() int {
	open := s.plain
	for i := range s.escaped {
		open = min(open, s.escaped[i].from)
	}
	return open
}

// read finds what is in what has come. whole says that no more will.
func (s *stream) read(whole bool) {
	text := s.raw[s.plain-s.base:]
	s.spans = s.words.find(text, false, s.spans[:0])
	for _, f := range s.spans {
		f.start, f.end = s.plain+f.start, s.plain+f.end
		s.found = append(s.found, f)
	}
	s.plain = s.end() - s.words.tail(text, false, little)
	for i := range s.escaped {
		s.readEscaped(i, whole)
	}
	s.found = merge(s.found)
}

func (s *stream) readEscaped(which int, whole bool) {
	r := &s.escaped[which]
	from, d, g := r.from, &s.dec, &s.glance
	raw := s.raw[from-s.base:]
	if !g.look(r, s.words, raw, whole) {
		read := g.escapes.read
		n := 0
		switch {
		case read == len(raw):
			r.from = max(from+g.lastEnd, s.plain)
			return
		case read > g.lastEnd:
			n = s.words.tail(raw[g.lastEnd:read], r.code, little)
		}
		if r.from = from + read - n; n == 0 && r.code {
			r.from = s.end()
		}
		return
	}
	r.decode(d, raw, whole)
	s.spans = s.words.find(d.text, r.code, s.spans[:0])
	for _, f := range s.spans {
		length := f.end - f.start
		f.start, f.end = from+d.raw(f.start).start, from+d.raw(f.end-1).end
		if f.end-f.start != length {
			f.reading = which + 1
		}
		s.found = append(s.found, f)
	}
	switch n := s.words.tail(d.text, r.code, little); {
	case n > 0:
		r.from = from + d.raw(len(d.text)-n).start
	case r.code:
		r.from = s.end()
	default:
		r.from = from + d.read
	}
}

// standIn appends what stands for the bytes of a span from an offset on.
func (s *span) standIn(out []byte, from int) []byte {
	if len(s.as) == s.end-s.start && from < s.end {
		return append(out, s.as[from-s.start:]...)
	}
	for ; from < s.end; from++ {
		out = append(out, '*')
	}
	return out
}

// merge sorts spans, and makes one of those that overlap.
func merge(spans []span) []span {
	if len(spans) < 2 {
		return spans
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	out := spans[:1]
	for _, s := range spans[1:] {
		if last := &out[len(out)-1]; s.start < last.end {
			last.join(s)
			continue
		}
		out = append(out, s)
	}
	return out
}

// release appends to out what is held of parts up to a grade, though it may become
// a part of a value; the values that are held to the greater part are masked.
func (s *stream) release(out []byte, g grade) []byte {
	least := min(g+1, most)
	sure := s.end()
	note := func(from int, n int) {
		switch {
		case n == 0:
		case g < most:
			sure = min(sure, from)
		default:
			s.found = append(s.found, span{start: from, end: s.end()})
		}
	}
	n := s.words.tail(s.raw[s.plain-s.base:], false, least)
	note(s.end()-n, n)
	for i := range s.escaped {
		r := &s.escaped[i]
		r.decode(&s.dec, s.raw[r.from-s.base:], false)
		if n := s.words.tail(s.dec.text, r.code, least); n > 0 {
			note(r.from+s.dec.raw(len(s.dec.text)-n).start, n)
		}
	}
	s.found = merge(s.found)
	return s.emit(out, sure)
}

// finish appends to out what is still held.
func (s *stream) finish(out []byte) []byte {
	s.read(true)
	return s.emit(out, s.end())
}

// emit appends to out what is before the offset sure, masked, and forgets what no
// reading needs any more.
func (s *stream) emit(out []byte, sure int) []byte {
	text := func(from, to int) {
		if from = max(from, s.masked); from < to {
			out = append(out, s.raw[from-s.base:to-s.base]...)
		}
	}
	n := 0
	for _, f := range s.found {
		if f.start >= sure {
			break
		}
		n++
		switch {
		case f.end <= s.shown: // all of it was released
			continue
		case s.sameLength:
			text(s.shown, f.start)
			out = f.standIn(out, max(f.start, s.shown, s.masked))
		case f.start < s.masked:
		default:
			text(s.shown, f.start)
			out = append(out, secret.Redacted...)
		}
		s.masked = max(s.masked, f.end)
		s.shown = max(s.shown, f.start)
	}
	s.found = slices.Delete(s.found, 0, n)
	text(s.shown, sure)
	s.shown = max(s.shown, sure)
	if keep := min(s.open(), s.shown) - s.base; keep > 0 {
		s.raw = append(s.raw[:0], s.raw[keep:]...)
		s.base += keep
	}
	return out
}
