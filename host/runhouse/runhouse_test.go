package runhouse

import (
	"slices"
	"strings"
	"testing"
)

func TestParseSecret(t *testing.T) {
	for _, c := range []struct{ data, name, provider, path, keys, err string }{
		{`{"name": "~/lambda_key", "resource_type": "secret", "provider": "lambda", "path": "~/.lambda_cloud/lambda_keys", "values": {"api_key": "fake"}}`,
			"lambda_key", "lambda", "~/.lambda_cloud/lambda_keys", "api_key", ""},
		{`{"name": "/jane/db", "values": {"user": "u", "port": 5432, "list": [1]}}`, "db", "", "", "list port user", ""},
		{`{"provider": "aws", "path": "~/.aws/credentials"}`, "aws", "aws", "~/.aws/credentials", "", ""},
		{`{"name": "x", "values": null}`, "x", "", "", "", ""},
		{`{"name": "~/../../etc/passwd", "values": {"a": "b"}}`, "../../etc/passwd", "", "", "a", ""},
		{`{"name": 7, "path": ["~/x"], "provider": {"a": 1}}`, "", "", "", "", "no name"},
		{`{"name": "x", "values": "fake-value"}`, "", "", "", "", "not an object"},
		{`["fake-value"]`, "", "", "", "", "not a json object"},
		{`{"values": {"a": "fake-value"`, "", "", "", "", "not json"},
		{``, "", "", "", "", "no name"},
	} {
		s, err := ParseSecret([]byte(c.data))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "fake-value") {
				t.Errorf("%s: %v", c.data, err)
			}
			continue
		}
		if err != nil || s.Name != c.name || s.Provider != c.provider || s.Path != c.path || strings.Join(s.Values.Keys(), " ") != c.keys {
			t.Errorf("%s: %+v, %v", c.data, s, err)
		}
	}
}

func TestParsePlaces(t *testing.T) {
	got, err := ParsePlaces([]byte("token: fake-account-token\nusername: jane\nsecrets:\n  aws: ~/.aws/credentials\n  anthropic: [ANTHROPIC_API_KEY, 'no var', 7]\n  odd: {a: b}\n  none:\n"))
	if err != nil || len(got) != 2 || got[0].Name != "aws" || got[0].Path != "~/.aws/credentials" || !slices.Equal(got[1].Vars, []string{"ANTHROPIC_API_KEY"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ParsePlaces([]byte("token: x\n")); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ParsePlaces([]byte("- fake-value\n")); err == nil || strings.Contains(err.Error(), "fake-value") {
		t.Error(err)
	}
}

func TestParseEnv(t *testing.T) {
	vars, broken := ParseEnv([]byte("A=one two'\"$(x)\n\nB==\r\nKEY=-----BEGIN FAKE-----\nbody\nC=first\nsecond line\nD=\n1X=no\n"))
	got := map[string]string{}
	for k, v := range vars {
		got[k] = v.Reveal()
	}
	if len(got) != 2 || got["A"] != `one two'"$(x)` || got["B"] != "=" || !slices.Equal(broken, []string{"KEY", "C", "D"}) {
		t.Errorf("%q, %q", got, broken)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"name": "~/a", "provider": "aws", "values": {"k": {"deep": [1, "x"]}}}`))
	f.Add([]byte("secrets:\n  a: ~/x\n  b: [C]\n"))
	f.Add([]byte("A=b\nc\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := ParseSecret(data); err == nil && s.Name == "" {
			t.Error("a secret without a name")
		}
		if places, err := ParsePlaces(data); err == nil {
			for _, p := range places {
				if p.Path == "" && len(p.Vars) == 0 {
					t.Errorf("%+v", p)
				}
			}
		}
		vars, broken := ParseEnv(data)
		for _, b := range broken {
			if _, ok := vars[b]; ok && strings.Count(string(data), b+"=") < 2 {
				t.Errorf("%s is broken and is there", b)
			}
		}
	})
}
