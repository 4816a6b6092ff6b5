package projfile

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/spec"
)

// envrc returns the variables of a program of the shell that are there for certain:
// those of lines "export NAME=value" outside every block, whose value is one text. All
// else is code, and is left: nothing of it is run, and where what follows may be part of
// it (a quote or a here-document that goes on), so is what follows.
func envrc(data []byte) ([]assigned, error) {
	if !utf8.Valid(data) || strings.ContainsRune(string(data), 0) {
		return nil, errors.New("it is not text")
	}
	var out []assigned
	var code []string
	rest := string(data)
	block := "" // the word that ends the block in which we are
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\n")
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' {
			rest = after
			continue
		}
		if a, end, ok := exported(rest); ok && block == "" {
			out = append(out, a)
			rest = end
			continue
		}
		if goesOn(text) {
			code = append(code, strings.Split(strings.TrimSuffix(rest, "\n"), "\n")...)
			break
		}
		rest = after
		code = append(code, line)
		switch end := blockEnd(text); {
		case block == "" && !endsWith(text, end):
			block = end
		case block != "" && line == block:
			block = ""
		}
	}
	out = lastOf(out, code)
	if len(code) > 0 {
		out = append(out, assigned{name: fmt.Sprintf("%d lines", len(code)), why: "shell code, which rhx does not run"})
	}
	return out, nil
}

// lastOf keeps the last of several variables of a name, and leaves those that the code
// may change.
func lastOf(all []assigned, code []string) []assigned {
	words, last := map[string]bool{}, map[string]int{}
	for _, line := range code {
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r != '_' && !wordRune(r) }) {
			words[word] = true
		}
	}
	for i, a := range all {
		last[a.name] = i
	}
	var out []assigned
	for i, a := range all {
		if last[a.name] != i {
			continue
		}
		if words[a.name] {
			a.why = "other lines of the shell code use it"
		}
		out = append(out, a)
	}
	return out
}

// exported reads "export NAME=value" at the beginning of a text, and returns what is
// behind its line; false for anything else.
func exported(text string) (a assigned, after string, ok bool) {
	rest, ok := strings.CutPrefix(text, "export ")
	if !ok {
		return a, "", false
	}
	a.name, rest, ok = strings.Cut(strings.TrimLeft(rest, " \t"), "=")
	if !ok || !spec.ValidVar(a.name) {
		return a, "", false
	}
	switch {
	case strings.HasPrefix(rest, "'"):
		a.value, rest, ok = strings.Cut(rest[1:], "'")
	case strings.HasPrefix(rest, `"`):
		a.value, a.why, rest, ok = doubleQuoted(rest[1:])
	default:
		end := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("_/:@%+,=^.-", r) && !wordRune(r) })
		if end < 0 {
			end = len(rest)
		}
		a.value, rest = rest[:end], rest[end:]
	}
	line, after, _ := strings.Cut(rest, "\n")
	// A comment needs a blank before it.
	if trimmed := strings.TrimLeft(line, " \t"); !ok || trimmed != "" && (trimmed[0] != '#' || trimmed == line) {
		return a, "", false
	}
	return a, after, true
}

// doubleQuoted reads up to the closing quote; why says that a shell puts something else
// in place of a part.
func doubleQuoted(text string) (value, why, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), why, text[i+1:], true
		case c == '\\' && i+1 < len(text) && strings.IndexByte("\"\\$`", text[i+1]) >= 0:
			i++
			b.WriteByte(text[i])
		case c == '\\' && i+1 < len(text) && text[i+1] == '\n':
			i++
		case c == '$', c == '`':
			why = refers
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return "", "", "", false
}

func wordRune(r rune) bool {
	return r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z'
}

// goesOn reports whether the next lines may belong to a line of code in a way that only
// a shell can tell.
func goesOn(text string) bool {
	return strings.Contains(text, "<<") || strings.HasSuffix(text, `\`) || strings.Count(text, "'")%2 != 0 || strings.Count(text, `"`)%2 != 0 ||
		strings.Count(text, "`")%2 != 0 || strings.Count(text, "(") != strings.Count(text, ")")
}

// blockEnd is the word that ends the block that a line begins; "" for none.
func blockEnd(text string) string {
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "if":
		return "fi"
	case "for", "while", "until", "select":
		return "done"
	case "case":
		return "esac"
	}
	if strings.HasSuffix(text, "{") || word == "{" {
		return "}"
	}
	return ""
}

// endsWith reports whether a block that a line begins ends on it, too.
func endsWith(text, end string) bool { return end == "" || strings.HasSuffix(text, " "+end) }
