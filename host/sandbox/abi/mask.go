package abi

import (
	"cmp"
	"slices"
	"strings"
)

// masked stands where a value of the request was.
const masked = "********"

// Mask replaces in text, which a module wrote, whatever the module could have
// taken out of its request: values of variables and secrets, and the files'
// contents, their lines, and the words in them that stand where values stand.
// Names before a = or : and in brackets stay, and plain words of comments, since
// messages are made of them.
func Mask(text string, req *Request) string {
	if text == "" {
		return text
	}
	var found, shorts []string
	note := func(s string) {
		if s = strings.TrimSpace(s); len(s) >= 4 && strings.Contains(text, s) {
			found = append(found, s)
		}
	}
	short := func(s string) {
		if s != "" && len(s) < 4 {
			shorts = append(shorts, s)
		}
	}
	values := func(m map[string]string) {
		for _, v := range m {
			note(v)
			short(v)
			for line := range strings.SplitSeq(v, "\n") {
				note(line)
			}
		}
	}
	values(req.Env)
	if req.Secret != nil {
		values(req.Secret.Values)
	}
	for i := range req.Files {
		content := string(req.Files[i].Content)
		note(content)
		for line := range strings.SplitSeq(content, "\n") {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") && !strings.ContainsAny(line, "\"',") {
				continue // the name of a section
			}
			note(line)
			comment := strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";")
			if at := strings.IndexAny(line, "=:"); at >= 0 {
				line = line[at+1:]
			}
			note(line)
			for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune(" \t\r\"'`,;=:{}[]()<>", r) }) {
				// What a comment says is what a message says, too.
				if !comment || !plainWord(word) {
					note(word)
				}
			}
		}
	}
	// The longest first, so that no part of one is left standing.
	slices.SortFunc(found, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, s := range slices.Compact(found) {
		text = strings.ReplaceAll(text, s, masked)
	}
	for _, s := range shorts {
		text = maskWord(text, s)
	}
	return text
}

// plainWord reports whether a word is one of a language, and not one of a key.
func plainWord(word string) bool {
	return len(word) <= 20 && !strings.ContainsFunc(word, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') })
}

// maskWord masks a value of up to three bytes where it stands alone: replaced
// everywhere, a password "a" would leave no message.
func maskWord(text, word string) string {
	letter := func(i int) bool {
		if i < 0 || i >= len(text) {
			return false
		}
		c := text[i]
		return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= 0x80
	}
	for at := 0; ; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return text
		}
		i += at
		if letter(i-1) || letter(i+len(word)) {
			at = i + len(word)
			continue
		}
		text = text[:i] + masked + text[i+len(word):]
		at = i + len(masked)
	}
}
