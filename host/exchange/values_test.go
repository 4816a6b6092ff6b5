package exchange_test

import (
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/secret"
)

// A new secret's provider and profile, by its name and what is said.
func TestNewSecret(t *testing.T) {
	h, _ := newHost(t)
	for _, c := range []struct{ name, provider, want string }{
		{"aws", "", "aws aws/"},
		{"aws/prod", "", "aws/prod aws/prod"},
		{"aws/a%20b", "", "aws/a%20b aws/a b"},
		{"hf", "", "huggingface huggingface/"},
		{"gh/ghe.org", "", "github/ghe.org github/ghe.org"},
		{"mine", "", "mine /"},
		{"mine", "aws", "mine aws/"},
		{"aws", "none", "aws /"},
		{"team/key", "ssh", "team/key ssh/key"},
		{"key", "ssh", "key ssh/key"},
		{"ssh/id_x", "", "ssh/id_x ssh/id_x"},
	} {
		sec := must(h.Exchange.NewSecret(c.name, c.provider))(t)
		same(t, c.name+" of "+c.provider, sec.Name+" "+sec.Provider+"/"+sec.Profile, c.want)
		if sec.Values == nil {
			t.Error("no values can be put")
		}
	}
	if sec, err := h.Exchange.NewSecret("x", "awss"); sec != nil || err == nil {
		t.Errorf("%+v, %v", sec, err)
	}
	// A provider of the user's that is broken is not taken for none.
	h, _ = newHost(t, "spec: 1\nname: broken\nvalues: 7\n")
	if sec, err := h.Exchange.NewSecret("broken", ""); sec != nil || err == nil {
		t.Errorf("%+v, %v", sec, err)
	}
}

func TestCheckValues(t *testing.T) {
	h, _ := newHost(t)
	sec := func(provider string, kv ...string) *secret.Secret {
		s := &secret.Secret{Name: "x", Provider: provider, Values: secret.Values{}}
		for i := 0; i < len(kv); i += 2 {
			s.Values[kv[i]] = secret.NewValue(kv[i+1])
		}
		return s
	}
	for _, c := range []struct {
		sec               *secret.Secret
		given, want, hint string
	}{
		{sec("", "k", "v"), "k", "", ""},
		{sec("", "k", ""), "k", "the value of k is empty", "--allow-empty"},
		{sec("", "k", ""), "", "", ""},
		{sec("aws", "access_key", akia, "secret_key", "x"), "secret_key", "", ""},
		{sec("aws", "access_key", akia, "secret_key", "x", "session_token", ""), "", "", ""},
		{sec("aws", "access_key", akia, "secrt_key", "x"), "", `aws has no value "secrt_key"; did you mean "secret_key"?`, "its values are access_key, secret_key, session_token; --provider none"},
		{sec("aws", "access_key", akia), "access_key", "aws needs a value for secret_key", ""},
		{sec("aws", "access_key", akia, "secret_key", ""), "access_key", "aws needs a value for secret_key", ""},
		{sec("gcp", "anything", "x"), "anything", "", ""},
		{sec("", "name", "x", "provider", "", "version", "1", "values", "{}"), "", "this is what rhx show -o json prints, not the values alone", "jq .values"},
		{sec("", "name", "x", "provider", "", "version", "1", "values", "none"), "name", "", ""},
		{sec("", "name", "x", "provider", "", "values", "{}"), "name", "", ""},
	} {
		err := h.Exchange.CheckValues(c.sec, strings.Fields(c.given))
		got := ""
		if err != nil {
			got = err.Error()
			if !usage(err) {
				t.Errorf("%v is of no use", err)
			}
		}
		same(t, strings.Join(c.sec.Values.Keys(), " "), got, c.want)
		if !strings.Contains(hint(err), c.hint) {
			t.Errorf("%q", hint(err))
		}
	}
	if err := h.Exchange.CheckValues(sec("nobody", "k", "v"), nil); err == nil {
		t.Error("a provider that is not known")
	}
	if exchange.NoProvider != "none" {
		t.Error("the word has changed, which the help names")
	}
}
