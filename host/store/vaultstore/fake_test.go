package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// fake starts a server that answers as Vault's KV v2 at secret/ does to the
// question for the mount, and as handle to everything else. A real Vault does
// not fail on demand.
func fake(t *testing.T, handle http.HandlerFunc, env ...string) *Store {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/sys/internal/ui/mounts/secret") {
			answerWith(w, 200, `{"data":{"path":"secret/","type":"kv","options":{"version":"2"}}}`)
			return
		}
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	vars := map[string]string{"VAULT_ADDR": server.URL, "VAULT_TOKEN": "fake-token"}
	for i := 0; i+1 < len(env); i += 2 {
		vars[env[i]] = env[i+1]
	}
	return open(t, "secret/ml", func(name string) string { return vars[name] })
}

func answerWith(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

const found = `{"data":{"data":{"access_key":"FAKE-ID","secret_key":"fake/secret+key"},"metadata":{"version":%d,"created_time":"2025-01-02T03:04:05Z","deletion_time":"","destroyed":false,"custom_metadata":null}}}`

func TestBusyAndFailingServersAreAskedAgain(t *testing.T) {
	for _, status := range []int{429, 500, 502, 503, 504, 412} {
		t.Run(fmt.Sprint("HTTP ", status), func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			s := fake(t, func(w http.ResponseWriter, _ *http.Request) {
				if asked.Add(1) < 3 {
					w.Header().Set("Retry-After", "0")
					answerWith(w, status, `{"errors":["fake trouble"]}`)
					return
				}
				answerWith(w, 200, fmt.Sprintf(found, 1))
			})
			if r, err := s.Get(t.Context(), "a", 0); err != nil || r.Version != 1 {
				t.Error(err)
			}
		})
	}
}

func TestRetriesAreBounded(t *testing.T) {
	for status, text := range map[int]string{429: "fewer requests", 500: "HTTP 500", 503: "sealed"} {
		var asked atomic.Int32
		s := fake(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Retry-After", "0")
			answerWith(w, status, map[bool]string{true: `{"errors":["Vault is sealed"]}`, false: `{"errors":["internal error"]}`}[status == 503])
		}, "VAULT_MAX_RETRIES", "2")
		_, err := s.Get(t.Context(), "a", 0)
		wantFault(t, err, store.ErrUnavailable, text, "")
		if n := asked.Load(); n != 3 {
			t.Errorf("HTTP %d: asked %d times, want 3", status, n)
		}
	}
}

// The connection breaks after Vault has written, so the client asks again.
func TestALostAnswerToAPutIsNoConflict(t *testing.T) {
	for what, others := range map[string]bool{"our own version": false, "somebody else's version": true} {
		var puts atomic.Int32
		s := fake(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPost && puts.Add(1) == 1:
				panic(http.ErrAbortHandler)
			case r.Method == http.MethodPost:
				answerWith(w, 400, `{"errors":["check-and-set parameter did not match the current version"]}`)
			case r.Method == http.MethodPatch:
				answerWith(w, 204, "")
			case others:
				answerWith(w, 200, strings.ReplaceAll(fmt.Sprintf(found, 4), "FAKE-ID", "FAKE-OTHER"))
			default:
				answerWith(w, 200, fmt.Sprintf(found, 4))
			}
		})
		n, err := s.Put(t.Context(), awsProd(), 3)
		if !others && (n != 4 || err != nil) {
			t.Errorf("%s: version %d, %v", what, n, err)
		}
		if others && (n != 0 || !errors.Is(err, store.ErrConflict)) {
			t.Errorf("%s: version %d, %v, want a conflict", what, n, err)
		}
	}
}

// Without a retry, even a version with the same values is somebody else's.
func TestAConflictWithTheSameValuesIsAConflict(t *testing.T) {
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			answerWith(w, 400, `{"errors":["check-and-set parameter did not match the current version"]}`)
			return
		}
		answerWith(w, 200, fmt.Sprintf(found, 4))
	})
	_, err := s.Put(t.Context(), awsProd(), 3)
	wantFault(t, err, store.ErrConflict, "expected version 3, found version 4", "")
}

// A server that refuses what it should take is not asked again and again.
func TestAConflictWithNothing(t *testing.T) {
	var puts atomic.Int32
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			answerWith(w, 404, `{"errors":[]}`)
			return
		}
		puts.Add(1)
		answerWith(w, 400, `{"errors":["check-and-set parameter did not match the current version"]}`)
	})
	n, err := s.Put(t.Context(), awsProd(), 0)
	wantFault(t, err, store.ErrConflict, "expected none, found deleted", "")
	if n != 0 || puts.Load() != 1 {
		t.Errorf("version %d after %d attempts", n, puts.Load())
	}
	puts.Store(0)
	if _, err := s.Put(t.Context(), awsProd(), store.AnyVersion); !errors.Is(err, store.ErrConflict) || puts.Load() != casAttempts {
		t.Errorf("any version: %v after %d attempts", err, puts.Load())
	}
}

func TestWhatTheServerSaysIsNotRepeatedIfItHasAValue(t *testing.T) {
	for _, body := range []string{
		`{"errors":["cannot store \"fake/secret+key\""]}`, `{"errors":["fine","bad: FAKE-ID"]}`,
		`<html>you sent fake/secret+key</html>`, `{"errors":"fake/secret+key"}`, `{"data":"fake/secret+key"`,
	} {
		for _, status := range []int{400, 500} {
			s := fake(t, func(w http.ResponseWriter, _ *http.Request) { answerWith(w, status, body) }, "VAULT_MAX_RETRIES", "0")
			_, err := s.Put(t.Context(), awsProd(), 0)
			wantFault(t, err, nil, fmt.Sprint(status), "")
			if status == 500 && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("HTTP 500: %v", err)
			}
		}
	}
	s := fake(t, func(w http.ResponseWriter, _ *http.Request) { answerWith(w, 400, `{"errors":["fake refusal"]}`) })
	_, err := s.Put(t.Context(), awsProd(), 0)
	wantFault(t, err, nil, "fake refusal", "")
}

func TestAnswersThatAreNotVaults(t *testing.T) {
	for _, body := range []string{`<html>fake/secret+key</html>`, ``, `{}`, `{"data":{"data":"fake/secret+key"}}`, `[1]`} {
		s := fake(t, func(w http.ResponseWriter, _ *http.Request) { answerWith(w, 200, body) })
		_, err := s.Get(t.Context(), "a", 0)
		wantFault(t, err, nil, "not one of Vault's", "")
		if errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q passes for a missing secret", body)
		}
		if n, err := s.Put(t.Context(), awsProd(), 0); err == nil || n != 0 {
			t.Errorf("%q passes for a successful put of version %d", body, n)
		}
		if _, err := s.List(t.Context()); err == nil {
			t.Errorf("%q passes for a list", body)
		}
		if _, err := s.History(t.Context(), "a"); err == nil {
			t.Errorf("%q passes for a history", body)
		}
	}
}

func TestTheEnvironmentReachesTheRequests(t *testing.T) {
	var got http.Header
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		answerWith(w, 200, fmt.Sprintf(found, 1))
	}, "VAULT_NAMESPACE", "team/ml/", "VAULT_HEADERS", `{"X-Fake":"yes"}`, "VAULT_WRAP_TTL", "5m", "VAULT_RATE_LIMIT", "1000:10", "VAULT_TOKEN", " fake-token\n")
	t.Setenv("VAULT_WRAP_TTL", "5m")
	t.Setenv("VAULT_NAMESPACE", "of-the-process")
	t.Setenv("VAULT_TOKEN", "of-the-process")
	if _, err := s.Get(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"X-Vault-Namespace": "team/ml/", "X-Fake": "yes", "X-Vault-Token": "fake-token", "X-Vault-Request": "true", "X-Vault-Wrap-Ttl": ""} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
}

// A Vault agent adds a token of its own.
func TestNoTokenIsNeededWhereTheServerNeedsNone(t *testing.T) {
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Token") != "" {
			answerWith(w, 403, `{"errors":["permission denied"]}`)
			return
		}
		answerWith(w, 200, fmt.Sprintf(found, 1))
	}, "VAULT_TOKEN", "")
	if _, err := s.Get(t.Context(), "a", 0); err != nil {
		t.Error(err)
	}
	s = fake(t, func(w http.ResponseWriter, _ *http.Request) {
		answerWith(w, 400, `{"errors":["missing client token"]}`)
	}, "VAULT_TOKEN", "")
	_, err := s.Get(t.Context(), "a", 0)
	wantFault(t, err, store.ErrDenied, "no Vault token", "vault login")
}

// An older Vault gives the same answer for a wrong token and a missing policy,
// and a token without the policy "default" may not ask about itself.
func TestARefusalThatCannotBeToldApart(t *testing.T) {
	s := fake(t, func(w http.ResponseWriter, _ *http.Request) { answerWith(w, 403, `{"errors":["permission denied"]}`) }, "VAULT_NAMESPACE", "team")
	_, err := s.Get(t.Context(), "a", 0)
	wantFault(t, err, store.ErrDenied, `(namespace "team") was refused, or may not read secret/data/ml/a`, "vault login")
}

// Vault before 1.9 neither patches nor reports custom metadata of a write.
func TestAnOlderVault(t *testing.T) {
	var written string
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPatch:
			answerWith(w, 405, `{"errors":["unsupported operation"]}`)
		case r.Method == http.MethodGet:
			answerWith(w, 200, `{"data":{"current_version":2,"versions":{"2":{}},"custom_metadata":{"owner":"me","provider":"old"}}}`)
		case strings.Contains(r.URL.Path, "/metadata/"):
			b, _ := io.ReadAll(r.Body)
			written = string(b)
			answerWith(w, 204, "")
		default:
			answerWith(w, 200, `{"data":{"version":2}}`)
		}
	})
	sec := &secret.Secret{Name: "a", Provider: "aws", Values: secret.Values{"k": secret.NewValue("fake")}}
	if n, err := s.Put(t.Context(), sec, 1); n != 2 || err != nil {
		t.Errorf("put made version %d, %v", n, err)
	}
	if written != `{"custom_metadata":{"owner":"me","provider":"aws"}}` {
		t.Errorf("the metadata written is %s", written)
	}
}

func TestANewEngineIsWaitedFor(t *testing.T) {
	var asked atomic.Int32
	s := fake(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			answerWith(w, 400, `{"errors":["Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly."]}`)
			return
		}
		answerWith(w, 200, fmt.Sprintf(found, 1))
	})
	if _, err := s.Get(t.Context(), "a", 0); err != nil {
		t.Error(err)
	}
}

func TestASilentServer(t *testing.T) {
	release := make(chan struct{})
	silent := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}
	s := fake(t, silent, "VAULT_CLIENT_TIMEOUT", "100ms")
	defer close(release)
	_, err := s.Get(t.Context(), "a", 0)
	wantFault(t, err, store.ErrUnavailable, "did not answer within 100ms", "VAULT_CLIENT_TIMEOUT")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := fake(t, silent).Get(ctx, "a", 0); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the caller's deadline: %v", err)
	}
}

func TestRequestsAtOnceAreBounded(t *testing.T) {
	var now, most atomic.Int32
	var keys []string
	for n := range 300 {
		keys = append(keys, fmt.Sprintf(`"s%d"`, n))
	}
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if r.URL.Query().Get("list") == "true" {
			answerWith(w, 200, `{"data":{"keys":[`+strings.Join(keys, ",")+`]}}`)
			return
		}
		answerWith(w, 200, `{"data":{"current_version":1,"versions":{"1":{"created_time":"2025-01-02T03:04:05Z","deletion_time":"","destroyed":false}},"custom_metadata":null}}`)
	})
	if got := names(t, s); len(got) != 300 {
		t.Errorf("listed %d names", len(got))
	}
	if m := most.Load(); m > maxParallel {
		t.Errorf("%d requests at once, want at most %d", m, maxParallel)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for what, c := range map[string]struct {
		url        string
		env        map[string]string
		text, hint string
	}{
		"another scheme":        {"local", nil, "not the URL", ""},
		"no mount":              {"vault://", nil, "does not name a path", "vault://MOUNT/PREFIX"},
		"a way out":             {"vault://a/../b", nil, "does not name a path", "vault://MOUNT/PREFIX"},
		"no address":            {"vault://secret", nil, "VAULT_ADDR is not set", "set VAULT_ADDR"},
		"an address without //": {"vault://secret", map[string]string{"VAULT_ADDR": "127.0.0.1:8200"}, "VAULT_ADDR is not the address", "https://"},
		"an address of a file":  {"vault://secret", map[string]string{"VAULT_ADDR": "file:///x"}, "VAULT_ADDR is not the address", "https://"},
		"no CA file":            {"vault://secret", map[string]string{"VAULT_ADDR": "https://x", "VAULT_CACERT": dir + "/none"}, "none", "VAULT_CACERT"},
		"half a certificate":    {"vault://secret", map[string]string{"VAULT_ADDR": "https://x", "VAULT_CLIENT_CERT": dir + "/c"}, "client key", "VAULT_CLIENT_KEY"},
		"not a boolean":         {"vault://secret", map[string]string{"VAULT_ADDR": "https://x", "VAULT_SKIP_VERIFY": "maybe"}, "VAULT_SKIP_VERIFY", ""},
		"not a number":          {"vault://secret", map[string]string{"VAULT_ADDR": "https://x", "VAULT_MAX_RETRIES": "-1"}, "VAULT_MAX_RETRIES", ""},
		"not a time":            {"vault://secret", map[string]string{"VAULT_ADDR": "https://x", "VAULT_CLIENT_TIMEOUT": "soon"}, "VAULT_CLIENT_TIMEOUT", ""},
		"not a rate":            {"vault://secret", map[string]string{"VAULT_ADDR": "https://x", "VAULT_RATE_LIMIT": "0"}, "VAULT_RATE_LIMIT", ""},
		"a forbidden header":    {"vault://secret", map[string]string{"VAULT_ADDR": "https://x", "VAULT_HEADERS": `{"x-vault-token":"fake"}`}, "VAULT_HEADERS", ""},
		"a broken token":        {"vault://secret", map[string]string{"VAULT_ADDR": "https://x", "VAULT_TOKEN": "fake\x01token"}, "VAULT_TOKEN", ""},
	} {
		_, err := Open(Options{URL: c.url, Getenv: func(name string) string { return c.env[name] }})
		if err == nil {
			t.Errorf("%s: Open took it", what)
			continue
		}
		if !strings.Contains(err.Error(), c.text) || !strings.Contains(fault.Hint(err), c.hint) || strings.Contains(err.Error(), "fake\x01") {
			t.Errorf("%s: %q with the hint %q", what, err, fault.Hint(err))
		}
	}
}

func TestURLIsAsUsersNameTheStore(t *testing.T) {
	getenv := func(name string) string { return map[string]string{"VAULT_ADDR": "https://vault.example.com"}[name] }
	if got := open(t, "team/kv/ml/", getenv).URL(); got != "vault://team/kv/ml" {
		t.Errorf("URL = %q", got)
	}
}
