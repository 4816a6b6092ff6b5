package provider

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/spec"
)

// shape returns an error for a document that is not built as its spec says: the tool
// refuses such a file, which would otherwise seem to have no secrets.
func shape(f *spec.File, root *codec.Node) error {
	if f.Format == "ini" {
		return sectioned(f, root)
	}
	if f.Format != "json" && f.Format != "yaml" {
		return nil
	}
	p := f.Profiles
	if p == nil {
		if !ofOneKind(f) {
			return nil
		}
		return wanted(root, nil, codec.Map)
	}
	at, kind := p.Keys, codec.Map
	if p.Entries != nil {
		at, kind = p.Entries, codec.List
	}
	base, _ := at.Expand(noHoles)
	if err := wanted(root, base, kind); err != nil {
		return err
	}
	if !ofOneKind(f) {
		return nil
	}
	// Each profile is a map. At the top, settings of the tool may be beside them.
	profiles := root.Find(base)
	if profiles == nil || len(base) == 0 {
		profiles = &codec.Node{Pairs: []codec.Pair{{Value: root.Get(p.Default)}}}
	}
	for _, n := range slices.Concat(profiles.Items, values(profiles)) {
		if n != nil && n.Kind != codec.Map && n.Kind != codec.Null {
			return notOf(n, codec.Map)
		}
	}
	return nil
}

// ofOneKind reports whether every value is an entry of a map: none is a whole profile,
// and none is in a list.
func ofOneKind(f *spec.File) bool {
	return !slices.ContainsFunc(f.Keys, func(k spec.Key) bool {
		return k.Value != "*" && slices.ContainsFunc(k.At, func(p spec.Path) bool { return len(p) == 0 || p[0].Field != "" })
	})
}

// wanted returns an error if a node on the way to a place is no map, or the one there
// is not of the kind.
func wanted(root *codec.Node, at codec.Path, kind codec.Kind) error {
	for i := range len(at) + 1 {
		want := kind
		if i < len(at) {
			want = codec.Map
		}
		if n := root.Find(at[:i]); n != nil && n.Kind != codec.Null && n.Kind != want {
			return notOf(n, want)
		}
	}
	return nil
}

func notOf(n *codec.Node, kind codec.Kind) error {
	what := "a mapping"
	if kind == codec.List {
		what = "a list"
	}
	return &codec.Error{Line: n.Line, Msg: what + " was expected here"}
}

func values(n *codec.Node) []*codec.Node {
	out := make([]*codec.Node, 0, len(n.Pairs))
	for _, p := range n.Pairs {
		out = append(out, p.Value)
	}
	return out
}

// sectioned reports an option before the first section of a file whose profiles are
// sections: the tools that read such files refuse it whole.
func sectioned(f *spec.File, root *codec.Node) error {
	if f.Profiles == nil || f.Profiles.Section == "" {
		return nil
	}
	if top := root.Get(""); top != nil {
		return &codec.Error{Line: top.Pairs[0].Value.Line, Msg: "an option stands before the first [section]; the tool refuses the whole file"}
	}
	return nil
}

// counts reports whether the values that a profile has are a secret, or part of one.
// Public values alone do not count in a file that has places for secret ones, too.
func counts(sp *spec.Spec, f *spec.File, texts map[string]string) bool {
	expected := false
	for _, k := range f.Keys {
		v, _ := sp.Value(k.Value)
		if !v.Optional && !k.Profile && texts[k.Value] != "" {
			return true
		}
		expected = expected || !v.Public
	}
	for k := range texts {
		if !expected || !sp.Public(k) {
			return true
		}
	}
	return false
}

// private reports whether one of the texts is a secret value's.
func private(sp *spec.Spec, texts map[string]string) bool {
	for k, text := range texts {
		if text != "" && !sp.Public(k) {
			return true
		}
	}
	return false
}

// lacking returns the names of the values that are missing for a whole secret of this
// file.
func lacking(sp *spec.Spec, f *spec.File, texts map[string]string) []string {
	var out []string
	need := func(v spec.Value) {
		if !v.Optional && texts[v.Name] == "" {
			out = append(out, v.Name)
		}
	}
	for _, k := range f.Keys {
		if k.Value != "*" {
			v, _ := sp.Value(k.Value)
			need(v)
		}
	}
	if f.Wasm != "" { // a module has a place for every value
		for _, v := range sp.Values {
			need(v)
		}
	}
	for _, group := range sp.Together {
		out = append(out, lackingOf(group, texts)...)
	}
	for _, group := range sp.OneOf {
		if none(group, texts) {
			out = append(out, strings.Join(group, " or "))
		}
	}
	return out
}

// none reports whether no member of group has a text.
func none(group []string, texts map[string]string) bool {
	return !slices.ContainsFunc(group, func(name string) bool { return texts[name] != "" })
}

// lackingOf returns the members of group without text, where others have one.
func lackingOf(group []string, texts map[string]string) []string {
	var without []string
	for _, name := range group {
		if texts[name] == "" {
			without = append(without, name)
		}
	}
	if len(without) == len(group) {
		return nil
	}
	return without
}

// readEntry returns the texts of a profile's values by name. stub reports that
// one of them was a redacted stand-in, which is left out.
func readEntry(sp *spec.Spec, f *spec.File, root *codec.Node, e entry) (texts map[string]string, stub bool, err error) {
	texts = map[string]string{}
	for _, k := range f.Keys {
		if k.Value == "*" {
			readAny(f, root, e, k, texts)
			continue
		}
		text, err := readKey(f, root, e, k, texts)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", k.Value, err)
		}
		if text == "" {
			continue
		}
		if v, _ := sp.Value(k.Value); v.Reject != nil && v.Reject.MatchString(text) {
			stub = true
			continue
		}
		texts[k.Value] = text
	}
	return texts, stub, nil
}

// readKey returns the text of a value, "" where it has none.
func readKey(f *spec.File, root *codec.Node, e entry, k spec.Key, known map[string]string) (string, error) {
	if k.Profile {
		return e.name, nil
	}
	for _, k := range []spec.Key{k, alsoKey(k)} {
		if _, n := findKey(f, root, e, k, known); n != nil {
			if text, ok, err := nodeText(n, k); ok || err != nil {
				return text, err
			}
		}
	}
	return "", nil
}

// alsoKey is the other form of a key, in which the file has its value without any
// encoding.
func alsoKey(k spec.Key) spec.Key { return spec.Key{Value: k.Value, At: k.Also, Root: k.Root} }

// spellings notes the keys that are in the file under several names with different
// values: which of them is used depends on the tool.
func spellings(f *spec.File, root *codec.Node, e entry, texts map[string]string) []string {
	var notes []string
	for _, k := range f.Keys {
		var names []string
		differ := false
		for _, k := range []spec.Key{k, alsoKey(k)} {
			for _, p := range k.At {
				at, _ := resolve(f, root, e, p, k.Root, holes(e.name, texts))
				n := root.Find(at)
				if n == nil || k.Value == "*" || len(at) == 0 {
					continue
				}
				if text, has, err := nodeText(n, k); has && err == nil {
					names, differ = append(names, at[len(at)-1].Key), differ || !sameText(k, text, texts[k.Value])
				}
			}
		}
		if differ {
			notes = append(notes, fmt.Sprintf("%s have different values, and tools differ in which they use; rhx reads %s", strings.Join(names, " and "), names[0]))
		}
	}
	return notes
}

// nodeText returns a node as a value's text.
func nodeText(n *codec.Node, k spec.Key) (string, bool, error) {
	switch {
	case k.Tree:
		return string(codec.ToJSON(n)), true, nil
	case n.Kind == codec.Null, n.Opaque:
		return "", false, nil
	case !n.Scalar():
		return "", false, &codec.Error{Line: n.Line, Msg: "a single value was expected here"}
	case n.Text == "":
		return "", false, nil
	}
	text, err := decodeAs(k.As, n.Text)
	if err != nil {
		return "", false, &codec.Error{Line: n.Line, Msg: err.Error()}
	}
	return text, true, nil
}

// findKey returns the place of a key that exists, and its node; else the first
// place that can be named, and nil.
func findKey(f *spec.File, root *codec.Node, e entry, k spec.Key, known map[string]string) (codec.Path, *codec.Node) {
	var first codec.Path
	for _, p := range k.At {
		at, ok := resolve(f, root, e, p, k.Root, holes(e.name, known))
		if !ok {
			continue
		}
		if n := root.Find(at); n != nil {
			return at, n
		}
		if first == nil {
			first = at
		}
	}
	// Options that a profile does not set itself may come from another section.
	if f.Profiles != nil && f.Profiles.Inherit != "" && !k.Root {
		for _, p := range k.At {
			if at, ok := resolve(f, root, entry{at: codec.Keys(f.Profiles.Inherit)}, p, false, holes(e.name, known)); ok {
				if n := root.Find(at); n != nil {
					return first, n
				}
			}
		}
	}
	return first, nil
}

// readAny adds every entry of the map that a "*" key names and no other key
// has taken.
func readAny(f *spec.File, root *codec.Node, e entry, k spec.Key, texts map[string]string) {
	at, m := findKey(f, root, e, k, texts)
	if m == nil {
		return
	}
	for _, pair := range m.Pairs {
		if takenByOther(f, root, e, join(at, codec.Step{Key: pair.Key}), texts) {
			continue
		}
		text := pair.Value.Text
		if !pair.Value.Scalar() {
			text = string(codec.ToJSON(pair.Value))
		}
		if text != "" {
			texts[pair.Key] = text
		}
	}
}

// takenByOther reports whether a key names the place, which is one below that of "*".
func takenByOther(f *spec.File, root *codec.Node, e entry, at codec.Path, texts map[string]string) bool {
	for _, k := range f.Keys {
		for _, p := range k.At {
			if q, _ := resolve(f, root, e, p, k.Root, holes(e.name, texts)); slices.Equal(q, at) {
				return true
			}
		}
	}
	return false
}

// readState returns the state whose sign is in the file, "" for none.
func readState(f *spec.File, root *codec.Node, e entry, texts map[string]string) (State, bool) {
	for _, st := range f.States {
		if at, ok := resolve(f, root, e, st.At, st.Root, holes(e.name, texts)); ok {
			if n := root.Find(at); n != nil && n.Kind != codec.Null && (!n.Scalar() || n.Text != "") {
				return State(st.State), st.Wins
			}
		}
	}
	return "", false
}

// parseTime reads a time in RFC 3339, or in seconds or milliseconds since 1970.
func parseTime(n *codec.Node) time.Time {
	if !n.Scalar() {
		return time.Time{}
	}
	if t, err := time.Parse(time.RFC3339, n.Text); err == nil {
		return t.UTC()
	}
	sec, err := strconv.ParseFloat(n.Text, 64)
	switch {
	case err != nil || sec <= 0:
		return time.Time{}
	case sec > 1e11:
		return time.UnixMilli(int64(sec)).UTC()
	}
	return time.Unix(int64(sec), 0).UTC()
}
