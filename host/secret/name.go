package secret

import (
	"fmt"
	"strings"
	"unicode"
)

// Name returns the name of a provider's secret: the provider for its default
// profile (""), else "PROVIDER/PROFILE" with every byte of the profile outside
// "A-Z a-z 0-9 . _ @ : + -" percent-encoded.
func Name(provider, profile string) string {
	if profile == "" {
		return provider
	}
	var b strings.Builder
	b.WriteString(provider)
	b.WriteByte('/')
	for i := 0; i < len(profile); i++ {
		if c := profile[i]; plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// SplitName returns the part of a name before its first slash, and what
// follows with percent-encoding undone. Text that is not a valid encoding
// stays as it is.
func SplitName(name string) (provider, profile string) {
	provider, rest, _ := strings.Cut(name, "/")
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		if rest[i] == '%' && i+2 < len(rest) {
			hi, lo := unhex(rest[i+1]), unhex(rest[i+2])
			if hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(rest[i])
	}
	return provider, b.String()
}

// ValidName returns an error that says why name cannot name a secret: it is
// empty, has an empty, "." or ".." step between slashes, or has characters that a
// terminal obeys or that nobody sees: control and format characters (among them
// those that turn the direction of text), separators of lines and paragraphs.
func ValidName(name string) error {
	if name == "" {
		return fmt.Errorf("a secret's name is empty")
	}
	if len(name) > 512 {
		return fmt.Errorf("a secret's name is longer than 512 bytes")
	}
	for step := range strings.SplitSeq(name, "/") {
		if step == "" || step == "." || step == ".." {
			return fmt.Errorf("secret name %q has an empty, '.' or '..' step", name)
		}
	}
	for _, r := range name {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return fmt.Errorf("secret name %+q has the character %U, which is a control character or invisible", name, r)
		}
	}
	return nil
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._@:+-", c) >= 0
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
