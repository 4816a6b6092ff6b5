package guest

import "unicode/utf8"

// maxDepth is how deep a document may be nested.
const maxDepth = 64

// reader reads JSON (RFC 8259) from front to back and keeps nothing, so that a
// document costs no more memory than what is wanted of it. From the first thing
// that is not JSON on, bad is set and all that follows is empty.
type reader struct {
	b     []byte
	i     int
	depth int
	bad   bool
}

func (r *reader) fail() {
	r.bad = true
	r.i = len(r.b)
}

// peek returns the first byte of what comes next, after space; 0 at the end.
func (r *reader) peek() byte {
	for ; r.i < len(r.b); r.i++ {
		switch c := r.b[r.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (r *reader) next(c byte) bool {
	if r.peek() != c || r.i == len(r.b) {
		return false
	}
	r.i++
	return true
}

// object reads an object, and has each read its value. Anything else that
// comes is passed over.
func (r *reader) object(each func(key string)) {
	if r.peek() != '{' {
		r.skip()
		return
	}
	r.list('}', func() {
		key := string(r.bytes())
		if !r.next(':') {
			r.fail()
			return
		}
		each(key)
	})
}

// array is the same for an array.
func (r *reader) array(each func()) {
	if r.peek() != '[' {
		r.skip()
		return
	}
	r.list(']', each)
}

func (r *reader) list(end byte, each func()) {
	if r.depth++; r.depth > maxDepth {
		r.fail()
		return
	}
	r.i++
	for more := !r.next(end); more; more = !r.next(end) {
		each()
		if r.next(',') {
			if r.peek() == end { // a comma and nothing after it
				r.fail()
			}
		} else if r.peek() != end || r.bad {
			r.fail()
			return
		}
	}
	r.depth--
}

// skip passes over a value.
func (r *reader) skip() {
	switch r.peek() {
	case '{':
		r.object(func(string) { r.skip() })
	case '[':
		r.array(r.skip)
	default:
		r.scalar()
	}
}

// text reads a string, or a number or word as it is written; "" for an object or
// array.
func (r *reader) text() string { return string(r.part()) }

// part is text as a part of the document: it is not to be changed.
func (r *reader) part() []byte {
	switch r.peek() {
	case '{', '[':
		r.skip()
		return nil
	}
	return r.scalar()
}

func (r *reader) scalar() []byte {
	if r.peek() == '"' {
		return r.bytes()
	}
	from := r.i
	if !r.word("true") && !r.word("false") && !r.word("null") && !r.numeral() {
		r.fail()
		return nil
	}
	return r.b[from:r.i]
}

func (r *reader) word(w string) bool {
	if len(r.b)-r.i < len(w) || string(r.b[r.i:r.i+len(w)]) != w {
		return false
	}
	r.i += len(w)
	return true
}

func (r *reader) digits() bool {
	from := r.i
	for r.i < len(r.b) && r.b[r.i] >= '0' && r.b[r.i] <= '9' {
		r.i++
	}
	return r.i > from
}

func (r *reader) numeral() bool {
	r.word("-")
	if !r.word("0") && !r.digits() {
		return false
	}
	if r.word(".") && !r.digits() {
		return false
	}
	if !r.word("e") && !r.word("E") {
		return true
	}
	if !r.word("+") {
		r.word("-")
	}
	return r.digits()
}

// bytes reads a string. The result may be part of the document: it is not to be
// changed.
func (r *reader) bytes() []byte {
	if !r.next('"') {
		r.fail()
		return nil
	}
	from := r.i
	var out []byte // what is before from, where there were escapes
	r.i += plain(r.b[from:])
	for r.i < len(r.b) {
		switch c := r.b[r.i]; {
		case c == '"':
			text := r.b[from:r.i]
			if out != nil {
				text = append(out, text...)
			}
			r.i++
			if !utf8.Valid(text) {
				r.fail()
				return nil
			}
			return text
		case c < 0x20:
			r.fail()
			return nil
		case c != '\\':
			r.i++
		default:
			if out == nil {
				out = make([]byte, 0, r.i-from+16)
			}
			out = append(out, r.b[from:r.i]...)
			r.i++
			var ok bool
			if out, ok = r.escape(out); !ok {
				r.fail()
				return nil
			}
			from = r.i
		}
	}
	r.fail()
	return nil
}

// plain returns how many bytes at the beginning mean only themselves, in eights:
// a loop costs much more in wasm than what is in it, and a file's content is
// megabytes of those.
func plain(b []byte) int {
	const ones = 0x0101010101010101
	n := 0
	for ; len(b)-n >= 8; n += 8 {
		p := b[n : n+8]
		v := uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
			uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
		quote, slash := v^ones*'"', v^ones*'\\'
		if ((v-ones*0x20)|v|(quote-ones)|(slash-ones))&(ones<<7) != 0 {
			break
		}
	}
	return n
}

// escape appends the character whose escape begins after the backslash.
func (r *reader) escape(out []byte) ([]byte, bool) {
	if r.i == len(r.b) {
		return out, false
	}
	c := r.b[r.i]
	r.i++
	switch c {
	case '"', '\\', '/':
		return append(out, c), true
	case 'b':
		return append(out, '\b'), true
	case 'f':
		return append(out, '\f'), true
	case 'n':
		return append(out, '\n'), true
	case 'r':
		return append(out, '\r'), true
	case 't':
		return append(out, '\t'), true
	case 'u':
		v := r.hex4()
		if v >= 0xD800 && v <= 0xDBFF {
			if !r.word(`\u`) {
				return out, false
			}
			low := r.hex4()
			if low < 0xDC00 || low > 0xDFFF {
				return out, false
			}
			v = 0x10000 + (v-0xD800)<<10 + (low - 0xDC00)
		} else if v < 0 || v >= 0xDC00 && v <= 0xDFFF {
			return out, false
		}
		return utf8.AppendRune(out, v), true
	}
	return out, false
}

// hex4 reads four hexadecimal digits; -1 where there are none.
func (r *reader) hex4() rune {
	if len(r.b)-r.i < 4 {
		return -1
	}
	var v rune
	for _, c := range r.b[r.i : r.i+4] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | rune(c-'A'+10)
		default:
			return -1
		}
	}
	r.i += 4
	return v
}
