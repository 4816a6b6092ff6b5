package codec

import (
	"slices"
	"strings"
)

// Splice implements [Format].
func (f netrc) Splice(data []byte, edits []Edit) ([]byte, error) {
	for _, e := range edits {
		tree, err := f.Decode(data)
		if err != nil {
			return nil, err
		}
		single, err := flatten(tree, e, 2)
		if err != nil {
			return nil, err
		}
		slices.SortStableFunc(single, func(a, b Edit) int { return netrcRank(a) - netrcRank(b) })
		for _, s := range single {
			if data, err = f.edit(data, s); err != nil {
				return nil, err
			}
		}
	}
	return data, nil
}

// edit makes one edit that flatten gave. Of the ways to make it, it takes the first
// after which all clients can read the file: for Python's netrc module, what is a
// comment depends on what stands before it.
func (f netrc) edit(data []byte, e Edit) ([]byte, error) {
	d, err := f.parse(data)
	if err != nil {
		return nil, err
	}
	patches, err := d.edit(e)
	if err != nil {
		return nil, err
	}
	out := apply(data, patches)
	before := f.of.read(data)
	agreed := func(out []byte) bool { return before.agree(f.of.read(out), []Edit{e}) == nil }
	if agreed(out) {
		return out, nil
	}
	var others [][]byte
	switch last := d.unquotedLast(e); {
	case last != nil:
		others = append(others, apply(data, last))
	case e.Value == nil:
		for _, p := range patches {
			others = append(others, netrcMended(data, p)...)
		}
	}
	for _, other := range others {
		if agreed(other) {
			return other, nil
		}
	}
	return out, nil // Settle says what is wrong
}

// netrcMended returns data without what the patch removes, in the ways in which Python
// may still take a comment behind that for one: without empty lines before the comment,
// with a blank after its #, or both.
func netrcMended(data []byte, p patch) [][]byte {
	from, to := p.from, p.to
	for to < len(data) && netrcBlank(data[to]) {
		to++
	}
	if to == len(data) || data[to] != '#' {
		return nil
	}
	for from > 0 && netrcBlank(data[from-1]) {
		from--
	}
	between := ""
	if from > bomLen(data) {
		between = newline(data)
	}
	return [][]byte{
		apply(data, []patch{{from, to, between}}),
		apply(data, []patch{{from, to, between}, {to + 1, to + 1, " "}}),
		apply(data, []patch{p, {to + 1, to + 1, " "}}),
	}
}

// unquotedLast returns the patches that write a value in quotes before another field,
// so that it is not the last one of its entry: Python misreads a comment in the line
// after a quote.
func (d *netrcDoc) unquotedLast(e Edit) []patch {
	if e.Value == nil || len(e.Path) < 2 {
		return nil
	}
	field := e.Path[len(e.Path)-1].Key
	text, _ := netrcQuote(e.Value.Text, true)
	var patches []patch
	for _, entry := range d.group(e.Path[0].Key) {
		var bare *netrcField
		for i := range entry.fields {
			if f := &entry.fields[i]; !f.value.quoted && f.name != field {
				bare = f
			}
		}
		if bare == nil {
			return nil
		}
		set := field + " " + text
		if f := entry.get(field); f != nil {
			patches = append(patches, patch{bare.key.from, bare.value.end, set},
				patch{f.key.from, f.value.end, string(d.data[bare.key.from:bare.value.end])})
			continue
		}
		if indent, own := d.first(bare.key.from); own {
			set += newline(d.data) + indent
		} else {
			set += " "
		}
		patches = append(patches, patch{bare.key.from, bare.key.from, set})
	}
	return patches
}

// netrcRank sorts the fields of one new entry; entries stay in order.
func netrcRank(e Edit) int {
	if len(e.Path) < 2 || e.Value == nil {
		return 0
	}
	return slices.Index(netrcFields(), e.Path[1].Key)
}

// edit returns the patches for one edit that flatten gave.
func (d *netrcDoc) edit(e Edit) ([]patch, error) {
	machine := e.Path[0].Key
	if len(e.Path) == 1 && e.Value == nil {
		var patches []patch
		for _, entry := range d.entries {
			if entry.name == machine {
				patches = append(patches, d.remove(entry.from, entry.end))
			}
		}
		return patches, nil
	}
	if len(e.Path) == 1 {
		return d.addEntry(machine, "", "", e.Path)
	}
	field := e.Path[1].Key
	if !slices.Contains(netrcFields(), field) {
		return nil, editError(e.Path, "an entry of netrc has login, account and password only")
	}
	group := d.group(machine)
	if e.Value == nil {
		var patches []patch
		for _, entry := range group {
			for _, f := range entry.fields {
				if f.name == field {
					patches = append(patches, d.remove(f.key.from, f.value.end))
				}
			}
		}
		return patches, nil
	}
	value, ok := netrcQuote(e.Value.Text, false)
	if !ok {
		return nil, editError(e.Path, "netrc cannot hold a line break or a NUL byte")
	}
	if len(group) == 0 {
		return d.addEntry(machine, field, value, e.Path)
	}
	var patches []patch
	for _, entry := range group {
		if f := entry.get(field); f != nil {
			text, _ := netrcQuote(e.Value.Text, f.value.quoted)
			patches = append(patches, patch{f.value.from, f.value.end, text})
			continue
		}
		patches = append(patches, d.addField(entry, field, value))
	}
	return patches, nil
}

// group returns the entries of a machine that have the login of the one that counts.
func (d *netrcDoc) group(machine string) []*netrcEntry {
	var all []*netrcEntry
	for i := range d.entries {
		if d.entries[i].name == machine {
			all = append(all, &d.entries[i])
		}
	}
	if len(all) == 0 {
		return nil
	}
	login := all[0].login()
	if d.lastWins {
		login = all[len(all)-1].login()
	}
	return slices.DeleteFunc(all, func(e *netrcEntry) bool { return e.login() != login })
}

// netrcQuote returns text as a token, in quotes where it needs them or quoted
// says so: in bare tokens clients disagree about the backslash.
func netrcQuote(text string, quoted bool) (string, bool) {
	if strings.ContainsAny(text, "\r\n\x00") {
		return "", false
	}
	if !quoted && text != "" && !strings.ContainsAny(text, " \t\\") && text[0] != '"' && text[0] != '#' {
		return text, true
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`, true
}

// first returns what stands before pos on its line, and whether that is only blanks.
func (d *netrcDoc) first(pos int) (indent string, ok bool) {
	start := d.lineStart(pos)
	before := string(d.data[start:pos])
	return before, strings.Trim(before, " \t") == ""
}

func (d *netrcDoc) lineStart(pos int) int {
	for pos > bomLen(d.data) && d.data[pos-1] != '\n' && d.data[pos-1] != '\r' {
		pos--
	}
	return pos
}

// last reports whether nothing or only a comment follows pos on its line, and
// where the next line begins.
func (d *netrcDoc) last(pos int) (next int, ok bool) {
	end := netrcLineEnd(d.data, pos)
	rest := strings.Trim(string(d.data[pos:end]), " \t")
	next = end
	if next < len(d.data) {
		next++
		if d.data[end] == '\r' && next < len(d.data) && d.data[next] == '\n' {
			next++
		}
	}
	return next, rest == "" || rest[0] == '#'
}

// remove takes the tokens data[from:end] out: with their lines where nothing
// else is on these, or else with the blanks on one side.
func (d *netrcDoc) remove(from, end int) patch {
	_, first := d.first(from)
	next, last := d.last(end)
	switch {
	case first && last:
		return patch{d.lineStart(from), next, ""}
	case first:
		for end < len(d.data) && (d.data[end] == ' ' || d.data[end] == '\t') {
			end++
		}
		return patch{from, end, ""}
	}
	for d.data[from-1] == ' ' || d.data[from-1] == '\t' {
		from--
	}
	text := ""
	if end < len(d.data) && !netrcBlank(d.data[end]) {
		text = " "
	}
	return patch{from, end, text}
}

// addField puts a field behind the last one of an entry: on a line of its own
// where that has one, or where there is none yet.
func (d *netrcDoc) addField(e *netrcEntry, field, value string) patch {
	indent, own := "  ", true
	if n := len(e.fields); n > 0 {
		indent, own = d.first(e.fields[n-1].key.from)
	}
	if next, last := d.last(e.end); own && last {
		return insertLines(d.data, next, indent+field+" "+value)
	}
	text := " " + field + " " + value
	if e.end < len(d.data) && !netrcBlank(d.data[e.end]) {
		text += " "
	}
	return patch{e.end, e.end, text}
}

// addEntry writes a new entry with one field, or with none, in the way of the
// last entry that has fields: on one line, or on several with its indentation.
// It goes to the end of the file, or before the default entry, behind which no
// client looks further.
func (d *netrcDoc) addEntry(machine, field, value string, path Path) ([]patch, error) {
	name, ok := netrcQuote(machine, false)
	if !ok || machine == "" {
		return nil, editError(path, "netrc cannot hold a machine of this name")
	}
	head := "machine " + name
	if machine == netrcDefault {
		head = "default"
	}
	lines := []string{head}
	if field != "" {
		indent, own := d.habit()
		if own {
			lines = append(lines, indent+field+" "+value)
		} else {
			lines[0] += " " + field + " " + value
		}
	}
	at := len(d.data)
	if i := slices.IndexFunc(d.entries, func(e netrcEntry) bool { return e.name == netrcDefault }); i >= 0 {
		at = d.lineStart(d.entries[i].from)
		if _, first := d.first(d.entries[i].from); !first {
			return nil, editError(path, "the default entry must come last, and begins in the middle of a line")
		}
		// A comment above the default entry stays with it.
		for at > bomLen(d.data) {
			above := d.lineStart(at - 1)
			if at > 1 && d.data[at-1] == '\n' && d.data[at-2] == '\r' {
				above = d.lineStart(at - 2)
			}
			if !strings.HasPrefix(strings.TrimLeft(string(d.data[above:at]), " \t"), "#") {
				break
			}
			at = above
		}
	}
	return []patch{insertLines(d.data, at, lines...)}, nil
}

// habit returns whether fields in the file have lines of their own, and what is
// before them there. In an empty file it is as wandb writes it.
func (d *netrcDoc) habit() (indent string, own bool) {
	for _, e := range slices.Backward(d.entries) {
		if n := len(e.fields); n > 0 {
			return d.first(e.fields[n-1].key.from)
		}
	}
	return "  ", true
}
