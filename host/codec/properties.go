package codec

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// properties is the format of Java's java.util.Properties: key -> String, by the rules
// of its method load. Of several lines with one key the last one counts. Programs read
// the bytes of such a file as ISO-8859-1 (Properties.load of a stream) or as UTF-8, so a
// value with other bytes than ASCII is Disputed, and is read as UTF-8 where it is that.
// What is written is ASCII.
type properties struct{}

// property is one key with its value. Its numbers are offsets into the file, except
// line, the index of its first line.
type property struct {
	key, value string
	line       int
	start      int // of its first line
	next       int // behind its last line's ending
	keyStart   int
	keyEnd     int
	from, end  int // the value, as it is in the file
	disputed   bool
	open       bool // a backslash stands before the end of the file
}

// propertyBlank reports what Java skips before keys and around separators.
func propertyBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\f' }

// Decode implements [Format].
func (properties) Decode(data []byte) (*Node, error) {
	all, err := propertiesParse(data)
	if err != nil {
		return nil, err
	}
	root := &Node{Kind: Map}
	for _, p := range all {
		root.set(p.key, &Node{Kind: String, Text: p.value, Line: p.line + 1, Disputed: p.disputed})
	}
	return root, nil
}

func propertiesParse(data []byte) ([]property, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	if bomLen(data) > 0 {
		return nil, &Error{Line: 1, Msg: "the file begins with a byte order mark, which Java takes for a part of the first key; save it without"}
	}
	var all []property
	lines := splitLines(data, 0)
	for i := 0; i < len(lines); i++ {
		text := bytes.TrimLeft(data[lines[i].start:lines[i].end], " \t\f")
		// A backslash alone begins nothing: what follows it is a line of its own.
		if len(text) == 0 || text[0] == '#' || text[0] == '!' || len(text) == 1 && text[0] == '\\' {
			continue
		}
		p := property{line: i, start: lines[i].start}
		var joined []byte // the text of the property
		var at []int      // where its bytes are in the file
		for {
			joined, at = append(joined, text...), appendOffsets(at, lines[i].end-len(text), lines[i].end)
			if n := len(text) - len(bytes.TrimRight(text, `\`)); n%2 == 0 {
				break
			}
			joined, at = joined[:len(joined)-1], at[:len(at)-1]
			if p.open = i+1 == len(lines); p.open {
				break
			}
			i++
			text = bytes.TrimLeft(data[lines[i].start:lines[i].end], " \t\f")
		}
		p.next, p.end = lines[i].next, lines[i].end
		if msg := p.read(joined, at); msg != "" {
			return nil, &Error{Line: p.line + 1, Msg: msg}
		}
		all = append(all, p)
	}
	return all, nil
}

func appendOffsets(at []int, from, to int) []int {
	for ; from < to; from++ {
		at = append(at, from)
	}
	return at
}

// read parses the text of a property, whose bytes are at offsets of the file. It returns
// what is wrong with it, or "".
func (p *property) read(text []byte, at []int) string {
	key := 0
	for key < len(text) && text[key] != '=' && text[key] != ':' && !propertyBlank(text[key]) {
		if text[key] == '\\' {
			key++
		}
		key++
	}
	value, separated := key, false
	for value < len(text) && (propertyBlank(text[value]) || !separated && (text[value] == '=' || text[value] == ':')) {
		separated = separated || !propertyBlank(text[value])
		value++
	}
	// Where a part is empty it is behind the byte before it.
	offset := func(i int) int {
		if i < len(at) {
			return at[i]
		}
		return at[len(at)-1] + 1
	}
	p.from, p.keyStart, p.keyEnd = offset(value), at[0], at[0]
	if key > 0 {
		p.keyEnd = at[key-1] + 1
	}
	var ok1, ok2 bool
	p.key, ok1 = propertyText(text[:key])
	p.value, ok2 = propertyText(text[value:])
	if !ok1 || !ok2 {
		return `\u needs four hexadecimal digits that are a character`
	}
	p.disputed = bytes.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
	return ""
}

// propertyText resolves the escapes in a key or a value.
func propertyText(text []byte) (string, bool) {
	var b strings.Builder
	latin := !utf8.Valid(text)
	write := func(c byte) {
		if latin {
			b.WriteRune(rune(c))
		} else {
			b.WriteByte(c)
		}
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '\\' {
			write(c)
			continue
		}
		i++
		switch c = text[i]; c {
		case 'u':
			r, ok := propertyUnit(text[i+1:])
			i += 4
			if ok && utf16.IsSurrogate(r) {
				var low rune
				if ok = bytes.HasPrefix(text[i+1:], []byte(`\u`)); ok {
					low, ok = propertyUnit(text[i+3:])
					r = utf16.DecodeRune(r, low)
					i += 6
				}
				ok = ok && r != utf8.RuneError
			}
			if !ok {
				return "", false
			}
			b.WriteRune(r)
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		default:
			write(c) // and as text what follows of a character of several bytes
		}
	}
	return b.String(), true
}

// propertyUnit reads four hexadecimal digits.
func propertyUnit(text []byte) (rune, bool) {
	if len(text) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[:4]), 16, 16)
	return rune(n), err == nil
}

// Splice implements [Format].
func (f properties) Splice(data []byte, edits []Edit) ([]byte, error) {
	return spliceFlat(f, data, edits, propertiesEdit)
}

// propertiesEdit makes one edit that flatten gave.
func propertiesEdit(data []byte, e Edit) ([]byte, error) {
	all, err := propertiesParse(data)
	if err != nil {
		return nil, err
	}
	key := e.Path[0].Key
	var last *property
	var removed []patch
	for i := range all {
		if all[i].key == key {
			last = &all[i]
			removed = append(removed, patch{last.start, last.next, ""})
		}
	}
	if e.Value == nil {
		return apply(data, removed), nil
	}
	name, ok1 := propertyEscape(key, true)
	value, ok2 := propertyEscape(e.Value.Text, false)
	if !ok1 || !ok2 {
		return nil, editError(e.Path, "a properties file holds text only, and this is not UTF-8")
	}
	separator, closing := "=", ""
	if n := len(all); n > 0 {
		separator = all[n-1].separator(data)
		if all[n-1].open {
			closing = newline(data) // ends the value that goes on with the next line
		}
	}
	if last == nil {
		p := insertLines(data, len(data), name+separator+value)
		p.text = closing + p.text
		return apply(data, []patch{p}), nil
	}
	p := patch{last.from, last.end, value}
	if last.disputed {
		p = patch{last.keyStart, last.end, name + last.separator(data) + value}
	} else if last.from == last.keyEnd {
		p.text = separator + value
	}
	return apply(data, []patch{p}), nil
}

// separator is what stands between the key and the value, where that is usual; else "=".
func (p *property) separator(data []byte) string {
	switch text := string(data[p.keyEnd:p.from]); strings.Trim(text, " \t") {
	case "=", ":":
		return text
	}
	return "="
}

// propertyEscape writes a key or a value in ASCII, as every reader takes it: with no
// blank at its ends, which some leave out, and no separator at its beginning.
func propertyEscape(text string, key bool) (string, bool) {
	var b strings.Builder
	for i, r := range text {
		end := i == 0 || i+utf8.RuneLen(r) == len(text)
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\\', i == 0 && strings.ContainsRune("=:#!", r), key && strings.ContainsRune("=:", r):
			b.WriteString(`\` + string(r))
		case r < ' ' || r > '~' || r == ' ' && (key || end):
			for _, unit := range utf16.Encode([]rune{r}) {
				b.WriteString(`\u` + strings.ToUpper(strconv.FormatUint(0x10000+uint64(unit), 16)[1:]))
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String(), utf8.ValidString(text)
}
