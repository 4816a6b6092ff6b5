package project_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/project"
	"github.com/rhx-dev/rhx/host/secret"
)

// failing is a machine that cannot be had.
type failing struct{ machine.Machine }

func (failing) Info(context.Context, []string) (machine.Info, error) { return machine.Info{}, errGone }

// How a variable of a bundle comes to be.
func TestExplainVariable(t *testing.T) {
	w := newWorld(t)
	w.webSecrets()
	w.aws("aws/prod", "Q") // another version
	m := w.manifest(`
secrets:
  cloud: {provider: aws, profile: prod}
  aws: {profile: prod}
  gcp:
  openai:
  db: {values: {user: , password: }}
bundles:
  base: {secrets: [aws], env: {MODE: online}}
  web:
    extends: base
    secrets: [db, openai, gcp]
    env: {URL: "x://${db.user}", H: "${env.HOME}"}
    unset: [OLD]
  other: {env: {ELSEWHERE: "1"}, secrets: [cloud]}
`)
	say := func(y *project.Why) string {
		return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s:%s v%d text=%s from=%s", y.How, y.Variable, y.Secret, y.Stored, y.Key, y.Version, y.Text, y.From)), " ")
	}
	for variable, want := range map[string]string{
		"OLD":                    "unset OLD : v0 text= from=",
		"MODE":                   "text MODE : v0 text= from=base",
		"URL":                    "text URL : v0 text=x://${db.user} from=web",
		"H":                      "text H : v0 text=${env.HOME} from=web",
		"AWS_SECRET_ACCESS_KEY":  "secret AWS_SECRET_ACCESS_KEY aws aws/prod:secret_key v2 text= from=base",
		"password":               "secret password db db:password v1 text= from=web",
		"GOOGLE_CREDENTIALS":     "secret GOOGLE_CREDENTIALS gcp gcp:all values, as JSON v0 text= from=web",
		"ELSEWHERE":              "stripped ELSEWHERE : v0 text= from=",
		"NOWHERE":                "absent NOWHERE : v0 text= from=",
		"AWS_SECURITY_TOKEN":     "stripped AWS_SECURITY_TOKEN : v0 text= from=",
		"OPENAI_API_KEY":         "secret OPENAI_API_KEY openai openai:api_key v1 text= from=web",
		"AWS_ACCESS_KEY_ID_NONE": "absent AWS_ACCESS_KEY_ID_NONE : v0 text= from=",
	} {
		y, err := w.ExplainVariable(t.Context(), m, "web", variable)
		if err != nil || y.Bundle != "web" {
			t.Fatal(y, err)
		}
		is(t, variable, say(y), want)
	}
	if y, err := w.ExplainVariable(t.Context(), m, "wbe", "X"); y != nil || fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "did you mean \"web\"?") {
		t.Errorf("%+v, %v", y, err)
	}
}

// Where a store cannot be asked for the version, that is said beside the rest.
func TestExplainVariableWithoutTheStore(t *testing.T) {
	w := newWorld(t)
	w.noStore()
	m := w.manifest("secrets: {openai: }\nbundles: {b: {secrets: [openai], env: {A: x}}}")
	if y, err := w.ExplainVariable(t.Context(), m, "b", "OPENAI_API_KEY"); y == nil || y.How != "secret" || err == nil {
		t.Errorf("%+v, %v", y, err)
	}
	if y, err := w.ExplainVariable(t.Context(), m, "b", "A"); y.How != "text" || err != nil {
		t.Errorf("%+v, %v", y, err)
	}
}

// Where a secret is, whence it came, and where it goes.
func TestLocate(t *testing.T) {
	w := newWorld(t)
	m := w.manifest(`
secrets:
  aws: {profile: prod}
  openai:
  db: {values: {user: , password: }}
bundles:
  vars: {secrets: [aws]}
  files: {files: [aws]}
  texts: {env: {A: "${aws.secret_key}"}}
  db: {secrets: [db]}
hosts:
  gpu: {addresses: ["gpu-[1:2]"], bundles: [vars, db]}
  cpu: {addresses: [cpu], bundles: [db]}
`)
	say := func(l *project.Where) string {
		return fmt.Sprintf("%s %s v%d here=%s came=%q vars=%q files=%q texts=%q hosts=%q", l.Secret, l.Stored, l.Version, l.Local, l.Came, l.Variables, l.Files, l.Texts, l.Hosts)
	}
	locate := func(name string) string {
		t.Helper()
		l, err := w.Locate(t.Context(), m, name)
		if err != nil {
			return err.Error()
		}
		return say(l)
	}
	declared := `vars=["vars"] files=["files"] texts=["texts"] hosts=["gpu (gpu-1, gpu-2)"]`
	is(t, "before it is saved", locate("aws"), "aws aws/prod v0 here=missing came=[] "+declared)
	is(t, "a base secret", locate("db"), `db db v0 here= came=[] vars=["db"] files=[] texts=[] hosts=["gpu (gpu-1, gpu-2)" "cpu (cpu)"]`)
	w.put(&secret.Secret{Name: "aws/prod", Provider: "aws", Profile: "prod",
		Values:  secret.Values{"access_key": secret.NewValue("AKIA" + "IOSFODNN7EXAMPLE"), "secret_key": secret.NewValue("x")},
		Sources: []secret.Source{{Kind: secret.SourceFile, Path: "~/.aws/credentials"}, {Kind: secret.SourceEnv, Var: "AWS_X"}}})
	came := ` came=["~/.aws/credentials" "$AWS_X"] `
	is(t, "saved", locate("aws"), "aws aws/prod v1 here=missing"+came+declared)
	is(t, "by its name in the store", locate("aws/prod"), "aws aws/prod v1 here=missing"+came+declared)
	w.write(".aws/credentials", "[prod]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n")
	is(t, "loaded", locate("aws"), "aws aws/prod v1 here=same"+came+declared)
	w.write(".aws/credentials", "[prod]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = other\n")
	is(t, "another value", locate("aws"), "aws aws/prod v1 here=differs"+came+declared)

	w.save("-own", "k", "v")
	is(t, "not in the manifest", locate("own"), "own own v1 here= came=[] vars=[] files=[] texts=[] hosts=[]")
	contains(t, locate("nobody"), "nobody")
	l, err := w.Locate(t.Context(), nil, "own")
	if err != nil || say(l) != "own own v1 here= came=[] vars=[] files=[] texts=[] hosts=[]" {
		t.Errorf("%+v, %v", l, err)
	}
	w.save("-own", "k", "newer")
	if l, err := w.Locate(t.Context(), nil, "own"); err != nil || l.Version != 2 {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err := w.Locate(t.Context(), nil, "nobody"); l != nil || err == nil {
		t.Errorf("%+v, %v", l, err)
	}
	// A store that fails is not "it is not there".
	w.Local = failing{w.Local}
	if l, err := w.Locate(t.Context(), m, "aws"); l != nil || err == nil {
		t.Errorf("%+v, %v", l, err)
	}
	w.again()
	w.noStore()
	if l, err := w.Locate(t.Context(), m, "aws"); l != nil || err == nil {
		t.Errorf("%+v, %v", l, err)
	}
}

// A provider of the user's whose spec is broken is an error where it is asked for, and
// stops no other bundle.
func TestBrokenProvider(t *testing.T) {
	w := newWorld(t)
	w.write(".config/rhx/providers/broken.yaml", "spec: 1\nname: broken\nvalues: 7\n")
	w.again()
	w.save("openai", "api_key", "sk-fake")
	m := w.manifest("secrets: {broken: , openai: }\nbundles: {b: {secrets: [broken]}, c: {secrets: [openai]}}")
	if y, err := w.ExplainVariable(t.Context(), m, "b", "X"); y != nil || err == nil || !strings.Contains(err.Error(), "broken.yaml") {
		t.Errorf("%+v, %v", y, err)
	}
	is(t, "another bundle", vars(w.environment(m, "c").Vars), "OPENAI_API_KEY=sk-fake")
	if s, err := w.Status(t.Context(), nil, w.fleet()); s != nil || err == nil || !strings.Contains(err.Error(), "broken.yaml") {
		t.Errorf("nothing is found: %+v, %v", s, err)
	}
	w.env["OPENAI_API_KEY"] = "sk-fake"
	s, err := w.Status(t.Context(), nil, w.fleet())
	if err != nil || matrix(s) != "openai: store=same local=same" {
		t.Errorf("%+v, %v", s, err)
	}
}
