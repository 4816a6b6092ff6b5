package agestore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/store"
)

// maxIdentity is how long an identity file may be in bytes.
const maxIdentity = 1 << 20

// key is what an identity file holds.
type key struct {
	path       string
	recipients []age.Recipient
	// public are the recipients as text.
	public []string
	// ids are the private keys, and roots the bytes that Derive makes others of;
	// nil while a passphrase is missing, then open asks for it and adds them. Only
	// SSH keys show their public half before.
	ids   []age.Identity
	roots [][]byte
	open  func(*key) error
	// plugins are those of ids that a plugin has.
	plugins []age.Identity
	// remote is set where an agent holds the private keys: ids is that, and there are no
	// roots and texts.
	remote *remote
	// texts are the private keys as a file has them without a passphrase.
	texts []string
	// digest is that of the file.
	digest string
	// asks: the key has a passphrase, which is this where it is the file's of age.
	asks       bool
	passphrase string
}

// load returns the key, which may still need its passphrase for reading.
// Callers hold s.mu.
func (s *Store) load() (*key, error) {
	if s.deny != nil {
		return nil, s.deny
	}
	if s.key != nil {
		return s.key, nil
	}
	path, _ := s.identityPath()
	if k := s.printedHeld(); k != nil {
		s.key = k
		return k, nil
	}
	data, err := s.readIdentity(path)
	if err != nil {
		if errors.Is(err, store.ErrDenied) {
			s.deny = err
		}
		return nil, err
	}
	defer clear(data)
	k, err := s.keyIn(path, data)
	if err != nil {
		if errors.Is(err, store.ErrDenied) {
			s.deny = err
		}
		return nil, err
	}
	s.key = k
	return k, nil
}

// keyIn returns the key in a file: from the agent where it has a passphrase and that holds
// it, else as it is read.
func (s *Store) keyIn(path string, data []byte) (*key, error) {
	if encrypted(data) {
		if k := s.held(path, data); k != nil {
			return k, nil
		}
	}
	k, err := s.parseKey(path, data)
	if err != nil {
		return nil, err
	}
	k.digest = hashFile(data)
	k.asks = k.asks || s.opt.Command != nil // which may ask, too
	if k.ids == nil {
		if held := s.held(path, data); held.fits(k) {
			held.ids = append(held.ids, k.plugins...)
			return held, nil
		}
	}
	return k, nil
}

// ready returns the key with its private half if it is there and that takes no
// passphrase, since it has none or an agent holds it; nil else.
func (s *Store) ready() (*key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key == nil && s.deny == nil && s.opt.Command != nil {
		s.key = s.printedHeld()
		return s.key, nil
	}
	if s.key == nil && s.deny == nil {
		path, _ := s.identityPath()
		data, err := s.readIdentity(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		defer clear(data)
		if encrypted(data) {
			s.key = s.held(path, data)
			return s.key, nil
		}
		k, err := s.keyIn(path, data)
		if err != nil {
			return nil, err
		}
		s.key = k
	}
	if s.key == nil || s.key.ids == nil {
		return nil, nil
	}
	return s.key, nil
}

// changed returns an error where the key file is not the one that k was read from, as
// after a rekey by another process. Callers hold the lock of the store.
func (s *Store) changed(k *key) error {
	if s.opt.Command != nil && k.path == s.opt.Command.Name {
		return nil // it runs once
	}
	data, err := s.readIdentity(k.path)
	if err != nil {
		return err
	}
	defer clear(data)
	if hashFile(data) == k.digest {
		return nil
	}
	return fault.WithHint(fault.Mark(fmt.Errorf("another process has changed the key %s meanwhile", k.path), errKeyChanged), "Run the command again.")
}

// errKeyChanged is the kind of error of changed.
var errKeyChanged = errors.New("the key was changed")

// use has k be the key from now on; nil has it read anew.
func (s *Store) use(k *key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = k
}

// encrypted reports whether data is an identity file with a passphrase, by age.
func encrypted(data []byte) bool {
	return bytes.HasPrefix(data, []byte(ageIntro)) || bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte(armor.Header))
}

// unlocked returns the key with its private half.
func (s *Store) unlocked() (*key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.keyGone(err)
	}
	if err != nil {
		return nil, err
	}
	if k.ids == nil {
		// Nobody should type a passphrase for a key that does not fit.
		if known, err := s.recorded(); err != nil {
			return nil, err
		} else if len(known) > 0 && !k.oneOf(known) {
			return nil, s.wrongStore(known, k)
		}
		if err := k.open(k); err != nil {
			if errors.Is(err, store.ErrDenied) {
				s.deny = err
			}
			return nil, err
		}
		k.open = nil
	}
	return k, nil
}

func (s *Store) readIdentity(path string) ([]byte, error) {
	if s.opt.Command != nil && path == s.opt.Command.Name {
		return s.printed()
	}
	f, err := ownfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := st.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		s.warnOnce("other users can read the key %s (mode %04o): chmod 600 it", path, mode)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxIdentity+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxIdentity {
		return nil, fmt.Errorf("%s: too long for a key", path)
	}
	return data, nil
}

// printed is what the command has printed, which runs once.
func (s *Store) printed() ([]byte, error) {
	if s.said == nil {
		data, err := s.opt.Command.Run()
		if err != nil {
			return nil, fault.Mark(fmt.Errorf("the key by %s: %w", s.opt.Command.Name, err), store.ErrDenied)
		}
		s.said = data
	}
	return bytes.Clone(s.said), nil
}

// parseKey finds out what kind of key data is. Its errors show nothing of it.
func (s *Store) parseKey(path string, data []byte) (*key, error) {
	text := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case bytes.HasPrefix(data, []byte(ageIntro)):
		return s.decryptIdentity(path, func() io.Reader { return bytes.NewReader(data) })
	case bytes.HasPrefix(text, []byte(armor.Header)):
		return s.decryptIdentity(path, func() io.Reader { return armor.NewReader(bytes.NewReader(text)) })
	case bytes.HasPrefix(text, []byte("-----BEGIN")):
		return s.parseSSH(path, bytes.Clone(text))
	}
	return s.parseAge(path, data)
}

// parseAge reads an age identity file, which may have keys of plugins.
func (s *Store) parseAge(path string, data []byte) (*key, error) {
	if hasPlugins(data) {
		return s.parsePlugins(path, data)
	}
	return parseIdentities(path, data)
}

// parseIdentities reads an age identity file.
func parseIdentities(path string, data []byte) (*key, error) {
	ids, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		// The error of age may hold a character of the key.
		return nil, fault.WithHint(
			fmt.Errorf("%s is not a key that rhx can read%s", path, whatItIs(data)),
			"Use a file made by age-keygen, or an Ed25519 or RSA private key of SSH.")
	}
	k := &key{path: path}
	for _, id := range ids {
		switch id := id.(type) {
		case *age.X25519Identity:
			k.add(id.Recipient(), id.Recipient().String())
			k.unlock(id, []byte(id.String()), id.String())
		case *age.HybridIdentity:
			k.add(id.Recipient(), id.Recipient().String())
			k.unlock(id, []byte(id.String()), id.String())
		default:
			return nil, fmt.Errorf("%s has a kind of key that rhx does not know", path)
		}
	}
	return k, nil
}

func (k *key) add(r age.Recipient, public string) {
	k.recipients = append(k.recipients, r)
	k.public = append(k.public, public)
}

// oneOf reports whether one of k's public keys is in known.
func (k *key) oneOf(known []string) bool {
	return slices.ContainsFunc(k.public, func(p string) bool { return slices.Contains(known, p) })
}

// whatItIs names the mistakes that are easily made.
func whatItIs(data []byte) string {
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "age1"), strings.HasPrefix(line, "ssh-"), strings.HasPrefix(line, "ecdsa-"):
			return ": it is a public key, and the private one is needed"
		}
		return ""
	}
	return ": it is empty"
}

// maxWorkFactor bounds the work of a passphrase when a file is opened: 1 GiB of memory
// and some seconds. age itself writes 18, and would take 22 of any file.
const maxWorkFactor = 20

// PassphraseIdentity opens what is encrypted with a passphrase, as far as that takes no
// more memory than rhx gives it.
func PassphraseIdentity(passphrase string) (*age.ScryptIdentity, error) {
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	id.SetMaxWorkFactor(maxWorkFactor)
	return id, nil
}

// decryptIdentity reads an identity file that is encrypted with a passphrase.
// open returns it from its beginning.
func (s *Store) decryptIdentity(path string, open func() io.Reader) (*key, error) {
	var k *key
	err := s.asking().Open("key", path, func(passphrase string) (bool, error) {
		id, err := PassphraseIdentity(passphrase)
		if err != nil {
			return false, err
		}
		r, err := age.Decrypt(open(), id)
		if mismatch := new(age.NoIdentityMatchError); errors.As(err, &mismatch) {
			if len(mismatch.StanzaTypes) != 1 || mismatch.StanzaTypes[0] != "scrypt" {
				return false, fmt.Errorf("%s is encrypted, but not with a passphrase", path)
			}
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, altered(err))
		}
		data, err := io.ReadAll(io.LimitReader(r, maxIdentity))
		defer clear(data)
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, altered(err))
		}
		if k, err = s.parseAge(path, data); err != nil {
			return false, err
		}
		k.asks, k.passphrase = true, passphrase
		return true, nil
	})
	return k, err
}
