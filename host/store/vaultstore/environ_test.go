package vaultstore

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

func vars(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

// What people paste is often more than the address of the server.
func TestAddressesThatWereCopied(t *testing.T) {
	for in, want := range map[string]string{
		"https://vault.example.com:8200":                                            "https://vault.example.com:8200",
		"https://vault.example.com:8200/":                                           "https://vault.example.com:8200/",
		"https://vault.example.com:8200/v1":                                         "https://vault.example.com:8200",
		"https://vault.example.com:8200/v1/":                                        "https://vault.example.com:8200",
		"https://example.com/vault":                                                 "https://example.com/vault",
		"https://example.com/vault/v1":                                              "https://example.com/vault",
		"https://example.com/v1x":                                                   "https://example.com/v1x",
		"https://vault.example.com/ui":                                              "https://vault.example.com",
		"https://vault.example.com/ui/":                                             "https://vault.example.com",
		"https://vault.example.com:8200/ui/vault/secrets/kv/show/a%2Fb?version=2#x": "https://vault.example.com:8200",
		"https://example.com/x/ui/vault/auth?with=oidc":                             "https://example.com/x",
		"https://example.com/gui/vault":                                             "https://example.com/gui/vault",
		"https://example.com/ui/other":                                              "https://example.com/ui/other",
		"http://[::1]:8200/v1":                                                      "http://[::1]:8200",
		"unix:///run/vault.sock":                                                    "unix:///run/vault.sock",
	} {
		got, err := address(vars("VAULT_ADDR", in))
		if err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", in, got, err, want)
		}
		if got != "" && !strings.HasPrefix(in, "unix") && !SameServer(in, want) {
			t.Errorf("%s is not the same server as %s", in, want)
		}
	}
	for _, in := range []string{"https://vault.example.com/?x=1", "https://vault.example.com#x", "vault.example.com:8200", "https://"} {
		_, err := address(vars("VAULT_ADDR", in))
		wantFault(t, err, nil, "VAULT_ADDR is", "such as https://")
	}
	if SameServer("https://a/v1x", "https://a") {
		t.Error("/v1x was cut off")
	}
}

// The whole way, with the real server.
func TestAnAddressOfTheAPIReachesTheServer(t *testing.T) {
	server := vaulttest.Shared(t)
	mount := server.MountKV(t, "kv", 2, 0)
	for _, end := range []string{"/v1", "/v1/", "/ui/vault/secrets"} {
		s := open(t, mount, server.Getenv(t, server.RootToken, "VAULT_ADDR", server.Addr+end))
		put(t, s, awsProd(), store.AnyVersion)
		if got, err := s.Reach(); err != nil || got["VAULT_ADDR"] != server.Addr {
			t.Errorf("others are told %v, %v", got, err)
		}
	}
}

func TestOpenBaosVariables(t *testing.T) {
	getenv := Environment(Environment(vars("BAO_ADDR", "https://bao", "BAO_TOKEN", "b", "VAULT_TOKEN", "v", "VAULT_NAMESPACE", "n",
		"BAO_TOKEN_PATH", "/t", "HOME", "/h", "VAULT_X", "x", "BAO_Y", "y")))
	for name, want := range map[string]string{
		"VAULT_ADDR": "https://bao", "VAULT_TOKEN": "b", "VAULT_NAMESPACE": "n", "BAO_ADDR": "", "BAO_TOKEN": "", "BAO_TOKEN_PATH": "/t",
		"HOME": "/h", "VAULT_X": "x", "VAULT_Y": "y", "VAULT_NONE": "", usesBao: "true",
	} {
		if got := getenv(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := Environment(vars("VAULT_ADDR", "https://v"))(usesBao); got != "" {
		t.Errorf("without OpenBao's variables: %q", got)
	}
	// A token must not go to the other one's server.
	_, err := address(Environment(vars("BAO_ADDR", "https://a", "VAULT_ADDR", "https://b")))
	wantFault(t, err, nil, "name two servers", "unset")
	if got, err := address(Environment(vars("BAO_ADDR", "https://a:443/v1", "VAULT_ADDR", "https://A/"))); err != nil || got != "https://a:443" {
		t.Errorf("one server, twice: %q, %v", got, err)
	}
	// A session is for its own server, whatever the variables say.
	s := &Session{Address: "https://s", Token: secret.NewValue("x")}
	if got := Environment(s.Getenv(vars("BAO_ADDR", "https://a", "BAO_TOKEN", "b", "BAO_NAMESPACE", "n"))); got("VAULT_ADDR") != "https://s" || got("VAULT_TOKEN") != "" || got("VAULT_NAMESPACE") != "" {
		t.Errorf("%q %q", got("VAULT_ADDR"), got("VAULT_NAMESPACE"))
	}
}

func TestOpenBaosVariablesReachTheServer(t *testing.T) {
	server := vaulttest.SharedTLS(t)
	mount := server.MountKV(t, "kv", 2, 0)
	s := open(t, mount, vars("BAO_ADDR", server.Addr, "BAO_TOKEN", server.RootToken, "BAO_CACERT", server.CAFile(t)))
	put(t, s, awsProd(), 0)
	if token, err := s.Wrap(t.Context(), awsProd().Name, 60_000_000_000); err != nil {
		t.Error(err)
	} else if _, err := Unwrap(t.Context(), Options{Getenv: vars("BAO_ADDR", server.Addr, "BAO_CACERT", server.CAFile(t), "BAO_TOKEN", "fake")}, "", token); err != nil {
		t.Error(err)
	}
	_, err := open(t, mount, vars("BAO_ADDR", server.Addr, "BAO_TOKEN", "hvs.fake", "BAO_CACERT", server.CAFile(t))).List(t.Context())
	wantFault(t, err, store.ErrDenied, "the token in BAO_TOKEN", "")
	wantFault(t, firstOf(Open(Options{URL: "vault://x", Getenv: vars("BAO_ADDR", "https://a", "BAO_SKIP_VERIFY", "maybe")})), nil, "VAULT_SKIP_VERIFY", "")
}

func firstOf(_ *Store, err error) error { return err }

func TestWhatProtectsNothingIsSaid(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want string
	}{
		{[]string{"VAULT_ADDR", "http://vault.example.com:8200"}, "not encrypted"},
		{[]string{"VAULT_ADDR", "http://10.0.0.1"}, "not encrypted"},
		{[]string{"VAULT_ADDR", "http://localhost.example.com"}, "not encrypted"},
		{[]string{"VAULT_ADDR", "https://vault", "VAULT_SKIP_VERIFY", "1"}, "VAULT_SKIP_VERIFY is set"},
		{[]string{"VAULT_ADDR", "https://127.0.0.1", "VAULT_SKIP_VERIFY", "1"}, "VAULT_SKIP_VERIFY is set"},
		{[]string{"VAULT_ADDR", "http://fake:fake-password@vault"}, "not encrypted"},
		{[]string{"VAULT_ADDR", "http://127.0.0.1:8200"}, ""},
		{[]string{"VAULT_ADDR", "http://localhost:8200", "VAULT_SKIP_VERIFY", "1"}, ""},
		{[]string{"VAULT_ADDR", "http://[::1]:8200"}, ""},
		{[]string{"VAULT_ADDR", "https://vault", "VAULT_SKIP_VERIFY", "0"}, ""},
		{[]string{"VAULT_ADDR", "unix:///run/vault.sock"}, ""},
		{[]string{"VAULT_AGENT_ADDR", "http://127.0.0.1:8100", "VAULT_ADDR", "http://vault"}, ""},
	} {
		var said []string
		s, err := Open(Options{URL: "vault://secret", Getenv: vars(c.env...), Warn: func(text string) { said = append(said, text) }})
		if err != nil {
			t.Error(err)
			continue
		}
		_ = s.Close()
		all := strings.Join(said, "\n")
		if len(said) > 1 || (c.want == "") != (all == "") || !strings.Contains(all, c.want) || strings.Contains(all, "fake-password") {
			t.Errorf("%v: said %q, want %q", c.env, all, c.want)
		}
	}
	var said []string
	o := Options{Getenv: vars("VAULT_ADDR", "http://192.0.2.1", "VAULT_CLIENT_TIMEOUT", "1ms", "VAULT_MAX_RETRIES", "0"), Warn: func(text string) { said = append(said, text) }}
	_, _ = Authenticate(t.Context(), o, Login{Method: "token", Secret: secret.NewValue("fake")})
	_, _ = Unwrap(t.Context(), o, "", secret.NewValue("fake"))
	if len(said) != 2 {
		t.Errorf("login and unwrap said %q", said)
	}
}

// Something in front of Vault lets no question about mounts through.
func TestTheEngineCanBeSaid(t *testing.T) {
	server := vaulttest.Shared(t)
	to, err := url.Parse(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	guard := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/sys/") || strings.HasPrefix(r.URL.Path, "/v1/auth/") {
			answerWith(w, 403, "<html>no</html>")
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(guard.Close)
	front := guard.URL
	for version := 1; version <= 2; version++ {
		mount := server.MountKV(t, "team/kv", version, 0)
		token := server.Token(t, `path "`+mount+`/*" { capabilities = ["create", "read", "update", "list", "delete", "patch"] }`)
		_, err := open(t, mount+"/ml", server.Getenv(t, token, "VAULT_ADDR", front)).Get(t.Context(), "a", 0)
		wantFault(t, err, store.ErrDenied, mount, EnvKV+"=team=2")
		setting := "team=1, " + mount + "=" + map[int]string{1: "1", 2: "2"}[version] + ",other=2"
		s := open(t, mount+"/ml", server.Getenv(t, token, "VAULT_ADDR", front, EnvKV, setting))
		put(t, s, awsProd(), 0)
		if r := get(t, s, awsProd().Name, 0); r.Provider != "aws" || !r.Secret.Values.Equal(awsProd().Values) {
			t.Errorf("KV version %d: %+v", version, r.Info)
		}
		if got := names(t, s); !slices.Equal(got, []string{awsProd().Name}) {
			t.Errorf("KV version %d: listed %q", version, got)
		}
	}
	s := fake(t, func(http.ResponseWriter, *http.Request) {})
	s.c.getenv = vars(EnvKV, "secret")
	_, err = s.List(t.Context())
	wantFault(t, err, nil, EnvKV+" is not a list", "secret=2")
}

func TestKVFrom(t *testing.T) {
	for _, c := range []struct{ setting, path, mount, version string }{
		{"", "secret/a", "", ""},
		{"secret=2", "secret", "secret", "2"},
		{"secret=2", "secret/a/b", "secret", "2"},
		{"secret=2", "secrets/a", "", ""},
		{"/team/=1, team/kv=2,", "team/kv/x", "team/kv", "2"},
		{"team/kv=2,team=1", "team/kv/x", "team/kv", "2"},
		{"team/kv=2,team=1", "team/k", "team", "1"},
	} {
		if mount, version, err := kvFrom(c.setting, c.path); mount != c.mount || version != c.version || err != nil {
			t.Errorf("%q for %s: %q, %q, %v", c.setting, c.path, mount, version, err)
		}
	}
	for _, bad := range []string{"secret", "=2", "/=2", "secret=3", "secret=v2", "a=1,b"} {
		if _, _, err := kvFrom(bad, "secret"); err == nil || fault.Hint(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// notThere is a server that has nothing.
func notThere(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answerWith(w, 404, `{"errors":[]}`) }))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAServerThatIsAskedNothingAboutMounts(t *testing.T) {
	_, err := open(t, "secret/ml", vars("VAULT_ADDR", notThere(t), "VAULT_TOKEN", "fake")).List(t.Context())
	wantFault(t, err, nil, "does not say which engine is where", EnvKV+"=secret=2")
	if errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}
