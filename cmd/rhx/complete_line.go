package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
)

// complete answers a shell that asks what may follow: COMP_LINE is the line up to the
// cursor, and RHX_COMPLETE the shell whose script asks. Without that it is bash itself
// (complete -C), as set up by an older rhx: it inserts a name as it is, breaks words also
// behind ":" and "=", and says in args[1] what it takes for the word.
func (a *app) complete(parser *kong.Kong, args []string) int {
	shell := a.Getenv("RHX_COMPLETE")
	line := a.Getenv("COMP_LINE")
	if point, err := strconv.Atoi(a.Getenv("COMP_POINT")); err == nil && shell == "" && point >= 0 && point < len(line) {
		line = line[:point]
	}
	words, last := splitLine(line, shell)
	words = words[min(1, len(words)-1) : len(words)-1]

	// What is asked for must not disturb the line: no question, and not a word.
	a.NoInput, a.Quiet, a.Err = true, true, io.Discard
	flags := part(parser.Model.Node, words).flags
	for _, f := range []struct {
		name  string
		value *string
	}{{"--store", &a.Store}, {"--manifest", &a.Manifest}, {"--profile", &a.Profile}} {
		if values := given(flags, f.name); len(values) > 0 {
			*f.value = values[0]
		}
	}
	a.Store = cmp.Or(a.Store, a.Getenv("RHX_STORE"))
	c := completer{root: parser.Model.Node, known: a.known(last.text), path: a.Getenv("PATH")}
	broken := ""
	if shell == "" && len(args) > 1 && strings.HasSuffix(last.text, args[1]) {
		broken = strings.TrimSuffix(last.text, args[1])
	}
	for _, name := range c.next(words, last.text) {
		switch shell {
		case "":
			if strings.IndexFunc(name, unsafeInShell) >= 0 {
				continue // an older script has it inserted as it is
			}
			name = strings.TrimPrefix(name, broken)
		case "bash":
			quoted, ok := last.inBash(name, a.Getenv("RHX_COMPLETE_WORD"))
			if !ok {
				continue
			}
			name = quoted
		}
		fmt.Fprintln(a.Data(), name)
	}
	return 0
}

func unsafeInShell(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./@:,+%=", r)
}

// offered reports that a name can be a line of an answer, and be seen for what it is.
func offered(name string) bool { return name != "" && term.Line(name) == name }

// lastWord is the word that a line ends in: what it means, how it is written, and the
// quote in which it ends.
type lastWord struct {
	text, raw string
	quote     rune
}

// inBash is a name as bash is to insert it in the place of word, which is what it takes for
// the last word: a part of it behind ":" and "=", and what follows a quote that is open. It
// is false where that cannot be said.
func (w lastWord) inBash(name, word string) (string, bool) {
	switch {
	case w.quote == 0:
		before := strings.TrimSuffix(w.raw, word)
		if len(before)+len(word) != len(w.raw) {
			before = ""
		}
		_, meant := splitLine(before, "bash")
		if !strings.HasPrefix(name, meant.text) {
			return "", false
		}
		return escapedWith(name[len(meant.text):], func(r rune) bool { return r < 0x80 && unsafeInShell(r) }), true
	case !strings.HasPrefix(w.raw, string(w.quote)) || strings.Count(w.raw, string(w.quote)) > 1:
		return "", false // there is more before the quote
	case w.quote == '\'':
		return strings.ReplaceAll(name, "'", `'\''`), true
	}
	return escapedWith(name, func(r rune) bool { return strings.ContainsRune("\"\\$`", r) }), !strings.Contains(name, "!")
}

// escapedWith has a backslash before some characters.
func escapedWith(text string, special func(rune) bool) string {
	var b strings.Builder
	for _, r := range text {
		if special(r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// splitLine splits a command line as a shell does that has not expanded it. The last
// word is the one that the line ends in, "" behind a space.
func splitLine(line, shell string) (words []string, last lastWord) {
	var word strings.Builder
	var quote rune
	escaped, inWord := false, false
	start := 0
	for i, r := range line {
		if !inWord && r != ' ' && r != '\t' && r != '\n' {
			start = i
		}
		switch {
		case escaped:
			escaped = false
			if quote != 0 && !strings.ContainsRune(`\'"$`, r) && shell == "fish" {
				word.WriteByte('\\') // fish takes only these for escaped between quotes
			}
			word.WriteRune(r)
		case r == '\\' && (quote != '\'' || shell == "fish"):
			escaped, inWord = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			inWord = true
			word.WriteRune(r)
		}
	}
	last = lastWord{text: word.String(), quote: quote}
	if inWord {
		last.raw = line[start:]
	}
	return append(words, last.text), last
}
