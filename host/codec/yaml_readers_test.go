package codec

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// typed are texts that some reader takes for another value than text.
var typed = []string{
	"yes", "Yes", "NO", "on", "off", "y", "N", "true", "False", "null", "Null", "~", "0x1F", "0o17", "017", "0b11", "1_000", "1e3", "1E+3", "1.", ".5", "-.5", "+1",
	".inf", "-.INF", "+.Inf", ".NaN", "2001-01-02", "2001-1-2 3:4:5", "2001-12-14t21:59:43.10-05:00", "12:30:45", "190:20:30.15", "1.50", "0", "-0", "12345", "=", "<<", "685_230.15",
}

func TestYAMLScalarsThatReadersTypeDifferently(t *testing.T) {
	for _, text := range typed {
		for before, after := range map[string]string{
			"token: " + text + "\n":     "token: %q\n",
			"{a: " + text + ", b: 1}\n": "{a: %q, b: 1}\n",
			"- k: old\n":                "- k: %q\n",
			"a: {b: old}\nc: 'old'\n":   "a: {b: %q}\nc: 'old'\n",
			"token: old # mine\nb: 2\n": "token: %q # mine\nb: 2\n",
			"token: &x " + text + "\n":  "token: &x %q\n",
		} {
			root, err := yaml{}.Decode([]byte(before))
			if err != nil {
				t.Fatalf("%q: %v", before, err)
			}
			path := scalarPath(root)
			tree, err := root.with(path, Text(text))
			if err != nil {
				t.Fatal(err)
			}
			out, err := Apply(yaml{}, []byte(before), []Edit{{Value: tree}})
			if want := fmt.Sprintf(after, text); err != nil || string(out) != want {
				t.Errorf("%q in %q: %v\n got %q\nwant %q", text, before, err, out, want)
			}
		}
	}
	for _, text := range []string{"yesterday", "nothing", "1.2.3", "0xyz", "v1", "2001-01", "12:30x", "a1e3", "infinity", "nan"} {
		if out, err := Apply(yaml{}, nil, set(text, "k")); err != nil || !strings.Contains(string(out), text) {
			t.Errorf("%q: %v", out, err)
		}
		if n, err := (yaml{}).Decode([]byte("k: " + text)); err != nil || n.Get("k").Disputed {
			t.Errorf("%q is text for all: %v", text, err)
		}
	}
	for text, disputed := range map[string]bool{"1": false, "0": false, "-12": false, "1.5": false, "0.0": false, "1.50": true, "-0": true, "012": true, "1234567890123456": true, "1e3": true, "'yes'": false, "\"1\"": false, "!!str yes": false, "true": false, "null": false} {
		if n, err := (yaml{}).Decode([]byte("k: " + text)); err != nil || n.Get("k").Disputed != disputed {
			t.Errorf("%q: disputed is not %v: %v", text, disputed, err)
		}
	}
}

// A value that readers dispute may be copied: it is written as what it is here.
func TestYAMLCopiesOfDisputedValues(t *testing.T) {
	file := "a: {k: yes, l: [no]}\n"
	root, err := yaml{}.Decode([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	out, err := Apply(yaml{}, []byte(file), []Edit{{Keys("b"), root.Get("a")}, {Keys("a"), root.Get("a")}})
	if want := file + "b:\n  k: \"yes\"\n  l:\n  - \"no\"\n"; err != nil || string(out) != want {
		t.Errorf("%v\n got %q\nwant %q", err, out, want)
	}
	if !root.AnyDisputed() {
		t.Error("the tree was changed")
	}
}

// scalarPath leads to the first value in a tree that has no lists beside the way.
func scalarPath(n *Node) Path {
	switch {
	case n.Kind == Map:
		return append(Keys(n.Pairs[0].Key), scalarPath(n.Pairs[0].Value)...)
	case n.Kind == List && n.Items[0].Kind == Map:
		p := n.Items[0].Pairs[0]
		return Path{{Field: p.Key, Equals: p.Value.Text}, {Key: p.Key}}
	}
	return nil
}

// A document in JSON stays one, and what is written in brackets like JSON.
func TestYAMLThatIsJSON(t *testing.T) {
	at := func(keys ...string) Path {
		return Path{{Key: "users"}, {Field: "name", Equals: "c"}, {Key: "user"}}
	}
	add := []Edit{{at(), group("token", "yes")}}
	runEdits(t, yaml{}, []editCase{
		{"on one line", `{"users":[{"name":"a","user":{"token":"x"}}]}`, add, `{"users":[{"name":"a","user":{"token":"x"}},{"name":"c","user":{"token":"yes"}}]}`},
		{"on many lines", "{\n  \"users\": [\n    {\n      \"name\": \"a\"\n    }\n  ]\n}\n", add, "{\n  \"users\": [\n    {\n      \"name\": \"a\"\n    },\n    {\n      \"name\": \"c\",\n      \"user\": {\n        \"token\": \"yes\"\n      }\n    }\n  ]\n}\n"},
		{"with another kind of value in the place", "{\"users\": null}\n", add, "{\"users\": [{\"name\": \"c\", \"user\": {\"token\": \"yes\"}}]}\n"},
		{"an entry is taken out", `{"a":1,"users":[{"name":"c"}]}`, remove("a"), `{"users":[{"name":"c"}]}`},
		{"all are", `{"a":1}`, remove("a"), `{}`},
		{"an empty one may become YAML", "{}\n", set("1", "a"), "a: \"1\"\n"},
		{"JSON inside YAML", "users: [{\"name\": \"a\"}]\n", add, "users: [{\"name\": \"a\"}, {\"name\": \"c\", \"user\": {\"token\": \"yes\"}}]\n"},
		{"and what is none", "users: [{name: a}]\n", add, "users: [{name: a}, {name: c, user: {token: \"yes\"}}]\n"},
	})
	for _, file := range []string{`{"users":[{"name":"a"}],"k":"ü\u00e9"}`, "\ufeff{\"users\": [], \"n\": 1.50}", "[\n\t{\"a\": 1}\n]"} {
		root, err := yaml{}.Decode([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		edits := add
		if root.Kind == List {
			edits = []Edit{{Path{{Field: "a", Equals: "1"}, {Key: "b"}}, Text("\u2028")}}
		}
		out, err := Apply(yaml{}, []byte(file), edits)
		if err != nil || !json.Valid([]byte(strings.TrimPrefix(string(out), bom))) {
			t.Errorf("%q became %q: %v", file, out, err)
		}
	}
}

// kubectl reads every token as it was written.
func TestKubectlReadsTokens(t *testing.T) {
	tokens := append([]string{"plain", "a: b", "#x", "a #b", "'", "\"", "\\", "- a", "é", "\n", "a\nb\n", "\t", "@", "`", "%", "!x", "&a", "*a", "[", "{", "|", ">"}, typed...)
	for _, file := range []string{"", "{\"kind\": \"Config\", \"apiVersion\": \"v1\", \"users\": []}\n"} {
		var edits []Edit
		for i, text := range tokens {
			edits = append(edits, Edit{Path{{Key: "users"}, {Field: "name", Equals: fmt.Sprint("u", i)}, {Key: "user"}}, group("token", text)})
		}
		out, err := Apply(yaml{}, []byte(file), edits)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(path, out, 0o600); err != nil {
			t.Fatal(err)
		}
		raw, err := exec.Command("kubectl", "config", "view", "--raw", "-o", "json", "--kubeconfig", path).Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var got struct {
			Users []struct {
				Name string
				User struct{ Token string }
			}
		}
		if err := json.Unmarshal(raw, &got); err != nil || len(got.Users) != len(tokens) {
			t.Fatalf("%v, %d users", err, len(got.Users))
		}
		for _, u := range got.Users {
			var i int
			if _, err := fmt.Sscanf(u.Name, "u%d", &i); err != nil || u.User.Token != tokens[i] {
				t.Errorf("kubectl reads %q, not %q: %v", u.User.Token, tokens[i], err)
			}
		}
	}
}

// What is not disputed, PyYAML (YAML 1.1), ruamel.yaml (1.2) and sigs.k8s.io/yaml (which
// kubectl has) read as this package does; and text that it writes.
func TestSoakYAMLReaders(t *testing.T) {
	python, golang := startPython(t), startGo(t)
	processes := map[string]*reference{"pyyaml": python, "ruamel": python, "sigs-yaml": golang}
	words := []string{"0", "1", "7", "12", "_", ".", "-", "+", "e", "E", "x", "o", "b", "0x", "0o", ":", "yes", "No", "on", "true", "null", "~", "inf", "nan", "T", "Z", " ", "2001-01-02", "y", "a", "f", "#", "=", "<", "'", ","}
	kinds := map[Kind]string{Null: "null", Bool: "bool", Number: "number", String: "string"}
	checked := 0
	soak(t, func(t *testing.T, r *rand.Rand) {
		for range 300 {
			text := randomText(r, words, 4)
			file := "k: " + text + "\n"
			root, err := yaml{}.Decode([]byte(file))
			if n := root.Get("k"); err == nil && n.Scalar() && !n.Disputed {
				checked++
				for reader, process := range processes {
					raw, ok := process.ask(reader, []byte(file))
					var got struct{ Map [][2]map[string]string }
					if err := json.Unmarshal(raw, &got); !ok || err != nil || len(got.Map) != 1 || got.Map[0][1][kinds[n.Kind]] != n.Text || len(got.Map[0][1]) != 1 {
						t.Errorf("%s reads %q as %s, and not as %s %q", reader, file, raw, kinds[n.Kind], n.Text)
					} else if _, right := got.Map[0][1][kinds[n.Kind]]; !right {
						t.Errorf("%s reads %q as %s, and not as a %s", reader, file, raw, kinds[n.Kind])
					}
				}
			}
			out, err := Apply(yaml{}, []byte("k: old\n"), set(text, "k"))
			if err != nil {
				t.Fatal(err)
			}
			for reader, process := range processes {
				raw, _ := process.ask(reader, out)
				if want, _ := json.Marshal(map[string]any{"map": [][2]any{{map[string]string{"string": "k"}, map[string]string{"string": text}}}}); !sameJSON(raw, want) {
					t.Errorf("%s reads %s from %q, not %s", reader, raw, out, want)
				}
			}
		}
	})
	if checked < 50 {
		t.Errorf("only %d scalars were compared", checked)
	}
}

func sameJSON(a, b []byte) bool {
	m, errA := FromJSON(a)
	n, errB := FromJSON(b)
	return errA == nil && errB == nil && same(m, n)
}
