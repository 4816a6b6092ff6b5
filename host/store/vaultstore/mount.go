package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

// open asks Vault, once, which part of the path is the mount and what engine
// is there, as the vault CLI does: every token may ask that about an engine in
// which its policies allow anything. It returns the engine and the root.
func (s *Store) open(ctx context.Context) (engine, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == nil {
		if err := s.discover(ctx); err != nil {
			return nil, "", fmt.Errorf("store %s: %w", s.url, err)
		}
	}
	return s.engine, s.root, nil
}

func (s *Store) discover(ctx context.Context) error {
	mount, version, err := kvFrom(s.c.getenv(EnvKV), s.path)
	if err != nil {
		return err
	}
	if mount != "" {
		s.use(mount, version)
		return ctx.Err()
	}
	a, err := s.c.call(ctx, &request{method: http.MethodGet, path: "sys/internal/ui/mounts/" + s.path, needs: "use anything in"})
	if err != nil {
		return s.noMount(ctx, err)
	}
	if !a.found() {
		// Before Vault 0.10 there was no such question, and no version 2.
		return fault.WithHint(errors.New("this server does not say which engine is where: it is older than Vault 0.10, or something in front of it keeps such questions from it"), s.kvHint())
	}
	mount, _ = a.data["path"].(string)
	kind, _ := a.data["type"].(string)
	options, _ := a.data["options"].(map[string]any)
	mount = strings.Trim(mount, "/")
	if mount == "" || s.path != mount && !strings.HasPrefix(s.path, mount+"/") {
		return errNotVault
	}
	if kind != "kv" && kind != "generic" {
		return fault.WithHint(fmt.Errorf("the secrets engine at %s is of the type %q, not kv", mount, kind),
			"`vault secrets list` shows which engines are kv")
	}
	version, _ = options["version"].(string)
	s.use(mount, version)
	return nil
}

// use sets the engine of the store.
func (s *Store) use(mount, version string) {
	if s.root = strings.TrimPrefix(strings.TrimPrefix(s.path, mount), "/"); s.root != "" {
		s.root += "/"
	}
	b := base{c: s.c, mount: mount + "/"}
	if version == "2" {
		s.engine = &v2{base: b}
	} else {
		s.engine = &v1{base: b}
	}
}

// kvHint says how to do without asking for the engine, where that is refused.
func (s *Store) kvHint() string {
	mount, _, _ := strings.Cut(s.path, "/")
	return EnvKV + "=" + mount + "=2 says that the engine at " + mount + " is KV version 2, so that Vault is not asked"
}

// noMount explains why Vault did not say what is at the path. Its
// answer is the same for a path without an engine and for an engine in which
// the token may do nothing; a token that may read all mounts tells them apart.
func (s *Store) noMount(ctx context.Context, err error) error {
	var token *tokenError
	if !errors.Is(err, store.ErrDenied) || errors.Is(err, errNoToken) || errors.As(err, &token) && !token.unsure {
		return err
	}
	if token != nil {
		token.why = ", or may not use the secrets engine at " + s.path + ", or there is none"
		return fault.WithHint(fmt.Errorf("%w: %w", store.ErrDenied, token), "log in again with `rhx login` or `vault login`; `vault secrets list` shows the engines; "+s.kvHint())
	}
	all, allErr := s.c.call(ctx, &request{method: http.MethodGet, path: "sys/mounts", needs: "read"})
	if allErr == nil && all.found() {
		err := fmt.Errorf("vault has no secrets engine at %s", s.path)
		return fault.WithHint(fault.WithKind(err, fault.Usage), mountsHint(all.data))
	}
	err = fmt.Errorf("%w: vault has no secrets engine at %s that the token in %s may use%s", store.ErrDenied, s.path, s.c.tokenFrom, s.c.inNamespace())
	seen, seenErr := s.c.call(ctx, &request{method: http.MethodGet, path: "sys/internal/ui/mounts", needs: "read"})
	if seenErr != nil || !seen.found() {
		return fault.WithHint(err, s.kvHint())
	}
	engines, _ := seen.data["secret"].(map[string]any)
	return fault.WithHint(err, mountsHint(engines))
}

// kvEngines returns the URLs of the KV engines among those that Vault names.
func kvEngines(engines map[string]any) []string {
	var kv []string
	for path, v := range engines {
		if m, ok := v.(map[string]any); ok && (m["type"] == "kv" || m["type"] == "generic") {
			kv = append(kv, Scheme+strings.TrimSuffix(path, "/"))
		}
	}
	slices.Sort(kv)
	return kv
}

func mountsHint(engines map[string]any) string {
	kv := kvEngines(engines)
	if len(kv) == 0 {
		return "the token sees no kv engine; `vault secrets enable -path=MOUNT kv-v2` makes one, a policy opens it"
	}
	return "the kv engines that the token sees: " + strings.Join(kv, ", ")
}
