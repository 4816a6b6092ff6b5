package mask

import "math/bits"

// hash is Fibonacci hashing: by 2^32 over the golden ratio, of which the upper bits
// remain.
func hash(gram uint32, shift int) uint32 { return gram * 0x9E3779B1 >> shift }

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

// quads is a set of substrings of four bytes, by open addressing. It is exact: where
// it has none there is nothing.
type quads struct {
	slots []uint32 // 0 is free
	zero  bool     // it has four zeros, which is 0
	shift int
}

func newQuads(n int) quads {
	size := bits.Len(uint(2 * n))
	return quads{slots: make([]uint32, 1<<size), shift: 32 - size}
}

func (q *quads) add(quad uint32) {
	if at, ok := q.slot(quad); !ok {
		q.slots[at] = quad
	}
	q.zero = q.zero || quad == 0
}

func (q *quads) has(quad uint32) bool {
	_, ok := q.slot(quad)
	return ok && (quad != 0 || q.zero)
}

// slot is where a substring is or would be.
func (q *quads) slot(quad uint32) (int, bool) {
	at := int(hash(quad, q.shift))
	for q.slots[at] != 0 && q.slots[at] != quad {
		at = (at + 1) & (len(q.slots) - 1)
	}
	return at, q.slots[at] == quad
}
