package scan

import (
	"net/url"
	"slices"
	"strings"
)

const (
	// minLength is the length of the shortest value that is searched for, in bytes.
	minLength = 8
	// minWord is that of the shortest one of lower-case letters alone, or of digits alone:
	// a shorter one is a word, a port, a date.
	minWord = 14
	// minKinds is how many different characters a value has at least.
	minKinds = 5
	// minToken is the length of the shortest token that makes a line one that is only in
	// this secret.
	minToken = 20
)

// Plain reports that a value is in other texts by chance, so that finding it says
// nothing: it is shorter than 8 bytes, has fewer than 5 different characters, or is
// of lower-case letters or of digits alone and shorter than 14.
func Plain(value string) bool {
	value = strings.TrimSpace(value)
	if len(value) < minLength {
		return true
	}
	kinds := map[rune]bool{}
	digits, lower := true, true
	for _, r := range value {
		kinds[r] = true
		digits = digits && '0' <= r && r <= '9'
		lower = lower && 'a' <= r && r <= 'z'
	}
	return len(kinds) < minKinds || (digits || lower) && len(value) < minWord
}

// whoAndWhere are keys of who logs in, and where, as password managers have them.
var whoAndWhere = []string{"user", "username", "user_name", "login", "email", "url", "uri", "website", "host", "hostname"}

// wellKnown reports that a value says who logs in or where, by its key or as a web address
// alone: many texts have it. A token stays one under such a key, and in an address.
func wellKnown(key, value string) bool {
	if strings.ContainsAny(value, "\n\r") || telling(value) {
		return false
	}
	u, err := url.Parse(value)
	web := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	if web {
		long := func(part string) bool { return len(part) >= minToken }
		return u.User == nil && u.RawQuery == "" && u.Fragment == "" && !slices.ContainsFunc(strings.Split(u.Path, "/"), long)
	}
	return !strings.Contains(value, "://") && slices.Contains(whoAndWhere, strings.TrimRight(strings.ToLower(key), "0123456789_"))
}

// telling reports that a line of a value is in no other text by chance: it has a token
// of digits and letters in it that is long enough. Of a key's file these are the lines
// of the key, and not those around them.
func telling(line string) bool {
	for _, token := range strings.FieldsFunc(line, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '+' || r == '/' || r == '=' || r == '_')
	}) {
		digit := strings.ContainsAny(token, "0123456789")
		letter := strings.ToLower(token) != strings.ToUpper(token)
		if len(token) >= minToken && digit && letter && !Plain(token) {
			return true
		}
	}
	return false
}
