package vaultstore

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// with opens a client with the variables, which it must take.
func with(t *testing.T, pairs ...string) *client {
	t.Helper()
	c, err := newClient(vars(append([]string{"VAULT_ADDR", "https://vault"}, pairs...)...), "", nil)
	if err != nil {
		t.Fatalf("%v: %v", pairs, err)
	}
	t.Cleanup(c.close)
	return c
}

func TestLimitsFromTheEnvironment(t *testing.T) {
	for text, want := range map[string]time.Duration{"": defaultTimeout, "0": defaultTimeout, "30": 30 * time.Second, "250ms": 250 * time.Millisecond, "0s": defaultTimeout} {
		if got := with(t, "VAULT_CLIENT_TIMEOUT", text).timeout; got != want {
			t.Errorf("VAULT_CLIENT_TIMEOUT=%s is %v, want %v", text, got, want)
		}
	}
	for text, want := range map[string]int{"": defaultRetries, "0": 0, "3": 3} {
		if got := with(t, "VAULT_MAX_RETRIES", text).api.MaxRetries(); got != want {
			t.Errorf("VAULT_MAX_RETRIES=%s is %d, want %d", text, got, want)
		}
	}
	if l := with(t).limiter; l != nil {
		t.Error("requests are limited though nothing says so")
	}
	for text, want := range map[string]struct {
		limit rate.Limit
		burst int
	}{"5": {5, 5}, "1": {1, 1}, "2.5": {2.5, 2}, "0.5:1": {0.5, 1}, "100:7": {100, 7}} {
		if l := with(t, "VAULT_RATE_LIMIT", text).limiter; l.Limit() != want.limit || l.Burst() != want.burst {
			t.Errorf("VAULT_RATE_LIMIT=%s is %v, %d", text, l.Limit(), l.Burst())
		}
	}
	for name, values := range map[string][]string{
		"VAULT_CLIENT_TIMEOUT":    {"-1", "-1s", "soon", "1h30"},
		"VAULT_MAX_RETRIES":       {"-1", "many", "1.5", "65536"},
		"VAULT_RATE_LIMIT":        {"0", "0.5", "-1", "-1:5", "0:5", "5:0", "5:-1", "x", "x:5", "5:x", "5:", ":5"},
		"VAULT_SRV_LOOKUP":        {"maybe"},
		"VAULT_DISABLE_REDIRECTS": {"maybe"},
		"VAULT_SKIP_VERIFY":       {"maybe"},
		"VAULT_HEADERS":           {"x", `["a"]`, `{"a":1}`, `{"X-Vault-Token":"fake-secret"}`, `{"x-vault-namespace":"fake-secret"}`},
		"VAULT_PROXY_ADDR":        {"http://fake-secret:fake-secret@\x7f"},
		"VAULT_HTTP_PROXY":        {"http://fake-secret:fake-secret@\x7f"},
		"VAULT_CACERT_BYTES":      {"fake-secret"},
	} {
		for _, v := range values {
			c, err := newClient(vars("VAULT_ADDR", "https://vault", name, v), "", nil)
			if err == nil || c != nil {
				t.Errorf("%s=%q is taken", name, v)
			} else if strings.Contains(err.Error(), "fake-secret") {
				t.Errorf("the error repeats a secret: %v", err)
			}
		}
	}
}

func TestTheRateLimitHolds(t *testing.T) {
	c := with(t, "VAULT_RATE_LIMIT", "0.001:1")
	if err := c.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.wait(ctx); err == nil {
		t.Error("a second request went out at once")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := with(t).wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("without a limit: %v", err)
	}
}

func TestSwitchesFromTheEnvironment(t *testing.T) {
	c := with(t, "VAULT_DISABLE_REDIRECTS", "1", "VAULT_SKIP_VERIFY", "1", "VAULT_NAMESPACE", "/team/", "VAULT_TLS_SERVER_NAME", "v")
	if !c.noRedirects || !c.transport.TLSClientConfig.InsecureSkipVerify || c.namespace != "team" || c.transport.TLSClientConfig.ServerName != "v" {
		t.Errorf("%+v", c)
	}
	c = with(t)
	if c.noRedirects || c.transport.TLSClientConfig.InsecureSkipVerify || c.namespace != "" || c.hasToken {
		t.Errorf("%+v", c)
	}
	for name, set := range map[string][]string{
		"VAULT_PROXY_ADDR": {"VAULT_PROXY_ADDR", "http://proxy:1", "VAULT_HTTP_PROXY", "http://other:1"},
		"VAULT_HTTP_PROXY": {"VAULT_HTTP_PROXY", "http://proxy:1"},
	} {
		u, err := with(t, set...).transport.Proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: "vault"}})
		if err != nil || u.String() != "http://proxy:1" {
			t.Errorf("%s: %v, %v", name, u, err)
		}
	}
}

type timeoutError struct{}

func (timeoutError) Error() string   { return "fake timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// What will be the same the next time is not asked for again.
func TestWhatIsAskedAgain(t *testing.T) {
	in := func(err error) error { return &url.Error{Op: "Get", URL: "https://vault", Err: err} }
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for what, c := range map[string]struct {
		err           error
		fresh, before bool // before the first answer of the server, and after
	}{
		"no such name":            {&net.DNSError{IsNotFound: true}, false, false},
		"no answer about a name":  {&net.DNSError{IsTemporary: true}, true, true},
		"nobody there":            {refused, false, true},
		"no answer":               {timeoutError{}, false, true},
		"a broken connection":     {io.ErrUnexpectedEOF, true, true},
		"an unknown authority":    {x509.UnknownAuthorityError{}, false, false},
		"another name":            {x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, false, false},
		"a redirect elsewhere":    {&redirectError{}, false, false},
		"a standby and no leader": {&redirectError{leaderless: true}, true, true},
	} {
		for _, reached := range []bool{false, true} {
			client := with(t)
			client.reached.Store(reached)
			want := c.fresh
			if reached {
				want = c.before
			}
			retries := 0
			ctx := context.WithValue(t.Context(), retriesKey{}, &retries)
			if got, err := client.checkRetry(ctx, nil, in(c.err)); got != want || got && err != nil || retries != map[bool]int{true: 1}[want] {
				t.Errorf("%s, reached %v: %v, %v, %d retries", what, reached, got, err, retries)
			}
		}
	}
	answer := func(status int, body string) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	}
	for what, c := range map[string]struct {
		status, before int
		body           string
		want           bool
	}{
		"found":                      {200, 0, "", false},
		"denied":                     {403, 0, "", false},
		"busy":                       {429, 0, "", true},
		"failing":                    {500, 7, "", true},
		"sealed":                     {503, 2, `{"errors":["Vault is sealed"]}`, true},
		"sealed for too long":        {503, 3, `{"errors":["Vault is sealed"]}`, false},
		"unavailable, not sealed":    {503, 5, `{"errors":["local node not active"]}`, true},
		"another error that says so": {500, 5, `{"errors":["Vault is sealed"]}`, true},
	} {
		client, retries := with(t), c.before
		ctx := context.WithValue(t.Context(), retriesKey{}, &retries)
		resp := answer(c.status, c.body)
		if got, _ := client.checkRetry(ctx, resp, nil); got != c.want || !client.reached.Load() {
			t.Errorf("%s: %v", what, got)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != c.body {
			t.Errorf("%s: the answer is %q afterwards, %v", what, b, err)
		}
		_ = resp.Body.Close()
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if again, err := with(t).checkRetry(ended, nil, in(io.ErrUnexpectedEOF)); again || !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v, %v", again, err)
	}
}

func TestWaitsBetweenAttempts(t *testing.T) {
	for attempt := range 10 {
		if d := backoff(minRetryWait, maxRetryWait, attempt, nil); d < minRetryWait || d > time.Duration(attempt+1)*maxRetryWait {
			t.Errorf("attempt %d waits %v", attempt, d)
		}
	}
	for _, c := range []struct {
		seconds string
		want    time.Duration
	}{{"1", time.Second}, {"86400", 10 * time.Second}} {
		resp := &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {c.seconds}}}
		if d := backoff(minRetryWait, maxRetryWait, 0, resp); d != c.want {
			t.Errorf("Retry-After %s waits %v", c.seconds, d)
		}
	}
}

func TestConnectionsAreKept(t *testing.T) {
	tr := newTransport()
	if !tr.ForceAttemptHTTP2 || tr.MaxIdleConnsPerHost != maxParallel || tr.TLSClientConfig.MinVersion < 0x303 || tr.Proxy == nil {
		t.Errorf("%s", fmt.Sprint(tr.ForceAttemptHTTP2, tr.MaxIdleConnsPerHost, tr.TLSClientConfig.MinVersion))
	}
}
