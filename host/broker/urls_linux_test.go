package broker

import (
	"errors"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// The URL that a command has leads to the broker, wherever it is put, and the real one and
// its password do not come from elsewhere.
func TestURLsLead(t *testing.T) {
	const stored = "postgres://alice:fake-password-of%2Falice@db.example/app"
	r := newURLRun(t, Options{}, stored, "redis://:short-pw@cache")
	if text := r.b.Lead("x" + r.b.opts.Secrets[0].Given()["URL"].Reveal() + "y"); text != "x"+r.given[0]+"y" || strings.Contains(text, "fake-password") {
		t.Error(text)
	}
	for in, gone := range map[string]string{stored: "fake-password", "PW=fake-password-of/alice": "fake-password", "other://u:fake-password-of%2Falice@h": "fake-password", "short-pw": "short-pw", "redis://:short-pw@elsewhere": "short-pw"} {
		if got := r.b.HideElsewhere(in); strings.Contains(got, gone) {
			t.Errorf("%s: %s", in, got)
		}
	}
	if got := r.b.HideElsewhere(stored); got != r.given[0] {
		t.Error(got)
	}
	if got := r.b.HideElsewhere("/srv/short-pw/bin"); got != "/srv/short-pw/bin" {
		t.Error(got)
	}
	hidden := ""
	for _, v := range r.b.opts.Secrets[0].Hidden() {
		hidden += v.Reveal() + " "
	}
	if !strings.Contains(hidden, stored) || !strings.Contains(hidden, "fake-password-of/alice") {
		t.Error(hidden)
	}
}

// Of a secret without a provider each value has to be such a URL; a provider's has the rule.
func TestSecretsOfURLs(t *testing.T) {
	own := func(values secret.Values) error {
		_, err := NewSecret(nil, &secret.Secret{Name: "own", Values: values})
		return err
	}
	if err := own(secret.Values{"A": secret.NewValue("redis://:fake@b"), "B": secret.NewValue("postgres://a:fake@b")}); err != nil {
		t.Error(err)
	}
	if err := own(secret.Values{"A": secret.NewValue("x")}); !errors.Is(err, ErrNoRule) || !strings.Contains(err.Error(), "own is no provider's: no rule") {
		t.Error(err)
	}
	if err := own(secret.Values{"A": secret.NewValue("redis://:fake@b"), "KEY": secret.NewValue("x")}); !errors.Is(err, ErrNoRule) || !strings.Contains(err.Error(), "KEY of own: no rule") {
		t.Error(err)
	}
	sp := &spec.Spec{Name: "database-url", Values: []spec.Value{{Name: "url"}}, Use: []spec.Use{{Database: &spec.UseDatabase{URL: "url"}}}}
	_, err := NewSecret(sp, &secret.Secret{Name: "db", Provider: "database-url", Values: secret.Values{"url": secret.NewValue("sqlite:///fake.db")}})
	if err == nil || !strings.Contains(err.Error(), "url of db: it is no URL of a database") {
		t.Error(err)
	}
}
