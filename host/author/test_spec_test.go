package author_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/author"
)

// results tests a package that is a spec with one case.
func results(t *testing.T, spec, path, data string, env string, want ...any) []author.Result {
	t.Helper()
	dir := t.TempDir()
	expect, err := json.Marshal(map[string]any{"secrets": want})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"provider.yaml": []byte(spec), "cases/one/expect.json": expect, "cases/one/env": []byte(env)}
	if path != "" {
		files["cases/one/home/"+path] = []byte(data)
	}
	if err := author.Write(dir, files); err != nil {
		t.Fatal(err)
	}
	p, err := author.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	out, err := (&author.Tester{ReadTimeout: 5 * time.Minute}).Test(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type values map[string]string

func profile(name string, v values) any {
	return map[string]any{"profile": name, "values": v}
}

// The specs that rhx has pass the test that it has for those of others, on files
// with what such files have: comments, mirrors, subtrees, encodings, many lines.
func TestBuiltInSpecsPass(t *testing.T) {
	for _, tt := range []struct {
		name, path, data, env string
		want                  []any
	}{
		{"aws", ".aws/credentials", "# mine\r\n[default]\r\naws_access_key_id = " + akia + " ; old\r\naws_secret_access_key=" + awsKey + "\r\n\r\n[prod]\r\naws_access_key_id = " + akia2 + "\r\naws_secret_access_key = " + awsKey + "x\r\naws_security_token = FAKE", "",
			[]any{profile("default", values{"access_key": akia, "secret_key": awsKey}), profile("prod", values{"access_key": akia2, "secret_key": awsKey + "x", "session_token": "FAKE"})}},
		{"github", ".config/gh/hosts.yml", "github.com:\n    users:\n        jane:\n            oauth_token: " + gho + "\n    user: jane # me\n    oauth_token: " + gho + "\n", "GH_TOKEN=" + gho2 + "\n",
			[]any{profile("github.com", values{"user": "jane", "oauth_token": gho})}},
		{"docker", ".docker/config.json", "{\n\t// mine\n\t\"auths\": {\"ghcr.io\": {\"auth\": \"amFuZTpGQUtFLXB3\"}},\n\t\"x\": [1,\n 2]\n}\n", "",
			[]any{profile("ghcr.io", values{"server": "ghcr.io", "username": "jane", "password": "FAKE-pw"})}},
		{"kubernetes", ".kube/config", "# mine\nclusters: [{name: c, cluster: {server: https://fake.example}}]\ncontexts:\n- name: x\n  context: {cluster: c, user: u}\nusers:\n- name: u\n  user:\n    token: FAKE\n", "",
			[]any{profile("x", values{"context": `{"cluster":"c","user":"u"}`, "cluster": `{"server":"https://fake.example"}`, "user": `{"token":"FAKE"}`})}},
		{"wandb", ".netrc", "machine a.example login b password c\nmachine api.wandb.ai # mine\n  login user\n  password " + wandb + "\n", "", []any{profile("", values{"api_key": wandb})}},
		{"huggingface", "elsewhere", hf, "HF_TOKEN_PATH=~/elsewhere\n", []any{profile("", values{"token": hf})}},
		{"gcp", ".config/gcloud/application_default_credentials.json", "{\"type\": \"authorized_user\", \"client_secret\": \"FAKE\", \"extra\": {\"a\": [1]}}", "",
			[]any{profile("", values{"type": "authorized_user", "client_secret": "FAKE", "extra": `{"a":[1]}`})}},
		{"ssh", ".ssh/id_fake", pem, "", []any{profile("id_fake", values{"private_key": pem})}},
		{"openai", "", "", "OPENAI_API_KEY=FAKE\n", []any{profile("", values{"api_key": "FAKE"})}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec, err := os.ReadFile("../../specs/" + tt.name + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results(t, string(spec), tt.path, tt.data, tt.env, tt.want...) {
				if r.Err != nil {
					t.Errorf("%s: %v", r.Name, r.Err)
				}
			}
		})
	}
}

// A value that goes over several lines is no other line.
func TestValuesOfManyLinesPass(t *testing.T) {
	for _, tt := range []struct{ format, data, value string }{
		{"yaml", "# mine\ntoken: |\n  FAKE one\n  FAKE two\nx: 1\n", "FAKE one\nFAKE two\n"},
		{"yaml", "token: >-\n  FAKE one\n  FAKE two\nx: 1\n", "FAKE one FAKE two"},
		{"yaml", "token: \"FAKE one\n  FAKE two\" # mine\n", "FAKE one FAKE two"},
		{"toml", "token = \"\"\"\nFAKE one\nFAKE two\"\"\" # mine\nx = 1\n", "FAKE one\nFAKE two"},
		{"toml", "token = '''\nFAKE\n'''\n", "FAKE\n"},
		{"dotenv", "token='FAKE one\nFAKE two' # mine\nx=1\n", "FAKE one\nFAKE two"},
		{"json", "{\"token\": \"\\u0046AKE \\u00e9\",\n\"x\": 1}", "FAKE é"},
	} {
		spec := "spec: 1\nname: acme\nvalues: {token: {}}\nfiles: [{path: ~/.acme, format: " + tt.format + ", keys: {token: token}}]\n"
		for _, r := range results(t, spec, ".acme", tt.data, "", profile("", values{"token": tt.value})) {
			if r.Err != nil {
				t.Errorf("%s, %s: %v", tt.format, r.Name, r.Err)
			}
		}
	}
}

// What a test of a spec must find, each by a spec that has just that fault.
func TestSpecFaultsAreFound(t *testing.T) {
	for _, tt := range []struct{ name, rest, data, value, want string }{
		{"a place that is overwritten by another value", "values: {token: {}, user: {public: true}}\nfiles: [{path: ~/.acme, format: json, keys: {token: a, user: a}}]\n",
			`{"a": "FAKE"}`, "FAKE", "cannot be held there"},
		{"what a write adds is a state that wins", "values: {token: {}}\nfiles: [{path: ~/.acme, format: json, keys: {token: a}, add: {helper: x}, states: [{state: exec, at: helper, wins: true}]}]\n",
			`{"a": "FAKE"}`, "FAKE", "loaded into an empty home folder: "},
		{"a value of several lines in ini, of which not all readers make one", "values: {token: {}}\nfiles: [{path: ~/.acme, format: ini, keys: {token: token}}]\n",
			"token = FAKE one\n  FAKE two\n", "FAKE one\nFAKE two", "has a line break"},
		{"no place for a new file", "values: {token: {}}\nfiles: [{path: ~/.acme, format: json, keys: {token: 'a.*.token'}}]\n",
			`{"a": {"b": {"token": "FAKE"}}}`, "FAKE", "there is no place for token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := values{"token": tt.value}
			if strings.Contains(tt.rest, "user:") {
				want["user"] = tt.value
			}
			r := results(t, "spec: 1\nname: acme\n"+tt.rest, ".acme", tt.data, "", profile("", want))[0]
			if r.Err == nil || !strings.Contains(r.Err.Error(), tt.want) || strings.Contains(r.Err.Error(), "FAKE") {
				t.Errorf("got %v, want %q", r.Err, tt.want)
			}
		})
	}
}
