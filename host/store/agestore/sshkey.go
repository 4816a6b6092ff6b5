package agestore

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/ownfile"
)

// parseSSH reads an SSH private key. The passphrase of an encrypted one is
// asked for only when something is to be decrypted.
func (s *Store) parseSSH(path string, file []byte) (*key, error) {
	raw, err := ssh.ParseRawPrivateKey(file)
	if err == nil {
		id, root, pub, err := sshIdentity(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		k, err := sshKey(path, pub)
		if err != nil {
			return nil, err
		}
		k.unlock(id, root, string(file))
		return k, nil
	}
	missing := new(ssh.PassphraseMissingError)
	if !errors.As(err, &missing) {
		return nil, fmt.Errorf("%s is not a private key that rhx can read: %w", path, err)
	}
	pub := missing.PublicKey
	if pub == nil {
		if pub, err = publicFile(path + ".pub"); err != nil {
			return nil, err
		}
	}
	k, err := sshKey(path, pub)
	if err != nil {
		return nil, err
	}
	k.asks = true
	k.open = func(k *key) error { return s.openSSH(k, file, pub) }
	return k, nil
}

// openSSH decrypts an SSH private key whose public half is pub.
func (s *Store) openSSH(k *key, file []byte, pub ssh.PublicKey) error {
	path := k.path
	return s.asking().Open("key", path, func(passphrase string) (bool, error) {
		raw, err := ssh.ParseRawPrivateKeyWithPassphrase(file, []byte(passphrase))
		if errors.Is(err, x509.IncorrectPasswordError) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("%s is not a private key that rhx can read: %w", path, err)
		}
		id, root, own, err := sshIdentity(raw)
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		if string(own.Marshal()) != string(pub.Marshal()) {
			return false, fmt.Errorf("%s and its public key do not belong together", path)
		}
		open, err := ssh.MarshalPrivateKey(raw, "")
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		k.unlock(id, root, string(pem.EncodeToMemory(open)))
		return true, nil
	})
}

// sshKey returns a key without its private half.
func sshKey(path string, pub ssh.PublicKey) (*key, error) {
	var (
		r   age.Recipient
		err error
	)
	switch pub.Type() {
	case ssh.KeyAlgoED25519:
		r, err = agessh.NewEd25519Recipient(pub)
	case ssh.KeyAlgoRSA:
		r, err = agessh.NewRSARecipient(pub)
	default:
		err = unsupported(pub.Type())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	k := &key{path: path}
	k.add(r, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub))))
	return k, nil
}

// sshIdentity returns a private key as age takes it, the bytes of it that nobody
// else knows, and its public half.
func sshIdentity(raw any) (id age.Identity, root []byte, pub ssh.PublicKey, err error) {
	signer, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		return nil, nil, nil, err
	}
	// ssh returns the one or the other, depending on the file's format.
	if p, ok := raw.(*ed25519.PrivateKey); ok {
		raw = *p
	}
	switch raw := raw.(type) {
	case ed25519.PrivateKey:
		root = raw.Seed()
		id, err = agessh.NewEd25519Identity(raw)
	case *rsa.PrivateKey:
		root = raw.D.Bytes()
		id, err = agessh.NewRSAIdentity(raw)
	default:
		err = unsupported(signer.PublicKey().Type())
	}
	return id, root, signer.PublicKey(), err
}

func unsupported(keyType string) error {
	return fmt.Errorf("only Ed25519 and RSA keys of SSH can decrypt, and this one is %s", keyType)
}

// publicFile reads the public key beside a private key in a format that has
// none of its own.
func publicFile(path string) (ssh.PublicKey, error) {
	data, err := ownfile.Read(path, maxIdentity)
	if err != nil {
		return nil, fmt.Errorf("this encrypted private key needs its public key: %w", err)
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return pub, nil
}
