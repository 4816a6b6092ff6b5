package sandbox

import (
	"sync"

	"github.com/tetratelabs/wazero/experimental"
)

// memory is the linear memory of one instance. It never grows beyond its limit,
// and is zeroed when it moves and when the instance ends: wazero's own keeps
// what the guest decrypted until the garbage collector reuses it.
type memory struct {
	buf   []byte
	limit uint64
	full  bool // the guest asked for more than the limit
	spare *spare
}

// Allocate implements experimental.MemoryAllocator. A module has one memory, so
// this is called once.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate returns the memory with a new, larger size, or nil.
func (m *memory) Reallocate(n uint64) []byte {
	if n > m.limit {
		m.full = true
		return nil
	}
	if n > uint64(cap(m.buf)) {
		old := m.buf
		// Memory that grows once mostly grows again.
		m.buf = m.spare.get(n, min(max(n, 2*uint64(cap(old))), m.limit))[:len(old)]
		copy(m.buf, old)
		m.spare.put(old)
	}
	// What is beyond the old length is zero: spare gives nothing else.
	m.buf = m.buf[:n]
	return m.buf
}

// Free does nothing: wazero calls it when the time is up too, perhaps while the
// guest still runs. The instance's caller releases the memory.
func (m *memory) Free() {}

// release zeroes the memory and gives it back. No guest may run any more.
func (m *memory) release() {
	m.spare.put(m.buf)
	m.buf = nil
}

// spare keeps zeroed buffers, since a fresh one costs more than a small module's
// whole call.
type spare struct {
	mu   sync.Mutex
	bufs [][]byte
}

const (
	spareBuffers = 4
	spareSize    = 4 << 20
)

// get returns a zeroed buffer of at least n bytes, a new one with want.
func (s *spare) get(n, want uint64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range s.bufs {
		if uint64(cap(b)) >= n {
			s.bufs[i] = s.bufs[len(s.bufs)-1]
			s.bufs = s.bufs[:len(s.bufs)-1]
			return b
		}
	}
	return make([]byte, 0, want)
}

// put zeroes a buffer and keeps it for another instance.
func (s *spare) put(b []byte) {
	if cap(b) == 0 {
		return
	}
	clear(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bufs) < spareBuffers && cap(b) <= spareSize {
		s.bufs = append(s.bufs, b[:0])
	}
}
