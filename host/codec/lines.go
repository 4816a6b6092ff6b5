package codec

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// bom is the byte order mark that some Windows tools put before UTF-8 text.
const bom = "\xef\xbb\xbf"

// bomLen returns the length of the byte order mark that data begins with, or 0.
func bomLen(data []byte) int {
	if bytes.HasPrefix(data, []byte(bom)) {
		return len(bom)
	}
	return 0
}

// checkText refuses UTF-16, which Windows PowerShell writes with `>`. Every
// format here is UTF-8 or bytes, and would read it as something else.
func checkText(data []byte) error {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return &Error{Line: 1, Msg: "the file is UTF-16; save it as UTF-8"}
	}
	return nil
}

// A line is one line of a file: its text is data[start:end], its ending
// data[end:next]: "\n", "\r\n", a lone "\r", or nothing at the end of the file.
// These are the endings that Python and Node see, in whose formats this is used.
type line struct{ start, end, next int }

// splitLines returns the lines of data from the offset from. What follows the
// last line ending is a line only if it is not empty.
func splitLines(data []byte, from int) []line {
	var lines []line
	for start := from; start < len(data); {
		l := line{start, len(data), len(data)}
		if i := bytes.IndexAny(data[start:], "\r\n"); i >= 0 {
			l.end = start + i
			l.next = l.end + 1
			if bytes.HasPrefix(data[l.end:], []byte("\r\n")) {
				l.next++
			}
		}
		lines = append(lines, l)
		start = l.next
	}
	return lines
}

// newline returns the line ending that most lines of data have, "\n" if none.
func newline(data []byte) string {
	crlf := bytes.Count(data, []byte("\r\n"))
	lf, cr := bytes.Count(data, []byte("\n"))-crlf, bytes.Count(data, []byte("\r"))-crlf
	switch {
	case crlf > lf:
		return "\r\n"
	case lf == 0 && cr > 0:
		return "\r"
	}
	return "\n"
}

// patch replaces data[from:to] by text.
type patch struct {
	from, to int
	text     string
}

// apply returns a copy of data with patches made. Where removals overlap, all that one
// of them covers is removed.
func apply(data []byte, patches []patch) []byte {
	slices.SortStableFunc(patches, func(a, b patch) int { return a.from - b.from })
	size := len(data) + 1
	for _, p := range patches {
		size += len(p.text) + 1
	}
	out := make([]byte, 0, size)
	pos := 0
	// Where an LF comes to stand behind a lone CR, the two would be one line ending:
	// another CR keeps them apart.
	guard := func(next bool) {
		if n := len(out); next && n > 0 && out[n-1] == '\r' {
			out = append(out, '\r')
		}
	}
	for _, p := range patches {
		kept := data[pos:max(pos, p.from)]
		guard(len(kept) > 0 && kept[0] == '\n')
		out = append(out, kept...)
		guard(strings.HasPrefix(p.text, "\n"))
		out = append(out, p.text...)
		pos = max(pos, p.to)
	}
	guard(pos < len(data) && data[pos] == '\n')
	return append(out, data[pos:]...)
}

// insertLines returns the patch that puts lines at the offset at, which is the
// start of a line or the end of data. Where the last line of the file has no
// ending, it gets one, and the new last line has none.
func insertLines(data []byte, at int, lines ...string) patch {
	return insertWith(newline(data), data, at, lines...)
}

// insertWith is insertLines for a caller who knows the line ending.
func insertWith(nl string, data []byte, at int, lines ...string) patch {
	text := strings.Join(lines, nl)
	if at == len(data) && at > bomLen(data) && data[at-1] != '\n' && data[at-1] != '\r' {
		return patch{at, at, nl + text}
	}
	return patch{at, at, text + nl}
}

// isBlank reports what Python's str.strip removes: Unicode white space and the
// four ASCII separators.
func isBlank(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

func trim(s string) string      { return strings.TrimFunc(s, isBlank) }
func trimLeft(s string) string  { return strings.TrimLeftFunc(s, isBlank) }
func trimRight(s string) string { return strings.TrimRightFunc(s, isBlank) }

// blanks returns the white space that s begins with.
func blanks(s string) string { return s[:len(s)-len(trimLeft(s))] }

// editError says why an edit cannot be made. It names the place, never a value.
func editError(path Path, format string, args ...any) error {
	msg := fmt.Sprintf(format, args...)
	if len(path) > 0 {
		msg = path.String() + ": " + msg
	}
	return &Error{Msg: msg}
}

// spliceFlat makes edits of a format whose trees are Maps of Strings, by an edit of a single
// value at a time.
func spliceFlat(f Format, data []byte, edits []Edit, edit func([]byte, Edit) ([]byte, error)) ([]byte, error) {
	for _, e := range edits {
		tree, err := f.Decode(data)
		if err != nil {
			return nil, err
		}
		single, err := flatten(tree, e, 1)
		if err != nil {
			return nil, err
		}
		for _, s := range single {
			if data, err = edit(data, s); err != nil {
				return nil, err
			}
		}
	}
	return data, nil
}

// flatten breaks an edit of a whole Map up into the single values that it sets and
// removes, for formats whose trees are Maps down to Strings at paths of depth steps.
// Each edit that it returns sets a String, removes a place, or adds an entry without
// content.
func flatten(doc *Node, e Edit, depth int) ([]Edit, error) {
	for _, s := range e.Path {
		if s.Field != "" {
			return nil, editError(e.Path, "this format has no lists")
		}
	}
	if len(e.Path) > depth {
		return nil, editError(e.Path, "this format does not nest so deep")
	}
	old := doc.Find(e.Path)
	if same(old, e.Value) {
		return nil, nil
	}
	value := e.Value
	switch {
	case value == nil && len(e.Path) > 0:
		return []Edit{e}, nil
	case value == nil:
		value = &Node{Kind: Map}
	case len(e.Path) == depth && value.Kind != String:
		return nil, editError(e.Path, "this format holds text only")
	case len(e.Path) == depth:
		return []Edit{e}, nil
	case value.Kind != Map:
		return nil, editError(e.Path, "this is a group of values, not a value")
	case old == nil && len(value.Pairs) == 0:
		return []Edit{e}, nil
	}
	var edits []Edit
	if old != nil {
		for _, p := range old.Pairs {
			if value.Get(p.Key) == nil {
				edits = append(edits, Edit{Path: e.Path.child(p.Key)})
			}
		}
	}
	for _, p := range value.Pairs {
		more, err := flatten(doc, Edit{e.Path.child(p.Key), p.Value}, depth)
		if err != nil {
			return nil, err
		}
		edits = append(edits, more...)
	}
	return edits, nil
}

func (p Path) child(key string) Path { return append(slices.Clone(p), Step{Key: key}) }
