package vaultstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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

var redirects = []int{301, 302, 303, 307, 308}

// Nothing is sent to another server: not by a store, a login, a session or an Unwrap.
func TestRedirectsElsewhereAreNotFollowed(t *testing.T) {
	var stolen atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stolen.Add(1)
		answerWith(w, 200, `{"data":{"id":"x"},"auth":{"client_token":"fake"}}`)
	}))
	t.Cleanup(thief.Close)
	sec := awsProd()
	calls := map[string]func(context.Context, *Store, func(string) string) error{
		"get": func(ctx context.Context, s *Store, _ func(string) string) error {
			_, err := s.Get(ctx, "a", 0)
			return err
		},
		"put": func(ctx context.Context, s *Store, _ func(string) string) error {
			_, err := s.Put(ctx, sec, 0)
			return err
		},
		"list": func(ctx context.Context, s *Store, _ func(string) string) error { _, err := s.List(ctx); return err },
		"wrap": func(ctx context.Context, s *Store, _ func(string) string) error {
			_, err := s.WrapText(ctx, secret.NewValue("fake"), time.Minute)
			return err
		},
		"login": func(ctx context.Context, _ *Store, getenv func(string) string) error {
			_, err := Authenticate(ctx, Options{Getenv: getenv}, Login{Method: "userpass", Username: "jane", Secret: secret.NewValue("fake")})
			return err
		},
		"login with a token": func(ctx context.Context, _ *Store, getenv func(string) string) error {
			_, err := Authenticate(ctx, Options{Getenv: getenv}, Login{Method: "token", Secret: secret.NewValue("fake")})
			return err
		},
		"unwrap": func(ctx context.Context, _ *Store, getenv func(string) string) error {
			_, err := Unwrap(ctx, Options{Getenv: getenv}, "a", secret.NewValue("fake"))
			return err
		},
		"renew": func(ctx context.Context, _ *Store, getenv func(string) string) error {
			_, err := (&Session{Address: getenv("VAULT_ADDR"), Token: secret.NewValue("fake")}).Renew(ctx, getenv)
			return err
		},
	}
	for _, status := range redirects {
		for name, call := range calls {
			var addr string
			s := fake(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, thief.URL+r.URL.Path, status)
			}, "VAULT_MAX_RETRIES", "0")
			addr = s.c.addr
			err := call(t.Context(), s, func(v string) string {
				return map[string]string{"VAULT_ADDR": addr, "VAULT_MAX_RETRIES": "0"}[v]
			})
			if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), `redirects to "`+thief.URL+`"`) || !strings.Contains(fault.Hint(err), "RHX_VAULT_CLUSTER") {
				t.Errorf("%s, HTTP %d: %v (%s)", name, status, err, fault.Hint(err))
			}
			if n := stolen.Swap(0); n > 0 {
				t.Errorf("%s, HTTP %d: another server got %d requests", name, status, n)
			}
		}
	}
}

// puts answers a Put as Vault does if the token and the values are with it.
func puts(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var sent struct{ Data map[string]string }
	if r.Header.Get("X-Vault-Token") != "fake-token" || r.Method == http.MethodPost && (json.Unmarshal(body, &sent) != nil || !maps.Equal(sent.Data, reveal(awsProd().Values))) {
		answerWith(w, 403, `{"errors":["permission denied"]}`)
		return
	}
	answerWith(w, 200, `{"data":{"version":1,"custom_metadata":null}}`)
}

// A standby answers with the address of the active node.
func TestRedirectsWithinTheClusterAreFollowed(t *testing.T) {
	active := httptest.NewServer(http.HandlerFunc(puts))
	t.Cleanup(active.Close)
	to := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, active.URL+r.URL.EscapedPath(), status)
		}
	}
	for _, status := range []int{307, 308} {
		s := fake(t, to(status), EnvCluster, "http://vault-2.example.com "+active.URL+", http://vault-3.example.com:8200")
		if n, err := s.Put(t.Context(), awsProd(), 0); n != 1 || err != nil {
			t.Errorf("HTTP %d: put made version %d, %v", status, n, err)
		}
	}
	// Other redirects would lose the values on the way.
	for _, status := range []int{301, 302, 303} {
		n, err := fake(t, to(status), EnvCluster, active.URL).Put(t.Context(), awsProd(), 0)
		wantFault(t, err, store.ErrUnavailable, "which is not followed", "")
		if n != 0 {
			t.Errorf("HTTP %d: put made version %d", status, n)
		}
	}
	_, err := fake(t, to(307), EnvCluster, active.URL, "VAULT_DISABLE_REDIRECTS", "true", "VAULT_MAX_RETRIES", "0").Put(t.Context(), awsProd(), 0)
	wantFault(t, err, store.ErrUnavailable, "which is not followed", "")
	for _, list := range []string{"vault-2", "https://vault-2.example.com", "http://", "ftp://x", "http://a http://\x7f"} {
		_, err := Open(Options{URL: "vault://secret", Getenv: func(name string) string {
			return map[string]string{"VAULT_ADDR": "http://vault-1.example.com", EnvCluster: list}[name]
		}})
		wantFault(t, err, nil, EnvCluster, "https://vault-1")
	}
}

func TestRedirectsToTheSameServerAreFollowed(t *testing.T) {
	for _, status := range redirects {
		s := fake(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				answerWith(w, 200, fmt.Sprintf(found, 1))
				return
			}
			http.Redirect(w, r, "/elsewhere", status)
		})
		if _, err := s.Get(t.Context(), "a", 0); err != nil {
			t.Errorf("HTTP %d: %v", status, err)
		}
	}
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			puts(w, r)
			return
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	if n, err := s.Put(t.Context(), awsProd(), 0); n != 1 || err != nil {
		t.Errorf("put made version %d, %v", n, err)
	}
	var asked atomic.Int32
	s = fake(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	})
	_, err := s.Get(t.Context(), "a", 0)
	wantFault(t, err, store.ErrUnavailable, "which is not followed", "")
	if n := asked.Load(); n != maxRedirects+1 {
		t.Errorf("in a circle: asked %d times", n)
	}
}

// Without a place to go to, a redirect is no success, of a Delete for one.
func TestARedirectToNowhere(t *testing.T) {
	for _, status := range append(redirects, 300, 304) {
		s := fake(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if err := s.Destroy(t.Context(), "a"); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("HTTP %d: %v", status, err)
		}
	}
}

func TestARedirectToTLSSaysSo(t *testing.T) {
	var asked atomic.Int32
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, "https://"+r.Host+r.URL.Path, http.StatusTemporaryRedirect)
	})
	_, err := s.Get(t.Context(), "a", 0)
	wantFault(t, err, store.ErrUnavailable, `redirects to "https://127.0.0.1:`, "VAULT_ADDR must begin with https://")
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times, of which one answer will not change", n)
	}
}

// A standby that sends its clients to a leader that is gone is asked again, until
// another one leads.
func TestAStandbyWithoutALeaderIsAskedAgain(t *testing.T) {
	var asked atomic.Int32
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 3 {
			http.Redirect(w, r, "http://127.0.0.1:1"+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		answerWith(w, 200, fmt.Sprintf(found, 1))
	})
	if _, err := s.Get(t.Context(), "a", 0); err != nil {
		t.Error(err)
	}
}
