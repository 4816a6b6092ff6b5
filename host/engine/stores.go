package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"filippo.io/age/plugin"

	"github.com/rhx-dev/rhx/host/agent"
	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// LocalURL is the URL of the store on this machine; VaultScheme begins those of
// stores in Vault.
const (
	LocalURL    = "local"
	VaultScheme = "vault://"
)

// identityCommand is the variable with the command that prints the key of the local store.
const identityCommand = "RHX_AGE_IDENTITY_CMD"

// Stores opens the store that a user means, and the one on this machine, whose key
// also protects the journal and the token of a login.
type Stores struct {
	Dirs   config.Dirs
	Home   string
	Getenv func(string) string
	// OpenVault opens a store in HashiCorp Vault.
	OpenVault  func(url string) (store.Store, error)
	Passphrase func(prompt string) (string, error)
	// Kept returns a passphrase of the key that is kept somewhere, which is tried once, before
	// any other; "" for none. nil: nowhere.
	Kept func() string
	// Given is told each other passphrase that was answered; nil: nobody is.
	Given func(passphrase string)
	// Run runs a command that prints the key, and Plugin is how plugins of age speak with the
	// user.
	Run    func(command string) ([]byte, error)
	Plugin *plugin.ClientUI
	// Weak takes a passphrase for a new key that is guessed easily.
	Weak bool
	// Made and Checking are those of package agestore.
	Made     func(path string)
	Checking func() (end func())
	Warn     func(text string)
	Note     func(format string, args ...any)
	// Noted returns a store whose writes are in the log.
	Noted func(store.Store) store.Store

	// What goroutines ask for, each made by the first that does.
	mu     sync.Mutex
	url    string
	conf   *config.Config
	asking sync.Mutex
	local  *agestore.Store
}

// Use names the store, whatever config.yaml says. It comes before the first Open.
func (s *Stores) Use(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.url = url
}

// URL is that of the store: the one that Use named, that of config.yaml, or the
// local one.
func (s *Stores) URL() (string, error) {
	conf, err := s.Config()
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.url != "":
		return s.url, nil
	case conf.Store != "":
		return conf.Store, nil
	}
	return LocalURL, nil
}

// Config returns config.yaml, read once.
func (s *Stores) Config() (*config.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conf == nil {
		c, err := config.Load(s.Dirs)
		if err != nil {
			return nil, err
		}
		s.conf = c
	}
	return s.conf, nil
}

// Changed has config.yaml read again.
func (s *Stores) Changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conf = nil
}

// Open opens the store.
func (s *Stores) Open(context.Context) (store.Store, error) {
	url, err := s.URL()
	if err != nil {
		return nil, err
	}
	s.Note("store: %s", url)
	return s.OpenURL(url)
}

// OpenURL opens a store by its URL.
func (s *Stores) OpenURL(url string) (store.Store, error) {
	var st store.Store
	var err error
	switch {
	case url == LocalURL:
		st, err = s.Local()
	case strings.HasPrefix(url, VaultScheme):
		st, err = s.OpenVault(url)
	default:
		err = unknownStore(url)
	}
	if err != nil {
		return nil, err
	}
	return s.Noted(st), nil
}

func unknownStore(url string) error {
	return fault.WithHint(fault.WithKind(fmt.Errorf("unknown store %q", url), fault.Usage), "a store is local, or vault://MOUNT/PREFIX")
}

// Local opens the store on this machine. Its writes are not in the log.
func (s *Stores) Local() (*agestore.Store, error) {
	conf, err := s.Config()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.local != nil {
		return s.local, nil // it asks for a passphrase once
	}
	identity := s.identity(conf)
	opts := agestore.Options{
		Dir: s.Dirs.Data, Identity: identity, Passphrase: s.passphrase, Warn: s.Warn, Made: s.Made, Checking: s.Checking,
		Agent: s.Agent(), Plugin: s.Plugin,
	}
	if text := s.Getenv(identityCommand); text != "" && s.Run != nil {
		opts.Command = &agestore.Command{Name: identityCommand, Text: text, Run: func() ([]byte, error) { return s.Run(text) }}
	}
	if identity == "passphrase" {
		// rhx's own key, protected by a passphrase from its first use on.
		opts.Identity, opts.NewPassphrase = "", true
		opts.Weak = s.Weak
	}
	s.local = agestore.Open(opts)
	return s.local, nil
}

// Agent speaks to the agent of this user.
func (s *Stores) Agent() *agent.Client {
	return s.AgentIn(s.AgentDir)
}

// AgentIn speaks to the agent of a folder.
func (s *Stores) AgentIn(dir func() string) *agent.Client {
	return agent.NewClient(dir, s.Warn)
}

// AgentDir is the folder of the agent's socket.
func (s *Stores) AgentDir() string { return agent.Dir(s.Getenv, s.Dirs.State) }

// AgentDirs are all folders in which an agent over the same files may be.
func (s *Stores) AgentDirs() []string { return agent.Dirs(s.Getenv, s.Dirs.State) }

// identity is the key that is chosen for the local store: a file, "passphrase", or "" for
// rhx's own.
func (s *Stores) identity(conf *config.Config) string {
	identity := s.Getenv("RHX_AGE_IDENTITY")
	if identity == "" {
		identity = conf.Identity
	}
	if rest, ok := strings.CutPrefix(identity, "~/"); ok {
		identity = filepath.Join(s.Home, rest)
	}
	return identity
}

// IdentityFile is the file of the key that is chosen for the local store; "" for rhx's
// own.
func (s *Stores) IdentityFile() (string, error) {
	conf, err := s.Config()
	if err != nil {
		return "", err
	}
	return s.identity(conf), nil
}

// passphrase answers for a key that is protected by one.
func (s *Stores) passphrase(prompt string) (string, error) {
	if kept := s.Kept; kept != nil {
		s.Kept = nil
		if p := kept(); p != "" {
			return p, nil
		}
	}
	p, err := s.answer(prompt, "RHX_AGE_PASSPHRASE", "RHX_AGE_PASSPHRASE can hold the passphrase, and rhx unlock asks for it once for hours")
	if err == nil && s.Given != nil {
		s.Given(p)
	}
	return p, err
}

// backupPassphrase answers for a backup that is protected by one.
func (s *Stores) backupPassphrase(prompt string) (string, error) {
	return s.answer(prompt, "RHX_BACKUP_PASSPHRASE", "RHX_BACKUP_PASSPHRASE can hold the passphrase")
}

// checking calls Checking, which is set late.
func (s *Stores) checking() (end func()) {
	if s.Checking == nil {
		return func() {}
	}
	return s.Checking()
}

// answer is what a variable holds, or else a person says.
func (s *Stores) answer(prompt, variable, hint string) (string, error) {
	if p := s.Getenv(variable); p != "" {
		return p, nil
	}
	err := fault.Unasked(errors.New("there is nobody to ask for the passphrase"))
	text := ""
	if s.Passphrase != nil {
		s.asking.Lock()
		defer s.asking.Unlock()
		text, err = s.Passphrase(prompt)
	}
	if err != nil {
		return "", fault.WithHint(err, hint)
	}
	return text, nil
}

// Seal encrypts for this user alone, with the key of the local store; see
// [agestore.Store.Seal].
func (s *Stores) Seal(ctx context.Context, label string, data []byte) ([]byte, error) {
	local, err := s.Local()
	if err != nil {
		return nil, err
	}
	return local.Seal(ctx, label, data)
}

// Unseal decrypts what Seal gave for the same label.
func (s *Stores) Unseal(ctx context.Context, label string, sealed []byte) ([]byte, error) {
	local, err := s.Local()
	if err != nil {
		return nil, err
	}
	return local.Unseal(ctx, label, sealed)
}

// Derive makes a key for a purpose out of that of the local store.
func (s *Stores) Derive(ctx context.Context, purpose string) ([]byte, error) {
	local, err := s.Local()
	if err != nil {
		return nil, err
	}
	return local.Derive(ctx, purpose)
}

// DeriveAll makes keys for a purpose out of all of the local store's; see
// [agestore.Store.DeriveAll].
func (s *Stores) DeriveAll(ctx context.Context, purpose string, ask bool) ([][]byte, error) {
	local, err := s.Local()
	if err != nil {
		return nil, err
	}
	return local.DeriveAll(ctx, purpose, ask)
}
