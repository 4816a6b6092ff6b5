// Package spec is the language in which a provider says what one kind of
// secret looks like on a machine: its values, their variables, the files they
// are kept in. A spec is data: it is parsed and checked here, and carried out
// by package provider.
package spec

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
)

// Spec describes one provider.
type Spec struct {
	// Name identifies the provider: lower-case letters, digits and dashes.
	Name string
	// Aliases are other names that users may type for it.
	Aliases []string
	// Title is the name of the product or service, for people.
	Title string
	// Group is one of [Groups], "" for none.
	Group string
	// Docs is the address of the vendor's own documentation.
	Docs string
	// Values are the secret's values in the order shown to people.
	Values []Value
	// Any reports that the secret may have values beyond those listed ("*").
	Any bool
	// Document is a variable that holds the whole secret as one JSON object.
	Document string
	// Ambient are variables that are set where a machine has a role of its own,
	// which programs might use no more beside this secret.
	Ambient []string
	// Together are groups of values of which a secret has all or none.
	Together [][]string
	// OneOf are groups of values of which a secret has at least one.
	OneOf [][]string
	// Unsafe are patterns of what makes a tool run a program, or read another file:
	// "VALUE", or "VALUE.FIELD" for a field inside a value that is a tree.
	Unsafe []string
	// Files are where the secret is kept, in order of preference.
	Files []File
	// Use says to which hosts the secret is sent, and where in a request.
	Use []Use
	// Helpers say what clients are answered that ask for it by a protocol of their own.
	Helpers []Helper
	// Origin is the file that the spec was read from, for messages.
	Origin string
}

// Value is one value of a provider's secret.
type Value struct {
	Name string
	// Env are the variables that hold it: the first is the one to write, all are
	// read, in order.
	Env []string
	// Public values may be shown: an account name, a host.
	Public bool
	// Optional values may be absent from a complete secret.
	Optional bool
	// Pattern is what the whole text of a value should match; nil for any.
	Pattern *Pattern
	// Reject matches stubs that tools leave in place of the value; nil for none.
	Reject *Pattern
	// Rotates marks a value, such as a refresh token, that stops working here
	// when another machine uses it.
	Rotates bool
}

// File is one file that holds secrets of a provider.
type File struct {
	// Paths are where it is by default.
	Paths Paths
	// Override are the variables that move the file; the first that is set counts.
	Override []Override
	// Format is the codec; "" where Wasm is set.
	Format  string
	Options codec.Options
	// Wasm is the module that reads and writes the file; "" where Format is set.
	Wasm string
	// WasmDigest is the digest of an added package's module, "sha256:" and
	// hexadecimal; "" for a module of rhx's own.
	WasmDigest string
	// Random lets the module have this machine's randomness.
	Random bool
	// Exclude are patterns of profiles that are left out, as the file names or the file has
	// them: files of the tool itself, and what other specs know.
	Exclude []string
	// Profiles says where in the file the profiles are; nil: the file is one profile.
	Profiles *Profiles
	// Keys are the places of the values, in the file's own order.
	Keys []Key
	// Add are fixed entries that a write adds where they are absent.
	Add []Fixed
	// States are signs that the secret is kept elsewhere.
	States []State
	// Expires is the place of the time at which the values stop working; nil for none.
	Expires Path
	// Mode is for a file that rhx creates.
	Mode fs.FileMode
	// ReadOnly files are read but never written.
	ReadOnly bool
	// Mirror files repeat what another file of the spec holds: read last, and
	// written where they exist.
	Mirror bool
}

// Paths are the path of a file by operating system; "" where it is Default. They
// begin with "~/". "{profile}" in the last element stands for the profile: then
// every matching file is one profile.
type Paths struct{ Default, Linux, MacOS, Windows string }

// On returns the path on a system, which is called as in runtime.GOOS.
func (p Paths) On(goos string) string {
	own := ""
	switch goos {
	case "linux":
		own = p.Linux
	case "darwin":
		own = p.MacOS
	case "windows":
		own = p.Windows
	}
	if own == "" {
		return p.Default
	}
	return own
}

// All returns the paths, the default one first.
func (p Paths) All() []string {
	return slices.DeleteFunc([]string{p.Default, p.Linux, p.MacOS, p.Windows}, func(p string) bool { return p == "" })
}

// Override is a variable that moves a file.
type Override struct {
	Var string
	// Rel is the path below the folder that Var names; "" where Var names the file;
	// "../NAME" for a file beside the one that Var names.
	Rel string
	// Expands reports that the tool replaces $NAME and ${NAME} in what Var holds.
	Expands bool
	// List reports that Var is a list of files, as PATH is.
	List bool
}

// Profiles says what a file's profiles are. Exactly one of Section, Option, Keys
// and Entries is set; for a file read by wasm none is.
type Profiles struct {
	// Section is a pattern of ini section names with one "*".
	Section string
	// Option is a pattern with one "*" of the names of ini options outside every
	// section, each of which is a profile.
	Option string
	// Keys is the place of a map of which every entry is a profile.
	Keys Path
	// Entries is the place of a list of maps of which every one is a profile,
	// named by its field Name.
	Entries Path
	Name    string
	// Default is the profile that is the provider's default; "" for none.
	Default string
	// Inherit is the section whose options others fall back on; "" for none.
	Inherit string
}

// Key says where in a file, or in a profile of it, a value is.
type Key struct {
	// Value is the value's name; "*" for every entry of the map at the first of At
	// that no other key names.
	Value string
	// At are the places of the value, first found wins; what is written goes to
	// the place that exists, or to the first.
	At []Path
	// Mirror are places that repeat the value: written where the map around
	// them exists.
	Mirror []Path
	// As is the codec that turns the text in the file into the value; "" for none.
	As string
	// Also are places of the value as it is, without As: another form of it, read
	// where At has nothing and written where it exists.
	Also []Path
	// Root reports that the places are counted from the file's root even where
	// the file has profiles.
	Root bool
	// Tree reports that the value is the whole subtree, as JSON text.
	Tree bool
	// Profile reports that the value is the profile's own name in the file.
	Profile bool
	// Inline are fields of a subtree that name another file, whose content the value
	// has in their stead.
	Inline []Inline
}

// Inline is a field that names another file.
type Inline struct {
	Field string
	// Into is the field that takes the file's content in base64 instead.
	Into string
	// Key reports that the file is a private key; else it is certificates.
	Key bool
}

// Beside reports whether the file is beside the one that Var names.
func (o Override) Beside() bool { return strings.HasPrefix(o.Rel, "../") }

// Fixed is an entry that a write adds where it is absent.
type Fixed struct {
	At   Path
	Text string
	// Root is as in Key.
	Root bool
}

// State is a sign that a profile's secret is not in the file.
type State struct {
	// State is "keyring" or "exec".
	State string
	// At is the place whose presence is the sign.
	At   Path
	Root bool
	// Wins reports that the sign counts even where values were found: they are
	// then not the secret itself but how to get it.
	Wins bool
}

// Value returns the value called name.
func (s *Spec) Value(name string) (Value, bool) {
	for _, v := range s.Values {
		if v.Name == name {
			return v, true
		}
	}
	return Value{Name: name}, s.Any
}

// Public reports whether the value called name may be shown.
func (s *Spec) Public(name string) bool {
	v, _ := s.Value(name)
	return v.Public
}

// Order sorts the keys of a secret as the spec lists its values, then the
// others by name.
func (s *Spec) Order(keys []string) []string {
	rank := func(k string) int {
		if i := slices.IndexFunc(s.Values, func(v Value) bool { return v.Name == k }); i >= 0 {
			return i
		}
		return len(s.Values)
	}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return keys
}

// HasDefault reports whether the provider has a default profile: a secret that
// needs no profile in its name.
func (s *Spec) HasDefault() bool {
	return len(s.Files) == 0 || slices.ContainsFunc(s.Files, func(f File) bool {
		return !f.PerFile() && (f.Profiles == nil || f.Profiles.Default != "")
	})
}

// Vars returns every variable that the spec reads: those of its values, and
// those that move its files.
func (s *Spec) Vars() []string {
	var vars []string
	for _, v := range s.Values {
		vars = append(vars, v.Env...)
	}
	if s.Document != "" {
		vars = append(vars, s.Document)
	}
	for i := range s.Files {
		for _, o := range s.Files[i].Override {
			vars = append(vars, o.Var)
		}
	}
	slices.Sort(vars)
	return slices.Compact(vars)
}

// PerFile reports whether every file that matches the path is one profile.
func (f *File) PerFile() bool {
	return strings.Contains(f.Paths.Default, "{profile}")
}

// Path returns the default path on an operating system.
func (f *File) Path(goos string) string {
	return f.Paths.On(goos)
}

// Default returns the profile name in the file that is the provider's default.
func (f *File) Default() string {
	if f.Profiles == nil {
		return ""
	}
	return f.Profiles.Default
}

// Excluded reports whether a profile is left out. Case does not count: there are file
// systems on which CONFIG is config.
func (f *File) Excluded(name string) bool {
	name = strings.ToLower(name)
	for _, pattern := range f.Exclude {
		if ok, _ := path.Match(strings.ToLower(pattern), name); ok {
			return true
		}
	}
	return false
}
