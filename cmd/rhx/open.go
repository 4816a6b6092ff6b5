package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// openStore opens the store that --store, RHX_STORE or config.yaml names, or
// the local one.
func (a *app) openStore(_ context.Context, home string) (store.Store, error) {
	conf, err := a.config()
	if err != nil {
		return nil, err
	}
	url := a.Store
	if url == "" {
		url = conf.Store
	}
	if url == "" {
		url = "local"
	}
	a.note("store: %s", url)
	switch {
	case url == "local":
		return a.localStore()
	case strings.HasPrefix(url, "vault://"):
		return a.openVault(url, home)
	}
	return nil, fault.WithHint(fault.WithKind(fmt.Errorf("unknown store %q", url), fault.Usage), "a store is local, or vault://MOUNT/PREFIX")
}

// localStore opens the store on this machine, whose key also protects the
// token of a login.
func (a *app) localStore() (*agestore.Store, error) {
	a.localLock.Lock()
	defer a.localLock.Unlock()
	if a.local != nil {
		return a.local, nil // it asks for a passphrase once
	}
	conf, err := a.config()
	if err != nil {
		return nil, err
	}
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	identity := a.Getenv("RHX_AGE_IDENTITY")
	if identity == "" {
		identity = conf.Identity
	}
	if rest, ok := strings.CutPrefix(identity, "~/"); ok {
		identity = filepath.Join(home, rest)
	}
	opts := agestore.Options{Dir: a.dirs.Data, Identity: identity, Passphrase: a.passphrase, Warn: a.warn}
	if identity == "passphrase" {
		// rhx's own key, protected by a passphrase from its first use on.
		opts.Identity, opts.NewPassphrase = "", true
	}
	a.local = agestore.Open(opts)
	return a.local, nil
}

// passphrase answers for a key that is protected by one.
func (a *app) passphrase(prompt string) (string, error) {
	if p := a.Getenv("RHX_AGE_PASSPHRASE"); p != "" {
		return p, nil
	}
	a.asking.Lock()
	defer a.asking.Unlock()
	text, err := a.hidden(prompt + ": ")
	if err != nil {
		return "", fault.WithHint(err, "RHX_AGE_PASSPHRASE can hold the passphrase")
	}
	return text, nil
}
