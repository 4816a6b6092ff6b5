package codec

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// ini is the format of ~/.aws/credentials and its relatives, read as Python's
// configparser.RawConfigParser(strict=False) reads it, which the AWS command
// line and most Python tools use: `%` is text, option names are lower case, an
// option ends at the first `=` or `:`, deeper indented lines continue a value,
// and full-line comments begin with `#` or `;`.
//
// The tree is section -> option -> String, where Null is an option without a
// delimiter. It differs from configparser in that
//   - options before any section are in a section called "" (Lambda's key file);
//   - `[a] # see [b]` is a;
//   - [DEFAULT] is a section like any other, from which nothing is inherited;
//   - a section that occurs twice is merged, and the last option wins.
//
// New sections go to the end of the file, after a blank line unless most of the
// sections there have none before them, as in files that the AWS command line
// wrote. Removing a section takes along what is in it, but not the comment
// directly above the next section.
type ini struct{ opts Options }

// iniDoc is a parsed file. Lines are indexes into lines.
type iniDoc struct {
	data     []byte
	opts     Options
	own      bool   // data may be appended to in place
	newline  string // that most lines have
	lines    []line
	sections []iniSection // in the file's order; the first is headless
	options  []*iniOption // in the file's order
}

type iniSection struct {
	name   string
	header int  // line; -1 before any header
	apart  bool // a blank line is above it, or above its comments
	first  bool // nothing but comments is
}

type iniOption struct {
	section   int // index into sections
	key       string
	lines     []int // the first line, those that continue it, blank ones between
	nameEnd   int   // offset behind the name
	delim     int   // offset of the delimiter, or -1
	from, end int   // offsets of the value on the first line
	parts     []string
}

// Decode implements [Format].
func (f ini) Decode(data []byte) (*Node, error) {
	root, _, err := decodeFor(f, data)
	return root, err
}

// decode implements [clientele].
func (f ini) decode(data []byte) (*Node, error) {
	d, err := f.parse(data)
	if err != nil {
		return nil, err
	}
	return d.tree(), nil
}

// clients implements [clientele].
func (f ini) clients() Clients { return f.opts.Clients }

func (f ini) parse(data []byte) (*iniDoc, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	d := &iniDoc{data: data, opts: f.opts.withDefaults(), newline: newline(data), lines: splitLines(data, bomLen(data)), sections: []iniSection{{header: -1}}}
	if err := d.parseLines(0); err != nil {
		return nil, err
	}
	return d, nil
}

// patched makes patches in the text of d and parses the result; d must not be used
// afterwards. What stands before the first section that the patches touch is not parsed
// again, so that many edits at the end of a long file do not parse all of it each time.
func (f ini) patched(d *iniDoc, patches []patch) (*iniDoc, error) {
	first, removes := len(d.data), false
	for _, p := range patches {
		first, removes = min(first, p.from), removes || p.to > p.from
	}
	var data []byte
	if d.own && len(patches) == 1 && first == len(d.data) && !(bytes.HasSuffix(d.data, []byte("\r")) && strings.HasPrefix(patches[0].text, "\n")) {
		data = append(d.data, patches[0].text...)
	} else {
		data = apply(d.data, patches)
	}
	k := len(d.sections) - 1
	for k > 0 && d.lines[d.sections[k].header].start >= first {
		k--
	}
	if k == 0 {
		next, err := f.parse(data)
		if err == nil {
			next.own = true
		}
		return next, err
	}
	header := d.sections[k].header
	from := d.lines[header].start
	n := len(d.options)
	for n > 0 && d.options[n-1].section >= k {
		n--
	}
	next := &iniDoc{data: data, opts: d.opts, own: true, newline: d.newline, lines: append(d.lines[:header], splitLines(data, from)...), sections: d.sections[:k], options: d.options[:n]}
	if removes {
		next.newline = newline(data)
	}
	if err := next.parseLines(header); err != nil {
		return nil, err
	}
	return next, nil
}

// parseLines adds the sections and options from the line with the index from, which is
// the first one or a header.
func (d *iniDoc) parseLines(from int) error {
	data := d.data
	var option *iniOption // the one that an indented line continues
	var blank []int       // blank lines since its last line
	level := 0            // its indentation
	for i := from; i < len(d.lines); i++ {
		l := d.lines[i]
		text := string(data[l.start:l.end])
		body := trim(text)
		if body == "" {
			blank = append(blank, i)
			continue
		}
		if d.opts.isComment(body) {
			continue
		}
		indent := blanks(text)
		whole := body
		body = d.opts.ends(body)
		depth := utf8.RuneCountInString(indent)
		if option != nil && depth > level && d.opts.Continued == Indented {
			if option.delim < 0 {
				return &Error{Line: i + 1, Msg: "an indented line after an option without a value"}
			}
			for _, b := range blank {
				option.lines, option.parts = append(option.lines, b), append(option.parts, "")
			}
			option.lines, option.parts = append(option.lines, i), append(option.parts, body)
			blank = nil
			continue
		}
		level, blank, option = depth, nil, nil
		if body[0] == '[' {
			name, err := d.opts.header(body)
			if err != "" {
				return &Error{Line: i + 1, Msg: err}
			}
			above := i - 1
			for above >= 0 && d.opts.isComment(d.body(above)) {
				above--
			}
			d.sections = append(d.sections, iniSection{name, i, above >= 0 && d.body(above) == "", above < 0})
			continue
		}
		option = &iniOption{section: len(d.sections) - 1, lines: []int{i}}
		if msg := option.read(body, l.start+len(indent), &d.opts); msg != "" {
			return &Error{Line: i + 1, Msg: msg}
		}
		for d.opts.continues(whole) && i+1 < len(d.lines) {
			i++
			whole = trim(string(data[d.lines[i].start:d.lines[i].end]))
			option.lines, option.parts = append(option.lines, i), append(option.parts, whole)
		}
		d.options = append(d.options, option)
	}
	return nil
}

// header returns the name in a line that begins with a bracket, or what is wrong
// with it. Blanks in the brackets are a part of the name.
func (o *Options) header(body string) (name, problem string) {
	first, last := strings.IndexByte(body, ']'), strings.LastIndexByte(body, ']')
	if first < 0 {
		return "", "the section name is not closed by ]"
	}
	if rest := trim(body[first+1:]); o.isComment(rest) {
		last = first
	}
	if name = body[1:last]; trim(name) == "" {
		return "", "the section has no name"
	}
	return name, ""
}

// read takes an option from the text of its first line, which begins at the
// offset at. It returns what is wrong with it.
func (o *iniOption) read(body string, at int, opts *Options) string {
	d := strings.IndexAny(body, opts.Delimiters)
	if d < 0 {
		// configparser takes any such line with allow_no_value. Only plain words
		// are taken here, so that a file of another format is not mistaken.
		if o.section == 0 || !isWord(body) {
			return "neither [section] nor name = value"
		}
		o.key, o.delim, o.nameEnd = opts.key(body), -1, at+len(body)
		return ""
	}
	name := trimRight(body[:d])
	if name == "" {
		return "the option has no name"
	}
	value := trimLeft(body[d+1:])
	o.key, o.nameEnd, o.delim = opts.key(name), at+len(name), at+d
	o.from, o.end, o.parts = at+len(body)-len(value), at+len(body), []string{value}
	return ""
}

// value returns the option's text as configparser joins it; opaque reports that this is
// not the value.
func (o *iniOption) value(opts *Options) (text string, opaque bool) {
	text = trimRight(strings.Join(o.parts, "\n"))
	if opts.Continued == Backslashed && len(o.lines) > 1 {
		return text, true
	}
	return opts.unquoted(text)
}

// key returns the name of an option as it is in the tree.
func (o *Options) key(name string) string {
	if o.CaseSensitive {
		return name
	}
	return lower(name)
}

// lower changes ASCII letters only, so that bytes that are not UTF-8 stay.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// isWord reports whether s is made of letters, digits, dots, dashes and
// underscores only.
func isWord(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if !('a' <= c && c <= 'z' || '0' <= s[i] && s[i] <= '9' || s[i] == '.' || s[i] == '-' || s[i] == '_') {
			return false
		}
	}
	return s != ""
}

func (d *iniDoc) tree() *Node {
	root := &Node{Kind: Map}
	section := func(i int) *Node {
		s := root.Get(d.sections[i].name)
		if s == nil {
			s = &Node{Kind: Map, Line: max(d.sections[i].header, 0) + 1}
			root.set(d.sections[i].name, s)
		}
		return s
	}
	next := 0
	for i := range d.sections {
		if i > 0 {
			section(i)
		}
		for ; next < len(d.options) && d.options[next].section == i; next++ {
			o, s := d.options[next], section(i)
			value := &Node{Kind: String, Line: o.lines[0] + 1}
			value.Text, value.Opaque = o.value(&d.opts)
			if o.delim < 0 {
				value = &Node{Kind: Null, Line: o.lines[0] + 1}
			}
			s.set(o.key, value)
		}
	}
	return root
}

// normal implements [normalizer]: option names are lower case where case does not
// count, and the section "" exists only as long as something is in it.
func (f ini) normal(doc *Node, e Edit) Edit {
	switch len(e.Path) {
	case 0:
		if e.Value != nil && e.Value.Kind == Map {
			root := &Node{Kind: Map}
			for _, p := range e.Value.Pairs {
				if p.Value = f.keys(p.Value); p.Key != "" || p.Value != nil && len(p.Value.Pairs) > 0 {
					root.Pairs = append(root.Pairs, p)
				}
			}
			e.Value = root
		}
	case 1:
		e.Value = f.keys(e.Value)
		if e.Path[0] == (Step{}) && e.Value != nil && e.Value.Kind == Map && len(e.Value.Pairs) == 0 {
			e.Value = nil
		}
	case 2:
		e.Path = slices.Clone(e.Path)
		e.Path[1].Key = f.opts.key(e.Path[1].Key)
		top := doc.Get("")
		if e.Path[0] == (Step{}) && e.Value == nil && top != nil && len(top.Pairs) == 1 && top.Get(e.Path[1].Key) != nil {
			e.Path = e.Path[:1]
		}
	}
	return e
}

// keys returns a Map with its keys in the form that the tree has them in. Of keys that
// become equal the last one counts. Other nodes are returned unchanged.
func (f ini) keys(n *Node) *Node {
	if n == nil || n.Kind != Map {
		return n
	}
	out := &Node{Kind: Map, Line: n.Line}
	for _, p := range n.Pairs {
		p.Key = f.opts.key(p.Key)
		out.set(p.Key, p.Value)
	}
	return out
}
