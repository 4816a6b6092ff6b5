package codec

import (
	"cmp"
	"strings"
)

// Options are the dialects of a format: ways of writing it that differ between the
// programs that use it. All but Lists, Blocks and Clients are of ini.
type Options struct {
	// Lists are the names of elements of XML of which there may be several in one place,
	// with blanks between them.
	Lists string
	// Blocks are the types of blocks of HCL that have one label, with blanks between them.
	Blocks string
	// Delimiters are the characters that end the name of an option; "" is "=:".
	Delimiters string
	// Comments are the characters that a comment line begins with; "" is "#;".
	Comments string
	// InlineComments makes a value end before white space that one of Comments
	// follows.
	InlineComments bool
	// CommentsAnywhere is InlineComments without the white space.
	CommentsAnywhere bool
	// CaseSensitive keeps the case of the names of options.
	CaseSensitive bool
	// Continued says how a value continues on the next line.
	Continued Continued
	// Quotes makes a value in double quotes end at them, where a backslash stands
	// before a quote or a backslash. Any other use of quotes and backslashes is
	// Opaque.
	Quotes bool
	// References makes a value with ${NAME} in it Opaque: the program puts the text
	// of a variable there.
	References bool
	// Defaults lets a section [DEFAULT] be made, whose options Python's readers
	// give to every other section.
	Defaults bool
	// Inherited is an option that every section may get from [DEFAULT]: what it is there
	// says nothing of the section, such as which of them is in use.
	Inherited string
	// Clients are the programs that must be able to read the file.
	Clients Clients
}

// Continued is how a value of ini continues on the next line.
type Continued uint8

// The ways.
const (
	// Indented lines continue a value that is indented less.
	Indented Continued = iota
	// OneLine means that nothing continues a value.
	OneLine
	// Backslashed means that a backslash at the end of a line continues it.
	Backslashed
)

func (o Options) withDefaults() Options {
	o.Delimiters = cmp.Or(o.Delimiters, "=:")
	o.Comments = cmp.Or(o.Comments, "#;")
	o.InlineComments = o.InlineComments || o.CommentsAnywhere
	return o
}

// isComment reports whether text begins as a comment line does.
func (o *Options) isComment(text string) bool {
	return text != "" && strings.IndexByte(o.Comments, text[0]) >= 0
}

// inlineComment returns where a comment begins in text that is not a comment line,
// or the length of text.
func (o *Options) inlineComment(text string) int {
	if !o.InlineComments {
		return len(text)
	}
	free, quoted, escaped := o.CommentsAnywhere, false, false
	for i, r := range text {
		switch {
		case o.Quotes && escaped:
			escaped = false
		case o.Quotes && r == '\\':
			escaped = true
		case o.Quotes && r == '"':
			quoted = !quoted
		case free && !quoted && r < 0x80 && strings.IndexByte(o.Comments, byte(r)) >= 0:
			return i
		}
		free = o.CommentsAnywhere || isBlank(r)
	}
	return len(text)
}

// ends returns text without a comment at its end.
func (o *Options) ends(text string) string { return trimRight(text[:o.inlineComment(text)]) }

// continues reports whether a backslash joins the next line to text.
func (o *Options) continues(text string) bool {
	n := len(text) - len(strings.TrimRight(text, `\`))
	return o.Continued == Backslashed && n%2 == 1
}

// unquoted returns the value that a text of the file stands for; opaque reports that
// only the program that reads the file can tell.
func (o *Options) unquoted(text string) (value string, opaque bool) {
	if o.References && hasReference(text) {
		return text, true
	}
	if !o.Quotes || !strings.ContainsAny(text, `"'\`) {
		return text, false
	}
	n := len(text)
	if n < 2 || text[0] != '"' || text[n-1] != '"' {
		// A single quote inside a word is text for everybody.
		return text, strings.ContainsAny(text, `"\`) || text[0] == '\''
	}
	var b strings.Builder
	for i := 1; i < n-1; i++ {
		switch c := text[i]; {
		case c == '"':
			return text, true
		case c != '\\':
			b.WriteByte(c)
		case i+1 < n-1 && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			b.WriteByte(text[i])
		default:
			return text, true
		}
	}
	return b.String(), false
}

// hasReference reports whether text has a ${NAME} in it.
func hasReference(text string) bool {
	_, rest, ok := strings.Cut(text, "${")
	return ok && strings.IndexByte(rest, '}') > 0
}

// quoted returns the text to write for a line of a value: in quotes if it would be read
// as another one without.
func (o *Options) quoted(text string) string {
	if !o.Quotes || text == "" {
		return text
	}
	bare, opaque := o.unquoted(text)
	if !opaque && bare == text && trim(text) == text && o.inlineComment(text) == len(text) && !o.isComment(text) {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
