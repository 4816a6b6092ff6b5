package codec

import (
	"slices"
	"sync"
)

// indexFrom is the number of entries from which a Map has an index: a file with a
// thousand profiles is searched once for each of them.
const indexFrom = 32

// index has the positions of the entries of a Map. Maps that come from one another by
// edits share one: it has every key of each of them, but a position is right for most
// of them only, and is checked.
type index struct {
	mu sync.Mutex
	at map[string]int
	// size is the length of the longest of them.
	size int
}

// added records the entry that was appended to a Map, which has size entries now.
func (x *index) added(key string, size int) {
	x.at[key], x.size = size-1, max(x.size, size)
}

// reindex gives a Map an index of its own, if it is large enough.
func (n *Node) reindex() {
	n.index = nil
	if len(n.Pairs) < indexFrom {
		return
	}
	x := &index{at: make(map[string]int, len(n.Pairs))}
	for i, p := range n.Pairs {
		x.added(p.Key, i+1)
	}
	n.index = x
}

// find returns the position of key in a Map, or -1.
func (n *Node) find(key string) int {
	if n.index != nil {
		n.index.mu.Lock()
		i, known := n.index.at[key]
		n.index.mu.Unlock()
		if !known {
			return -1
		}
		if i < len(n.Pairs) && n.Pairs[i].Key == key {
			return i
		}
	}
	for i := range n.Pairs {
		if n.Pairs[i].Key == key {
			return i
		}
	}
	return -1
}

// set gives the entry key of a Map a value; a new one comes last.
func (n *Node) set(key string, value *Node) {
	if i := n.find(key); i >= 0 {
		n.Pairs[i].Value = value
		return
	}
	if n.Pairs = append(n.Pairs, Pair{key, value}); n.index == nil {
		n.reindex()
		return
	}
	n.index.mu.Lock()
	n.index.added(key, len(n.Pairs))
	n.index.mu.Unlock()
}

// plus returns a Map with one more entry, whose key is new. n is not changed, but both
// may share memory: only the longest Map of an index may use the free room behind its
// entries, and only once, so that no other Map has an entry there.
func (n *Node) plus(key string, value *Node) *Node {
	c := *n
	if n.index == nil {
		c.Pairs = append(slices.Clip(n.Pairs), Pair{key, value})
		c.reindex()
		return &c
	}
	n.index.mu.Lock()
	defer n.index.mu.Unlock()
	if n.index.size > len(n.Pairs) {
		c.Pairs = slices.Clip(n.Pairs)
	}
	c.Pairs = append(c.Pairs, Pair{key, value})
	c.index.added(key, len(c.Pairs))
	return &c
}
