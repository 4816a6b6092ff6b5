package vaultstore

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// enable enables an auth method for one test and returns its path.
func enable(t *testing.T, s *vaulttest.Server, method string) string {
	t.Helper()
	path := "test-" + method + "-" + strings.ToLower(rand.Text())
	s.API(t, http.MethodPost, "sys/auth/"+path, map[string]any{"type": method})
	t.Cleanup(func() { s.API(t, http.MethodDelete, "sys/auth/"+path, nil) })
	return path
}

// read asks Vault for something with the root token.
func read(t *testing.T, s *vaulttest.Server, method, path string, body any) map[string]any {
	t.Helper()
	var a struct{ Data map[string]any }
	if err := json.Unmarshal(s.API(t, method, path, body), &a); err != nil {
		t.Fatal(err)
	}
	return a.Data
}

func authenticate(t *testing.T, s *vaulttest.Server, l Login, env ...string) (*Session, error) {
	t.Helper()
	// A token that is there has no part in a login.
	return Authenticate(t.Context(), Options{Getenv: s.Getenv(t, "fake-other-token", env...)}, l)
}

// loggedIn fails unless the session's token works, and ends it.
func loggedIn(t *testing.T, s *vaulttest.Server, got *Session, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v | %s", err, fault.Hint(err))
	}
	if got.TTL <= 0 || got.Expires.Before(time.Now()) || !got.Renewable || got.Root || got.Address != s.Addr {
		t.Errorf("got %+v", got)
	}
	getenv := s.Getenv(t, "")
	if engines, err := got.Engines(t.Context(), getenv); err != nil {
		t.Error(engines, err)
	}
	if err := got.Revoke(t.Context(), getenv); err != nil {
		t.Error(err)
	}
	if err := got.Revoke(t.Context(), getenv); !errors.Is(err, store.ErrDenied) {
		t.Errorf("the token still works: %v", err)
	}
}

// refused fails unless err says text, has a hint with hint, and none of secrets.
func refused(t *testing.T, got *Session, err error, text, hint string, secrets ...string) {
	t.Helper()
	switch {
	case err == nil || got != nil:
		t.Fatalf("logged in: %+v", got)
	case !strings.Contains(err.Error(), text):
		t.Errorf("error %q does not say %q", err, text)
	case !strings.Contains(fault.Hint(err), hint):
		t.Errorf("the hint of %q is %q, without %q", err, fault.Hint(err), hint)
	}
	for _, s := range secrets {
		if strings.Contains(err.Error()+fault.Hint(err), s) {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

func TestLoginWithAToken(t *testing.T) {
	s := vaulttest.Shared(t)
	token := s.TokenWith(t, map[string]any{"ttl": "1h", "display_name": "jane"})
	got, err := authenticate(t, s, Login{Method: "token", Secret: secret.NewValue(token + "\n")})
	loggedIn(t, s, got, err)
	got, err = authenticate(t, s, Login{Method: "token", Secret: secret.NewValue("hvs.fake-wrong")})
	refused(t, got, err, "refused the token", "nothing was kept", "hvs.fake-wrong")
	got, err = authenticate(t, s, Login{Method: "token"})
	refused(t, got, err, "the token is empty", "")
	got, err = authenticate(t, s, Login{Method: "token", Secret: secret.NewValue(s.RootToken)})
	if err != nil || !got.Root || !got.Expires.IsZero() || got.due(time.Now()) {
		t.Errorf("the root token: %+v, %v", got, err)
	}
}

func TestLoginWithUserpass(t *testing.T) {
	s := vaulttest.Shared(t)
	path := enable(t, s, "userpass")
	s.API(t, http.MethodPost, "auth/"+path+"/users/jane", map[string]any{"password": "fake-password", "token_ttl": "1h"})
	l := Login{Method: "userpass", Mount: path, Username: "jane", Secret: secret.NewValue("fake-password")}
	got, err := authenticate(t, s, l)
	if err == nil && got.User != "jane" {
		t.Errorf("the user is %q", got.User)
	}
	loggedIn(t, s, got, err)
	l.Secret = secret.NewValue("fake-wrong")
	got, err = authenticate(t, s, l)
	refused(t, got, err, "invalid username or password", "check the user's name", "fake-wrong")
	l.Mount = "no-such"
	got, err = authenticate(t, s, l)
	refused(t, got, err, "no auth method at auth/no-such", "--mount", "fake-wrong")
	for _, name := range []string{"", "../../sys/x", "a/b", ".."} {
		l.Username = name
		got, err = authenticate(t, s, l)
		refused(t, got, err, "user's name", "--username", "fake-wrong")
	}
	got, err = authenticate(t, s, Login{Method: "userpass", Mount: "../sys", Username: "jane", Secret: l.Secret})
	refused(t, got, err, "not the path of an auth method", "")
	got, err = authenticate(t, s, Login{Method: "userpas"})
	refused(t, got, err, `did you mean "userpass"?`, "the methods are")
}

func TestLoginWithAnAppRole(t *testing.T) {
	s := vaulttest.Shared(t)
	path := enable(t, s, "approle")
	s.API(t, http.MethodPost, "auth/"+path+"/role/ci", map[string]any{"token_ttl": "1h", "secret_id_num_uses": 1})
	role, _ := read(t, s, http.MethodGet, "auth/"+path+"/role/ci/role-id", nil)["role_id"].(string)
	id, _ := read(t, s, http.MethodPost, "auth/"+path+"/role/ci/secret-id", nil)["secret_id"].(string)
	l := Login{Method: "approle", Mount: path, Role: role, Secret: secret.NewValue(id)}
	got, err := authenticate(t, s, l)
	loggedIn(t, s, got, err)
	got, err = authenticate(t, s, l)
	refused(t, got, err, "invalid role or secret ID", "used up", id)
	l.Role = ""
	got, err = authenticate(t, s, l)
	refused(t, got, err, "approle needs the role ID", "--role", id)
	s.API(t, http.MethodPost, "auth/"+path+"/role/open", map[string]any{"token_ttl": "1h", "bind_secret_id": false, "token_bound_cidrs": "127.0.0.1/32"})
	role, _ = read(t, s, http.MethodGet, "auth/"+path+"/role/open/role-id", nil)["role_id"].(string)
	got, err = authenticate(t, s, Login{Method: "approle", Mount: path, Role: role})
	loggedIn(t, s, got, err)
}

// sign returns a JWT, signed with ES256.
func sign(t *testing.T, key *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	var parts []string
	for _, part := range []any{map[string]string{"alg": "ES256", "typ": "JWT"}, claims} {
		b, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, ".")))
	r, v, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(signature)), ".")
}

func newKey(t *testing.T) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestLoginWithAJWT(t *testing.T) {
	s := vaulttest.Shared(t)
	path := enable(t, s, "jwt")
	key, public := newKey(t)
	s.API(t, http.MethodPost, "auth/"+path+"/config", map[string]any{"jwt_validation_pubkeys": []string{public}, "default_role": "ci"})
	s.API(t, http.MethodPost, "auth/"+path+"/role/ci", map[string]any{"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{"vault"}, "token_ttl": "1h"})
	claims := map[string]any{"sub": "jane", "aud": "vault", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
	jwt := sign(t, key, claims)
	for _, role := range []string{"ci", ""} {
		got, err := authenticate(t, s, Login{Method: "jwt", Mount: path, Role: role, Secret: secret.NewValue(jwt)})
		loggedIn(t, s, got, err)
	}
	got, err := authenticate(t, s, Login{Method: "jwt", Mount: path, Role: "other", Secret: secret.NewValue(jwt)})
	refused(t, got, err, `role "other" could not be found`, "--role", jwt)
	other, _ := newKey(t)
	forged := sign(t, other, claims)
	got, err = authenticate(t, s, Login{Method: "jwt", Mount: path, Secret: secret.NewValue(forged)})
	refused(t, got, err, "refused the login", "", forged)
}

// The cluster is a small one: of all its API it has TokenReview, which is all
// that Vault asks.
func TestLoginWithKubernetes(t *testing.T) {
	key, _ := newKey(t)
	jwt := sign(t, key, map[string]any{
		"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:ml:train", "exp": time.Now().Add(time.Minute).Unix(),
		"kubernetes.io": map[string]any{"namespace": "ml", "serviceaccount": map[string]string{"name": "train", "uid": "u-1"}},
	})
	cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review struct {
			Spec struct{ Token string } `json:"spec"`
		}
		_ = json.NewDecoder(r.Body).Decode(&review)
		status := map[string]any{"authenticated": review.Spec.Token == jwt,
			"user": map[string]any{"username": "system:serviceaccount:ml:train", "uid": "u-1", "groups": []string{"system:serviceaccounts"}}}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status})
	}))
	t.Cleanup(cluster.Close)
	s := vaulttest.Shared(t)
	path := enable(t, s, "kubernetes")
	s.API(t, http.MethodPost, "auth/"+path+"/config", map[string]any{"kubernetes_host": cluster.URL, "token_reviewer_jwt": jwt, "disable_local_ca_jwt": true})
	s.API(t, http.MethodPost, "auth/"+path+"/role/train", map[string]any{"bound_service_account_names": "train", "bound_service_account_namespaces": "ml", "token_ttl": "1h", "audience": ""})
	got, err := authenticate(t, s, Login{Method: "kubernetes", Mount: path, Role: "train", Secret: secret.NewValue(jwt)})
	loggedIn(t, s, got, err)
	got, err = authenticate(t, s, Login{Method: "kubernetes", Mount: path, Role: "other", Secret: secret.NewValue(jwt)})
	refused(t, got, err, "refused the login", "--role", jwt)
	got, err = authenticate(t, s, Login{Method: "kubernetes", Mount: path, Secret: secret.NewValue(jwt)})
	refused(t, got, err, "kubernetes needs the role", "--role", jwt)
}

func TestLoginWithACertificate(t *testing.T) {
	s := vaulttest.SharedTLS(t)
	path := enable(t, s, "cert")
	cert, files := clientCert(t)
	s.API(t, http.MethodPost, "auth/"+path+"/certs/ci", map[string]any{"certificate": cert, "token_ttl": "1h"})
	env := []string{"VAULT_CLIENT_CERT", files[0], "VAULT_CLIENT_KEY", files[1]}
	for _, role := range []string{"", "ci"} {
		got, err := authenticate(t, s, Login{Method: "cert", Mount: path, Role: role}, env...)
		loggedIn(t, s, got, err)
	}
	got, err := authenticate(t, s, Login{Method: "cert", Mount: path})
	refused(t, got, err, "client certificate must be supplied", "VAULT_CLIENT_CERT")
	_, others := clientCert(t)
	got, err = authenticate(t, s, Login{Method: "cert", Mount: path}, "VAULT_CLIENT_CERT", others[0], "VAULT_CLIENT_KEY", others[1])
	refused(t, got, err, "refused the login at auth/"+path, "trusts them")
}

// clientCert returns a certificate, and the files with it and its key.
func clientCert(t *testing.T) (cert string, files [2]string) {
	t.Helper()
	key, _ := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fake client"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), crypto.Signer(key))
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	for i, text := range []string{cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))} {
		files[i] = filepath.Join(dir, []string{"cert.pem", "key.pem"}[i])
		if err := os.WriteFile(files[i], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, files
}

// provider makes Vault's own identity provider one that an auth method of the
// same Vault trusts, and returns the method's path and the token of a person.
func oidcProvider(t *testing.T, s *vaulttest.Server, port int) (path, person string) {
	t.Helper()
	id := strings.ToLower(rand.Text())
	users := enable(t, s, "userpass")
	s.API(t, http.MethodPost, "auth/"+users+"/users/jane", map[string]any{"password": "fake-password"})
	var login struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	if err := json.Unmarshal(s.API(t, http.MethodPost, "auth/"+users+"/login/jane", map[string]any{"password": "fake-password"}), &login); err != nil {
		t.Fatal(err)
	}
	redirect := "http://localhost:" + itoa(port) + "/oidc/callback"
	s.API(t, http.MethodPost, "identity/oidc/client/"+id, map[string]any{"redirect_uris": []string{redirect}, "assignments": []string{"allow_all"}})
	client := read(t, s, http.MethodGet, "identity/oidc/client/"+id, nil)
	path = enable(t, s, "oidc")
	s.API(t, http.MethodPost, "auth/"+path+"/config", map[string]any{
		"oidc_discovery_url": s.Addr + "/v1/identity/oidc/provider/default", "default_role": "people",
		"oidc_client_id": client["client_id"], "oidc_client_secret": client["client_secret"],
	})
	s.API(t, http.MethodPost, "auth/"+path+"/role/people", map[string]any{"user_claim": "sub", "allowed_redirect_uris": []string{redirect}, "token_ttl": "1h"})
	return path, login.Auth.ClientToken
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// freePort returns a port that is free, and none of those that the system gives
// to connections, so that it stays free.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		port := 10000 + mathrand.IntN(20000)
		if l, err := net.Listen("tcp", "127.0.0.1:"+itoa(port)); err == nil {
			_ = l.Close()
			return port
		}
	}
}

// consent does what a person does at the identity provider, and returns where
// the provider sends the browser.
func consent(t *testing.T, s *vaulttest.Server, person, authURL string) (back *url.URL, query url.Values) {
	t.Helper()
	u, err := url.Parse(authURL)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Addr+"/v1/identity/oidc/provider/default/authorize?"+u.RawQuery, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", person)
	var answer struct{ Code, State string }
	if body := get200(t, req); json.Unmarshal([]byte(body), &answer) != nil || answer.Code == "" {
		t.Fatalf("the provider answers %s", body)
	}
	if back, err = url.Parse(u.Query().Get("redirect_uri")); err != nil {
		t.Fatal(err)
	}
	return back, url.Values{"code": {answer.Code}, "state": {answer.State}}
}

func get200(t *testing.T, req *http.Request) string {
	t.Helper()
	status, body := visit(t, req)
	if status != http.StatusOK {
		t.Errorf("%s: HTTP %d: %s", req.URL.Path, status, body)
	}
	return body
}

func visit(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func page(t *testing.T, u *url.URL, query url.Values) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.Scheme+"://"+u.Host+u.Path+"?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestLoginWithABrowser(t *testing.T) {
	s := vaulttest.Shared(t)
	port := freePort(t)
	path, person := oidcProvider(t, s, port)
	shown := make(chan string, 1)
	go func() {
		back, query := consent(t, s, person, <-shown)
		// Other pages of the browser know the address, not the state.
		forged := url.Values{"code": query["code"], "state": {"forged"}}
		for what, req := range map[string]*http.Request{
			"a forged state": page(t, back, forged), "no state": page(t, back, nil),
			"a forged refusal": page(t, back, url.Values{"error": {"access_denied"}}),
		} {
			if status, _ := visit(t, req); status != http.StatusBadRequest {
				t.Errorf("%s: HTTP %d", what, status)
			}
		}
		other := *back
		other.Path = "/"
		if status, _ := visit(t, page(t, &other, query)); status != http.StatusNotFound {
			t.Errorf("another page: HTTP %d", status)
		}
		if text := get200(t, page(t, back, query)); !strings.Contains(text, "You are logged in") {
			t.Errorf("the page says %q", text)
		}
	}()
	got, err := authenticate(t, s, Login{Method: "oidc", Mount: path, OIDC: OIDC{Port: port, Show: func(u string) { shown <- u }}})
	loggedIn(t, s, got, err)
}

func TestLoginWithABrowserThatFails(t *testing.T) {
	s := vaulttest.Shared(t)
	port := freePort(t)
	path, person := oidcProvider(t, s, port)
	var browser sync.WaitGroup
	defer browser.Wait()
	timeout := time.Second
	with := func(ctx context.Context, role string, show func(string)) (*Session, error) {
		return Authenticate(ctx, Options{Getenv: s.Getenv(t, "")}, Login{Method: "oidc", Mount: path, Role: role,
			OIDC: OIDC{Port: port, Show: show, Timeout: timeout}})
	}
	got, err := with(t.Context(), "", func(string) {})
	refused(t, got, err, "nobody came back from the browser within 1s", "start the login again")
	timeout = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	if got, err := with(ctx, "", func(string) { cancel() }); got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("Ctrl-C: %v", err)
	}
	got, err = with(t.Context(), "no-such", func(string) { t.Error("an address is shown") })
	refused(t, got, err, "role", "--role")
	got, err = with(t.Context(), "", func(u string) {
		browser.Go(func() {
			back, query := consent(t, s, person, u)
			query.Del("code")
			query.Set("error", "access_denied")
			query.Set("error_description", "not\x1b[31m today")
			if status, _ := visit(t, page(t, back, query)); status != http.StatusForbidden {
				t.Errorf("a refusal: HTTP %d", status)
			}
		})
	})
	refused(t, got, err, "the identity provider refused the login: access_denied not", "")
	// A code that is not the provider's.
	got, err = with(t.Context(), "", func(u string) {
		browser.Go(func() {
			back, query := consent(t, s, person, u)
			query.Set("code", "fake-code")
			visit(t, page(t, back, query))
		})
	})
	refused(t, got, err, "refused the login at auth/"+path, "")
	l, err := net.Listen("tcp", "127.0.0.1:"+itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, err = with(t.Context(), "", func(string) {})
	refused(t, got, err, "listen on port", "--port")
}

// Not Vault, sealed, away: what every request says.
func TestLoginAtAServerThatCannotAnswer(t *testing.T) {
	s := vaulttest.New(t)
	s.API(t, http.MethodPut, "sys/seal", nil)
	l := Login{Method: "userpass", Username: "jane", Secret: secret.NewValue("fake-password")}
	got, err := authenticate(t, s, l, "VAULT_MAX_RETRIES", "0")
	refused(t, got, err, "sealed", "unseal", "fake-password")
	s.Stop()
	got, err = authenticate(t, s, l, "VAULT_MAX_RETRIES", "0")
	refused(t, got, err, s.Addr, "VAULT_ADDR", "fake-password")
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write([]byte("<html>" + string(body)))
	}))
	t.Cleanup(web.Close)
	got, err = authenticate(t, s, l, "VAULT_ADDR", web.URL)
	refused(t, got, err, "", "", "fake-password")
	got, err = authenticate(t, s, l, "VAULT_ADDR", "https://jane:fake-secret@vault.example.com")
	refused(t, got, err, "has a name or password in it", "the address alone", "fake-secret")
	got, err = authenticate(t, s, l, "VAULT_ADDR", "")
	refused(t, got, err, "VAULT_ADDR is not set", "")
}

func TestSessionsAreKeptWhole(t *testing.T) {
	s := &Session{Address: "https://v:8200", Namespace: "team", Token: secret.NewValue("fake-token"), Method: "userpass", User: "jane",
		Root: true, Renewable: true, TTL: time.Hour, Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second)}
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeSession(data)
	if err != nil || got.Token != s.Token || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", s) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "{}", `{"token": "fake-token"`, `{"address": "https://v"}`, `["fake-token"]`} {
		if got, err := DecodeSession([]byte(bad)); err == nil || strings.Contains(err.Error(), "fake") {
			t.Errorf("%q: %+v, %v", bad, got, err)
		}
	}
}

func FuzzDecodeSession(f *testing.F) {
	f.Add([]byte(`{"address":"https://v","token":"fake","seconds":3600,"expires":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"address":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := DecodeSession(data)
		if err != nil {
			return
		}
		again, err := s.Encode()
		if err != nil {
			return // a time that JSON cannot hold
		}
		if got, err := DecodeSession(again); err != nil || got.Token != s.Token || got.Address == "" {
			t.Errorf("%+v, %v", got, err)
		}
		s.fits("https://v:8200", "ns")
		s.Expired(time.Now())
	})
}

// The token goes to its own server only, and is not taken for another's.
func TestATokenIsForItsServer(t *testing.T) {
	s := &Session{Address: "https://Vault.example.com", Namespace: "team"}
	for addr, want := range map[string]bool{
		"https://vault.example.com": true, "https://vault.example.com:443/": true, "https://VAULT.example.com:443": true,
		"http://vault.example.com": false, "https://vault.example.com:8200": false, "https://vault.example.com.evil.example": false,
		"https://vault.example.com@evil.example": false, "https://evil.example/vault.example.com": false, "": false, "::": false,
	} {
		if got := s.fits(addr, "team/a"); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	for ns, want := range map[string]bool{"team": true, "team/ml": true, "": false, "teams": false, "other": false} {
		if got := s.fits(s.Address, ns); got != want {
			t.Errorf("namespace %q: %v", ns, got)
		}
	}
}

// VAULT_TOKEN first, then rhx's own login, then the file of the vault CLI.
func TestWhichTokenIsUsed(t *testing.T) {
	s := vaulttest.Shared(t)
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".vault-token"), []byte("fake-cli"), 0o600); err != nil {
		t.Fatal(err)
	}
	session := &Session{Address: s.Addr, Token: secret.NewValue("fake-own")}
	expired := &Session{Address: s.Addr, Token: secret.NewValue("fake-own"), Expires: time.Now().Add(-time.Second)}
	elsewhere := &Session{Address: "http://127.0.0.1:1", Token: secret.NewValue("fake-own")}
	for what, c := range map[string]struct {
		env, home string
		session   *Session
		want      string
	}{
		"all":              {"fake-env", home, session, "fake-env"},
		"login and file":   {"", home, session, "fake-own"},
		"no login":         {"", home, nil, "fake-cli"},
		"expired":          {"", home, expired, "fake-cli"},
		"another server's": {"", home, elsewhere, "fake-cli"},
		"nothing else":     {"", t.TempDir(), elsewhere, ""},
	} {
		got, err := newClient(s.Getenv(t, c.env), c.home, func() (*Session, error) { return c.session, nil })
		if err != nil || got.api.Token() != c.want {
			t.Errorf("%s: another token, %v", what, err)
		}
	}
	st, err := Open(Options{URL: "vault://secret", Getenv: s.Getenv(t, ""), Home: t.TempDir(), Login: func() (*Session, error) { return expired, nil }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = st.List(t.Context())
	wantFault(t, err, store.ErrDenied, "the token of rhx login has expired", "rhx login")
	if _, err := Open(Options{URL: "vault://secret", Getenv: s.Getenv(t, ""), Home: home, Login: func() (*Session, error) { return nil, errors.New("damaged") }}); err == nil || !strings.Contains(fault.Hint(err), "rhx login") {
		t.Errorf("a login that cannot be read: %v", err)
	}
}

func TestATokenIsRenewedWhenHalfOfItsLifeIsOver(t *testing.T) {
	s := vaulttest.Shared(t)
	token := s.TokenWith(t, map[string]any{"ttl": "1h"})
	got, err := authenticate(t, s, Login{Method: "token", Secret: secret.NewValue(token)})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if got.due(now) || !got.due(now.Add(40*time.Minute)) || got.due(now.Add(2*time.Hour)) {
		t.Error("due at the wrong time")
	}
	old := *got
	old.Expires = now.Add(time.Minute)
	renewed, err := old.Renew(t.Context(), s.Getenv(t, ""))
	if err != nil || renewed.Expires.Before(now.Add(50*time.Minute)) || !renewed.Renewable || renewed.Token != got.Token {
		t.Errorf("%+v, %v", renewed, err)
	}
	// Where Vault gives no more, it is not asked by every command again.
	short, err := authenticate(t, s, Login{Method: "token", Secret: secret.NewValue(s.TokenWith(t, map[string]any{"ttl": "1h", "explicit_max_ttl": "1h"}))})
	if err != nil {
		t.Fatal(err)
	}
	if renewed, err := short.Renew(t.Context(), s.Getenv(t, "")); err != nil || renewed.Renewable {
		t.Errorf("%+v, %v", renewed, err)
	}
	st, err := Open(Options{URL: "vault://secret", Getenv: s.Getenv(t, ""), Login: func() (*Session, error) { return &old, nil }})
	if err != nil || st.LoginDue() != &old {
		t.Error("the store does not say that its login is due", err)
	}
}

func TestEveryMethodIsKnown(t *testing.T) {
	for _, m := range Methods() {
		if m == "token" {
			continue // which is no request
		}
		_, err := Login{Method: m, Mount: m, Username: "u", Role: "r", Secret: secret.NewValue("s")}.method(&client{})
		if err != nil || slices.Index(Methods(), m) < 0 {
			t.Errorf("%s: %v", m, err)
		}
	}
}

// A server that answers nothing, or nothing about the token, has confirmed nothing.
func TestATokenThatIsNotConfirmed(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
	}{{204, ""}, {200, ""}, {200, "null"}, {200, "{}"}, {200, `{"data":null}`}, {200, "<html>"}, {302, ""}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answerWith(w, c.status, c.body) }))
		s, err := Authenticate(t.Context(), Options{Getenv: vars("VAULT_ADDR", server.URL, "VAULT_MAX_RETRIES", "0")}, Login{Method: "token", Secret: secret.NewValue("fake")})
		server.Close()
		if err == nil || s != nil {
			t.Errorf("HTTP %d %q: %+v", c.status, c.body, s)
		}
	}
}

// Nor has a login succeeded whose answer has no token.
func TestALoginWithoutAnAnswer(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
	}{{204, ""}, {200, "null"}, {200, "{}"}, {200, `{"auth":null}`}, {200, `{"auth":{}}`}, {200, `{"data":{"client_token":"x"}}`}, {302, ""}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answerWith(w, c.status, c.body) }))
		for _, l := range []Login{{Method: "userpass", Username: "jane"}, {Method: "jwt", Role: "r"}, {Method: "cert"}, {Method: "approle", Role: "r"}} {
			l.Secret = secret.NewValue("fake")
			s, err := Authenticate(t.Context(), Options{Getenv: vars("VAULT_ADDR", server.URL, "VAULT_MAX_RETRIES", "0")}, l)
			if err == nil || s != nil {
				t.Errorf("%s, HTTP %d %q: %+v", l.Method, c.status, c.body, s)
			}
		}
		server.Close()
	}
}
