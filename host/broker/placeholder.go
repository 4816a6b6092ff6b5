package broker

import (
	"crypto/rand"
	"errors"
	"math/big"
	"strings"

	"github.com/rhx-dev/rhx/host/spec"
)

const (
	// minRandom is how many characters of a placeholder must be chance: it may be
	// neither guessed nor met in a request by accident.
	minRandom = 8
	maxValue  = 16 << 10
	// tries is how often a character is drawn that the pattern may refuse.
	tries = 64
)

var (
	errForm  = errors.New("the broker takes values of visible ASCII on one line; nothing else fits into a request")
	errShort = errors.New("it is too short, or its pattern too strict, for a placeholder that nothing else is")
)

// placeholder makes a text of a value's length and alphabet, that the pattern matches
// where it matches the value. Characters that are neither letters nor digits stay, and so
// do those that the pattern allows no others for, such as a prefix.
func placeholder(value string, pattern *spec.Pattern) (string, error) {
	if len(value) > maxValue || strings.TrimSpace(value) != value || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", errForm
	}
	if pattern != nil && !pattern.MatchString(value) {
		pattern = nil
	}
	letters := alphabet(value)
	out := []byte(value)
	drawn := 0
	for i := range out {
		if !alnum(out[i]) {
			continue
		}
		was, ok := out[i], false
		for range tries {
			c, err := draw(letters)
			if err != nil {
				return "", err
			}
			if c == was {
				continue // else one that must stay would seem to be chance
			}
			if out[i] = c; pattern == nil || pattern.MatchString(string(out)) {
				ok = true
				break
			}
		}
		if !ok {
			out[i] = was
			continue
		}
		drawn++
	}
	if drawn < minRandom {
		return "", errShort
	}
	return string(out), nil
}

func draw(letters string) (byte, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
	if err != nil {
		return 0, err
	}
	return letters[n.Int64()], nil
}

// alphabet are the letters and digits of the kinds that a value has: hexadecimal ones
// alone where it has no others.
func alphabet(value string) string {
	const digits, hex, rest = "0123456789", "abcdef", "ghijklmnopqrstuvwxyz"
	var out string
	add := func(set, more string) {
		switch {
		case strings.ContainsAny(value, more):
			out += set + more
		case strings.ContainsAny(value, set):
			out += set
		}
	}
	add(hex, rest)
	add(strings.ToUpper(hex), strings.ToUpper(rest))
	add(digits, "\x00")
	return out
}

func alnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
