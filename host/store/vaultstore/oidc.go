package vaultstore

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

const (
	// oidcPort is where the vault CLI listens, which roles in Vault name.
	oidcPort    = 8250
	oidcTimeout = 5 * time.Minute
)

// OIDC says how a person logs in with a browser.
type OIDC struct {
	// Show is told the address that the person's browser must open.
	Show func(url string)
	// Port is where the browser comes back to, on the loopback interface; 0 for
	// 8250, that of the vault CLI.
	Port int
	// Timeout is how long the person may take; 0 for 5 minutes.
	Timeout time.Duration
}

// oidc logs in with a browser, as `vault login -method=oidc` does: Vault gives
// the address of the identity provider, which sends the browser back to a
// listener here with a code that Vault takes for a token.
type oidc struct {
	OIDC
	c           *client
	mount, role string
}

// oidcError is one that says what to do already.
type oidcError struct{ error }

func (e *oidcError) Unwrap() error { return e.error }

func oidcFault(hint, format string, args ...any) error {
	return &oidcError{fault.WithHint(fmt.Errorf(format, args...), hint)}
}

// Login implements [api.AuthMethod].
func (o *oidc) Login(ctx context.Context, c *api.Client) (*api.Secret, error) {
	port, timeout := o.Port, o.Timeout
	if port == 0 {
		port = oidcPort
	}
	if timeout == 0 {
		timeout = oidcTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, oidcFault("--port N takes another one, which the role in Vault must allow too", "listen on port %d for the browser: %w", port, err)
	}
	redirect := fmt.Sprintf("http://localhost:%d/oidc/callback", port)
	nonce := rand.Text()
	authURL, state, err := o.begin(ctx, c, redirect, nonce)
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	cb := &callback{state: state, done: make(chan struct{}), exchange: func(code, idToken string) (*api.Secret, error) {
		data := url.Values{"state": {state}, "code": {code}, "id_token": {idToken}, "client_nonce": {nonce}}
		return c.Logical().ReadWithDataWithContext(ctx, "auth/"+o.mount+"/oidc/callback", data)
	}}
	server := &http.Server{Handler: cb, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	defer func() {
		// The browser gets its page to the end.
		closing, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer stop()
		if server.Shutdown(closing) != nil {
			_ = server.Close()
		}
		<-served // and the port is free again
	}()
	o.Show(authURL)
	select {
	case <-cb.done:
		return cb.got, cb.err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, oidcFault("start the login again, and finish it in the browser", "nobody came back from the browser within %v", timeout)
		}
		return nil, ctx.Err()
	}
}

// begin asks Vault for the address to send the browser to.
func (o *oidc) begin(ctx context.Context, c *api.Client, redirect, nonce string) (authURL, state string, err error) {
	got, err := c.Logical().WriteWithContext(ctx, "auth/"+o.mount+"/oidc/auth_url", map[string]any{
		"role": o.role, "redirect_uri": redirect, "client_nonce": nonce,
	})
	if err != nil {
		return "", "", err
	}
	if got != nil {
		authURL, _ = got.Data["auth_url"].(string)
	}
	if authURL == "" {
		return "", "", oidcFault("the role's allowed_redirect_uris must have "+redirect+"; --role names another role, --port another port",
			"vault at %s gives no address to log in at for this role", o.c.where())
	}
	u, err := url.Parse(authURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || !printable(authURL) {
		return "", "", oidcFault("", "what Vault at %s gives as the address to log in at is none", o.c.where())
	}
	if state = u.Query().Get("state"); state == "" {
		return "", "", oidcFault("", "the address to log in at has no state, so an answer could not be told from a forged one")
	}
	return authURL, state, nil
}

// callback is the page to which the identity provider sends the browser.
type callback struct {
	state    string
	exchange func(code, idToken string) (*api.Secret, error)

	once sync.Once
	done chan struct{}
	got  *api.Secret
	err  error
}

// ServeHTTP takes the first answer that has the right state. Others, which any
// page in the browser could send, change nothing.
func (cb *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/oidc/callback" || r.Method != http.MethodGet && r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if subtle.ConstantTimeCompare([]byte(r.FormValue("state")), []byte(cb.state)) != 1 {
		http.Error(w, "This is not the answer that rhx waits for.", http.StatusBadRequest)
		return
	}
	first := false
	cb.once.Do(func() { first = true })
	if !first {
		http.Error(w, "This login is over.", http.StatusGone)
		return
	}
	if what := r.FormValue("error"); what != "" {
		cb.err = oidcFault("", "%w: the identity provider refused the login%s", store.ErrDenied, quote([]string{what + " " + r.FormValue("error_description")}, nil))
	} else {
		cb.got, cb.err = cb.exchange(r.FormValue("code"), r.FormValue("id_token"))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if cb.err != nil {
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintln(w, "The login failed: the terminal says why. You can close this page.")
	} else {
		_, _ = fmt.Fprintln(w, "You are logged in. You can close this page and go back to the terminal.")
	}
	close(cb.done)
}
