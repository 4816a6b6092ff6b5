package mask

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// reader follows a stream in one reading of it: the characters of an encoding, each
// with the bytes that it stands for.
type reader struct {
	trie *trie
	// escapes are the bytes that an escape begins with; decode is nil where there are
	// none.
	escapes string
	decode  decoder
	state   int32
	// starts are where the characters of the state begin in the stream.
	starts []int
	buf    []int
	// pending is an escape that is not complete; it begins at from.
	pending []byte
	from    int
}

// decoder returns what an escape stands for. more is for one that needs another
// byte; with neither it is none, and its bytes stand for themselves.
type decoder func(escape []byte) (text []byte, more bool)

// span is a part of the stream, by offsets.
type span struct{ start, end int }

// read takes bytes that begin at offset at and appends what is to be masked.
func (r *reader) read(p []byte, at int, found []span) []span {
	switch {
	case r.trie.empty():
		return found
	case r.decode == nil:
		return r.plain(p, at, found)
	}
	for i, b := range p {
		if len(r.pending) == 0 && strings.IndexByte(r.escapes, b) < 0 {
			found = r.take(b, at+i, at+i+1, found)
			continue
		}
		for {
			r.pending = append(r.pending, b)
			if len(r.pending) == 1 {
				r.from = at + i
			}
			text, more := r.decode(r.pending)
			if more {
				break
			}
			if text != nil {
				for _, c := range text {
					found = r.take(c, r.from, at+i+1, found)
				}
				r.pending = r.pending[:0]
				break
			}
			if len(r.pending) == 1 {
				found = r.take(b, at+i, at+i+1, found)
				r.pending = r.pending[:0]
				break
			}
			// b may begin an escape of its own.
			r.pending = r.pending[:len(r.pending)-1]
			found = r.literal(found)
		}
	}
	return found
}

// plain is read where each byte is a character.
func (r *reader) plain(p []byte, at int, found []span) []span {
	for i, b := range p {
		r.state = r.trie.step(r.state, b)
		if out := int(r.trie.nodes[r.state].out); out > 0 {
			found = append(found, span{at + i + 1 - out, at + i + 1})
		}
	}
	return found
}

// literal takes what is pending for what it is.
func (r *reader) literal(found []span) []span {
	for i, c := range r.pending {
		found = r.take(c, r.from+i, r.from+i+1, found)
	}
	r.pending = r.pending[:0]
	return found
}

func (r *reader) take(c byte, start, end int, found []span) []span {
	r.state = r.trie.step(r.state, c)
	n := &r.trie.nodes[r.state]
	if n.depth == 0 {
		r.starts = r.buf[:0]
		return found
	}
	if len(r.starts) == 0 {
		r.starts = r.buf[:0]
	}
	r.starts = append(r.starts, start)
	if len(r.starts) > cap(r.buf) {
		r.buf = r.starts[:0]
	}
	r.starts = r.starts[len(r.starts)-int(n.depth):]
	if n.out > 0 {
		found = append(found, span{r.starts[len(r.starts)-int(n.out)], end})
	}
	return found
}

// start is where a state that is an end of the reader's begins, in a stream that
// was read up to end.
func (r *reader) start(state int32, end int) int {
	depth := int(r.trie.nodes[state].depth)
	switch {
	case r.decode == nil:
		return end - depth
	case depth > 0:
		return r.starts[len(r.starts)-depth]
	case len(r.pending) > 0:
		return r.from
	}
	return end
}

// grades say how much of a value was read: next to nothing, less than half, or more.
const (
	little = iota
	some
	most
)

func (n *node) grade() int {
	switch {
	case n.depth < MinLength:
		return little
	case n.depth*2 < n.shortest:
		return some
	}
	return most
}

// atLeast is where the longest beginning of a value of a grade or above starts.
func (r *reader) atLeast(grade, end int) (int, bool) {
	for s := r.state; s != 0; s = r.trie.nodes[s].fail {
		if r.trie.nodes[s].grade() >= grade {
			return r.start(s, end), true
		}
	}
	return 0, false
}

// percent decodes the escapes of URLs.
func percent(e []byte) (text []byte, more bool) {
	for i, c := range e {
		if i == 0 && c != '%' || i > 0 && !isHex(c) {
			return nil, false
		}
	}
	if len(e) < 3 {
		return nil, true
	}
	return []byte{byte(number(e[1:]))}, false
}

// inJSON decodes the escapes of JSON's strings.
func inJSON(e []byte) (text []byte, more bool) {
	switch {
	case e[0] != '\\':
		return nil, false
	case len(e) == 1:
		return nil, true
	case e[1] != 'u':
		if i := strings.IndexByte(`"\/bfnrt'`, e[1]); i >= 0 {
			return []byte{"\"\\/\b\f\n\r\t'"[i]}, false
		}
		return nil, false
	}
	for i, c := range e[2:] {
		if i == 4 && c != '\\' || i == 5 && c != 'u' || i != 4 && i != 5 && !isHex(c) {
			return nil, false
		}
	}
	if len(e) < 6 {
		return nil, true
	}
	r := number(e[2:6])
	switch {
	case !utf16.IsSurrogate(r):
	case len(e) < 12:
		return nil, true
	default:
		r = utf16.DecodeRune(r, number(e[8:12]))
		if r == utf8.RuneError {
			return nil, false
		}
	}
	return utf8.AppendRune(nil, r), false
}

// unbroken leaves out line ends: base64 and hex are often broken into lines.
func unbroken(e []byte) (text []byte, more bool) {
	if e[0] == '\r' || e[0] == '\n' {
		return []byte{}, false
	}
	return nil, false
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

func number(hex []byte) rune {
	n, _ := strconv.ParseUint(string(hex), 16, 32) // isHex was asked
	return rune(n)
}
