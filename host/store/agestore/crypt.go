package agestore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// maxFile is how long the file of a version may be in bytes.
const maxFile = 64 << 20

// encodeFile returns the file of one version: plain, as [encodePayload] returns
// it, encrypted to all of to, under a header that says what it is.
func encodeFile(i store.Info, plain []byte, to []age.Recipient) ([]byte, error) {
	return encodeBound(i, plain, to)
}

// encodeBound is encodeFile with more arguments in the header.
func encodeBound(i store.Info, plain []byte, to []age.Recipient, args ...string) ([]byte, error) {
	stanza, err := infoStanza(i)
	if err != nil {
		return nil, err
	}
	stanza.Args = append(stanza.Args, args...)
	var b bytes.Buffer
	w, err := age.Encrypt(&b, &described{stanza, to})
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt %q: %w", i.Name, err)
	}
	if b.Len() > maxFile {
		const mib = 1 << 20
		return nil, fmt.Errorf("%q has %d MiB in the form in which it is stored, where some bytes take up to six; a secret may have %d MiB there",
			i.Name, (b.Len()+mib-1)/mib, maxFile/mib)
	}
	return b.Bytes(), nil
}

// decodeFile decrypts a file of the store. The header that it returns is
// proven to be the one the file was written with.
func decodeFile(data []byte, ids []age.Identity) (store.Info, *secret.Secret, error) {
	by := &witness{ids: ids}
	r, err := age.Decrypt(bytes.NewReader(data), by)
	if err != nil {
		return store.Info{}, nil, altered(err)
	}
	plain, err := io.ReadAll(r)
	// This clears one copy of several: the decoded values are strings, which
	// Go cannot clear.
	defer clear(plain)
	if err != nil {
		return store.Info{}, nil, altered(err)
	}
	if len(by.stanzas) == 0 {
		return store.Info{}, nil, errors.New("its header is damaged")
	}
	info, err := parseStanza(by.stanzas[0].Type, by.stanzas[0].Args)
	if err != nil {
		return store.Info{}, nil, err
	}
	s, err := decodePayload(plain)
	if err != nil {
		return store.Info{}, nil, err
	}
	s.Name, s.Provider = info.Name, info.Provider
	return info, s, nil
}

func altered(err error) error {
	if of := (*keyError)(nil); errors.As(err, &of) {
		return err
	}
	return fmt.Errorf("the file was altered or is damaged: %w", err)
}

// keyError is an error of what has the key, and not of the file that is to be opened.
type keyError struct{ error }

func (e *keyError) Unwrap() error { return e.error }

// ofKey marks an error of what has the key.
func ofKey(err error) error {
	if err == nil || errors.Is(err, age.ErrIncorrectIdentity) {
		return err
	}
	return &keyError{err}
}

// described is a recipient that stands for all of to and puts info before
// their stanzas. The type is unknown to every identity, so it opens nothing.
type described struct {
	info *age.Stanza
	to   []age.Recipient
}

// Wrap implements [age.Recipient].
func (d *described) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	stanzas, _, err := d.WrapWithLabels(fileKey)
	return stanzas, err
}

// WrapWithLabels implements [age.RecipientWithLabels].
func (d *described) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	stanzas := []*age.Stanza{d.info}
	var first []string
	for i, r := range d.to {
		var (
			more   []*age.Stanza
			labels []string
			err    error
		)
		if l, ok := r.(age.RecipientWithLabels); ok {
			more, labels, err = l.WrapWithLabels(fileKey)
		} else {
			more, err = r.Wrap(fileKey)
		}
		if err != nil {
			return nil, nil, err
		}
		slices.Sort(labels)
		if i == 0 {
			first = labels
		} else if !slices.Equal(first, labels) {
			return nil, nil, errors.New("a key that withstands quantum computers cannot be used together with one that does not")
		}
		stanzas = append(stanzas, more...)
	}
	if len(stanzas) == 1 {
		return nil, nil, errors.New("there is no key to encrypt to")
	}
	return stanzas, first, nil
}

// witness is an identity that remembers the header it was shown. age.Decrypt
// returns without error only if the header's MAC is right.
type witness struct {
	ids     []age.Identity
	stanzas []*age.Stanza
}

// Unwrap implements [age.Identity].
func (w *witness) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	w.stanzas = stanzas
	for _, id := range w.ids {
		fileKey, err := id.Unwrap(stanzas)
		if !errors.Is(err, age.ErrIncorrectIdentity) {
			return fileKey, err
		}
	}
	return nil, age.ErrIncorrectIdentity
}
