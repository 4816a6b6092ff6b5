package vaultstore

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

func TestWhatTheServerSaysIsQuoted(t *testing.T) {
	values := secret.Values{"k": secret.NewValue("fake-value"), "e": secret.NewValue(""), "q": secret.NewValue("a\"b\nc"), "b": secret.NewValue("\xff\xfe")}
	for said, want := range map[string]string{
		"":                             "",
		" \n ":                         "",
		"a  b\n c":                     ": a b c",
		"has fake-value":               "; its message is left out, because it repeats a value",
		`has a\"b\nc here`:             "; its message is left out, because it repeats a value",
		"rhx:base64://4=":              "; its message is left out, because it repeats a value",
		"fake valu":                    ": fake valu",
		strings.Repeat("x", 300):       ": " + strings.Repeat("x", 300),
		strings.Repeat("x", 301):       ": " + strings.Repeat("x", 300) + "…",
		strings.Repeat("x", 299) + "é": ": " + strings.Repeat("x", 299) + "…",
	} {
		if got := quote([]string{said}, values); got != want {
			t.Errorf("%q is quoted as %q, want %q", said, got, want)
		}
	}
	if got := quote([]string{"a", "b"}, nil); got != ": a; b" {
		t.Errorf("two messages: %q", got)
	}
}

func TestErrorsOfTheServer(t *testing.T) {
	c := with(t, "VAULT_TOKEN", "fake", "VAULT_ADDR", "http://fake:fake-password@vault", "VAULT_NAMESPACE", "team")
	r := &request{method: "GET", path: "secret/data/a", needs: "create or update"}
	say := func(status int, raw bool, said ...string) error {
		return c.explain(t.Context(), r, &api.ResponseError{HTTPMethod: "GET", StatusCode: status, RawError: raw, Errors: said})
	}
	for _, x := range []struct {
		err        error
		is         error
		text, hint string
	}{
		{say(400, false, "check-and-set parameter did not match the current version"), errCAS, "", ""},
		{say(400, false, "check-and-set parameter required for this call"), errCASRequired, "", ""},
		{say(400, false, "wrapping token is not valid or does not exist"), errWrapGone, "", ""},
		{say(400, false, "missing client token"), errNoToken, "there is no Vault token", "rhx login"},
		{say(403, false, "bad token"), store.ErrDenied, "VAULT_TOKEN (namespace \"team\") was refused: it is wrong", "log in again"},
		{say(403, false, "2 errors occurred: permission denied, invalid token"), store.ErrDenied, "was refused: it is wrong", "log in again"},
		{say(404, false, "no handler for route \"x\""), nil, "no secrets engine at secret/data/a", "vault secrets list"},
		{say(503, false, "Vault is sealed"), store.ErrUnavailable, "is sealed", "unseal"},
		{say(429, false, "quota"), store.ErrUnavailable, "fewer requests", "VAULT_RATE_LIMIT"},
		{say(500, false, "internal error"), store.ErrUnavailable, "(HTTP 500: internal error)", ""},
		{say(502, true, "<html>bad gateway</html>"), store.ErrUnavailable, "(HTTP 502)", ""},
		{say(405, false), errUnsupported, "", ""},
		{say(400, true, "Client sent an HTTP request to an HTTPS server."), store.ErrUnavailable, "speaks TLS", "https://"},
		{say(400, true, "<html>Client sent an HTTP request</html>"), nil, "(HTTP 400)", ""},
		{say(418, false, "a", "b"), nil, "(HTTP 418: a; b)", ""},
	} {
		if x.is != nil && !errors.Is(x.err, x.is) || x.err == nil || !strings.Contains(x.err.Error(), x.text) || !strings.Contains(fault.Hint(x.err), x.hint) {
			t.Errorf("%v (%s), want %q (%q)", x.err, fault.Hint(x.err), x.text, x.hint)
		}
		if strings.Contains(x.err.Error()+fault.Hint(x.err), "fake-password") || strings.Contains(x.err.Error(), "<html>") {
			t.Errorf("%v", x.err)
		}
	}
	if hint := policyHint(r); hint != `a policy of the token must have: path "secret/data/a" { capabilities = ["create", "update"] }` {
		t.Error(hint)
	}
	for status, want := range map[int]bool{http.StatusBadRequest: true, 500: false} {
		err := &api.ResponseError{StatusCode: status, Errors: []string{"Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period"}}
		if upgrading(err) != want {
			t.Errorf("HTTP %d: upgrading is %v", status, !want)
		}
	}
	if upgrading(errors.New("Upgrading from non-versioned to versioned data")) {
		t.Error("any error is taken for an engine that is being upgraded")
	}
}
