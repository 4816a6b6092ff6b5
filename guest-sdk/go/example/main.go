// The example provider: ~/.acme/credentials has a section for each profile, with
// token and user:
//
//	[default]
//	user = alice
//	token = ...
//
// A value is the rest of its line, without the space around it; nothing is quoted.
package main

import (
	"bytes"
	"unicode/utf8"

	guest "github.com/rhx-dev/rhx/guest-sdk/go"
)

// maxProfiles and maxName are more than anybody has.
const (
	maxProfiles = 256
	maxName     = 256
)

func main() { guest.Main(provider{}) }

type provider struct{}

func (provider) Describe() (name, version string) { return "acme", "1" }

// Extract gives a secret for each section that has a value.
func (provider) Extract(req guest.Request) ([]guest.Secret, error) {
	f, err := file(req)
	if err != nil {
		return nil, err
	}
	var out []guest.Secret
	begun := false
	for c := lines(f); c.next(); {
		if c.kind == section {
			begun = false
		}
		if !c.has("token") && !c.has("user") || req.Profile != "" && req.Profile != string(c.profile) {
			continue
		}
		if !begun {
			out = append(out, guest.Secret{Profile: string(c.profile), Values: map[string]string{}})
			begun = true
		}
		s := &out[len(out)-1]
		s.Values[string(c.key)] = string(c.value)
		if c.has("user") {
			s.Public = []string{"user"}
		}
	}
	return out, nil
}

// Render replaces values where they are and adds new ones at the section's end.
// Every other byte stays as it is.
func (provider) Render(req guest.Request, s guest.Secret) ([]guest.File, error) {
	f, err := file(req)
	if err != nil {
		return nil, err
	}
	profile := s.Profile
	if profile == "" {
		profile = "default"
	}
	if err := fits(f.Path, profile, s.Values); err != nil {
		return nil, err
	}

	// The section's last line that is not blank, what the section has, and how
	// the file ends its lines.
	last, has, eol := 0, map[string]bool{}, "\n"
	for c := lines(f); c.next(); {
		if c.number == 1 && bytes.HasSuffix(c.raw, []byte("\r\n")) {
			eol = "\r\n"
		}
		if string(c.profile) == profile && c.kind != blank {
			last = c.number
			has["token"] = has["token"] || c.has("token")
			has["user"] = has["user"] || c.has("user")
		}
	}
	var out []byte
	add := func(key string) {
		v, ok := s.Values[key]
		if !ok || has[key] {
			return
		}
		if n := len(out); n > 0 && out[n-1] != '\n' {
			out = append(out, eol...)
		}
		out = append(out, key+" = "+v+eol...)
	}

	for c := lines(f); c.next(); {
		v, ok := s.Values[string(c.key)]
		switch here := string(c.profile) == profile; {
		case here && ok && (c.has("token") || c.has("user")):
			out = append(append(append(out, c.raw[:c.from]...), v...), c.raw[c.to:]...)
		case here && c.has("token"): // which the secret lacks, so it goes; a user stays
		default:
			out = append(out, c.raw...)
		}
		if c.number == last {
			add("user")
			add("token")
		}
	}
	if last == 0 {
		if n := len(out); n > 0 && out[n-1] != '\n' {
			out = append(out, eol...)
		}
		out = append(out, "["+profile+"]"+eol...)
		add("user")
		add("token")
	}
	return []guest.File{{Path: f.Path, Content: out}}, nil
}

// fits returns an error for a secret that the file cannot hold.
func fits(path, profile string, values map[string]string) error {
	if !isName([]byte(profile)) {
		return guest.Unsupported(path, 0, "no section can have the profile's name")
	}
	for k, v := range values {
		switch {
		case k != "token" && k != "user":
			return guest.Unsupported(path, 0, "only token and user can be kept")
		case len(trim([]byte(v))) != len(v):
			return guest.Unsupported(path, 0, "space at the ends of a value cannot be kept")
		case bytes.ContainsAny([]byte(v), "\r\n"):
			return guest.Unsupported(path, 0, "a line break in a value cannot be kept")
		}
	}
	return nil
}

// file returns the file of the request, once each line of it is right and no
// profile or key is there twice.
func file(req guest.Request) (guest.File, error) {
	if len(req.Files) == 0 {
		return guest.File{}, guest.Invalid("", 0, "the request has no file")
	}
	f := req.Files[0]
	seen := map[string]bool{}
	token, user := false, false
	for c := lines(f); c.next(); {
		value := c.has("token") || c.has("user")
		switch {
		case c.kind == broken:
			return f, guest.Invalid(f.Path, c.number, "neither [PROFILE] nor KEY = VALUE")
		case c.kind == pair && c.profile == nil:
			return f, guest.Invalid(f.Path, c.number, "a key before the first [PROFILE]")
		case c.has("token") && token:
			return f, guest.Invalid(f.Path, c.number, "a second token")
		case c.has("user") && user:
			return f, guest.Invalid(f.Path, c.number, "a second user")
		case value && !utf8.Valid(c.value):
			return f, guest.Unsupported(f.Path, c.number, "a value is not UTF-8")
		case c.kind == section && !utf8.Valid(c.profile):
			return f, guest.Unsupported(f.Path, c.number, "a profile's name is not UTF-8")
		case c.kind == section && seen[string(c.profile)]:
			return f, guest.Invalid(f.Path, c.number, "a second section of this name")
		case c.kind == section && len(seen) == maxProfiles:
			return f, guest.Unsupported(f.Path, c.number, "more than 256 profiles")
		}
		if c.kind == section {
			seen[string(c.profile)] = true
			token, user = false, false
		}
		token = token || c.has("token")
		user = user || c.has("user")
	}
	return f, nil
}

// cursor goes over the lines of a file. It keeps nothing, so that a file of a
// million lines costs no memory.
type cursor struct {
	rest   []byte
	number int    // of the line, from 1
	raw    []byte // the line with its end
	kind   kind
	// key and value are those of a pair; value is raw[from:to].
	key, value []byte
	from, to   int
	// profile is the section that the line is in, nil before the first.
	profile []byte
}

type kind int

const (
	blank kind = iota
	comment
	section
	pair
	broken
)

func lines(f guest.File) *cursor { return &cursor{rest: f.Content} }

// bounds returns where b[from:to] without the space around it is.
func bounds(b []byte, from, to int) (int, int) {
	for from < to && (b[from] == ' ' || b[from] == '\t') {
		from++
	}
	for from < to && (b[to-1] == ' ' || b[to-1] == '\t' || b[to-1] == '\r') {
		to--
	}
	return from, to
}

func trim(b []byte) []byte {
	from, to := bounds(b, 0, len(b))
	return b[from:to]
}

// isName reports whether a section can have this name.
func isName(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return len(b) > 0 && len(b) <= maxName && len(trim(b)) == len(b)
}

// has reports whether the line is KEY = VALUE with this key.
func (c *cursor) has(key string) bool { return c.kind == pair && string(c.key) == key }

func (c *cursor) next() bool {
	if len(c.rest) == 0 {
		return false
	}
	n := bytes.IndexByte(c.rest, '\n') + 1
	if n == 0 {
		n = len(c.rest)
	}
	c.raw, c.rest = c.rest[:n], c.rest[n:]
	c.number++
	c.kind, c.key, c.value = broken, nil, nil
	from, to := bounds(c.raw, 0, len(bytes.TrimSuffix(c.raw, []byte("\n"))))
	text := c.raw[from:to]
	switch equals := bytes.IndexByte(text, '='); {
	case len(text) == 0:
		c.kind = blank
	case text[0] == '#':
		c.kind = comment
	case text[0] == '[':
		if len(text) > 2 && text[len(text)-1] == ']' {
			if name := trim(text[1 : len(text)-1]); isName(name) {
				c.kind, c.profile = section, name
			}
		}
	case equals >= 0:
		c.kind, c.key = pair, trim(text[:equals])
		c.from, c.to = bounds(c.raw, from+equals+1, to)
		c.value = c.raw[c.from:c.to]
	}
	return true
}
