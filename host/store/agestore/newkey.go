package agestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/store"
)

// keyOrNew returns the key to write with, and makes it on first use.
func (s *Store) keyOrNew(ctx context.Context) (*key, error) { return s.keyOrNewFor(ctx, false) }

// keyOrNewFor is keyOrNew also where the store has secrets that are somebody else's.
func (s *Store) keyOrNewFor(ctx context.Context, others bool) (*key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.load()
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	path, own := s.identityPath()
	if !own {
		return nil, s.keyGone(err)
	}
	if held, e := s.holdsSecrets(); e != nil {
		return nil, e
	} else if held && !others {
		// A key is there before the first secret is: if another process has just
		// made both, it is there now.
		if k, err = s.load(); errors.Is(err, fs.ErrNotExist) {
			err = s.keyGone(err)
		}
		return k, err
	}
	fresh, data, err := s.newIdentity(path)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	made := false
	err = s.locked(ctx, func() error {
		// Another process may have been faster, in both respects.
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if held, err := s.holdsSecrets(); err != nil {
			return err
		} else if held && !others {
			return s.keyGone(err)
		}
		made = true
		return s.disk().Write(path, data, 0o600)
	})
	if err != nil {
		return nil, err
	}
	if !made {
		return s.load()
	}
	s.key = fresh
	if s.opt.Made != nil {
		s.opt.Made(path)
	}
	return s.key, nil
}

// newIdentity returns a new key in a file of its own, which a passphrase protects where
// the user wants that.
func (s *Store) newIdentity(path string) (k *key, data []byte, err error) {
	passphrase := ""
	if s.opt.NewPassphrase {
		if passphrase, err = s.asking().Choose("key file", path, "no key was made", s.opt.Weak); err != nil {
			return nil, nil, err
		}
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, nil, err
	}
	plain := identityText(id, time.Now())
	defer clear(plain)
	if data, err = s.protect(path, passphrase, plain); err != nil {
		return nil, nil, err
	}
	k, err = parseIdentities(path, plain)
	if err == nil {
		k.asks, k.passphrase, k.digest = passphrase != "", passphrase, hashFile(data)
	}
	return k, data, err
}

// identityText is the file of a key as age-keygen lays it out.
func identityText(id *age.X25519Identity, now time.Time) []byte {
	return fmt.Appendf(nil, "# created: %s\n# public key: %s\n%s\n", now.UTC().Format(time.RFC3339), id.Recipient(), id)
}

// protect encrypts the file of a key with a passphrase; "" leaves it as it is.
func (s *Store) protect(path, passphrase string, plain []byte) ([]byte, error) {
	if passphrase == "" {
		return bytes.Clone(plain), nil
	}
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	if s.workFactor > 0 {
		r.SetWorkFactor(s.workFactor)
	}
	var b bytes.Buffer
	a := armor.NewWriter(&b)
	w, err := age.Encrypt(a, r)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = a.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt %s: %w", path, err)
	}
	return b.Bytes(), nil
}

// holdsSecrets reports whether there is any version of any secret, deleted or
// not.
func (s *Store) holdsSecrets() (bool, error) {
	folders, err := s.folders()
	if err != nil {
		return false, err
	}
	for _, folder := range folders {
		if vs, err := versions(filepath.Join(s.secrets(), folder)); err != nil || len(vs) > 0 {
			return true, err
		}
	}
	return false, nil
}

// checkRecipients makes sure that a new version gets the key that the others
// have, and keeps the list of keys. The list serves to tell a wrong key early;
// nothing is encrypted to keys that stand in it alone, since whoever can write
// to the folder could add one. Callers hold the lock.
func (s *Store) checkRecipients(k *key) error {
	known, err := s.recorded()
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(k.public), func(p string) bool { return slices.Contains(known, p) })
	if len(missing) == 0 {
		return nil
	}
	if len(known) > 0 && !k.oneOf(known) {
		held, err := s.holdsSecrets()
		if err != nil {
			return err
		}
		if held {
			return s.wrongStore(known, k)
		}
		known = nil // keys of a store that is empty
	}
	return s.writeRecipients(append(known, missing...))
}

// writeRecipients writes the list of public keys.
func (s *Store) writeRecipients(keys []string) error {
	var b strings.Builder
	b.WriteString("# The public keys that the secrets in this folder are encrypted to. rhx\n" +
		"# compares them with your key, and does not encrypt to keys added here.\n")
	for i, key := range keys {
		if !slices.Contains(keys[:i], key) {
			b.WriteString(key + "\n")
		}
	}
	return s.disk().Write(s.recipientsPath(), []byte(b.String()), 0o600)
}

// recorded returns the public keys of the store; none if it has no list.
func (s *Store) recorded() ([]string, error) {
	data, err := ownfile.ReadNoLink(s.recipientsPath(), maxIdentity)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var keys []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if _, err := recipientOf(line); err != nil { // what else it is must not be shown
			return nil, fault.WithHint(fmt.Errorf("%s has a line that is no public key", s.recipientsPath()), "rhx writes the keys there that the secrets are encrypted to. Put it back from a backup.")
		}
		keys = append(keys, line)
	}
	return keys, nil
}

// keyGone is the error for a key file that is not there while the store needs
// it: there may be secrets that only it opens, so none is made in its place.
func (s *Store) keyGone(missing error) error {
	path, own := s.identityPath()
	if !own {
		return fault.WithHint(fmt.Errorf("the key file cannot be read: %w", missing),
			"Name an age identity file or an SSH private key that is there.")
	}
	known, err := s.recorded()
	if err != nil {
		return err
	}
	whose := ""
	if len(known) > 0 {
		whose = " to " + strings.Join(known, ", ")
	}
	return fault.WithHint(
		fault.Mark(fmt.Errorf("the key file %s is missing, and %s holds secrets that are encrypted%s", path, s.root(), whose), store.ErrDenied),
		"Put the key file back from a backup, or name it in RHX_AGE_IDENTITY. If it is lost, so are the secrets: move the folder away to start anew.")
}

// wrongStore is the error for a key that is none of the store's.
func (s *Store) wrongStore(known []string, k *key) error {
	return fault.WithHint(
		fmt.Errorf("the secrets in %s are encrypted to %s, and %s is the key of %s: %w",
			s.root(), strings.Join(known, ", "), k.path, strings.Join(k.public, ", "), store.ErrDenied),
		"Name the key file of the former in RHX_AGE_IDENTITY, or put it back as "+filepath.Join(s.opt.Dir, "identity.txt")+".")
}

// wrongKey is the error for a file that the key does not open.
func (s *Store) wrongKey(path string, k *key) error {
	known, err := s.recorded()
	if err != nil {
		return err
	}
	if len(known) > 0 && !k.oneOf(known) {
		return s.wrongStore(known, k)
	}
	return fault.WithHint(
		fault.Mark(fmt.Errorf("%s does not open with %s, the key of %s", path, k.path, strings.Join(k.public, ", ")), store.ErrDenied),
		"It was encrypted to a key that is not in that file any more, or it was altered. Add the older key to the file, or put the secret back from a backup.")
}
