// Package secret holds what rhx is about: named sets of values that must never
// be seen by accident.
//
// A [Value] redacts itself wherever Go prints things (fmt, slog, JSON, YAML);
// its text comes out through [Value.Reveal] only, so that every place that
// shows or sends a secret can be found by that name.
package secret

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// Redacted is what a Value prints in place of its text. It has a fixed length,
// so that it tells nothing about the value.
const Redacted = "********"

// Value is the text of one secret value; any bytes are allowed. The zero Value
// is the empty text.
type Value struct{ text string }

// NewValue returns a Value holding text.
func NewValue(text string) Value { return Value{text} }

// Reveal returns the text itself. Callers own what happens to it next.
func (v Value) Reveal() string { return v.text }

// Empty reports whether the text is empty.
func (v Value) Empty() bool { return v.text == "" }

// String returns [Redacted].
func (v Value) String() string { return Redacted }

// GoString returns [Redacted].
func (v Value) GoString() string { return Redacted }

// Format writes [Redacted] for every verb and flag.
func (v Value) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, Redacted) }

// LogValue returns [Redacted].
func (v Value) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON returns [Redacted] as a JSON string. A store reveals values
// before it encodes them.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(Redacted) }

// MarshalText returns [Redacted].
func (v Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalYAML returns [Redacted].
func (v Value) MarshalYAML() (any, error) { return Redacted, nil }

// Values maps the keys of a secret, such as "access_key", to its values.
type Values map[string]Value

// Binary takes the texts that are not UTF-8 out of texts and returns them in base64; nil for
// none. A document of JSON or YAML has them apart, since it would hold others in their place.
func Binary(texts map[string]string) map[string]string {
	var binary map[string]string
	for key, text := range texts {
		if utf8.ValidString(text) {
			continue
		}
		if binary == nil {
			binary = map[string]string{}
		}
		binary[key] = base64.StdEncoding.EncodeToString([]byte(text))
		delete(texts, key)
	}
	return binary
}

// Keys returns the keys in alphabetical order.
func (v Values) Keys() []string { return slices.Sorted(maps.Keys(v)) }

// Equal reports whether both hold the same keys with the same texts.
func (v Values) Equal(w Values) bool { return maps.Equal(v, w) }

// Diff returns the keys, in alphabetical order, that only one of v and w has
// or whose texts differ.
func (v Values) Diff(w Values) []string {
	var keys []string
	for k, a := range v {
		if b, ok := w[k]; !ok || a != b {
			keys = append(keys, k)
		}
	}
	for k := range w {
		if _, ok := v[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// SourceKind says what kind of place a [Source] is.
type SourceKind string

// The kinds of place a secret is found in or put.
const (
	SourceFile SourceKind = "file"
	SourceEnv  SourceKind = "env"
	// SourceClient is a client that stored it through rhx helper.
	SourceClient SourceKind = "client"
	// SourceTool is another tool, of which rhx import took it.
	SourceTool SourceKind = "import"
)

// Source is one place a secret was found in or put: a file or a variable.
type Source struct {
	Kind SourceKind `json:"kind" yaml:"kind"`
	// Path is the file, with "~/" for the machine's home folder where it lies
	// below it; for SourceClient the client's protocol, such as git; for SourceTool the
	// tool's name.
	Path string `json:"path,omitempty" yaml:"path,omitempty"`
	// Var is the variable's name; for SourceFile that of one in the file.
	Var string `json:"var,omitempty" yaml:"var,omitempty"`
	// Own reports that the user named the file, and that its provider has others: the
	// secret goes back to it. Only for SourceFile.
	Own bool `json:"own,omitempty" yaml:"own,omitempty"`
}

// String returns the path, or the variable with a leading "$", and where it is if that
// is a file.
func (s Source) String() string {
	switch {
	case s.Kind == SourceEnv:
		return "$" + s.Var
	case s.Kind == SourceClient:
		return "stored by " + s.Path
	case s.Kind == SourceTool:
		return "imported from " + s.Path
	case s.Var != "":
		return "$" + s.Var + " in " + s.Path
	}
	return s.Path
}

// Secret is a named set of values, such as the key pair of one AWS profile.
type Secret struct {
	// Name identifies the secret in a store: see [Name].
	Name string
	// Provider is the provider that reads and writes it; "" for a base secret.
	Provider string
	// Profile is the profile as the native file spells it; "" for the default.
	Profile string
	Values  Values
	// Sources are the places the values came from.
	Sources []Source
	// Expires is when the values stop working; zero where that is not known.
	Expires time.Time
}

// Clone returns a copy that shares nothing that can be changed.
func (s *Secret) Clone() *Secret {
	c := *s
	c.Values = maps.Clone(s.Values)
	c.Sources = slices.Clone(s.Sources)
	return &c
}
