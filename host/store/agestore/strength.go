package agestore

import (
	"fmt"
	"math"
	"strings"
	"unicode"

	"github.com/rhx-dev/rhx/host/fault"
)

// enoughBits is how hard a passphrase must be to guess, as the logarithm of the
// number of tries. age's scrypt lets a processor make about one try a second, and
// somebody with a stolen disk and a hundred thousand of them needs 350 years for these.
const enoughBits = 50

// commonWords are what guessing begins with: each counts as one of a thousand.
var commonWords = []string{
	"password", "passwort", "passw0rd", "qwertyuiop", "qwertz", "qwerty", "asdfghjkl", "asdf", "zxcvbn", "1q2w3e4r", "iloveyou",
	"letmein", "welcome", "admin", "root", "secret", "monkey", "dragon", "football", "baseball", "sunshine", "princess",
	"master", "shadow", "superman", "hunter", "trustno1", "changeme", "default", "summer", "winter", "spring", "autumn", "login", "test", "rhx",
}

// guessBits estimates how hard a passphrase is to guess. It is generous to words of
// a language, of which it knows only the commonest.
func guessBits(passphrase string) float64 {
	text := []rune(passphrase)
	each := math.Log2(alphabet(text))
	bits := 0.0
	for i := 0; i < len(text); i++ {
		rest := strings.ToLower(string(text[i:]))
		word := 0
		for _, w := range commonWords {
			if strings.HasPrefix(rest, w) {
				word = max(word, len(w))
			}
		}
		switch {
		case word > 0:
			bits += 10
			i += word - 1
		case i >= 2 && goesOn(text[i-2], text[i-1], text[i]), i >= 3 && strings.Contains(string(text[:i-1]), string(text[i-2:i+1])):
			bits++ // aaaa, 1234, or what was there already
		default:
			bits += each
		}
	}
	return bits
}

// goesOn reports whether three characters follow one another, up, down or not at all.
func goesOn(a, b, c rune) bool { return c-b == b-a && b-a >= -1 && b-a <= 1 }

// alphabet is how many characters there are of the kinds that a text has.
func alphabet(text []rune) float64 {
	kinds := map[string]float64{}
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			kinds["digits"] = 10
		case c >= 'a' && c <= 'z':
			kinds["small letters"] = 26
		case c >= 'A' && c <= 'Z':
			kinds["capital letters"] = 26
		case c <= unicode.MaxASCII:
			kinds["others"] = 33
		default:
			kinds["letters of other scripts"] = 100
		}
	}
	n := 1.0
	for _, size := range kinds {
		n += size
	}
	return n
}

// strong returns an error for a passphrase that is guessed too easily. of names the
// file that it is to protect, and undone says what was therefore not done.
func strong(passphrase, of, undone string) error {
	bits := guessBits(passphrase)
	if bits >= enoughBits {
		return nil
	}
	return fault.WithHint(
		fmt.Errorf("the passphrase is too weak: about 2^%.0f guesses find it, and who has a copy of the %s can make them without you; %s", bits, of, undone),
		"four words that have nothing to do with each other are enough, or 12 random characters; --weak takes a weaker one")
}
