package mask

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"
	"strings"
)

// words finds any of many words in a text.
//
// Of each word a few grams (substrings of gram bytes) one after another are known to
// a filter, a bitmap by hash (a Bloom filter with one hash function); as many as the
// search takes steps of, so that it cannot step over all of them. Where the filter
// says that there may be one, the words with that gram are compared, and only there.
// That is the idea of Wu and Manber, with the grams chosen where they are rare.
//
// Aho and Corasick's automaton takes a step, and waits for memory, at each byte of
// the text. It is the better one where most of the text is matches; the output of
// commands is not.
type words struct {
	sorted []word
	// longest is the length of the longest.
	longest int
	// gram is 3 or 4, and mask has its bytes in a number of four bytes.
	gram, stride int
	mask         uint32
	filter       bitmap
	// lists has, by hash, the first of a list of entries; 0 for none.
	lists      []int32
	listsShift int
	entries    []entry
	// heads are the first four bytes of the words.
	heads bitmap
	// quads are all substrings of four bytes that are in words, and pairs those of two:
	// in all of them, and in those in code.
	quads     quads
	pairs     pairs
	codePairs pairs
	// bytes are those in words, codes those in words in code.
	bytes, codes [256]bool
}

// word is what is searched for. One in code is text that tools break into lines. as is
// what stands for it, of the same length; "" in a Masker without such.
type word struct {
	text string
	code bool
	as   string
	// of and form say of a word in a [Search] which value it is of, and how it is written.
	of   int
	form string
}

// entry is a gram of a word.
type entry struct {
	gram         uint32
	word, offset int32
	next         int32
}

const (
	longGram = 4
	// maxStride is how many grams of a word are known at most. More make larger steps
	// and a fuller filter.
	maxStride = 8
	// choices is at how many places in a word the rarest grams are looked for.
	choices = 64
)

func newWords(list []word) *words {
	// Of two that are the same the one in code remains.
	slices.SortFunc(list, func(a, b word) int {
		if c := strings.Compare(a.text, b.text); c != 0 || a.code == b.code {
			return c
		} else if a.code {
			return -1
		}
		return 1
	})
	w := &words{sorted: slices.CompactFunc(list, func(a, b word) bool { return a.text == b.text })}
	if len(w.sorted) == 0 {
		return w
	}
	shortest := len(w.sorted[0].text)
	for _, s := range w.sorted {
		w.longest, shortest = max(w.longest, len(s.text)), min(shortest, len(s.text))
	}
	w.gram, w.mask = longGram, 1<<32-1
	if shortest == MinLength {
		w.gram, w.mask = longGram-1, 1<<24-1 // else it would be a step for each byte
	}
	w.stride = min(shortest-w.gram+1, maxStride)
	grams := len(w.sorted) * w.stride
	w.filter, w.heads, w.quads = newBitmap(grams), newBitmap(len(w.sorted)), newQuads()
	size := bits.Len(uint(grams))
	w.lists, w.listsShift = make([]int32, 1<<size), 32-size
	w.entries = make([]entry, 1, 1+grams)
	for i, s := range w.sorted {
		w.add(int32(i), s.text)
		w.heads.set(load(s.text))
		needs := min(len(s.text)-3, mostNeeded)
		for at := range len(s.text) - 3 {
			w.quads.add(load(s.text[at:]), needs)
		}
		for _, c := range []byte(s.text) {
			w.bytes[c] = true
			w.codes[c] = w.codes[c] || s.code
		}
		for at := range len(s.text) - 1 {
			w.pairs.add(s.text[at], s.text[at+1])
			if s.code {
				w.codePairs.add(s.text[at], s.text[at+1])
			}
		}
	}
	return w
}

func load(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// at is the gram of a word at an offset.
func (w *words) at(s string, offset int) uint32 {
	var g uint32
	for i := range w.gram {
		g |= uint32(s[offset+i]) << (8 * i)
	}
	return g
}

// add makes a word's rarest grams known.
func (w *words) add(word int32, s string) {
	var costs [choices]int
	best, least, cost := 0, 1<<31, 0
	for i := range min(len(s)-w.gram+1, choices) {
		costs[i] = w.common(w.at(s, i))
		cost += costs[i]
		from := i - w.stride + 1
		if from < 0 {
			continue
		}
		if cost < least {
			best, least = from, cost
		}
		cost -= costs[from]
	}
	for i := range w.stride {
		g := w.at(s, best+i)
		w.filter.set(g)
		list := &w.lists[hash(g, w.listsShift)]
		w.entries = append(w.entries, entry{g, word, int32(best + i), *list})
		*list = int32(len(w.entries) - 1)
	}
}

// common is how often a gram may be expected where there is no word: other words
// have it, all its bytes are one (an indent, a ruler, zeros), or text has its bytes.
func (w *words) common(g uint32) int {
	cost, same := 0, true
	for e := w.lists[hash(g, w.listsShift)]; e != 0 && cost < 64; e = w.entries[e].next {
		if w.entries[e].gram == g {
			cost += 8
		}
	}
	for i := range w.gram {
		c := byte(g >> (8 * i))
		same = same && c == byte(g)
		switch {
		case 'a' <= c && c <= 'z', c == ' ':
			cost += 3
		case '0' <= c && c <= '9', c == 0:
			cost += 2
		default:
			cost++
		}
	}
	if same {
		cost += 64
	}
	return cost
}

// find appends where the words are in a text, or those in code alone. Of those that
// overlap it may give one span.
func (w *words) find(text []byte, code bool, found []span) []span {
	if len(w.sorted) == 0 {
		return found
	}
	i := 0
	for {
		if i = w.skip(text, i); i+4 > len(text) {
			break
		}
		g := binary.LittleEndian.Uint32(text[i:]) & w.mask
		found = w.compare(text, i, g, code, found)
		i += w.stride
	}
	if i+w.gram <= len(text) { // one of three bytes
		g := uint32(text[i]) | uint32(text[i+1])<<8 | uint32(text[i+2])<<16
		found = w.compare(text, i, g, code, found)
	}
	return found
}

// skip goes on from i, by steps, to where the filter says that there may be a gram. It is
// where the time goes, so it has only what fits into registers.
func (w *words) skip(text []byte, i int) int {
	bits, shift, mask, stride := w.filter.bits, w.filter.shift&31, w.mask, w.stride
	for ; i+3*stride+4 <= len(text); i += 4 * stride {
		t := text[i:]
		h0 := binary.LittleEndian.Uint32(t) & mask * multiplier >> shift
		h1 := binary.LittleEndian.Uint32(t[stride:]) & mask * multiplier >> shift
		h2 := binary.LittleEndian.Uint32(t[2*stride:]) & mask * multiplier >> shift
		h3 := binary.LittleEndian.Uint32(t[3*stride:]) & mask * multiplier >> shift
		if (bits[h0/64]>>(h0%64)|bits[h1/64]>>(h1%64)|bits[h2/64]>>(h2%64)|bits[h3/64]>>(h3%64))&1 != 0 {
			break
		}
	}
	for ; i+4 <= len(text); i += stride {
		h := binary.LittleEndian.Uint32(text[i:]) & mask * multiplier >> shift
		if bits[h/64]>>(h%64)&1 != 0 {
			break
		}
	}
	return i
}

// compare finds the words that have a gram where it is in the text.
func (w *words) compare(text []byte, at int, g uint32, code bool, found []span) []span {
	for e := w.lists[hash(g, w.listsShift)]; e != 0; e = w.entries[e].next {
		entry := &w.entries[e]
		word := &w.sorted[entry.word]
		start := at - int(entry.offset)
		end := start + len(word.text)
		if entry.gram != g || code && !word.code || start < 0 || end > len(text) || string(text[start:end]) != word.text {
			continue
		}
		s := span{start: start, end: end, as: word.as, word: int(entry.word)}
		if last := len(found) - 1; last >= 0 && found[last].start <= start && start < found[last].end {
			found[last].join(s)
			continue
		}
		found = append(found, s)
	}
	return found
}

// grade says how much of a value was read: next to nothing, less than half, or more.
type grade int

const (
	little grade = iota
	some
	most
)

// tail returns the length of the longest suffix of a text that is a proper prefix of
// a word (or of one in code), of a grade or above: what the failure links of an
// automaton lead to.
func (w *words) tail(text []byte, code bool, least grade) int {
	for i := max(0, len(text)-w.longest+1); i < len(text); i++ {
		if i+4 <= len(text) && !w.heads.has(binary.LittleEndian.Uint32(text[i:])) {
			continue
		}
		if w.begins(text[i:], code, least) {
			return len(text) - i
		}
	}
	return 0
}

// begins reports that a text is a proper prefix of a word, and of a grade or above.
func (w *words) begins(prefix []byte, code bool, least grade) bool {
	n := len(prefix)
	if n < MinLength && least > little {
		return false
	}
	from := sort.Search(len(w.sorted), func(i int) bool { return w.sorted[i].text >= string(prefix) })
	longer, enough := false, least < most
	for _, s := range w.sorted[from:] {
		if len(s.text) < n || s.text[:n] != string(prefix) {
			return false
		}
		if code && !s.code {
			continue
		}
		longer = longer || len(s.text) > n
		enough = enough || len(s.text) <= 2*n
		if longer && enough {
			return true
		}
	}
	return false
}
