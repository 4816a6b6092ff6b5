package mask

import (
	"cmp"
	"slices"

	"github.com/rhx-dev/rhx/host/secret"
)

// stream masks one stream. Every byte that is part of anything that is to be masked
// goes, and [secret.Redacted] stands for those that overlap: what comes out does not
// depend on the pieces in which the stream comes.
type stream struct {
	readers []reader
	// held is what may still become a part of a value; it begins at offset base.
	held []byte
	base int
	// found are the parts to mask that are still held.
	found []span
	// masked is up to where the last mask reaches.
	masked int
}

func (m *Masker) stream() *stream {
	return &stream{readers: []reader{
		{trie: m.text},
		{trie: m.text, escapes: "%", decode: percent},
		{trie: m.text, escapes: `\`, decode: inJSON},
		{trie: m.code, escapes: "\r\n", decode: unbroken},
	}}
}

// write takes the next piece, and appends to out what is sure.
func (s *stream) write(out, p []byte) []byte {
	at := s.end()
	s.held = append(s.held, p...)
	for i := range s.readers {
		s.found = s.readers[i].read(p, at, s.found)
	}
	sure := s.end()
	for i := range s.readers {
		sure = min(sure, s.readers[i].start(s.readers[i].state, s.end()))
	}
	return s.emit(out, sure)
}

func (s *stream) end() int { return s.base + len(s.held) }

// release appends to out what is held of parts up to a grade, though it may become
// a part of a value; the values that are held to the greater part are masked.
func (s *stream) release(out []byte, grade int) []byte {
	sure := s.end()
	for i := range s.readers {
		at, ok := s.readers[i].atLeast(min(grade+1, most), s.end())
		switch {
		case !ok:
		case grade < most:
			sure = min(sure, at)
		default:
			s.found = append(s.found, span{at, s.end()})
		}
	}
	return s.emit(out, sure)
}

// finish appends to out what is still held.
func (s *stream) finish(out []byte) []byte {
	for i := range s.readers {
		s.found = s.readers[i].literal(s.found)
	}
	return s.emit(out, s.end())
}

// emit appends to out what is before the offset sure, masked.
func (s *stream) emit(out []byte, sure int) []byte {
	if sure <= s.base {
		return out // it was released before
	}
	slices.SortFunc(s.found, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	at, n := s.base, 0
	for _, f := range s.found {
		if f.start >= sure {
			break
		}
		n++
		start := max(f.start, s.base)
		switch {
		case f.end <= s.base: // all of it was released
		case f.start < s.masked:
			s.masked = max(s.masked, f.end)
		default:
			if from := max(at, s.masked); from < start {
				out = append(out, s.held[from-s.base:start-s.base]...)
			}
			out = append(out, secret.Redacted...)
			s.masked = f.end
		}
		at = max(at, start)
	}
	s.found = slices.Delete(s.found, 0, n)
	if from := max(at, s.masked); from < sure {
		out = append(out, s.held[from-s.base:sure-s.base]...)
	}
	s.held = slices.Delete(s.held, 0, sure-s.base)
	s.base = sure
	return out
}
