package codec

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// yamlGH is hosts.yml as gh writes it: four blanks, no quotes.
const yamlGH = `github.com:
    users:
        jane:
            oauth_token: fake-old
    git_protocol: https
    oauth_token: fake-old
    user: jane
`

// yamlKube is a kubeconfig as kubectl writes it: dashes under their key.
const yamlKube = `apiVersion: v1
clusters:
- cluster:
    server: https://dev.example
  name: dev
contexts:
- context:
    cluster: dev
    user: dev
  name: dev
current-context: dev
kind: Config
preferences: {}
users:
- name: dev
  user:
    token: fake-old # rotate me
# the end
`

const yamlScaleway = `# Scaleway configuration file
# https://www.scaleway.com/en/docs/

# The default profile.
access_key: SCWFAKE
secret_key: 11111111-1111-1111-1111-111111111111 # keep
# default_zone: fr-par-1

# profiles:
#   other:
#     access_key: x
`

func yamlUser(name string) Path { return Path{{Key: "users"}, {Field: "name", Equals: name}} }

func TestYAMLEdits(t *testing.T) {
	pem := "-----BEGIN FAKE-----\nabc\n-----END FAKE-----\n"
	treeRun(t, yaml{}, []treeCase{
		{rule: "replace keeps the plain style", in: yamlGH, edits: append(treeSet("fake-new", "github.com", "oauth_token"), treeSet("fake-new", "github.com", "users", "jane", "oauth_token")...),
			out: strings.ReplaceAll(yamlGH, "fake-old", "fake-new")},
		{rule: "a new mapping follows the indentation of the file", in: yamlGH, edits: []Edit{{Keys("github.com", "users", "joe", "oauth_token"), Text("fake")}, {Keys("ghe.example", "user"), Text("joe")}},
			out: strings.Replace(yamlGH, "fake-old\n", "fake-old\n        joe:\n            oauth_token: fake\n", 1) + "ghe.example:\n    user: joe\n"},
		{rule: "an inline comment stays", in: yamlKube, edits: []Edit{{append(yamlUser("dev"), Keys("user", "token")...), Text("fake-new")}}, out: strings.Replace(yamlKube, "fake-old", "fake-new", 1)},
		{rule: "a new list entry follows the dashes of the file", in: yamlKube,
			edits: []Edit{{append(yamlUser("prod"), Step{Key: "user"}), treeM("client-certificate-data", "RkFLRQ==", "exec", treeM("args", treeL("a", "-b"), "env", nil))}},
			out:   strings.Replace(yamlKube, "# the end", "- name: prod\n  user:\n    client-certificate-data: RkFLRQ==\n    exec:\n      args:\n      - a\n      - \"-b\"\n      env: null\n# the end", 1)},
		{rule: "setting a whole entry touches only what differs", in: yamlKube, edits: []Edit{{yamlUser("dev"), treeM("name", "dev", "user", treeM("token", "fake-new", "as", "x"))}},
			out: strings.Replace(yamlKube, "fake-old # rotate me", "fake-new # rotate me\n    as: x", 1)},
		{rule: "removing the only list entry leaves an empty list", in: yamlKube, edits: []Edit{{Path: yamlUser("dev")}},
			out: strings.Replace(yamlKube, "users:\n- name: dev\n  user:\n    token: fake-old # rotate me\n", "users: []\n", 1)},
		{rule: "removing the first key after a dash moves the next one up", in: yamlKube, edits: []Edit{{Path: append(yamlUser("dev"), Step{Key: "name"})}},
			out: strings.Replace(yamlKube, "- name: dev\n  user:", "- user:", 1)},
		{rule: "an empty flow mapping becomes a block", in: yamlKube, edits: treeSet("v", "preferences", "k"), out: strings.Replace(yamlKube, "preferences: {}", "preferences:\n  k: v", 1)},
		{rule: "null gives way to a list", in: "apiVersion: v1\nusers: null\nkind: Config\n", edits: []Edit{{append(yamlUser("a"), Keys("user", "token")...), Text("t")}},
			out: "apiVersion: v1\nusers:\n- name: a\n  user:\n    token: t\nkind: Config\n"},
		{rule: "nothing gives way to a list, its comment stays", in: "users: # mine\nkind: Config\n", edits: []Edit{{append(yamlUser("a"), Keys("user", "token")...), Text("t")}},
			out: "users: # mine\n- name: a\n  user:\n    token: t\nkind: Config\n"},
		{rule: "comments of a template stay", in: yamlScaleway, edits: append(treeSet("22222222-2222-2222-2222-222222222222", "secret_key"), treeSet("x", "profiles", "other", "access_key")...),
			out: strings.Replace(strings.Replace(yamlScaleway, "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222", 1), "# keep\n", "# keep\nprofiles:\n  other:\n    access_key: x\n", 1)},
		{rule: "a file of comments only", in: "# access_key: x\n", edits: treeSet("w", "access_key"), out: "# access_key: x\naccess_key: w\n"},
		{rule: "a missing file", in: "", edits: treeSet("w", "a", "b"), out: "a:\n  b: w\n"},
		{rule: "a mark and an unfinished comment", in: treeBOM + "# c", edits: treeSet("w", "a"), out: treeBOM + "# c\na: w"},
		{rule: "an empty document with markers", in: "%YAML 1.2\n--- # c\n...\n", edits: treeSet("w", "a"), out: "%YAML 1.2\n--- # c\na: w\n...\n"},
		{rule: "line ends stay", in: "a: 1\r\nb:\r\n  - x\r\n", edits: append(treeSet(pem, "c"), Edit{Keys("b"), treeL("x", "w")}), out: "a: 1\r\nb:\r\n  - x\r\n  - w\r\nc: |\r\n  -----BEGIN FAKE-----\r\n  abc\r\n  -----END FAKE-----\r\n"},
		{rule: "no last line end stays so", in: "a: 1\nb: 2", edits: append(treeSet("x", "c"), treeSet("y", "b")...), out: "a: 1\nb: \"y\"\nc: x"},
		{rule: "removing the last line keeps it so", in: "a: 1\nb: 2", edits: treeDel("b"), out: "a: 1"},
		{rule: "quotes stay", in: "a: 'x'\nb: \"x\"\nc: x\n", edits: append(append(treeSet("it's", "a"), treeSet("plain", "b")...), treeSet("a: b", "c")...), out: "a: 'it''s'\nb: \"plain\"\nc: \"a: b\"\n"},
		{rule: "a literal block stays one", in: "k: |  # pem\n    old\n    old2\n\nz: 1\n", edits: treeSet(pem, "k"), out: "k: |  # pem\n  -----BEGIN FAKE-----\n  abc\n  -----END FAKE-----\n\nz: 1\n"},
		{rule: "a literal block without last line end", in: "k: old # pem\nz: 1\n", edits: treeSet("a\n\n b", "k"), out: "k: |- # pem\n  a\n\n   b\nz: 1\n"},
		{rule: "a literal block gives way", in: "k: |\n  a\n  b\nz: 1\n", edits: []Edit{{Keys("k"), treeM("x", 1)}}, out: "k:\n  x: 1\nz: 1\n"},
		{rule: "a folded line stays folded", in: "k: >-\n  a\n  b\nz: 1\n", edits: treeSet("new", "k"), out: "k: >-\n  new\nz: 1\n"},
		{rule: "text that no block can hold is quoted", in: "k: x\n", edits: treeSet(" a\n\tb\n\n", "k"), out: "k: \" a\\n\\tb\\n\\n\"\n"},
		{rule: "a scalar of several lines is replaced whole", in: "a: one\n  two\n\n  three # c\nb: 'x\n\n  y'\nc: \"p\\\n  q\"\n", edits: append(append(treeSet("A", "a"), treeSet("B", "b")...), treeSet("C", "c")...), out: "a: A # c\nb: 'B'\nc: \"C\"\n"},
		{rule: "a value on the next line stays there", in: "a:\n  # why\n  old # c\nb: 1\n", edits: treeSet("new", "a"), out: "a:\n  # why\n  new # c\nb: 1\n"},
		{rule: "flow collections", in: "a: {b: x, c: [1, {name: n, t: old}]} # c\n", edits: []Edit{{Keys("a", "b"), Text("x,y")}, {Path{{Key: "a"}, {Key: "c"}, {Field: "name", Equals: "n"}, {Key: "t"}}, Text("new")}, {Keys("a", "d"), treeM("e", treeL("f"))}},
			out: "a: {b: \"x,y\", c: [1, {name: n, t: new}], d: {e: [f]}} # c\n"},
		{rule: "JSON is YAML and stays JSON", in: "{\n  \"a\": {\n    \"b\": \"x\"\n  }\n}\n", edits: append(treeSet("y", "a", "b"), treeSet("z", "a", "c")...), out: "{\n  \"a\": {\n    \"b\": \"y\",\n    \"c\": \"z\"\n  }\n}\n"},
		{rule: "remove from flow collections", in: "a: {b: 1, c: 2, d: 3}\nl: [{name: x}, {name: y}]\n", edits: append(append(treeDel("a", "b"), treeDel("a", "d")...), Edit{Path: Path{{Key: "l"}, {Field: "name", Equals: "y"}}}), out: "a: {c: 2}\nl: [{name: x}]\n"},
		{rule: "a key without a value in a flow mapping", in: "{a, b: 1}\n", edits: treeSet("x", "a"), out: "{a : x, b: 1}\n"},
		{rule: "a block list replaced by a scalar", in: "a: # c\n  # d\n  - 1\n  - 2\nb: 3\n", edits: treeSet("x", "a"), out: "a: x # c\n  # d\nb: 3\n"},
		{rule: "removing all keys of a mapping", in: "a: # c\n  b: 1 # d\n  # e\n", edits: treeDel("a", "b"), out: "a: {} # c\n  # e\n"},
		{rule: "removing all keys of a document", in: "# c\na: 1\nb:\n- 2\n", edits: append(treeDel("a"), treeDel("b")...), out: "# c\n"},
		{rule: "comments before the next key stay when one is removed", in: "a: 1\n# about b\nb:\n  c: 1 # c\n  # in b\n# about d\nd: 1\n", edits: treeDel("b"), out: "a: 1\n# about b\n  # in b\n# about d\nd: 1\n"},
		{rule: "an entry goes before comments that follow", in: "a:\n  b: 1\n  # c: 2\n\n# about d\nd: 3\n", edits: treeSet("x", "a", "e"), out: "a:\n  b: 1\n  e: x\n  # c: 2\n\n# about d\nd: 3\n"},
		{rule: "keys are quoted where needed", in: "a: 1\n", edits: []Edit{{Keys("on"), Text("x")}, {Keys("b: c"), Text("x")}, {Keys("https://api.replicate.com", "token"), Text("x")}, {Keys("<<"), Text("x")}}, out: "a: 1\n\"on\": x\n\"b: c\": x\nhttps://api.replicate.com:\n  token: x\n\"<<\": x\n"},
		{rule: "characters beyond ASCII", in: "ключ: \"é\" # ü\nb: {ö: ä, k: v}\n", edits: append(treeSet("日本", "ключ"), treeSet("\u0085\u2028", "b", "ö")...), out: "ключ: \"日本\" # ü\nb: {ö: \"\\u0085\\u2028\", k: v}\n"},
		{rule: "tabs between tokens", in: "a:\told\t# c\nb: [\tx\t]\n", edits: append(treeSet("new", "a"), Edit{Keys("b"), treeL("w")}), out: "a:\tnew\t# c\nb: [\tw\t]\n"},
		{rule: "a tag goes with its value", in: "a: !!str 12 # c\nb: 1\n", edits: treeSet("13", "a"), out: "a: \"13\" # c\nb: 1\n"},
		{rule: "an anchor that nothing uses stays", in: "a: &x old\nb: &y\n  c: 1\n", edits: append(treeSet("new", "a"), treeSet("d", "b", "e")...), out: "a: &x new\nb: &y\n  c: 1\n  e: d\n"},
		{rule: "an anchor in use is left alone", in: "a: &x\n  b: 1\nc: *x\n", edits: treeSet("2", "a", "b"), err: "line 1: the value is shared"},
		{rule: "so is an alias", in: "a: &x\n  b: 1\nc: *x\n", edits: treeSet("2", "c", "b"), err: "line 3: the value is shared"},
		{rule: "and a mapping that holds one", in: "a:\n  d: &x\n    b: 1\nc: *x\n", edits: treeDel("a"), err: "the value is shared"},
		{rule: "beside an anchor edits are fine", in: "a: &x\n  b: 1\nc: *x\nd: old\n", edits: treeSet("new", "d"), out: "a: &x\n  b: 1\nc: *x\nd: new\n"},
		{rule: "what a merge key brings is left alone", in: "a: &x\n  b: 1\nc:\n  <<: *x\n  d: 2\n", edits: treeSet("2", "c", "b"), err: "merge key"},
		{rule: "what stands beside a merge key is not", in: "a: &x\n  b: 1\nc:\n  <<: *x\n  d: 2\n", edits: treeSet("3", "c", "d"), out: "a: &x\n  b: 1\nc:\n  <<: *x\n  d: \"3\"\n"},
		{rule: "several documents are not edited", in: "a: 1\n---\nb: 2\n", edits: treeSet("2", "a"), err: "several documents"},
		{rule: "a document with an end marker", in: "---\na: 1\n...\n", edits: treeSet("x", "b"), out: "---\na: 1\nb: x\n...\n"},
		{rule: "explicit keys", in: "? a\n: old\n? b\n: 2\n", edits: append(treeSet("new", "a"), treeDel("b")...), out: "? a\n: new\n"},
		{rule: "nested dashes", in: "l:\n  -   name: x\n      k: 1\n", edits: []Edit{{Path{{Key: "l"}, {Field: "name", Equals: "w"}, {Key: "k"}}, treeM("z", 1)}}, out: "l:\n  -   name: x\n      k: 1\n  -   name: w\n      k:\n        z: 1\n"},
		{rule: "kinds are kept apart", in: "a: 1\n", edits: []Edit{{Keys("a"), treeV(true)}, {Keys("b"), treeV(12)}, {Keys("c"), treeV("12")}, {Keys("d"), treeV(nil)}, {Keys("e"), treeL()}, {Keys("f"), treeM()}}, out: "a: true\nb: 12\nc: \"12\"\nd: null\ne: []\nf: {}\n"},
		{rule: "text after a block without line end", in: "a: |\n  x", edits: treeSet("y", "b"), err: "without a line end"},
		{rule: "a document that is a list", in: "# c\n- name: a\n  password: old\n", edits: []Edit{{Path{{Field: "name", Equals: "a"}, {Key: "password"}}, Text("new")}, {Path{{Field: "name", Equals: "b"}, {Key: "password"}}, Text("x")}},
			out: "# c\n- name: a\n  password: new\n- name: b\n  password: x\n"},
		{rule: "bytes that are not text are refused", in: "a: 1\n", edits: treeSet("\xff", "a"), err: "not UTF-8"},
	})
}

func TestYAMLDecode(t *testing.T) {
	for in, want := range map[string]string{
		"": "{}", "# c\n": "{}", "---\n": "{}", "~": "null", "--- x\n": `"x"`, "a: b\n---\nc: d\n": `{"a":"b"}`,
		"a: 1\nb: 0x1f\nc: 1.50\nd: yes\ne: True\nf: 2001-01-01\ng: ~\nh: '1'\ni: 1:30\n": `{"a":1,"b":31,"c":1.50,"d":"yes","e":true,"f":"2001-01-01","g":null,"h":"1","i":"1:30"}`,
		"a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\ne: [*x]\n":                                `{"a":{"b":1,"c":2},"d":{"c":3,"b":1},"e":[{"b":1,"c":2}]}`,
		"x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz:\n  <<: [*x, *y]\n":                          `{"x":{"a":1},"y":{"a":2,"b":2},"z":{"a":1,"b":2}}`,
		treeBOM + "%YAML 1.2\n---\n1: a\ntrue: b\n":                                       `{"1":"a","true":"b"}`,
		"a: !custom x\nb: !!binary RkFLRQ==\n":                                            `{"a":"x","b":"RkFLRQ=="}`,
	} {
		if got := treeShow(t, yaml{}, in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestYAMLErrorsSayWhereAndQuoteNothing(t *testing.T) {
	bomb := "a: &a [x]\n"
	for c := 'b'; c < 'k'; c++ {
		p := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+p+",", 9), ",") + "]\n"
	}
	for in, want := range map[string]string{
		"a: 1\nb: *fakesecret\n":                    "line 2: an alias names an anchor",
		"a: fakesecret: c\n":                        "line 1: not valid YAML: mapping values are not allowed",
		"a:\n  b: 1\n c: fakesecret\n":              "line 3: not valid YAML: did not find expected key",
		"a: 1\n\tb: 2\n":                            "line 2: not valid YAML: found",
		"a: 1\nb: [1, 2\nc: 3\n":                    "line 2: not valid YAML",
		"a: \"fakesecret":                           "line 1: not valid YAML: found unexpected end of stream",
		"a: 1\nb: 2\na: 3\n":                        "line 3: a key stands twice",
		"a: 1\n\"a\": 3\n":                          "line 2: a key stands twice",
		"a: 1\n? [x]\n: y\n":                        "line 2: a key that is not a plain text",
		"a: x\nb: \x01\n":                           "line 2, column 4: a control character",
		"a: \xff\n":                                 "line 1, column 4: not UTF-8",
		"\xff\xfea\x00:\x00":                        "not UTF-8",
		"a: &a\n  b: *a\n":                          "values nest too deeply",
		bomb:                                        "aliases expand to too many values",
		"a:\n  <<: 1\n":                             "line 2: a merge key needs a mapping",
		"a: !!int fakesecret\n":                     "line 1: a value does not fit its tag",
		strings.Repeat("[", 2000):                   "",
		strings.Repeat("[", 20_000):                 "exceeded max depth",
		strings.Repeat("- ", 2000) + "x":            "line 1: values nest too deeply",
		strings.Repeat("a: 1\n---\n", 1) + "b: [\n": "line 4: not valid YAML",
	} {
		_, err := yaml{}.Decode([]byte(in))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "fakesecret") {
			t.Errorf("%.60q: error %v, want %q", in, err, want)
		}
	}
}

func TestYAMLQuotesWhatAnyReaderTakesForAnotherType(t *testing.T) {
	for _, s := range []string{"", "123", "-1", "+1", "1e3", "123e45", "0x1f", "0o17", "017", "0b11", "1_000", "1.5", ".5", "5.", "1:30", "190:20:30", "190:20:30.15", ".inf", "-.INF", ".NaN",
		"true", "False", "yes", "No", "ON", "off", "y", "N", "~", "null", "Null", "=", "<<", "2001-01-01", "2001-1-1 10:00:00", "2001-01-01T10:00:00Z", "- x", "-x", "? x", ": x", "x: y", "x #y", "x:", " x", "x ",
		"[x", "{x", "&x", "*x", "!x", "|x", ">x", "'x", "\"x", "%x", "@x", "`x", "#x", ",x", "...", "a\tb", "a\u0085b", "a\ufeffb", "\u00a0x"} {
		if yamlPlainSafe(s, false) {
			t.Errorf("%q would stand without quotes", s)
		}
	}
	for _, s := range []string{"x", "fake-token", "11111111-1111-1111-1111-111111111111", "10.0.0.1", "a#b", "a:b", "https://x.example/?a=b", "abc123", "0xyz", "x,y", "é", "RkFLRQ==", "v1.2.3", "/etc/x", "~x", "a b"} {
		if !yamlPlainSafe(s, false) {
			t.Errorf("%q would be quoted for no reason", s)
		}
	}
}

func TestYAMLReadByKubectl(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	cert := strings.Repeat("RkFL", 100)
	out, err := Apply(yaml{}, []byte(yamlKube), []Edit{
		{append(yamlUser("yes"), Step{Key: "user"}), treeM("client-certificate-data", cert, "username", "yes", "password", "1e3 #:\"'")},
		{Path{{Key: "contexts"}, {Field: "name", Equals: "yes"}, {Key: "context"}}, treeM("cluster", "dev", "user", "yes")},
		{Keys("current-context"), Text("yes")},
		{Path: yamlUser("dev")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out, 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := exec.Command("kubectl", "--kubeconfig", file, "config", "view", "--raw", "-o", "json").Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var want, got any
	if json.Unmarshal(read, &got) != nil || json.Unmarshal([]byte(treeShow(t, yaml{}, string(out))), &want) != nil {
		t.Fatalf("not JSON: %s", read)
	}
	delete(got.(map[string]any), "preferences")
	delete(want.(map[string]any), "preferences")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("kubectl reads\n%s\nfrom\n%s", read, out)
	}
}

func FuzzYAML(f *testing.F) {
	for _, s := range []string{"", yamlGH, yamlKube, yamlScaleway, "a: &x {b: 1, c: [1, 2,]}\nd: {<<: *x, c: 3} #m\ne: [*x]\n", "%YAML 1.2\n---\n- - a\n  - b: |+\n\n      x\n\n- >-\n  f\n...\n",
		"a: 'x\n\n  y' #m\nb: \"p\\\n  q\"\nc: one\n  two\n", "? a\n: b\n? c\n", "{a, \"b\":c, ? d : e,\n # x\n}", treeBOM + "k:\r\n  - n: 1\r\n\r\n    m: !!str x\r\n", "a:\n  # why #m\n  old # c\nb: !t\n  &x\n  c: 1\n",
		"l:\n-\n  a: 1\n- name: n\n  # x\n  k: |2-\n     y\n", "- [a: b, c]\n- {}\n- ~\n-\n", "a: |\n  x", "--- {}\n", "a: \"\\ud83d\\ude00\"\nb: ! x\n"} {
		f.Add([]byte(s), "key", "value")
		f.Add([]byte(s), "on", "two\nlines\n")
		f.Add([]byte(s), "a b", " 12: 'x' #y")
	}
	f.Fuzz(func(t *testing.T, data []byte, key, value string) {
		treeFuzz(t, yaml{}, data, key, value, "#m")
	})
}

func TestYAMLLawsOnManyTexts(t *testing.T) {
	treeStress(t, yaml{}, []string{"a: ", "b:\n", "c: x\n", "name: n\n", "  ", "  ", "    ", "\n", "\n", "- ", "-\n", "- name: n\n", "  - ", "# c #m\n", " # c #m\n", "x", "y z", "'q'", "\"d\\n\"", "'m\n\n  n'", "|\n", ">-\n", "|+\n", "|2\n",
		"&a ", "*a", "!!str ", "!t ", "! ", "{", "}", "[", "]", ", ", ",", ": ", "? ", "~", "12", "\t", "\r\n", "---\n", "...\n", "{}", "[]", "é", "<<: ", "  text\n", "{a: 1, b}", "[x, {name: n}]", "\"k\":", "#\n"}, "#m")
}

// When the first key of a list's item goes, the next one takes its place behind the
// dash, and no comment goes with it but that on its own line.
func TestYAMLRemovesTheFirstKeyOfAnItem(t *testing.T) {
	at := func(key string) []Edit {
		return []Edit{{Path: Path{{Key: "l"}, {Field: "n", Equals: "1"}, {Key: key}}}}
	}
	runEdits(t, yaml{}, []editCase{
		{"the next one moves up", "l:\n- a: x\n  n: 1\n  b: y\n", at("a"), "l:\n- n: 1\n  b: y\n"},
		{"with the comment behind it", "l:\n- a: x # gone\n  n: 1 # stays\n", at("a"), "l:\n- n: 1 # stays\n"},
		{"a comment between stays", "l:\n- a: x\n  # about n\n  n: 1\n", at("a"), "l:\n-\n  # about n\n  n: 1\n"},
		{"with its indentation", "l:\n  -   a: x\n\n      # about n\n      n: 1\n", at("a"), "l:\n  -\n\n      # about n\n      n: 1\n"},
		{"a comment above stays", "l:\n# about the item\n- a: x\n  n: 1\n", at("a"), "l:\n# about the item\n- n: 1\n"},
		{"a value of several lines goes whole", "l:\n- a: |\n    x\n    y\n  n: 1\n", at("a"), "l:\n- n: 1\n"},
		{"in a file with CRLF", "l:\r\n- a: x\r\n  # c\r\n  n: 1\r\n", at("a"), "l:\r\n-\r\n  # c\r\n  n: 1\r\n"},
	})
}
