package agestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"filippo.io/age"
)

// Seal encrypts data to the store's key, which is made where there is none yet.
// rhx keeps so what is secret and no secret of the user's, such as the token of
// a login.
func (s *Store) Seal(ctx context.Context, data []byte) ([]byte, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	k, err := s.keyOrNew(ctx)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, k.recipients...)
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

// Unseal decrypts what Seal returned.
func (s *Store) Unseal(ctx context.Context, sealed []byte) ([]byte, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	k, err := s.unlocked()
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), k.ids...)
	var mismatch *age.NoIdentityMatchError
	if errors.As(err, &mismatch) {
		return nil, fmt.Errorf("it is encrypted to another key than that in %s", filepath.Base(k.path))
	}
	if err != nil {
		return nil, altered(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, altered(err)
	}
	return data, nil
}
