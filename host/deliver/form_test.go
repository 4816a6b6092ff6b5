package deliver

import (
	"errors"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
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

// A file of any name to which a secret goes back has the form that it was read in.
func TestFormOfAFileOfAnyName(t *testing.T) {
	sp, err := spec.NewRegistry(specs.All(), "").Get("github")
	if err != nil {
		t.Fatal(err)
	}
	values := secret.Values{"oauth_token": secret.NewValue("t")}
	from := func(v string) []secret.Source {
		return []secret.Source{{Kind: secret.SourceFile, Path: "~/p/settings", Var: v, Own: true}}
	}
	if base, got, err := formFor(sp, &secret.Secret{Name: "github/p", Provider: "github", Values: values, Sources: from("GH_TOKEN")}, "/home/u/p/settings"); err != nil ||
		base.Files[0].Format != "dotenv" || strings.Join(got.Values.Keys(), "") != "GH_TOKEN" {
		t.Errorf("a provider's: %+v, %v", base, err)
	}
	base := &secret.Secret{Name: "p", Values: values, Sources: from("")}
	for to, want := range map[string]string{"/home/u/p/settings": "dotenv", "~/p/settings": "dotenv", "/home/u/p/other": "", "/home/u/p/settings.json": "json"} {
		got, _, err := formFor(nil, base, to)
		if (err == nil) != (want != "") || err == nil && got.Files[0].Format != want {
			t.Errorf("%s: %+v, %v", to, got, err)
		}
	}
	if got, _, err := formFor(sp, &secret.Secret{Name: "github", Provider: "github", Values: values, Sources: from("")}, "/home/u/p/settings"); err != nil || got != sp {
		t.Errorf("a native file in another place: %+v, %v", got, err)
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
	// Nor do they become a profile in it by themselves.
	if base, _, err := formFor(sp, sec, ""); !errors.Is(err, ErrVariablesOnly) {
		t.Errorf("without a file: %+v, %v", base, err)
	}
	if base, _, err := formFor(sp, sec, "/home/u/.acme"); err != nil || base != sp {
		t.Errorf("to a file that is named: %+v, %v", base, err)
	}
}

// On a host a project's secret goes into the file that it came from, or else into the
// env file.
func TestComposeVariables(t *testing.T) {
	d := &Deliverer{Specs: spec.NewRegistry(specs.All(), "")}
	for _, c := range []struct {
		src  secret.Source
		file bool
	}{
		{secret.Source{Kind: secret.SourceFile, Path: "~/p/.env", Var: "GH_TOKEN", Own: true}, true},
		{secret.Source{Kind: secret.SourceFile, Path: "/srv/p/.env", Var: "GH_TOKEN", Own: true}, false},
		{secret.Source{Kind: secret.SourceFile, Path: "~/p/.envrc", Var: "GH_TOKEN"}, false},
		{secret.Source{Kind: secret.SourceEnv, Var: "GH_TOKEN"}, true},
	} {
		rec := &store.Record{Secret: secret.Secret{Name: "github/p", Provider: "github", Values: secret.Values{"oauth_token": secret.NewValue("t")}, Sources: []secret.Source{c.src}}}
		got := d.Compose([]*store.Record{rec}, false)
		if len(got.Files) == 1 != c.file || len(got.Vars) == 1 == c.file {
			t.Errorf("%s: %d files, %d groups of variables", c.src, len(got.Files), len(got.Vars))
		}
	}
}
