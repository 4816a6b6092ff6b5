package vaultstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/rhx-dev/rhx/host/secret"
)

// Session is a login: a token and what it is good for.
type Session struct {
	// Address and Namespace are the server that gave the token. It is never sent
	// to another one.
	Address, Namespace string
	Token              secret.Value
	Method             string
	// User is what Vault calls who logged in.
	User     string
	Policies []string
	// Root reports a root token that does not expire. It is not revoked, because
	// others may rely on it.
	Root bool
	// Renewable reports that Vault extends the token's life when asked.
	Renewable bool
	// TTL is how long the token was good for when it was given or renewed; 0 for ever.
	TTL time.Duration
	// Expires is when it ends, in UTC; zero for never.
	Expires time.Time
}

// sessionJSON is how a session is kept, encrypted.
type sessionJSON struct {
	Address   string    `json:"address"`
	Namespace string    `json:"namespace,omitempty"`
	Token     string    `json:"token"`
	Method    string    `json:"method"`
	User      string    `json:"user,omitempty"`
	Root      bool      `json:"root,omitempty"`
	Renewable bool      `json:"renewable,omitempty"`
	Seconds   int64     `json:"seconds,omitempty"`
	Expires   time.Time `json:"expires,omitzero"`
}

// Encode returns the session as text that holds the token.
func (s *Session) Encode() ([]byte, error) {
	return json.Marshal(sessionJSON{s.Address, s.Namespace, s.Token.Reveal(), s.Method, s.User, s.Root, s.Renewable, int64(s.TTL / time.Second), s.Expires})
}

// DecodeSession reads what Encode returned.
func DecodeSession(data []byte) (*Session, error) {
	var j sessionJSON
	if err := json.Unmarshal(data, &j); err != nil || j.Address == "" || j.Token == "" {
		// The parser's error could repeat a part of the token.
		return nil, errors.New("it is not as rhx wrote it")
	}
	return &Session{Address: j.Address, Namespace: j.Namespace, Token: secret.NewValue(j.Token), Method: j.Method, User: j.User,
		Root: j.Root, Renewable: j.Renewable, TTL: time.Duration(j.Seconds) * time.Second, Expires: j.Expires}, nil
}

// Expired reports whether the token has come to its end.
func (s *Session) Expired(now time.Time) bool { return !s.Expires.IsZero() && !now.Before(s.Expires) }

// due reports whether less than half of the token's life is left.
func (s *Session) due(now time.Time) bool {
	return s.Renewable && !s.Expires.IsZero() && !s.Expired(now) && s.Expires.Sub(now) < s.TTL/2
}

// fits reports whether the token may be sent to a server. A token of a
// namespace is good in those below it too.
func (s *Session) fits(addr, namespace string) bool {
	own := strings.Trim(s.Namespace, "/")
	return SameServer(s.Address, addr) && (own == "" || namespace == own || strings.HasPrefix(namespace, own+"/"))
}

// SameServer compares addresses as a client would connect to them.
func SameServer(a, b string) bool {
	na, nb := normal(a), normal(b)
	return na != "" && na == nb
}

func normal(addr string) string {
	u, err := url.Parse(addr)
	if err != nil || u.User != nil {
		return ""
	}
	return origin(u) + strings.TrimRight(serverOf(u).EscapedPath(), "/")
}

// client returns a client that uses the session's token, at its own server
// only. The other settings are those of the variables.
func (s *Session) client(getenv func(string) string) (*client, error) {
	c, err := newClient(s.Getenv(getenv), "", func() (*Session, error) { return s, nil })
	if err != nil {
		return nil, err
	}
	if c.session != s {
		return nil, fmt.Errorf("the login at %s cannot be used", s.Address)
	}
	return c, nil
}

// Getenv returns getenv with the server, the namespace and the token of the session.
func (s *Session) Getenv(getenv func(string) string) func(string) string {
	getenv = Environment(getenv)
	return func(name string) string {
		switch name {
		case api.EnvVaultAddress:
			return s.Address
		case api.EnvVaultNamespace:
			return s.Namespace
		case api.EnvVaultAgentAddr, api.EnvVaultToken:
			return ""
		}
		return getenv(name)
	}
}

// Revoke ends the token at its server.
func (s *Session) Revoke(ctx context.Context, getenv func(string) string) error {
	c, err := s.client(getenv)
	if err != nil {
		return err
	}
	defer c.close()
	_, err = c.call(ctx, &request{method: http.MethodPost, path: "auth/token/revoke-self", needs: "update"})
	return err
}

// Renew extends the life of the session's token and returns it as it is then.
func (s *Session) Renew(ctx context.Context, getenv func(string) string) (*Session, error) {
	c, err := s.client(getenv)
	if err != nil {
		return nil, err
	}
	defer c.close()
	got, err := c.api.Auth().Token().RenewSelfWithContext(ctx, 0)
	if err != nil {
		return nil, c.explain(ctx, &request{method: http.MethodPost, path: "auth/token/renew-self", needs: "update"}, err)
	}
	if got == nil || got.Auth == nil || got.Auth.ClientToken != s.Token.Reveal() {
		return nil, fmt.Errorf("renew the token: %w", errNotVault)
	}
	renewed := *s
	renewed.TTL = time.Duration(got.Auth.LeaseDuration) * time.Second
	renewed.Expires = time.Now().Add(renewed.TTL).UTC().Truncate(time.Second)
	// Where Vault gives no more time, asking again would not help.
	renewed.Renewable = got.Auth.Renewable && renewed.Expires.After(s.Expires.Add(time.Second))
	return &renewed, nil
}

// Engines returns the stores that a session may use: a URL for each KV engine
// in which its policies allow anything.
func (s *Session) Engines(ctx context.Context, getenv func(string) string) ([]string, error) {
	c, err := s.client(getenv)
	if err != nil {
		return nil, err
	}
	defer c.close()
	a, err := c.call(ctx, &request{method: http.MethodGet, path: "sys/internal/ui/mounts", needs: "read"})
	if err != nil {
		return nil, err
	}
	engines, _ := a.data["secret"].(map[string]any)
	return kvEngines(engines), nil
}

// LoginDue returns the session that the store uses if it is to be renewed now;
// else nil.
func (s *Store) LoginDue() *Session {
	if s.c.session == nil || !s.c.session.due(time.Now()) {
		return nil
	}
	return s.c.session
}

// where is the server and the namespace for messages.
func (s *Session) where() string {
	addr := s.Address
	if s.Namespace != "" {
		addr += " (namespace " + s.Namespace + ")"
	}
	return addr
}
