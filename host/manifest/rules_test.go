package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
)

// What a manifest may not say, beside what refused has: each with its place.
func TestRefusedInEachPart(t *testing.T) {
	const aws = "version: 1\nsecrets: {aws: }\n"
	for text, want := range map[string]string{
		"version: 1\nprofiles: [x]\n":                                                   "2:11: profiles must be a mapping",
		"version: 1\nsecrets: [x]\n":                                                    "2:10: secrets must be a mapping",
		"version: 1\nhosts: [x]\n":                                                      "2:8: hosts must be a mapping",
		"version: 1\nbundles: [x]\n":                                                    "2:10: bundles must be a mapping",
		"version: 1\nbundles:\n  b: {env: [x]}\n":                                       "3:12: env must be a mapping",
		"version: 1\nsecrets:\n  ../x: {values: {a: }}\n":                               `3:3: secret name "../x" has an empty, '.' or '..' step`,
		"version: 1\nsecrets:\n  env: {values: {a: }}\n":                                `3:3: a manifest cannot name a secret "env"`,
		"version: 1\nsecrets:\n  env.x: {values: {a: }}\n":                              `3:3: a manifest cannot name a secret "env.x"`,
		"version: 1\nsecrets:\n  \"a}\": {values: {a: }}\n":                             `3:3: a manifest cannot name a secret "a}"`,
		"version: 1\nsecrets:\n  \"a|b\": {values: {a: }}\n":                            `3:3: a manifest cannot name a secret "a|b"`,
		"version: 1\nsecrets:\n  aws: \"\"\n":                                           "3:8: a secret must be a mapping",
		"version: 1\nsecrets:\n  aws/prod: {profile: dev}\n":                            `3:3: "aws/prod" names a profile already`,
		"version: 1\nsecrets:\n  x: {values: {}}\n":                                     "3:15: values must be a mapping with at least one key",
		"version: 1\nsecrets:\n  x: {values: [a]}\n":                                    "3:15: values must be a mapping with at least one key",
		"version: 1\nsecrets:\n  x: {values: {\"\": }}\n":                               `3:16: a key cannot be ""`,
		"version: 1\nsecrets:\n  x: {values: {\"a}\": }}\n":                             `3:16: a key cannot be "a}"`,
		"version: 1\nsecrets:\n  x: {values: {\"a|b\": }}\n":                            `3:16: a key cannot be "a|b"`,
		"version: 1\nsecrets:\n  x: {values: {a: \"\"}}\n":                              "3:19: a value must be a mapping",
		"version: 1\nsecrets:\n  x: {values: {a: {generate: {length: many}}}}\n":        "3:39: a length is a number from 8 to 4096",
		"version: 1\nsecrets:\n  x: {values: {a: {generate: {length: 7}}}}\n":           "3:39: a length is a number from 8 to 4096",
		"version: 1\nsecrets:\n  x: {values: {a: {generate: {hex: 4097}}}}\n":           "3:36: a length is a number from 8 to 4096",
		"version: 1\nsecrets:\n  x: {values: {a: {generate: {alphabet: a}}}}\n":         "3:41: an alphabet has two characters or more, each once",
		"version: 1\nsecrets:\n  x: {values: {a: {generate: {alphabet: aba}}}}\n":       "3:41: an alphabet has two characters or more, each once",
		"version: 1\nsecrets:\n  x: {values: {a: , b: }, one_of: [a]}\n":                "3:35: a group of one_of has two keys or more",
		"version: 1\nsecrets:\n  x: {values: {a: , b: }, one_of: [[a, b], [b]]}\n":      "3:44: a group of one_of has two keys or more",
		"version: 1\nhosts:\n  all: {addresses: a}\n":                                   `3:3: a group of hosts cannot be called "all"`,
		"version: 1\nhosts:\n  a b: {addresses: a}\n":                                   `3:3: a group of hosts cannot be called "a b"`,
		"version: 1\nbundles:\n  all: {}\n":                                             `3:3: a bundle cannot be called "all"`,
		"version: 1\nbundles:\n  \"\": {}\n":                                            `3:3: a bundle cannot be called ""`,
		"version: 1\nbundles:\n  a/b: {}\n":                                             `3:3: a bundle cannot be called "a/b"`,
		"version: 1\nbundles:\n  base: {}\n  b: {extends: bsae}\n":                      `4:16: there is no bundle "bsae"; did you mean "base"?`,
		"version: 1\nbundles:\n  base: {}\nhosts:\n  g: {addresses: a, bundles: bse}\n": `5:30: there is no bundle "bse"; did you mean "base"?`,
		aws + "bundles:\n  b: {files: {path: ~/x}}\n":                                   "4:14: a file needs a secret",
		aws + "bundles:\n  b: {files: [{secret: aws, path: x/y}]}\n":                    `4:35: the path "x/y" is neither absolute nor in the home folder (~/…)`,
		aws + "bundles:\n  b: {files: [{secret: aws, path: ~/x/}]}\n":                   `4:35: the path "~/x/" is no file's`,
		aws + "bundles:\n  b: {files: [{secret: aws, path: \"/x\\ty\"}]}\n":             `4:35: the path "/x\ty" is no file's`,
		aws + "bundles:\n  b: {files: [{secret: asw}]}\n":                               `4:24: "asw" is not among the secrets of this manifest; did you mean "aws"?`,
		aws + "bundles:\n  b: {env: {X: \"${aws}\"}}\n":                                 "4:16: ${aws} is not ${SECRET.KEY}",
		aws + "bundles:\n  b: {env: {A-B: x}}\n":                                        `4:13: "A-B" is not the name of a variable`,
	} {
		m, err := Parse("rhx.yaml", []byte(text), Options{Providers: providers})
		if m != nil || err == nil || !strings.HasPrefix(err.Error(), "rhx.yaml:"+want) {
			t.Errorf("%q:\ngot  %v\nwant rhx.yaml:%s", text, err, want)
		}
	}
	// The first mistake is the one that is said.
	_, err := Parse("rhx.yaml", []byte("version: 1\nsecrets: {nope: }\nbundles: {b: {secrets: [x], files: [y]}}\nhosts: {g: {bundles: [z]}}\n"), Options{Providers: providers, Profile: "none"})
	if err == nil || !strings.Contains(err.Error(), `there is no profile "none"`) {
		t.Error(err)
	}
	_, err = Parse("rhx.yaml", []byte("secrets: {nope: }\nbundles: {b: {secrets: [x], files: [y], extends: q}}\nhosts: {g: {bundles: [z]}}\n"), Options{Providers: providers})
	if err == nil || !strings.Contains(err.Error(), `1:11: "nope" is no provider's name`) {
		t.Error(err)
	}
}

// Aliases of providers are good names; they are asked for where no provider has the name.
func TestAliases(t *testing.T) {
	asked := 0
	opts := Options{Providers: []string{"kubernetes"}, Aliases: func() []string { asked++; return []string{"kube"} }}
	m, err := Parse("f", []byte("version: 1\nsecrets: {kubernetes/a: }\n"), opts)
	if err != nil || asked != 0 || m.Secret("kubernetes/a").Provider != "kubernetes" {
		t.Errorf("%+v, %v, asked %d times", m, err, asked)
	}
	m, err = Parse("f", []byte("version: 1\nsecrets: {kube/a: , x: {provider: kube}}\n"), opts)
	if err != nil || asked == 0 || m.Secret("kube/a").Provider != "kube" || m.Secret("x").Provider != "kube" {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := Parse("f", []byte("version: 1\nsecrets: {kub/a: }\n"), opts); err == nil {
		t.Error("a name of none")
	}
}

// What may be said of values and keys.
func TestValuesOfASecret(t *testing.T) {
	m := parse(t, `version: 1
secrets:
  db:
    values:
      a: {generate: {hex: 8}}
      b: {generate: {length: 4096, alphabet: zyx}}
      c: {generate: age}
      d: {required: true}
      e: {required: false}
      f: {generate: {hex: 9, alphabet: ab}}
      g:
    one_of: [[a, b], [c, d]]
`, "")
	db := m.Secret("db")
	v := func(key string) Value {
		return db.Values[slices.IndexFunc(db.Values, func(v Value) bool { return v.Key == key })]
	}
	if g := v("a").Generate; g.Kind != "hex" || g.Length != 8 {
		t.Errorf("%+v", g)
	}
	if g := v("b").Generate; g.Kind != "text" || g.Length != 4096 || g.Alphabet != "zyx" {
		t.Errorf("%+v", g)
	}
	if g := v("c").Generate; g.Public("c") != "c_public" || v("a").Generate.Public("a") != "" || (&Generate{Kind: "ed25519"}).Public("k") != "k_public" {
		t.Errorf("%+v", g)
	}
	optional := map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true, "f": false, "g": false}
	for key, want := range optional {
		if v(key).Optional != want {
			t.Errorf("%s: %v", key, !want)
		}
	}
	if len(db.OneOf) != 2 || !slices.Equal(db.OneOf[0], []string{"a", "b"}) || !slices.Equal(db.OneOf[1], []string{"c", "d"}) {
		t.Errorf("%v", db.OneOf)
	}
}

// The name of a secret in the store, and what else is found by name.
func TestStoreNames(t *testing.T) {
	for _, c := range []struct {
		s    Secret
		want string
	}{
		{Secret{Name: "aws", Provider: "aws", Profile: "a b"}, "aws/a%20b"},
		{Secret{Name: "aws", Provider: "aws"}, "aws"},
		{Secret{Name: "hub", Provider: "huggingface", Profile: "work"}, "hub"},
		{Secret{Name: "db"}, "db"},
		{Secret{Name: "", Profile: "x"}, ""},
	} {
		if got := c.s.StoreName(); got != c.want {
			t.Errorf("%+v: %s", c.s, got)
		}
	}
	m := parse(t, "version: 1\nbundles: {a: {}, b: {}}\nhosts: {x: {addresses: h1, bundles: [a]}, y: {addresses: [h2, \"h[3:4]\"], bundles: [a, b]}}\n", "")
	if !slices.Equal(m.BundleNames(), []string{"a", "b"}) || m.Group("y").Name != "y" || m.Group("none") != nil || m.Bundle("none") != nil {
		t.Errorf("%+v", m)
	}
	if g := m.Group("y"); !slices.Equal(g.Bundles, []string{"a", "b"}) || !slices.Equal(g.Addresses, []string{"h2", "h3", "h4"}) {
		t.Errorf("%+v", g)
	}
}

// Files with paths; what a bundle extends has its paths, too, and its own win.
func TestFilesOfBundles(t *testing.T) {
	m := parse(t, `version: 1
secrets: {aws: , openai: , db: {values: {k: }}}
bundles:
  base: {files: [aws, {secret: db, path: /etc/db.json}], env: {A: base, B: base}, unset: [C]}
  top: {extends: base, files: [{secret: aws, path: ~/x}, openai], env: {A: top, C: set, D: own}, unset: [D, E]}
`, "")
	top := m.Bundle("top")
	if !slices.Equal(top.Files, []string{"aws", "db", "openai"}) || len(top.Paths) != 2 || top.Paths["aws"] != "~/x" || top.Paths["db"] != "/etc/db.json" {
		t.Errorf("%v, %v", top.Files, top.Paths)
	}
	var env []string
	for _, v := range top.Env {
		env = append(env, v.Name+"="+v.Text.String())
	}
	if got := strings.Join(env, " "); got != "A=top B=base C=set D=own" {
		t.Error(got)
	}
	// What it sets, the one that it extends does not take away; what it sets and takes
	// away itself, it does.
	if !slices.Equal(top.Unset, []string{"D", "E"}) {
		t.Error(top.Unset)
	}
	if !slices.Equal(top.Uses(), []string{"aws", "db", "openai"}) {
		t.Error(top.Uses())
	}
	if got := (&Bundle{Secrets: []string{"a", "b"}, Files: []string{"a"}, Env: []Variable{{Text: Template{{Text: "x"}, {Secret: "b", Key: "k"}, {Secret: "c", Key: "k"}}}}}).Uses(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Error(got)
	}
}

// A profile lays its fields over the rest: mappings key by key, other things whole.
func TestProfileIsLaidOver(t *testing.T) {
	const text = `version: 1
secrets: {aws: , db: {values: {k: {default: a}}}}
bundles: {b: {secrets: [aws], env: {A: one, B: one}}}
profiles:
  p:
    secrets: {openai: , db: {values: {k: {default: b}, l: }}}
    bundles: {b: {secrets: [openai], env: {B: two, C: two}}, more: {}}
    hosts: {g: {addresses: h}}
  broken: {bundles: {b: {env: x}}}
`
	m := parse(t, text, "p")
	b := m.Bundle("b")
	var env []string
	for _, v := range b.Env {
		env = append(env, v.Name+"="+v.Text.String())
	}
	if got := strings.Join(env, " "); got != "A=one B=two C=two" || !slices.Equal(b.Secrets, []string{"openai"}) || m.Group("g") == nil || m.Bundle("more") == nil {
		t.Errorf("%s, %+v", got, b)
	}
	if db := m.Secret("db"); len(db.Values) != 2 || *db.Values[0].Default != "b" || !slices.Equal(m.SecretNames(), []string{"aws", "db", "openai"}) {
		t.Errorf("%+v, %v", db, m.SecretNames())
	}
	if !slices.Equal(m.Profiles, []string{"p", "broken"}) {
		t.Error(m.Profiles)
	}
	if m := parse(t, text, ""); len(m.Secrets) != 2 || m.Group("g") != nil || *m.Secret("db").Values[0].Default != "a" {
		t.Errorf("%+v", m)
	}
	if _, err := Parse("f", []byte(text), Options{Providers: providers, Profile: "broken"}); err == nil || !strings.Contains(err.Error(), "env must be a mapping") {
		t.Error(err)
	}
}

// Every way in which a text may name values.
func TestTemplates(t *testing.T) {
	m := parse(t, `version: 1
secrets: {a.b: {values: {c.d: , k: {generate: age}}}, a: {values: {x: }}}
bundles: {b: {env: {A: "${a.b.c.d|shell}", B: "${env.HOME|url}", C: "$", D: "x${a.x}y${a.b.k_public}$${z", E: ""}}}
`, "")
	look := func(p Part) (string, error) { return "<" + p.Secret + "|" + p.Key + "|" + p.EnvVar + ">", nil }
	for i, want := range []struct{ written, text string }{
		{"${a.b.c.d|shell}", `'<a.b|c.d|>'`},
		{"${env.HOME|url}", "%3C%7C%7CHOME%3E"},
		{"$", "$"},
		{"x${a.x}y${a.b.k_public}$${z", "x<a|x|>y<a.b|k_public|>${z"},
		{"", ""},
	} {
		v := m.Bundle("b").Env[i]
		text, err := v.Text.Expand(look)
		if err != nil || v.Text.String() != want.written || text != want.text {
			t.Errorf("%s: %q, %q, %v", v.Name, v.Text.String(), text, err)
		}
	}
	gone := errors.New("gone")
	if text, err := m.Bundle("b").Env[0].Text.Expand(func(Part) (string, error) { return "half", gone }); text != "" || !errors.Is(err, gone) {
		t.Errorf("%q, %v", text, err)
	}
	if len(m.Bundle("b").Env[4].Text) != 0 || len(m.Bundle("b").Env[0].Text) != 1 {
		t.Error("a text has empty parts")
	}
	if _, err := Parse("f", []byte("version: 1\nsecrets: {db: {values: {user: , k: {generate: hex}}}}\nbundles: {b: {env: {A: '${db.k_public}'}}}\n"), Options{}); err == nil || fault.Hint(err) != "" || !strings.Contains(err.Error(), `db has no key "k_public"`) {
		t.Error(err)
	}
}

// What a draft says to people: titles, why a secret is not in the bundle, and nothing
// that breaks a comment.
func TestDraftComments(t *testing.T) {
	text := string(Draft{Secrets: []DraftSecret{
		{Name: "aws", Title: "Amazon Web Services", Bundled: true},
		{Name: "aws/a: b", Title: "A\x1b[2J\u0085\u00a0B\u2028\u2029 ~C", Why: "it\nis so"},
		{Name: "ssh/x"},
	}}.Text())
	for _, want := range []string{"# store: vault://secret/team\n", "  aws:  # Amazon Web Services\n", "  \"aws/a: b\":  # A[2J\u00a0B ~C\n", "  ssh/x:\n", "    secrets:\n      - aws\n    # Not \"aws/a: b\", as itis so.\n    # Variables", "\n# rhx detect finds these on a machine"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if text := string(Draft{Store: "vault://secret/x"}.Text()); !strings.Contains(text, "\nstore: vault://secret/x\n") || !strings.Contains(text, "# secrets:\n") || strings.Contains(text, "# Not ") {
		t.Error(text)
	}
}

// A kind that is none makes no value; only key pairs have a public half.
func TestGenerateKinds(t *testing.T) {
	if v, public, err := (&Generate{Kind: "nothing"}).Make(); v != "" || public != "" || err == nil {
		t.Errorf("%q, %q, %v", v, public, err)
	}
	for _, g := range []Generate{{Kind: kindText, Length: 8, Alphabet: "ab"}, {Kind: kindHex, Length: 8}, {Kind: kindUUID}} {
		if _, public, err := g.Make(); public != "" || err != nil {
			t.Errorf("%s: %q, %v", g.Kind, public, err)
		}
	}
	// RFC 9562: every digit but those of the version and the variant is random.
	var seen [36]map[byte]bool
	for range 200 {
		v, _, err := (&Generate{Kind: kindUUID}).Make()
		if err != nil || len(v) != 36 {
			t.Fatal(v, err)
		}
		for i := range v {
			if seen[i] == nil {
				seen[i] = map[byte]bool{}
			}
			seen[i][v[i]] = true
		}
	}
	for i, digits := range seen {
		n := len(digits)
		switch i {
		case 8, 13, 18, 23, 14:
			if n != 1 {
				t.Errorf("character %d has %d values", i, n)
			}
		case 19:
			if n != 4 {
				t.Errorf("the variant has %d values", n)
			}
		default:
			if n < 12 {
				t.Errorf("character %d has %d values", i, n)
			}
		}
	}
}

// What a bundle says of a secret takes the place of what it has inherited of it.
func TestBrokerLimits(t *testing.T) {
	m := parse(t, `version: 1
secrets: {aws: , openai: }
bundles:
  base: {broker: {aws: {methods: [GET, HEAD], hosts: "*.amazonaws.com"}, openai: {paths: [/v1/, /]}}}
  top: {extends: base, broker: {aws: {paths: /a/b}}}
`, "")
	if got, want := fmt.Sprintf("%+v", m.Bundle("top").Broker), "[{Secret:openai Hosts:[] Methods:[] Paths:[/v1/ /]} {Secret:aws Hosts:[] Methods:[] Paths:[/a/b]}]"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if got, want := fmt.Sprintf("%+v", m.Bundle("base").Broker), "[{Secret:aws Hosts:[*.amazonaws.com] Methods:[GET HEAD] Paths:[]} {Secret:openai Hosts:[] Methods:[] Paths:[/v1/ /]}]"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func TestPathsThatAreNoPrefix(t *testing.T) {
	for text, want := range map[string]bool{
		"/": true, "/a": true, "/a/": true, "/a.b/..c": true, "": false, "a": false, "/a//": false, "//": false, "/a/..": false, "/./": false, "/a%20": false, "/a\\b": false, "/a;b": false, "/a*": false, "/a#": false, "/a\n": false,
	} {
		if validPrefix(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
