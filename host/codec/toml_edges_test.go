package codec

import (
	"strings"
	"testing"
)

// Places of TOML in which values are put and from which they are taken.
func TestTOMLLayout(t *testing.T) {
	runEdits(t, toml{}, []editCase{
		{"an empty inline table", "a = {}\n", set("x", "a", "k"), "a = { k = \"x\" }\n"},
		{"with blanks in it", "a = {  }\n", set("x", "a", "k"), "a = { k = \"x\" }\n"},
		{"an inline table", "a = {b = 1}\n", set("x", "a", "k"), "a = {b = 1, k = \"x\"}\n"},
		{"an empty array", "[t]\na.l = []\n", []Edit{{Keys("t", "a", "l"), treeL("x")}}, "[t]\na.l = [\"x\"]\n"},
		{"an empty array with a comment", "a = [ # c\n]\n", []Edit{{Keys("a"), treeL("x")}}, "a = [\"x\"  # c\n]\n"},
		{"an array", "a = [\"x\"]\n", []Edit{{Keys("a"), treeL("x", "y")}}, "a = [\"x\", \"y\"]\n"},
		{"an array of lines with a comma behind the last", "a = [\n  \"x\", # c\n]\n", []Edit{{Keys("a"), treeL("x", "y")}}, "a = [\n  \"x\", # c\n  \"y\",\n]\n"},
		{"without one", "a = [\n  \"x\" # c\n]\n", []Edit{{Keys("a"), treeL("x", "y")}}, "a = [\n  \"x\", # c\n  \"y\"\n]\n"},
		{"an item goes from the middle", "a = [\"x\", \"y\", \"z\"]\n", []Edit{{Keys("a"), treeL("x", "z")}}, "a = [\"x\", \"z\"]\n"},
		{"from the end", "a = [\"x\", \"y\"]\n", []Edit{{Keys("a"), treeL("x")}}, "a = [\"x\"]\n"},
		{"from the end, with a comma behind it", "a = [\"x\", \"y\",]\n", []Edit{{Keys("a"), treeL("x")}}, "a = [\"x\", ]\n"},
		{"all of it", "a = [\"x\"]\n", []Edit{{Keys("a"), treeL()}}, "a = []\n"},
		{"from lines", "a = [\n  \"x\", # c\n  \"y\", # d\n  \"z\"\n]\n", []Edit{{Keys("a"), treeL("x", "z")}}, "a = [\n  \"x\", # c\n  \"z\"\n]\n"},
		{"the last of lines", "a = [\n  \"x\", # c\n  \"y\"\n]\n", []Edit{{Keys("a"), treeL("x")}}, "a = [\n  \"x\" # c\n  \n]\n"},
		{"with a comment before its comma", "a = [\n  \"x\" # c\n  , \"y\"\n]\n", []Edit{{Keys("a"), treeL("y")}}, "a = [\n   # c\n   \"y\"\n]\n"},
		{"one that shares its line", "a = [\n  \"x\", \"y\", # c\n  \"z\"\n]\n", []Edit{{Keys("a"), treeL("x", "z")}}, "a = [\n  \"x\",  # c\n  \"z\"\n]\n"},
		{"an entry of an inline table", "a = {b = 1, c = 2}\n", remove("a", "b"), "a = {c = 2}\n"},
		{"the last one", "a = {b = 1, c = 2}\n", remove("a", "c"), "a = {b = 1}\n"},
		{"one behind a comma that ends a line", "a = [{n = \"x\"},\n {n = \"y\"}]\n", []Edit{{Path: Path{{Key: "a"}, {Field: "n", Equals: "x"}}}}, "a = [\n {n = \"y\"}]\n"},

		{"the root, before the tables and their comments", "# head\n\n# about t\n[t]\nb = 1\n", set("x", "k"), "# head\n\nk = \"x\"\n\n# about t\n[t]\nb = 1\n"},
		{"the root behind a byte order mark", bom + "# about t\n[t]\n", set("x", "k"), bom + "k = \"x\"\n\n# about t\n[t]\n"},
		{"the root of comments", "# c", set("x", "k"), "# c\nk = \"x\""},
		{"the root of nothing but a mark", bom, set("x", "k"), bom + "k = \"x\"\n"},
		{"a table behind the last key of another", "[a]\nb = 1\n\n[c]\nd = 1\n", set("x", "a", "k"), "[a]\nb = 1\nk = \"x\"\n\n[c]\nd = 1\n"},
		{"a table without keys", "[a]\n[c]\n", set("x", "a", "k"), "[a]\nk = \"x\"\n[c]\n"},
		{"as deep as others", "[a]\n  b = 1\n[c]\n", set("x", "c", "k"), "[a]\n  b = 1\n[c]\n  k = \"x\"\n"},
		{"as narrow as others", "[a]\nb=1\n", set("x", "c", "k"), "[a]\nb=1\n\n[c]\nk=\"x\"\n"},
		{"with the habits of its own table", "[a]\nb = 1\n[c]\nd=1\n", set("x", "c", "k"), "[a]\nb = 1\n[c]\nd=1\nk=\"x\"\n"},
		{"a new table without a blank line", "[a]\nb = 1\n[c]\nd = 1\n", set("x", "e", "k"), "[a]\nb = 1\n[c]\nd = 1\n[e]\nk = \"x\"\n"},
		{"and with one, above comments", "[a]\nb = 1\n\n# about c\n[c]\nd = 1\n", set("x", "e", "k"), "[a]\nb = 1\n\n# about c\n[c]\nd = 1\n\n[e]\nk = \"x\"\n"},
		{"a table inside a table that has no header", "[a.b]\nc = 1\n", set("x", "a", "k"), "[a.b]\nc = 1\n\n[a]\nk = \"x\"\n"},
		{"a table inside one, behind its others", "[a]\n[a.b]\nc = 1\n[z]\n", set("x", "a", "d", "k"), "[a]\n[a.b]\nc = 1\n[a.d]\nk = \"x\"\n[z]\n"},
		{"indented as its others", "[a]\n  [a.b]\n  c = 1\n", set("x", "a", "d", "k"), "[a]\n  [a.b]\n  c = 1\n  [a.d]\n  k = \"x\"\n"},
		{"inline, as its others", "[a]\nb = {c = 1}\n", set("x", "a", "d", "k"), "[a]\nb = {c = 1}\nd = { k = \"x\" }\n"},
		{"a table that keys with dots make", "a.b = 1\n[z]\n", set("x", "a", "k"), "a.b = 1\na.k = \"x\"\n[z]\n"},
		{"two deep", "a.b.c = 1\n", set("x", "a", "b", "k"), "a.b.c = 1\na.b.k = \"x\"\n"},
		{"an array of tables", "[[l]]\nn = \"a\"\n[z]\n", []Edit{{Path{{Key: "l"}, {Field: "n", Equals: "b"}, {Key: "k"}}, Text("x")}}, "[[l]]\nn = \"a\"\n[[l]]\nn = \"b\"\nk = \"x\"\n[z]\n"},
		{"an array of tables in place of an empty array", "l = []\n", []Edit{{Keys("l"), treeL(treeM("n", "a"))}}, "[[l]]\nn = \"a\"\n"},
		{"text in an array of tables", "[[l]]\nn = \"a\"\n", []Edit{{Keys("l"), treeL(treeM("n", "a"), "x")}}, "error: an array of tables cannot hold another kind of value"},
		{"tables of tables", "", []Edit{{Keys("a"), treeM("k", "x", "t", treeM("u", treeM("v", 1)), "l", treeL(treeM("m", true), treeM("m", false)), "i", treeL(treeM(), 1), "e", treeM())}},
			"[a]\nk = \"x\"\ni = [{}, 1]\ne = {}\n\n[a.t]\n\n[a.t.u]\nv = 1\n\n[[a.l]]\nm = true\n\n[[a.l]]\nm = false\n"},

		{"a table goes with a blank line", "[a]\nb = 1\n\n[c]\nd = 1\n\n[e]\nf = 1\n", remove("c"), "[a]\nb = 1\n\n[e]\nf = 1\n"},
		{"but the comment of the next stays", "[a]\nb = 1\n\n[c]\nd = 1\n# about e\n[e]\nf = 1\n", remove("c"), "[a]\nb = 1\n\n# about e\n[e]\nf = 1\n"},
		{"the last one of a file without a line end", "[a]\nb = 1\n[c]\nd = 1", remove("c"), "[a]\nb = 1"},
		{"with CRLF", "[a]\r\nb = 1\r\n[c]\r\nd = 1", remove("c"), "[a]\r\nb = 1"},
		{"the last key of such a file", "a = 1\nb = 2", remove("b"), "a = 1"},
		{"a table in many places", "[a.b]\nc = 1\n[z]\n[a.d]\ne = 1\n", remove("a"), "[z]\n"},
		{"a table with comments inside", "[a]\n# c\nb = 1\n# d\nc = 2\n[z]\n", remove("a"), "[z]\n"},
		{"an item of an array of tables", "[[l]]\nn = \"a\"\n[[l]]\nn = \"b\"\n", []Edit{{Path: Path{{Key: "l"}, {Field: "n", Equals: "a"}}}}, "[[l]]\nn = \"b\"\n"},
		{"keys with dots", "a.b = 1\nc = 2\na.d = 3\n", remove("a"), "c = 2\n"},
		{"the document", "[a]\nb = 1\n", remove(), ""},
		{"another kind of document", "a = 1\n", []Edit{{Value: treeL("x")}}, "error: a TOML document is a table; it cannot become another kind of value"},
		{"a table becomes a value", "[a]\nb = 1\n", set("x", "a"), "a = \"x\"\n"},
		{"a value becomes a table", "a = 1\n", []Edit{{Keys("a"), treeM("b", "x")}}, "a = { b = \"x\" }\n"},
		{"null is refused", "a = 1\n", []Edit{{Keys("a"), treeV(nil)}}, "error: TOML has no null"},
		{"also inside a list", "a = 1\n", []Edit{{Keys("a"), treeL(nil)}}, "error: TOML has no null"},
		{"also inside a map", "a = 1\n", []Edit{{Keys("a"), treeM("k", nil)}}, "error: TOML has no null"},
		{"a text that is not UTF-8", "a = 1\n", set("\xff", "a"), "error: the new value is not UTF-8 text, which TOML cannot hold"},
		{"a key that is not", "a = 1\n", []Edit{{Keys("a"), treeM("\xff", 1)}}, "error: a new key is not UTF-8 text, which TOML cannot hold"},
		{"what is neither true nor false", "a = 1\n", []Edit{{Keys("a"), &Node{Kind: Bool, Text: "yes"}}}, "error: the new value is not true or false"},
	})
	for _, number := range []string{"", " 1", "1 ", "1 # c", "1\nb = 2", "x", "true", "2001-01-01", "\"1\"", "[1]"} {
		runEdits(t, toml{}, []editCase{{"the number " + number, "a = 1\n", []Edit{{Keys("a"), &Node{Kind: Number, Text: number}}}, "error: the new value is not a number that TOML can hold"}})
	}
	for _, number := range []string{"1", "-1.5e3", "0x1f", "1_000", "inf"} {
		runEdits(t, toml{}, []editCase{{"the number " + number, "a = 0\n", []Edit{{Keys("a"), &Node{Kind: Number, Text: number}}}, "a = " + number + "\n"}})
	}
}

// Strings stay in their quotes where these can hold the new text.
func TestTOMLQuotes(t *testing.T) {
	for _, c := range []struct{ old, text, want string }{
		{`"x"`, "a\"b\\c\td\re\nf\x01g\x7fh\x1f", `"a\"b\\c\td\re\nf\u0001g\u007Fh\u001F"`},
		{`"x"`, "é \u2028", "\"é \u2028\""},
		{`'x'`, "a\"\\\t ", "'a\"\\\t '"},
		{`'x'`, "it's", `"it's"`},
		{`'x'`, "a\nb", `"a\nb"`},
		{`'x'`, "a\x01", `"a\u0001"`},
		{`'x'`, "a\x7f", `"a\u007F"`},
		{"'''x'''", "it's\nb\t'", `"it's\nb\t'"`},
		{"'''x'''", "it's\nb", "'''it's\nb'''"},
		{"'''x'''", "a'''b", `"a'''b"`},
		{"'''x'''", "\na", `"\na"`},
		{"'''\nx'''", "\na", "'''\n\na'''"},
		{"'''x'''", "a\x00", `"a\u0000"`},
		{`"""x"""`, "a\n\"b\"\\", "\"\"\"a\n\\\"b\\\"\\\\\"\"\""},
		{`"""x"""`, "\na", `"\na"`},
		{"\"\"\"\nx\"\"\"", "\na", "\"\"\"\n\na\"\"\""},
		{`""`, "x", `"x"`},
		{`''`, "x", `'x'`},
		{"2001-01-01", "2002-02-02", "2002-02-02"},
		{"2001-01-01", "2002-02-02 03:04:05", "2002-02-02 03:04:05"},
		{"2001-01-01", "07:08:09", "07:08:09"},
		{"2001-01-01", "2002-02-02T03:04:05Z", "2002-02-02T03:04:05Z"},
		{"2001-01-01", "soon", `"soon"`},
		{"\"x\"", "2002-02-02", `"2002-02-02"`},
		{"1", "2002-02-02", `"2002-02-02"`},
	} {
		runEdits(t, toml{}, []editCase{{c.text + " for " + c.old, "k = " + c.old + " # c\n", set(c.text, "k"), "k = " + c.want + " # c\n"}})
	}
	runEdits(t, toml{}, []editCase{
		{"line breaks beside CRLF", "k = '''x'''\r\n", set("a\nb", "k"), "k = \"a\\nb\"\r\n"},
		{"none beside CRLF", "k = '''x'''\r\n", set("a", "k"), "k = '''a'''\r\n"},
		{"a first line end beside CRLF", "k = '''\r\nx'''\r\n", set("a", "k"), "k = '''\r\na'''\r\n"},
		{"keys", "", []Edit{{Keys("a-B_9"), Text("1")}, {Keys(""), Text("2")}, {Keys("a b"), Text("3")}, {Keys("é"), Text("4")}}, "a-B_9 = \"1\"\n\"\" = \"2\"\n\"a b\" = \"3\"\n\"é\" = \"4\"\n"},
	})
}

// What TOML is not, and where.
func TestTOMLEdges(t *testing.T) {
	twice := "not valid TOML: a key or table is defined twice"
	for in, want := range map[string]string{
		"a = 1\na = 2\n": twice, "[a]\n[a]\n": twice, "a = {b = 1}\n[a.c]\n": twice, "a = []\n[[a]]\n": twice, "[[a]]\n[a]\n": twice, "[a]\n[[a]]\n": twice, "a.b = 1\na = 2\n": twice, "a = 1\na.b = 2\n": twice,
		bom + "a = 1 1\n": "line 1, column", "a = 1\nb = [\n": "line 2", "a = \"x\n": "line 1",
		strings.Repeat("a.", treeMaxDepth) + "b = 1\n":                                          "values nest too deeply",
		"a = " + strings.Repeat("[", treeMaxDepth+2) + strings.Repeat("]", treeMaxDepth+2):      "values nest too deeply",
		"[" + strings.Repeat("a.", treeMaxDepth-1) + "b]\nc." + strings.Repeat("d.", 5) + "e=1": "values nest too deeply",
	} {
		n, err := toml{}.Decode([]byte(in))
		if err == nil || !strings.Contains(err.Error(), want) || n != nil {
			t.Errorf("%.40q: %v, want %q", in, err, want)
		}
	}
	for in, want := range map[string]string{
		strings.Repeat("a.", 500) + "b = 1\n":                                               strings.Repeat(`{"a":`, 500) + `{"b":1` + strings.Repeat("}", 501),
		bom + "[a]\nb.c = 1\nb.d = {e.f = 2, e.g = 3}\n[[l]]\nx = 1\n[l.m]\ny = 2\n[[l]]\n": `{"a":{"b":{"c":1,"d":{"e":{"f":2,"g":3}}}},"l":[{"x":1,"m":{"y":2}},{}]}`,
		"a\t=\t[ # [\n\t1, # ]\r\n\t2 ]\n":                                                  `{"a":[1,2]}`,
	} {
		if got := treeShow(t, toml{}, in); got != want {
			t.Errorf("%.40q: %.60s", in, got)
		}
	}
}
