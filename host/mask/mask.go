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
	"errors"
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
	// readings are the ways to read a stream beside as it is.
	readings []reading
	// sameLength says that what is masked keeps its length.
	sameLength bool
}

// New returns a Masker for values. Blanks and line ends around them do not matter,
// unless too little is left without the blanks; those that are shorter than
// [MinLength] are left out.
func New(values []secret.Value) *Masker {
	var list []word
	quotes := false
	for _, v := range values {
		for _, p := range parts(v.Reveal()) {
			quotes = quotes || hasQuote(p)
			for _, text := range plain(p) {
				list = append(list, word{text: text})
			}
			for _, text := range encoded(p) {
				list = append(list, word{text: text, code: true})
			}
		}
	}
	return newMasker(list, quotes, false)
}

// newMasker returns the Masker for words. quotes says that a value has a quote in it, so
// that doubled ones matter.
func newMasker(list []word, quotes, sameLength bool) *Masker {
	m := &Masker{words: newWords(list), sameLength: sameLength}
	m.readings = []reading{
		{name: "url", leads: [2]byte{'%', '%'}, escape: percent},
		{name: "escapes", leads: [2]byte{'\\', '\\'}, escape: backslash},
		{name: "entities", leads: [2]byte{'&', '&'}, signs: []string{";"}, escape: entity},
		{name: "lines", leads: [2]byte{'\n', '\r'}, escape: lineBreak, code: true},
	}
	if quotes {
		m.readings = append(m.readings, reading{name: "quotes", leads: [2]byte{'\'', '"'}, signs: []string{`''`, `""`, `'\'`, `'"'`}, escape: quote})
	}
	for i := range m.readings {
		if r := &m.readings[i]; !r.code {
			r.behind = r.behindLead(m.words)
		}
	}
	return m
}

// StandIn is a value and the text that stands for it, of the same length.
type StandIn struct {
	Value secret.Value
	Text  string
}

// NewStandIns returns a Masker that puts texts in the place of values, and in the
// place of an encoded value the text in that encoding; where that would have another
// length, asterisks. So what comes out is as long as what came. It is an error if a
// text is not as its value: of the same length, all ASCII without control characters,
// and with blanks at the same places, none of which is at an end.
func NewStandIns(list []StandIn) (*Masker, error) {
	var words []word
	quotes := false
	for _, s := range list {
		value := s.Value.Reveal()
		if err := alike(value, s.Text); err != nil {
			return nil, err
		}
		quotes = quotes || hasQuote(value)
		as := plain(s.Text)
		for i, text := range plain(value) {
			words = append(words, word{text: text, as: as[i]})
		}
		as = encoded(s.Text)
		for i, text := range encoded(value) {
			words = append(words, word{text: text, code: true, as: as[i]})
		}
	}
	return newMasker(words, quotes, true), nil
}

func hasQuote(text string) bool { return strings.ContainsAny(text, `'"`) }

// alike returns an error unless the forms of a text are as long as those of a value.
func alike(value, text string) error {
	if len(value) < MinLength || len(value) != len(text) || strings.TrimSpace(value) != value {
		return errors.New("what stands for a value must be as long as it")
	}
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' || text[i] < ' ' || text[i] > '~' || (value[i] == ' ') != (text[i] == ' ') {
			return errors.New("what stands for a value must be ASCII, with blanks where it has some")
		}
	}
	return nil
}

// Replace masks a whole text.
func (m *Masker) Replace(text string) string {
	if m.Empty() || text == "" {
		return text
	}
	s := m.stream()
	return string(s.finish(s.write(nil, []byte(text))))
}

// Empty reports that there is nothing to mask.
func (m *Masker) Empty() bool { return len(m.words.sorted) == 0 }
