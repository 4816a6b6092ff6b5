package mask

import "encoding/binary"

const (
	// mostNeeded is how many substrings of four bytes one after another are looked for at
	// most where a word may be; around is how many bytes on each side have them.
	mostNeeded = 10
	around     = mostNeeded + 2
	// mostSteps bounds how far around is looked for: there are escapes that stand for
	// nothing.
	mostSteps = 8 * around
)

// glance looks whether a word, or the beginning of one at the end, may have a part in an
// escape or on both sides of one. Most often none has, and there is nothing to find that
// is not in the text as it is: the text need not be decoded. It looks at pairs of bytes
// first, and where there is one of a word at substrings of four.
type glance struct {
	escapes escapes
	// before are the last bytes of the decoded text before the escape.
	before []byte
	space  [around]byte
	// lastEnd is where the last escape ends; the beginning where there is none.
	lastEnd int
	window  [2*around + 2*longestEscape]byte
}

// look reports that there may be something. Where it does not, read says how much was
// read: what follows is incomplete.
func (g *glance) look(r *reading, w *words, raw []byte, whole bool) bool {
	e := &g.escapes
	g.before, g.lastEnd = nil, 0
	if r.signs != nil && !r.signed(raw) {
		e.read = len(raw)
		return false
	}
	for e.start(r, raw, whole); g.next(r, w); {
		g.gather(raw[g.lastEnd:e.at])
		if g.pair(r, w, raw) && g.near(r, w, raw) {
			return true
		}
		g.gather(e.text)
		g.lastEnd = e.end
	}
	return false
}

// next goes to the next escape that may be in a word.
func (g *glance) next(r *reading, w *words) bool {
	e := &g.escapes
	for {
		at := min(e.leads[0], e.leads[1])
		if at+1 >= len(e.raw) {
			return e.next()
		}
		end := at + 1
		switch {
		case r.code && at > g.lastEnd && !w.codes[e.raw[at-1]]:
			g.before, g.lastEnd = nil, end
		case r.code:
			if end = w.apart(e.raw[g.lastEnd:], at-g.lastEnd); end == 0 {
				return e.next()
			}
			end += g.lastEnd
			g.before, g.lastEnd = nil, end
		case r.behind == nil:
			return e.next()
		default:
			switch r.behind[e.raw[end]] {
			case unclear:
				return e.next()
			case foreign:
				end++
				g.before, g.lastEnd = nil, end
			}
		}
		e.skip(end)
	}
}

// apart reports where the next line begins, behind its indent, if no word goes on there: of
// one that does, four bytes on both sides of the break are known. 0 where that is not seen at
// once. The line that ends at an offset of raw begins with it. Most text has a break in every
// thirty bytes or so, so this decides how fast it is passed.
func (w *words) apart(raw []byte, at int) int {
	to := at + 1
	if raw[at] == '\r' && to < len(raw) && raw[to] == '\n' {
		to++
	}
	for to < len(raw) && (raw[to] == ' ' || raw[to] == '\t') {
		to++
	}
	if at < 3 || to+3 > len(raw) || to-at > mostIndent {
		return 0
	}
	var both uint64
	for i, c := range [...]byte{raw[at-3], raw[at-2], raw[at-1], raw[to], raw[to+1], raw[to+2]} {
		if c == '\n' || c == '\r' {
			return 0
		}
		both |= uint64(c) << (8 * i)
	}
	if w.quads.needs(uint32(both))|w.quads.needs(uint32(both>>8))|w.quads.needs(uint32(both>>16)) != 0 {
		return 0
	}
	return to
}

// gather makes text the last of what is before.
func (g *glance) gather(text []byte) {
	switch over := len(g.before) + len(text) - around; {
	case len(text) == 0:
	case len(text) >= around:
		g.before = text[len(text)-around:]
	default:
		before := append(g.space[:0], g.before[max(0, over):]...)
		g.before = append(before, text...)
	}
}

// pair reports that two bytes of a word may be in the escape or on both sides of it.
func (g *glance) pair(r *reading, w *words, raw []byte) bool {
	e, known := &g.escapes, &w.pairs
	last, before := byte(0), len(g.before) > 0
	if r.code {
		if known = &w.codePairs; !before {
			return false
		}
	}
	if before {
		last = g.before[len(g.before)-1]
	}
	for _, c := range e.text {
		if before && known.has(last, c) {
			return true
		}
		last, before = c, true
	}
	if e.end == len(raw) || raw[e.end] == r.leads[0] || raw[e.end] == r.leads[1] {
		return true // who knows what comes
	}
	return known.has(last, raw[e.end])
}

// near reports that around the escape there may be a word: so many substrings of words,
// one after another, as one has.
func (g *glance) near(r *reading, w *words, raw []byte) bool {
	e := &g.escapes
	text := append(append(g.window[:0], g.before...), e.text...)
	from, to := len(g.before), len(text)
	if close, full := behind(r, text, raw[e.end:], 3); full {
		none := true
		for i := max(0, from-3); i < to && none; i++ {
			none = w.quads.needs(binary.LittleEndian.Uint32(close[i:])) == 0
		}
		if none {
			return false
		}
	}
	text, full := behind(r, text, raw[e.end:], around)
	start, needs := 0, mostNeeded // of a run of substrings
	for i := range len(text) - 3 {
		n := w.quads.needs(binary.LittleEndian.Uint32(text[i:]))
		switch {
		case n > 0:
			needs = min(needs, n)
			if i-start+1 >= needs && i+4 > from {
				return true
			}
		case i+1 >= to:
			return false // a word in the escape would have this one, too
		default:
			start, needs = i+1, mostNeeded
		}
	}
	return !full // who knows what comes
}

// behind appends n bytes, or some more, of the decoded text behind an escape; full says
// that there were so many.
func behind(r *reading, text, raw []byte, n int) (all []byte, full bool) {
	enough := len(text) + n
	for steps := 0; len(text) < enough; steps++ {
		if len(raw) == 0 || steps == mostSteps {
			return text, false
		}
		n := 0
		if raw[0] == r.leads[0] || raw[0] == r.leads[1] {
			var more []byte
			if more, n = r.escape(text, raw); n > 0 {
				text = more
			}
		}
		switch {
		case n == incomplete:
			return text, false
		case n == 0:
			text, n = append(text, raw[0]), 1
		}
		raw = raw[n:]
	}
	return text, true
}

// What the byte behind a lead byte says of the two.
const (
	// unclear is where only the whole escape tells.
	unclear = iota
	// literal is where there is no escape.
	literal
	// foreign is an escape of two bytes, for one that is in no word.
	foreign
)

// behindLead tells of each byte behind a lead byte what it says.
func (r *reading) behindLead(w *words) *[256]byte {
	var out [256]byte
	for c := range 256 {
		raw := [...]byte{r.leads[0], byte(c)}
		other := [...]byte{r.leads[1], byte(c)}
		text, n := r.escape(nil, raw[:])
		_, m := r.escape(nil, other[:])
		switch {
		case n == 0 && m == 0:
			out[c] = literal
		case n == 2 && raw == other && len(text) == 1 && !w.bytes[text[0]]:
			out[c] = foreign
		}
	}
	return &out
}
