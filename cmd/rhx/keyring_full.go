//go:build !slim

package main

import (
	"errors"

	gokeyring "github.com/zalando/go-keyring"
)

// keyringService is the name by which the keyring knows what is rhx's.
const keyringService = "rhx"

// entry is one of the keyring, by the path of a key.
type entry string

// openKeyring opens the system's keyring.
func (a *app) openKeyring(path string) (keyring, error) { return entry(path), nil }

func (e entry) Get() (string, error) {
	text, err := gokeyring.Get(keyringService, string(e))
	if errors.Is(err, gokeyring.ErrNotFound) {
		return "", nil
	}
	return text, err
}

func (e entry) Set(passphrase string) error {
	return gokeyring.Set(keyringService, string(e), passphrase)
}

func (e entry) Remove() error { return gokeyring.Delete(keyringService, string(e)) }
