package mask

import "math/bits"

// multiplier is 2^32 over the golden ratio.
const multiplier = 0x9E3779B1

// hash is Fibonacci hashing, of which the upper bits remain.
func hash(gram uint32, shift int) uint32 { return gram * multiplier >> shift }

// bitmap is a set of grams that may have more in it than were put there: a Bloom
// filter with one hash function.
type bitmap struct {
	bits  []uint64
	shift int
}

const (
	// sparse is how many bits there are for each gram.
	sparse = 32
	// These hold a bitmap between what costs nothing and what a processor's cache takes.
	minBitmap = 12
	maxBitmap = 22
)

func newBitmap(grams int) bitmap {
	size := min(max(bits.Len(uint(grams*sparse)), minBitmap), maxBitmap)
	return bitmap{make([]uint64, 1<<size/64), 32 - size}
}

func (b *bitmap) set(gram uint32) {
	h := hash(gram, b.shift)
	b.bits[h/64] |= 1 << (h % 64)
}

func (b *bitmap) has(gram uint32) bool {
	h := hash(gram, b.shift)
	return b.bits[h/64]>>(h%64)&1 != 0
}

// quads are the substrings of four bytes that are in words, by open addressing. It is
// exact: where it has none there is nothing.
type quads struct {
	slots []quad
	shift int
	n     int // of slots that are not free
}

// quad is a substring. needs is how many substrings one after another, of which it is
// one, the shortest word with it has, or fewer; 0 where the slot is free.
type quad struct {
	bytes uint32
	needs int32
}

func newQuads() quads { return quads{slots: make([]quad, 1<<quadBits), shift: 32 - quadBits} }

// quadBits says how many slots there are for a start.
const quadBits = 8

func (q *quads) add(bytes uint32, needs int) {
	s := q.slot(bytes)
	switch {
	case s.needs == 0:
		*s = quad{bytes, int32(needs)}
		if q.n++; 2*q.n > len(q.slots) {
			q.grow()
		}
	case int(s.needs) > needs:
		s.needs = int32(needs)
	}
}

func (q *quads) grow() {
	old := q.slots
	q.slots, q.shift = make([]quad, 2*len(old)), q.shift-1
	for _, s := range old {
		if s.needs > 0 {
			*q.slot(s.bytes) = s
		}
	}
}

// needs is that of a substring; 0 where no word has it.
func (q *quads) needs(bytes uint32) int { return int(q.slot(bytes).needs) }

// slot is where a substring is or would be.
func (q *quads) slot(bytes uint32) *quad {
	at := int(hash(bytes, q.shift))
	for q.slots[at].needs != 0 && q.slots[at].bytes != bytes {
		at = (at + 1) & (len(q.slots) - 1)
	}
	return &q.slots[at]
}

// pairs is the set of two bytes one after the other that are in words.
type pairs [1 << 16 / 64]uint64

func (p *pairs) add(a, b byte) {
	n := int(a)<<8 | int(b)
	p[n/64] |= 1 << (n % 64)
}

func (p *pairs) has(a, b byte) bool {
	n := int(a)<<8 | int(b)
	return p[n/64]>>(n%64)&1 != 0
}
