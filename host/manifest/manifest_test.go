package manifest

import (
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"
)

var providers = []string{"aws", "openai", "huggingface", "ssh", "hf"}

func parse(t *testing.T, text, profile string) *Manifest {
	t.Helper()
	m, err := Parse("rhx.yaml", []byte(text), Options{Profile: profile, Providers: providers})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const sample = `version: 1
store: vault://secret/ml-team
secrets:
  aws: {profile: prod}
  openai: {}
  ssh/id:
  hub: {provider: huggingface, profile: work}
  db:
    values:
      user: {default: app}
      password: {generate: {length: 40}}
      a.b: {prompt: The port, required: false}
      token:
    one_of: [password, token]
  deploy: {values: {key: {generate: ed25519}}}
bundles:
  base:
    secrets: [aws, openai]
    env: {A: "1", B: x}
    unset: [GONE]
  mid:
    extends: base
    secrets: [db, aws]
    env:
      B: "${db.a.b}-${aws.secret_key|url}"
      C: $5 $${x} $$
  top: {extends: [mid, base], unset: [C, A], files: [aws], env: {D: "${deploy.key_public}${env.HOME}", GONE: back}}
hosts:
  gpu: {addresses: ["gpu-[01:02]", ubuntu@10.0.0.7:2222], bundles: [top]}
profiles:
  dev:
    store: local
    secrets: {aws: {profile: dev}}
    bundles: {base: {env: {A: dev}}}
`

func TestManifest(t *testing.T) {
	m := parse(t, sample, "")
	for name, want := range map[string]string{"aws": "aws/prod", "openai": "openai", "ssh/id": "ssh/id", "hub": "hub", "db": "db"} {
		if got := m.Secret(name).StoreName(); got != want {
			t.Errorf("%s is %s in the store, want %s", name, got, want)
		}
	}
	if s := m.Secret("ssh/id"); s.Provider != "ssh" || s.Profile != "id" {
		t.Errorf("%+v", s)
	}
	db := m.Secret("db")
	if len(db.Values) != 4 || *db.Values[0].Default != "app" || db.Values[1].Generate.Length != 40 || !db.Values[1].Optional || db.Values[2].Prompt != "The port" || len(db.OneOf) != 1 {
		t.Errorf("%+v", db)
	}
	top := m.Bundle("top")
	if !slices.Equal(top.Secrets, []string{"db", "aws", "openai"}) && !slices.Equal(top.Secrets, []string{"aws", "openai", "db"}) {
		t.Error(top.Secrets)
	}
	got := map[string]string{}
	for _, v := range top.Env {
		text, err := v.Text.Expand(func(p Part) (string, error) { return "<" + p.Secret + p.EnvVar + "/" + p.Key + ">", nil })
		if err != nil {
			t.Fatal(err)
		}
		got[v.Name] = text
	}
	for name, want := range map[string]string{"A": "1", "B": "x", "C": "$5 ${x} $$", "D": "<deploy/key_public><HOME/>", "GONE": "back"} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if !slices.Equal(top.Unset, []string{"C", "A"}) {
		t.Error(top.Unset)
	}
	mid := m.Bundle("mid")
	for i, want := range map[int]string{1: "${db.a.b}-${aws.secret_key|url}", 2: "$5 $${x} $$"} {
		if text := mid.Env[i].Text.String(); text != want {
			t.Errorf("written again: %q, want %q", text, want)
		}
	}
	if text, _ := mid.Env[1].Text.Expand(func(p Part) (string, error) { return p.Secret + ":" + p.Key + " /", nil }); text != "db:a.b /-aws%3Asecret_key%20%2F" {
		t.Error(text)
	}
	if mid.From["A"] != "base" || mid.From["B"] != "mid" || mid.From["openai"] != "base" {
		t.Error(mid.From)
	}
	if uses := top.Uses(); !slices.Contains(uses, "deploy") || !slices.Contains(uses, "db") {
		t.Error(uses)
	}
	if g := m.Group("gpu"); !slices.Equal(g.Addresses, []string{"gpu-01", "gpu-02", "ubuntu@10.0.0.7:2222"}) {
		t.Error(g.Addresses)
	}

	dev := parse(t, sample, "dev")
	if dev.Store != "local" || dev.Secret("aws").StoreName() != "aws/dev" || dev.Bundle("top").Env[0].Text[0].Text != "dev" || len(dev.Secrets) != len(m.Secrets) {
		t.Errorf("%+v", dev)
	}
}

// refused are manifests with a mistake, and the errors.
func refused() map[string]string {
	return map[string]string{
		"":                                  "1:1: the file is empty",
		"store: local\n":                    `1:1: "version: 1" is missing`,
		"version: 2\n":                      "1:10: version 2 of a manifest is not known to this rhx, which reads version 1",
		"version: 1\nsecret: {}\n":          `2:1: a manifest has no field "secret"; did you mean "secrets"?`,
		"version: 1\nstore: s3://x\n":       "2:8: a store is local, or vault://MOUNT/PREFIX",
		"version: 1\nsecrets:\n  asw: {}\n": `3:3: "asw" is no provider's name; did you mean "aws"?; a secret of its own has values`,
		"version: 1\nsecrets:\n  aws: {values: {a: }}\n  aws: {}\n":                                  `4:3: "aws" is set twice`,
		"version: 1\nsecrets:\n  aws:\nbundles:\n  b: {broker: [aws]}\n":                             "5:15: broker must be a mapping from secrets to what they may be used for",
		"version: 1\nsecrets:\n  aws:\nbundles:\n  b: {broker: {openai: {methods: GET}}}\n":          `5:16: "openai" is not among the secrets of this manifest`,
		"version: 1\nsecrets:\n  x: {values: {a: }}\nbundles:\n  b: {broker: {x: {methods: GET}}}\n": `5:16: "x" has no rule for the broker: it is no provider's`,
		"version: 1\nsecrets:\n  aws:\nbundles:\n  b: {broker: {aws: {}}}\n":                         "5:21: say hosts, methods or paths",
		"version: 1\nsecrets:\n  aws:\nbundles:\n  b: {broker: {aws: {methods: []}}}\n":              "5:31: an empty list would allow nothing; leave it out to allow all",
		"version: 1\nsecrets:\n  aws:\nbundles:\n  b: {broker: {aws: {methods: get}}}\n":             `5:31: "get" is not a method in upper case such as GET`,
		"version: 1\nsecrets:\n  aws:\nbundles:\n  b: {broker: {aws: {hosts: [A.test]}}}\n":          `5:30: "A.test" is not a host in lower case such as api.example.com, "*.example.com" or "**.example.com"`,
		"version: 1\nsecrets:\n  aws:\nbundles:\n  b: {broker: {aws: {paths: [\"/a?b\"]}}}\n":        `5:30: "/a?b" is not a path that begins with a slash, without a query, dots as segments or escapes`,
		"version: 1\nsecrets:\n  aws:\nbundles:\n  b: {broker: {aws: {paths: [a]}}}\n":               `5:30: "a" is not a path that begins with a slash, without a query, dots as segments or escapes`,
		"version: 1\nsecrets:\n  aws:\nbundles:\n  b: {broker: {aws: {path: /a}}}\n":                 `5:22: what a secret may be used for has no field "path"; did you mean "paths"?`,
		"version: 1\nsecrets:\n  x: {provider: nope}\n":                                              `3:17: unknown provider "nope"`,
		"version: 1\nsecrets:\n  x: {provider: aws, values: {a: }}\n":                                "3:3: a provider's secret has the values that its provider says, and none of its own",
		"version: 1\nsecrets:\n  x: {profile: p, values: {a: }}\n":                                   "3:3: only a provider's secret has a profile",
		"version: 1\nsecrets:\n  x: {values: {a: {default: d, prompt: p}}}\n":                        `3:16: "a" can have one of default, generate and prompt`,
		"version: 1\nsecrets:\n  x: {values: {a: {generate: {length: 2}}}}\n":                        "3:39: a length is a number from 8 to 4096",
		"version: 1\nsecrets:\n  x: {values: {a: {generate: uid}}}\n":                                `3:30: "uid" is not made by rhx; did you mean "uuid"? (known: text, hex, uuid, ed25519, age, or {length: N})`,
		"version: 1\nsecrets:\n  x: {values: {a: {generate: {alphabet: aa}}}}\n":                     "3:41: an alphabet has two characters or more, each once",
		"version: 1\nsecrets:\n  x: {values: {a: }, one_of: [a, b]}\n":                               `3:34: x has no key "b"`,
		"version: 1\nsecrets: {aws: }\nbundles:\n  b: {secrets: [openai]}\n":                         `4:17: "openai" is not among the secrets of this manifest`,
		"version: 1\nsecrets: {aws: }\nbundles:\n  b: {env: {X: \"${asw.k}\"}}\n":                    `4:16: ${asw.k}: "asw" is not among the secrets of this manifest; did you mean "aws"?`,
		"version: 1\nsecrets: {d: {values: {user: }}}\nbundles:\n  b: {env: {X: \"${d.usre}\"}}\n":   `4:16: d has no key "usre"; did you mean "user"?`,
		"version: 1\nbundles:\n  b: {env: {X: \"${a\"}}\n":                                           `3:16: "${" has no "}"; for the two characters themselves write $${`,
		"version: 1\nsecrets: {aws: }\nbundles:\n  b: {env: {X: \"${aws.k|ulr}\"}}\n":                `4:16: there is no way "ulr" to write a value (known: url, json, shell, base64)`,
		"version: 1\nbundles:\n  b: {env: {X: \"${env.A-B}\"}}\n":                                    `3:16: ${env.A-B}: "A-B" is not the name of a variable`,
		"version: 1\nbundles:\n  a: {extends: b}\n  b: {extends: a}\n":                               "4:16: a extends itself",
		"version: 1\nbundles:\n  a: {extends: zzz}\n":                                                `3:16: there is no bundle "zzz"`,
		"version: 1\nbundles:\n  a: {unset: [A-B]}\n":                                                `3:15: "A-B" is not the name of a variable`,
		"version: 1\nsecrets: {d: {values: {k: }}}\nbundles:\n  a: {files: d}\n":                     `4:14: "d" has no file: it is no provider's, and no path is said`,
		"version: 1\nhosts:\n  g: {addresses: a, bundles: [x]}\n":                                    `3:31: there is no bundle "x"`,
		"version: 1\nhosts:\n  g: {}\n":                                                              `3:3: the group "g" has no addresses`,
		"version: 1\nprofiles: {p: {version: 1}}\n":                                                  `2:16: a profile has no field "version"`,
		"version: 1\n---\nversion: 1\n":                                                              "1:1: several YAML documents; a manifest is one",
	}
}

func TestErrorsHaveTheirPlace(t *testing.T) {
	for text, want := range refused() {
		_, err := Parse("rhx.yaml", []byte(text), Options{Providers: providers})
		if err == nil || err.Error() != "rhx.yaml:"+want {
			t.Errorf("%q:\ngot  %v\nwant rhx.yaml:%s", text, err, want)
		}
	}
	if _, err := Parse("rhx.yaml", []byte(sample), Options{Profile: "dve", Providers: providers}); err == nil || !strings.Contains(err.Error(), `there is no profile "dve"; did you mean "dev"?`) {
		t.Error(err)
	}
}

func TestFilters(t *testing.T) {
	for filter, want := range map[string]string{"": "a'b\"c d/+\n", "url": "a%27b%22c%20d%2F%2B%0A", "json": `a'b\"c d/+\n`, "base64": "YSdiImMgZC8rCg=="} {
		if got := (Part{Filter: filter}).filter("a'b\"c d/+\n"); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
}

// JSON would hold another value than the one of the store.
func TestFilterJSONRefusesWhatItWouldChange(t *testing.T) {
	for filter, ok := range map[string]bool{"json": false, "": true, "url": true, "shell": true, "base64": true} {
		got, err := Template{{Text: "x="}, {Secret: "db", Key: "key", Filter: filter}}.Expand(func(Part) (string, error) { return "FAKE\xff", nil })
		if (err == nil) != ok {
			t.Errorf("%q: %q, %v", filter, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "${db.key|json}") || strings.Contains(err.Error(), "FAKE")) {
			t.Error(err)
		}
	}
}

func TestGenerate(t *testing.T) {
	for _, g := range []Generate{{Kind: kindText, Length: 20, Alphabet: "ab"}, {Kind: kindHex, Length: 33}, {Kind: kindUUID}, {Kind: kindEd25519}, {Kind: kindAge}} {
		a, public, err := g.Make()
		b, _, err2 := g.Make()
		if err != nil || err2 != nil || a == b {
			t.Errorf("%s: %v, %v, or twice the same", g.Kind, err, err2)
		}
		ok := false
		switch g.Kind {
		case kindText:
			ok = len(a) == 20 && strings.Trim(a, "ab") == ""
		case kindHex:
			ok = len(a) == 33 && strings.Trim(a, "0123456789abcdef") == ""
		case kindUUID:
			ok = len(a) == 36 && a[14] == '4' && strings.ContainsRune("89ab", rune(a[19]))
		case kindEd25519:
			key, err := ssh.ParseRawPrivateKey([]byte(a))
			pub, _, _, _, err2 := ssh.ParseAuthorizedKey([]byte(public))
			if err == nil && err2 == nil {
				want, _ := ssh.NewPublicKey((*key.(*ed25519.PrivateKey)).Public())
				ok = string(pub.Marshal()) == string(want.Marshal())
			}
		case kindAge:
			id, err := age.ParseX25519Identity(a)
			ok = err == nil && id.Recipient().String() == public
		}
		if !ok {
			t.Errorf("%s is not of its form", g.Kind)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample, "dev")
	f.Add("version: 1\nbundles: {b: {env: {A: \"${\"}}}", "")
	f.Add("version: 1\nsecrets: &a {aws: *a}\n", "")
	f.Fuzz(func(t *testing.T, text, profile string) {
		m, err := Parse("f", []byte(text), Options{Profile: profile, Providers: providers})
		if (m == nil) == (err == nil) {
			t.Fatal(m, err)
		}
		if err != nil {
			return
		}
		for _, b := range m.Bundles {
			for _, name := range b.Uses() {
				if m.Secret(name) == nil {
					t.Errorf("%s uses %q, which is not declared", b.Name, name)
				}
			}
		}
		for _, g := range m.Hosts {
			for _, name := range g.Bundles {
				if m.Bundle(name) == nil {
					t.Errorf("%s gets %q, which is not there", g.Name, name)
				}
			}
		}
	})
}
