package author

import (
	"math"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// class is what a key's name, and the look of its value, say of the value.
type class int

const (
	other   class = iota // a setting, or nothing that is known
	hidden               // a secret value
	public               // part of a secret that may be shown: a user, a host
	expires              // when the secret values end
)

// words are the lower-case words of a name: access_key, accessKey and access-key
// have the same two.
func words(name string) []string {
	var out []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			out = append(out, strings.ToLower(word.String()))
			word.Reset()
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]) && unicode.IsUpper(runes[i-1])):
			flush()
		}
		word.WriteRune(r)
	}
	flush()
	return out
}

// lastWord is the word of a name that says what the thing is.
func lastWord(name string) string {
	list := words(name)
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// ofName classes a key by its name. The last word decides what the thing is:
// token_url is an address, client_secret a secret.
func ofName(name string) class {
	list := words(name)
	if len(list) == 0 {
		return other
	}
	last := list[len(list)-1]
	switch last {
	case "expires", "expiry", "expiration":
		return expires
	case "at", "on":
		if len(list) > 1 && strings.HasPrefix(list[len(list)-2], "expir") {
			return expires
		}
		return other
	case "key", "keys":
		if len(list) > 1 && (list[len(list)-2] == "public" || list[len(list)-2] == "pub") {
			return public
		}
		return hidden
	}
	switch {
	case isPublicWord(last):
		return public
	case isSettingWord(last):
		return other
	}
	for _, w := range list {
		if isSecretWord(w) {
			return hidden
		}
	}
	return other
}

func isSecretWord(w string) bool {
	switch w {
	case "pass", "pwd", "pat", "psk", "cookie", "bearer", "credential", "credentials", "private", "auth", "pin", "dsn", "webhook":
		return true
	}
	for _, end := range []string{"token", "tokens", "secret", "secrets", "password", "passwd", "passphrase", "apikey"} {
		if strings.HasSuffix(w, end) {
			return true
		}
	}
	return false
}

func isPublicWord(w string) bool {
	switch w {
	case "id", "url", "uri", "host", "hostname", "user", "username", "login", "email", "mail", "account", "region", "zone", "project",
		"org", "organization", "organisation", "tenant", "subscription", "endpoint", "server", "domain", "port", "database", "db",
		"registry", "namespace", "address", "workspace", "cluster", "site", "team":
		return true
	}
	return strings.HasSuffix(w, "username") || strings.HasSuffix(w, "hostname")
}

// isSettingWord reports a word that makes a name one of a setting about secrets:
// token_ttl, password_command, key_file.
func isSettingWord(w string) bool {
	switch w {
	case "ttl", "lifetime", "type", "file", "path", "helper", "command", "cmd", "process", "store", "method", "mode", "algorithm", "length",
		"created", "updated", "scope", "scopes", "count", "cache", "format", "policy", "provider", "name", "version", "env", "enabled",
		"timeout", "protocol", "output", "in":
		return true
	}
	return false
}

// isFixedWord reports a name that tools give to a part of a file, as people do
// not name their profiles.
func isFixedWord(w string) bool {
	switch strings.ToLower(w) {
	case "api", "authentication", "authorization", "client", "service", "core", "global", "globals", "general", "settings", "config",
		"configuration", "session", "oauth", "oauth2", "keys", "key", "cloud", "current", "data", "access", "defaults", "options", "common",
		"security", "connection", "remote", "local":
		return true
	}
	return isPublicWord(w) || isSecretWord(w) || isPlural(w)
}

// isPlural reports a name of what holds one entry for each profile.
func isPlural(w string) bool {
	switch strings.ToLower(w) {
	case "profiles", "accounts", "hosts", "auths", "users", "contexts", "environments", "remotes", "servers", "instances", "orgs",
		"organizations", "registries", "clusters", "connections", "logins", "sites", "workspaces", "teams", "projects", "endpoints",
		"sources", "tenants", "clients", "sessions", "credentials", "tokens", "secrets", "authtokens", "repositories", "machines":
		return true
	}
	return false
}

func isDefault(w string) bool {
	switch w {
	case "default", "Default", "DEFAULT", "main":
		return true
	}
	return false
}

// isPlain reports whether a key is so plainly a name that it may be written into
// a spec.
func isPlain(key string) bool {
	if len(key) > 48 || looksSecret(key) || strings.ContainsFunc(key, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.')
	}) {
		return false
	}
	list := words(key)
	for _, w := range list {
		if letters := strings.TrimRight(w, "0123456789"); letters == "" || len(letters) > 16 || len(w)-len(letters) > 3 || strings.ContainsAny(letters, "0123456789") {
			return false
		}
	}
	return len(list) > 0
}

// knownWords reports whether a key has no words but those that this package
// knows, so that writing it tells nothing.
func knownWords(key string) bool {
	list := words(key)
	for _, w := range list {
		if !isFixedWord(w) && !isSettingWord(w) && w != "refresh" {
			return false
		}
	}
	return len(list) > 0
}

// tokenForm is what keys and tokens are made of.
const tokenForm = `[A-Za-z0-9._~+/=-]`

// looksSecret reports whether a text looks as tokens do: long, of one word, with
// letters and digits in no order.
func looksSecret(text string) bool {
	if hasPassword(text) || strings.Contains(text, "PRIVATE KEY-----") {
		return true
	}
	if len(text) < 20 || len(text) > 4096 || text[0] == '/' || text[0] == '~' || text[0] == '.' ||
		!regexp.MustCompile(`^`+tokenForm+`+$`).MatchString(text) ||
		regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`).MatchString(text) ||
		regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`).MatchString(text) {
		return false
	}
	digits, count := 0, map[rune]int{}
	for _, r := range text {
		if count[r]++; unicode.IsDigit(r) {
			digits++
		}
	}
	bits := 0.0
	for _, n := range count {
		p := float64(n) / float64(len(text))
		bits -= p * math.Log2(p)
	}
	mixed := strings.ToLower(text) != text && strings.ToUpper(text) != text
	return digits < len(text) && (digits > 1 || mixed && len(text) >= 32) && bits > 3.2
}

// MayBeSecret reports whether a text may be one that nobody should see, by its name or
// by itself.
func MayBeSecret(name, text string) bool {
	return text != "" && (ofName(name) == hidden || looksSecret(text))
}

// hasPassword reports an address with a password in it.
func hasPassword(text string) bool {
	if !strings.Contains(text, "://") {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return false
	}
	_, has := u.User.Password()
	return has
}
