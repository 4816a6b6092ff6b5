package codec

import (
	"slices"
	"sync"
)

// indexFrom is from how many entries on a Map has an index: files with a thousand
// profiles are looked into once for each of them.
const indexFrom = 32

// index tells where the entries of a Map are. The Maps that follow one another by
// edits share one: it knows at least the keys of each of them, and where a key is
// in most of them.
type index struct {
	mu sync.Mutex
	at map[string]int
	// size is the length of the longest of them.
	size int
}

// added notes the entry that a Map has got as its last one.
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

// plus returns a Map with one more entry, whose key is new. n stays as it is, but may
// share memory with the new one: a Map that is longer than all others of its index
// is the only one that can have room behind it, and it uses that once.
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
