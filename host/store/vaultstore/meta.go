package vaultstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/rhx-dev/rhx/host/secret"
)

// Limits of KV v2 on custom metadata
// (https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#create-update-metadata).
const maxFieldLen = 512

// maxParts bounds how many fields one text may be split over, so that the 64
// fields of a secret are never used up by a long list of locations.
const maxParts = 16

// keptExpiries is for how many versions back the time of expiry is kept.
const keptExpiries = 16

// meta is all of a secret but its name and values.
type meta struct {
	provider, profile string
	sources           []secret.Source
	expires           time.Time
}

func metaOf(s *secret.Secret) meta {
	return meta{s.Provider, s.Profile, s.Sources, s.Expires}
}

// secret returns the secret with the metadata m and the values.
func (m meta) secret(name string, values secret.Values) secret.Secret {
	return secret.Secret{Name: name, Provider: m.provider, Profile: m.profile, Values: values, Sources: m.sources, Expires: m.expires}
}

// fields returns m as custom metadata of a secret whose newest version is
// version: provider, profile, locations (a JSON list of [secret.Source]), each
// split over "KEY", "KEY.2", … where it is longer than Vault allows, and
// "expires.VERSION". Custom metadata belongs to all versions at once; only the
// expiry is wrong for another version, so it alone carries the number.
func (m meta) fields(version int) (map[string]string, error) {
	f := map[string]string{}
	texts := []struct{ key, text string }{
		{"provider", encodeLine(m.provider)},
		{"profile", encodeLine(m.profile)},
		{"locations", locationsText(m.sources)},
	}
	for _, t := range texts {
		if err := split(f, t.key, t.text); err != nil {
			return nil, err
		}
	}
	if !m.expires.IsZero() {
		// RFC 3339 has years of four digits.
		if y := m.expires.UTC().Year(); y < 0 || y > 9999 {
			return nil, fmt.Errorf("the secret expires in the year %d, which cannot be written down", y)
		}
		f[expiresKey(version)] = m.expires.UTC().Format(time.RFC3339Nano)
	}
	return f, nil
}

// metaFrom undoes fields. Fields that cannot be read, because somebody set
// them by hand, count as absent.
func metaFrom(f map[string]string, version int) meta {
	m := meta{
		provider: decodeLine(join(f, "provider")),
		profile:  decodeLine(join(f, "profile")),
		sources:  parseLocations(join(f, "locations")),
	}
	if t, err := time.Parse(time.RFC3339Nano, f[expiresKey(version)]); err == nil {
		m.expires = t.UTC()
	}
	return m
}

// patch returns the JSON merge patch that puts want in the place of rhx's own
// fields in the custom metadata have, and leaves the fields of others; nil if there
// is nothing to change. version is the one that want describes.
func patch(have, want map[string]string, version int) map[string]any {
	p := map[string]any{}
	for k, v := range want {
		if h, ok := have[k]; !ok || h != v {
			p[k] = v
		}
	}
	for k := range have {
		if _, ok := want[k]; !ok && stale(k, version) {
			p[k] = nil
		}
	}
	if len(p) == 0 {
		return nil
	}
	return p
}

// stale reports whether the field k, which version does not have, is to be removed:
// it is rhx's, and not the expiry of one of the versions just before.
func stale(k string, version int) bool {
	base, suffix, numbered := strings.Cut(k, ".")
	n, err := strconv.Atoi(suffix)
	if numbered && (err != nil || strconv.Itoa(n) != suffix) {
		return false
	}
	switch base {
	case "provider", "profile", "locations":
		return !numbered || n >= 2
	case "expires":
		return numbered && (n >= version || n <= version-keptExpiries)
	}
	return false
}

func expiresKey(version int) string { return "expires." + strconv.Itoa(version) }

// split puts text into f under key, in parts that custom metadata can hold.
func split(f map[string]string, key, text string) error {
	for i := 1; text != ""; i++ {
		if i > maxParts {
			return fmt.Errorf("the secret's %s are longer than the %d bytes that Vault's custom metadata has room for", key, maxParts*maxFieldLen)
		}
		part := prefix(text, maxFieldLen)
		f[partKey(key, i)], text = part, text[len(part):]
	}
	return nil
}

// join undoes split.
func join(f map[string]string, key string) string {
	text := f[key]
	for i := 2; text != "" && i <= maxParts; i++ {
		part, ok := f[partKey(key, i)]
		if !ok {
			break
		}
		text += part
	}
	return text
}

func partKey(key string, i int) string {
	if i == 1 {
		return key
	}
	return key + "." + strconv.Itoa(i)
}

// locationsText returns sources as one line of printable JSON, "" for none.
func locationsText(sources []secret.Source) string {
	if len(sources) == 0 {
		return ""
	}
	list := make([]secret.Source, len(sources))
	for i, s := range sources {
		list[i] = secret.Source{Kind: s.Kind, Path: encodeText(s.Path), Var: encodeText(s.Var), Own: s.Own}
	}
	return escapeUnprintable(compact(list))
}

func parseLocations(text string) []secret.Source {
	var list []secret.Source
	if text == "" || json.Unmarshal([]byte(text), &list) != nil {
		return nil
	}
	for i, s := range list {
		list[i].Path, list[i].Var = decodeText(s.Path), decodeText(s.Var)
	}
	return list
}

// compact returns v as JSON in one line. v must be of a type that JSON has.
func compact(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// escapeUnprintable escapes the runes of a JSON text that Vault refuses in
// custom metadata. They can only be inside of strings.
func escapeUnprintable(text string) string {
	if printable(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
