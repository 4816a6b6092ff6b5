package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
	"github.com/hashicorp/vault/api/auth/kubernetes"
	"github.com/hashicorp/vault/api/auth/ldap"
	"github.com/hashicorp/vault/api/auth/userpass"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Methods are the ways to log in, as Vault calls its auth methods.
func Methods() []string {
	return []string{"token", "userpass", "ldap", "approle", "jwt", "oidc", "kubernetes", "cert"}
}

// Login says how to log in to Vault.
type Login struct {
	// Method is one of Methods.
	Method string
	// Mount is the path of the auth method below auth/; "" for the method's name.
	Mount string
	// Username is that of userpass and ldap.
	Username string
	// Role is the role of jwt, oidc, kubernetes and cert, and the role ID of approle.
	Role string
	// Secret proves who it is: the token, the password, the secret ID or the
	// JWT. oidc and cert have none.
	Secret secret.Value
	// OIDC is for the method oidc.
	OIDC OIDC
}

// Authenticate logs in to the server that o's variables name and returns the
// token, which Vault has confirmed. o.URL is not needed.
func Authenticate(ctx context.Context, o Options, l Login) (*Session, error) {
	c, err := newClient(o.Getenv, "", nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	o.warn(c)
	if !SameServer(c.addr, c.addr) {
		return nil, fault.WithHint(errors.New("the address of the server has a name or password in it, and would be kept with the login"), "log in with the address alone")
	}
	if l.Mount == "" {
		l.Mount = l.Method
	}
	l.Mount = strings.Trim(strings.TrimPrefix(strings.Trim(l.Mount, "/"), "auth/"), "/")
	if err := secret.ValidName(l.Mount); err != nil || !printable(l.Mount) {
		return nil, fault.WithKind(fmt.Errorf("%q is not the path of an auth method", l.Mount), fault.Usage)
	}
	if l.Method == "token" {
		return c.takeToken(ctx, l.Secret.Reveal())
	}
	// A token that is there already has no part in this.
	c.api.ClearToken()
	c.hasToken = false
	loginCtx, cancel := ctx, context.CancelFunc(func() {})
	if l.Method != "oidc" { // which waits for a person
		loginCtx, cancel = context.WithTimeout(ctx, c.timeout)
	}
	defer cancel()
	method, err := l.method(c)
	if err != nil {
		return nil, err
	}
	got, err := method.Login(loginCtx, c.api)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, c.explainLogin(loginCtx, l, err)
	}
	switch {
	case got != nil && got.Auth != nil && got.Auth.MFARequirement != nil:
		return nil, fault.WithHint(fmt.Errorf("vault at %s wants a second factor for this login, which rhx does not ask for", c.where()),
			"log in with `vault login`: rhx uses its token")
	case got == nil || got.Auth == nil || got.Auth.ClientToken == "":
		return nil, fmt.Errorf("log in to Vault at %s: %w", c.where(), errNotVault)
	}
	return c.confirm(ctx, got.Auth.ClientToken, got.Auth, l)
}

// method returns what sends the login.
func (l Login) method(c *client) (api.AuthMethod, error) {
	secretText := l.Secret.Reveal()
	switch l.Method {
	case "userpass", "ldap":
		// The name is a step of the request's path.
		if l.Username == "" || strings.Contains(l.Username, "/") || secret.ValidName(l.Username) != nil {
			return nil, fault.WithHint(fault.WithKind(errors.New("the user's name is missing or not one that Vault takes"), fault.Usage), "--username NAME")
		}
		if secretText == "" {
			return nil, errors.New("the password is empty")
		}
		if l.Method == "ldap" {
			return ldap.NewLDAPAuth(l.Username, &ldap.Password{FromString: secretText}, ldap.WithMountPath(l.Mount))
		}
		return userpass.NewUserpassAuth(l.Username, &userpass.Password{FromString: secretText}, userpass.WithMountPath(l.Mount))
	case "approle":
		if l.Role == "" {
			return nil, needsRole(l.Method, "the role ID")
		}
		if secretText == "" {
			// A role may be made so that its ID suffices.
			return write{"auth/" + l.Mount + "/login", map[string]any{"role_id": l.Role}}, nil
		}
		return approle.NewAppRoleAuth(l.Role, &approle.SecretID{FromString: secretText}, approle.WithMountPath(l.Mount))
	case "kubernetes":
		if l.Role == "" {
			return nil, needsRole(l.Method, "the role in Vault")
		}
		return kubernetes.NewKubernetesAuth(l.Role, kubernetes.WithServiceAccountToken(secretText), kubernetes.WithMountPath(l.Mount))
	case "jwt":
		// Without a role Vault takes the mount's default one.
		return write{"auth/" + l.Mount + "/login", map[string]any{"role": l.Role, "jwt": secretText}}, nil
	case "cert":
		body := map[string]any{}
		if l.Role != "" {
			body["name"] = l.Role
		}
		return write{"auth/" + l.Mount + "/login", body}, nil
	case "oidc":
		return &oidc{c: c, mount: l.Mount, role: l.Role, OIDC: l.OIDC}, nil
	}
	return nil, fault.WithHint(fault.WithKind(fmt.Errorf("unknown auth method %q%s", l.Method, fault.DidYouMean(l.Method, Methods())), fault.Usage),
		"the methods are "+strings.Join(Methods(), ", "))
}

func needsRole(method, what string) error {
	return fault.WithHint(fault.WithKind(fmt.Errorf("%s needs %s", method, what), fault.Usage), "--role ROLE")
}

// write is a login that is one request.
type write struct {
	path string
	body map[string]any
}

// Login implements [api.AuthMethod].
func (w write) Login(ctx context.Context, c *api.Client) (*api.Secret, error) {
	return c.Logical().WriteWithContext(ctx, w.path, w.body)
}

// takeToken confirms a token that the user has.
func (c *client) takeToken(ctx context.Context, token string) (*Session, error) {
	token = strings.TrimSpace(token)
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the token is empty, or has a character that no token has")
	}
	return c.confirm(ctx, token, nil, Login{Method: "token"})
}

// confirm asks Vault about a token. auth is the answer to the login that gave
// the token; its policies may not let it be asked about.
func (c *client) confirm(ctx context.Context, token string, auth *api.SecretAuth, l Login) (*Session, error) {
	s := &Session{Address: c.addr, Namespace: c.namespace, Token: secret.NewValue(token), Method: l.Method}
	c.api.SetToken(token)
	c.hasToken, c.tokenFrom = true, "this login"
	callCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	got, err := c.api.Auth().Token().LookupSelfWithContext(callCtx)
	var re *api.ResponseError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case auth != nil && errors.As(err, &re) && re.StatusCode == http.StatusForbidden:
		s.TTL, s.Renewable, s.User = time.Duration(auth.LeaseDuration)*time.Second, auth.Renewable, l.Username
		s.Policies = auth.TokenPolicies
	case errors.As(err, &re) && re.StatusCode == http.StatusForbidden:
		err := fmt.Errorf("%w: Vault at %s refused the token%s: it is wrong, expired or revoked, or its policies do not let it be looked up", store.ErrDenied, c.where(), c.inNamespace())
		return nil, fault.WithHint(err, "nothing was kept; `vault token lookup` with this token says more")
	case err != nil:
		return nil, c.explain(callCtx, &request{method: http.MethodGet, path: "auth/token/lookup-self", needs: "read"}, err)
	case got == nil || got.Data["id"] == nil:
		return nil, fmt.Errorf("look up the token: %w", errNotVault)
	default:
		if s.TTL, err = got.TokenTTL(); err != nil {
			return nil, fmt.Errorf("look up the token: %w", errNotVault)
		}
		s.Renewable, _ = got.TokenIsRenewable()
		s.Policies, _ = got.TokenPolicies()
		s.User, _ = got.Data["display_name"].(string)
		if meta, ok := got.Data["meta"].(map[string]any); ok && l.Username == "" {
			if name, ok := meta["username"].(string); ok {
				s.User = name
			}
		}
	}
	if l.Username != "" {
		s.User = l.Username
	}
	s.Root = s.TTL == 0 && slices.Contains(s.Policies, "root")
	if s.TTL > 0 {
		s.Expires = time.Now().Add(s.TTL).UTC().Truncate(time.Second)
	}
	return s, nil
}

// explainLogin turns the error of a login into one that says what to do.
func (c *client) explainLogin(ctx context.Context, l Login, err error) error {
	var re *api.ResponseError
	if !errors.As(err, &re) {
		if errors.As(err, new(*oidcError)) {
			return err
		}
		return c.explain(ctx, &request{}, err)
	}
	text := strings.Join(re.Errors, "; ")
	at := fmt.Sprintf("auth/%s%s", l.Mount, c.inNamespace())
	values := secret.Values{"secret": l.Secret}
	switch {
	case re.StatusCode == http.StatusTooManyRequests, re.StatusCode >= 500:
	case strings.Contains(text, "no handler for route"), re.StatusCode == http.StatusNotFound,
		re.StatusCode == http.StatusForbidden && strings.TrimSpace(text) == "permission denied",
		strings.Contains(text, "missing client token"):
		return fault.WithHint(fmt.Errorf("%w: Vault at %s has no auth method at %s, or refused this login there", store.ErrDenied, c.where(), at),
			"check what was typed; --mount PATH and --namespace NS say where the method is, if not at auth/"+l.Method)
	case re.StatusCode < 500:
		return fault.WithHint(fmt.Errorf("%w: Vault at %s refused the login at %s%s", store.ErrDenied, c.where(), at, quote(said(re), values)), l.hint())
	}
	return c.explain(ctx, &request{method: re.HTTPMethod, path: "auth/" + l.Mount + "/login", values: values}, err)
}

// said is the server's own message, if it is one of Vault's.
func said(re *api.ResponseError) []string {
	if re.RawError {
		return nil
	}
	return re.Errors
}

func (l Login) hint() string {
	switch l.Method {
	case "userpass", "ldap":
		return "check the user's name and the password"
	case "approle":
		return "check the role ID (--role) and the secret ID, which may have expired or been used up"
	case "cert":
		return "check VAULT_CLIENT_CERT and VAULT_CLIENT_KEY, and that a certificate role in Vault (--role) trusts them"
	}
	return "check the role (--role), and what it is bound to"
}
