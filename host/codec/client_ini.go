package codec

import (
	"encoding/json"
	"maps"
	"strings"
	"unicode/utf8"
)

// readConfigParser reads a file as Python's configparser.RawConfigParser() does, which
// the AWS command line, Ansible and most Python tools use. It is strict: a section or
// an option that occurs twice is an error. Every section has the options of [DEFAULT].
func readConfigParser(data []byte) (reading, *Error) {
	if at := invalidUTF8(data); at >= 0 {
		line, _ := treeLine(data, at)
		return nil, &Error{Line: line, Msg: "not UTF-8 text"}
	}
	if bomLen(data) > 0 {
		return nil, &Error{Line: 1, Msg: "the file begins with a byte order mark"}
	}
	type option struct {
		place
		parts []string
	}
	var options []*option
	var sections []string
	seen := map[place]bool{}
	section, inSection := "", false
	var last *option
	var level int // the indentation of last's first line
	for i, l := range splitLines(data, 0) {
		text := string(data[l.start:l.end])
		body := trim(text)
		comment := body != "" && (body[0] == '#' || body[0] == ';')
		if body == "" || comment {
			if last != nil && !comment {
				last.parts = append(last.parts, "")
			}
			continue
		}
		indent := utf8.RuneCountInString(blanks(text))
		if last != nil && indent > level {
			last.parts = append(last.parts, body)
			continue
		}
		level = indent
		if end := strings.LastIndexByte(body, ']'); body[0] == '[' && end > 1 {
			section, inSection, last = body[1:end], true, nil
			if seen[place{group: section}] && section != "DEFAULT" {
				return nil, &Error{Line: i + 1, Msg: "a section that is there already"}
			}
			seen[place{group: section}] = true
			if section != "DEFAULT" {
				sections = append(sections, section)
			}
			continue
		}
		if !inSection {
			return nil, &Error{Line: i + 1, Msg: "this stands before any [section]"}
		}
		at := strings.IndexAny(body, "=:")
		if at <= 0 {
			return nil, &Error{Line: i + 1, Msg: "neither [section] nor name = value"}
		}
		last = &option{place{section, strings.ToLower(trimRight(body[:at]))}, []string{trimLeft(body[at+1:])}}
		if seen[last.place] {
			return nil, &Error{Line: i + 1, Msg: "an option that is there already"}
		}
		seen[last.place] = true
		options = append(options, last)
	}
	out := reading{}
	for _, o := range options {
		if o.group == "DEFAULT" {
			for _, s := range sections {
				out[place{s, o.key}] = trimRight(strings.Join(o.parts, "\n"))
			}
		}
	}
	for _, o := range options {
		out[o.place] = trimRight(strings.Join(o.parts, "\n"))
	}
	return out, nil
}

// readAWSCLI reads a file as botocore does: with configparser, but without a profile
// DEFAULT.
func readAWSCLI(data []byte) (reading, *Error) {
	out, err := readConfigParser(data)
	maps.DeleteFunc(out, func(p place, _ string) bool { return p.group == "DEFAULT" })
	return out, err
}

// readAWSForJS reads a file as parseIni of @smithy/shared-ini-file-loader does. It
// never fails, but ignores what it does not know: `:` as a delimiter, and values of
// several lines. Case counts in names. It also ignores a section of two words, unless
// the first word is one of three; such sections are read here all the same, because
// whoever has one cannot write it in any other way.
func readAWSForJS(data []byte) (reading, *Error) {
	out := reading{}
	section, group := "", ""
	for line := range strings.SplitSeq(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n") {
		body := jsTrim(line[:jsComment(line)])
		if strings.HasPrefix(body, "[") && strings.HasSuffix(body, "]") {
			section, group = body[1:max(len(body)-1, 1)], ""
			continue
		}
		at := strings.IndexByte(body, '=')
		if section == "" || at <= 0 {
			continue
		}
		name, value := jsTrim(body[:at]), jsTrim(body[at+1:])
		if value == "" {
			group = name
			continue
		}
		if jsTrim(line[:1]) != "" {
			group = ""
		}
		if group != "" {
			name = group + "." + name
		}
		out[place{section, name}] = value
	}
	return out, nil
}

// jsComment returns the offset of the comment in a line, the blank before it included,
// or the length of the line.
func jsComment(line string) int {
	before, blank := 0, true
	for i, r := range line {
		if blank && (r == ';' || r == '#') {
			return before
		}
		before, blank = i, isJSBlank(r)
	}
	return len(line)
}

// jsTrim is String.prototype.trim.
func jsTrim(s string) string {
	return strings.TrimFunc(s, isJSBlank)
}

// isJSBlank reports whether r is white space in JavaScript.
func isJSBlank(r rune) bool {
	return r == '\ufeff' || isBlank(r) && r != 0x85 && (r < 0x1c || r > 0x1f)
}

// readNpm reads a file as npm's package ini does. It never fails.
func readNpm(data []byte) (reading, *Error) {
	out := reading{}
	section := ""
	for line := range strings.FieldsFuncSeq(string(data), func(r rune) bool { return r == '\n' || r == '\r' }) {
		body := jsTrim(line)
		if body == "" || body[0] == ';' || body[0] == '#' {
			continue
		}
		if strings.HasPrefix(line, "[") {
			if end := strings.IndexByte(line, ']'); jsTrim(line[end+1:]) == "" {
				section = npmUnescape(line[1:end])
				continue
			}
		}
		name, value, ok := strings.Cut(line, "=")
		if name == "" {
			continue
		}
		text := "true" // what npm reads where there is no value
		if ok {
			text = npmUnescape(value)
		}
		out[place{section, npmUnescape(name)}] = text
	}
	return out, nil
}

// npmUnescape is the function unsafe of that package.
func npmUnescape(s string) string {
	s = jsTrim(s)
	if s == "" {
		return ""
	}
	if q := s[0]; (q == '"' || q == '\'') && s[len(s)-1] == q {
		if q == '\'' {
			s = s[1:max(len(s)-1, 1)]
		}
		var text string
		if json.Unmarshal([]byte(s), &text) == nil {
			return text
		}
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			if strings.IndexByte(`\;#`, s[i]) < 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(s[i])
		case c == ';' || c == '#':
			return jsTrim(b.String())
		default:
			b.WriteByte(c)
		}
	}
	return jsTrim(b.String())
}
