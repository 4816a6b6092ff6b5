package codec

import (
	"strings"
	"testing"
)

// Edges that small mutations of this package showed to be untested.
func TestEdges(t *testing.T) {
	for text, want := range map[string]bool{"{x": false, "[1": false, "": false, "1": false, "{}": true, "[1]": true} {
		if _, ok := TreeIn(text); ok != want {
			t.Errorf("%q is a tree: %v", text, ok)
		}
	}
	for text, want := range map[string]string{"\x1ca\x1f": "a", "\x1ba": "\x1ba", " \u00a0a\x85": "a\x85"} {
		if got := trim(text); got != want {
			t.Errorf("%q without white space is %q", text, got)
		}
	}
	for text, want := range map[string]bool{"2001-01-02": true, "2001-1-2T": true, "2001-01-123": false, "2001-123-1": false, "201-01-01": false, "2001-01-": false, "2001--01": false} {
		if yamlLooksDated(text) != want {
			t.Errorf("%q looks like a date is not %v", text, want)
		}
	}
	// Quotes count as a part of the key.
	for n, want := range map[int]bool{yamlMaxKey - 2: true, yamlMaxKey - 1: false} {
		if err := yamlWritableKey(strings.Repeat("k", n)); (err == nil) != want {
			t.Errorf("a key of %d bytes: %v", n, err)
		}
	}
	for value, want := range map[string]bool{"٣": true, "é": true, "€": false, "a b": false, "~": false, "a~": true, "": true} {
		if dotenvBare(value) != want {
			t.Errorf("%q may stand without quotes is not %v", value, want)
		}
	}
	if got := (yamlLayout{}).flow(&Node{Kind: Map, Pairs: []Pair{{"k", nil}}}); got != "{k: null}" {
		t.Errorf("an entry of nothing is %s", got)
	}
	aws := withClients(t, "ini", Options{}, "aws-cli")
	runEdits(t, aws, []editCase{
		{"a file that becomes readable is compared with nothing", "[a]\nk=1\n[b]\nm=1\n[a]\nk=2\n", remove("a"), "[b]\nm=1\n"},
	})
	runEdits(t, yaml{}, []editCase{
		{"a comment in empty brackets stays", "k: {v: { # c\n }}\n", set("1", "k", "v", "x"), "k: {v: {x: \"1\"  # c\n }}\n"},
	})
}

// What is put into a tree is a copy of it.
func TestEditsCopyTheirValues(t *testing.T) {
	value := &Node{Kind: Map, Pairs: []Pair{{"k", Text("1")}, {"l", &Node{Kind: List, Items: []*Node{Text("2")}}}}}
	out, err := EditTree(&Node{Kind: Map}, []Edit{{Keys("a"), value}})
	if err != nil {
		t.Fatal(err)
	}
	value.Pairs[0].Value.Text, value.Pairs[1].Value.Items[0].Text = "x", "y"
	if a := out.Get("a"); a.Get("k").Text != "1" || a.Get("l").Items[0].Text != "2" {
		t.Errorf("it changed with the value: %s", ToJSON(out))
	}
}
