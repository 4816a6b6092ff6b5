package vaultstore

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// A token is good for one use, by somebody who needs no other one.
func TestWrap(t *testing.T) {
	server, mount, s := shared(t, "team/kv", 2, "/ml")
	sec := awsProd()
	put(t, s, sec, 0)
	token, err := s.Wrap(t.Context(), sec.Name, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	getenv := server.Getenv(t, "not-used")
	rec, err := Unwrap(t.Context(), Options{Getenv: getenv}, sec.Name, token)
	if err != nil {
		t.Fatal(err)
	}
	if d := rec.Secret.Values.Diff(sec.Values); len(d) > 0 || rec.Secret.Name != sec.Name || rec.Secret.Provider != sec.Provider || rec.Secret.Profile != sec.Profile || rec.Version != 1 {
		t.Errorf("got %+v, differing in %v", rec.Info, d)
	}
	_, err = Unwrap(t.Context(), Options{Getenv: getenv}, sec.Name, token)
	wantFault(t, err, store.ErrIntercepted, "may have been intercepted", "audit log")

	// Without the name, the provider and profile make it; else the path.
	token, _ = s.Wrap(t.Context(), sec.Name, time.Minute)
	if rec, err := Unwrap(t.Context(), Options{Getenv: getenv}, "", token); err != nil || rec.Secret.Name != sec.Name {
		t.Errorf("%v: %v", rec, err)
	}
	put(t, s, &secret.Secret{Name: "db/x y", Values: secret.Values{"k": secret.NewValue("v")}}, 0)
	token, _ = s.Wrap(t.Context(), "db/x y", time.Minute)
	if rec, err := Unwrap(t.Context(), Options{Getenv: getenv}, "", token); err != nil || rec.Secret.Name != "ml/db/x y" {
		t.Errorf("%v: %v", rec, err)
	}

	// What the vault command wraps is as good, and what rhx wraps as good for it.
	var made struct {
		Wrap struct {
			Token string `json:"token"`
		} `json:"wrap_info"`
	}
	if err := json.Unmarshal([]byte(server.CLI(t, server.RootToken, "kv", "get", "-wrap-ttl=1m", "-format=json", "-mount="+mount, "ml/db/x y")), &made); err != nil {
		t.Fatal(err)
	}
	if rec, err := Unwrap(t.Context(), Options{Getenv: getenv}, "db/x y", secret.NewValue(made.Wrap.Token)); err != nil || rec.Version != 1 {
		t.Errorf("%v: %v", rec, err)
	}
	token, _ = s.WrapText(t.Context(), secret.NewValue("two\nlines\n"), time.Minute)
	if got := server.CLI(t, token.Reveal(), "unwrap", "-field="+store.WrappedField); got != "two\nlines\n\n" && got != "two\nlines\n" {
		t.Errorf("got %q", got)
	}
}

func TestWrapWhatIsNotThere(t *testing.T) {
	server, _, s := shared(t, "kv", 2, "")
	_, err := s.Wrap(t.Context(), "aws", time.Minute)
	if !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	put(t, s, awsProd(), 0)
	if err := s.Delete(t.Context(), awsProd().Name); err != nil {
		t.Fatal(err)
	}
	if token, err := s.Wrap(t.Context(), awsProd().Name, time.Minute); err == nil {
		_, err = Unwrap(t.Context(), Options{Getenv: server.Getenv(t, "")}, awsProd().Name, token)
		if !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	_, _, v1 := shared(t, "kv", 1, "")
	if _, err := v1.Wrap(t.Context(), "aws", time.Minute); err == nil || !strings.Contains(err.Error(), "KV version 1") {
		t.Error(err)
	}
}

// Somebody who takes a token on its way can use it, but then it is used; and can
// put another one in its place, but not one that was made by reading the secret.
func TestInterceptedTokens(t *testing.T) {
	server, _, s := shared(t, "kv", 2, "/ml")
	put(t, s, awsProd(), 0)
	put(t, s, &secret.Secret{Name: "aws", Provider: "aws", Values: secret.Values{"access_key": secret.NewValue("FAKE-OTHER")}}, 0)
	getenv := server.Getenv(t, "")
	expired, err := s.Wrap(t.Context(), awsProd().Name, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := s.WrapText(t.Context(), secret.NewValue(`{"access_key":"FAKE"}`), time.Minute)
	other, _ := s.Wrap(t.Context(), "aws", time.Minute)
	// It is Vault's clock that ends a token.
	for status := 0; status != 400; {
		if status, _, err = server.Request(t.Context(), "POST", "sys/wrapping/lookup", map[string]string{"token": expired.Reveal()}); err != nil {
			t.Fatal(err)
		}
	}
	for name, token := range map[string]secret.Value{
		"expired":                         expired,
		"made up":                         secret.NewValue("hvs.FAKE"),
		"wrapped again":                   again,
		"another secret's":                other,
		"a token that is no wrapping one": secret.NewValue(server.TokenWith(t, map[string]any{"ttl": "1m"})),
	} {
		_, err := Unwrap(t.Context(), Options{Getenv: getenv}, awsProd().Name, token)
		if !errors.Is(err, store.ErrIntercepted) || strings.Contains(err.Error(), token.Reveal()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Looking at what it is for has not used the other one up.
	if rec, err := Unwrap(t.Context(), Options{Getenv: getenv}, "aws", other); err != nil || rec.Secret.Name != "aws" {
		t.Errorf("%v: %v", rec, err)
	}
}

// Of many who use one token at once, one gets the secret.
func TestOneUseOfAToken(t *testing.T) {
	server, _, s := shared(t, "kv", 2, "")
	put(t, s, awsProd(), 0)
	token, err := s.Wrap(t.Context(), awsProd().Name, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { _, errs[i] = Unwrap(t.Context(), Options{Getenv: server.Getenv(t, "")}, awsProd().Name, token) })
	}
	wg.Wait()
	got := 0
	for _, err := range errs {
		switch {
		case err == nil:
			got++
		case !errors.Is(err, store.ErrIntercepted):
			t.Error(err)
		}
	}
	if got != 1 {
		t.Errorf("%d got it", got)
	}
}

// What another machine is told suffices to reach the server, and has no token.
func TestReach(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	server := vaulttest.SharedTLS(t)
	if err := os.WriteFile(ca, server.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	reach := func(pairs ...string) (map[string]string, error) {
		s, err := Open(Options{URL: "vault://secret", Getenv: vars(append(pairs, "VAULT_TOKEN", "fake", "VAULT_SKIP_VERIFY", "true")...)})
		if err != nil {
			t.Fatal(err)
		}
		return s.Reach()
	}
	for _, c := range []struct {
		env  []string
		want map[string]string
	}{
		{[]string{"VAULT_ADDR", "https://vault:8200/v1"}, map[string]string{"VAULT_ADDR": "https://vault:8200"}},
		{[]string{"VAULT_ADDR", "https://vault", "VAULT_NAMESPACE", "/team/", "VAULT_TLS_SERVER_NAME", "v", EnvCluster, "https://vault-2", "VAULT_CACERT", ca},
			map[string]string{"VAULT_ADDR": "https://vault", "VAULT_NAMESPACE": "team", "VAULT_TLS_SERVER_NAME": "v", EnvCluster: "https://vault-2", "VAULT_CACERT_BYTES": string(server.CA)}},
		{[]string{"BAO_ADDR", "https://bao", "BAO_CACERT_BYTES", string(server.CA), "VAULT_CACERT", ca},
			map[string]string{"VAULT_ADDR": "https://bao", "VAULT_CACERT_BYTES": string(server.CA)}},
	} {
		if got, err := reach(c.env...); err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%v: %v, %v", c.env, got, err)
		}
	}
	_, err := reach("VAULT_ADDR", "unix:///run/vault.sock")
	wantFault(t, err, nil, "cannot reach", "VAULT_ADDR")
	s, err := Open(Options{URL: "vault://secret", Getenv: vars("VAULT_ADDR", "https://vault", "VAULT_CACERT", ca)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(ca); err != nil {
		t.Fatal(err)
	}
	if vars, err := s.Reach(); !errors.Is(err, os.ErrNotExist) || vars != nil {
		t.Errorf("without the file: %v, %v", vars, err)
	}
}
