package vaultstore

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

func TestWhenASessionIsRenewed(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for what, c := range map[string]struct {
		s            Session
		due, expired bool
	}{
		"fresh":               {Session{Renewable: true, TTL: time.Hour, Expires: now.Add(time.Hour)}, false, false},
		"just half":           {Session{Renewable: true, TTL: time.Hour, Expires: now.Add(30 * time.Minute)}, false, false},
		"less than half":      {Session{Renewable: true, TTL: time.Hour, Expires: now.Add(30*time.Minute - 1)}, true, false},
		"not to be renewed":   {Session{TTL: time.Hour, Expires: now.Add(time.Minute)}, false, false},
		"for ever":            {Session{Renewable: true, TTL: time.Hour}, false, false},
		"at its end":          {Session{Renewable: true, TTL: time.Hour, Expires: now}, false, true},
		"just before its end": {Session{Renewable: true, TTL: time.Hour, Expires: now.Add(1)}, true, false},
		"long after its end":  {Session{Renewable: true, TTL: time.Hour, Expires: now.Add(-time.Hour)}, false, true},
	} {
		if due, expired := c.s.due(now), c.s.Expired(now); due != c.due || expired != c.expired {
			t.Errorf("%s: due %v, expired %v", what, due, expired)
		}
	}
}

func TestServersThatAreOneOrTwo(t *testing.T) {
	root := Session{Address: "https://vault"}
	if !root.fits("https://vault:443", "") || !root.fits("https://vault", "any/thing") {
		t.Error("a token of no namespace is good in all")
	}
	for _, pair := range [][2]string{{"http://a", "http://a:80"}, {"https://A", "https://a:443/"}, {"https://[::1]", "https://[::1]:443"}} {
		if !SameServer(pair[0], pair[1]) {
			t.Errorf("%s and %s are taken for two servers", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"https://u:p@a", "https://u:p@a"}, {"%", "%"}, {"http://a", "http://a:443"}, {"https://a/x", "https://a/y"}} {
		if SameServer(pair[0], pair[1]) {
			t.Errorf("%s and %s are taken for one server", pair[0], pair[1])
		}
	}
}

func TestRenew(t *testing.T) {
	began := time.Now().UTC().Truncate(time.Second)
	for what, c := range map[string]struct {
		body string
		want Session
		err  string
	}{
		"more time":     {`{"auth":{"client_token":"fake","lease_duration":7200,"renewable":true}}`, Session{TTL: 2 * time.Hour, Renewable: true}, ""},
		"the last time": {`{"auth":{"client_token":"fake","lease_duration":7200,"renewable":false}}`, Session{TTL: 2 * time.Hour}, ""},
		"no more time":  {`{"auth":{"client_token":"fake","lease_duration":60,"renewable":true}}`, Session{TTL: time.Minute}, ""},
		"another token": {`{"auth":{"client_token":"other","lease_duration":7200,"renewable":true}}`, Session{}, "not one of Vault's"},
		"nothing":       {``, Session{}, "not one of Vault's"},
		"nothing of it": {`{"data":{}}`, Session{}, "not one of Vault's"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Vault-Token") != "fake" {
				answerWith(w, 403, `{"errors":["permission denied"]}`)
				return
			}
			answerWith(w, 200, c.body)
		}))
		s := &Session{Address: server.URL, Token: secret.NewValue("fake"), Method: "userpass", Renewable: true, TTL: time.Hour, Expires: began.Add(30 * time.Minute)}
		got, err := s.Renew(t.Context(), vars("VAULT_ADDR", "https://another", "VAULT_TOKEN", "another", "VAULT_AGENT_ADDR", "https://another"))
		server.Close()
		if c.err != "" {
			if got != nil || err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %+v, %v", what, got, err)
			}
			continue
		}
		if err != nil || got.TTL != c.want.TTL || got.Renewable != c.want.Renewable || got.Method != "userpass" ||
			got.Expires.Before(began.Add(c.want.TTL)) || got.Expires.After(time.Now().Add(c.want.TTL)) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
		if s.TTL != time.Hour {
			t.Errorf("%s: the session itself has changed", what)
		}
	}
	if _, err := (&Session{Address: "https://u:p@vault", Token: secret.NewValue("fake")}).Renew(t.Context(), vars()); err == nil {
		t.Error("an address with a password is taken")
	}
}

func TestWhoLoggedIn(t *testing.T) {
	for _, c := range []struct {
		body string
		l    Login
		want Session
	}{
		{`{"id":"x","display_name":"token-a","ttl":0,"policies":["root"]}`, Login{}, Session{User: "token-a", Root: true}},
		{`{"id":"x","display_name":"token-a","ttl":60,"policies":["root"]}`, Login{}, Session{User: "token-a", TTL: time.Minute}},
		{`{"id":"x","display_name":"token-a","ttl":0,"policies":["p"]}`, Login{}, Session{User: "token-a"}},
		{`{"id":"x","display_name":"ldap-jane","meta":{"username":"jane"},"renewable":true,"ttl":60}`, Login{}, Session{User: "jane", Renewable: true, TTL: time.Minute}},
		{`{"id":"x","display_name":"ldap-jane","meta":{"username":"jane"},"ttl":60}`, Login{Username: "Jane"}, Session{User: "Jane", TTL: time.Minute}},
		{`{"id":"x","display_name":"d","meta":{"username":1},"ttl":60}`, Login{}, Session{User: "d", TTL: time.Minute}},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answerWith(w, 200, `{"data":`+c.body+`}`) }))
		client, err := newClient(vars("VAULT_ADDR", server.URL, "VAULT_NAMESPACE", "n"), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := client.confirm(t.Context(), "fake", nil, c.l)
		client.close()
		server.Close()
		if err != nil || s.User != c.want.User || s.Root != c.want.Root || s.Renewable != c.want.Renewable || s.TTL != c.want.TTL || s.Expires.IsZero() != (s.TTL == 0) ||
			s.Address != server.URL || s.Namespace != "n" || s.Token.Reveal() != "fake" {
			t.Errorf("%s: %+v, %v", c.body, s, err)
		}
	}
}

// The token of a login that ends, or of another server, is not used, and it is said.
func TestALoginThatIsNotUsed(t *testing.T) {
	now := time.Now()
	for what, c := range map[string]struct {
		s    *Session
		err  error
		text string
	}{
		"none":           {nil, nil, "there is no Vault token"},
		"another server": {&Session{Address: "https://other", Namespace: "n", Token: secret.NewValue("fake")}, nil, "rhx is logged in at https://other (namespace n), not there"},
		"expired":        {&Session{Address: "https://vault", Token: secret.NewValue("fake"), Expires: now.Add(-time.Second)}, nil, "the token of rhx login has expired"},
	} {
		client, err := newClient(vars("VAULT_ADDR", "https://vault"), "", func() (*Session, error) { return c.s, c.err })
		if err != nil {
			t.Fatal(err)
		}
		if client.session != nil || client.hasToken {
			t.Errorf("%s: it is used", what)
		}
		wantFault(t, client.noToken(), store.ErrDenied, c.text, "rhx login")
	}
	broken := errors.New("fake trouble")
	_, err := newClient(vars("VAULT_ADDR", "https://vault"), "", func() (*Session, error) { return nil, broken })
	wantFault(t, err, broken, "the token of rhx login", "log in again")
	if !strings.Contains(fault.Hint(err), "VAULT_TOKEN") {
		t.Error(fault.Hint(err))
	}
	good := &Session{Address: "https://vault", Token: secret.NewValue("fake"), Renewable: true, TTL: time.Hour, Expires: now.Add(time.Minute)}
	for token, want := range map[string]*Session{"": good, "own": nil} {
		s, err := Open(Options{URL: "vault://secret", Getenv: vars("VAULT_ADDR", "https://vault", "VAULT_TOKEN", token), Login: func() (*Session, error) { return good, nil }})
		if err != nil || s.LoginDue() != want || !s.c.hasToken {
			t.Errorf("VAULT_TOKEN=%s: %v, %v", token, s.LoginDue(), err)
		}
	}
}

// No method takes a failure to find the engine for a success.
func TestEveryMethodNeedsTheEngine(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answerWith(w, 500, `{"errors":["fake trouble"]}`) }))
	t.Cleanup(server.Close)
	s := open(t, "secret/ml", vars("VAULT_ADDR", server.URL, "VAULT_TOKEN", "fake", "VAULT_MAX_RETRIES", "0"))
	for what, call := range map[string]func(context.Context) error{
		"List":     func(ctx context.Context) error { _, err := s.List(ctx); return err },
		"Names":    func(ctx context.Context) error { _, err := s.Names(ctx); return err },
		"Get":      func(ctx context.Context) error { _, err := s.Get(ctx, "a", 0); return err },
		"Put":      func(ctx context.Context) error { _, err := s.Put(ctx, awsProd(), 0); return err },
		"Delete":   func(ctx context.Context) error { return s.Delete(ctx, "a") },
		"Undelete": func(ctx context.Context) error { return s.Undelete(ctx, "a", 0) },
		"Destroy":  func(ctx context.Context) error { return s.Destroy(ctx, "a") },
		"History":  func(ctx context.Context) error { _, err := s.History(ctx, "a"); return err },
		"Wrap":     func(ctx context.Context) error { _, err := s.Wrap(ctx, "a", time.Minute); return err },
		"WrapText": func(ctx context.Context) error {
			_, err := s.WrapText(ctx, secret.NewValue("text"), time.Minute)
			return err
		},
		"Policy": func(ctx context.Context) error { _, err := s.Policy(ctx, nil, false); return err },
	} {
		err := call(t.Context())
		if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "fake trouble") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What a browser is sent to is an address with a state, or nothing.
func TestTheAddressToLogInAt(t *testing.T) {
	for body, want := range map[string]string{
		`{"data":{"auth_url":"https://idp/auth?state=s1&x=y"}}`: "",
		`{"data":{"auth_url":"http://idp:1/auth?state=s1"}}`:    "",
		``:                         "gives no address",
		`{}`:                       "gives no address",
		`{"data":{"auth_url":""}}`: "gives no address",
		`{"data":{"auth_url":1}}`:  "gives no address",
		`{"data":{"auth_url":"http:///auth?state=s1"}}`:           "is none",
		`{"data":{"auth_url":"https:idp?state=s1"}}`:              "is none",
		`{"data":{"auth_url":"file://idp/etc/passwd?state=s1"}}`:  "is none",
		`{"data":{"auth_url":"javascript://idp/x?state=s1"}}`:     "is none",
		`{"data":{"auth_url":"https://idp/\u001b[31m?state=s1"}}`: "is none",
		`{"data":{"auth_url":"https://idp/%zz?state=s1"}}`:        "is none",
		`{"data":{"auth_url":"https://idp/auth"}}`:                "has no state",
		`{"data":{"auth_url":"https://idp/auth?state="}}`:         "has no state",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answerWith(w, 200, body) }))
		c := with(t, "VAULT_ADDR", server.URL)
		got, state, err := (&oidc{c: c, mount: "oidc"}).begin(t.Context(), c.api, "http://localhost:1/oidc/callback", "nonce")
		server.Close()
		switch {
		case want == "" && (err != nil || state != "s1" || !strings.Contains(body, got)):
			t.Errorf("%s: %q, %q, %v", body, got, state, err)
		case want != "" && (err == nil || got != "" || state != "" || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %q, %v; want %q", body, got, err, want)
		}
	}
	c := with(t, "VAULT_ADDR", "http://127.0.0.1:1", "VAULT_MAX_RETRIES", "0")
	if got, _, err := (&oidc{c: c, mount: "oidc"}).begin(t.Context(), c.api, "", ""); err == nil || got != "" || strings.Contains(err.Error(), "no address") {
		t.Errorf("a server that is not there: %q, %v", got, err)
	}
}

// A failure to look whether the secret is there is no reason to delete it.
func TestDeleteLooksFirst(t *testing.T) {
	for _, status := range []int{500, 403} {
		deleted, read := 0, 0
		s := fake(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodDelete:
				deleted++
			case strings.Contains(r.URL.Path, "/data/"):
				read++
			}
			answerWith(w, status, `{"errors":["permission denied"]}`)
		}, "VAULT_MAX_RETRIES", "0")
		if err := s.Delete(t.Context(), "a"); err == nil || errors.Is(err, store.ErrNotFound) || deleted != 0 || (read == 1) != (status == 403) {
			t.Errorf("HTTP %d: %v, deleted %d, read %d", status, err, deleted, read)
		}
		if err := s.Undelete(t.Context(), "a", 0); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("HTTP %d: %v", status, err)
		}
	}
}

func TestNumbersAndTimes(t *testing.T) {
	for _, v := range []any{nil, "3", 3, json.Number(""), json.Number("1.5"), true} {
		if n := number(v); n != 0 {
			t.Errorf("%v is the number %d", v, n)
		}
	}
	if n := number(json.Number("12")); n != 12 {
		t.Error(n)
	}
	for _, v := range []any{nil, "", "soon", 5} {
		if !when(v).IsZero() {
			t.Errorf("%v is a time", v)
		}
	}
	past, future := time.Now().Add(-time.Hour).Format(time.RFC3339Nano), time.Now().Add(time.Hour).Format(time.RFC3339Nano)
	for _, c := range []struct {
		about map[string]any
		want  bool
	}{
		{map[string]any{}, false}, {map[string]any{"deletion_time": ""}, false}, {map[string]any{"deletion_time": past}, true},
		{map[string]any{"deletion_time": future}, false}, {map[string]any{"destroyed": true}, true}, {map[string]any{"destroyed": false, "deletion_time": ""}, false},
	} {
		if got := gone(c.about); got != c.want {
			t.Errorf("%v: gone is %v", c.about, got)
		}
	}
	if _, err := Unwrap(t.Context(), Options{Getenv: vars()}, "", secret.NewValue("fake")); err == nil {
		t.Error("a token was used up somewhere")
	}
}
