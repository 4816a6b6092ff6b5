package author_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/author"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

// Fake keys; prefix and body are joined here so that nothing scans as a key.
const (
	akia   = "AKIA" + "IOSFODNN7EXAMPLE"
	akia2  = "AKIA" + "I44QHTDHBEXAMPLE"
	awsKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY"
	gho    = "gho_" + "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKE"
	gho2   = "gho_" + "OTHRothrOTHRothrOTHRothrOTHRothrOTHR"
	hf     = "hf_" + "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFA"
	hf2    = "hf_" + "OTHRothrOTHRothrOTHRothrOTHRothrOT"
	wandb  = "0123456789012345678901234567890123456789"
	pem    = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nRkFLRQ==\n-----END OPENSSH " + "PRIVATE KEY-----\n"
)

// secretsIn returns the secret values by profile that a spec finds in a file.
func secretsIn(t testing.TB, sp *spec.Spec, at, data string) map[string][]string {
	t.Helper()
	m := machine.NewMemory("test")
	m.PutFile("/home/u/"+strings.TrimPrefix(at, "~/"), []byte(data), 0o600)
	snap, err := provider.Take(context.Background(), m, nil, []*spec.Spec{sp})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, f := range snap.Extract(context.Background(), sp) {
		if f.State != provider.HasValue {
			t.Errorf("%s: %s: %v", f.Name, f.State, f.Err)
			continue
		}
		profile := f.Profile
		if profile == "" {
			for i := range sp.Files {
				if profile == "" {
					profile = sp.Files[i].Default()
				}
			}
		}
		for k, v := range f.Values {
			if !sp.Public(k) {
				out[profile] = append(out[profile], v.Reveal())
			}
		}
		slices.Sort(out[profile])
	}
	return out
}

// What is inferred from a file of a tool that rhx knows reads the same secret
// values, profile for profile, as the spec that rhx has for the tool.
func TestInferReadsWhatTheBuiltInSpecReads(t *testing.T) {
	registry := spec.NewRegistry(specs.All(), "")
	for _, tt := range []struct {
		name, path, data string
		want             []string // lines of the spec
	}{
		{"aws", "~/.aws/credentials", "# mine\n[default]\naws_access_key_id = " + akia + "\naws_secret_access_key = " + awsKey +
			"\n\n[prod]\naws_access_key_id = " + akia2 + "\naws_secret_access_key = " + awsKey + "x\naws_session_token = FAKEtoken\nregion = eu-west-1\n",
			[]string{"format: ini", "profiles: {section: '*', default: default}", "access_key_id: {public: true, optional: true}", "secret_access_key: {}", "session_token: {optional: true}", "session_token: aws_session_token"}},
		{"aws", "~/.aws/config", "[default]\naws_access_key_id = " + akia + "\naws_secret_access_key = " + awsKey + "\noutput = json\n[profile prod]\naws_access_key_id = " + akia2 + "\naws_secret_access_key = " + awsKey + "\n",
			[]string{"profiles: {section: 'profile *', default: default}"}},
		{"azure", "~/.azure/credentials", "[default]\nsubscription_id=FAKE-sub\nclient_id=FAKE-client\nsecret=FAKE-secret\ntenant=FAKE-tenant\n", []string{"client_id: {public: true, optional: true}"}},
		{"github", "~/.config/gh/hosts.yml", "github.com:\n    git_protocol: https\n    users:\n        jane:\n            oauth_token: " + gho + "\n    user: jane\n    oauth_token: " + gho + "\nghe.corp:\n    user: jo\n    oauth_token: " + gho2 + "\n",
			[]string{"format: yaml", "profiles: {keys: .}", "oauth_token: {at: oauth_token, mirror: 'users.{user}.oauth_token'}"}},
		{"huggingface", "~/.cache/huggingface/token", hf + "\n", []string{"format: text", "token: {at: ., as: trim}"}},
		{"huggingface", "~/.cache/huggingface/stored_tokens", "[laptop]\nhf_token = " + hf + "\n[ci]\nhf_token = " + hf2 + "\nexpires_at = 1900000000\n", []string{"expires: expires_at"}},
		{"lambda", "~/.lambda_cloud/lambda_keys", "api_key = secret_FAKE_fake.0123456789\n", []string{"format: ini", "api_key: api_key"}},
		{"docker", "~/.docker/config.json", `{"auths": {"registry.corp": {"auth": "amFuZTpGQUtFLXB3"}, "ghcr.io": {"auth": "am86RkFLRS1wdzI="}}}`,
			[]string{"format: json", "profiles: {keys: auths}", "username: {at: auth, as: basic-user}", "password: {at: auth, as: basic-password}"}},
		{"wandb", "~/.netrc", "machine api.wandb.ai\n  login user\n  password " + wandb + "\nmachine other.example login jo password FAKE-other\n", []string{"format: netrc", "password: '\"api.wandb.ai\".password'"}},
		{"sky", "~/.ssh/sky-key", pem, []string{"format: keypair"}},
	} {
		t.Run(tt.name+" "+filepath.Base(tt.path), func(t *testing.T) {
			d, err := author.Infer(context.Background(), tt.name, tt.path, []byte(tt.data))
			if err != nil {
				t.Fatal(err)
			}
			builtin, err := registry.Get(tt.name)
			if err != nil {
				t.Fatal(err)
			}
			got, want := secretsIn(t, d.Spec, tt.path, tt.data), secretsIn(t, builtin, tt.path, tt.data)
			// A spec that has no default profile gives it by name.
			if !maps.EqualFunc(got, want, slices.Equal) || len(want) == 0 {
				t.Errorf("got %v, want %v", got, want)
			}
			text := string(d.Files["provider.yaml"])
			for _, line := range tt.want {
				if !strings.Contains(text, " "+line+"\n") {
					t.Errorf("there is no line %q in\n%s", line, text)
				}
			}
			passes(t, d)
		})
	}
}

// passes writes a draft as a package, and tests it.
func passes(t testing.TB, d *author.Draft) {
	t.Helper()
	dir := t.TempDir()
	if err := author.Write(dir, d.Files); err != nil {
		t.Fatal(err)
	}
	p, err := author.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	results, err := (&author.Tester{ReadTimeout: 5 * time.Minute}).Test(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Errorf("%s: %v", r.Name, r.Err)
		}
	}
	if results[0].Name != "case example" {
		t.Errorf("there is no case in %v", results)
	}
}

// npmFormat is how a spec says npm's dialect.
const npmFormat = "    format: {ini: {delimiters: '=', case_sensitive: true, inline_comments: anywhere, continued: never, quotes: true, references: true}}\n    clients: npm\n"

func TestInferShapes(t *testing.T) {
	for _, tt := range []struct {
		name, path, data string
		want             string // the spec from its values on
	}{
		{"variables of a provider are its environment", "~/.acme/.env", "# keys\nexport ACME_TOKEN=FAKE-token\nACME_URL=https://fake.example\nDB_PASSWORD='FAKE-pw'\nDEBUG=true\n",
			"values:\n  url: {env: ACME_URL, public: true, optional: true}\n  token: {env: ACME_TOKEN}\n  db_password: {}\nfiles:\n  - path: ~/.acme/.env\n    format: dotenv\n    keys:\n      url: ACME_URL\n      token: ACME_TOKEN\n      db_password: DB_PASSWORD\n"},
		{"a table that is part of the format is no profile", "~/.config/acme/config.toml", "[api]\nendpoint = \"https://fake.example\"\ntoken = \"FAKE-token\"\n[ui]\ncolor = \"red\"\n",
			"values:\n  endpoint: {public: true, optional: true}\n  token: {}\nfiles:\n  - path: ~/.config/acme/config.toml\n    format: toml\n    keys:\n      endpoint: api.endpoint\n      token: api.token\n"},
		{"the entries of profiles are profiles, if there is one only", "~/.acme.yaml", "version: 2\nprofiles:\n  server:\n    auth:\n      accessToken: FAKE-token\n      tokenTTL: 3600\n",
			"values:\n  accessToken: {}\nfiles:\n  - path: ~/.acme.yaml\n    format: yaml\n    profiles: {keys: profiles}\n    keys:\n      accessToken: auth.accessToken\n"},
		{"the items of a list are profiles", "~/.acme.json", `{"accounts": [{"name": "default", "apiKey": "FAKE-1", "region": "eu"}, {"name": "jo", "apiKey": "FAKE-2"}]}`,
			"values:\n  region: {public: true, optional: true}\n  apiKey: {}\nfiles:\n  - path: ~/.acme.json\n    format: json\n    profiles: {entries: accounts, name: name, default: default}\n    keys:\n      region: region\n      apiKey: apiKey\n"},
		{"one name at two places", "~/.acme.json", `{"api": {"token": "FAKE-1"}, "client": {"secret": "FAKE-2", "session": {"token": "FAKE-3"}}}`,
			"values:\n  token: {}\n  secret: {}\n  session_token: {}\nfiles:\n  - path: ~/.acme.json\n    format: json\n    keys:\n      token: api.token\n      secret: client.secret\n      session_token: client.session.token\n"},
		{"a value that looks secret is, whatever its key", "~/.acme.yml", "color: red\ngithub: " + gho + "\nurl: https://jo:FAKE-pw@fake.example/\n",
			"values:\n  github: {}\n  url: {}\nfiles:\n  - path: ~/.acme.yml\n    format: yaml\n    keys:\n      github: github\n      url: url\n"},
		{"a file that is elsewhere", "/tmp/sample.toml", "token = \"FAKE-token\"\n",
			"values:\n  token: {}\nfiles:\n  # The sample was not in the home folder: this is to be the tool's own path.\n  - path: ~/.acme/sample.toml\n    format: toml\n    keys:\n      token: token\n"},
		{"npm's own registry", "~/.npmrc", "_auth = amFuZTpGQUtFLXB3\nemail = fake@fake.example\n",
			"values:\n  email: {public: true, optional: true}\n  username: {public: true}\n  password: {}\nfiles:\n  - path: ~/.npmrc\n" + npmFormat + "    keys:\n      email: email\n      username: {at: _auth, as: basic-user}\n      password: {at: _auth, as: basic-password}\n"},
		{"npm's registries are profiles", "~/.npmrc", "//registry.npmjs.org/:_authToken=npm_FAKE1\n@acme:registry=https://npm.fake.example/a/\n//npm.fake.example/a/:_authToken=\"FAKE;2\"\n//npm.fake.example/a/:email=fake@fake.example\n//other.fake.example/:_authToken=${TOKEN}\n",
			"values:\n  email: {public: true, optional: true}\n  token: {}\nfiles:\n  - path: ~/.npmrc\n" + npmFormat + "    profiles: {option: '//*/:_authToken', default: registry.npmjs.org}\n    keys:\n      email: {at: '//{profile}/:email', root: true}\n      token: .\n"},
		{"a registry with a password", "/tmp/work-npmrc", "//npm.fake.example/:_password=RkFLRS1wdw==\n//npm.fake.example/:username=jo\n",
			"values:\n  username: {public: true, optional: true}\n  password: {}\nfiles:\n  # The sample was not in the home folder: this is to be the tool's own path.\n  - path: ~/.acme/work-npmrc\n" + npmFormat + "    profiles: {option: '//*/:_password'}\n    keys:\n      username: {at: '//{profile}/:username', root: true}\n      password: {at: ., as: base64}\n"},
		{"a registry with both in one", "~/.npmrc", "//npm.fake.example/:_auth=amFuZTpGQUtFLXB3\n",
			"values:\n  username: {public: true}\n  password: {}\nfiles:\n  - path: ~/.npmrc\n" + npmFormat + "    profiles: {option: '//*/:_auth'}\n    keys:\n      username: {at: ., as: basic-user}\n      password: {at: ., as: basic-password}\n"},
		{"tokens by name are profiles", "~/.acme.json", `{"version": 1, "access-tokens": {"https://fake.example": "FAKE-1", "https://fake2.example": "FAKE-2"}}`,
			"values:\n  token: {}\nfiles:\n  - path: ~/.acme.json\n    format: json\n    profiles: {keys: access-tokens}\n    keys:\n      token: .\n"},
		{"a token, and others by name", "~/.acme.yml", "last_login: 2024-01-01T00:00:00Z\naccess-token: FAKE-1\nauth-contexts:\n  jane: " + gho + "\n",
			"values:\n  access-token: {}\nfiles:\n  - path: ~/.acme.yml\n    format: yaml\n    keys:\n      access-token: access-token\n"},
		{"properties of Java", "~/.acme/acme.properties", "# mine\nacme.user=jo\nacmeApiKey : FAKE\\u0031\n", "values:\n  user: {public: true, optional: true}\n  acmeApiKey: {}\nfiles:\n  - path: ~/.acme/acme.properties\n    format: properties\n    keys:\n      user: '\"acme.user\"'\n      acmeApiKey: acmeApiKey\n"},
		{"blocks of HCL", "~/.acmerc", "cache = \"x\"\ncredentials \"fake.example\" {\n  token = \"FAKE-1\"\n}\ncredentials \"fake2.example\" {\n  token = \"FAKE-2\"\n}\n",
			"values:\n  token: {}\nfiles:\n  - path: ~/.acmerc\n    format: {hcl: {blocks: [credentials]}}\n    profiles: {keys: credentials}\n    keys:\n      token: token\n"},
		{"values of HCL", "/tmp/acme.tfvars", "api_key = \"FAKE\"\nregion = \"eu\"\n",
			"values:\n  region: {public: true, optional: true}\n  api_key: {}\nfiles:\n  # The sample was not in the home folder: this is to be the tool's own path.\n  - path: ~/.acme/acme.tfvars\n    format: hcl\n    keys:\n      region: region\n      api_key: api_key\n"},
		{"a list of XML", "~/.acme/settings.xml", "<settings><servers><server><id>jo</id><username>u</username><password>FAKE</password></server></servers></settings>",
			"values:\n  username: {public: true, optional: true}\n  password: {}\nfiles:\n  - path: ~/.acme/settings.xml\n    format: {xml: {lists: [server]}}\n    profiles: {entries: settings.servers.server, name: id}\n    keys:\n      username: username\n      password: password\n"},
		{"attributes of XML", "~/.acme/rc", "<?xml version='1.0'?>\n<acme>\n <account name='a' token='FAKE-1'/>\n <account name='b' token='FAKE-2'/>\n</acme>\n",
			"values:\n  token: {}\nfiles:\n  - path: ~/.acme/rc\n    format: {xml: {lists: [account]}}\n    profiles: {entries: acme.account, name: '@name'}\n    keys:\n      token: '@token'\n"},
		{"an XML file that is one secret", "~/.other.xml", "<other>\n <user>jo</user>\n <password>FAKE</password>\n</other>\n",
			"values:\n  user: {public: true, optional: true}\n  password: {}\nfiles:\n  - path: ~/.other.xml\n    format: xml\n    keys:\n      user: other.user\n      password: other.password\n"},
		{"machines of netrc", "~/.netrc", "machine fake.example login jo password FAKE-1\nmachine fake2.example login jo password FAKE-2\n",
			"values:\n  login: {public: true, optional: true}\n  password: {}\nfiles:\n  - path: ~/.netrc\n    format: netrc\n    profiles: {keys: .}\n    keys:\n      login: login\n      password: password\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := author.Infer(context.Background(), "acme", tt.path, []byte(tt.data))
			if err != nil {
				t.Fatal(err)
			}
			text := string(d.Files["provider.yaml"])
			if got := text[strings.Index(text, "values:"):]; got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			passes(t, d)
		})
	}
}

func TestInferRefuses(t *testing.T) {
	kube := "apiVersion: v1\nkind: Config\nclusters:\n- {name: c, cluster: {server: https://fake.example, certificate-authority-data: FAKE}}\ncontexts:\n- {name: x, context: {cluster: c, user: u}}\nusers:\n- {name: u, user: {token: FAKE-token, password: FAKE}}\n"
	for _, tt := range []struct{ name, path, data, want string }{
		{"empty", "~/.acme", " \n", "it is empty"},
		{"binary", "~/.mylogin.cnf", "\x00\x01FAKE", "it is binary"},
		{"not what its name says", "~/.acme.json", "{\"token\": FAKE", "it is not valid json, as its name says"},
		{"no format", "~/.pgpass", "fake.example:5432:db:jo:FAKE-pw\n", "it fits none of the formats"},
		{"prose", "~/.acme", "the token is FAKE\nand more\n", "it fits none of the formats"},
		{"no secret", "~/.acme.yml", "color: red\nuser: jo\n", "it is yaml, but no value in it looks like a secret"},
		{"lists that refer to one another", "~/.kube/config", kube, "several lists"},
		{"a list without names", "~/.acme.json", `[{"token": "FAKE-1"}, {"token": "FAKE-2"}]`, "no field that names them"},
		{"quotes that another reader takes off", "~/.my.cnf", "[client]\nuser=jo\npassword=\"FAKE\"\n", "its values are in quotes"},
		{"java", "~/gradle.properties", "nexusPassword=\\uFAKE\n", "it is not valid properties, as its name says"},
		{"an expression of Terraform", "~/x.tfvars", "token = FAKE()\n", "it is not valid hcl, as its name says"},
		{"a list of XML that has names in its items alone", "~/NuGet.Config", "<configuration><packageSourceCredentials><jane><add key='Username' value='jo'/><add key='ClearTextPassword' value='FAKE'/></jane></packageSourceCredentials></configuration>", "named by data"},
		{"an npmrc without values", "~/.npmrc", "//registry.fake.example/:_authToken=${FAKE}\n", "its secrets are references to variables, and no values"},
		{"secrets at the top and in profiles", "~/.acme.toml", "[jane]\nx.y.token = \"FAKE\"\n[jane.prod]\ntoken = \"FAKE\"\n", "named by data"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := author.Infer(context.Background(), "acme", tt.path, []byte(tt.data))
			if err == nil {
				t.Fatalf("inferred\n%s", d.Files["provider.yaml"])
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "FAKE") || strings.Contains(err.Error(), "jane") {
				t.Errorf("%v; want %q in it", err, tt.want)
			}
		})
	}
}

// Nothing of a sample but names of its format gets into the package, or into the
// reason why there is none.
func TestInferLeaksNothing(t *testing.T) {
	canary := "CANARY0fake1CANARY2fake3"
	for _, data := range []string{
		"# " + canary + "\n[" + canary + "]\ntoken = " + canary + "\n[jane@corp.example]\ntoken = " + canary + "\n",
		"[" + canary + "]\ntoken = x\n",
		"{\"" + canary + "\": {\"token\": \"x\"}, \"b\": {\"token\": \"y\"}}",
		"{\"token\": \"" + canary + "\", \"" + canary + "\": \"z\", \"" + canary + "_token\": \"y\"}",
		"{\"accounts\": [{\"name\": \"" + canary + "\", \"token\": \"" + canary + "\"}]}",
		"{\"" + canary + "\": [{\"name\": \"jane@corp.example\", \"token\": \"fake\"}]}",
		"a:\n  users:\n    " + canary + ":\n      token: " + canary + "\n  token: fake\n",
		"a:\n  user: " + canary + "\n  users:\n    " + canary + ":\n      token: " + canary + "\n  token: fake\n",
		"user: " + canary + "\ntoken: fake # " + canary + "\n" + canary + ": fake\n",
		"machine " + canary + ".acme.example login " + canary + " password " + canary + "\n",
		"machine x.example login " + canary + " account jane@corp.example password " + canary + "\n# " + canary + "\n",
		"export ACME_TOKEN=" + canary + "\n" + canary + "_TOKEN=x\n#" + canary + "\n",
		canary + "\n",
		pem + canary + "\n",
		"token: x\ntokens:\n  jane: " + canary + "\n  " + canary + ": y\n",
		"tokens:\n  jane: " + canary + "\n  " + canary + ": y\n",
		"{ " + canary,
		"token = " + canary + "\n\x00",
		"hunter2_token = hunter2\npassword = hunter2\n",
		"<" + canary + "><token>" + canary + "</token></" + canary + ">",
		"<a><!-- " + canary + " --><b name='jane' token='" + canary + "'/><b name='" + canary + "' token='x'/></a>",
		canary + " \"x\" {\n  token = \"" + canary + "\"\n}\n",
		"token \"jane\" {\n  key = \"" + canary + "\"\n  " + canary + " = \"x\"\n}\n",
	} {
		for _, at := range []string{"~/.acme", "~/.acme.json", "~/.acme.yml", "~/.acme.toml", "~/.netrc", "~/.env", "~/.acme.xml", "~/.acme.hcl"} {
			d, err := author.Infer(context.Background(), "acme", at, []byte(data))
			var all string
			if err != nil {
				all = err.Error()
			} else {
				for name, text := range d.Files {
					all += name + "\n" + string(text) + "\n"
				}
			}
			lower := strings.ToLower(all)
			for _, leak := range []string{canary, "jane", "corp.example", "hunter2"} {
				if strings.Contains(lower, strings.ToLower(leak)) {
					t.Errorf("%s: %q is in\n%s", at, leak, all)
				}
			}
		}
	}
}

// FuzzInfer holds that what is inferred parses, and reads the sample; and that
// no long value of the sample is written.
func FuzzInfer(f *testing.F) {
	for _, data := range []string{
		"[default]\naws_access_key_id = " + akia + "\naws_secret_access_key = " + awsKey + "\n[b]\naws_secret_access_key = x\n",
		"[remote \"a b\"]\ntoken=x\n  y\n[remote c]\ntoken=\n[DEFAULT]\nkey: z",
		"github.com:\n  user: jo\n  oauth_token: " + gho + "\n  users:\n    jo:\n      oauth_token: " + gho + "\n",
		`{"auths": {"a": {"auth": "amFuZTpGQUtFLXB3"}, "b": {"auth": "x"}}}`,
		`{"accounts": [{"name": "a", "token": 1}, {"name": "b", "token": "c"}, 5]}`,
		"a = 'b'\n[[x]]\nname = 'c'\ntoken = 'd'\n", "export A_TOKEN=\"x\ny\"\n", "machine acme login a password b default password c",
		hf, pem, "token: !!binary aGk=\n? [a]\n: b\n", "acme: {acme: {token: {token: x}, secret: y}, expires_at: 2030-01-01T00:00:00Z}", "'{x}': {token: a}\n'{y': {token: b}\n",
	} {
		for _, at := range []string{"~/.acme", "~/.a.yaml", "~/.a.json", "/x/.a.toml", "~/.netrc", "~/.env"} {
			f.Add(at, []byte(data))
		}
	}
	f.Fuzz(func(t *testing.T, at string, data []byte) {
		d, err := author.Infer(context.Background(), "acme", at, data)
		if err != nil {
			return
		}
		sp, err := spec.Parse("provider.yaml", d.Files["provider.yaml"])
		if err != nil {
			t.Fatal(err)
		}
		found := secretsIn(t, sp, sp.Files[0].Path("linux"), string(data))
		if len(found) == 0 {
			t.Errorf("no secret is read by\n%s", d.Files["provider.yaml"])
		}
		for _, texts := range found {
			for _, text := range texts {
				for name, file := range d.Files {
					if len(text) > 16 && strings.Contains(string(file), text) && !strings.Contains(at, text) && !strings.HasPrefix(text, "fake-") {
						t.Errorf("%s has %q", name, text)
					}
				}
			}
		}
	})
}

func TestWriteOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := author.Write(dir, map[string][]byte{"provider.yaml": nil}); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "provider.yaml")); err == nil {
		t.Error("it was written")
	}
}

func TestMayBeSecret(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"OPENAI_API_KEY", "x", true},
		{"OPENAI_API_KEY", "", false},
		{"MODE", "prod", false},
		{"URL", "https://u:p@host", true},
		{"URL", "https://host/token", false},
		{"NAME", "gh" + "p_FAKE0fake1FAKE2fake3FAKE4fake5FAKE6", true},
		{"PATH", "/usr/bin:/bin", false},
	} {
		if got := author.MayBeSecret(c.name, c.text); got != c.want {
			t.Errorf("%s=%s: %v", c.name, c.text, got)
		}
	}
}
