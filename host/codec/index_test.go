package codec

import (
	"fmt"
	"slices"
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

// FuzzEditsOfLargeMaps makes edits to any of the trees that earlier ones gave, and
// checks that each still is what a list says that was copied for every edit.
func FuzzEditsOfLargeMaps(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 0, 2, 1, 1, 3, 0, 2, 1, 3, 0, 40, 0, 0, 41})
	f.Add([]byte{0, 0, 50, 1, 0, 51, 1, 0, 52}) // two that follow the same one
	f.Add([]byte{0, 3, 1, 0, 3, 2, 0, 3, 3, 1, 3, 1, 2, 3, 9, 4, 2, 1})
	f.Fuzz(func(t *testing.T, steps []byte) {
		type version struct {
			node *Node
			want []Pair
		}
		base := &Node{Kind: Map}
		for i := range indexFrom - 1 {
			base.set(fmt.Sprintf("k%d", i), Text("old"))
		}
		versions := []version{{base, slices.Clone(base.Pairs)}}
		for i := 0; i+3 <= len(steps) && i < 300; i += 3 {
			from := versions[int(steps[i])%len(versions)]
			var edits []Edit
			want := slices.Clone(from.want)
			for j := range 1 + int(steps[i+1])/2%3 {
				e := Edit{Path: Keys(fmt.Sprintf("k%d", (int(steps[i+2])+j*int(steps[i+1]))%64)), Value: Text(fmt.Sprint(i, j))}
				if steps[i+1]%2 == 1 && j == 0 {
					e.Value = nil
				}
				edits = append(edits, e)
				at := slices.IndexFunc(want, func(p Pair) bool { return p.Key == e.Path[0].Key })
				switch {
				case e.Value == nil && at >= 0:
					want = slices.Delete(want, at, at+1)
				case e.Value == nil:
				case at >= 0:
					want[at].Value = e.Value
				default:
					want = append(want, Pair{e.Path[0].Key, e.Value})
				}
			}
			node, err := EditTree(from.node, edits)
			if err != nil {
				t.Fatal(err)
			}
			versions = append(versions, version{node, want})
		}
		for n, v := range versions {
			if len(v.node.Pairs) != len(v.want) {
				t.Fatalf("version %d has %d entries, not %d", n, len(v.node.Pairs), len(v.want))
			}
			for i, p := range v.want {
				if got := v.node.Pairs[i]; got.Key != p.Key || got.Value.Text != p.Value.Text || v.node.Get(p.Key) != got.Value {
					t.Fatalf("version %d: entry %d is %s, not %s", n, i, got.Key, p.Key)
				}
			}
			for k := range 64 {
				key := fmt.Sprintf("k%d", k)
				if v.node.Get(key) != nil != slices.ContainsFunc(v.want, func(p Pair) bool { return p.Key == key }) {
					t.Fatalf("version %d: Get(%q) is wrong", n, key)
				}
			}
		}
	})
}
