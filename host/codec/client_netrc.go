package codec

import (
	"bytes"
	"strings"
)

// pythonNetrc is the lexer of Python's netrc module. It works on text with all line
// endings made "\n".
type pythonNetrc struct {
	text  []byte
	pos   int
	lines int // newlines read by tokens: the module's own line count
}

func (l *pythonNetrc) next() (c byte, ok bool) {
	if l.pos == len(l.text) {
		return 0, false
	}
	c = l.text[l.pos]
	if l.pos++; c == '\n' {
		l.lines++
	}
	return c, true
}

// token returns the next word: "" at the end of the text, and for an empty pair of
// quotes.
func (l *pythonNetrc) token() string {
	c, ok := l.next()
	for netrcBlank(c) {
		c, ok = l.next()
	}
	var b strings.Builder
	quoted := c == '"'
	if quoted {
		c, ok = l.next()
	}
	for ; ok; c, ok = l.next() {
		switch {
		case quoted && c == '"', !quoted && netrcBlank(c):
			return b.String()
		case c == '\\':
			if c, ok = l.next(); !ok {
				return b.String()
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// skipLine skips the rest of the line, without counting its newline.
func (l *pythonNetrc) skipLine() (line []byte) {
	end := treeLineEnd(l.text, l.pos)
	line, l.pos = l.text[l.pos:end], end
	return line
}

// readNetrcPython reads a file as Python's netrc module does, which requests and wandb
// use: the last entry of a machine counts, and whether a # begins a comment depends on
// how the newline before it was read.
func readNetrcPython(data []byte) (reading, *Error) {
	text := bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	l := &pythonNetrc{text: text}
	fail := func(msg string) *Error {
		line, _ := treeLine(text, max(l.pos-1, 0))
		return &Error{Line: line, Msg: msg}
	}
	out := reading{}
	pushed, isPushed := "", false
	for {
		before := l.lines
		word := pushed
		if !isPushed {
			word = l.token()
		}
		isPushed = false
		name := "default"
		switch {
		case word == "":
			return out, nil
		case word[0] == '#':
			if l.lines == before && len(word) == 1 {
				l.skipLine()
			}
			continue
		case word == "machine":
			name = l.token()
		case word == "macdef":
			l.token()
			for {
				line := l.skipLine()
				if len(line) == 0 {
					return nil, fail("no empty line ends the macro")
				}
				if string(line) == "\n" {
					break
				}
			}
			continue
		case word != "default":
			return nil, fail("this is read as a keyword, and is none")
		}
		if name == "" {
			return nil, fail("the machine has no name")
		}
		for _, field := range netrcFields() {
			delete(out, place{name, field})
		}
		for !isPushed {
			before = l.lines
			switch word = l.token(); {
			case strings.HasPrefix(word, "#"):
				if l.lines == before {
					l.skipLine()
				}
			case word == "" || word == "machine" || word == "default" || word == "macdef":
				pushed, isPushed = word, true
			case word == "login" || word == "user":
				out.put(name, "login", l.token())
			case word == "account" || word == "password":
				out.put(name, word, l.token())
			default:
				return nil, fail("this is read as a keyword, and is none")
			}
		}
	}
}

// put sets a text. An empty one is as none: the programs do not tell them apart.
func (r reading) put(group, key, text string) {
	delete(r, place{group, key})
	if text != "" {
		r[place{group, key}] = text
	}
}

// readNetrcCurl reads a file as curl does: the first entry of a machine counts, and a #
// in the place of any word begins a comment. It never fails. (curl does not know
// accounts; they are read as rhx reads them.)
func readNetrcCurl(data []byte) (reading, *Error) {
	out := reading{}
	name, key := "", "" // the machine, and the field that the next word is the value of
	seen := map[string]bool{}
	macro := false
	for _, l := range splitLF(data) {
		if macro {
			macro = l != "" && l != "\r"
			continue
		}
		for words := l; ; {
			word, rest, ok := curlWord(words)
			if !ok && rest != "" {
				return out, nil // it stops at a quote that is not closed
			}
			if !ok {
				break
			}
			words = rest
			switch lowered := strings.ToLower(word); {
			case key == "machine":
				if name, key = word, ""; seen[name] {
					name = ""
				}
				seen[word] = true
			case key != "" && name != "":
				out.put(name, key, word)
				key = ""
			case key != "":
				key = ""
			case lowered == "machine":
				key = "machine"
			case lowered == "default":
				if name = netrcDefault; seen[name] {
					name = ""
				}
				seen[netrcDefault] = true
			case lowered == "macdef" && name == "":
				macro = true
			case lowered == "login" || lowered == "password" || lowered == "account":
				key = lowered
			}
			if macro {
				break
			}
		}
	}
	return out, nil
}

func splitLF(data []byte) []string { return strings.Split(string(data), "\n") }

// curlWord returns the first word of a line and the rest of the line. Without a word,
// ok is false, and rest is empty unless a quote is not closed.
func curlWord(line string) (word, rest string, ok bool) {
	line = strings.TrimLeft(line, " \t\r\v\f")
	if line == "" || line[0] == '#' {
		return "", "", false
	}
	if line[0] != '"' {
		end := strings.IndexAny(line, " \t\r\v\f")
		if end < 0 {
			end = len(line)
		}
		return line[:end], line[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '"':
			return b.String(), line[i+1:], true
		case c == '\\' && i+1 < len(line):
			i++
			switch c = line[i]; c {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			}
		}
		b.WriteByte(c)
	}
	return "", line, false
}
