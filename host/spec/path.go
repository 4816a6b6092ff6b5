package spec

import (
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
)

// Path is a place in a document whose steps may have holes: "{profile}", and
// "{KEY.STEP}" for what a place in the value KEY (a subtree) holds.
type Path []PathStep

// PathStep is one step: into a map entry, every entry ("*"), or the list entry
// whose field Field has the text Equals.
type PathStep struct {
	Key           string
	Any           bool
	Field, Equals string
}

// ParsePath reads a path such as `users[name={profile}].user."a.b".token`;
// "." is the empty path.
func ParsePath(text string) (Path, error) {
	p := Path{}
	rest := text
	if text == "." {
		rest = ""
	} else if text == "" {
		return nil, fmt.Errorf(`a path is empty; the whole document is "."`)
	}
	for rest != "" {
		switch rest[0] {
		case '"':
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("path %q: a quote is not closed", text)
			}
			p = append(p, PathStep{Key: rest[1 : end+1]})
			rest = rest[end+2:]
		case '[':
			end := strings.IndexByte(rest, ']')
			field, equals, ok := "", "", false
			if end > 0 {
				field, equals, ok = strings.Cut(rest[1:end], "=")
			}
			if !ok || field == "" {
				return nil, fmt.Errorf("path %q: a list step is [FIELD=TEXT]", text)
			}
			p = append(p, PathStep{Field: field, Equals: equals})
			rest = rest[end+1:]
		default:
			key := rest
			if end := bareEnd(rest); end >= 0 {
				key = rest[:end]
			}
			if key == "" {
				return nil, fmt.Errorf("path %q: a step is empty", text)
			}
			p = append(p, PathStep{Key: key, Any: key == "*"})
			rest = rest[len(key):]
		}
		last := p[len(p)-1]
		if !holesClosed(last.Key) || !holesClosed(last.Equals) || strings.Contains(last.Field, "{") {
			return nil, fmt.Errorf("path %q: a hole is {NAME}, in a key or behind the = of a list step", text)
		}
		switch {
		case rest == "" || rest[0] == '[':
		case rest[0] == '.' && len(rest) > 1:
			rest = rest[1:]
		default:
			return nil, fmt.Errorf("path %q: steps are separated by one dot", text)
		}
	}
	return p, nil
}

// bareEnd is where an unquoted step ends: at a dot or bracket that is not
// inside a hole; -1 for the text's end.
func bareEnd(s string) int {
	inHole := false
	for i := range len(s) {
		switch s[i] {
		case '{':
			inHole = true
		case '}':
			inHole = false
		case '.', '[':
			if !inHole {
				return i
			}
		}
	}
	return -1
}

// holesClosed reports whether every "{" in text begins a hole with a name, and
// is closed.
func holesClosed(text string) bool {
	for {
		_, rest, found := strings.Cut(text, "{")
		if !found {
			return true
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || name == "" || strings.Contains(name, "{") {
			return false
		}
		text = after
	}
}

// Holes returns the names of a text's holes.
func Holes(text string) []string {
	var names []string
	for {
		_, rest, found := strings.Cut(text, "{")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return names
		}
		names, text = append(names, name), after
	}
}

// Holes returns the names of the path's holes, in order.
func (p Path) Holes() []string {
	var names []string
	for _, s := range p {
		names = append(append(names, Holes(s.Key)...), Holes(s.Equals)...)
	}
	return names
}

// Expand fills the holes by what lookup returns for their text, and gives the
// path in a document. It fails where a hole cannot be filled or a step is "*".
func (p Path) Expand(lookup func(hole string) (string, bool)) (codec.Path, bool) {
	out := make(codec.Path, len(p))
	for i, s := range p {
		if s.Any {
			return nil, false
		}
		key, ok1 := Fill(s.Key, lookup)
		equals, ok2 := Fill(s.Equals, lookup)
		if !ok1 || !ok2 {
			return nil, false
		}
		out[i] = codec.Step{Key: key, Field: s.Field, Equals: equals}
	}
	return out, true
}

// Fill replaces every "{HOLE}" in text.
func Fill(text string, lookup func(hole string) (string, bool)) (string, bool) {
	if !strings.Contains(text, "{") {
		return text, true
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		hole, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", false
		}
		v, ok := lookup(hole)
		if !ok {
			return "", false
		}
		b.WriteString(v)
		text = after
	}
}

// String returns the path as it is written in a spec.
func (p Path) String() string {
	if len(p) == 0 {
		return "."
	}
	var b strings.Builder
	for i, s := range p {
		if s.Field != "" {
			fmt.Fprintf(&b, "[%s=%s]", s.Field, s.Equals)
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		if s.Any || s.bare() {
			b.WriteString(s.Key)
		} else {
			b.WriteString(`"` + s.Key + `"`)
		}
	}
	return b.String()
}

// bare reports whether a key reads back the same without quotes.
func (s PathStep) bare() bool {
	return s.Key != "" && s.Key != "*" && s.Key[0] != '"' && bareEnd(s.Key) < 0
}
