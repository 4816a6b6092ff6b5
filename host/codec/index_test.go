package codec

import (
	"fmt"
	"testing"
)

// A large Map finds its entries as a small one does, whatever edits it and those that
// it shares an index with have seen.
func TestLargeMapsFindTheirEntries(t *testing.T) {
	base := &Node{Kind: Map}
	for i := range 2 * indexFrom {
		base.set(fmt.Sprintf("k%d", i), Text(fmt.Sprint(i)))
	}
	with := func(n *Node, key string, value *Node) *Node {
		t.Helper()
		n, err := n.with(Keys(key), value)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	one := with(base, "one", Text("1"))
	two := with(base, "two", Text("2")) // where one has another
	three := with(with(two, "one", Text("3")), "k5", nil)
	four := with(with(three, "k5", Text("again")), "k0", nil)
	changed := with(one, "k7", Text("seven"))
	maps := map[string]*Node{"base": base, "one": one, "two": two, "three": three, "four": four, "changed": changed,
		"clone": with(four.clone(), "five", Text("5")), "small": {Kind: Map, Pairs: []Pair{{"one", Text("small")}}}}
	keys := []string{"one", "two", "five", "none", ""}
	for i := range 2 * indexFrom {
		keys = append(keys, fmt.Sprintf("k%d", i))
	}
	for name, m := range maps {
		if (m.index != nil) != (name != "small") {
			t.Errorf("%s: index %v", name, m.index)
		}
		for _, key := range keys {
			var want *Node
			for _, p := range m.Pairs {
				if p.Key == key {
					want = p.Value
				}
			}
			if got := m.Get(key); got != want {
				t.Errorf("%s: Get(%q) is %v, not %v", name, key, got, want)
			}
		}
	}
	if n := len(base.Pairs); n != 2*indexFrom || base.Get("k7").Text != "7" {
		t.Error("an edit changed what it was made to")
	}
}
