package vaultstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Errors that the engines handle themselves.
var (
	errCAS         = errors.New("check-and-set found another version")
	errCASRequired = errors.New("the secret can only be written with check-and-set")
	errNoToken     = errors.New("there is no Vault token")
	errUnsupported = errors.New("the server does not know this operation")
)

// explain turns the API client's error into one of package store's that names
// the address or the path, says what to do, and holds no value.
func (c *client) explain(ctx context.Context, r *request, err error) error {
	var re *api.ResponseError
	if !errors.As(err, &re) {
		return c.explainNetwork(err)
	}
	said := re.Errors
	if re.RawError {
		// A proxy's page, or anything else that is no message of Vault's.
		said = nil
	}
	text := strings.Join(said, "; ")
	switch {
	case strings.Contains(text, "check-and-set parameter did not match"):
		return errCAS
	case strings.Contains(text, "check-and-set parameter required"):
		return errCASRequired
	case strings.Contains(text, "wrapping token is not valid or does not exist"):
		return errWrapGone
	case strings.Contains(text, "missing client token"):
		return c.noToken()
	case re.StatusCode == http.StatusForbidden:
		return c.explainDenied(ctx, r, text)
	case strings.Contains(text, "no handler for route"):
		return fault.WithHint(fmt.Errorf("vault has no secrets engine at %s (any more)", r.path), "see `vault secrets list`")
	case strings.Contains(text, "Vault is sealed"):
		return fault.WithHint(fmt.Errorf("%w: Vault at %s is sealed", store.ErrUnavailable, c.where()),
			"somebody must unseal it: `vault operator unseal`")
	case re.StatusCode == http.StatusTooManyRequests:
		return fault.WithHint(fmt.Errorf("%w: Vault at %s asks for fewer requests (HTTP 429)", store.ErrUnavailable, c.where()),
			"try again later; VAULT_RATE_LIMIT slows rhx down")
	case re.StatusCode >= 500:
		return fmt.Errorf("%w: Vault at %s failed at %s (HTTP %d%s)", store.ErrUnavailable, c.where(), r.path, re.StatusCode, quote(said, r.values))
	case re.StatusCode == http.StatusMethodNotAllowed:
		return errUnsupported
	case re.RawError && re.StatusCode == http.StatusBadRequest && strings.HasPrefix(c.addr, "http://") && len(re.Errors) == 1 &&
		strings.Contains(re.Errors[0], "HTTP request to an HTTPS server"):
		return fault.WithHint(fmt.Errorf("%w: the server at %s speaks TLS", store.ErrUnavailable, c.where()),
			"VAULT_ADDR must begin with https://")
	}
	return fmt.Errorf("vault refused %s %s (HTTP %d%s)", re.HTTPMethod, r.path, re.StatusCode, quote(said, r.values))
}

func (c *client) explainNetwork(err error) error {
	var redirect *redirectError
	if errors.As(err, &redirect) {
		return c.explainRedirect(redirect)
	}
	var ue *url.Error
	inner := err
	if errors.As(err, &ue) {
		// The outer text repeats the method and the whole address.
		inner = ue.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.WithHint(fmt.Errorf("%w: Vault at %s did not answer within %v", store.ErrUnavailable, c.where(), c.timeout),
			"check VAULT_ADDR and the network; VAULT_CLIENT_TIMEOUT sets how long rhx waits")
	}
	hint := "check VAULT_ADDR, and whether the server runs and can be reached from here"
	if h := tlsProblem(err); h != "" {
		hint = h
	}
	return fault.WithHint(fmt.Errorf("%w: Vault at %s: %w", store.ErrUnavailable, c.where(), inner), hint)
}

// tlsProblem returns what to do about an error of the TLS handshake, "" for any other.
func tlsProblem(err error) string {
	var unknownCA x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &unknownCA):
		return "set VAULT_CACERT to the file with the certificate of the authority that signed the server's"
	case errors.As(err, &host):
		return "use the name in the server's certificate in VAULT_ADDR, or set VAULT_TLS_SERVER_NAME to it"
	case errors.As(err, &invalid), errors.As(err, &verify):
		return "the server's certificate is not valid; VAULT_CACERT names the authority to trust"
	case errors.As(err, &record), err != nil && strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the server does not speak TLS: VAULT_ADDR must begin with http://"
	case errors.As(err, &alert):
		return "the server refused the TLS handshake; it may want a client certificate: VAULT_CLIENT_CERT and VAULT_CLIENT_KEY"
	}
	return ""
}

func (c *client) noToken() error {
	err := fmt.Errorf("%w: %w", store.ErrDenied, errNoToken)
	if c.ended != "" {
		err = fmt.Errorf("%w: %s", err, c.ended)
	}
	return fault.WithHint(err, "log in with `rhx login` or `vault login`, or set VAULT_TOKEN")
}

// explainDenied finds out whether the token itself was refused or its policies
// lack something: Vault's answer to the request itself is the same for both in
// many versions.
func (c *client) explainDenied(ctx context.Context, r *request, text string) error {
	if !c.hasToken {
		return c.noToken()
	}
	refused := strings.Contains(text, "invalid token") || strings.Contains(text, "bad token")
	unsure := false
	if !refused {
		_, err := c.send(ctx, &request{method: http.MethodGet, path: "auth/token/lookup-self"})
		var re *api.ResponseError
		if errors.As(err, &re) && re.StatusCode == http.StatusForbidden {
			lookup := strings.Join(re.Errors, "; ")
			refused = strings.Contains(lookup, "invalid token") || strings.Contains(lookup, "bad token")
			// The token's policies may lack even this, which "default" gives.
			unsure = !refused
		}
	}
	in := c.inNamespace()
	switch {
	case refused:
		return fault.WithHint(fmt.Errorf("%w: %w", store.ErrDenied, &tokenError{from: c.tokenFrom + in, why: ": it is wrong, expired or revoked"}),
			"log in again with `rhx login` or `vault login`, or set VAULT_TOKEN")
	case unsure:
		doubt := &tokenError{from: c.tokenFrom + in, why: fmt.Sprintf(", or may not %s %s", r.needs, r.path), unsure: true}
		return fault.WithHint(fmt.Errorf("%w: %w", store.ErrDenied, doubt), "log in again with `rhx login` or `vault login`, or "+policyHint(r))
	}
	return fault.WithHint(fmt.Errorf("%w: the token in %s may not %s %s%s", store.ErrDenied, c.tokenFrom, r.needs, r.path, in), policyHint(r))
}

func policyHint(r *request) string {
	var caps []string
	for _, c := range strings.Split(r.needs, " or ") {
		caps = append(caps, strconv.Quote(c))
	}
	return fmt.Sprintf("a policy of the token must have: path %q { capabilities = [%s] }", r.path, strings.Join(caps, ", "))
}

// tokenError is for a token that Vault does not take at all, or, where that
// cannot be told apart, that may not do what was asked for.
type tokenError struct {
	from, why string
	unsure    bool
}

func (e *tokenError) Error() string { return "the token in " + e.from + " was refused" + e.why }

func (c *client) inNamespace() string {
	if c.namespace == "" {
		return ""
	}
	return " (namespace " + strconv.Quote(c.namespace) + ")"
}

// where returns the server's address without a password in it.
func (c *client) where() string {
	u, err := url.Parse(c.addr)
	if err != nil {
		return "VAULT_ADDR"
	}
	return u.Redacted()
}

// quote returns ": TEXT" for what the server said, "" for nothing, and nothing
// of it where it repeats a value.
func quote(said []string, values secret.Values) string {
	text := strings.Join(strings.Fields(strings.Join(said, "; ")), " ")
	if text == "" {
		return ""
	}
	for _, v := range values {
		plain := v.Reveal()
		escaped := strings.Trim(strconv.Quote(plain), `"`)
		for _, form := range []string{plain, escaped, encodeText(plain)} {
			if form != "" && strings.Contains(text, form) {
				return "; its message is left out, because it repeats a value"
			}
		}
	}
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "…"
	}
	return ": " + text
}

// upgrading reports whether err is that of a KV engine on its way to version 2.
func upgrading(err error) bool {
	var re *api.ResponseError
	return errors.As(err, &re) && re.StatusCode == http.StatusBadRequest &&
		strings.Contains(strings.Join(re.Errors, ";"), "Upgrading from non-versioned to versioned data")
}
