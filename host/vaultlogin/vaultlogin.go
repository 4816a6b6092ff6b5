// Package vaultlogin keeps the login to a HashiCorp Vault: its token, encrypted, and
// in config.yaml the server and the store that it is for.
package vaultlogin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaultstore"
)

const (
	// RevokeTimeout bounds how long a token's end is waited for.
	RevokeTimeout = 10 * time.Second
	// renewTimeout bounds the renewal of a token beside a command's own work, and so
	// how much longer a command can take because of it.
	renewTimeout = 3 * time.Second
)

// Logins is the login of this user on this machine.
type Logins struct {
	Stores *engine.Stores
	Local  machine.Machine
	Getenv func(string) string
	Home   string
	// Warn is told what a user should know of a connection, once; Note what is being
	// done.
	Warn func(text string)
	Note func(format string, args ...any)

	mu     sync.Mutex
	warned map[string]bool
	// now is the environment of a login that was just made: what follows goes to its
	// server with its token, whatever the variables say.
	now        func(string) string
	background sync.WaitGroup
}

// vars are the variables as the Vault client reads them, OpenBao's among them.
func (l *Logins) vars() func(string) string { return vaultstore.Environment(l.Getenv) }

// warnOnce is for what is found by everything in a command that connects to Vault.
func (l *Logins) warnOnce(text string) {
	l.mu.Lock()
	said := l.warned[text]
	if l.warned == nil {
		l.warned = map[string]bool{}
	}
	l.warned[text] = true
	l.mu.Unlock()
	if !said {
		l.Warn(text)
	}
}

// Overlay is an environment in which some variables have other values.
func Overlay(getenv func(string) string, with map[string]string) func(string) string {
	return func(name string) string {
		if v, ok := with[name]; ok {
			return v
		}
		return getenv(name)
	}
}

// withServer is the environment with the server of the last login where the
// variables name none, and with what belongs to that server where they name it.
func withServer(getenv func(string) string, v config.Vault) func(string) string {
	if v.Address == "" || getenv("VAULT_AGENT_ADDR") != "" {
		return getenv
	}
	if addr := getenv("VAULT_ADDR"); addr != "" && !vaultstore.SameServer(addr, v.Address) {
		return getenv
	}
	with := map[string]string{}
	add := func(name, value string, unless ...string) {
		if value != "" && !slices.ContainsFunc(append(unless, name), func(n string) bool { return getenv(n) != "" }) {
			with[name] = value
		}
	}
	add("VAULT_ADDR", v.Address)
	add("VAULT_NAMESPACE", v.Namespace)
	add("VAULT_CACERT", v.CACert, "VAULT_CACERT_BYTES", "VAULT_CAPATH")
	return Overlay(getenv, with)
}

// Env is the environment for requests to Vault: the variables first, then the
// server of the last login.
func (l *Logins) Env() (func(string) string, error) {
	l.mu.Lock()
	now := l.now
	l.mu.Unlock()
	if now != nil {
		return now, nil
	}
	conf, err := l.Stores.Config()
	if err != nil {
		return nil, err
	}
	return withServer(l.vars(), conf.Vault), nil
}

// EnvFor is the environment for a login: the address and the namespace, "" for those
// of the variables or of the last login.
func (l *Logins) EnvFor(address, namespace string) (func(string) string, error) {
	conf, err := l.Stores.Config()
	if err != nil {
		return nil, err
	}
	with := map[string]string{}
	if namespace != "" {
		with["VAULT_NAMESPACE"] = namespace
	}
	if address == "" {
		return Overlay(withServer(l.vars(), conf.Vault), with), nil
	}
	base := l.vars()
	if vaultstore.SameServer(address, conf.Vault.Address) {
		base = withServer(Overlay(l.vars(), map[string]string{"VAULT_ADDR": "", "VAULT_AGENT_ADDR": ""}), conf.Vault)
	}
	with["VAULT_ADDR"], with["VAULT_AGENT_ADDR"] = address, ""
	return Overlay(base, with), nil
}

// SealLabel is what the token is sealed for.
const SealLabel = "vault-token"

// path is the file of the token.
func (l *Logins) path() string { return filepath.Join(l.Stores.Dirs.Data, "vault-token.age") }

// Read returns the login that is kept, nil if there is none, and the file as it is.
func (l *Logins) Read(ctx context.Context) (*vaultstore.Session, []byte, error) {
	sealed, err := ownfile.Read(l.path(), 1<<20)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	data, err := l.Stores.Unseal(ctx, SealLabel, sealed)
	if err == nil {
		var s *vaultstore.Session
		if s, err = vaultstore.DecodeSession(data); err == nil {
			return s, sealed, nil
		}
	}
	return nil, sealed, fault.WithHint(fmt.Errorf("%s: %w", l.path(), err), "rhx login again replaces it")
}

// write keeps a login in place of the file as it was read.
func (l *Logins) write(ctx context.Context, old []byte, s *vaultstore.Session) error {
	data, err := s.Encode()
	if err != nil {
		return err
	}
	sealed, err := l.Stores.Seal(ctx, SealLabel, data)
	if err != nil {
		return err
	}
	errs, err := l.Local.Write(ctx, []machine.Change{{Path: filepath.ToSlash(l.path()), Old: old, Data: sealed, Mode: 0o600}})
	return errors.Join(append(errs, err)...)
}

// Login logs in by how, and keeps the token in place of the one before. store is
// the URL of the store that was asked for; "" where it is chosen later.
func (l *Logins) Login(ctx context.Context, getenv func(string) string, how vaultstore.Login, store string) (*vaultstore.Session, error) {
	s, err := vaultstore.Authenticate(ctx, vaultstore.Options{Getenv: getenv, Warn: l.warnOnce}, how)
	if err != nil {
		return nil, err
	}
	old, sealed, err := l.Read(ctx)
	if err != nil {
		l.Warn("the login before is replaced: " + err.Error())
	}
	if err := l.write(ctx, sealed, s); err != nil {
		if s.Method != "token" {
			_ = s.Revoke(ctx, getenv)
		}
		return nil, fmt.Errorf("keep the token: %w", err)
	}
	// A token that somebody made elsewhere and brought along may be in use there.
	if old != nil && old.Token != s.Token && old.Method != "token" {
		bounded, cancel := context.WithTimeout(ctx, RevokeTimeout)
		_ = old.Revoke(bounded, l.vars()) // the server may be gone, and the token ends by itself
		cancel()
	}
	// The login is noted before a store is chosen: it is done, whatever follows.
	return s, l.Choose(ctx, getenv, s, store)
}

// Choose notes the store of a login in config.yaml, and has all that follows use it.
func (l *Logins) Choose(ctx context.Context, getenv func(string) string, s *vaultstore.Session, store string) error {
	server := config.Vault{Address: s.Address, Namespace: s.Namespace}
	if ca := getenv("VAULT_CACERT"); ca != "" {
		var err error
		if server.CACert, err = filepath.Abs(ca); err != nil {
			return err
		}
	}
	if err := config.SetLogin(ctx, l.Stores.Dirs, l.Local, store, server); err != nil {
		return err
	}
	if store != "" {
		l.Stores.Use(store)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = s.Getenv(getenv)
	l.Stores.Changed() // it is another now
	return nil
}

// StoreFor returns the store for the commands after a login: the one before, or an
// engine that the login may use. ask, where it is not nil, is asked which one of
// several; usual is what it may answer with "", and it may be "" itself.
func (l *Logins) StoreFor(ctx context.Context, getenv func(string) string, s *vaultstore.Session, before *config.Config, ask func(engines []string, usual string) (string, error)) (string, error) {
	if strings.HasPrefix(before.Store, vaultstore.Scheme) && (before.Vault.Address == "" || vaultstore.SameServer(before.Vault.Address, s.Address)) {
		return before.Store, nil
	}
	engines, err := s.Engines(ctx, getenv)
	if err != nil {
		return "", fault.WithHint(fmt.Errorf("which stores this login may use: %w", err), "you are logged in; rhx login --store vault://MOUNT/PREFIX names the store")
	}
	usual := ""
	if len(engines) == 1 {
		usual = engines[0]
	} else if slices.Contains(engines, vaultstore.Scheme+"secret") {
		usual = vaultstore.Scheme + "secret"
	}
	if ask != nil && len(engines) != 1 {
		answer, err := ask(engines, usual)
		if err != nil {
			return "", err
		}
		if answer = strings.TrimSpace(answer); answer != "" {
			usual = answer
			if !strings.HasPrefix(usual, vaultstore.Scheme) {
				usual = vaultstore.Scheme + strings.Trim(usual, "/")
			}
			if err := vaultstore.CheckURL(usual); err != nil {
				return "", err
			}
		}
	}
	switch {
	case usual != "":
		return usual, nil
	case len(engines) == 0:
		return "", fault.WithHint(errors.New("you are logged in, but this login sees no kv engine to keep secrets in"),
			"name the store: rhx login --store vault://MOUNT/PREFIX")
	}
	return "", fault.WithHint(errors.New("you are logged in, but which store is meant is not clear"),
		"name it: rhx login --store "+strings.Join(engines, ", or "))
}

// Open opens a store in HashiCorp Vault, and renews the login that it uses where its
// end is near, beside the command's own work.
func (l *Logins) Open(url string) (store.Store, error) {
	getenv, err := l.Env()
	if err != nil {
		return nil, err
	}
	var sealed []byte
	st, err := vaultstore.Open(vaultstore.Options{URL: url, Getenv: getenv, Home: l.Home, Warn: l.warnOnce, Login: func() (s *vaultstore.Session, err error) {
		s, sealed, err = l.Read(context.Background())
		return s, err
	}})
	if err != nil {
		return nil, err // and not a nil *vaultstore.Store, which is no nil store.Store
	}
	if s := st.LoginDue(); s != nil {
		ctx, cancel := context.WithTimeout(context.Background(), renewTimeout)
		l.background.Go(func() {
			defer cancel()
			renewed, err := s.Renew(ctx, getenv)
			if err == nil {
				// Not over a new login, nor after a logout.
				err = l.write(ctx, sealed, renewed)
			}
			if err != nil {
				l.Note("the token of rhx login was not renewed: %v", err)
			}
		})
	}
	return st, nil
}

// Wait waits, within bounds, for what goes on beside the command.
func (l *Logins) Wait() { l.background.Wait() }

// Unwrap returns the secret that a wrapping token stands for.
func (l *Logins) Unwrap(ctx context.Context, name string, token secret.Value) (*store.Record, error) {
	getenv, err := l.Env()
	if err != nil {
		return nil, err
	}
	return vaultstore.Unwrap(ctx, vaultstore.Options{Getenv: getenv, Warn: l.warnOnce}, name, token)
}

// Ended says what became of a token at logout.
type Ended string

// What becomes of a token.
const (
	EndedNone    Ended = "none" // no login was kept
	EndedExpired Ended = "expired"
	EndedRevoked Ended = "revoked"
	EndedRoot    Ended = "deleted" // a root token, which is not revoked
	NotRevoked   Ended = "not revoked"
)

// End revokes the token and deletes it here. The error says why it may still be live.
func (l *Logins) End(ctx context.Context) (Ended, error) {
	s, _, err := l.Read(ctx)
	switch {
	case errors.Is(err, store.ErrDenied):
		// A wrong passphrase: the token can still be revoked later.
		return NotRevoked, &KeptError{fmt.Errorf("the token: %w", err)}
	case err == nil && s == nil:
		return EndedNone, nil
	}
	how, why := NotRevoked, error(nil)
	switch {
	case err != nil:
		why = fmt.Errorf("it could not be revoked, because it cannot be read: %w", err)
	case s.Expired(time.Now()):
		how = EndedExpired
	case s.Root:
		how = EndedRoot
	default:
		if how, why = l.revoke(ctx, s); ctx.Err() != nil {
			return NotRevoked, &KeptError{ctx.Err()}
		}
	}
	if err := os.Remove(l.path()); err != nil {
		return how, &KeptError{err}
	}
	return how, why
}

func (l *Logins) revoke(ctx context.Context, s *vaultstore.Session) (Ended, error) {
	conf, err := l.Stores.Config()
	if err != nil {
		return NotRevoked, err
	}
	bounded, cancel := context.WithTimeout(ctx, RevokeTimeout)
	defer cancel()
	err = s.Revoke(bounded, withServer(Overlay(l.vars(), map[string]string{"VAULT_ADDR": s.Address, "VAULT_AGENT_ADDR": ""}), conf.Vault))
	switch {
	case err == nil:
		return EndedRevoked, nil
	case errors.Is(err, store.ErrDenied):
		return EndedExpired, nil
	}
	until := "it does not expire by itself: revoke it with its accessor"
	if !s.Expires.IsZero() {
		until = "it ends by itself at " + s.Expires.Local().Format("2006-01-02 15:04")
	}
	return NotRevoked, fault.WithHint(fmt.Errorf("it could not be revoked: %w", err), until)
}

// KeptError is an End after which the token is still kept here.
type KeptError struct{ err error }

func (e *KeptError) Error() string { return e.err.Error() }
func (e *KeptError) Unwrap() error { return e.err }
