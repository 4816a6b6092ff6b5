package spec

import (
	"regexp"
	"sync"
)

// Pattern is a regular expression that matches whole texts. It is compiled when it
// is first needed: of hundreds of specs, a command needs the patterns of a few.
type Pattern struct {
	// Text is the expression as the spec has it; it must compile.
	Text string

	once sync.Once
	re   *regexp.Regexp
}

// MatchString reports whether the pattern matches the whole of text.
func (p *Pattern) MatchString(text string) bool {
	p.once.Do(func() { p.re = regexp.MustCompile(whole(p.Text)) })
	return p.re.MatchString(text)
}

// String returns the expression as the spec has it.
func (p *Pattern) String() string { return p.Text }

func whole(text string) string { return `^(?:` + text + `)$` }

// checkPattern reports what is wrong with an expression.
func checkPattern(text string) error {
	// By itself first: "a)|(b" must not close the group around it.
	if _, err := regexp.Compile(text); err != nil {
		return err
	}
	_, err := regexp.Compile(whole(text))
	return err
}
