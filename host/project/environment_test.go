package project_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/project"
)

const web = `
secrets:
  aws: {profile: prod}
  hub: {provider: huggingface}
  openai:
  cloud: {provider: gcp}
  db:
    values:
      user: {default: app}
      password:
      port: {required: false}
bundles:
  web:
    secrets: [openai, db]
    env:
      URL: postgres://${db.user}:${db.password|url}@db/app
      MODE: online
      HOME_OF: ${env.SHELL_HOME}
    unset: [password]
    files: [aws]
  other:
    secrets: [hub, cloud]
    env: {ELSEWHERE: "1", MODE: other}
    files: [{secret: aws, path: ~/creds.json}]
    unset: [GONE]
`

func (w *world) webSecrets() {
	w.t.Helper()
	w.aws("aws/prod", "P")
	w.save("openai", "api_key", "sk-fake")
	w.save("-db", "password", "a/b", "extra", "not declared")
}

// A bundle's variables are those of its secrets, then its own texts, without what it
// unsets. Of a base secret there are the keys that are declared, and their defaults.
func TestEnvironmentOfABundle(t *testing.T) {
	w := newWorld(t)
	w.webSecrets()
	w.env["SHELL_HOME"] = "/home/jane"
	m := w.manifest(web)
	env := w.environment(m, "web")
	is(t, "variables", vars(env.Vars), "OPENAI_API_KEY=sk-fake user=app URL=postgres://app:a%2Fb@db/app MODE=online HOME_OF=/home/jane")
	if len(env.Files) != 1 || env.Files[0].Secret.Name != "aws" || env.Files[0].Info.Name != "aws/prod" || len(env.Paths) != 0 {
		t.Errorf("%+v", env.Files)
	}
	what := env.Delivery()
	var groups []string
	for _, g := range what.Vars {
		groups = append(groups, g.Name+" "+g.Stored)
	}
	sort.Strings(groups)
	if is(t, "groups", strings.Join(groups, "\n"), "db db\nopenai openai\nthe bundle web "); what.Store != "local" || len(what.Files) != 1 {
		t.Errorf("%+v", what)
	}
}

// A command gets nothing that the manifest has elsewhere: variables of other bundles and
// their secrets, all keys of a base secret, and what any bundle unsets.
func TestStrippedVariables(t *testing.T) {
	w := newWorld(t)
	w.webSecrets()
	w.env["SHELL_HOME"] = "x"
	m := w.manifest(web)
	strip := w.environment(m, "web").Strip
	for _, name := range []string{"ELSEWHERE", "HF_TOKEN", "GONE", "password", "port", "GOOGLE_CREDENTIALS"} {
		if !slices.Contains(strip, name) {
			t.Errorf("%s is left to the command", name)
		}
	}
	for _, name := range []string{"OPENAI_API_KEY", "user", "MODE", "URL", "", "AWS_SECRET_ACCESS_KEY", "extra"} {
		if slices.Contains(strip, name) {
			t.Errorf("%q is taken from it", name)
		}
	}
	if sorted := slices.Sorted(slices.Values(strip)); len(slices.Compact(sorted)) != len(strip) {
		t.Errorf("some twice: %q", strip)
	}
	// Without a manifest there is nothing to strip.
	env, err := w.Environment(t.Context(), nil, nil, []string{"openai"}, bundle.Names{})
	if err != nil || env.Strip != nil || vars(env.Vars) != "OPENAI_API_KEY=sk-fake" {
		t.Errorf("%+v, %v", env, err)
	}
	is(t, "its group", env.Delivery().Vars[0].Stored, "openai")
}

// Two bundles: the files are each there once, with the path that one says, and what one
// unsets is not there of the other either.
func TestEnvironmentOfTwoBundles(t *testing.T) {
	w := newWorld(t)
	w.aws("aws", "A")
	w.save("-db", "B", "b", "C", "c")
	m := w.manifest(`
secrets: {aws: , db: {values: {B: , C: }}}
bundles:
  one: {secrets: [aws, db], files: [aws], unset: [C]}
  two: {files: [{secret: aws, path: ~/x/creds}], env: {D: "${aws.secret_key}"}, unset: [AWS_ACCESS_KEY_ID]}
`)
	env := w.environment(m, "one", "two")
	is(t, "variables", vars(env.Vars), "AWS_SECRET_ACCESS_KEY=fake-A B=b D=fake-A")
	if len(env.Files) != 1 || env.Paths["aws"] != "~/x/creds" {
		t.Errorf("%+v, %v", env.Files, env.Paths)
	}
}

// What is missing or in conflict is said at once, with what to do.
func TestEnvironmentErrors(t *testing.T) {
	w := newWorld(t)
	w.save("aws", "access_key", "x")
	w.save("-hub", "token", "x")
	w.save("-db", "user", "x")
	m := w.manifest(`
secrets:
  openai:
  hub: {provider: huggingface}
  db: {values: {user: , password: , port: {required: false}}}
  made: {values: {key: {generate: hex}}}
  typed: {values: {key: {prompt: Key}}}
  two: {values: {a: {default: x}, b: }, one_of: [a, b]}
  none: {values: {a: , b: }, one_of: [a, b]}
bundles:
  every: {secrets: [openai, hub, db, made, none]}
  openai: {secrets: [openai]}
  db: {secrets: [db]}
  made: {secrets: [made]}
  typed: {secrets: [typed]}
  text: {env: {A: "${db.user}", B: "${env.NOT_SET}"}}
  web: {}
`)
	fails := func(name string, secrets ...string) error {
		t.Helper()
		env, err := w.Environment(t.Context(), m, []string{name}, secrets, bundle.Names{})
		if env != nil || err == nil {
			t.Fatalf("%s: %+v, %v", name, env, err)
		}
		return err
	}
	is(t, "all at once", fails("every").Error(), `no secret "openai" in the store
hub is of the provider "" in the store, and of "huggingface" in the manifest
db has no value for password in the store
made has no value for key in the store
none must have exactly one of a, b, and has 0 of them`)
	for name, hint := range map[string]string{"openai": "rhx save openai takes it from this machine", "db": "rhx save db KEY=- keeps a value", "made": "rhx apply makes what is to be generated, and asks for the rest"} {
		is(t, name, fault.Hint(fails(name)), hint)
	}
	is(t, "typed", fault.Hint(fails("typed")), "rhx apply makes what is to be generated, and asks for the rest")
	is(t, "texts", fails("text").Error(), "db has no value for password in the store")
	w.save("-db", "user", "x", "password", "y")
	is(t, "texts", fails("text").Error(), "B of the bundle text: the variable NOT_SET is not set in this environment")
	err := fails("wbe")
	if is(t, "unknown", err.Error(), `rhx.yaml has no bundle "wbe"; did you mean "web"?`); fault.KindOf(err) != fault.Usage {
		t.Errorf("%v", fault.KindOf(err))
	}
	contains(t, fails("web", "nobody").Error(), "nobody")
	contains(t, fails("web", "aws").Error(), "aws has no value for secret_key")
}

// Of a text, a key that the secret does not have is said with those that it has.
func TestTextOfAKeyThatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.aws("aws", "A")
	m := w.manifest("secrets: {aws: }\nbundles: {b: {env: {T: '${aws.secret_kye}'}}}")
	_, err := w.Environment(t.Context(), m, []string{"b"}, nil, bundle.Names{})
	if err == nil || err.Error() != "T of the bundle b: aws has no value for secret_kye; did you mean \"secret_key\"?" || fault.Hint(err) != "it has access_key, secret_key" {
		t.Errorf("%v, %q", err, fault.Hint(err))
	}
}

// A secret of a provider that is none here is an error, and not left out.
func TestSecretOfAnUnknownProvider(t *testing.T) {
	w := newWorld(t)
	w.save("strange", "k", "v")
	_, err := w.Environment(t.Context(), nil, nil, []string{"strange"}, bundle.Names{})
	if err == nil || !strings.HasPrefix(err.Error(), "secret strange: ") {
		t.Error(err)
	}
}

// Exactly one key of a group: with both, or with a default and another, that is an
// error.
func TestOneOf(t *testing.T) {
	w := newWorld(t)
	m := w.manifest("secrets: {api: {values: {token: , password: , id: {default: '7'}}, one_of: [token, password]}}\nbundles: {b: {secrets: [api]}}")
	w.save("-api", "token", "t")
	is(t, "one", vars(w.environment(m, "b").Vars), "id=7 token=t")
	w.save("-api", "token", "t", "password", "p")
	if _, err := w.Environment(t.Context(), m, []string{"b"}, nil, bundle.Names{}); err == nil || err.Error() != "api must have exactly one of token, password, and has 2 of them" {
		t.Error(err)
	}
}

// The public half of a pair that is generated comes along.
func TestPublicHalf(t *testing.T) {
	w := newWorld(t)
	w.save("-deploy", "key", "private", "key_public", "public", "other", "x")
	m := w.manifest("secrets: {deploy: {values: {key: {generate: ed25519}}}}\nbundles: {b: {env: {A: '${deploy.key_public}'}}, whole: {secrets: [deploy]}}")
	is(t, "text", vars(w.environment(m, "b").Vars), "A=public")
	is(t, "all", vars(w.environment(m, "whole").Vars), "key=private key_public=public")
}

// Keys that cannot be names where they go are left out where that is wanted, and named.
func TestSkippedKeys(t *testing.T) {
	w := newWorld(t)
	w.save("-own", "a-b", "1", "C", "2")
	if _, err := w.Environment(t.Context(), nil, nil, []string{"own"}, bundle.Names{}); !errors.Is(err, bundle.ErrUnnamable) {
		t.Error(err)
	}
	env, err := w.Environment(t.Context(), nil, nil, []string{"own"}, bundle.Names{Skip: true})
	if err != nil || vars(env.Vars) != "C=2" || !slices.Equal(env.Skipped, []string{"own: a-b"}) {
		t.Errorf("%+v, %v", env, err)
	}
}

// A bundle without secrets opens no store; with secrets, a store that cannot be opened
// is the error.
func TestStoreIsOpenedWhenNeeded(t *testing.T) {
	w := newWorld(t)
	w.noStore()
	m := w.manifest("secrets: {openai: }\nbundles: {plain: {env: {A: b}}, one: {secrets: [openai]}}")
	env := w.environment(m, "plain")
	if is(t, "variables", vars(env.Vars), "A=b"); env.Delivery().Store != "" {
		t.Error("a store")
	}
	for _, c := range []struct{ bundles, secrets []string }{{[]string{"one"}, nil}, {nil, []string{"openai"}}} {
		if env, err := w.Environment(t.Context(), m, c.bundles, c.secrets, bundle.Names{}); env != nil || err == nil || !errors.Is(err, errGone) {
			t.Errorf("%+v, %v", env, err)
		}
	}
}

// Names of providers and their aliases are known to the manifest.
func TestManifestOptions(t *testing.T) {
	w := newWorld(t)
	opts := w.ManifestOptions("dev")
	if opts.Profile != "dev" || !slices.Contains(opts.Providers, "aws") || !slices.Contains(opts.Aliases(), "kube") {
		t.Errorf("%+v", opts)
	}
	// A provider of the user's that is broken does not hide the others.
	w.write(".config/rhx/providers/bad.yaml", "spec: 1\nname: 7x\n")
	w.again()
	if !slices.Contains(w.ManifestOptions("").Aliases(), "kube") {
		t.Error("no aliases")
	}
}

// What must not be seen: secret values, what is in their trees, lists too, texts made of
// them, and the document that has all. Not what the manifest says itself.
func TestHidden(t *testing.T) {
	w := newWorld(t)
	w.save("aws", "access_key", "AKIA"+"IOSFODNN7EXAMPLE", "secret_key", "fake-secret")
	w.save("kubernetes/k", "context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"https://k"}`, "user", `{"token":"fake-token","list":["fake-item",{"deep":"fake-deep"}],"n":7}`)
	w.save("gcp", "type", "authorized_user", "client_id", "id", "client_secret", "fake-client", "refresh_token", "fake-refresh")
	w.save("-db", "user", "app", "password", "fake-pass", "key", "fake-key", "key_public", "ssh-ed25519 AAAA")
	m := w.manifest(`
secrets: {aws: , kubernetes/k: , gcp: , db: {values: {user: {default: app}, role: {default: reader}, password: , key: {generate: ed25519}}}}
bundles:
  b:
    secrets: [aws, gcp, db]
    files: [kubernetes/k]
    env: {URL: "x://${db.password}@h", PLAIN: nothing}
`)
	env := w.environment(m, "b")
	hidden := func(env *project.Environment) map[string]bool {
		out := map[string]bool{}
		values, err := w.Hidden(env)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if v.Empty() {
				t.Error("nothing is hidden")
			}
			out[v.Reveal()] = true
		}
		return out
	}
	got := hidden(env)
	var document string
	for _, v := range env.Vars {
		if v.Name == "GOOGLE_CREDENTIALS" {
			document = v.Value.Reveal()
		}
	}
	for _, text := range []string{"fake-secret", "fake-token", "fake-item", "fake-deep", "fake-client", "fake-refresh", document, "fake-pass", "fake-key", "x://fake-pass@h"} {
		if text == "" || !got[text] {
			t.Errorf("%q may be seen", text)
		}
	}
	for _, text := range []string{"AKIA" + "IOSFODNN7EXAMPLE", "app", "reader", "ssh-ed25519 AAAA", "nothing", "https://k", "authorized_user", "7"} {
		if got[text] {
			t.Errorf("%q is hidden", text)
		}
	}
	// A value of the store that is not the default is a secret; so is all of a secret that
	// no manifest declares, and of a provider that is not known here.
	w.save("-db", "user", "other", "password", "fake-pass", "key", "k")
	if got := hidden(w.environment(m, "b")); !got["other"] {
		t.Error("a value of the store may be seen")
	}
	env, err := w.Environment(t.Context(), nil, nil, []string{"db"}, bundle.Names{})
	if got := hidden(env); err != nil || !got["other"] || !got["fake-pass"] {
		t.Errorf("%v, %v", got, err)
	}
}

// The draft of a manifest has every secret with values on this machine, the default
// profile first, and says why one is not in the bundle.
func TestDraftManifest(t *testing.T) {
	w := newWorld(t)
	w.write(".aws/credentials", "[a]\naws_access_key_id = AKIAIOSFODNN7EXAMPLA\naws_secret_access_key = x\n[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n")
	w.write(".config/gh/hosts.yml", "github.com:\n  user: jane\n  oauth_token: gho_fake\n")
	w.write(".ssh/id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nfake\n-----END OPENSSH PRIVATE KEY-----\n")
	w.write(".kube/config", "contexts: [{name: k, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: https://k}}]\nusers: [{name: u, user: {exec: {command: x}}}]\n")
	d, err := w.DraftManifest(t.Context(), w.home)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range d.Secrets {
		got = append(got, strings.TrimSpace(strings.Join([]string{s.Name, "(" + s.Title + ")", s.Why}, " ")))
		if s.Bundled != (s.Why == "") {
			t.Errorf("%+v", s)
		}
	}
	is(t, "secrets", strings.Join(got, "\n"), `aws (Amazon Web Services)
aws/a (Amazon Web Services) it sets variables that aws sets
github (GitHub)
ssh/id_ed25519 (SSH key pairs) it has no variables`)

	// The project's own files go first; one that cannot be read is named.
	w.write("api/.env", "PORT=3000\nGITHUB_TOKEN=gho_fake2\n")
	w.write("api/.env.prod", "PORT=4000\n")
	w.write("api/.envrc", "export PORT=\xff\xfe'\n")
	d, err = w.DraftManifest(t.Context(), filepath.Join(w.home, "api"))
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	for _, s := range d.Secrets {
		got = append(got, fmt.Sprint(s))
	}
	is(t, "secrets of a project", strings.Join(got, "\n"), `{github/api GitHub [] true }
{api .env [PORT] true }
{api.prod .env.prod [PORT] false it sets variables that api sets}
{aws Amazon Web Services [] true }
{aws/a Amazon Web Services [] false it sets variables that aws sets}
{github GitHub [] false it sets variables that github/api sets}
{ssh/id_ed25519 SSH key pairs [] false it has no variables}`)
	is(t, "broken", fmt.Sprint(d.Broken, d.OfFiles), "[.envrc: it is not text] true")

	// A broken spec of the user's is said beside the rest.
	w.write(".config/rhx/providers/bad.yaml", "spec: 1\nname: 7x\n")
	w.again()
	if d, err := w.DraftManifest(t.Context(), w.home); err == nil || d == nil || len(d.Secrets) != 4 {
		t.Errorf("%+v, %v", d, err)
	}
}

// Without a home folder that can be read there is no draft, but an error.
func TestDraftManifestFails(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(filepath.Join(w.home, ".config"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.Local = failing{w.Local}
	if d, err := w.DraftManifest(t.Context(), w.home); d != nil || !errors.Is(err, errGone) {
		t.Errorf("%+v, %v", d, err)
	}
}
