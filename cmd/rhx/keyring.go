package main

import (
	"fmt"
	"os"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
)

// keyring is the place for one passphrase in the system's keyring.
type keyring interface {
	// Get returns it; "" for none.
	Get() (string, error)
	Set(passphrase string) error
	Remove() error
}

// ring takes the passphrase of a key from the keyring, and keeps there what was typed.
type ring struct {
	keyring
	had, typed string
}

// ring has the passphrase of the key at a path be that of the keyring.
func (a *app) ring(e *engine.Engine, path string) (*ring, error) {
	open, err := a.openKeyring(path)
	if err != nil {
		return nil, err
	}
	r := &ring{keyring: open}
	// The keyring may ask its user something first.
	defer term.OnStop(func() { os.Exit(130) })()
	if r.had, err = r.Get(); err != nil {
		return nil, fault.WithHint(fmt.Errorf("the system's keyring: %w", err), "On Linux it needs a session bus with a Secret Service, such as that of GNOME or KeePassXC.")
	}
	e.Stores.Kept = func() string { return r.had }
	e.Stores.Given = func(passphrase string) { r.typed = passphrase }
	return r, nil
}

// keep keeps the passphrase that was right.
func (r *ring) keep() error {
	if r == nil || r.typed == "" {
		return nil
	}
	if err := r.Set(r.typed); err != nil {
		return fmt.Errorf("keep the passphrase in the system's keyring: %w", err)
	}
	return nil
}

// remove takes it out.
func (r *ring) remove() error {
	if r.had == "" {
		return nil
	}
	if err := r.Remove(); err != nil {
		return fmt.Errorf("take the passphrase out of the system's keyring: %w", err)
	}
	return nil
}
