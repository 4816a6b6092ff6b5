package scan

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/mask"
)

// Pattern is a regular expression that tokens of a service match as a whole.
type Pattern struct {
	Provider, Key string
	Text          string
	// Public says that it is no secret: the ID of a key, which says that the key may be near.
	Public bool
}

const (
	// minPattern is the length of the shortest token that is searched for by a pattern.
	minPattern = 15
	// minPrefix is how long a beginning has to be behind which a pattern takes anything, and
	// anyBody is what is taken there.
	minPrefix = 5
	anyBody   = `[A-Za-z0-9_=-]{20,}`
	// maxToken is how much of a token is looked at.
	maxToken = 1024
	// maxPrefixes is in how many ways a token may begin at most.
	maxPrefixes = 2048
)

// Patterns are those that say enough: tokens of some length that begin in a way of their
// own. They do not change.
type Patterns struct {
	literals *mask.Literals
	// by has the patterns of tokens that begin with four bytes.
	by map[string][]*token
}

type token struct {
	Pattern
	re *regexp.Regexp
}

// NewPatterns takes those patterns of a list by which a token can be told from other
// text, and leaves out the others.
func NewPatterns(list []Pattern) *Patterns {
	p := &Patterns{by: map[string][]*token{}}
	seen := map[string]bool{}
	var begins []string
	for _, pattern := range list {
		for _, alternative := range alternatives(pattern.Text) {
			prefixes, ok := tells(alternative)
			if text := alternative.String(); ok && !seen[text] {
				seen[text] = true
				re, err := regexp.Compile(`^(?:` + text + `)`)
				if err != nil {
					continue
				}
				re.Longest()
				t := &token{pattern, re}
				for _, begin := range prefixes {
					if len(p.by[begin]) == 0 {
						begins = append(begins, begin)
					}
					p.by[begin] = append(p.by[begin], t)
				}
			}
		}
	}
	p.literals = mask.NewLiterals(begins)
	return p
}

// alternatives are the parts of an expression of which one has to match. The parser would
// make one of the beginnings that they share.
func alternatives(text string) (out []*syntax.Regexp) {
	start, depth, class := 0, 0, false
	add := func(end int) {
		re, err := syntax.Parse(text[start:end], syntax.Perl)
		if prefix, ok := strings.CutSuffix(text[start:end], ".+"); ok && err == nil {
			if begin, err := syntax.Parse(prefix, syntax.Perl); err == nil && shortest(begin) >= minPrefix {
				re, _ = syntax.Parse(prefix+anyBody, syntax.Perl)
			}
		}
		if err == nil {
			out = append(out, re)
		}
		start = end + 1
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			add(i)
		}
	}
	add(len(text))
	return out
}

// tells reports whether what matches an expression can be told from other text, and with
// which four bytes it begins.
func tells(re *syntax.Regexp) (prefixes []string, ok bool) {
	if shortest(re) < minPattern || anything(re) {
		return nil, false
	}
	begins, _ := expand(re, []string{""})
	// One of four bytes of any kind is no beginning of its own.
	if len(begins) == 0 || len(begins) > maxPrefixes {
		return nil, false
	}
	for _, b := range begins {
		if len(b) < mask.MinLength {
			return nil, false
		}
	}
	return begins, true
}

// anything reports that an expression has a part that any character matches.
func anything(re *syntax.Regexp) bool {
	if re.Op == syntax.OpAnyChar || re.Op == syntax.OpAnyCharNotNL {
		return true
	}
	for _, sub := range re.Sub {
		if anything(sub) {
			return true
		}
	}
	return false
}

// shortest is the length of the shortest text that an expression matches, in characters.
func shortest(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return shortest(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min * shortest(re.Sub[0])
	case syntax.OpConcat:
		n := 0
		for _, sub := range re.Sub {
			n += shortest(sub)
		}
		return n
	case syntax.OpAlternate:
		n := shortest(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			n = min(n, shortest(sub))
		}
		return n
	}
	return 0
}

// expand appends to each of some beginnings, up to four bytes, what an expression begins
// with. more says that what follows may be appended, too; nil is for too many.
func expand(re *syntax.Regexp, begins []string) (out []string, more bool) {
	if len(begins) > maxPrefixes {
		return nil, false
	}
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return nil, false
		}
		for _, b := range begins {
			out = append(out, cut(b+string(re.Rune)))
		}
		return out, true
	case syntax.OpCharClass:
		return expandClass(re.Rune, begins)
	case syntax.OpCapture:
		return expand(re.Sub[0], begins)
	case syntax.OpPlus:
		out, _ = expand(re.Sub[0], begins)
		return out, false
	case syntax.OpRepeat:
		for range min(re.Min, mask.MinLength) {
			if begins, _ = expand(re.Sub[0], begins); begins == nil {
				return nil, false
			}
		}
		return begins, re.Min == re.Max || re.Min >= mask.MinLength
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			var more bool
			if begins, more = expand(sub, begins); begins == nil || !more {
				return begins, false
			}
		}
		return begins, true
	case syntax.OpAlternate:
		all := true
		for _, sub := range re.Sub {
			one, more := expand(sub, begins)
			if one == nil {
				return nil, false
			}
			out, all = append(out, one...), all && more
		}
		return out, all
	case syntax.OpEmptyMatch, syntax.OpBeginText:
		return begins, true
	}
	return begins, false
}

func expandClass(ranges []rune, begins []string) (out []string, more bool) {
	for _, b := range begins {
		if len(b) >= mask.MinLength {
			out = append(out, b)
			continue
		}
		for i := 0; i+1 < len(ranges); i += 2 {
			for r := ranges[i]; r <= ranges[i+1]; r++ {
				if out = append(out, b+string(r)); len(out) > maxPrefixes || r > '~' {
					return nil, false
				}
			}
		}
	}
	return out, true
}

func cut(text string) string { return text[:min(len(text), mask.MinLength)] }

// patternSearch searches texts for patterns.
type patternSearch struct {
	p     *Patterns
	found func(Finding)
	// kept is the end of what was searched, and told is up to where in it was told of.
	kept []byte
	told int
	// lines are before kept, and column is how many bytes of a line are.
	lines, column int
}

func (p *Patterns) search(found func(Finding)) *patternSearch {
	return &patternSearch{p: p, found: found}
}

func (s *patternSearch) write(text []byte) {
	s.kept = append(s.kept, text...)
	s.look(len(s.kept) - maxToken)
}

func (s *patternSearch) end() {
	s.look(len(s.kept))
	s.kept, s.told, s.lines, s.column = s.kept[:0], 0, 0, 0
}

// look tells of the tokens that begin before an offset, and forgets what is not needed.
func (s *patternSearch) look(before int) {
	if before <= s.told {
		return
	}
	s.p.literals.Find(s.kept, func(start, end int) {
		for at := max(start, s.told); at < min(end, before); at++ {
			s.at(at)
		}
	})
	s.told = max(s.told, before)
	if gone := s.told - 2; gone > 0 { // what is before a token is looked at
		text := s.kept[:gone]
		s.lines += bytes.Count(text, []byte{'\n'})
		if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
			s.column = gone - i - 1
		} else {
			s.column += gone
		}
		s.kept = append(s.kept[:0], s.kept[gone:]...)
		s.told -= gone
	}
}

// at tells of a token that begins at an offset.
func (s *patternSearch) at(at int) {
	text := s.kept[at:min(len(s.kept), at+maxToken)]
	if len(text) < mask.MinLength || at > 0 && inToken(s.kept[at-1]) {
		return
	}
	compound := at > 1 && s.kept[at-1] == '-' && inToken(s.kept[at-2])
	for _, t := range s.p.by[string(text[:mask.MinLength])] {
		n := len(t.re.Find(text))
		if n == 0 || n < len(text) && inToken(text[n]) || Plain(string(text[:n])) || sample(string(text[:n])) || words(string(text[:n])) || compound && joined(string(text[:n])) {
			continue
		}
		before := s.kept[:at]
		f := Finding{Line: s.lines + bytes.Count(before, []byte{'\n'}) + 1, Column: s.column + at + 1, Holder: Holder{Secret: t.Provider, Key: t.Key}, ID: t.Public, Form: "pattern"}
		if i := bytes.LastIndexByte(before, '\n'); i >= 0 {
			f.Column = at - i
		}
		f.end = f.Column - 1 + n
		s.found(f)
		s.told = at + n
		return
	}
}

// sample reports a token that is there to show what one looks like.
func sample(token string) bool {
	lower := strings.ToLower(token)
	for _, sign := range []string{"example", "fake", "xxxx", "sample", "placeholder", "redacted", "test-token", "your"} {
		if strings.Contains(lower, sign) {
			return true
		}
	}
	return false
}

// joined reports a token that begins with letters and a dash: behind another dash it is most
// often a part of a name, such as go-glob-256dc444.
func joined(token string) bool {
	return strings.HasPrefix(strings.TrimLeft(token, "abcdefghijklmnopqrstuvwxyz"), "-")
}

// minChance is how long the longest part without a separator is at least of a token without
// capitals.
const minChance = 16

// words reports what is no chance: words, numbers, and what joins them, such as
// sk-ecdsa-sha2-nistp256-cert and glue-api-exceptions-RunningException.
func words(token string) bool {
	if strings.ContainsFunc(token, func(r rune) bool { return 'A' <= r && r <= 'Z' }) {
		return strings.Count(token, "-") > 1 && !strings.ContainsAny(token, "0123456789")
	}
	return !slices.ContainsFunc(strings.FieldsFunc(token, func(r rune) bool { return r > 0x7f || r == '_' || !inToken(byte(r)) }), func(part string) bool {
		return len(part) >= minChance && strings.ContainsAny(part, "0123456789")
	})
}

func inToken(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}
