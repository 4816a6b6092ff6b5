package deliver

import (
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

// Variables go into a file by the names that they had in the one that they were saved
// from, whatever file it is.
func TestNamesInAFile(t *testing.T) {
	sp, err := spec.NewRegistry(specs.All(), "").Get("github")
	if err != nil {
		t.Fatal(err)
	}
	in := func(vars ...string) []secret.Source {
		var out []secret.Source
		for _, v := range vars {
			out = append(out, secret.Source{Kind: secret.SourceFile, Path: "~/p/.env", Var: v, Own: true})
		}
		return out
	}
	for _, c := range []struct {
		name    string
		sources []secret.Source
		want    string
	}{
		{"from nowhere", nil, "GH_TOKEN"},
		{"from the environment", []secret.Source{{Kind: secret.SourceEnv, Var: "GITHUB_TOKEN"}}, "GH_TOKEN"},
		{"the first name", in("GH_TOKEN"), "GH_TOKEN"},
		{"another name", in("GITHUB_TOKEN"), "GITHUB_TOKEN"},
		{"both", in("GH_TOKEN", "GITHUB_TOKEN"), "GH_TOKEN GITHUB_TOKEN"},
		{"a name that is no variable of the provider's", in("PATH"), "GH_TOKEN"},
	} {
		sec := &secret.Secret{Name: "github/p", Provider: "github", Profile: "p", Values: secret.Values{"oauth_token": secret.NewValue("t")}, Sources: c.sources}
		for _, to := range []string{"/x/.env", "/x/.dev.vars", "/x/other.env"} {
			base, got, err := formFor(sp, sec, to)
			if err != nil {
				t.Fatal(err)
			}
			if keys := strings.Join(got.Values.Keys(), " "); keys != c.want || base.Files[0].Format != "dotenv" {
				t.Errorf("%s: %s as %s, not %s", c.name, keys, base.Files[0].Format, c.want)
			}
		}
	}
}

// A provider that has a dotenv file of its own does not turn variables of a project
// into the keys of that file.
func TestVariablesStayVariables(t *testing.T) {
	sp, err := spec.Parse("acme.yaml", []byte("spec: 1\nname: acme\nvalues: {token: {env: ACME_TOKEN}}\nfiles: [{path: ~/.acme.env, format: dotenv, keys: {token: TOKEN}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	sec := &secret.Secret{Name: "acme", Provider: "acme", Values: secret.Values{"token": secret.NewValue("t")}}
	if base, _, err := formFor(sp, sec, "/x/.env"); err != nil || base != sp {
		t.Errorf("%+v, %v", base, err)
	}
	sec.Sources = []secret.Source{{Kind: secret.SourceFile, Path: "~/p/.env", Var: "ACME_TOKEN", Own: true}}
	if _, got, err := formFor(sp, sec, "/x/.env"); err != nil || strings.Join(got.Values.Keys(), " ") != "ACME_TOKEN" {
		t.Errorf("%+v, %v", got, err)
	}
	if base, _, err := formFor(sp, sec, ""); err != nil || base != sp {
		t.Errorf("without a file: %+v, %v", base, err)
	}
}
