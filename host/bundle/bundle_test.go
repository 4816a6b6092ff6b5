package bundle_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

func builtin(t testing.TB, name string) *spec.Spec {
	t.Helper()
	sp, err := spec.NewRegistry(specs.All(), "").Get(name)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func sec(name string, kv ...string) *secret.Secret {
	s := &secret.Secret{Name: name, Values: secret.Values{}}
	for i := 0; i < len(kv); i += 2 {
		s.Values[kv[i]] = secret.NewValue(kv[i+1])
	}
	return s
}

func text(vars []bundle.Var) string {
	var b strings.Builder
	for _, v := range vars {
		b.WriteString(v.Name + "=" + v.Value.Reveal() + " (" + v.Secret + ")")
		if len(v.Clears) > 0 {
			b.WriteString(" not " + strings.Join(v.Clears, " "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestEnv(t *testing.T) {
	type add struct {
		provider string
		s        *secret.Secret
	}
	for _, c := range []struct {
		name      string
		adds      []add
		want, err string
	}{
		{"a provider's variables, primary names only", []add{{"huggingface", sec("hub", "token", "t")}}, "HF_TOKEN=t (hub)\n", ""},
		{"in the order of the spec, then of the secrets", []add{{"aws", sec("aws", "secret_key", "s", "access_key", "a", "session_token", "t")}, {"openai", sec("o", "api_key", "k")}},
			"AWS_ACCESS_KEY_ID=a (aws)\nAWS_SECRET_ACCESS_KEY=s (aws)\nAWS_SESSION_TOKEN=t (aws)\nOPENAI_API_KEY=k (o)\n", ""},
		{"what is not there must not stay", []add{{"aws", sec("aws", "access_key", "a", "secret_key", "s", "session_token", "")}},
			"AWS_ACCESS_KEY_ID=a (aws) not AWS_SESSION_TOKEN AWS_SECURITY_TOKEN\nAWS_SECRET_ACCESS_KEY=s (aws)\n", ""},
		{"public settings may stay", []add{{"azure", sec("azure", "client_id", "c", "client_secret", "s", "tenant_id", "t")}},
			"AZURE_CLIENT_ID=c (azure)\nAZURE_CLIENT_SECRET=s (azure)\nAZURE_TENANT_ID=t (azure)\n", ""},
		{"what another secret sets is not cleared", []add{{"aws", sec("aws", "access_key", "a", "secret_key", "s")}, {"", sec("b", "AWS_SESSION_TOKEN", "t")}},
			"AWS_ACCESS_KEY_ID=a (aws) not AWS_SECURITY_TOKEN\nAWS_SECRET_ACCESS_KEY=s (aws)\nAWS_SESSION_TOKEN=t (b)\n", ""},
		{"a base secret's keys", []add{{"", sec("db", "PASSWORD", "p", "_x1", "y")}}, "PASSWORD=p (db)\n_x1=y (db)\n", ""},
		{"one variable, one value", []add{{"openai", sec("a", "api_key", "k")}, {"openai", sec("b", "api_key", "k")}}, "OPENAI_API_KEY=k (a)\n", ""},
		{"a document, its trees as trees", []add{{"gcp", sec("gcp", "type", "x", "private_key", "a\nb<", "extra", `{"z":[1]}`, "n", "[not json")}},
			`GOOGLE_CREDENTIALS={"type":"x","private_key":"a\nb<","extra":{"z":[1]},"n":"[not json"} (gcp)` + "\n", ""},

		{"one variable, two values", []add{{"openai", sec("a", "api_key", "k")}, {"openai", sec("b", "api_key", "l")}}, "", "both a and b set OPENAI_API_KEY, to different values"},
		{"values that are missing", []add{{"aws", sec("aws", "access_key", "a")}, {"openai", sec("o")}}, "", "aws has no value for secret_key\no has no value for api_key"},
		{"files only", []add{{"ssh", sec("ssh/k", "private_key", "p")}}, "", "ssh/k has no variables: SSH key pairs keeps it in files"},
		{"nothing for the variables", []add{{"azure", sec("azure", "other", "x")}}, "", "azure has no values for variables"},
		{"no values", []add{{"", sec("db")}, {"gcp", sec("gcp")}}, "", "db has no values\ngcp has no values for variables"},
		{"a key that is no variable", []add{{"", sec("db", "a-b", "x", "1", "y", "OK", "z")}}, "", "db: the key \"1\" cannot be the name of a variable\ndb: the key \"a-b\" cannot be the name of a variable"},
		{"a NUL", []add{{"openai", sec("o", "api_key", "CANARY\x00")}}, "", "o: the value for OPENAI_API_KEY has a NUL byte, which no variable can hold"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var e bundle.Env
			for _, a := range c.adds {
				var sp *spec.Spec
				if a.provider != "" {
					sp = builtin(t, a.provider)
				}
				e.Add(sp, a.s)
			}
			vars, err := e.Vars()
			msg := ""
			if err != nil {
				msg = err.Error()
			}
			if got := text(vars); got != c.want || msg != c.err {
				t.Errorf("got  %s%s\nwant %s%s", got, msg, c.want, c.err)
			}
			if again, _ := e.Vars(); text(again) != c.want {
				t.Error("a second time it is another one")
			}
		})
	}
	var e bundle.Env
	e.Add(builtin(t, "ssh"), sec("ssh/k", "private_key", "p"))
	if _, err := e.Vars(); !errors.Is(err, bundle.ErrNoVariables) || fault.Hint(errors.Unwrap(err)) != "" && fault.Hint(err) == "" {
		t.Error(err)
	}
}

func TestEnviron(t *testing.T) {
	base := []string{"PATH=/bin", "A=old=1", "AWS_SESSION_TOKEN=stale", "EMPTY=", "=C:=C:\\", "A=twice"}
	vars := []bundle.Var{{Name: "A", Value: secret.NewValue("x=y"), Clears: []string{"AWS_SESSION_TOKEN"}}, {Name: "B", Value: secret.NewValue("")}}
	got := bundle.Environ(base, vars)
	if !slices.Equal(got, []string{"PATH=/bin", "EMPTY=", "=C:=C:\\", "A=x=y", "B="}) {
		t.Errorf("%q", got)
	}
	got = bundle.Environ([]string{"RHX_AGE_PASSPHRASE=p", "RHX_AGE_IDENTITY=/i", "RHX_BACKUP_PASSPHRASE=b", "RHX_IMPORT_PASSPHRASE=i", "VAULT_TOKEN=t", "BAO_TOKEN=t", "VAULT_ADDR=a", "RHX_STORE=s"}, nil)
	if !slices.Equal(got, []string{"VAULT_ADDR=a", "RHX_STORE=s"}) {
		t.Errorf("what opens a store: %q", got)
	}
	got = bundle.Environ([]string{"VAULT_TOKEN=mine"}, []bundle.Var{{Name: "VAULT_TOKEN", Value: secret.NewValue("asked-for")}})
	if !slices.Equal(got, []string{"VAULT_TOKEN=asked-for"}) {
		t.Errorf("what opens a store and is asked for: %q", got)
	}
	if base[1] != "A=old=1" {
		t.Error("the base was changed")
	}
}

// An old value under another name of a variable could be the one that a tool takes.
func TestOtherNames(t *testing.T) {
	var e bundle.Env
	e.Add(builtin(t, "aws"), sec("aws", "access_key", "a", "secret_key", "s", "session_token", "new"))
	e.Add(builtin(t, "github"), sec("github", "oauth_token", "g"))
	e.Add(nil, sec("ci", "GITHUB_TOKEN", "of-ci"))
	vars, err := e.Vars()
	if err != nil {
		t.Fatal(err)
	}
	set := []string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=new", "GH_TOKEN=g", "GITHUB_TOKEN=of-ci"}
	for _, c := range []struct {
		name        string
		base, strip []string
		want        []string
	}{
		{"none of them there", []string{"HOME=/h"}, nil, append([]string{"HOME=/h"}, set...)},
		{"one there", []string{"AWS_SECURITY_TOKEN=old", "HOME=/h"}, nil, append(append([]string{"HOME=/h"}, set...), "AWS_SECURITY_TOKEN=new")},
		{"there twice", []string{"AWS_SECURITY_TOKEN=old", "AWS_SECURITY_TOKEN=older"}, nil, append(slices.Clone(set), "AWS_SECURITY_TOKEN=new")},
		{"a secret's own variable stays", []string{"GITHUB_TOKEN=old"}, nil, set},
		{"one that must not be there", []string{"AWS_SECURITY_TOKEN=old"}, []string{"AWS_SECURITY_TOKEN"}, set},
	} {
		if got := bundle.Environ(c.base, vars, c.strip...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	beside := bundle.Beside([]string{"AWS_SECURITY_TOKEN=old"}, vars)
	if len(beside) != len(vars)+1 || beside[len(vars)].Name != "AWS_SECURITY_TOKEN" || beside[len(vars)].Value.Reveal() != "new" || beside[len(vars)].Secret != "aws" {
		t.Errorf("%v", beside)
	}
}
