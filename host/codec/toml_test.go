package codec

import (
	"encoding/json"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

const tomlHcloud = `active_context = "prod"

[[contexts]]
  name = "prod"
  token = "fake-old" # rotate

[[contexts]]
  name = "dev"
  token = 'fake-dev'

# the end
`

const tomlModal = `[work]
token_id = "ak-fake"
token_secret = "as-fake"
active = true

# my own
[home]
token_id = "ak-fake2"
token_secret = "as-fake2"
`

const tomlSnowflake = `default_connection_name = "dev"
[connections.dev]
account = "acc"
user = "jane"
password = """fake
old"""
[connections.dev.session]
x = 1
[log]
level="info"
`

const tomlWrangler = `oauth_token = "fake"
expiration_time = 2026-01-01T00:00:00.000Z
scopes = [ "account:read", "user:read" ]
`

func tomlContext(name string, keys ...string) Path {
	return append(Path{{Key: "contexts"}, {Field: "name", Equals: name}}, Keys(keys...)...)
}

func TestTOMLEdits(t *testing.T) {
	treeRun(t, toml{}, []treeCase{
		{rule: "replace in an array of tables", in: tomlHcloud, edits: []Edit{{tomlContext("prod", "token"), Text("fake-new")}, {tomlContext("dev", "token"), Text("new")}},
			out: strings.Replace(strings.Replace(tomlHcloud, "fake-old", "fake-new", 1), "fake-dev", "new", 1)},
		{rule: "a new entry follows the last one and its layout", in: tomlHcloud, edits: []Edit{{tomlContext("x", "token"), Text("fake")}},
			out: strings.Replace(tomlHcloud, "\n# the end", "\n[[contexts]]\n  name = \"x\"\n  token = \"fake\"\n\n# the end", 1)},
		{rule: "a new key of an entry", in: tomlHcloud, edits: []Edit{{tomlContext("prod", "endpoint"), Text("https://x")}}, out: strings.Replace(tomlHcloud, "# rotate\n", "# rotate\n  endpoint = \"https://x\"\n", 1)},
		{rule: "remove an entry", in: tomlHcloud, edits: []Edit{{Path: tomlContext("prod")}}, out: strings.Replace(tomlHcloud, "[[contexts]]\n  name = \"prod\"\n  token = \"fake-old\" # rotate\n\n", "", 1)},
		{rule: "remove all entries", in: "a = 1\n\n[[contexts]]\nname = \"x\"\n", edits: []Edit{{Path: tomlContext("x")}}, out: "a = 1\ncontexts = []\n"},
		{rule: "the first entry", in: "a = 1\n", edits: []Edit{{tomlContext("x", "token"), Text("t")}}, out: "a = 1\n\n[[contexts]]\nname = \"x\"\ntoken = \"t\"\n"},
		{rule: "the first entry of an empty array", in: "contexts = []\na = 1\n", edits: []Edit{{tomlContext("x", "token"), Text("t")}}, out: "a = 1\n\n[[contexts]]\nname = \"x\"\ntoken = \"t\"\n"},
		{rule: "a missing file", in: "", edits: append(treeSet("v", "p", "k"), treeSet("w", "q")...), out: "q = \"w\"\n\n[p]\nk = \"v\"\n"},
		{rule: "a new table goes to the end", in: tomlModal, edits: []Edit{{Keys("ci", "token_id"), Text("ak")}, {Keys("ci", "active"), treeV(false)}}, out: tomlModal + "\n[ci]\ntoken_id = \"ak\"\nactive = false\n"},
		{rule: "a table is removed with its blank line, comments of the next stay", in: tomlModal, edits: treeDel("work"), out: strings.SplitAfter(tomlModal, "active = true\n")[1]},
		{rule: "the last table", in: tomlModal, edits: treeDel("home"), out: strings.SplitAfter(tomlModal, "# my own\n")[0]},
		{rule: "no blank lines where the file has none", in: tomlSnowflake, edits: []Edit{{Keys("connections", "prod", "password"), Text("x")}},
			out: strings.Replace(tomlSnowflake, "[log]", "[connections.prod]\npassword = \"x\"\n[log]", 1)},
		{rule: "strings of several lines stay so", in: tomlSnowflake, edits: treeSet("a\n\"b\"", "connections", "dev", "password"), out: strings.Replace(tomlSnowflake, "fake\nold", "a\n\\\"b\\\"", 1)},
		{rule: "a table that only headers below it make", in: "[a.b]\nc = 1\n", edits: treeSet("x", "a", "d"), out: "[a.b]\nc = 1\n\n[a]\nd = \"x\"\n"},
		{rule: "and is left empty", in: "[a.b]\nc = 1\n", edits: treeDel("a", "b"), out: "a = {}\n"},
		{rule: "equals signs without blanks", in: "[log]\nlevel=\"info\"\n", edits: treeSet("x", "log", "f"), out: "[log]\nlevel=\"info\"\nf=\"x\"\n"},
		{rule: "dates stay dates", in: tomlWrangler, edits: treeSet("2027-01-01T00:00:00.000Z", "expiration_time"), out: strings.Replace(tomlWrangler, "2026", "2027", 1)},
		{rule: "what is no date is a string", in: tomlWrangler, edits: treeSet("never", "expiration_time"), out: strings.Replace(tomlWrangler, "2026-01-01T00:00:00.000Z", `"never"`, 1)},
		{rule: "arrays", in: tomlWrangler, edits: []Edit{{Keys("scopes"), treeL("account:read", "user:read", "x")}}, out: strings.Replace(tomlWrangler, `"user:read" ]`, `"user:read", "x" ]`, 1)},
		{rule: "arrays of several lines", in: "s = [\n  \"a\", # a\n  # b\n  \"b\" # b\n]\nt = [\n  1,\n]\n", edits: []Edit{{Keys("s"), treeL("b")}, {Keys("s"), treeL("b", "c")}, {Keys("t"), treeL(1, 2)}}, out: "s = [\n  # b\n  \"b\", # b\n  \"c\"\n]\nt = [\n  1,\n  2,\n]\n"},
		{rule: "inline tables", in: "a = { b = 'x', c.d = 1 } # c\n", edits: append(append(treeSet("y", "a", "b"), treeSet("z", "a", "e")...), treeDel("a", "c", "d")...), out: "a = { b = 'y', e = \"z\", c = {} } # c\n"},
		{rule: "inline tables grow and shrink", in: "a = { b = 'x', f = 1 } # c\n[t]\n", edits: append(append(treeSet("y", "a", "b"), treeSet("z", "a", "e")...), treeDel("a", "f")...), out: "a = { b = 'y', e = \"z\" } # c\n[t]\n"},
		{rule: "dotted keys", in: "a . \"b c\" = 1\n[s]\nx.y = \"old\" # c\n", edits: append(append(treeSet("new", "s", "x", "y"), treeSet("v", "s", "x", "z")...), treeSet("w", "a", "k.l")...), out: "a . \"b c\" = 1\na.\"k.l\" = \"w\"\n[s]\nx.y = \"new\" # c\nx.z = \"v\"\n"},
		{rule: "a literal that cannot hold the value", in: "a = 'x'\nb = '''x'''\n", edits: append(treeSet("it's", "a"), treeSet("it's", "b")...), out: "a = \"it's\"\nb = '''it's'''\n"},
		{rule: "line ends stay", in: treeBOM + "# c\r\n[a]\r\nx = 1\r\n", edits: append(append(treeSet("l1\nl2", "a", "y"), treeSet("v", "b", "k")...), treeSet("r", "r")...), out: treeBOM + "r = \"r\"\r\n\r\n# c\r\n[a]\r\nx = 1\r\ny = \"l1\\nl2\"\r\n\r\n[b]\r\nk = \"v\"\r\n"},
		{rule: "no last line end stays so", in: "a = 1\n[t]\nb = 2", edits: append(append(treeSet("x", "t", "c"), treeSet("y", "u", "d")...), treeDel("t", "b")...), out: "a = 1\n[t]\nc = \"x\"\n[u]\nd = \"y\""},
		{rule: "comments only", in: "# a = 1\n", edits: treeSet("x", "a"), out: "# a = 1\na = \"x\"\n"},
		{rule: "a key goes before the first table and its comments", in: "# head\n\n# about t\n[t]\n", edits: treeSet("x", "a"), out: "# head\n\na = \"x\"\n\n# about t\n[t]\n"},
		{rule: "a whole table", in: tomlModal, edits: []Edit{{Keys("work"), treeM("token_id", "ak-new", "token_secret", "as-fake", "active", true, "sub", treeM("k", treeL(1, treeM("z", "q"))))}},
			out: strings.Replace(strings.Replace(tomlModal, "ak-fake\"", "ak-new\"", 1), "active = true\n", "active = true\n\n[work.sub]\nk = [1, { z = \"q\" }]\n", 1)},
		{rule: "a table becomes a value", in: tomlModal, edits: []Edit{{Keys("home"), Text("x")}}, out: "home = \"x\"\n\n" + strings.SplitAfter(tomlModal, "# my own\n")[0]},
		{rule: "there is no null", in: "a = 1\n", edits: []Edit{{Keys("a"), treeV(nil)}}, err: "TOML has no null"},
		{rule: "a number TOML cannot spell", in: "a = 1\n", edits: []Edit{{Keys("a"), &Node{Kind: Number, Text: "017"}}}, err: "not a number"},
	})
}

func TestTOMLDecode(t *testing.T) {
	for in, want := range map[string]string{
		"":            "{}",
		tomlSnowflake: `{"default_connection_name":"dev","connections":{"dev":{"account":"acc","user":"jane","password":"fake\nold","session":{"x":1}}},"log":{"level":"info"}}`,
		tomlWrangler:  `{"oauth_token":"fake","expiration_time":"2026-01-01T00:00:00.000Z","scopes":["account:read","user:read"]}`,
		"a = 0x1F\nb = 1_000\nc = inf\nd = 1.50\ne = [[1], [{x.y = 2}]]\n[[f]]\n[[f]]\n[f.g]\nh=1": `{"a":31,"b":1000,"c":"inf","d":1.50,"e":[[1],[{"x":{"y":2}}]],"f":[{},{"g":{"h":1}}]}`,
	} {
		if got := treeShow(t, toml{}, in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	n, err := toml{}.Decode([]byte(tomlHcloud))
	if err != nil || n.Get("contexts").Items[1].Line != 7 || n.Get("contexts").Items[1].Get("token").Line != 9 {
		t.Errorf("lines: %v, %v", n, err)
	}
}

func TestTOMLErrorsSayWhereAndQuoteNothing(t *testing.T) {
	for in, want := range map[string]string{
		"a = 1\na = \"fakesecret\"\n": "line 2, column 1: not valid TOML: a key or table is defined twice",
		"[a]\nfakesecret = 1\n[a]\n":  "line 3, column 2: not valid TOML: a key or table is defined twice",
		"a = fakesecret\n":            "line 1, column 5: not valid TOML",
		"a = \"fakesecret\n":          "line 1, column 16: not valid TOML: a string does not end",
		"a = 1\nb\n":                  "line 2, column 2: not valid TOML: expected an equals sign",
		"a = \"\\q\"":                 "line 1, column 6: not valid TOML: an unknown escape",
		"a = 1 b = 2":                 "line 1, column 7: not valid TOML: expected the end of the line",
		"a = [1":                      "not valid TOML: an array does not end",
		treeBOM + "a = \x01":          "line 1, column 8: not valid TOML",
		"a = \"\xff\"":                "line 1, column 6: not UTF-8",
		"a = " + strings.Repeat("[", 1200) + strings.Repeat("]", 1200): "values nest too deeply",
		"a = " + strings.Repeat("[", 1_000_000):                        "not valid TOML",
		strings.Repeat("a.", 1_000_000) + "b = 1":                      "values nest too deeply",
		"a = 99999999999999999999":                                     "line 1, column 5: not valid TOML",
		"a = 2026-13-01":                                               "line 1, column 10: not valid TOML",
	} {
		_, err := toml{}.Decode([]byte(in))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "fakesecret") {
			t.Errorf("%.60q: error %v, want %q", in, err, want)
		}
	}
}

func TestTOMLReadByPython(t *testing.T) {
	out, err := Apply(toml{}, []byte(tomlSnowflake), []Edit{
		{Keys("connections", "prod one", "password"), Text("é\u2028\x7f\"\\/\x00😀'''\r\n")}, {Keys("connections", "dev", "password"), Text("a\\\n\"\"\"\"b")},
		{Keys("connections", "prod one", "roles"), treeL("x", treeM("y", true))}, {Path: Keys("connections", "dev", "session")}, {Keys("top"), treeV(3)},
		{tomlContext("a", "b"), treeM("c", treeM("d", "e"))}, {tomlContext("f", "g"), treeL()},
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "-c", "import json,sys,tomllib; print(json.dumps(tomllib.loads(sys.stdin.buffer.read().decode())))")
	cmd.Stdin = strings.NewReader(string(out))
	read, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var want, got any
	if json.Unmarshal(read, &got) != nil || json.Unmarshal([]byte(treeShow(t, toml{}, string(out))), &want) != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("python reads\n%s\nfrom\n%s", read, out)
	}
}

func TestTOMLLawsOnManyTexts(t *testing.T) {
	treeStress(t, toml{}, []string{"a = ", "b = 1\n", "name = \"n\"\n", "c.d = 'x'\n", "  ", "\n", "\n", "[t]\n", "[t.u]\n", "[a.b]\n", "[[l]]\n", "[[l]]\n", "[[l.m]]\n", "[l.k]\n", "[x] # c\n", "# c #m\n", "# c #m\n", " # c #m\n", "1\n", "\"s\"\n", "\"\"\"\nx\ny\"\"\"\n",
		"'''z'''", "e = [1, 2] # c #m\n", "f = [\n  \"a\", # c #m\n  {name = \"n\", k=1},\n]\n", "g = { name = 'n', y.z = 2 }\n", "2026-01-01\n", "\r\n", "h.i.j = true\n", "\"q k\" = {}\n", "l = []\n", "[", "]", ",", "{", "}", "=", "k=0x1f\n", "m=inf"}, "#m")
}

func FuzzTOML(f *testing.F) {
	for _, s := range []string{"", tomlHcloud, tomlModal, tomlSnowflake, tomlWrangler, treeBOM + "a . \"b c\" = { x.y = 1, name = 'n' } #m\r\n[[l]]\r\n[l.m]\r\n[[l]]\r\nname='''\r\nx'''",
		"s = [\n  \"a\", #m\n  # b\n  {name = \"n\"} # b\n]\n", "[a.b]\n[a]\n[c]\nd.e.f = 1979-05-27 07:32:00 #m", "a = [[], [{}], # x\n]"} {
		f.Add([]byte(s), "key", "value")
		f.Add([]byte(s), "a b", "two\n'lines'\n")
	}
	f.Fuzz(func(t *testing.T, data []byte, key, value string) {
		treeFuzz(t, toml{}, data, key, value, "#m")
	})
}
