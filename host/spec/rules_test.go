package spec_test

import (
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/spec"
)

// withUse is a spec with a use.
func withUse(use string) string {
	return "spec: 1\nname: x\nvalues: {k: {env: K}, id: {env: I, public: true}}\nuse: " + use + "\n"
}

// Which hosts a use may name: two labels or more, each as DNS has them.
func TestHostsOfUse(t *testing.T) {
	label := strings.Repeat("a", 63)
	long := strings.Repeat("a.", 125) + "abc" // 253 characters
	for host, good := range map[string]bool{
		"a.b": true, "*.a.b": true, "**.a.b": true, "***.a.b": false, "*.*.a.b": false, "**.*.a.b": false, "**.a": false, "a.b:1": true, "a.b:65535": true, "a-1.b": true, label + ".b": true, long: true,
		"a": false, "*.a": false, "a..b": false, ".a": false, "a.": false, "-a.b": false, "a-.b": false, "A.b": false, "a_.b": false,
		"a" + label + ".b": false, "a" + long: false, "a.b:": false, "a.b:0": false, "a.b:080": false, "a.b:123456": false, "a.b:x": false,
	} {
		_, err := spec.Parse("f", []byte(withUse("{hosts: '"+host+"', header: {A: '{k}'}}")))
		if (err == nil) != good {
			t.Errorf("%q: %v", host, err)
		}
	}
}

// What a use may send: ASCII with values in it, in fields with names.
func TestTextsOfUse(t *testing.T) {
	for use, want := range map[string]string{
		"{hosts: a.b, header: {A: '~ {k}!'}}":                                "",
		"{hosts: a.b, header: {A: '{k}é'}}":                                  "use has text in ASCII",
		"{hosts: a.b, header: {A: \"{k}\\x7f\"}}":                            "use has text in ASCII",
		"{hosts: a.b, header: {A: \"{k}\\t\"}}":                              "use has text in ASCII",
		"{hosts: a.b, header: {A: '{k'}}":                                    "use has text in ASCII",
		"{hosts: a.b, header: {A: '{kk}'}}":                                  `use names "kk", which values does not have; did you mean "k"?`,
		"{hosts: a.b, header: {}}":                                           "header must be a mapping, and not empty",
		"{hosts: a.b, query: [x]}":                                           "query must be a mapping, and not empty",
		"{hosts: a.b, header: {'a b': '{k}'}}":                               `"a b" is not the name of a header`,
		"{hosts: a.b, query: {'': '{k}'}}":                                   `"" is not the name of a parameter`,
		"{hosts: a.b, header: {A: '{id}'}}":                                  "use sends no secret value",
		"{hosts: a.b}":                                                       "use has one of header, query, basic, sign, database and postgres",
		"{hosts: a.b, header: {A: '{k}'}, query: {b: '{k}'}}":                "use has one of header, query, basic, sign, database and postgres",
		"{postgres: {password: k}}":                                          "",
		"{postgres: {}}":                                                     "postgres needs password",
		"{postgres: {password: kk}}":                                         `use names "kk", which values does not have; did you mean "k"?`,
		"{postgres: {password: id}}":                                         "use sends no secret value",
		"{postgres: {password: k, host: x}}":                                 `postgres has no field "host"`,
		"{postgres: {password: k}, hosts: a.b}":                              "a database has no hosts: the secret says where it is",
		"{postgres: {password: k}, header: {A: '{k}'}}":                      "use has one of header, query, basic, sign, database and postgres",
		"{database: {url: k}}":                                               "",
		"{database: {}}":                                                     "database needs url",
		"{database: {url: kk}}":                                              `use names "kk", which values does not have; did you mean "k"?`,
		"{database: {url: id}}":                                              "use sends no secret value",
		"{database: {url: k, password: k}}":                                  `database has no field "password"`,
		"{database: {url: k}, postgres: {password: k}}":                      "use has one database",
		"{header: {A: '{k}'}}":                                               "use needs hosts",
		"{hosts: a.b, sign: {aws-sigv4: {access_key: id}}}":                  "aws-sigv4 needs secret_key",
		"{hosts: a.b, sign: {aws-sigv4: {access_key: id, secret_key: z}}}":   `use names "z", which values does not have`,
		"{hosts: a.b, sign: {}}":                                             "sign has one way to sign: aws-sigv4",
		"{hosts: a.b, sign: {aws-sigv4: {access_key: id, secret_key: k}}}":   "",
		"{hosts: a.b, basic: {user: '{id}', password: '{kk}'}}":              `use names "kk"`,
		"{hosts: a.b, basic: {user: '{id}', password: '{k}'}, header: {}}":   "header must be a mapping, and not empty",
		"[{hosts: a.b, header: {A: '{k}'}}, {hosts: c, header: {A: '{k}'}}]": "a host is a name in lower case",
	} {
		_, err := spec.Parse("f", []byte(withUse(use)))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", use, err, want)
		}
	}
}

// Names of variables, at the bounds of the letters that they may have.
func TestBoundsOfNames(t *testing.T) {
	for name, good := range map[string]bool{
		"A": true, "Z": true, "a": true, "z": true, "_": true, "A0": true, "A9": true, "aZ_z09": true,
		"": false, "0": false, "9A": false, "A@": false, "A[": false, "A`": false, "A{": false, "A/": false, "A:": false, "A-": false, "é": false,
	} {
		if spec.ValidVar(name) != good {
			t.Errorf("%q: %v", name, !good)
		}
	}
	for name, good := range map[string]bool{
		"a": true, "z": true, "0": true, "9": true, "a-z": true, strings.Repeat("a", 64): true,
		"-a": false, "A": false, "a_b": false, strings.Repeat("a", 65): false, "a{": false, "a/": false, "a:": false,
	} {
		_, err := spec.Parse("f", []byte("spec: 1\nname: '"+name+"'\nvalues: {k: {env: K}}\n"))
		if (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Of a provider that takes any value, one that is not listed is secret and known; of
// others it is not.
func TestValueOfAnyName(t *testing.T) {
	for text, known := range map[string]bool{"spec: 1\nname: x\nvalues: {k: {env: K}, '*': {}}\n": true, "spec: 1\nname: x\nvalues: {k: {env: K}}\n": false} {
		s, err := spec.Parse("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := s.Value("other"); v.Name != "other" || ok != known || v.Public || s.Public("other") {
			t.Errorf("%+v, %v", v, ok)
		}
		if v, ok := s.Value("k"); v.Name != "k" || !ok || len(v.Env) != 1 {
			t.Errorf("%+v, %v", v, ok)
		}
	}
}

// A module may ask for randomness, and a format that a codec reads may not; "*" has one
// place; a mode is of the owner's.
func TestFilesOfSpecs(t *testing.T) {
	s, err := spec.Parse("f", []byte(withFile("    format: {wasm: m-1, random: true}\n")))
	if err != nil || !s.Files[0].Random {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = spec.Parse("f", []byte(withFile("    format: {wasm: m-1, random: false}\n")))
	if err != nil || s.Files[0].Random {
		t.Errorf("%+v, %v", s, err)
	}
	for file, want := range map[string]string{
		"    format: {random: true}\n    keys: {k: a}\n":               "only a wasm module can have random",
		"    format: json\n    keys: {k: a}\n    mode: 0644\n":         "mode",
		"    format: json\n    keys: {k: a}\n    mode: rw\n":           "mode",
		"    format: json\n    keys: [k]\n":                            "keys",
		"    format: json\n    keys: {}\n":                             "keys",
		"    format: json\n    keys: {k: {at: a, as: no-such-form}}\n": "no-such-form",
	} {
		if s, err := spec.Parse("f", []byte(withFile(file))); s != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
	for name, good := range map[string]bool{"a-1": true, "": false, "A": false} {
		if spec.ValidName(name) != good {
			t.Errorf("%q: %v", name, !good)
		}
	}
	for _, key := range []string{"{at: [a, b]}", "{at: a, as: base64}"} {
		text := "spec: 1\nname: x\nvalues: {'*': {}}\nfiles:\n  - path: ~/y\n    format: json\n    keys: {'*': " + key + "}\n"
		if s, err := spec.Parse("f", []byte(text)); s != nil || err == nil || !strings.Contains(err.Error(), `"*" has one place, and nothing else`) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// What a shell takes for the name of a variable.
func TestVariableNames(t *testing.T) {
	for _, name := range []string{"A", "Z", "a", "z", "_", "_1", "A_B", "A0", "A9", "aZ"} {
		if !spec.ValidVar(name) {
			t.Errorf("%q is none", name)
		}
	}
	for _, name := range []string{"", "0", "9A", "A-B", "A.B", "A/", "A:", "A@", "A[", "A`", "A{", "A B", "\u00c4", "A\x00"} {
		if spec.ValidVar(name) {
			t.Errorf("%q is one", name)
		}
	}
}
