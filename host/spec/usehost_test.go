package spec

import "testing"

func TestHostMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, host string
		port          int
		want          bool
	}{
		{"api.example.com", "api.example.com", 443, true},
		{"api.example.com", "api.example.com", 8443, false},
		{"api.example.com", "x.api.example.com", 443, false},
		{"api.example.com", "api.example.com.evil.test", 443, false},
		{"api.example.com", "evil-api.example.com", 443, false},
		{"api.example.com", "api.example.com.", 443, false},
		{"api.example.com", "", 443, false},
		{"api.example.com:8443", "api.example.com", 8443, true},
		{"api.example.com:8443", "api.example.com", 443, false},
		{"api.example.com:x", "api.example.com", 443, false},
		{"**.amazonaws.com", "sts.amazonaws.com", 443, true},
		{"*.okta.com", "acme.okta.com", 443, true},
		{"*.okta.com", "acme.workflows.okta.com", 443, false},
		{"*.okta.com", "okta.com", 443, false},
		{"*.okta.com", ".okta.com", 443, false},
		{"*.okta.com", "a.evilokta.com", 443, false},
		{"*.okta.com:8443", "acme.okta.com", 8443, true},
		{"**.amazonaws.com", "b.s3.eu-west-1.amazonaws.com", 443, true},
		{"**.amazonaws.com", "amazonaws.com", 443, false},
		{"**.amazonaws.com", ".amazonaws.com", 443, false},
		{"**.amazonaws.com", "evilamazonaws.com", 443, false},
		{"**.amazonaws.com", "sts.amazonaws.com.cn", 443, false},
		{"**.amazonaws.com:9000", "sts.amazonaws.com", 9000, true},
	} {
		if got := HostMatches(c.pattern, c.host, c.port); got != c.want {
			t.Errorf("%s for %s:%d: %v", c.pattern, c.host, c.port, got)
		}
		if u := (Use{Hosts: []string{"other.example.com", c.pattern}}); u.Covers(c.host, c.port) != c.want {
			t.Errorf("Covers of %s for %s:%d", c.pattern, c.host, c.port)
		}
	}
}

func TestOptionalOfAUse(t *testing.T) {
	u := Use{Sign: &UseSign{Method: "aws-sigv4", Values: []UseField{{"access_key", "id"}, {"secret_key", "key"}, {"session_token", "token"}}}}
	for key, want := range map[string]bool{"id": false, "key": false, "token": true, "session_token": false} {
		if u.Optional(key) != want {
			t.Errorf("%s: %v", key, !want)
		}
	}
	if (&Use{Header: []UseField{{"X", "{token}"}}}).Optional("token") {
		t.Error("a header's value is optional")
	}
}
