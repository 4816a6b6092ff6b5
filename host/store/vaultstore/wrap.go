package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

var _ store.Wrapper = (*Store)(nil)

// errWrapGone is for a wrapping token that Vault does not know (any more).
var errWrapGone = errors.New("the wrapping token is not valid")

// Wrap implements [store.Wrapper] by Vault's response wrapping
// (https://developer.hashicorp.com/vault/docs/concepts/response-wrapping): the
// answer to the request that would read the secret stays in Vault. It needs what
// Get needs. Version 1 of the engine does not say what a secret is in one answer.
func (s *Store) Wrap(ctx context.Context, name string, ttl time.Duration) (secret.Value, error) {
	if checkName(name) != nil {
		return secret.Value{}, notFound(name, 0)
	}
	e, root, err := s.open(ctx)
	if err != nil {
		return secret.Value{}, err
	}
	v2, ok := e.(*v2)
	if !ok {
		return secret.Value{}, errors.New("the secrets engine is KV version 1, whose secrets cannot be wrapped; `vault kv enable-versioning` makes it version 2")
	}
	r := &request{method: http.MethodGet, path: v2.mount + "data/" + root + encodeName(name), needs: "read", wrapTTL: ttl}
	a, err := s.c.call(ctx, r)
	if err != nil {
		return secret.Value{}, wrap(err, "wrap", name)
	}
	if a.wrapped == "" {
		return secret.Value{}, notFound(name, 0)
	}
	return secret.NewValue(a.wrapped), nil
}

// WrapText implements [store.Wrapper]. It needs "update" on sys/wrapping/wrap,
// which the policy "default" gives.
func (s *Store) WrapText(ctx context.Context, text secret.Value, ttl time.Duration) (secret.Value, error) {
	r := &request{method: http.MethodPost, path: "sys/wrapping/wrap", needs: "update", wrapTTL: ttl,
		body: map[string]string{store.WrappedField: text.Reveal()}, values: secret.Values{store.WrappedField: text}}
	a, err := s.c.call(ctx, r)
	if err != nil {
		return secret.Value{}, fmt.Errorf("wrap: %w", err)
	}
	if a.wrapped == "" {
		return secret.Value{}, fmt.Errorf("wrap: %w", errNotVault)
	}
	return secret.NewValue(a.wrapped), nil
}

// Reach implements [store.Wrapper]. Whether certificates are checked is decided on
// the other machine.
func (s *Store) Reach() (map[string]string, error) {
	if strings.HasPrefix(s.c.addr, "unix:") {
		return nil, fault.WithHint(errors.New("a socket leads to Vault here, which another machine cannot reach"), "set VAULT_ADDR there")
	}
	vars := map[string]string{api.EnvVaultAddress: s.c.addr}
	if s.c.namespace != "" {
		vars[api.EnvVaultNamespace] = s.c.namespace
	}
	for _, name := range []string{api.EnvVaultTLSServerName, api.EnvVaultCACertBytes, EnvCluster} {
		if v := s.c.getenv(name); v != "" {
			vars[name] = v
		}
	}
	if file := s.c.getenv(api.EnvVaultCACert); file != "" && vars[api.EnvVaultCACertBytes] == "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		vars[api.EnvVaultCACertBytes] = string(pem)
	}
	return vars, nil
}

// Unwrap returns the secret that a token of [Store.Wrap] stands for. The token is
// all it needs, and is used up. name is the secret's name, or "" if it is not
// known: then the provider and profile make it, or else its path in Vault. Only
// Getenv and Warn of o are used.
//
// An error that is [store.ErrIntercepted] says that the token was used or has
// expired, or stands for something else than name.
func Unwrap(ctx context.Context, o Options, name string, token secret.Value) (*store.Record, error) {
	getenv := Environment(o.Getenv)
	c, err := newClient(func(v string) string {
		switch v {
		case api.EnvVaultToken:
			return token.Reveal()
		case api.EnvVaultAgentAddr: // which would put its own token in place of this one
			return ""
		}
		return getenv(v)
	}, "", nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	o.warn(c)
	// Whoever intercepts a token can unwrap it and wrap something else, but cannot
	// make Vault say that it was made by reading the secret. Asking costs no use.
	about, err := c.call(ctx, &request{method: http.MethodPost, path: "sys/wrapping/lookup", body: map[string]string{"token": token.Reveal()}, values: secret.Values{"token": token}})
	if err != nil {
		return nil, intercepted(err)
	}
	made, _ := about.data["creation_path"].(string)
	_, path, ok := strings.Cut(made, "/data/")
	if !ok || name != "" && path != encodeName(name) && !strings.HasSuffix(path, "/"+encodeName(name)) {
		return nil, fault.WithHint(fmt.Errorf("%w: it was made for %q", store.ErrIntercepted, made), interceptedHint)
	}
	a, err := c.call(ctx, &request{method: http.MethodPost, path: "sys/wrapping/unwrap"})
	if err != nil {
		return nil, intercepted(err)
	}
	v, err := entryOf(a)
	if err != nil {
		return nil, err
	}
	if v == nil || v.deleted {
		return nil, notFound(decodeName(path), 0)
	}
	m := metaFrom(v.custom, v.number)
	if name == "" {
		if name = decodeName(path); m.provider != "" {
			name = secret.Name(m.provider, m.profile)
		}
	}
	return &store.Record{
		Info:   store.Info{Name: name, Provider: m.provider, Version: v.number, Updated: v.created, Expires: m.expires},
		Secret: m.secret(name, v.values),
	}, nil
}

const interceptedHint = "if nobody you know of used it, count the secret as known to others: save a new one, revoke the old one; Vault's audit log says who unwrapped it"

func intercepted(err error) error {
	if errors.Is(err, errWrapGone) {
		return fault.WithHint(store.ErrIntercepted, interceptedHint)
	}
	return err
}
