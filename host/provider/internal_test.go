package provider

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/spec"
)

// What a key's "as" makes of a text, in both ways.
func TestAs(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct{ as, text, value, err string }{
		{"", " a ", " a ", ""},
		{"number", "1", "1", ""},
		{"bool", "x", "x", ""},
		{"trim", " a\n", "a", ""},
		{"base64", b64("a"), "a", ""},
		{"base64", "%", "", errShape.Error()},
		{"basic-user", b64("u:p:q"), "u", ""},
		{"basic-password", b64("u:p:q"), "p:q", ""},
		{"basic-password", b64("u:p\x00\x00"), "p", ""},
		{"basic-user", b64("u"), "", errShape.Error()},
		{"basic-user", "%", "", errShape.Error()},
		{"basic-password", "%", "", errShape.Error()},
		{"basic-user", b64("u:p") + "!", "", errShape.Error()},
		{"basic-password", b64("no colon"), "", errShape.Error()},
		{"url-user", "https://u:p%40@h/x", "u", ""},
		{"url-password", "https://u:p%40@h/x", "p@", ""},
		{"url-password", "https://u@h/x", "", ""},
		{"url-user", "https://h/x", "", errShape.Error()},
		{"url-password", "https://h/x", "", errShape.Error()},
		{"url-user", "%zz", "", errShape.Error()},
	} {
		got, err := decodeAs(c.as, c.text)
		if got != c.value || text(err) != c.err {
			t.Errorf("decode %s %q: %q %v", c.as, c.text, got, err)
		}
	}
	for _, c := range []struct{ as, old, value, text, err string }{
		{"", "old", "v", "v", ""},
		{"number", "", "1.5", "1.5", ""},
		{"number", "", "x", "", "it is not a number"},
		{"bool", "", "false", "false", ""},
		{"bool", "", "1", "", "it is not a bool"},
		{"trim", "", "v", "v", ""},
		{"trim", " \n", "v", "v", ""},
		{"trim", " a a\n", "v", " v\n", ""},
		{"base64", "x", "v", b64("v"), ""},
		{"basic-user", "", "u", b64("u:"), ""},
		{"basic-user", b64("o:p"), "u", b64("u:p"), ""},
		{"basic-user", b64("o:p"), "a:b", "", "a user name with a colon cannot be written as USER:PASSWORD"},
		{"basic-user", "%", "u", "", errShape.Error()},
		{"basic-password", "", "p", b64(":p"), ""},
		{"basic-password", b64("u:o"), "p:q", b64("u:p:q"), ""},
		{"url-user", "https://o:p@h/x", "u", "https://u:p@h/x", ""},
		{"url-user", "https://h/x", "u", "https://u:@h/x", ""},
		{"url-password", "https://u:o@h/x", "p/", "https://u:p%2F@h/x", ""},
		{"url-password", "", "p", "", errShape.Error()},
		{"url-password", "/x", "p", "", errShape.Error()},
		{"url-user", "%zz", "u", "", errShape.Error()},
	} {
		got, err := encodeAs(c.as, c.old, c.value)
		if got != c.text || text(err) != c.err {
			t.Errorf("encode %s %q into %q: %q %v", c.as, c.value, c.old, got, err)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Two documents are one: the first one's entries count, by key and by name.
func TestMerge(t *testing.T) {
	doc := func(text string) *codec.Node {
		n, err := codec.FromJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct{ first, second, want string }{
		{`{"a":1}`, `{"a":2,"b":3}`, `{"a":1,"b":3}`},
		{`{"a":null}`, `{"a":2}`, `{"a":2}`},
		{`{"l":[{"n":"x","v":1}]}`, `{"l":[{"n":"x","v":2},{"n":"y"},{"v":3},{"n":{}},4]}`, `{"l":[{"n":"x","v":1},{"n":"y"}]}`},
		{`{"l":[{"v":1},5]}`, `{"l":[{"n":"x"},{"n":"x"}]}`, `{"l":[{"v":1},5,{"n":"x"},{"n":"x"}]}`},
		{`{"l":[]}`, `{"l":"text"}`, `{"l":[]}`},
		{`{"l":"text"}`, `{"l":[]}`, `{"l":"text"}`},
		{`[1]`, `{"a":1}`, `{"a":1}`},
	} {
		first, second := doc(c.first), doc(c.second)
		if got := string(codec.ToJSON(merge("n", nil, first, second))); got != c.want {
			t.Errorf("%s and %s: %s", c.first, c.second, got)
		}
		if string(codec.ToJSON(first)) != c.first {
			t.Errorf("%s was changed", c.first)
		}
	}
}

// Places of profiles: listed, found, and where a new one would be.
func TestPlacesOfProfiles(t *testing.T) {
	root, err := codec.FromJSON([]byte(`{"m":{"a":{"k":"1"},"b":{}},"l":[{"n":"a"},{"n":"a"},{"n":""},{"x":1},{"n":"c"}],"s":"text"}`))
	if err != nil {
		t.Fatal(err)
	}
	path := func(text string) spec.Path {
		p, err := spec.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		p      *spec.Profiles
		all    string
		one    string
		at     string
		found  bool
		placed string
	}{
		{nil, " ", "any", "", true, ""},
		{&spec.Profiles{Keys: path("m")}, "a b ", "b", "m.b", true, "m.b"},
		{&spec.Profiles{Keys: path("m")}, "a b ", "z", "", false, "m.z"},
		{&spec.Profiles{Keys: path("s")}, "", "z", "", false, "s.z"},
		{&spec.Profiles{Keys: path("none")}, "", "z", "", false, "none.z"},
		{&spec.Profiles{Entries: path("l"), Name: "n"}, "a c ", "c", "l[n=c]", true, "l[n=c]"},
		{&spec.Profiles{Entries: path("l"), Name: "n"}, "a c ", "z", "", false, "l[n=z]"},
		{&spec.Profiles{Entries: path("l"), Name: "n"}, "a c ", "", "", false, "l[n=]"},
		{&spec.Profiles{Entries: path("none"), Name: "n"}, "", "z", "", false, "none[n=z]"},
	} {
		f := &spec.File{Format: "json", Profiles: c.p}
		all := ""
		for _, e := range entries(f, root) {
			all += e.name + " "
		}
		if all != c.all {
			t.Errorf("%+v: listed %q", c.p, all)
		}
		e, ok := lookup(f, root, c.one)
		if ok != c.found || ok && e.at.String() != c.at {
			t.Errorf("%+v: %s is at %q, %v", c.p, c.one, e.at, ok)
		}
		if got := place(f, root, c.one); got.at.String() != c.placed || c.p != nil && got.name != c.one {
			t.Errorf("%+v: %s would be at %q", c.p, c.one, got.at)
		}
	}
}

// A hole is the profile, a value, or what is inside a value that is a tree.
func TestHoles(t *testing.T) {
	look := holes("dev", map[string]string{"k": "v", "empty": "", "tree": `{"a":{"b":"c","n":1,"e":""},"l":[]}`, "text": "x"})
	for hole, want := range map[string]string{"profile": "dev", "k": "v", "tree.a.b": "c", "tree.a.n": "1", "empty": "-", "none": "-", "tree.a": "-", "tree.l": "-", "tree.a.e": "-", "tree.z": "-", "text.a": "-", "tree": `{"a":{"b":"c","n":1,"e":""},"l":[]}`} {
		got, ok := look(hole)
		if !ok {
			if got != "" {
				t.Errorf("%s: %q beside no", hole, got)
			}
			got = "-"
		}
		if got != want {
			t.Errorf("%s: %q", hole, got)
		}
	}
	if _, ok := holes("", nil)("profile"); ok {
		t.Error("a profile without a name")
	}
}

// A key's text is one block, from its first byte to its last line.
func TestOnlyKey(t *testing.T) {
	for text, want := range map[string]bool{
		"-----BEGIN K-----\nx\n-----END K-----\n": true, "\ufeff-----BEGIN K-----\r\nx\r\n-----END K-----": true,
		"K-----\nx\n-----END K-----\n": false, "-----BEGIN K-----\nx\n": false, "-----BEGIN K": false, "": false, "-----BEGIN K-----\nx\n-----END J-----\n": false,
		"-----BEGIN K-----\n-----BEGIN J-----\nx\n-----END K-----\n": false, "-----BEGIN K-----\nx\n-----END K-----\ny": false,
	} {
		if onlyKey(text) != want {
			t.Errorf("%q is a key and nothing else is not %v", text, want)
		}
	}
}

// Places of profiles in ini: botocore's sections, and options that are profiles.
func TestPlacesOfProfilesInIni(t *testing.T) {
	const file = "//a/:k = 1\n:k = 2\n//b/:x = 3\n[default]\n[profile a]\n[profile \"b c\"]\n[profile 'd']\n[profile \"e]\n[profile \"]\n[profile  f ]\n[profile ]\n[profile\"\"]\n[profileg]\n[h]\n"
	ini, err := codec.New("ini", codec.Options{Delimiters: "="})
	if err != nil {
		t.Fatal(err)
	}
	root, err := ini.Decode([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	spot := func(p codec.Path) string { // without the quotes of String
		var keys []string
		for _, s := range p {
			keys = append(keys, s.Key)
		}
		return strings.Join(keys, ".")
	}
	for _, c := range []struct {
		p    spec.Profiles
		all  string            // as entries lists them
		at   map[string]string // of profiles that are there
		none map[string]string // where others would be
	}{
		{spec.Profiles{Section: "*", Default: "default"},
			"default|profile a|profile \"b c\"|profile 'd'|profile \"e|profile \"|profile  f |profile |profile\"\"|profileg|h",
			map[string]string{"default": "default", "h": "h", "profile a": "profile a"}, map[string]string{"a": "a", "x y": "x y"}},
		{spec.Profiles{Section: "profile *", Default: "default"}, "default|a|b c|d|\"e|\"|f",
			map[string]string{"default": "default", "a": "profile a", "b c": "profile \"b c\"", "d": "profile 'd'", "f": "profile  f "},
			map[string]string{"x": "profile x", "x y": "profile \"x y\"", "h": "profile h"}},
		{spec.Profiles{Section: "profile *", Default: "work"}, "a|b c|d|\"e|\"|f",
			map[string]string{"a": "profile a"}, map[string]string{"work": "work", "default": "profile default"}},
		{spec.Profiles{Section: "*", Default: "default", Inherit: "h"},
			"default|profile a|profile \"b c\"|profile 'd'|profile \"e|profile \"|profile  f |profile |profile\"\"|profileg", nil, map[string]string{"h": "h"}},
		{spec.Profiles{Section: "*", Default: "h", Inherit: "h"},
			"default|profile a|profile \"b c\"|profile 'd'|profile \"e|profile \"|profile  f |profile |profile\"\"|profileg|h", map[string]string{"h": "h"}, nil},
		{spec.Profiles{Option: "//*/:K", Default: "a"}, "", map[string]string{"a": ".//a/:k"}, map[string]string{"z": ".//z/:k", "b": ".//b/:k"}},
		{spec.Profiles{Option: "//*/:k", Default: "a"}, "a", map[string]string{"a": ".//a/:k"}, map[string]string{"z": ".//z/:k"}},
	} {
		f := &spec.File{Format: "ini", Profiles: &c.p}
		var all []string
		for _, e := range entries(f, root) {
			all = append(all, e.name)
		}
		if got := strings.Join(all, "|"); got != c.all {
			t.Errorf("%+v: listed %s", c.p, got)
		}
		for name, at := range c.at {
			if e, ok := lookup(f, root, name); !ok || spot(e.at) != at || e.name != name {
				t.Errorf("%+v: %q is at %q, %v", c.p, name, e.at, ok)
			}
		}
		if _, ok := lookup(f, root, ""); ok {
			t.Errorf("%+v: a profile without a name is there", c.p)
		}
		for name, at := range c.none {
			if _, ok := lookup(f, root, name); ok {
				t.Errorf("%+v: %q is there", c.p, name)
			}
			if e := place(f, root, name); spot(e.at) != at || e.name != name {
				t.Errorf("%+v: %q would be at %q", c.p, name, e.at)
			}
		}
	}
}

// Times as tools write them, and what is none.
func TestTimes(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-02T03:04:05+01:00": "2026-01-02T02:04:05Z", "1790000000": "2026-09-21T14:13:20Z", "1790000000123": "2026-09-21T14:13:20Z", "1790000000.9": "2026-09-21T14:13:20Z",
		"100000000000": "5138-11-16T09:46:40Z", "100000000001": "1973-03-03T09:46:40Z", "0": "0001-01-01T00:00:00Z", "-1": "0001-01-01T00:00:00Z", "soon": "0001-01-01T00:00:00Z", "": "0001-01-01T00:00:00Z",
	} {
		if got := parseTime(codec.Text(text)).Format(time.RFC3339); got != want {
			t.Errorf("%q is %s, not %s", text, got, want)
		}
	}
	if !parseTime(nil).IsZero() || !parseTime(&codec.Node{Kind: codec.List}).IsZero() {
		t.Error("a time that is not there")
	}
}

// Two texts are one value if they are the same, or for trees the same JSON.
func TestSameText(t *testing.T) {
	tree, plain, any := spec.Key{Value: "k", Tree: true}, spec.Key{Value: "k"}, spec.Key{Value: "*"}
	for _, c := range []struct {
		k    spec.Key
		a, b string
		want bool
	}{
		{plain, "x", "x", true}, {plain, "x", "y", false}, {plain, `{"a":1}`, ` {"a":1}`, false}, {tree, `{"a":1}`, ` {"a": 1}`, true}, {tree, `{"a":1}`, `{"a":2}`, false}, {any, `[1]`, `[ 1 ]`, true},
		{tree, "x", `{"a":1}`, false}, {tree, `{"a":1}`, "x", false}, {tree, "1", " 1", false}, {tree, "x", "y", false}, {any, "1", "1.0", false},
	} {
		if got := sameText(c.k, c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}
