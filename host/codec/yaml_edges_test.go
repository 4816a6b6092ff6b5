package codec

import "testing"

// yamlCase is an edit of a YAML file and what it gives.
type yamlCase struct {
	file  string
	edits []Edit
	want  string
}

func runYAML(t *testing.T, cases []yamlCase) {
	t.Helper()
	for _, c := range cases {
		runEdits(t, yaml{}, []editCase{{c.file, c.file, c.edits, c.want}})
	}
}

// Whole documents, and collections in brackets with their commas and comments.
func TestYAMLRootsAndBrackets(t *testing.T) {
	runYAML(t, []yamlCase{
		{"x\n", []Edit{{Value: Text("y1")}}, "\"y1\"\n"},
		{"--- x # c\n", []Edit{{Value: Text("y1")}}, "---\n# c\n\"y1\"\n"},
		{"x", []Edit{{Value: treeM("a", "b")}}, "a: b"},
		{"x # c", []Edit{{Value: treeM("a", "p\nq\n")}}, "# c\na: |\n  p\n  q\n"},
		{"a: 1\n", []Edit{{Value: Text("a\nb\n")}}, "\"a\\nb\\n\"\n"},
		{"a: 1\n", []Edit{{Value: treeL()}}, "[]\n"},
		{"a: 1\n", []Edit{{Value: treeM()}}, ""},
		{"a: 1\n", []Edit{{Value: treeV(nil)}}, "null\n"},
		{"# c\na: 1 # d\n# e\n", []Edit{{Value: treeL("x")}}, "# c\n# d\n- x\n# e\n"},
		{"!!map # c\na: 1\n", []Edit{{Value: treeL("x")}}, "error: line 1: this spelling of YAML can be read, but not edited in place"},
		{"a: 1\n  # c\n", []Edit{{Value: treeL("p\nq\n")}}, "- \"p\\nq\\n\"\n  # c\n"},
		{"", []Edit{{Value: Text("x")}}, "\"x\"\n"},
		{"", []Edit{{Value: treeL("x")}}, "- x\n"},
		{"# c", []Edit{{Value: treeL("p\nq\n")}}, "# c\n- |\n  p\n  q\n"},
		{"# c\n", []Edit{{Value: treeL()}}, "# c\n[]\n"},
		{"%YAML 1.1\n---\n", set("x", "a"), "%YAML 1.1\n---\na: x\n"},
		{"!!map\n", set("x", "a"), "error: line 1: cannot put a here: the place holds another kind of value"},
		{"- a\n- b\n", []Edit{{Value: treeL("a")}}, "- a\n"},
		{"- a\n", []Edit{{Value: treeL()}}, "[]\n"},
		{"a: 1\n...\n", remove("a"), "{}\n...\n"},
		{"--- # c\na: 1\n", remove("a"), "--- # c\n"},
		{"a: 1", remove("a"), ""},
		{"{a: 1}\n", remove("a"), "{}\n"},
		{"a:\n- 1\n", []Edit{{Keys("a"), treeL()}}, "a: []\n"},
		{"[a]\n", []Edit{{Value: treeL()}}, "[]\n"},
		{"a: {b: 1, # c\n  d: 2}\n", remove("a", "b"), "a: { # c\n  d: 2}\n"},
		{"a: {b: 1 # c\n  , d: 2}\n", remove("a", "b"), "a: { # c\n   d: 2}\n"},
		{"a: {b: 1, # c\n  d: 2}\n", remove("a", "d"), "a: {b: 1 # c\n  }\n"},
		{"a: {b: 1 # c\n  , }\n", remove("a", "b"), "a: { # c\n   }\n"},
		{"a: {b: 1,}\n", remove("a", "b"), "a: {}\n"},
		{"a: {b: 1,}\n", set("x", "a", "c"), "a: {b: 1, c: x,}\n"},
		{"a: {b: 1, # d\n}\n", set("x", "a", "c"), "a: {b: 1, # d\nc: x,\n}\n"},
		{"a: {b: 1 # d\n}\n", set("x", "a", "c"), "a: {b: 1, # d\nc: x\n}\n"},
		{"a: {b: 1\t# d\n}\n", set("x", "a", "c"), "a: {b: 1,\t# d\nc: x\n}\n"},
		{"a: [\n  x,\n  v\n]\n", []Edit{{Keys("a"), treeL("x", "v", "z")}}, "a: [\n  x,\n  v,\n  z\n]\n"},
		{"a: [x, v]\n", []Edit{{Keys("a"), treeL("v")}}, "a: [v]\n"},
		{"a: [x, v]\n", []Edit{{Keys("a"), treeL("x")}}, "a: [x]\n"},
		{"a: [x, !!str ]\n", []Edit{{Keys("a"), treeL("x", "", "z")}}, "error: line 1: this spelling of YAML can be read, but not edited in place"},
		{"a: [!!str , v]\n", []Edit{{Keys("a"), treeL("")}}, "error: line 1: this spelling of YAML can be read, but not edited in place"},
		{"a: {!!str , v: 1}\n", remove("a", "v"), "error: line 1: this spelling of YAML can be read, but not edited in place"},
		{"a: [b: 1]\n", []Edit{{Keys("a"), treeL(treeM("b", 1, "c", 2))}}, "error: line 1: this spelling of YAML can be read, but not edited in place"},
		{"a: [b: 1]\n", []Edit{{Keys("a"), treeL(treeM())}}, "a: [{}]\n"},
		{"{a: , b: 1}\n", set("x", "a"), "{a: x , b: 1}\n"},
		{"{a: &x 1, b: 1}\n", set("x", "a"), "{a: &x x, b: 1}\n"},
		{"a: {\"b\":1}\n", set("x", "a", "b"), "a: {\"b\":\"x\"}\n"},
		{"a: {\"b\":1}\n", []Edit{{Keys("a", "b"), treeL("x")}}, "a: {\"b\":[\"x\"]}\n"},
		{"a: {\"b\":{\"c\":\"x\"}}\n", []Edit{{Keys("a", "b"), treeM("c", "x", "d", "v")}}, "a: {\"b\":{\"c\":\"x\", \"d\": \"v\"}}\n"},
		{"a: {\"b\":\"x\"}\n", []Edit{{Keys("a"), treeL("z")}}, "a: [\"z\"]\n"},
		{"a: {b: x}\n", []Edit{{Keys("a"), treeL("z")}}, "a: [z]\n"},
		{"a: {b: \"x\"# c\n}\n", set("v", "a", "b"), "a: {b: \"v\" # c\n}\n"},
		{"a: {b: # c\n}\n", set("v", "a", "b"), "a: {b: v # c\n}\n"},
		{"a: {\"b\":# c\n}\n", set("v", "a", "b"), "a: {\"b\": \"v\" # c\n}\n"},
		{"a: {? b, c: 1}\n", set("v", "a", "b"), "a: {? b : v, c: 1}\n"},
		{"a: {? b : x, c: 1}\n", set("v", "a", "b"), "a: {? b : v, c: 1}\n"},
		{"a: {}\n", []Edit{{Keys("a"), treeL("x")}}, "a:\n- x\n"},
		{"a: []\n", []Edit{{Keys("a"), treeL("x")}}, "a:\n- x\n"},
		{"a: [[], {}]\n", []Edit{{Keys("a"), treeL(treeL("x"), treeM("b", "v"))}}, "a: [[x], {b: v}]\n"},
		{"a: {b: {}}\n", set("x", "a", "b", "c"), "a: {b: {c: x}}\n"},
		{"{\"a\": {}}\n# c\n", set("x", "a", "b"), "{\"a\": {\"b\": \"x\"}}\n# c\n"},
		{"a: [[\"x\"]]\n", []Edit{{Keys("a"), treeL(treeL("x"), "v")}}, "a: [[\"x\"], \"v\"]\n"},
	})
}

// Collections on lines of their own, blocks of text, tags, anchors, and what cannot be
// edited in place.
func TestYAMLBlocks(t *testing.T) {
	runYAML(t, []yamlCase{
		{"l:\n-\n  a: 1\n  b: 2\n- x\n", []Edit{{Keys("l"), treeL(treeM("c", 3, "d", 4), "x")}}, "l:\n-\n  c: 3\n  d: 4\n- x\n"},
		{"l:\n- a: 1\n  b: 2\n- x\n", []Edit{{Keys("l"), treeL(treeL("c"), "x")}}, "l:\n- - c\n- x\n"},
		{"l:\n-   a: 1\n    b: 2\n- x\n", []Edit{{Keys("l"), treeL(treeL("c"), "x")}}, "l:\n-   - c\n- x\n"},
		{"l:\n- a: 1\n- x\n", []Edit{{Keys("l"), treeL("t", "x")}}, "l:\n- t\n- x\n"},
		{"l:\n- t # c\n- x\n", []Edit{{Keys("l"), treeL(treeM("a", 1), "x")}}, "l:\n- a: 1 # c\n- x\n"},
		{"l:\n-\n  t\n- x\n", []Edit{{Keys("l"), treeL(treeM("a", 1, "b", 2), "x")}}, "l:\n-\n  a: 1\n  b: 2\n- x\n"},
		{"l:\n-\n  t\n- x\n", []Edit{{Keys("l"), treeL("u", "x")}}, "l:\n-\n  u\n- x\n"},
		{"l:\n-\n- x\n", []Edit{{Keys("l"), treeL("u", "x")}}, "l:\n- u\n- x\n"},
		{"l:\n- # c\n  a: 1\n- x\n", []Edit{{Keys("l"), treeL("u", "x")}}, "l:\n- u # c\n- x\n"},
		{"a:\n  b: 1\nz: 1\n", set("x", "a"), "a: x\nz: 1\n"},
		{"a: !!map\n  b: 1\nz: 1\n", set("x", "a"), "a: x\nz: 1\n"},
		{"a: &x\n  b: 1\nz: 1\n", set("x", "a"), "a: &x x\nz: 1\n"},
		{"a: &x\n  b: 1\nz: 1\n", []Edit{{Keys("a"), treeL("y1")}}, "a: &x\n- y1\nz: 1\n"},
		{"a:\n  &x\n  b: 1\nz: 1\n", set("x", "a"), "a:\n  &x x\nz: 1\n"},
		{"a:\n  !!str\n  b\nz: 1\n", set("x", "a"), "a:\n  x\nz: 1\n"},
		{"a:\n  b\nz: 1\n", []Edit{{Keys("a"), treeM("k", "v")}}, "a:\n  k: v\nz: 1\n"},
		{"a:\n  b # c\nz: 1\n", []Edit{{Keys("a"), treeM("k", "v")}}, "a:\n # c\n  k: v\nz: 1\n"},
		{"a: b# c\nz: 1\n", set("x", "a"), "a: x\nz: 1\n"},
		{"a: \"b\" # c", []Edit{{Keys("a"), treeM("k", "v")}}, "a: # c\n  k: v"},
		{"a: 'b' #c\n", []Edit{{Keys("a"), treeL("v")}}, "a: #c\n- v\n"},
		{"a: |\n  x\n  y\n", set("z", "a"), "a: |-\n  z\n"},
		{"a: |\n  x\n  y\n# c\nb: 1\n", set("z", "a"), "a: |-\n  z\n# c\nb: 1\n"},
		{"a: x\n  # c\nb: 1\n", set("p\nq\n", "a"), "a: \"p\\nq\\n\"\n  # c\nb: 1\n"},
		{"a: x\n# c\nb: 1\n", set("p\nq\n", "a"), "a: |\n  p\n  q\n# c\nb: 1\n"},
		{"a: |\n  x", set("p\nq", "a"), "a: |-\n  p\n  q"},
		{"a: x", set("p\nq\n", "a"), "a: |\n  p\n  q\n"},
		{"a: x", set("p\nq", "a"), "a: |-\n  p\n  q"},
		{"a: x\n", set("p\n\nq\n\n", "a"), "a: \"p\\n\\nq\\n\\n\"\n"},
		{"a: |+\n  x\n\n\nb: 1\n", set("y1", "a"), "a: |-\n  y1\nb: 1\n"},
		{"a: |2\n   x\nb: 1\n", set("y1", "a"), "a: |-\n  y1\nb: 1\n"},
		{"a:\n  b: |1\n    x\n  c: 1\n", set("y1", "a", "b"), "a:\n  b: |-\n    y1\n  c: 1\n"},
		{"a: >\n  x\n\n  z\nb: 1\n", set("p\nq\n", "a"), "a: |\n  p\n  q\nb: 1\n"},
		{"a: |\n\n  x\nb: 1\n", remove("a"), "b: 1\n"},
		{"a: |-\n  x\n\n  # not\n # c\nb: 1\n", set("y1", "a"), "a: y1\n # c\nb: 1\n"},
		{"a:\n  b: 1\n  c:\n    d: 1\n", []Edit{{Keys("a", "e"), treeM("f", treeL("g1"))}}, "a:\n  b: 1\n  c:\n    d: 1\n  e:\n    f:\n    - g1\n"},
		{"a:\n   b:\n   - 1\n", []Edit{{Keys("c"), treeM("d", treeL("g1", treeM("h", 1, "i", 2)))}}, "a:\n   b:\n   - 1\nc:\n   d:\n   - g1\n   - h: 1\n     i: 2\n"},
		{"a:\n    b:\n      - k: 1\n        l: 2\n", []Edit{{Keys("c"), treeM("d", treeL("g1", treeM("h", 1, "i", 2)))}}, "a:\n    b:\n      - k: 1\n        l: 2\nc:\n    d:\n      - g1\n      - h: 1\n        i: 2\n"},
		{"a:\n  -   k: 1\n      l: 2\n", []Edit{{Keys("c"), treeL(treeM("h", 1, "i", 2))}}, "a:\n  -   k: 1\n      l: 2\nc:\n  -   h: 1\n      i: 2\n"},
		{"a:\n- - 1\n  - 2\n", []Edit{{Keys("a"), treeL(treeL(1, 2), treeL(3, 4))}}, "a:\n- - 1\n  - 2\n- - 3\n  - 4\n"},
		{"- a: 1\n  b: 2\n- c: 3\n", []Edit{{Value: treeL(treeM("b", 2), treeM("c", 3))}}, "- b: 2\n- c: 3\n"},
		{"- a: 1\n  # c\n  b: 2\n- c: 3\n", []Edit{{Value: treeL(treeM("b", 2), treeM("c", 3))}}, "-\n  # c\n  b: 2\n- c: 3\n"},
		{"- a: 1 # c\n  b: 2\n", []Edit{{Value: treeL(treeM("b", 2))}}, "- b: 2\n"},
		{"? a\n: 1\n? b\n", set("x", "b"), "error: line 1: this spelling of YAML can be read, but not edited in place"},
		{"? |\n  k\n: v\nz: 1", set("x", "y1"), "? |\n  k\n: v\nz: 1\ny1: x"},
		{"a: 1\n? |\n  k", set("x", "y1"), "error: line 4: the file ends inside a block of text without a line end; add one first"},
		{"a: 1\nb:\n  c: |\n    x", set("x", "b", "d"), "error: line 3: the file ends inside a block of text without a line end; add one first"},
		{"a: 1\nb:\n  c: |\n    x", set("x", "y1"), "error: line 3: the file ends inside a block of text without a line end; add one first"},
		{"b:\n  c: |\n    x\n    y\nz: 1", remove("z"), "b:\n  c: |\n    x\n    y\n"},
		{"a: 1\nz: 1", remove("z"), "a: 1"},
		{"a: 1\r\nz: 1", remove("z"), "a: 1"},
		{"a: 1\n...\n", []Edit{{Keys("b"), treeM("c", 1)}}, "a: 1\nb:\n  c: 1\n...\n"},
		{"a: &x 1\nb: *x\nc: 1\n", set("y1", "b"), "error: line 2: the value is shared through an anchor and aliases; edit it by hand"},
		{"a: &x 1\nb: *x\nc: 1\n", set("y1", "a"), "error: line 1: the value is shared through an anchor and aliases; edit it by hand"},
		{"a: &x 1\nb: *x\nc: 1\n", remove("b"), "error: line 2: the value is shared through an anchor and aliases; edit it by hand"},
		{"? &x a\n: 1\n? b\n: *x\nc: 1\n", remove("a"), "error: line 2: the value is shared through an anchor and aliases; edit it by hand"},
		{"? &x a\n: 1\nb: *x\nc: 1\n", set("y1", "a"), "? &x a\n: y1\nb: *x\nc: 1\n"},
		{"*x : 1\n", set("y1", "a"), "error: line 1: an alias names an anchor that does not stand before it"},
		{"a: &x k\n*x : 1\nb: 2\n", set("y1", "k"), "a: &x k\n*x : y1\nb: 2\n"},
		{"a: &x k\n*x : 1\nb: 2\n", set("y1", "b"), "a: &x k\n*x : 1\nb: y1\n"},
		{"a: [1, 2]\nl: &y [x1]\nm: *y\n", []Edit{{Keys("l"), treeL("x1", "x2")}}, "error: line 2: the value is shared through an anchor and aliases; edit it by hand"},
		{"a: !\nb: 1\n", set("x", "b"), "error: line 1: this spelling of YAML can be read, but not edited in place"},
		{"a: ! x\nb: 1\n", set("x", "b"), "error: line 1: this spelling of YAML can be read, but not edited in place"},
		{"a: !<tag:yaml.org,2002:str> x\nb: 1\n", set("y1", "a"), "a: y1\nb: 1\n"},
		{"a: !!str &x y2\nb: 1\n", set("y1", "a"), "a: &x y1\nb: 1\n"},
		{"a: &x !!str y2\nb: 1\n", set("y1", "a"), "a: &x y1\nb: 1\n"},
		{"a: !!str\nb: 1\n", set("y1", "a"), "a: y1\nb: 1\n"},
		{"a: !!str\nb: 1\n", set("y1", "b"), "a: !!str\nb: y1\n"},
		{"a: !!str # c\n  x\nb: 1\n", set("y1", "a"), "error: line 1: this spelling of YAML can be read, but not edited in place"},
		{"--- !!map\na: 1\n", set("y1", "b"), "--- !!map\na: 1\nb: y1\n"},
		{"---\n--- \n", set("y1", "b"), "error: the file holds several documents; only a single one can be edited"},
		{"---a: 1\n", set("y1", "b"), "---a: 1\nb: y1\n"},
		{"---\ta: 1\n", set("y1", "a"), "error: line 1: not valid YAML: mapping values are not allowed in this context"},
		{"  # c\n\n%x: 1\n", set("y1", "b"), "error: line 3: not valid YAML: found unexpected non-alphabetical character"},
		{"a: \"x\u2028y\"\n", set("y1", "a"), "error: the file has line ends other than LF and CRLF, or a byte order mark inside; it can be read, but not edited in place"},
		{"a: 1\rb: 2\n", set("y1", "a"), "error: the file has line ends other than LF and CRLF, or a byte order mark inside; it can be read, but not edited in place"},
		{"a: \"\ufeffx\"\n", set("y1", "a"), "error: the file has line ends other than LF and CRLF, or a byte order mark inside; it can be read, but not edited in place"},
		{"a: \"q\\\"r\" # c\nb: 'it''s' # d\n", slicesOf(set("1", "a"), set("2", "b")), "a: \"1\" # c\nb: '2' # d\n"},
		{"a: \"x\\\n  y\"\nb: 1\n", set("y1", "a"), "a: \"y1\"\nb: 1\n"},
		{"a: one\n\n\n  two\nb: 1\n", set("y1", "a"), "a: y1\nb: 1\n"},
		{"a: one two  three\nb: 1\n", set("y1", "a"), "a: y1\nb: 1\n"},
	})
}

// A tag that leaves no trace in the tree is refused wherever it stands.
func TestYAMLTagsWithoutATrace(t *testing.T) {
	const refused = ": this spelling of YAML can be read, but not edited in place"
	c := set("x", "c")
	runYAML(t, []yamlCase{
		{"a:\n  b: ! y1\nc: 1\n", c, "error: line 2" + refused},
		{"? ! a\n: 1\nc: 1\n", c, "error: line 1" + refused},
		{"l:\n- ! y1\nc: 1\n", c, "error: line 2" + refused},
		{"l: [! y1]\nc: 1\n", c, "error: line 1" + refused},
		{"l: {! b: 1}\nc: 1\n", c, "error: line 1" + refused},
		{"l: {b: ! y1}\nc: 1\n", c, "error: line 1" + refused},
		{"l: [b, ! ]\nc: 1\n", c, "error: line 1" + refused},
		{"l: !x [b]\nc: 1\n", c, "l: !x [b]\nc: x\n"},
		{"l: !x\n- b\nc: 1\n", c, "l: !x\n- b\nc: x\n"},
		{"l: &x\n  !x\n  b: 1\nc: 1\n", c, "l: &x\n  !x\n  b: 1\nc: x\n"},
	})
}
