package vaultstore

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"
)

// marker begins every text that Vault cannot hold as it is: JSON has no bytes
// that are not UTF-8, and Vault refuses unprintable runes in paths and in
// custom metadata, and ".." in paths. The rest of such a text is base64. Text that
// begins with the marker itself is encoded too, so that decoding is exact.
//
// The marker is part of the text rather than a list of encoded keys in the
// metadata: custom metadata belongs to all versions of a secret at once and is
// written by a second request, so a list there would be wrong for older
// versions, and for the newest after a crash.
const marker = "rhx:base64:"

// encodeText returns s as text that JSON can hold.
func encodeText(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, marker) {
		return s
	}
	return marker + base64.StdEncoding.EncodeToString([]byte(s))
}

// encodeLine returns s as text that custom metadata can hold.
func encodeLine(s string) string {
	if printable(s) && !strings.HasPrefix(s, marker) {
		return s
	}
	return marker + base64.StdEncoding.EncodeToString([]byte(s))
}

// decodeText undoes encodeText, and decodeLine encodeLine. Text that they would
// have encoded in another way is what somebody wrote by hand, and stays.
func decodeText(s string) string { return undo(s, encodeText) }

func decodeLine(s string) string { return undo(s, encodeLine) }

func undo(s string, encode func(string) string) string {
	if text := decode(s, base64.StdEncoding); text == s || encode(text) == s {
		return text
	}
	return s
}

// encodeName returns the path of a secret's name: the name itself, unless one
// of its steps has something that Vault refuses in a path.
func encodeName(name string) string {
	if printable(name) && !strings.Contains(name, marker) && !strings.Contains(name, "..") {
		return name
	}
	steps := strings.Split(name, "/")
	for i, s := range steps {
		// Vault takes every ".." for a way out, wherever it stands.
		if !printable(s) || strings.HasPrefix(s, marker) || strings.Contains(s, "..") {
			steps[i] = marker + base64.RawURLEncoding.EncodeToString([]byte(s))
		}
	}
	return strings.Join(steps, "/")
}

// decodeName undoes encodeName.
func decodeName(path string) string {
	if !strings.Contains(path, marker) {
		return path
	}
	steps := strings.Split(path, "/")
	for i, s := range steps {
		steps[i] = decode(s, base64.RawURLEncoding)
	}
	return strings.Join(steps, "/")
}

func decode(s string, enc *base64.Encoding) string {
	rest, ok := strings.CutPrefix(s, marker)
	if !ok {
		return s
	}
	b, err := enc.Strict().DecodeString(rest)
	// Only what this package would have encoded is decoded: anything else is
	// text that somebody wrote by hand.
	if err != nil || strings.ContainsAny(rest, "\r\n") {
		return s
	}
	return string(b)
}

// printable reports whether Vault takes s in paths and custom metadata.
func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
