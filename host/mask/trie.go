package mask

import "slices"

// trie is an Aho-Corasick automaton. A state is how much of the end of what was
// read is the beginning of a word; 0 is nothing.
type trie struct {
	nodes []node
	root  [256]int32
}

type node struct {
	child, sibling int32
	// fail is the longest shorter end that is the beginning of a word.
	fail int32
	// out is the length of the longest word that ends here; 0 for none.
	out int32
	// shortest is the length of the shortest word that begins so.
	shortest int32
	depth    int32
	char     byte
}

func newTrie(words []string) *trie {
	t := &trie{nodes: make([]node, 1, 1024)}
	for _, w := range words {
		t.add(w)
	}
	t.link()
	return t
}

func (t *trie) empty() bool { return len(t.nodes) == 1 }

func (t *trie) add(word string) {
	at := int32(0)
	for i := range len(word) {
		next := t.down(at, word[i])
		if next == 0 {
			next = int32(len(t.nodes))
			t.nodes = append(t.nodes, node{sibling: t.nodes[at].child, char: word[i], depth: int32(i + 1), shortest: int32(len(word))})
			t.nodes[at].child = next
			if at == 0 {
				t.root[word[i]] = next
			}
		}
		t.nodes[next].shortest = min(t.nodes[next].shortest, int32(len(word)))
		at = next
	}
	t.nodes[at].out = int32(len(word))
}

// link finds where each state goes on when the next character does not fit.
func (t *trie) link() {
	var queue []int32
	for c := t.nodes[0].child; c != 0; c = t.nodes[c].sibling {
		queue = append(queue, c)
	}
	for i := 0; i < len(queue); i++ {
		at := queue[i]
		n := &t.nodes[at]
		n.out = max(n.out, t.nodes[n.fail].out)
		for c := n.child; c != 0; c = t.nodes[c].sibling {
			t.nodes[c].fail = t.step(n.fail, t.nodes[c].char)
			queue = append(queue, c)
		}
	}
	t.nodes = slices.Clip(t.nodes)
}

// down is the state behind at by c, or 0.
func (t *trie) down(at int32, c byte) int32 {
	if at == 0 {
		return t.root[c]
	}
	for n := t.nodes[at].child; n != 0; n = t.nodes[n].sibling {
		if t.nodes[n].char == c {
			return n
		}
	}
	return 0
}

// step is the state after one more character.
func (t *trie) step(at int32, c byte) int32 {
	for {
		if next := t.down(at, c); next != 0 || at == 0 {
			return next
		}
		at = t.nodes[at].fail
	}
}
