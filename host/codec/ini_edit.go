package codec

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Splice implements [Format].
func (f ini) Splice(data []byte, edits []Edit) ([]byte, error) {
	if len(edits) == 0 {
		return data, nil
	}
	d, err := f.parse(data)
	if err != nil {
		return nil, err
	}
	tree, own := d.tree(), owner{}
	f.opts.Clients.read(data).dispute(tree)
	// New values of different options are put into the text together, so that it is
	// parsed once for all of them.
	var pending []patch
	pendingOf := map[*iniOption]bool{}
	flush := func() error {
		if len(pending) > 0 {
			d, err = f.patched(d, pending)
			pending = nil
			clear(pendingOf)
		}
		return err
	}
	for _, e := range edits {
		e = f.normal(tree, e)
		single, err := flatten(tree, e, 2)
		if err != nil {
			return nil, err
		}
		for _, s := range single {
			o := d.inPlace(s, tree)
			if o == nil || pendingOf[o] {
				if err := flush(); err != nil {
					return nil, err
				}
			}
			patches, err := d.edit(s, tree)
			if err != nil {
				return nil, err
			}
			if pending = append(pending, patches...); o != nil {
				pendingOf[o] = true
			} else if err := flush(); err != nil {
				return nil, err
			}
		}
		// The result is checked by the caller, for all edits at once.
		if tree, err = tree.edited(e.Path, e.Value, own); err != nil {
			return nil, err
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return d.data, nil
}

// inPlace returns the option whose only line an edit changes, or nil.
func (d *iniDoc) inPlace(e Edit, before *Node) *iniOption {
	if e.Value == nil || len(e.Path) != 2 || before.Find(e.Path) == nil || strings.Contains(e.Value.Text, "\n") {
		return nil
	}
	if o := d.winner(e.Path[0].Key, e.Path[1].Key); o != nil && len(o.lines) == 1 {
		return o
	}
	return nil
}

// edit returns the patches for one edit that flatten gave. before is the tree that
// flatten was given; d may already have the effect of other edits that flatten
// returned.
func (d *iniDoc) edit(e Edit, before *Node) ([]patch, error) {
	section := e.Path[0].Key
	if e.Value == nil && len(e.Path) == 1 {
		return d.removeSection(e.Path)
	}
	if e.Value == nil {
		return d.removeOption(section, e.Path[1].Key), nil
	}
	if len(e.Path) == 1 {
		return d.addSection(e.Path)
	}
	value := strings.Split(e.Value.Text, "\n")
	if problem := d.opts.unwritable(value); problem != "" {
		return nil, editError(e.Path, "%s", problem)
	}
	value[0] = d.opts.quoted(value[0])
	if before.Find(e.Path) == nil {
		return d.add(e.Path, value, before.Get(section) == nil)
	}
	o := d.winner(section, e.Path[1].Key)
	if d.opts.Clients != 0 && !d.plain(o) {
		return d.rewrite(o, value), nil
	}
	return d.replace(o, value), nil
}

// winner returns the option that is read, the last one of its name.
func (d *iniDoc) winner(section, key string) *iniOption {
	for _, o := range slices.Backward(d.options) {
		if o.key == key && d.sections[o.section].name == section {
			return o
		}
	}
	return nil
}

// unwritable says why the lines of a value would not be read back, or "".
func (o *Options) unwritable(value []string) string {
	if len(value) > 1 && o.Continued != Indented {
		return "the value has a line break, which this dialect of ini cannot hold"
	}
	for i, l := range value {
		switch {
		case strings.ContainsAny(l, "\r\x00"):
			return "the value has a carriage return or a NUL byte, which ini cannot hold"
		case o.References && hasReference(l):
			return "the value has ${ and }, which would be read as the name of a variable"
		case o.Quotes && strings.ContainsFunc(l, func(r rune) bool { return r < ' ' }):
			return "the value has a control character, which this dialect of ini cannot hold"
		case o.Quotes && len(value) == 1:
			// Quotes hold all else.
		case l != trim(l):
			return "a line of the value begins or ends with white space, which ini does not keep"
		case i > 0 && o.isComment(l):
			return "a line of the value begins like a comment"
		case o.InlineComments && (o.isComment(l) || o.inlineComment(l) < len(l)):
			if o.CommentsAnywhere {
				return "the value has a # or ;, which would be read as a comment"
			}
			return "the value has a # or ; after white space, which would be read as a comment"
		case o.continues(l):
			return "the value ends with a backslash, which would continue it on the next line"
		}
	}
	if len(value) > 1 && value[len(value)-1] == "" {
		return "the value ends with a line break, which ini does not keep"
	}
	return ""
}

// plain reports whether an option is written in the way that all clients agree on:
// with its name as it is in the tree, an equals sign, and no comment behind it.
func (d *iniDoc) plain(o *iniOption) bool {
	first := d.lines[o.lines[0]]
	return o.delim >= 0 && d.data[o.delim] == '=' && string(d.data[o.nameEnd-len(o.key):o.nameEnd]) == o.key &&
		trim(string(d.data[max(o.end, o.delim+1):first.end])) == ""
}

// rewrite writes an option anew, in the way that all clients agree on. A comment
// behind it comes to stand above it.
func (d *iniDoc) rewrite(o *iniOption, value []string) []patch {
	first := d.lines[o.lines[0]]
	indent := blanks(string(d.data[first.start:first.end]))
	var lines []string
	if comment := trim(string(d.data[max(o.end, o.delim+1, o.nameEnd):first.end])); comment != "" {
		lines = append(lines, indent+comment)
	}
	option := d.option(indent, o.section, o.key, value)
	if o.delim >= 0 && d.data[o.delim] == '=' && o.from < o.end && value[0] != "" {
		option[0] = indent + o.key + string(d.data[o.nameEnd:o.from]) + value[0] // in its columns
	}
	lines = append(lines, option...)
	patches := []patch{{first.start, first.end, strings.Join(lines, d.newline)}}
	for _, i := range o.lines[1:] {
		patches = append(patches, patch{d.lines[i].start, d.lines[i].next, ""})
	}
	return patches
}

// replace gives an option that is there a new value.
func (d *iniDoc) replace(o *iniOption, value []string) []patch {
	first := d.lines[o.lines[0]]
	var patches []patch
	switch {
	case o.delim < 0:
		patches = append(patches, patch{o.nameEnd, o.nameEnd, trimRight(d.style(o.section) + value[0])})
	case value[0] == "":
		// No blanks stay behind the delimiter, unless a comment needs them.
		patches = append(patches, patch{o.delim + 1, max(o.end, o.delim+1), ""})
	case o.from < o.end:
		patches = append(patches, patch{o.from, o.end, value[0]})
	default:
		// There was no value: write it as its delimiter is written, and keep
		// a comment where it is.
		text, rest := value[0], string(d.data[o.delim+1:first.end])
		if o.delim > o.nameEnd || rest != "" {
			text = " " + text
		}
		end := o.delim + 1
		if trim(rest) == "" {
			end = first.end
		}
		patches = append(patches, patch{o.delim + 1, end, text})
	}
	if slices.Equal(o.parts[min(1, len(o.parts)):], value[1:]) {
		return patches
	}
	indent := blanks(string(d.data[first.start:first.end])) + "    "
	if last := d.lines[o.lines[len(o.lines)-1]]; len(o.lines) > 1 {
		indent = blanks(string(d.data[last.start:last.end]))
	}
	if more := indented(indent, value[1:]); len(more) > 0 {
		patches = append(patches, insertWith(d.newline, d.data, first.next, more...))
	}
	for _, i := range o.lines[1:] {
		patches = append(patches, patch{d.lines[i].start, d.lines[i].next, ""})
	}
	return patches
}

// indented returns lines with indent before each that is not empty.
func indented(indent string, lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		if l != "" {
			out[i] = indent + l
		}
	}
	return out
}

// add writes an option that is not there. fresh says that its section was not there
// before this series of edits: if it is there now, it is the last one.
func (d *iniDoc) add(path Path, value []string, fresh bool) ([]patch, error) {
	section, key := path[0].Key, path[1].Key
	switch {
	case key == "" || key != trim(key) || strings.ContainsAny(key, d.opts.Delimiters+"\r\n\x00") || key[0] == '[' || d.opts.isComment(key),
		d.opts.inlineComment(key) < len(key), d.opts.Quotes && strings.ContainsAny(key, `"'\`):
		return nil, editError(path, "ini cannot hold an option of this name")
	}
	at := len(d.sections) - 1
	for at >= 0 && (d.sections[at].name != section || at == 0 && len(d.optionsOf(0)) == 0) {
		if at--; fresh {
			at = -1
		}
	}
	if at < 0 && section != "" {
		patches, err := d.addSection(path[:1])
		if err != nil {
			return nil, err
		}
		nl, p := d.newline, &patches[0]
		// The header is written with a line ending unless the file ends without.
		open := !strings.HasSuffix(p.text, nl)
		if open {
			p.text += nl
		}
		p.text += strings.Join(d.option("", -1, key, value), nl)
		if !open {
			p.text += nl
		}
		return patches, nil
	}
	at = max(at, 0)
	pos, indent, follows := 0, "", -1
	if of := d.optionsOf(at); len(of) > 0 {
		o := of[len(of)-1]
		first := d.lines[o.lines[0]]
		follows, indent = o.lines[len(o.lines)-1], blanks(string(d.data[first.start:first.end]))
	}
	// An option may not be indented less than the next header, which would
	// otherwise continue its value.
	if at+1 < len(d.sections) && follows < 0 {
		next := d.lines[d.sections[at+1].header]
		indent = blanks(string(d.data[next.start:next.end]))
	}
	switch {
	case follows >= 0:
		pos = d.lines[follows].next
	case at > 0:
		header := d.lines[d.sections[at].header]
		own := blanks(string(d.data[header.start:header.end]))
		if utf8.RuneCountInString(own) > utf8.RuneCountInString(indent) {
			indent = own
		}
		pos = header.next
	case len(d.sections) > 1:
		pos = bomLen(d.data)
	default:
		pos = len(d.data)
	}
	return []patch{insertWith(d.newline, d.data, pos, d.option(indent, at, key, value)...)}, nil
}

// option returns the lines of a new option in the style of a section.
func (d *iniDoc) option(indent string, section int, key string, value []string) []string {
	first := indent + key + trimRight(d.style(section)+value[0])
	return append([]string{first}, indented(indent+"    ", value[1:])...)
}

// style returns what stands between name and value of the last option in the section,
// or else of the last one in the file that has the usual delimiter (a section of
// another kind may have another one). Alignment in columns is not copied. Without an
// example it is " = ", which some readers of ~/.lambda_cloud/lambda_keys need.
func (d *iniDoc) style(section int) string {
	usual := d.opts.Delimiters[0]
	var like *iniOption
	if section >= 0 {
		like = d.exemplary(d.optionsOf(section), 0)
	}
	if like == nil || d.opts.Clients != 0 && d.data[like.delim] != usual {
		like = d.exemplary(d.options, usual)
	}
	if like == nil {
		return " " + string(usual) + " "
	}
	style := string(d.data[like.delim])
	if like.delim > like.nameEnd {
		style = " " + style
	}
	if like.from > like.delim+1 {
		style += " "
	}
	return style
}

// exemplary returns the last of the options that has a value and this delimiter (0:
// any), or nil.
func (d *iniDoc) exemplary(options []*iniOption, delimiter byte) *iniOption {
	for _, o := range slices.Backward(options) {
		if o.delim >= 0 && o.from < o.end && (delimiter == 0 || d.data[o.delim] == delimiter) {
			return o
		}
	}
	return nil
}

// optionsOf returns the options of a section.
func (d *iniDoc) optionsOf(section int) []*iniOption {
	by := func(o *iniOption, section int) int { return o.section - section }
	from, _ := slices.BinarySearchFunc(d.options, section, by)
	to, _ := slices.BinarySearchFunc(d.options, section+1, by)
	return d.options[from:to]
}

// addSection writes a header at the end of the file.
func (d *iniDoc) addSection(path Path) ([]patch, error) {
	name := path[0].Key
	switch {
	case name == "" || name != trim(name) || strings.ContainsAny(name, "[]\r\n\x00") || d.opts.inlineComment("["+name) <= len(name):
		return nil, editError(path, "ini cannot hold a section of this name")
	case name == "DEFAULT" && !d.opts.Defaults && d.opts.Inherited == "" && d.opts.Continued == Indented:
		return nil, editError(path, "a new section [DEFAULT] would give its options to all other sections; write the line [DEFAULT] yourself if it shall")
	}
	lines := []string{"[" + name + "]"}
	if d.spaced() {
		lines = []string{"", lines[0]}
	}
	return []patch{insertWith(d.newline, d.data, len(d.data), lines...)}, nil
}

// spaced reports whether a new section needs a blank line before it.
func (d *iniDoc) spaced() bool {
	if len(d.lines) == 0 || d.body(len(d.lines)-1) == "" {
		return false
	}
	with, without := 0, 0
	for _, s := range d.sections[1:] {
		switch {
		case s.first:
		case s.apart:
			with++
		default:
			without++
		}
	}
	return with >= without
}

func (d *iniDoc) body(i int) string { return trim(string(d.data[d.lines[i].start:d.lines[i].end])) }

// removeOption removes every option of the name, so that none comes back.
func (d *iniDoc) removeOption(section, key string) []patch {
	var patches []patch
	for _, o := range d.options {
		if o.key == key && d.sections[o.section].name == section {
			patches = append(patches, d.remove(o)...)
		}
	}
	return patches
}

func (d *iniDoc) remove(o *iniOption) []patch {
	var patches []patch
	for _, i := range o.lines {
		patches = append(patches, patch{d.lines[i].start, d.lines[i].next, ""})
	}
	return patches
}

// removeSection removes every occurrence of a section. Of what stands before
// any header it removes the options only: the comments there are the file's.
func (d *iniDoc) removeSection(path Path) ([]patch, error) {
	var patches []patch
	stay := len(d.sections)
	for i, s := range d.sections {
		switch {
		case s.name != path[0].Key:
		case i == 0:
			for _, o := range d.options {
				if o.section == 0 {
					patches = append(patches, d.remove(o)...)
				}
			}
		default:
			end := len(d.lines)
			if i+1 < len(d.sections) {
				end = d.sections[i+1].header
				for d.opts.isComment(d.body(end - 1)) {
					end--
				}
			}
			patches = append(patches, patch{d.lines[s.header].start, d.lines[end-1].next, ""})
			stay--
		}
	}
	after, err := ini{d.opts}.parse(apply(d.data, patches))
	if err != nil || len(after.sections) != stay {
		return nil, editError(path, "cannot be removed: the header of the section after it is indented and would continue the value before it")
	}
	return patches, nil
}
