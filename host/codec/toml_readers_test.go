package codec

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"strconv"
	"testing"
)

// What is written into a random file, Python's tomllib reads, and it reads all else in
// the file as this package does.
func TestSoakTOMLReaders(t *testing.T) {
	python := startPython(t)
	lines := []string{
		"a = 1\n", "b = -0x1F\n", "c = 1_000\n", "d = 1e3\n", "e = true # c\n", "f = 'x'\n", "g = \"\"\"\nx \\\n  y\"\"\"\n", "h.i = \"\\u00e9\\t\"\n", "\"q k\" = '''\nz'''\n", "'' = 0.50\n",
		"j = [1, 'a', # c\n  [],\n]\n", "l = { m = 1, n.o = 'p' }\n", "[t]\n", "[t.u]\n", "[[v]]\n", "[[v.w]]\n", "[\"x y\".z]\n", "# c\n", "\n", "aa = 2026-01-02T03:04:05Z\n", "bb = 07:32:00\n", "cc = +0.0\n", "dd = 0o17\n", "ee = 0b11\n", "\r\n",
	}
	words := []string{"a", " ", "'", "\"", "'''", "\"\"\"", "\\", "\n", "\r\n", "\t", "é", "\x7f", "\u2028", "#", "=", "[", "]", "😀", "true", "1", ","}
	keys := []string{"a", "h", "q k", "t", "u", "l", "m", "new", "é", "", "x y", "z"}
	read, written := 0, 0
	soak(t, func(t *testing.T, r *rand.Rand) {
		for range 200 {
			file := []byte(randomText(r, lines, 6))
			root, err := toml{}.Decode(file)
			raw, ok := python.ask("toml", file)
			if (err == nil) != ok {
				t.Errorf("%q: %v; tomllib can read it: %v", file, err, ok)
			}
			if err != nil || !ok {
				continue
			}
			read++
			if got := tomlAsRead(t, raw); !Equal(tomlPlain(root), got) {
				t.Errorf("tomllib reads %q as %s", file, raw)
			}
			path := Keys(keys[r.IntN(len(keys))])
			if r.IntN(2) == 0 {
				path = append(path, Step{Key: keys[r.IntN(len(keys))]})
			}
			out, err := Apply(toml{}, file, []Edit{{Path: path, Value: Text(randomText(r, words, 4))}})
			if err != nil {
				continue
			}
			written++
			want, err := toml{}.Decode(out)
			if err != nil {
				t.Fatal(err)
			}
			if raw, ok := python.ask("toml", out); !ok || !Equal(tomlPlain(want), tomlAsRead(t, raw)) {
				t.Errorf("tomllib reads %q, which was %q, as %s", out, file, raw)
			}
		}
	})
	if read < 50 || written < 20 {
		t.Errorf("only %d files were read, and %d written", read, written)
	}
}

// tomlDate is what this package has of a date or a time: its text.
var tomlDate = regexp.MustCompile(`^(2026-01-02T03:04:05Z|07:32:00)$`)

// tomlPlain is a tree whose dates are all alike, and numbers of one value as well.
func tomlPlain(n *Node) *Node {
	out := &Node{Kind: n.Kind, Text: n.Text}
	switch {
	case n.Kind == Number:
		out.Text = tomlNumber(n.Text)
	case tomlDate.MatchString(n.Text):
		out.Text = "date"
	}
	for _, item := range n.Items {
		out.Items = append(out.Items, tomlPlain(item))
	}
	for _, p := range n.Pairs {
		out.set(p.Key, tomlPlain(p.Value))
	}
	return out
}

func tomlNumber(text string) string {
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return strconv.FormatInt(n, 10)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

// tomlAsRead is the tree of what tomllib says, as [tomlPlain].
func tomlAsRead(t *testing.T, raw json.RawMessage) *Node {
	t.Helper()
	var v struct {
		Map                        [][2]json.RawMessage
		List                       []json.RawMessage
		String, Number, Bool, Date *string
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	switch {
	case v.String != nil:
		return Text(*v.String)
	case v.Date != nil:
		return Text("date")
	case v.Bool != nil:
		return &Node{Kind: Bool, Text: *v.Bool}
	case v.Number != nil:
		return &Node{Kind: Number, Text: tomlNumber(*v.Number)}
	case v.List != nil:
		out := &Node{Kind: List}
		for _, item := range v.List {
			out.Items = append(out.Items, tomlAsRead(t, item))
		}
		return out
	}
	out := &Node{Kind: Map}
	for _, p := range v.Map {
		out.set(tomlAsRead(t, p[0]).Text, tomlAsRead(t, p[1]))
	}
	return out
}
