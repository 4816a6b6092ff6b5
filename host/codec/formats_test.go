package codec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What every format refuses, whoever asks it.
func TestEveryFormatRefuses(t *testing.T) {
	broken := map[string]string{"dotenv": "=x\n", "hcl": "a =\n", "ini": "[a\n", "json": "{", "keypair": "x\n", "netrc": "x y\n", "properties": "a=\\u\n", "text": "\xff\xfe", "toml": "= 1\n", "xml": "<a>", "yaml": "a: [\n"}
	good := map[string]string{"dotenv": "a=x\n", "hcl": "a = \"x\"\n", "ini": "[a]\nk=v\n", "json": `{"a": {"k": "v"}}`, "keypair": pemBlock("PRIVATE KEY"), "netrc": "machine a login v\n", "properties": "a=x\n", "text": "x", "toml": "a = 1\n", "xml": "<a>x</a>", "yaml": "a: 1\n"}
	for _, name := range Names() {
		f, err := New(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{broken[name], "\xff\xfea\x00", "\xfe\xff\x00a"} {
			n, err := f.Decode([]byte(file))
			var e *Error
			if n != nil || !errors.As(err, &e) {
				t.Errorf("%s: %q decodes to %v, %v", name, file, n, err)
			}
			if out, spliced := f.Splice([]byte(file), set("new", "a", "k")); out != nil || spliced == nil || name != "keypair" && name != "text" && spliced.Error() != err.Error() {
				t.Errorf("%s: %q is edited: %q, %v", name, file, out, spliced)
			}
			if out, err := Apply(f, []byte(file), nil); err != nil || string(out) != file {
				t.Errorf("%s: %q without edits is %q, %v", name, file, out, err)
			}
		}
		for _, e := range []Edit{{Path{{Field: "name", Equals: "x"}, {Key: "k"}}, Text("v")}, {Path{{Key: "a"}, {Key: "k"}, {Key: "x"}, {Key: "y"}}, Text("v")}} {
			if out, err := f.Splice([]byte(good[name]), []Edit{e}); err == nil && name != "json" && name != "yaml" && name != "toml" && name != "xml" && name != "hcl" || err != nil && out != nil {
				t.Errorf("%s: %s is set: %q, %v", name, e.Path, out, err)
			}
		}
		if out, err := f.Splice([]byte(good[name]), nil); err != nil || string(out) != good[name] {
			t.Errorf("%s without edits: %q, %v", name, out, err)
		}
	}
}

// Where values stand, in every format.
func TestLines(t *testing.T) {
	for _, c := range []struct{ format, file, want string }{
		{"dotenv", "A=1\n\nB='x\ny'\nC=2\n", "A:1 B:3 C:5"},
		{"ini", "k=1\n[a]\n\nl=2\n 3\nn\n[b]\nm=4\n", ":1 .k:1 a:2 a.l:4 a.n:6 b:7 b.m:8"},
		{"netrc", "\nmachine a\n login u\n password\n  p\ndefault login x\n", "a:2 a.login:3 a.password:5 default:6 default.login:6"},
		{"properties", "a=1\n\nb=x\\\n y\nc=2\n", "a:1 b:3 c:5"},
		{"json", "{\"a\":\n[1,\n{\"b\":2}],\n\n\"c\": 3}", "a:2 a.0:2 a.1:3 a.1.b:3 c:5"},
		{"toml", "# c\na = 1\n[t]\nb = 2\n[[l]]\nc = 3\n[x.y]\nz = {u = 1}\nw = [\n 1,\n 2]\n", "a:2 t:3 t.b:4 l:5 l.0:5 l.0.c:6 x:7 x.y:7 x.y.z:8 x.y.z.u:8 x.y.w:9 x.y.w.0:10 x.y.w.1:11"},
		{"yaml", "a: 1\nb:\n  - 2\n  - c: 3\nd:\n\ne: 4\n", "a:1 b:3 b.0:3 b.1:4 b.1.c:4 d:5 e:7"},
	} {
		f, err := New(c.format, Options{})
		if err != nil {
			t.Fatal(err)
		}
		root, err := f.Decode([]byte(c.file))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(linesOf(root, "", nil), " "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.format, got, c.want)
		}
	}
}

// linesOf lists the places below a node with their lines.
func linesOf(n *Node, at string, out []string) []string {
	for _, p := range n.Pairs {
		key := strings.TrimPrefix(at+"."+p.Key, ".")
		if at == "" && p.Key == "" {
			key = ""
		}
		out = linesOf(p.Value, key, append(out, fmt.Sprintf("%s:%d", key, p.Value.Line)))
		if key == "" {
			out[len(out)-1] = "." + out[len(out)-1]
		}
	}
	for i, item := range n.Items {
		key := fmt.Sprintf("%s.%d", at, i)
		out = linesOf(item, key, append(out, fmt.Sprintf("%s:%d", key, item.Line)))
	}
	return out
}

// A Document is edited in steps, each of which another one may follow, and spliced once.
func TestDocumentInSteps(t *testing.T) {
	file := []byte("[a]\nk = 1\n")
	d, err := Open(ini{}, file)
	if err != nil || d.Pending() || d.Unreadable() != nil || d.Root().Find(Keys("a", "k")).Text != "1" {
		t.Fatalf("%+v, %v", d, err)
	}
	same, changed, err := d.Edit(set("1", "a", "K"))
	if err != nil || changed || same.Pending() {
		t.Errorf("what is there already is a change: %v, %v", changed, err)
	}
	two, changed, err := d.Edit(slicesOf(set("2", "a", "k"), set("x", "b", "l")))
	if err != nil || !changed || !two.Pending() || string(two.Data()) != string(file) {
		t.Fatalf("%v, %v", changed, err)
	}
	three, _, err := two.Edit(set("3", "a", "k"))
	if err != nil {
		t.Fatal(err)
	}
	for text, doc := range map[string]Document{"1": d, "2": two, "3": three} {
		want := "[a]\nk = " + text + "\n"
		if text != "1" {
			want += "\n[b]\nl = x\n"
		}
		done, err := doc.Settle()
		if err != nil || string(done.Data()) != want || done.Pending() || doc.Root().Find(Keys("a", "k")).Text != text {
			t.Errorf("settled: %q, %v; want %q", done.Data(), err, want)
		}
	}
	if got, changed, err := d.Edit([]Edit{{Keys("a", "k", "x"), Text("y")}}); err == nil || changed || got.Root() != nil {
		t.Errorf("a value inside a value: %v, %v", changed, err)
	}
	aws := withClients(t, "ini", Options{}, "aws-cli")
	var e *ClientError
	if d, err := Open(aws, []byte("[a]\n[a]\n")); err != nil || !errors.As(d.Unreadable(), &e) || e.Unwrap() == nil || !strings.Contains(e.Unwrap().Error(), "line 2") {
		t.Errorf("%v, %v", err, e)
	}
	if err := Unreadable(text{}, []byte("x")); err != nil {
		t.Errorf("a format without clients: %v", err)
	}
}

// Edits of trees, where there is little or nothing.
func TestEditsOfLittle(t *testing.T) {
	root := treeM("null", nil, "text", "x", "list", treeL(treeM("name", "a")))
	for _, c := range []struct {
		rule  string
		edits []Edit
		want  string // or an error
	}{
		{"nothing below null goes", remove("null", "a", "b"), `{"null":null,"text":"x","list":[{"name":"a"}]}`},
		{"nor below what is not there", remove("none", "a"), `{"null":null,"text":"x","list":[{"name":"a"}]}`},
		{"nor from a list", []Edit{{Path: Path{{Key: "list"}, {Field: "name", Equals: "b"}}}}, `{"null":null,"text":"x","list":[{"name":"a"}]}`},
		{"null becomes a map", set("1", "null", "a"), `{"null":{"a":"1"},"text":"x","list":[{"name":"a"}]}`},
		{"a value may hold nothing", []Edit{{Keys("text"), &Node{Kind: Map, Pairs: []Pair{{"k", nil}}}}}, `{"null":null,"text":{"k":null},"list":[{"name":"a"}]}`},
		{"a text holds nothing", set("1", "text", "a"), "cannot put a here: the place holds another kind of value"},
		{"a text is no list", []Edit{{Path{{Key: "text"}, {Field: "name", Equals: "a"}}, Text("1")}}, "cannot put [name=a] here: the place holds another kind of value"},
		{"a map is no list", []Edit{{Path{{Field: "name", Equals: "a"}}, Text("1")}}, "cannot put [name=a] here: the place holds another kind of value"},
		{"all goes", remove(), "{}"},
	} {
		before := string(ToJSON(root))
		out, err := EditTree(root, c.edits)
		got := string(ToJSON(out))
		if err != nil {
			if got = err.Error(); out != nil {
				t.Errorf("%s: a tree beside an error", c.rule)
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, not %s", c.rule, got, c.want)
		}
		if string(ToJSON(root)) != before {
			t.Errorf("%s: the tree before it changed", c.rule)
		}
	}
	var none *Node
	if root.Find(Path{{Key: "none"}, {Field: "name", Equals: "a"}, {Key: "k"}}) != nil || none.Find(Path{{Field: "a"}}) != nil {
		t.Error("there is something in nothing")
	}
	if e := (&Error{Column: 3, Msg: "m"}); e.Error() != "m" {
		t.Errorf("a column without a line: %v", e)
	}
}

// The names of clients are those of one format.
func TestClientsOf(t *testing.T) {
	set, err := ClientsOf("netrc", []string{"curl", "python"})
	if err != nil || !set.has("curl") || !set.has("python") || set.has("npm") {
		t.Errorf("%v, %v", set, err)
	}
	for _, names := range [][]string{{"curl", "npm"}, {"none"}} {
		if set, err := ClientsOf("netrc", names); err == nil || set != 0 {
			t.Errorf("%v: %v, %v", names, set, err)
		}
	}
	if set, err := ClientsOf("yaml", []string{"kubectl"}); err == nil || set != 0 {
		t.Errorf("%v, %v", set, err)
	}
	if set, err := ClientsOf("yaml", nil); err != nil || set != 0 {
		t.Errorf("%v, %v", set, err)
	}
}

// Lines of every ending, and what is put between them.
func TestLineEndings(t *testing.T) {
	for text, want := range map[string]string{"": "\n", "a": "\n", "a\n": "\n", "a\r\n": "\r\n", "a\r": "\r", "a\rb\n": "\n", "a\r\nb\n": "\n", "a\r\nb\r\nc\n": "\r\n", "a\r\nb\rc\rd\n": "\n", "a\r\n\r": "\r\n"} {
		if got := newline([]byte(text)); got != want {
			t.Errorf("the line ending of %q is %q, not %q", text, got, want)
		}
	}
	for _, c := range []struct {
		data    string
		patches []patch
		want    string
	}{
		{"abcdef", []patch{{4, 5, "X"}, {1, 2, "Y"}}, "aYcdXf"},
		{"abcdef", []patch{{1, 4, ""}, {2, 3, ""}}, "aef"},
		{"abc", []patch{{1, 1, "1"}, {1, 1, "2"}}, "a12bc"},
		{"a\rb\n", []patch{{2, 3, ""}}, "a\r\r\n"},
		{"a\rb\n", []patch{{2, 2, "\n"}}, "a\r\r\nb\n"},
		{"a\rb\nc", []patch{{2, 3, ""}, {5, 5, "x"}}, "a\r\r\ncx"},
		{"a\r\nb", []patch{{0, 1, ""}}, "\r\nb"},
	} {
		before := c.data
		if got := string(apply([]byte(c.data), slices.Clone(c.patches))); got != c.want || c.data != before {
			t.Errorf("%q with %v is %q, not %q", c.data, c.patches, got, c.want)
		}
	}
	for _, c := range []struct {
		data string
		at   int
		want patch
	}{
		{"a\n", 2, patch{2, 2, "x\ny\n"}}, {"a", 1, patch{1, 1, "\nx\ny"}}, {"", 0, patch{0, 0, "x\ny\n"}}, {bom, 3, patch{3, 3, "x\ny\n"}}, {"a\r", 2, patch{2, 2, "x\ry\r"}}, {"a\nb", 2, patch{2, 2, "x\ny\n"}},
	} {
		if got := insertLines([]byte(c.data), c.at, "x", "y"); got != c.want {
			t.Errorf("lines at %d of %q: %v", c.at, c.data, got)
		}
	}
}
