package vaultstore

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// docPolicy returns the policy that docs/stores.md recommends after the line
// that names it, for another mount than the one in the text.
func docPolicy(t *testing.T, heading, mount string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "stores.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "\n"+heading+"\n")
	_, after, ok2 := strings.Cut(after, "```hcl\n")
	policy, _, ok3 := strings.Cut(after, "```")
	if !ok || !ok2 || !ok3 {
		t.Fatalf("docs/stores.md has no policy after the line %q", heading)
	}
	return strings.ReplaceAll(policy, `"secret/`, `"`+mount+`/`)
}

// everything uses every method on a secret.
func everything(t *testing.T, s store.Store, sec *secret.Secret) {
	t.Helper()
	put(t, s, sec, 0)
	put(t, s, sec, 1)
	if r := get(t, s, sec.Name, 0); r.Version != 2 || r.Provider != sec.Provider || len(r.Secret.Sources) != len(sec.Sources) {
		t.Errorf("got %+v", r.Info)
	}
	if got := names(t, s); !slices.Equal(got, []string{sec.Name}) {
		t.Errorf("listed %q", got)
	}
	if _, err := s.History(t.Context(), sec.Name); err != nil {
		t.Error(err)
	}
	if err := s.Delete(t.Context(), sec.Name); err != nil {
		t.Error(err)
	}
	if err := s.Undelete(t.Context(), sec.Name, 0); err != nil && !errors.Is(err, store.ErrUnsupported) {
		t.Error(err)
	}
	put(t, s, sec, store.AnyVersion)
	if err := s.Destroy(t.Context(), sec.Name); err != nil {
		t.Error(err)
	}
}

func TestThePolicyInTheDocsSuffices(t *testing.T) {
	for heading, version := range map[string]int{"Version 2, reading and writing:": 2, "Version 1, reading and writing:": 1} {
		server := vaulttest.Shared(t)
		mount := server.MountKV(t, "team/kv", version, 0)
		token := server.Token(t, docPolicy(t, heading, mount))
		everything(t, open(t, mount+"/ml-team", server.Getenv(t, token)), awsProd())
	}
}

func TestTheReadingPolicyInTheDocsReadsAndNoMore(t *testing.T) {
	server := vaulttest.Shared(t)
	mount := server.MountKV(t, "team/kv", 2, 0)
	put(t, open(t, mount+"/ml-team", server.Getenv(t, server.RootToken)), awsProd(), 0)
	s := open(t, mount+"/ml-team", server.Getenv(t, server.Token(t, docPolicy(t, "Version 2, reading only:", mount))))
	if got := names(t, s); !slices.Equal(got, []string{"aws/prod%20eu"}) {
		t.Errorf("listed %q", got)
	}
	get(t, s, "aws/prod%20eu", 1)
	_, err := s.Put(t.Context(), awsProd(), 1)
	wantFault(t, err, store.ErrDenied, mount+"/data/ml-team/aws/prod%20eu", `"create", "update"`)
	wantFault(t, s.Delete(t.Context(), "aws/prod%20eu"), store.ErrDenied, mount+"/data/ml-team/aws/prod%20eu", `"delete"`)
}

// An older policy, with "update" and without "patch", must not lose what
// others have written into the custom metadata.
func TestAPolicyWithoutPatchUpdatesTheMetadata(t *testing.T) {
	server := vaulttest.Shared(t)
	mount := server.MountKV(t, "kv", 2, 0)
	policy := `path "MOUNT/data/*" { capabilities = ["create", "read", "update"] }
		path "MOUNT/metadata/*" { capabilities = ["read", "update", "create"] }`
	s := open(t, mount, server.Getenv(t, server.Token(t, strings.ReplaceAll(policy, "MOUNT", mount))))
	put(t, s, awsProd(), 0)
	server.CLI(t, server.RootToken, "kv", "metadata", "patch", "-mount="+mount, "-custom-metadata=owner=me", "aws/prod%20eu")
	sec := awsProd()
	sec.Sources = nil
	put(t, s, sec, 1)
	if r := get(t, s, sec.Name, 0); len(r.Secret.Sources) != 0 || r.Provider != "aws" {
		t.Errorf("got %+v", r.Info)
	}
	if out := server.CLI(t, server.RootToken, "kv", "metadata", "get", "-mount="+mount, "aws/prod%20eu"); !strings.Contains(out, "owner:me") {
		t.Errorf("the owner is lost:\n%s", out)
	}
}

// A token whose policy is about one secret's values alone still finds the
// mount, reads, and is told what it may not.
func TestAPolicyForOneSecretsValues(t *testing.T) {
	server := vaulttest.Shared(t)
	mount := server.MountKV(t, "team/kv", 2, 0)
	put(t, open(t, mount+"/ml", server.Getenv(t, server.RootToken)), awsProd(), 0)
	s := open(t, mount+"/ml", server.Getenv(t, server.Token(t, `path "`+mount+`/data/ml/aws/*" { capabilities = ["read", "update"] }`)))
	if r := get(t, s, "aws/prod%20eu", 0); r.Provider != "aws" {
		t.Errorf("got %+v", r.Info)
	}
	_, err := s.List(t.Context())
	wantFault(t, err, store.ErrDenied, mount+"/metadata/ml/", `"list"`)
	_, err = s.Get(t.Context(), "other", 0)
	wantFault(t, err, store.ErrDenied, mount+"/data/ml/other", `"read"`)
	// The values are written, the metadata is as it must be already.
	sec := awsProd()
	sec.Expires = time.Time{}
	put(t, s, sec, 1)
}

func TestATokenThatMayDoLittle(t *testing.T) {
	server := vaulttest.Shared(t)
	for version := 1; version <= 2; version++ {
		mount := server.MountKV(t, "kv", version, 0)
		root := open(t, mount, server.Getenv(t, server.RootToken))
		data := mount + "/data"
		if version == 1 {
			data = mount
		}
		may := func(caps string) *Store {
			return open(t, mount, server.Getenv(t, server.Token(t, `path "`+data+`/*" { capabilities = [`+caps+`] }`)))
		}
		base := func(text string) *secret.Secret {
			return &secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue(text)}}
		}
		// Writing needs no reading where no version is expected, as `vault kv put`.
		writer := may(`"create", "update"`)
		if n, err := writer.Put(t.Context(), base("one"), store.AnyVersion); n != 1 || err != nil {
			t.Errorf("KV version %d: a new secret: version %d, %v", version, n, err)
		}
		if _, err := writer.Put(t.Context(), base("two"), store.AnyVersion); err != nil {
			t.Errorf("KV version %d: %v", version, err)
		}
		if r := get(t, root, "a", 0); r.Version != 2 && version == 2 || r.Secret.Values["k"].Reveal() != "two" {
			t.Errorf("KV version %d: got %+v", version, r.Info)
		}
		_, err := writer.Get(t.Context(), "a", 0)
		wantFault(t, err, store.ErrDenied, "/a", `"read"`)
		// What is to be there cannot be compared without reading, and nothing is written.
		_, err = writer.Put(t.Context(), base("three"), 1)
		wantFault(t, err, store.ErrDenied, "/a", `"read"`)
		if r := get(t, root, "a", 0); r.Secret.Values["k"].Reveal() != "two" {
			t.Errorf("KV version %d: it was written", version)
		}
		// Deleting needs the metadata or the values, to say what was there.
		deleter := may(`"delete", "read"`)
		if err := deleter.Delete(t.Context(), "a"); err != nil {
			t.Errorf("KV version %d: %v", version, err)
		}
		for _, name := range []string{"a", "never"} {
			if err := deleter.Delete(t.Context(), name); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("KV version %d: delete %s: %v", version, name, err)
			}
		}
		wantFault(t, may(`"delete"`).Delete(t.Context(), "a"), store.ErrDenied, "/a", `"read"`)
	}
}

func TestValuesSavedWithoutTheirMetadataAreReported(t *testing.T) {
	server := vaulttest.Shared(t)
	for version := 1; version <= 2; version++ {
		mount := server.MountKV(t, "kv", version, 0)
		policy := `path "MOUNT/*" { capabilities = ["create", "read", "update", "list"] }
			path "MOUNT/metadata/*" { capabilities = ["deny"] }
			path "MOUNT/.rhx/*" { capabilities = ["deny"] }`
		s := open(t, mount, server.Getenv(t, server.Token(t, strings.ReplaceAll(policy, "MOUNT", mount))))
		sec := awsProd()
		sec.Name = "aws"
		n, err := s.Put(t.Context(), sec, 0)
		if n != 1 || err == nil || !strings.Contains(err.Error(), "the values are saved") {
			t.Errorf("KV version %d: put made version %d, %v", version, n, err)
		}
		wantFault(t, err, store.ErrDenied, mount, "policy")
		if r := get(t, s, "aws", 0); !r.Secret.Values.Equal(sec.Values) {
			t.Errorf("KV version %d: the values are not there", version)
		}
	}
}

// wantFault fails unless err is want, its message has text, its hint has hint,
// and neither has a value of awsProd.
func wantFault(t *testing.T, err, want error, text, hint string) {
	t.Helper()
	switch {
	case want != nil && !errors.Is(err, want), err == nil:
		t.Errorf("error %v, want one that is %q", err, want)
	case !strings.Contains(err.Error(), text):
		t.Errorf("error %q does not say %q", err, text)
	case !strings.Contains(fault.Hint(err), hint):
		t.Errorf("the hint of %q is %q, without %q", err, fault.Hint(err), hint)
	}
	for _, v := range awsProd().Values {
		if err != nil && strings.Contains(err.Error()+fault.Hint(err), v.Reveal()) {
			t.Error("an error shows a value")
		}
	}
}

func TestTokenProblems(t *testing.T) {
	server := vaulttest.Shared(t)
	mount := server.MountKV(t, "kv", 2, 0)
	revoked := server.Token(t, `path "none" { capabilities = ["read"] }`)
	server.API(t, http.MethodPost, "auth/token/revoke", map[string]any{"token": revoked})
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".vault-token"), []byte("hvs.fake-wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ token, home, text, hint string }{
		"no token":               {"", t.TempDir(), "no Vault token", "vault login"},
		"a wrong token":          {"hvs.fake-wrong", home, "the token in VAULT_TOKEN was refused", "vault login"},
		"a wrong token file":     {"", home, "the token in ~/.vault-token was refused", "vault login"},
		"a revoked token":        {revoked, home, "the token in VAULT_TOKEN was refused", "vault login"},
		"a token without policy": {server.Token(t, `path "none" { capabilities = ["read"] }`), home, "no secrets engine at " + mount, "kv"},
		"a token without even the default policy": {server.TokenWith(t, map[string]any{"no_default_policy": true, "policies": []string{"none"}}),
			home, "VAULT_TOKEN was refused, or may not use the secrets engine at " + mount, "vault login"},
	} {
		s, err := Open(Options{URL: Scheme + mount, Getenv: server.Getenv(t, c.token), Home: c.home})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		_, err = s.Get(t.Context(), "a", 0)
		t.Logf("%s: %v | %s", what, err, fault.Hint(err))
		wantFault(t, err, store.ErrDenied, c.text, c.hint)
		if c.token != "" && strings.Contains(err.Error(), c.token) {
			t.Errorf("%s: the error shows the token", what)
		}
	}
}

func TestTheTokenFileIsReadAndLeftAlone(t *testing.T) {
	server := vaulttest.Shared(t)
	mount := server.MountKV(t, "kv", 2, 0)
	home := t.TempDir()
	path := filepath.Join(home, ".vault-token")
	if err := os.WriteFile(path, []byte(server.RootToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{URL: Scheme + mount, Getenv: server.Getenv(t, ""), Home: home})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, awsProd(), 0)
	if text, err := os.ReadFile(path); err != nil || string(text) != server.RootToken+"\n" {
		t.Errorf("the token file has changed: %v", err)
	}
}

func TestMountProblems(t *testing.T) {
	server := vaulttest.Shared(t)
	kv := server.MountKV(t, "kv", 2, 0)
	server.API(t, http.MethodPost, "sys/mounts/not-kv", map[string]any{"type": "transit"})
	t.Cleanup(func() { server.API(t, http.MethodDelete, "sys/mounts/not-kv", nil) })
	_, err := open(t, "no-mount/ml", server.Getenv(t, server.RootToken)).List(t.Context())
	wantFault(t, err, nil, "no secrets engine at no-mount/ml", Scheme+kv)
	if errors.Is(err, store.ErrDenied) || fault.KindOf(err) != fault.Usage {
		t.Errorf("a missing mount is %v", err)
	}
	_, err = open(t, "not-kv", server.Getenv(t, server.RootToken)).List(t.Context())
	wantFault(t, err, nil, `"transit"`, "vault secrets list")
	token := server.Token(t, `path "`+kv+`/*" { capabilities = ["list"] }`)
	_, err = open(t, "no-mount/ml", server.Getenv(t, token)).List(t.Context())
	wantFault(t, err, store.ErrDenied, "no secrets engine at no-mount/ml", Scheme+kv)
}

// An engine that is taken away after the store has found it.
func TestAMountThatGoesAway(t *testing.T) {
	server, mount, s := shared(t, "kv", 2, "")
	put(t, s, awsProd(), 0)
	server.API(t, http.MethodDelete, "sys/mounts/"+mount, nil)
	_, err := s.Get(t.Context(), "aws/prod%20eu", 0)
	wantFault(t, err, nil, "no secrets engine", "vault secrets list")
	if errors.Is(err, store.ErrNotFound) {
		t.Error("a missing engine passes for a missing secret")
	}
}

func TestASealedVault(t *testing.T) {
	server := vaulttest.New(t)
	mount := server.MountKV(t, "kv", 2, 0)
	s := open(t, mount, server.Getenv(t, server.RootToken, "VAULT_MAX_RETRIES", "1"))
	put(t, s, awsProd(), 0)
	server.API(t, http.MethodPut, "sys/seal", nil)
	_, err := s.Get(t.Context(), "aws/prod%20eu", 0)
	wantFault(t, err, store.ErrUnavailable, "sealed", "unseal")
	_, err = open(t, mount, server.Getenv(t, server.RootToken, "VAULT_MAX_RETRIES", "0")).List(t.Context())
	wantFault(t, err, store.ErrUnavailable, "sealed", "unseal")
}

func TestTLSProblems(t *testing.T) {
	server, plain := vaulttest.SharedTLS(t), vaulttest.Shared(t)
	for what, c := range map[string]struct {
		getenv     func(string) string
		text, hint string
	}{
		"an unknown authority": {server.Getenv(t, "fake", "VAULT_CACERT", ""), server.Addr, "VAULT_CACERT"},
		"another name":         {server.Getenv(t, "fake", "VAULT_TLS_SERVER_NAME", "vault.example.com"), server.Addr, "VAULT_TLS_SERVER_NAME"},
		"http to a TLS server": {server.Getenv(t, "fake", "VAULT_ADDR", "http"+strings.TrimPrefix(server.Addr, "https")), "TLS", "https://"},
		"TLS to a http server": {plain.Getenv(t, "fake", "VAULT_ADDR", "https"+strings.TrimPrefix(plain.Addr, "http")), "https://", "http://"},
	} {
		_, err := open(t, "secret", c.getenv).List(t.Context())
		t.Logf("%s: %v | %s", what, err, fault.Hint(err))
		wantFault(t, err, store.ErrUnavailable, c.text, c.hint)
	}
	s := open(t, server.MountKV(t, "kv", 2, 0), server.Getenv(t, server.RootToken, "VAULT_CACERT", "", "VAULT_SKIP_VERIFY", "true"))
	put(t, s, awsProd(), 0)
	s = open(t, server.MountKV(t, "kv", 2, 0), server.Getenv(t, server.RootToken, "VAULT_CACERT", "", "VAULT_CACERT_BYTES", string(server.CA)))
	put(t, s, awsProd(), 0)
}

func TestAServerThatIsNotThere(t *testing.T) {
	server := vaulttest.New(t)
	server.Stop()
	_, err := open(t, "secret", server.Getenv(t, "fake")).List(t.Context())
	wantFault(t, err, store.ErrUnavailable, server.Addr, "VAULT_ADDR")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, "secret", server.Getenv(t, "fake")).List(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a cancelled call: %v", err)
	}
}
