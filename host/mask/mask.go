// Package mask replaces secret values in a stream of bytes, such as the output of
// a command.
//
// A value is found as it is, percent-encoded, with the escapes of JSON, in base64
// (of it alone or as a part of more, in both alphabets) and in hex, also where a
// tool has broken base64 or hex into lines. Of a value of several lines each line
// of some length is found alone, too. What a program shows in pieces, or encodes in
// another way, is not found: masking is against accidents, not against a command
// that means to show what it was given.
//
// Libraries for searching many words (Aho-Corasick) search a text that is there as
// a whole. Here it comes in pieces, and what matters between two pieces is how much
// of the end may still become a value; so the automaton, which is short, is here.
package mask

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/rhx-dev/rhx/host/secret"
)

// MinLength is the length of the shortest value that is masked, in bytes: shorter
// ones are in too much that is no secret.
const MinLength = 4

// lineLength is the length of the shortest line that is masked on its own.
const lineLength = 8

// Masker knows what is to be masked. It does not change: any number of streams may
// use it at once.
type Masker struct {
	// text is what is searched for in plain text, and in text with the escapes of
	// URLs and of JSON taken out; code is base64 and hex.
	text, code *trie
}

// New returns a Masker for values. Blanks and line ends around them do not matter;
// those that are shorter than [MinLength] are left out.
func New(values []secret.Value) *Masker {
	var text, code []string
	for _, v := range values {
		for _, p := range parts(v.Reveal()) {
			text = append(text, p)
			if strings.Contains(p, " ") {
				text = append(text, strings.ReplaceAll(p, " ", "+")) // in a URL's query
			}
			code = append(code, encoded(p)...)
		}
	}
	return &Masker{text: newTrie(text), code: newTrie(code)}
}

// Empty reports that there is nothing to mask.
func (m *Masker) Empty() bool { return m.text.empty() }

// parts are the texts that must not be seen of a value: itself, as it is and with
// the line ends of a terminal, and its lines.
func parts(value string) []string {
	value = strings.TrimSpace(value)
	if len(value) < MinLength {
		return nil
	}
	out := []string{value}
	if !strings.ContainsAny(value, "\r\n") {
		return out
	}
	unix := strings.ReplaceAll(value, "\r\n", "\n")
	out = append(out, unix, strings.ReplaceAll(unix, "\n", "\r\n"))
	for _, line := range strings.FieldsFunc(value, func(r rune) bool { return r == '\r' || r == '\n' }) {
		line = strings.TrimSpace(line)
		// What begins and ends a PEM block is in every such file.
		if len(line) >= lineLength && !strings.HasPrefix(line, "-----BEGIN ") && !strings.HasPrefix(line, "-----END ") {
			out = append(out, line)
		}
	}
	return out
}

// encoded are the looks of a text in hex and base64. In base64 it has three, by
// where in a group of three bytes it begins; the first and last characters of each
// depend on its neighbours and are left out, but where it stands alone.
func encoded(text string) []string {
	lower := hex.EncodeToString([]byte(text))
	out := []string{lower, strings.ToUpper(lower), base64.StdEncoding.EncodeToString([]byte(text)), base64.RawStdEncoding.EncodeToString([]byte(text)),
		base64.StdEncoding.EncodeToString([]byte(text + "\n"))} // as from printenv
	for shift := range 3 {
		enc := base64.StdEncoding.EncodeToString(append(make([]byte, shift), text...))
		out = append(out, enc[(shift*8+5)/6:(shift+len(text))*8/6])
	}
	for _, s := range out[2:] {
		out = append(out, strings.NewReplacer("+", "-", "/", "_").Replace(s))
	}
	return out
}
