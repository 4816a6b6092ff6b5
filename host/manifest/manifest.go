// Package manifest reads rhx.yaml: which secrets a project has, which of them, as
// variables and files, make the environment of a command or a host, and which
// hosts get them. It holds no values but those that are written in it.
package manifest

import (
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
)

// FileName is what a manifest is called.
const FileName = "rhx.yaml"

// Manifest is a whole rhx.yaml, checked: whatever it refers to is there.
type Manifest struct {
	// File is its name for messages.
	File string
	// Store is the store's URL; "" for the one that rhx uses anyway.
	Store   string
	Secrets []*Secret
	Bundles []*Bundle
	Hosts   []*HostGroup
	// Commands are those that agents may have rhx mcp run.
	Commands []*Command
	// Profiles are the names of its overlays.
	Profiles []string
}

// Secret is a secret that the manifest declares.
type Secret struct {
	// Name is what the manifest calls it.
	Name string
	// Provider is "" for a base secret, whose keys are Values.
	Provider string
	// Profile is the provider's profile; "" for the default.
	Profile string
	Values  []Value
	// OneOf are groups of keys, of each of which exactly one must be there.
	OneOf [][]string
	// Line is where it is declared.
	Line int
}

// Value is one key of a base secret.
type Value struct {
	Key string
	// Default is the value where the store has none; nil for no default.
	Default *string
	// Generate says how a value is made where there is none; nil: it is not.
	Generate *Generate
	// Prompt is what a person is asked for it; "" where nobody is.
	Prompt string
	// Optional lets the key be absent.
	Optional bool
}

// StoreName is the secret's name in the store.
func (s *Secret) StoreName() string {
	if s.Provider == "" || s.Profile == "" {
		return s.Name
	}
	if s.Name == s.Provider {
		return secret.Name(s.Provider, s.Profile)
	}
	return s.Name
}

// Bundle is an environment, with what it extends folded in.
type Bundle struct {
	Name string
	// Secrets give their variables; Files are written as native files.
	Secrets, Files []string
	// Paths are the files of secrets of Files in place of their providers' own.
	Paths map[string]string
	// TTL is after how long secrets of Files are taken out again, where it is said.
	TTL map[string]time.Duration
	// Env are variables with a text of their own.
	Env []Variable
	// Unset are variables that are not to be there.
	Unset []string
	// Broker narrows where rhx run --broker puts secrets in.
	Broker []Limit
	// From says, for each entry by its name, which bundle it comes from.
	From map[string]string
	Line int
}

// Limit says into which requests a secret is put. An empty field limits nothing.
type Limit struct {
	Secret string
	// Hosts are patterns as a provider's spec has them.
	Hosts []string
	// Methods are of HTTP, in upper case.
	Methods []string
	// Paths are prefixes, of whole segments.
	Paths []string
}

// Variable is one entry of a bundle's env.
type Variable struct {
	Name string
	Text Template
	Line int
}

// HostGroup is hosts that get the same.
type HostGroup struct {
	Name string
	// Addresses are hosts as ssh names them, with ranges expanded.
	Addresses []string
	Bundles   []string
	Line      int
}

// Secret returns a declared secret, or nil.
func (m *Manifest) Secret(name string) *Secret {
	return find(m.Secrets, func(s *Secret) bool { return s.Name == name })
}

// Bundle returns a bundle, or nil.
func (m *Manifest) Bundle(name string) *Bundle {
	return find(m.Bundles, func(b *Bundle) bool { return b.Name == name })
}

// Group returns a group of hosts, or nil.
func (m *Manifest) Group(name string) *HostGroup {
	return find(m.Hosts, func(g *HostGroup) bool { return g.Name == name })
}

func find[T any](list []*T, is func(*T) bool) *T {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i]
	}
	return nil
}

// Uses returns the names, in the manifest, of every secret that a bundle needs.
func (b *Bundle) Uses() []string {
	names := slices.Concat(b.Secrets, b.Files)
	for _, v := range b.Env {
		for _, p := range v.Text {
			if p.Secret != "" {
				names = append(names, p.Secret)
			}
		}
	}
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func names[T any](list []*T, name func(*T) string) []string {
	var out []string
	for _, x := range list {
		out = append(out, name(x))
	}
	return out
}

// BundleNames are the names of all bundles, in order.
func (m *Manifest) BundleNames() []string {
	return names(m.Bundles, func(b *Bundle) string { return b.Name })
}

// SecretNames are the names of all secrets, in order.
func (m *Manifest) SecretNames() []string {
	return names(m.Secrets, func(s *Secret) string { return s.Name })
}

func validWord(s string) bool {
	return s != "" && s != "all" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}
