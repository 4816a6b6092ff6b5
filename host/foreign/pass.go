package foreign

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// PassEntry reads a decrypted entry of pass or gopass: the password in the first line,
// then lines "KEY: VALUE", and addresses of one-time passwords (otpauth://), which stay as
// they are. All other lines are notes.
func PassEntry(name string, data []byte) Item {
	it := Item{Title: name, Name: name}
	if !utf8.Valid(data) {
		it.add("content", string(data), false)
		return it
	}
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	// A file that somebody put there as a whole, such as a key.
	if strings.HasPrefix(text, "-----BEGIN ") {
		key := "content"
		if strings.Contains(text, "PRIVATE KEY-----") {
			key = "private_key"
		}
		it.add(key, string(data), false)
		return it
	}
	// gopass's own form of a secret without a password.
	text, own := strings.CutPrefix(text, "GOPASS-SECRET-1.0\n")
	password, rest, _ := strings.Cut(text, "\n")
	seen := map[string]bool{"password": true}
	// A password may look as a field does, and its beginning would be shown as a name.
	if key, _, ok := strings.Cut(password, ": "); ok && (own && passKey(key) || account(key)) {
		rest = text // no password: the first line is a field already
	} else {
		it.add("password", password, false)
	}
	var notes []string
	for line := range strings.SplitSeq(rest, "\n") {
		key, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		known := strings.ToLower(key)
		switch {
		case strings.HasPrefix(line, "otpauth://"):
			it.add(free("otp", seen), line, false)
		case !ok || !passKey(key) || strings.HasPrefix(value, "//"):
			notes = append(notes, line)
		case known == "url" || known == "website":
			if value != "" {
				it.URLs = append(it.URLs, value)
			}
			it.add(free(key, seen), value, true)
		case known == "user" || known == "username" || known == "login":
			it.User = value
			it.add(free(key, seen), value, true)
		default:
			it.add(free(key, seen), value, false)
		}
	}
	if text := strings.Trim(strings.Join(notes, "\n"), "\n"); text != "" && text != "---" {
		it.add(free("notes", seen), text, false)
	}
	return it
}

// account reports the name of a field that is no password's beginning: it says whose
// password it is, or is a variable's.
func account(key string) bool {
	variable := strings.Contains(key, "_") && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
	return variable || slices.Contains([]string{"user", "username", "login", "url", "website"}, strings.ToLower(key))
}

// passKey reports whether a text before a colon is the name of a field: some words, not a
// sentence, and no number, such as a code for one time.
func passKey(text string) bool {
	digits := 0
	for _, r := range text {
		if digits++; r < '0' || r > '9' {
			digits = 0
		}
		if digits > 2 {
			return false
		}
	}
	return text != "" && len(text) <= 40 && text == strings.TrimSpace(text) && strings.Count(text, " ") <= 3 && !strings.ContainsAny(text, "\"'{}[]<>=/\\#")
}

// free is a name that is not taken yet.
func free(name string, seen map[string]bool) string {
	out := name
	for i := 2; seen[out]; i++ {
		out = fmt.Sprintf("%s-%d", name, i)
	}
	seen[out] = true
	return out
}
