package codec

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var hclRC = hcl{[]string{"credentials"}}

const hclTerraformRC = `# Terraform
plugin_cache_dir   = "$HOME/.terraform.d/plugin-cache"
disable_checkpoint = true

credentials "app.terraform.io" {
  # of the team
  token = "fake.atlasv1.x" // y
}

credentials "tf.example.com" { token = "fake2" }

provider_installation {
  network_mirror {
    url = "https://a.example/"
  }
  network_mirror {
    url = "https://b.example/"
  }
  direct {}
}
`

const hclVars = `/* secrets
   of the team */
region = "eu" # where
db_password = "fake\"$${x}%%{y}\u00e9\U0001F600"
ports = [1, -2.5e3,
  "x", // last
]
db = {
  user     = "u"
  "a b"  : null,
  nested   = { x = true, y = [] }
}
key = <<EOT
-----BEGIN
fake\n$${z}
EOT
indented = <<-E_1
    a

      b
    E_1
`

func TestHCLReads(t *testing.T) {
	for _, c := range []struct{ rule, in, want string }{
		{"nothing", "", `{}`},
		{"blanks", bom + " \t\n# c\n//d\n/* e\n*/", `{}`},
		{"the configuration of Terraform", hclTerraformRC, `{"plugin_cache_dir":"$HOME/.terraform.d/plugin-cache","disable_checkpoint":true,"credentials":{"app.terraform.io":{"token":"fake.atlasv1.x"},"tf.example.com":{"token":"fake2"}},"provider_installation":{"network_mirror":[{"url":"https://a.example/"},{"url":"https://b.example/"}],"direct":{}}}`},
		{"variables", hclVars, `{"region":"eu","db_password":"fake\"${x}%{y}é😀","ports":[1,-2.5e3,"x"],"db":{"user":"u","a b":null,"nested":{"x":true,"y":[]}},"key":"-----BEGIN\nfake\\n${z}\n","indented":"a\n\n  b\n"}`},
		{"no last line ending", `a="x"`, `{"a":"x"}`},
		{"line endings", "a = 1\r\n# c\r\nb = <<E\r\nx\r\nE\r\nc = 2", `{"a":1,"b":"x\r\n","c":2}`},
		{"labels", "a b \"c d\" {\n}\na e {\n}\n", `{"a":{"b":{"c d":{}},"e":{}}}`},
		{"blocks of one label", "a x {\n b=1\n}\na x {\n}\na x {}\n", `{"a":{"x":[{"b":1},{},{}]}}`},
		{"escapes", `a = "\n\r\t\\\"\u0041$ % $$ $x{"`, `{"a":"\n\r\t\\\"A$ % $$ $x{"}`},
		{"comments between", "a /* 1 */ = /* 2 */ 1 /* 3 */ # 4\nb = [ # 5\n/* 6 */ 1 // 7\n, # 8\n]", `{"a":1,"b":[1]}`},
		{"maps", "a = {b = 1, c = 2}\nd = {\n\n e = 3 # x\n}\nf = {}\ng = { \"\" : {} }\n", `{"a":{"b":1,"c":2},"d":{"e":3},"f":{},"g":{"":{}}}`},
		{"a heredoc in a list", "a = [<<E\nx\n  E\n, 1]", `{"a":["x\n",1]}`},
		{"an empty heredoc", "a = <<-E\nE\n", `{"a":""}`},
		{"white space in a heredoc", "a = <<-E\n   x\n \n  y\n\tE\n", `{"a":" x\n \ny\n"}`},
		{"names in quotes, as HCL 1 has them", "a {\n  \"x/y\" = 1\n}\n", `{"a":{"x/y":1}}`},
		{"names", "a-b_C9 = null\n_x = 0", `{"a-b_C9":null,"_x":0}`},
	} {
		if got := treeShow(t, hclRC, c.in); got != c.want {
			t.Errorf("%s: %s, not %s", c.rule, got, c.want)
		}
	}
	literal := "not a literal value: a text in quotes, a number, true, false, null, a list or a map"
	template := "a text with ${ or %{ in it is no literal value; as text they are $${ and %%{"
	runErrors(t, hcl{}, []errorCase{
		{"no name", "a = 1\n= 1", "line 2, column 1: not NAME = VALUE, and no block"},
		{"a name alone", "fakefakefakefake\n", "line 1, column 1: not NAME = VALUE, and no block"},
		{"a name in quotes outside a block", "\"x\" = 1\n", "line 1, column 1: not NAME = VALUE, and no block"},
		{"a block with a name in quotes", "a {\n  \"x\" {\n  }\n}\n", "line 2, column 3: the block has too many labels, or is in a block on one line"},
		{"no value", "a =\n", "line 1, column 4: " + literal},
		{"a comparison", "a == 1\n", "line 1, column 1: not NAME = VALUE, and no block"},
		{"a variable", "a = fakefakefakefake", "line 1, column 5: " + literal},
		{"an expression", "a = 1 + 2", "line 1, column 7: an attribute or a block ends with its line"},
		{"a call", `a = "x".y`, "line 1, column 8: an attribute or a block ends with its line"},
		{"a template", `a = "x${y}"`, "line 1, column 7: " + template},
		{"a directive", `a = "%{ if x }"`, "line 1, column 6: " + template},
		{"a template in a heredoc", "a = <<E\n x${y}\nE\n", "line 2, column 3: " + template},
		{"an escape", `a = "\x"`, `line 1, column 6: no escape of HCL`},
		{"too few digits", `a = "\u12"`, `line 1, column 6: no escape of HCL`},
		{"no digits", `a = "\u12x4"`, `line 1, column 6: no escape of HCL`},
		{"half a pair", `a = "\ud83d"`, `line 1, column 6: no escape of HCL`},
		{"no character", `a = "\UFFFFFFFF"`, `line 1, column 6: no escape of HCL`},
		{"a quote", "a = \"x\n\"", "line 1, column 5: the quote that opens here is not closed"},
		{"a quote at the end", `a = "\"`, "line 1, column 5: the quote that opens here is not closed"},
		{"a list", "a = [1, 2", "line 1, column 5: the bracket that opens here is not closed"},
		{"a list with a comma", "a = [1,", "line 1, column 5: the bracket that opens here is not closed"},
		{"a list without commas", "a = [1 2]", "line 1, column 8: a comma or an end of the line has to follow"},
		{"a map without commas", "a = {b = 1 c = 2}", "line 1, column 12: a comma or an end of the line has to follow"},
		{"a map's end", "a = {b = 1\n", "line 1, column 5: the bracket that opens here is not closed"},
		{"a map without keys", "a = {1}", "line 1, column 6: not KEY = VALUE"},
		{"a map without values", "a = {b}", "line 1, column 7: not KEY = VALUE"},
		{"a map with a comparison", "a = {b == 1}", "line 1, column 8: not KEY = VALUE"},
		{"a comment", "a = 1 /* x", "line 1, column 7: the comment that begins here is not closed"},
		{"a heredoc", "a = <<E\nx\n", "line 1, column 5: no line ends the text that begins here"},
		{"a heredoc of no name", "a = <<\nx\n", "line 1, column 5: not <<NAME at the end of the line"},
		{"a heredoc with more on its line", "a = <<E x\nE\n", "line 1, column 5: not <<NAME at the end of the line"},
		{"two attributes", "a = 1\na = 2", "line 2, column 1: the name occurs twice"},
		{"two keys", "a = {b = 1\nb = 2}", "line 2, column 1: the key occurs twice"},
		{"an attribute like a block", "a {\n}\na = 2", "line 3, column 1: the name occurs twice"},
		{"a block like an attribute", "a = {}\na {\n}", "line 2, column 1: an attribute or a block with other labels has the name"},
		{"a block like a scalar", "a = 1\na {\n}", "line 2, column 1: an attribute or a block with other labels has the name"},
		{"a labelled block like an attribute", "a = 1\na b {\n}", "line 2, column 1: an attribute or a block without this label has the name"},
		{"a block without the label", "a b {\n}\na {\n}", "line 3, column 1: an attribute or a block with other labels has the name"},
		{"many labels", "a b c d e {\n}", "line 1, column 1: the block has too many labels, or is in a block on one line"},
		{"a block on the line of another", "a { b {} }", "line 1, column 5: the block has too many labels, or is in a block on one line"},
		{"a block's end", "a {\n", "line 2, column 1: not NAME = VALUE, and no block"},
		{"two on a line", "a { b = 1, c = 2 }", "line 1, column 10: an attribute or a block ends with its line"},
		{"an end on the line of another", "a {\n b = 1 }", "line 2, column 8: an attribute or a block ends with its line"},
		{"an end on another line", "a { b = 1\n}", "line 1, column 10: an attribute or a block ends with its line"},
		{"a block behind a block", "a {} b {}", "line 1, column 6: an attribute or a block ends with its line"},
		{"a number", "a = 1.", "line 1, column 5: not a number"},
		{"a difference", "a = 1-2", "line 1, column 5: not a number"},
		{"another number", "a = 1x", "line 1, column 5: not a number"},
		{"no number", "a = -", "line 1, column 5: not a number"},
		{"not UTF-8", "a = \"\xff\"", "line 1, column 6: not UTF-8 text"},
		{"depth", "a = " + strings.Repeat("[", treeMaxDepth+1), "line 1, column 1005: values nest too deeply"},
		{"values", "a = [" + strings.Repeat("1,", hclMaxParts), "line 1, column 200004: there are too many values"},
		{"blocks", strings.Repeat("a {}\n", hclMaxParts+1), "line 100001, column 1: there are too many values"},
		{"depth of blocks", strings.Repeat("a {\n", treeMaxDepth+1), "line 1001, column 1: values nest too deeply"},
	})
	if _, err := (hcl{}).Decode([]byte("a = " + strings.Repeat("[", treeMaxDepth) + strings.Repeat("]", treeMaxDepth))); err != nil {
		t.Error(err)
	}
	if _, err := (hcl{}).Decode([]byte(strings.Repeat("a {}\n", hclMaxParts-2) + "b = [1]\n")); err != nil {
		t.Error(err)
	}
	root, err := hcl{}.Decode([]byte("a = \"$${x}\"\nb {\n  c = \"%%{x}\"\n  d = \"$${x}\"\n  e = <<E\nE\n f = \"x\"\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"c": true, "d": true, "e": true, "f": false} {
		if got := root.Find(Keys("b", key)).Disputed; got != want {
			t.Errorf("%s is disputed: %v", key, got)
		}
	}
	if root.Get("a").Disputed {
		t.Error("outside a block, ${ is one thing")
	}
}

func TestHCLEdits(t *testing.T) {
	swap := func(file, old, new string) string {
		if strings.Count(file, old) != 1 {
			t.Errorf("%q is not once in the file", old)
		}
		return strings.Replace(file, old, new, 1)
	}
	token := func(host string) []Edit { return treeSet("new", "credentials", host, "token") }
	block := "credentials \"x.example\" {\n  token = \"new\"\n}\n"
	treeRun(t, hclRC, []treeCase{
		{rule: "a new file", in: "", edits: token("x.example"), out: block},
		{rule: "a new file of variables", in: "", edits: append(treeSet("v", "a"), Edit{Keys("b"), treeM("c", 1, "d e", treeL(true, nil))}), out: "a = \"v\"\nb = {\n  c = 1\n  \"d e\" = [true, null]\n}\n"},
		{rule: "a token", in: hclTerraformRC, edits: token("app.terraform.io"), out: swap(hclTerraformRC, `"fake.atlasv1.x"`, `"new"`)},
		{rule: "a token on one line", in: hclTerraformRC, edits: token("tf.example.com"), out: swap(hclTerraformRC, `"fake2"`, `"new"`)},
		{rule: "another block", in: hclTerraformRC, edits: token("x.example"), out: swap(hclTerraformRC, "\"fake2\" }\n", "\"fake2\" }\n\n"+block)},
		{rule: "the first block", in: "a = 1\n", edits: token("x.example"), out: "a = 1\n\n" + block},
		{rule: "behind an empty line", in: "a = 1\n\n", edits: token("x.example"), out: "a = 1\n\n" + block},
		{rule: "with line endings", in: "a = 1\r\n\r\n", edits: token("x.example"), out: "a = 1\r\n\r\n" + strings.ReplaceAll(block, "\n", "\r\n")},
		{rule: "behind a mark", in: bom, edits: token("x.example"), out: bom + block},
		{rule: "no last line ending", in: "a = 1", edits: append(treeSet("v", "b"), token("x.example")...), out: "a = 1\nb = \"v\"\n\n" + strings.TrimSuffix(block, "\n")},
		{rule: "two blocks", in: "", edits: []Edit{{Keys("credentials"), treeM("x.example", treeM("token", "new"), "y", treeM())}}, out: block + "\ncredentials \"y\" {\n}\n"},
		{rule: "another attribute of a block", in: hclTerraformRC, edits: treeSet("v", "credentials", "app.terraform.io", "x"), out: swap(hclTerraformRC, "// y\n", "// y\n  x = \"v\"\n")},
		{rule: "another attribute on one line", in: hclTerraformRC, edits: treeSet("v", "credentials", "tf.example.com", "x"), out: swap(hclTerraformRC, `{ token = "fake2" }`, "{\n  token = \"fake2\"\n  x = \"v\"\n}")},
		{rule: "an attribute of an empty block", in: hclTerraformRC, edits: treeSet("v", "provider_installation", "direct", "x"), out: swap(hclTerraformRC, "direct {}", "direct {\n    x = \"v\"\n  }")},
		{rule: "an attribute of a block of blocks", in: "a {\n\tb {\n\t\tc = 1\n\t}\n}\n", edits: append(treeSet("v", "a", "x"), treeSet("v", "a", "b", "x")...), out: "a {\n\tb {\n\t\tc = 1\n\t\tx = \"v\"\n\t}\n\tx = \"v\"\n}\n"},
		{rule: "a block goes", in: hclTerraformRC, edits: treeDel("credentials", "tf.example.com"), out: swap(hclTerraformRC, "credentials \"tf.example.com\" { token = \"fake2\" }\n", "")},
		{rule: "all blocks go", in: hclTerraformRC, edits: append(treeDel("credentials", "tf.example.com"), treeDel("credentials", "app.terraform.io")...),
			out: swap(swap(hclTerraformRC, "credentials \"tf.example.com\" { token = \"fake2\" }\n", ""), "credentials \"app.terraform.io\" {\n  # of the team\n  token = \"fake.atlasv1.x\" // y\n}\n", "")},
		{rule: "at once", in: hclTerraformRC, edits: treeDel("credentials"),
			out: swap(swap(hclTerraformRC, "credentials \"tf.example.com\" { token = \"fake2\" }\n", ""), "credentials \"app.terraform.io\" {\n  # of the team\n  token = \"fake.atlasv1.x\" // y\n}\n", "")},
		{rule: "no blocks are none", in: "a = 1\n", edits: []Edit{{Keys("credentials"), treeM()}}, out: "a = 1\n"},
		{rule: "nor in a document", in: "", edits: []Edit{{nil, treeM("a", 1, "credentials", treeM())}}, out: "a = 1\n"},
		{rule: "a variable", in: hclVars, edits: treeSet("v", "region"), out: swap(hclVars, `"eu"`, `"v"`)},
		{rule: "what needs escapes", in: "", edits: treeSet("\"\\\n\r\t\x01 ${x} %{y} $ % $x$ \u00e9\u2028\U0001f600\U000e0001", "a"), out: "a = \"\\\"\\\\\\n\\r\\t\\u0001 $${x} %%{y} $ % $x$ \u00e9\\u2028\U0001f600\\U000e0001\"\n"},
		{rule: "a heredoc", in: hclVars, edits: treeSet("v\nw", "key"), out: swap(hclVars, "<<EOT\n-----BEGIN\nfake\\n$${z}\nEOT", `"v\nw"`)},
		{rule: "a variable goes with its comment", in: hclVars, edits: treeDel("region"), out: swap(hclVars, "region = \"eu\" # where\n", "")},
		{rule: "an entry of a map", in: hclVars, edits: treeSet("v", "db", "user"), out: swap(hclVars, `"u"`, `"v"`)},
		{rule: "a new entry", in: hclVars, edits: treeSet("v", "db", "password"), out: swap(hclVars, "y = [] }\n", "y = [] }\n  password = \"v\"\n")},
		{rule: "a new entry on one line", in: hclVars, edits: treeSet("v", "db", "nested", "x y"), out: swap(hclVars, "y = [] }", "y = [], \"x y\" = \"v\" }")},
		{rule: "an entry goes", in: hclVars, edits: treeDel("db", "a b"), out: swap(hclVars, "  \"a b\"  : null,\n", "")},
		{rule: "an entry on one line goes", in: hclVars, edits: treeDel("db", "nested", "x"), out: swap(hclVars, "x = true, y", "y")},
		{rule: "the last entry on one line goes", in: hclVars, edits: treeDel("db", "nested", "y"), out: swap(hclVars, ", y = [] }", ", }")},
		{rule: "an item of a list", in: hclVars, edits: []Edit{{Keys("ports"), &Node{Kind: List, Items: []*Node{{Kind: Number, Text: "1"}, {Kind: Number, Text: "-2.5e3"}, Text("x"), Text("y")}}}}, out: swap(hclVars, "// last\n", "// last\n  \"y\",\n")},
		{rule: "an item of an empty list", in: hclVars, edits: []Edit{{Keys("db", "nested", "y"), treeL(1)}}, out: swap(hclVars, "y = []", "y = [1]")},
		{rule: "an item behind a comment", in: "a = [1, # c\n]\nb = [\n  1 # d\n]\nc = [1 # e\n]\n", edits: []Edit{{Keys("a"), treeL(1, 2)}, {Keys("b"), treeL(1, 2)}, {Keys("c"), treeL(1, 2)}}, out: "a = [1, # c\n  2\n]\nb = [\n  1, # d\n  2\n]\nc = [1, # e\n  2\n]\n"},
		{rule: "an entry of a map with commas", in: "a = {\n  b = 1,\n}\nc = {d = 1,}\n", edits: append(treeSet("v", "a", "x"), treeSet("v", "c", "x")...), out: "a = {\n  b = 1,\n  x = \"v\",\n}\nc = {d = 1, x = \"v\"}\n"},
		{rule: "an entry of an empty map", in: "a = {}\n  b = {\n  # c\n  }\n", edits: append(treeSet("v", "a", "x"), treeSet("v", "b", "x")...), out: "a = { x = \"v\" }\n  b = {\n  # c\n    x = \"v\"\n  }\n"},
		{rule: "a map of maps", in: "", edits: []Edit{{Keys("a"), treeM("b", treeM("c", treeM()))}}, out: "a = {\n  b = {\n    c = {}\n  }\n}\n"},
		{rule: "another kind", in: "a = 1\nb = {}\n", edits: append(treeSet("v", "a"), treeSet("v", "b")...), out: "a = \"v\"\nb = \"v\"\n"},
		{rule: "all goes", in: bom + "a = 1\n\n# c\nb {\n}\n", edits: []Edit{{}}, out: bom + "\n# c\n"},
		{rule: "a name", in: "", edits: treeSet("v", "a b"), err: "of this name"},
		{rule: "a name of nothing", in: "", edits: treeSet("v", ""), err: "of this name"},
		{rule: "a name with a digit first", in: "", edits: treeSet("v", "1a"), err: "of this name"},
		{rule: "a name in a block", in: "", edits: treeSet("v", "credentials", "x", "a b"), err: "of this name"},
		{rule: "a text for blocks", in: "", edits: treeSet("v", "credentials"), err: "have a label each"},
		{rule: "a text for a block", in: "", edits: treeSet("v", "credentials", "x"), err: "have a label each"},
		{rule: "a text for another block", in: hclTerraformRC, edits: treeSet("v", "credentials", "x"), err: "have a label each"},
		{rule: "a text for a block that is there", in: hclTerraformRC, edits: treeSet("v", "credentials", "app.terraform.io"), err: "not edited in place"},
		{rule: "another label of another type", in: "a x {\n}\n", edits: []Edit{{Keys("a", "y"), treeM()}}, err: "not edited in place"},
		{rule: "another block of a list", in: "a x {\n}\na x {\n}\n", edits: []Edit{{Keys("a", "x"), treeL(treeM(), treeM(), treeM())}}, err: "not edited in place"},
		{rule: "one block of a list", in: "a x {\n}\na x {\n}\n", edits: []Edit{{Keys("a", "x"), treeL(treeM())}}, err: "not edited in place"},
		{rule: "one block of two", in: "a {\n k = 1\n}\na {\n k = 2\n}\n", edits: []Edit{{Path: Path{{Key: "a"}, {Field: "k", Equals: "2"}}}}, err: "not edited in place"},
		{rule: "an attribute goes with its comment", in: "a = 1 // c\nb = 2\n", edits: treeDel("a"), out: "b = 2\n"},
		{rule: "an attribute behind a long value on the line of its block", in: "d { a = [1,\n2] }\n", edits: treeSet("v", "d", "x"), out: "d {\n  a = [1,\n2]\n  x = \"v\"\n}\n"},
		{rule: "one block of three goes", in: "a {\n k = 1\n}\na {\n k = 2\n}\na {\n k = 3\n}\n", edits: []Edit{{Path: Path{{Key: "a"}, {Field: "k", Equals: "2"}}}}, out: "a {\n k = 1\n}\na {\n k = 3\n}\n"},
		{rule: "the only label of another type", in: "a x {\n}\n", edits: treeDel("a", "x"), err: "not edited in place"},
		{rule: "a template in a block", in: hclTerraformRC, edits: treeSet("${x}", "credentials", "app.terraform.io", "token"), err: "read differently"},
		{rule: "a directive in a new block", in: "", edits: treeSet("%{x}", "credentials", "x", "token"), err: "read differently"},
		{rule: "a template in a label", in: "", edits: treeSet("x", "credentials", "${x}", "token"), err: "read differently"},
		{rule: "a template in an attribute of a block", in: "a {\n}\n", edits: treeSet("${x}", "a", "b"), err: "read differently"},
		{rule: "not UTF-8", in: "", edits: treeSet("\xff", "a"), err: "not UTF-8"},
		{rule: "not UTF-8 in a map", in: "a = {\n}\n", edits: treeSet("x", "a", "\xff"), err: "not UTF-8"},
		{rule: "no number", in: "", edits: []Edit{{Keys("a"), treeL(&Node{Kind: Number, Text: "0x1"})}}, err: "no number"},
	})
}

func TestHCLLines(t *testing.T) {
	root, err := hcl{}.Decode([]byte("a = 1\n\nb {\n  c = [\n  2]\n}\nd x {}\nd y {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(linesOf(root, "", nil), " "), "a:1 b:3 b.c:4 b.c.0:5 d:7 d.x:7 d.y:8"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func FuzzHCL(f *testing.F) {
	for _, s := range []string{"", hclTerraformRC, hclVars, "a = [1, #m\n 2]\nb = { c = 1 }\n", "a {\r\n  b = \"x\"\r\n}\r\n", "a \"b\" { c = 1 }"} {
		f.Add([]byte(s), "credentials", "new")
		f.Add([]byte(s), "k", " it's \"x\" ${y}\n")
	}
	f.Fuzz(func(t *testing.T, data []byte, key, value string) {
		treeFuzz(t, hclRC, data, key, value, "#m")
	})
}

func TestHCLStress(t *testing.T) {
	treeStress(t, hclRC, []string{
		"a = ", "b = ", "c {\n", "c \"x\" {\n", "credentials \"y\" {\n", "credentials \"y\" { ", "d {}", "}\n", "}", "\n", "\n", " ", "\r\n", "  ", "\"x\"", "1", "null", "[", "]", "[1, \"name\"]", "{", "{ name = \"n\" }", "{\n  e = 1 #m\n  f = 2,\n}", ",", "<<E\nx\nE\n", "<<-E\n  x\n  E", "a = 1\n", "b = \"y\" #m\n", "#m\n", "// g", "/* h */", "g = true\n",
	}, "#m")
}

// hclFlat lists what a file has, as the reference does.
func hclFlat(v *hclValue, path string, out []string) []string {
	say := func(kind, text string) { out = append(out, fmt.Sprintf("%s %s %q", path, kind, text)) }
	switch v.form {
	case hclScalar:
		kind, text := map[Kind]string{Null: "null", Bool: "bool", Number: "number", String: "string"}[v.node.Kind], v.node.Text
		if v.node.Kind == Number {
			n, _, _ := big.ParseFloat(text, 10, 512, big.ToNearestEven)
			text = n.Text('g', 10)
		}
		say(kind, text)
	case hclTuple:
		say("list", "")
		for i, kid := range v.kids {
			out = hclFlat(kid, fmt.Sprintf("%s/%d", path, i), out)
		}
	case hclBlocks:
		for _, kid := range v.kids {
			out = hclFlat(kid, path, out)
		}
	default:
		if v.form == hclObject {
			say("map", "")
		} else if v.form == hclBody && path != "" {
			say("block", "")
		}
		for i, kid := range v.kids {
			out = hclFlat(kid, path+"/"+v.keys[i], out)
		}
	}
	return out
}

// What this package reads in a file, HashiCorp's own reader finds there, and nothing
// else, and so in one that was edited.
func TestSoakHCLReaders(t *testing.T) {
	reader := startGo(t)
	pieces := []string{
		"a = ", "b = ", "c {\n", "c \"x\" y {\n", "d \"e\" { ", "d {}\n", "}\n", "}", "\n", "\n", " ", "\r\n", "\t", "\"x\\n$${y}%%{z}$ \\u00e9\"", "\"\"", "-1.50", "0", "007", "1e3", "null", "true", "[", "]", "[1, \"n\",\n]", "{", "{ n = \"n\" }", "{\n  e = 1 # m\n  \"f g\" : 2,\n}", ",",
		"<<E\nx\n  E\n", "<<-E\n  x\n\n   y$${z}\n \n  E\n", "h = 1\n", "i = \"y\" # m\n", "# c\n", "// g\n", "/* h */", "k = <<-E\r\n\tx\r\n\t\ty\r\nE\r\n", "j { k = [] }\n", "l { m {} }\n", "\ufeff",
	}
	words := []string{"a", " ", "\"", "\\", "$", "${", "%", "%{", "$$", "%%{", "{", "}", "\n", "\r", "\t", "#", "\u00e9", "\u2028", "\U0001f600", "\x00", "\x7f", "\ufeff", "<<E", "'"}
	read, written := 0, 0
	check := func(t *testing.T, file []byte) bool {
		root, err := hclParse(file)
		if err != nil {
			return false
		}
		raw, ok := reader.ask("hcl", file)
		var triples [][3]string
		if !ok || json.Unmarshal(raw, &triples) != nil {
			t.Errorf("%q cannot be read by others: %s", file, raw)
			return false
		}
		var want []string
		for _, x := range triples {
			want = append(want, fmt.Sprintf("%s %s %q", x[0], x[1], x[2]))
		}
		got := hclFlat(root, "", nil)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("others read %q as\n%q\nnot\n%q", file, want, got)
		}
		return true
	}
	soak(t, func(t *testing.T, r *rand.Rand) {
		for range 3000 {
			file := []byte(randomText(r, pieces, 9))
			if !check(t, file) {
				continue
			}
			read++
			root, _ := hclRC.Decode(file)
			places := append(leaves(root, nil), Keys("new"), Keys("credentials", "x", "token"), Keys("c", "new"))
			out, err := Apply(hclRC, file, []Edit{{places[r.IntN(len(places))], Text(randomText(r, words, 4))}})
			if err == nil && check(t, out) {
				written++
			}
		}
	})
	if read < 100 || written < 100 {
		t.Errorf("only %d files were read, and %d written", read, written)
	}
}
