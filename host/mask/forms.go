package mask

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/secret"
)

// wholes is how many of the parts of a value of several lines are the whole value.
const wholes = 3

// parts are the texts that must not be seen of a value: itself, as it is and with
// the line ends of a terminal, and its lines.
func parts(value string) []string {
	value = trim(value)
	if len(value) < MinLength {
		return nil
	}
	out := []string{value}
	if !strings.ContainsAny(value, "\r\n") {
		return out
	}
	unix := strings.ReplaceAll(value, "\r\n", "\n")
	out = append(out, unix, strings.ReplaceAll(unix, "\n", "\r\n"))
	for _, line := range lines(value) {
		if len(line) >= lineLength {
			out = append(out, line)
		}
	}
	return slices.DeleteFunc(out, func(s string) bool { return len(s) < MinLength })
}

// Lines are the lines of values, each once, for what hides texts in a log line by line.
// Those that are shorter than [MinLength] are in too much else; so is what begins and ends
// a PEM block.
func Lines(values []secret.Value) []string {
	var out []string
	seen := map[string]bool{}
	for _, v := range values {
		for _, line := range lines(trim(v.Reveal())) {
			if len(line) >= MinLength && !seen[line] {
				seen[line] = true
				out = append(out, line)
			}
		}
	}
	return out
}

// lines are the lines of a text, without those that begin and end a PEM block.
func lines(text string) []string {
	var out []string
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "-----BEGIN ") && !strings.HasPrefix(line, "-----END ") {
			out = append(out, line)
		}
	}
	return out
}

// trim takes away what is around a value and not a part of it: line ends, and
// blanks where enough is left without them.
func trim(value string) string {
	bare := strings.TrimSpace(value)
	if lines := strings.Trim(value, "\r\n"); bare != "" && len(bare) < MinLength {
		return lines
	}
	return bare
}

// plain are the looks of a text that are no encoding: itself, as in the query of a
// URL, and as Windows writes text.
func plain(text string) []string {
	out := []string{text, wide(text)}
	if strings.Contains(text, " ") {
		out = append(out, strings.ReplaceAll(text, " ", "+"))
	}
	return out
}

// forURLs makes of base64 that of the other alphabet.
var forURLs = strings.NewReplacer("+", "-", "/", "_")

// encoded are the looks of a text in hex and base64.
func encoded(text string) []string {
	lower := hex.EncodeToString([]byte(text))
	out := append(inBase64(text), inBase64(wide(text))...) // the latter for PowerShell's -EncodedCommand
	for _, s := range out {
		out = append(out, forURLs.Replace(s))
	}
	return append(out, lower, strings.ToUpper(lower))
}

// inBase64 are the looks of a text in base64. It has three, by where in a group of
// three bytes it begins; the first and last characters of each depend on its
// neighbours and are left out, but where it stands alone or ends a line.
func inBase64(text string) []string {
	out := []string{
		base64.StdEncoding.EncodeToString([]byte(text)), base64.RawStdEncoding.EncodeToString([]byte(text)),
		base64.StdEncoding.EncodeToString([]byte(text + "\n")), // as from printenv
	}
	for shift := range 3 {
		enc := base64.StdEncoding.EncodeToString(append(make([]byte, shift), text...))
		out = append(out, enc[(shift*8+5)/6:(shift+len(text))*8/6])
	}
	return out
}

// wide is a text in UTF-16, little-endian; itself where it is no text.
func wide(text string) string {
	if !utf8.ValidString(text) {
		return text
	}
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}
