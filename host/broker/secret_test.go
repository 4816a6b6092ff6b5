package broker

import (
	"errors"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// A placeholder has the value's length and form, and nothing of what is secret in it.
func TestPlaceholders(t *testing.T) {
	for _, c := range []struct{ value, pattern, like string }{
		{labToken(), `lab_[A-Za-z0-9]{24}`, `lab_[A-Za-z0-9]{24}`},
		{"0123456789abcdef0123456789abcdef", ``, `[0-9a-f]{32}`},
		{"0123456789ABCDEF0123456789ABCDEF", ``, `[0-9A-F]{32}`},
		{"00000000-1111-2222-3333-4444abcdef55", ``, `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`},
		{"AKIA" + "IOSFODNN7EXAMPLE", `(AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z2-7]{16}`, `A[A-Z2-7]{19}`},
		{"pass word/+FAKE==", ``, `[A-Za-z]{4} [A-Za-z]{4}/\+[A-Za-z]{4}==`},
		{"not of the pattern 123", `[0-9]+`, `[a-z0-9 ]{22}`},
	} {
		var pattern *spec.Pattern
		if c.pattern != "" {
			pattern = &spec.Pattern{Text: c.pattern}
		}
		seen := map[string]bool{}
		for range 20 {
			got, err := placeholder(c.value, pattern)
			if err != nil {
				t.Fatal(err)
			}
			like := &spec.Pattern{Text: c.like}
			same := 0
			for i := range got {
				if got[i] == c.value[i] {
					same++
				}
			}
			if !like.MatchString(got) || len(got) != len(c.value) || same > len(got)*3/4 || seen[got] {
				t.Errorf("%q for %q: not like %s, or %d characters are the same", got, c.value, c.like, same)
			}
			seen[got] = true
		}
	}
	for value, want := range map[string]error{
		"": errShort, "abcdefg": errShort, "aaaaaaaa": nil, "11111111": nil, "-------------": errShort, "a-b-c-d-e-f-g": errShort,
		" abcdefghij": errForm, "abcdefghij\n": errForm, "abcde\nfghij": errForm, "abcdefghij\x7f": errForm, "äöüabcdefghijk": errForm, strings.Repeat("ab", maxValue): errForm,
	} {
		if _, err := placeholder(value, nil); !errors.Is(err, want) {
			t.Errorf("%.20q: %v", value, err)
		}
	}
	if _, err := placeholder("lab_12345678", &spec.Pattern{Text: `lab_1234567[0-9]`}); !errors.Is(err, errShort) {
		t.Error(err)
	}
}

func TestSecretsThatCannotBeBrokered(t *testing.T) {
	const text = `spec: 1
name: lab
values:
  token: {env: LAB_TOKEN, optional: true}
  other: {env: LAB_OTHER, optional: true}
  account: {env: LAB_ACCOUNT, optional: true, public: true}
use:
  - hosts: [api.lab.test]
    header: {Authorization: "Bearer {account}:{token}"}
`
	of := func(kv ...string) error {
		values := secret.Values{}
		for i := 0; i < len(kv); i += 2 {
			values[kv[i]] = secret.NewValue(kv[i+1])
		}
		_, err := NewSecret(newSpec(t, text), &secret.Secret{Name: "lab/x", Provider: "lab", Values: values})
		return err
	}
	long := strings.Repeat("FAKEfake", 3)
	for _, c := range []struct {
		kv   []string
		want string
	}{
		{[]string{"token", long, "account", "jane"}, ""},
		{[]string{"account", "jane"}, ""},
		// A rule counts for a secret that has all that it names.
		{[]string{"token", long}, "token ($LAB_TOKEN) of lab/x: no rule says where it is put in"},
		{[]string{"token", long, "other", long, "account", "jane"}, "other ($LAB_OTHER) of lab/x: no rule says where it is put in"},
		{[]string{"token", long, "more", long}, "more, token ($LAB_TOKEN) of lab/x: no rule says where it is put in"},
		{[]string{"token", "short", "account", "jane"}, "token of lab/x: " + errShort.Error()},
	} {
		err := of(c.kv...)
		if got := ""; err != nil {
			got = err.Error()
			if got != c.want || strings.Contains(c.want, "no rule") != errors.Is(err, ErrNoRule) {
				t.Errorf("%q: %v", c.kv, err)
			}
		} else if c.want != "" {
			t.Errorf("%q is no error", c.kv)
		}
	}
}

// What a command gets is made of placeholders and of what is public.
func TestGiven(t *testing.T) {
	s := newLabSecret(t, labSpec, "token", labToken(), "user", "jane")
	got := s.Given()
	if got["user"].Reveal() != "jane" || got["token"].Reveal() != s.placeholders["token"] || got["token"].Reveal() == labToken() || len(got) != 2 {
		t.Errorf("%v", got.Keys())
	}
	if !s.InQuery() || newLabSecret(t, strings.Replace(labSpec, "query: {key", "header: {X-Query", 1), "token", labToken()).InQuery() {
		t.Error("which rules put a value into URLs is not known")
	}
	// Two runs have different ones.
	if again := newLabSecret(t, labSpec, "token", labToken()); again.placeholders["token"] == s.placeholders["token"] {
		t.Error("the same placeholder")
	}
}

func TestBeyond(t *testing.T) {
	s := newLabSecret(t, labSpec, "token", labToken())
	for text, want := range map[string]string{"": "", "api.lab.test": "", "api.lab.test git.lab.test": "", "x.deep.lab.test *.deep.lab.test *.x.deep.lab.test": "", "api.lab.test other.test": "other.test", "*.lab.test": "*.lab.test", "api.lab.test:8443": "api.lab.test:8443", "*.test": "*.test", "**.deep.lab.test": "", "**.lab.test": "**.lab.test", "**.flat.lab.test": "**.flat.lab.test", "*.flat.lab.test a.flat.lab.test": "", "b.a.flat.lab.test": "b.a.flat.lab.test"} {
		if got := s.Beyond(strings.Fields(text)); got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}
