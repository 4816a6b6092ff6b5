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

// payload is what is encrypted: JSON, so that people can use it without rhx.
type payload struct {
	Profile text            `json:"profile,omitempty"`
	Values  map[string]text `json:"values"`
	Sources []source        `json:"sources,omitempty"`
	Expires time.Time       `json:"expires,omitzero"`
}

type source struct {
	Kind secret.SourceKind `json:"kind"`
	Path text              `json:"path,omitempty"`
	Var  text              `json:"var,omitempty"`
	Own  bool              `json:"own,omitempty"`
}

// text is any bytes: a JSON string, or {"base64": "..."} where the bytes are
// not UTF-8, which a JSON string would silently change.
type text string

type base64Text struct {
	Base64 *string `json:"base64"`
}

// MarshalJSON implements [json.Marshaler].
func (t text) MarshalJSON() ([]byte, error) {
	if !utf8.ValidString(string(t)) {
		s := base64.StdEncoding.EncodeToString([]byte(t))
		return marshal(base64Text{&s})
	}
	return marshal(string(t))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(data []byte) error {
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
	*t = text(raw)
	return nil
}

// marshal is json.Marshal with "<", ">" and "&" left readable.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// encodePayload reveals all values of s.
func encodePayload(s *secret.Secret) ([]byte, error) {
	p := payload{Profile: text(s.Profile), Values: make(map[string]text, len(s.Values)), Expires: s.Expires}
	for key, value := range s.Values {
		if !utf8.ValidString(key) {
			return nil, fmt.Errorf("%q: the key %q is not UTF-8", s.Name, key)
		}
		p.Values[key] = text(value.Reveal())
	}
	for _, src := range s.Sources {
		p.Sources = append(p.Sources, source{src.Kind, text(src.Path), text(src.Var), src.Own})
	}
	data, err := marshal(p)
	if err != nil {
		// Only a time outside the years 0 to 9999 gets here; json's error does
		// not show values, but there is no need to rely on it.
		return nil, fmt.Errorf("%q: its expiry cannot be stored", s.Name)
	}
	return data, nil
}

// decodePayload is the inverse of [encodePayload]; the secret's name and
// provider are elsewhere. Its error shows nothing of data.
func decodePayload(data []byte) (*secret.Secret, error) {
	var p payload
	if err := json.Unmarshal(data, &p); err != nil || p.Values == nil {
		return nil, errors.New("what is encrypted in it is not a secret of rhx")
	}
	s := &secret.Secret{Profile: string(p.Profile), Values: make(secret.Values, len(p.Values)), Expires: p.Expires}
	for key, value := range p.Values {
		s.Values[key] = secret.NewValue(string(value))
	}
	for _, src := range p.Sources {
		s.Sources = append(s.Sources, secret.Source{Kind: src.Kind, Path: string(src.Path), Var: string(src.Var), Own: src.Own})
	}
	return s, nil
}
