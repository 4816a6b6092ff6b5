package agestore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/secret"
)

// Payload is what is encrypted of a secret: JSON, so that people can use it without
// rhx. A backup has it too. Its values are revealed.
type Payload struct {
	Profile Text            `json:"profile,omitempty"`
	Values  map[string]Text `json:"values"`
	Sources []Source        `json:"sources,omitempty"`
	Expires time.Time       `json:"expires,omitzero"`
}

// Source is a [secret.Source].
type Source struct {
	Kind secret.SourceKind `json:"kind"`
	Path Text              `json:"path,omitempty"`
	Var  Text              `json:"var,omitempty"`
	Own  bool              `json:"own,omitempty"`
}

// Text is any bytes: a JSON string, or {"base64": "..."} where the bytes are
// not UTF-8, which a JSON string would silently change.
type Text string

type base64Text struct {
	Base64 *string `json:"base64"`
}

// MarshalJSON implements [json.Marshaler].
func (t Text) MarshalJSON() ([]byte, error) {
	if !utf8.ValidString(string(t)) {
		s := base64.StdEncoding.EncodeToString([]byte(t))
		return Marshal(base64Text{&s})
	}
	return Marshal(string(t))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Text) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '{' {
		return json.Unmarshal(data, (*string)(t))
	}
	var b base64Text
	if err := json.Unmarshal(data, &b); err != nil {
		return err
	}
	if b.Base64 == nil {
		return errors.New("neither a text nor base64")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(*b.Base64)
	if err != nil {
		return errors.New("damaged base64")
	}
	*t = Text(raw)
	return nil
}

// Marshal is json.Marshal with "<", ">" and "&" left readable, and a line break behind.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// NewPayload reveals all values of s.
func NewPayload(s *secret.Secret) (*Payload, error) {
	p := &Payload{Profile: Text(s.Profile), Values: make(map[string]Text, len(s.Values)), Expires: s.Expires}
	for key, value := range s.Values {
		if !utf8.ValidString(key) {
			return nil, fmt.Errorf("%q: the key %q is not UTF-8", s.Name, key)
		}
		p.Values[key] = Text(value.Reveal())
	}
	for _, src := range s.Sources {
		p.Sources = append(p.Sources, Source{src.Kind, Text(src.Path), Text(src.Var), src.Own})
	}
	return p, nil
}

// Secret is the inverse of [NewPayload]; the secret's name and provider are elsewhere.
func (p *Payload) Secret() *secret.Secret {
	s := &secret.Secret{Profile: string(p.Profile), Values: make(secret.Values, len(p.Values)), Expires: p.Expires}
	for key, value := range p.Values {
		s.Values[key] = secret.NewValue(string(value))
	}
	for _, src := range p.Sources {
		s.Sources = append(s.Sources, secret.Source{Kind: src.Kind, Path: string(src.Path), Var: string(src.Var), Own: src.Own})
	}
	return s
}

func encodePayload(s *secret.Secret) ([]byte, error) {
	p, err := NewPayload(s)
	if err != nil {
		return nil, err
	}
	data, err := Marshal(p)
	if err != nil {
		// Only a time outside the years 0 to 9999 gets here; json's error does
		// not show values, but there is no need to rely on it.
		return nil, fmt.Errorf("%q: its expiry cannot be stored", s.Name)
	}
	return data, nil
}

// decodePayload is the inverse of [encodePayload]. Its error shows nothing of data.
func decodePayload(data []byte) (*secret.Secret, error) {
	var p Payload
	if err := json.Unmarshal(data, &p); err != nil || p.Values == nil {
		return nil, errors.New("what is encrypted in it is not a secret of rhx")
	}
	return p.Secret(), nil
}
