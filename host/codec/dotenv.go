package codec

import (
	"bytes"
	"strings"
)

// dotenv is the format of .env files: variable -> String. It reads what the
// dotenv packages of Node and Python and a POSIX shell agree on:
//
//	NAME=value # comment        blanks at both ends and a comment are not part of it
//	export NAME='literal'       may go over several lines; \' is a quote
//	NAME="a\nb"                 likewise; the escapes are \n \r \t \\ \" \$
//
// and Node's `literal` quotes. Nothing is interpolated, `$` is text. The last
// of several values of a variable wins. A line that is only a name is kept, and
// gives no variable; any other line is an error. How values are written: see
// dotenvWrite.
type dotenv struct{}

// dotenvVar is one assignment. Its numbers are offsets into the file, except line, the
// index of its first line.
type dotenvVar struct {
	name       string
	value      string
	line       int
	start      int // of its first line
	next       int // behind its last line's ending
	nameEnd    int
	equals     int // behind the equals sign
	from, end  int // the value with its quotes
	quote      byte
	exported   bool
	commentEnd bool // a comment follows on the line
}

// Decode implements [Format].
func (dotenv) Decode(data []byte) (*Node, error) {
	vars, err := dotenvParse(data)
	if err != nil {
		return nil, err
	}
	root := &Node{Kind: Map}
	for _, v := range vars {
		// docker compose takes the comment behind no value for one.
		disputed := v.quote == 0 && v.value == "" && v.commentEnd
		root.set(v.name, &Node{Kind: String, Text: v.value, Line: v.line + 1, Disputed: disputed})
	}
	return root, nil
}

func dotenvParse(data []byte) ([]dotenvVar, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	var vars []dotenvVar
	lines := splitLines(data, bomLen(data))
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		text := string(data[l.start:l.end])
		body := trim(text)
		if body == "" || body[0] == '#' {
			continue
		}
		v := dotenvVar{line: i, start: l.start}
		if rest, _ := strings.CutPrefix(body, "export"); blanks(rest) != "" {
			v.exported, body = true, trimLeft(rest)
		}
		name := body
		if end := strings.IndexFunc(body, func(r rune) bool { return r == '=' || r == '#' || isBlank(r) }); end >= 0 {
			name = body[:end]
		}
		rest := trimLeft(body[len(name):])
		if !isWord(name) || rest != "" && rest[0] != '=' && rest[0] != '#' {
			return nil, &Error{Line: i + 1, Msg: "not NAME=value"}
		}
		if rest == "" || rest[0] == '#' {
			continue
		}
		v.name = name
		v.equals = l.start + len(trimRight(text)) - len(rest) + 1
		v.nameEnd = l.start + len(trimRight(text)) - len(body) + len(name)
		if msg := v.read(data, l.end); msg != "" {
			return nil, &Error{Line: i + 1, Msg: msg}
		}
		for lines[i].end < v.end {
			i++
		}
		after := trim(string(data[v.end:lines[i].end]))
		if after != "" && after[0] != '#' {
			return nil, &Error{Line: i + 1, Msg: "text after the closing quote"}
		}
		v.commentEnd = after != ""
		v.next = lines[i].next
		vars = append(vars, v)
	}
	return vars, nil
}

// read parses the value, which begins behind the equals sign on the line that ends at
// lineEnd. It returns what is wrong with it, or "".
func (v *dotenvVar) read(data []byte, lineEnd int) string {
	text := string(data[v.equals:lineEnd])
	space := blanks(text)
	body := text[len(space):]
	v.from = v.equals + len(space)
	if body != "" && strings.IndexByte("'\"`", body[0]) >= 0 {
		v.quote = body[0]
		n := closingQuote(data[v.from+1:], v.quote)
		if n < 0 {
			return "the quote that opens here is not closed"
		}
		v.end = v.from + n + 2
		v.value = dotenvUnquote(string(data[v.from+1:v.end-1]), v.quote)
		return ""
	}
	before := space != ""
	for i, r := range body {
		if before && r == '#' {
			body = body[:i]
			break
		}
		before = isBlank(r)
	}
	v.value = trimRight(body)
	if v.value == "" {
		v.from = v.equals
	}
	v.end = v.from + len(v.value)
	return ""
}

// closingQuote returns the offset of the quote that ends text, or -1. A backslash keeps
// the next quote from ending it, except in backquotes.
func closingQuote(text []byte, quote byte) int {
	if quote == '`' {
		return bytes.IndexByte(text, quote)
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case quote:
			return i
		}
	}
	return -1
}

// dotenvUnquote decodes what stands between quotes. Every reader turns the line
// endings in it into "\n".
func dotenvUnquote(s string, quote byte) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	switch {
	case !strings.Contains(s, `\`):
		return s
	case quote == '"':
		return strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\\`, `\`, `\"`, `"`, `\$`, `$`).Replace(s)
	case quote == '\'':
		return dotenvUnquoteSingle(s)
	}
	return s
}

// dotenvUnquoteSingle resolves \' only; a pair of backslashes stays, and does
// not make the quote behind it one.
func dotenvUnquoteSingle(s string) string {
	return strings.NewReplacer(`\\`, `\\`, `\'`, `'`).Replace(s)
}

// Splice implements [Format].
func (dotenv) Splice(data []byte, edits []Edit) ([]byte, error) {
	return spliceFlat(dotenv{}, data, edits, dotenvEdit)
}

// dotenvEdit makes one edit that flatten gave.
func dotenvEdit(data []byte, e Edit) ([]byte, error) {
	vars, err := dotenvParse(data)
	if err != nil {
		return nil, err
	}
	name := e.Path[0].Key
	var last *dotenvVar
	var removed []patch
	for i := range vars {
		if vars[i].name == name {
			last = &vars[i]
			removed = append(removed, patch{last.start, last.next, ""})
		}
	}
	if e.Value == nil {
		return apply(data, removed), nil
	}
	if last == nil && !isVariable(name) {
		return nil, editError(e.Path, "dotenv cannot hold a variable of this name")
	}
	var quote byte
	if last != nil {
		quote = last.quote
	}
	value, problem := dotenvWrite(e.Value.Text, quote, newline(data))
	if problem != "" {
		return nil, editError(e.Path, "%s", problem)
	}
	if last == nil {
		if len(vars) > 0 && vars[len(vars)-1].exported {
			name = "export " + name
		}
		return apply(data, []patch{insertLines(data, len(data), name+"="+value)}), nil
	}
	// No shell knows blanks around the equals sign.
	p := patch{last.nameEnd, last.end, "=" + value}
	switch {
	case value == "" && last.commentEnd:
		p.text = `=""` // older readers take the comment for the value
	case last.commentEnd && data[last.end] == '#':
		p.text += " " // without which it is a part of the value for a shell
	case last.from == last.end && !last.commentEnd:
		// There was no value: no blanks shall come behind the new one.
		p.to = last.end + len(blanks(strings.TrimRight(string(data[last.end:last.next]), "\r\n")))
	}
	return apply(data, []patch{p}), nil
}
