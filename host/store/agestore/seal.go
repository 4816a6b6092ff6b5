package agestore

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
)

// sealIntro begins what is encrypted in a sealed file. A MAC and a line break
// follow, and then the data.
const sealIntro = "rhx-sealed 1 "

// ErrNotSealed is the error for a file that rhx has not sealed with this user's key,
// or not for the place where it was found.
var ErrNotSealed = errors.New("it was not sealed by your rhx for this place: somebody else, or a rhx before version 1, wrote it")

// Seal encrypts data to the store's key, which is made where there is none yet, with
// a proof that who did so has the private key. rhx keeps so what is not a secret of
// the user's and yet nobody else's to read or to write, such as the token of a login.
//
// label says what the data is and where it is kept. Unseal with another label
// fails, so that no sealed file can be put in the place of another.
func (s *Store) Seal(ctx context.Context, label string, data []byte) ([]byte, error) {
	k, err := s.private(ctx)
	if err != nil {
		return nil, err
	}
	return k.seal(label, data)
}

func (k *key) seal(label string, data []byte) ([]byte, error) {
	keys, err := k.derive("seal")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, k.recipients...)
	if err == nil {
		_, err = io.WriteString(w, sealIntro+hex.EncodeToString(sealMAC(keys[0], label, data))+"\n")
	}
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt with %s: %w", k.path, err)
	}
	return b.Bytes(), nil
}

// Unseal decrypts what Seal returned for the same label.
func (s *Store) Unseal(ctx context.Context, label string, sealed []byte) ([]byte, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	k, err := s.unlocked()
	if err != nil {
		return nil, err
	}
	data, err := k.unseal(label, sealed)
	if err == nil {
		return data, nil
	}
	old, retiredErr := s.retired(k)
	if retiredErr != nil {
		return nil, errors.Join(err, retiredErr)
	}
	for _, o := range old {
		if data, err := o.unseal(label, sealed); err == nil {
			return data, nil
		}
	}
	return nil, err
}

func (k *key) unseal(label string, sealed []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), k.ids...)
	var mismatch *age.NoIdentityMatchError
	if errors.As(err, &mismatch) {
		return nil, fmt.Errorf("it is encrypted to another key than that in %s", filepath.Base(k.path))
	}
	if err != nil {
		return nil, altered(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, altered(err)
	}
	line, data, ok := bytes.Cut(plain, []byte("\n"))
	proof, ours := strings.CutPrefix(string(line), sealIntro)
	if ok && !ours && strings.HasPrefix(string(line), "rhx-sealed ") {
		return nil, fault.WithHint(errors.New("a newer rhx wrote it"), "use that rhx, or a newer one")
	}
	mac, err := hex.DecodeString(proof)
	if !ok || !ours || err != nil {
		return nil, ErrNotSealed
	}
	keys, err := k.derive("seal")
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if hmac.Equal(mac, sealMAC(key, label, data)) {
			return data, nil
		}
	}
	return nil, ErrNotSealed
}

func sealMAC(key []byte, label string, data []byte) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%d:%s:", len(label), label) // it never fails
	mac.Write(data)
	return mac.Sum(nil)
}

// Derive returns a key of 32 bytes for a purpose: the same each time, and known to
// nobody who has not the store's private key. The store's key is made where there is
// none yet. It is the first of a file with several: a new one gives other keys.
func (s *Store) Derive(ctx context.Context, purpose string) ([]byte, error) {
	k, err := s.private(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := k.derive(purpose)
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

// DeriveAll is Derive for every key of a file with several, in their order, and then for
// those from before the last Rekey. It makes
// no key: where there is none, none are derived, and likewise where one waits for its
// passphrase and ask is false.
func (s *Store) DeriveAll(ctx context.Context, purpose string, ask bool) ([][]byte, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if has, err := s.hasKey(); err == nil && !has {
		return nil, nil
	}
	open := s.ready
	if ask {
		open = s.unlocked
	}
	k, err := open()
	if err != nil || k == nil {
		return nil, err
	}
	old, err := s.retired(k)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, k := range append([]*key{k}, old...) {
		derived, err := k.derive(purpose)
		if err != nil {
			return nil, err
		}
		out = append(out, derived...)
	}
	return out, nil
}

// derive makes a key out of a private one. Neither tells anything of the other, nor
// of those for other purposes.
func derive(root []byte, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, root, nil, "github.com/rhx-dev/rhx/v1 "+purpose, 32)
}

// private returns the key with its private half; it is made where there is none.
func (s *Store) private(ctx context.Context) (*key, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if _, err := s.keyOrNew(ctx); err != nil {
		return nil, err
	}
	return s.unlocked()
}

// unlock adds a private key, the bytes of it that other keys are derived from, and its
// text.
func (k *key) unlock(id age.Identity, root []byte, text string) {
	k.ids = append(k.ids, id)
	k.roots = append(k.roots, slices.Clone(root))
	k.texts = append(k.texts, text)
}
