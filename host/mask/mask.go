// Package mask replaces secret values in a stream of bytes, such as the output of
// a command.
//
// A value is found as it is and in the forms that tools give it: percent-encoded,
// with the escapes of JSON, of C and of shells, with entities of XML, quoted for a
// shell, SQL or CSV, in UTF-16, in hex, and in base64 (of it alone or as a part of
// more, in both alphabets), also where a tool has broken base64 or hex into lines.
// Of a value of several lines each line of some length is found alone, too. What a
// program shows in pieces, or encodes in another way, is not found: masking is
// against accidents, not against a command that means to show what it was given.
//
// Most text holds no value, so what counts is how fast that is known: see [words].
package mask

import (
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
	words *words
	// quotes says that a value has a quote in it, so that doubled ones matter.
	quotes bool
}

// New returns a Masker for values. Blanks and line ends around them do not matter,
// unless too little is left without the blanks; those that are shorter than
// [MinLength] are left out.
func New(values []secret.Value) *Masker {
	var list []word
	m := &Masker{}
	for _, v := range values {
		for _, p := range parts(v.Reveal()) {
			m.quotes = m.quotes || strings.ContainsAny(p, `'"`)
			for _, text := range plain(p) {
				list = append(list, word{text: text})
			}
			for _, text := range encoded(p) {
				list = append(list, word{text: text, code: true})
			}
		}
	}
	m.words = newWords(list)
	return m
}

// Empty reports that there is nothing to mask.
func (m *Masker) Empty() bool { return len(m.words.sorted) == 0 }
