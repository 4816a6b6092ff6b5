package codec

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// fake is a Format with one String per line, `key value`, whose Splice does what
// the test says.
type fake struct {
	splice func(data []byte, edits []Edit) ([]byte, error)
}

func (fake) Decode(data []byte) (*Node, error) {
	root := &Node{Kind: Map}
	for l := range strings.Lines(string(data)) {
		key, value, ok := strings.Cut(strings.TrimSpace(l), " ")
		if !ok {
			return nil, &Error{Line: 1, Msg: "no value"}
		}
		root.Pairs = append(root.Pairs, Pair{key, Text(value)})
	}
	return root, nil
}

func (f fake) Splice(data []byte, edits []Edit) ([]byte, error) { return f.splice(data, edits) }

func TestApply(t *testing.T) {
	const file = "a 1\nb 2\n"
	gives := func(out string) fake {
		return fake{func([]byte, []Edit) ([]byte, error) { return []byte(out), nil }}
	}
	set := func(key, value string) []Edit { return []Edit{{Keys(key), Text(value)}} }
	remove := func(key string) []Edit { return []Edit{{Path: Keys(key)}} }
	refused := errors.New("refused")
	for _, c := range []struct {
		rule  string
		f     fake
		edits []Edit
		want  string
		err   error
	}{
		{"a right splice is returned", gives("a 9\nb 2\n"), set("a", "9"), "a 9\nb 2\n", nil},
		{"the order of entries does not count", gives("b 2\na 9\n"), set("a", "9"), "b 2\na 9\n", nil},
		{"a removal is returned", gives("b 2\n"), remove("a"), "b 2\n", nil},
		{"a splice that does too little is caught", gives(file), set("a", "9"), "", ErrVerify},
		{"a splice that changes another value is caught", gives("a 9\nb 3\n"), set("a", "9"), "", ErrVerify},
		{"a splice that loses another value is caught", gives("a 9\n"), set("a", "9"), "", ErrVerify},
		{"a splice that adds a value is caught", gives("a 9\nb 2\nc 3\n"), set("a", "9"), "", ErrVerify},
		{"a splice that removes nothing is caught", gives(file), remove("a"), "", ErrVerify},
		{"a splice that does not parse is caught", gives("broken"), set("a", "9"), "", ErrVerify},
		{"an error of the splice is passed on", fake{func([]byte, []Edit) ([]byte, error) { return nil, refused }}, set("a", "9"), "", refused},
		{"no edits do not ask the format", fake{}, nil, file, nil},
		{"the same value does not ask the format", fake{}, set("a", "1"), file, nil},
		{"removing what is not there does not ask the format", fake{}, remove("c"), file, nil},
		{"only edits that change something reach the format", fake{func(_ []byte, edits []Edit) ([]byte, error) {
			if len(edits) != 1 || edits[0].Path.String() != "b" {
				return nil, refused
			}
			return []byte("a 1\nb 9\n"), nil
		}}, slices.Concat(set("a", "1"), set("b", "9"), remove("c")), "a 1\nb 9\n", nil},
		{"later edits see earlier ones", gives("a 1\nb 2\nc 4\n"), slices.Concat(set("c", "3"), set("c", "4"), remove("d")), "a 1\nb 2\nc 4\n", nil},
	} {
		out, err := Apply(c.f, []byte(file), c.edits)
		if string(out) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v", c.rule, out, err)
		}
	}
	if _, err := Apply(fake{}, []byte("broken"), set("a", "1")); err == nil || errors.Is(err, ErrVerify) {
		t.Errorf("a file that does not parse: %v", err)
	}
	if _, err := Apply(fake{}, []byte(file), []Edit{{Keys("a", "b"), Text("x")}}); err == nil || !strings.Contains(err.Error(), "another kind") {
		t.Errorf("a value inside a value: %v", err)
	}
}

func TestApplyReturnsTheSameBytesWhereNothingChanges(t *testing.T) {
	data := []byte("[a]\nk = v\n")
	for rule, edits := range map[string][]Edit{
		"none": nil, "same": {{Keys("a", "k"), Text("v")}}, "absent": {{Path: Keys("b")}},
		"same in upper case": {{Keys("a", "K"), Text("v")}},
	} {
		if out, err := Apply(ini{}, data, edits); err != nil || &out[0] != &data[0] {
			t.Errorf("%s: %q, %v", rule, out, err)
		}
	}
}

func TestApplyInsideLists(t *testing.T) {
	user := func(name, token string) *Node {
		return &Node{Kind: Map, Pairs: []Pair{{"name", Text(name)}, {"token", Text(token)}}}
	}
	doc := &Node{Kind: Map, Pairs: []Pair{{"users", &Node{Kind: List, Items: []*Node{Text("x"), user("dev", "1"), user("prod", "2"), user("dev", "3")}}}}}
	dev := Path{{Key: "users"}, {Field: "name", Equals: "dev"}, {Key: "token"}}
	if got := doc.Find(dev); got.Text != "1" {
		t.Errorf("the first entry that fits is found: %v", got)
	}
	set, err := doc.clone().with(dev, Text("9"))
	if err != nil || set.Find(dev).Text != "9" || doc.Find(dev).Text != "1" {
		t.Errorf("set: %v", err)
	}
	added, err := doc.clone().with(Path{{Key: "users"}, {Field: "name", Equals: "new"}, {Key: "token"}}, Text("4"))
	if err != nil || len(added.Get("users").Items) != 5 || added.Get("users").Items[4].Get("name").Text != "new" {
		t.Errorf("an entry is added with the field that names it: %v", err)
	}
	gone, err := doc.clone().with(dev[:2], nil)
	if err != nil || len(gone.Get("users").Items) != 3 || gone.Find(dev).Text != "3" {
		t.Errorf("the first entry that fits is removed: %v", err)
	}
	if _, err := doc.clone().with(Keys("users", "dev"), Text("x")); err == nil {
		t.Error("a key into a list is an error")
	}
}

func TestPath(t *testing.T) {
	for want, p := range map[string]Path{
		"":                           nil,
		"a.b":                        Keys("a", "b"),
		`"api.wandb.ai".password`:    Keys("api.wandb.ai", "password"),
		"users[name=dev].user.token": {{Key: "users"}, {Field: "name", Equals: "dev"}, {Key: "user"}, {Key: "token"}},
	} {
		if got := p.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNodeLooksIntoNothing(t *testing.T) {
	var none *Node
	if none.Get("a") != nil || none.Find(Keys("a")) != nil || none.Scalar() || Text("x").Get("a") != nil || Text("x").Find(Path{{Field: "a"}}) != nil {
		t.Error("there is something in nothing")
	}
}

func TestError(t *testing.T) {
	for want, e := range map[string]*Error{
		"m": {Msg: "m"}, "line 2: m": {Line: 2, Msg: "m"}, "line 2, column 3: m": {Line: 2, Column: 3, Msg: "m"},
	} {
		if e.Error() != want {
			t.Errorf("%q, want %q", e.Error(), want)
		}
	}
}

func TestNew(t *testing.T) {
	if !slices.IsSorted(Names()) {
		t.Error("names are in order")
	}
	for _, name := range Names() {
		if f, err := New(name, Options{}); err != nil || f == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New("html", Options{}); err == nil || !strings.Contains(err.Error(), "dotenv, hcl, ini, json") {
		t.Errorf("an unknown format names the known ones: %v", err)
	}
}

// editCase is an edit of a file and what it gives: the new file, or the error.
type editCase struct {
	rule  string
	file  string
	edits []Edit
	want  string
}

// set and remove make edits of Strings.
func set(value string, keys ...string) []Edit { return []Edit{{Keys(keys...), Text(value)}} }
func remove(keys ...string) []Edit            { return []Edit{{Path: Keys(keys...)}} }

// group returns a Map of Strings from keys and values in turn.
func group(kv ...string) *Node {
	n := &Node{Kind: Map}
	for i := 0; i < len(kv); i += 2 {
		n.Pairs = append(n.Pairs, Pair{kv[i], Text(kv[i+1])})
	}
	return n
}

func runEdits(t *testing.T, f Format, cases []editCase) {
	t.Helper()
	for _, c := range cases {
		out, err := Apply(f, []byte(c.file), c.edits)
		got := string(out)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.rule, got, c.want)
		}
	}
}

// errorCase is a file that does not parse and its error.
type errorCase struct{ rule, file, want string }

func runErrors(t *testing.T, f Format, cases []errorCase) {
	t.Helper()
	for _, c := range cases {
		switch n, err := f.Decode([]byte(c.file)); {
		case err == nil:
			t.Errorf("%s: gave %s", c.rule, show(n))
		case err.Error() != c.want:
			t.Errorf("%s: %v, want %s", c.rule, err, c.want)
		default:
			checkError(t, []byte(c.file), err)
		}
	}
}

// show writes a tree of Maps and texts on one line.
func show(n *Node) string {
	switch {
	case n == nil:
		return "nothing"
	case n.Kind == Null:
		return "null"
	case n.Kind != Map:
		return n.Text
	}
	var parts []string
	for _, p := range n.Pairs {
		parts = append(parts, p.Key+":"+show(p.Value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// readCase is a file and its tree, as show writes it.
type readCase struct{ rule, file, want string }

func runReads(t *testing.T, f Format, cases []readCase) {
	t.Helper()
	for _, c := range cases {
		n, err := f.Decode([]byte(c.file))
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		if got := show(n); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.rule, got, c.want)
		}
	}
}

// Trees are the same only if every value is: of its kind, with its text, readable as
// it is, and for all readers.
func TestSame(t *testing.T) {
	one := func(n Node) *Node { return &Node{Kind: Map, Pairs: []Pair{{"k", &n}}} }
	list := func(items ...*Node) *Node { return &Node{Kind: List, Items: items} }
	base := one(Node{Kind: String, Text: "1", Line: 3})
	for name, other := range map[string]*Node{
		"another kind":        one(Node{Kind: Number, Text: "1"}),
		"another text":        one(Node{Kind: String, Text: "2"}),
		"what is no value":    one(Node{Kind: String, Text: "1", Opaque: true}),
		"another key":         {Kind: Map, Pairs: []Pair{{"l", Text("1")}}},
		"one more":            {Kind: Map, Pairs: []Pair{{"k", Text("1")}, {"l", Text("1")}}},
		"one less":            {Kind: Map},
		"a list":              list(Text("1")),
		"an entry of nothing": {Kind: Map, Pairs: []Pair{{"k", nil}}},
		"nothing":             nil,
	} {
		if same(base, other) || same(other, base) || Equal(base, other) || Equal(other, base) {
			t.Errorf("%s is the same", name)
		}
	}
	disputed := one(Node{Kind: String, Text: "1", Disputed: true})
	if same(base, disputed) || !Equal(base, disputed) {
		t.Error("what readers dispute is the same for all of them, or another value here")
	}
	if !same(base, one(Node{Kind: String, Text: "1"})) || !same(nil, nil) {
		t.Error("lines count")
	}
	a := &Node{Kind: Map, Pairs: []Pair{{"a", Text("1")}, {"b", Text("2")}}}
	b := &Node{Kind: Map, Pairs: []Pair{{"b", Text("2")}, {"a", Text("1")}}}
	if !same(a, b) {
		t.Error("the order of entries counts")
	}
	if same(list(Text("1"), Text("2")), list(Text("2"), Text("1"))) || same(list(Text("1")), list(Text("1"), Text("1"))) {
		t.Error("the order or the number of items does not count")
	}
	for n, want := range map[*Node]bool{base: false, disputed: true, list(disputed): true, list(base): false, nil: false} {
		if n.AnyDisputed() != want {
			t.Errorf("AnyDisputed of %v is not %v", show(n), want)
		}
	}
}

// liar is a format that writes a value of another kind than it was asked for, or one
// that readers dispute.
type liar struct{ says Node }

func (liar) Decode(data []byte) (*Node, error) {
	return jsonFormat{}.Decode(data)
}

func (l liar) Splice(data []byte, edits []Edit) ([]byte, error) {
	edits = append([]Edit(nil), edits...)
	for i := range edits {
		n := l.says
		edits[i].Value = &n
	}
	return jsonFormat{}.Splice(data, edits)
}

func TestApplyChecksKindAndText(t *testing.T) {
	for _, c := range []struct{ says, asked Node }{
		{Node{Kind: Number, Text: "1"}, Node{Kind: String, Text: "1"}},
		{Node{Kind: Bool, Text: "true"}, Node{Kind: String, Text: "true"}},
		{Node{Kind: String, Text: "1"}, Node{Kind: Number, Text: "1"}},
		{Node{Kind: String, Text: "1"}, Node{Kind: String, Text: "2"}},
		{Node{Kind: Null}, Node{Kind: String}},
	} {
		if out, err := Apply(liar{c.says}, []byte(`{"a": 0}`), []Edit{{Keys("a"), &c.asked}}); !errors.Is(err, ErrVerify) {
			t.Errorf("%v for %v: %s, %v", c.says, c.asked, out, err)
		}
		if _, err := Apply(liar{c.asked}, []byte(`{"a": 0}`), []Edit{{Keys("a"), &c.asked}}); err != nil {
			t.Errorf("%v: %v", c.asked, err)
		}
	}
}

// The kinds of JSON's values stay through every edit, and new ones are as asked for.
func TestKindsOfJSON(t *testing.T) {
	file := `{"n": 1.50, "b": true, "z": null, "s": "1", "l": [1, "1", false]}`
	runEdits(t, jsonFormat{}, []editCase{
		{"a number", file, []Edit{{Keys("x"), &Node{Kind: Number, Text: "1e3"}}}, file[:len(file)-1] + `, "x": 1e3}`},
		{"a number in place of a text", file, []Edit{{Keys("s"), &Node{Kind: Number, Text: "1"}}}, strings.Replace(file, `"s": "1"`, `"s": 1`, 1)},
		{"a text in place of a number", file, set("1.50", "n"), strings.Replace(file, "1.50", `"1.50"`, 1)},
		{"false in place of true", file, []Edit{{Keys("b"), &Node{Kind: Bool, Text: "false"}}}, strings.Replace(file, "true", "false", 1)},
		{"null", file, []Edit{{Keys("s"), &Node{}}}, strings.Replace(file, `"s": "1"`, `"s": null`, 1)},
	})
}
