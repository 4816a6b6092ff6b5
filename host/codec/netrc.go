package codec

import (
	"strings"
)

// netrc is the format of ~/.netrc: machine -> login, account, password. The
// entry that serves all other machines is called "default".
//
// It is read as Python's netrc module, which wandb uses, reads it, and as the ftp
// programs, from which the format comes: white space separates tokens, a token in
// double quotes may contain it, and a backslash keeps the next character in either
// kind. curl knows the backslash in quotes only, and newer versions of Go know neither,
// so quotes are written only where they must be. `user` is another word for `login`. A
// comment goes from a # in the place of a keyword to the end of the line. A macro goes
// to the next empty line.
//
// Where a machine occurs twice, the first entry counts, as for ftp, curl, git
// and Go; where the file's clients are Python's only, the last one, as there. A
// change is made in every entry of the machine that has the login of the one that
// counts, so that all clients see it. Entries with other logins are other people's
// accounts, and stay.
type netrc struct{ of Clients }

// netrcDefault is the name under which the default entry is in the tree.
const netrcDefault = "default"

// netrcFields are the fields of an entry, in the order they are written in.
func netrcFields() []string { return []string{"login", "account", "password"} }

// netrcToken is one word; from and end are its offsets, quotes included.
type netrcToken struct {
	text      string
	from, end int
	quoted    bool
}

type netrcField struct {
	name       string // login, account or password
	key, value netrcToken
}

// netrcEntry is a machine with its fields, data[from:end].
type netrcEntry struct {
	name      string
	from, end int
	fields    []netrcField
}

// get returns the last field called name, which is the one that counts, or nil.
func (e *netrcEntry) get(name string) *netrcField {
	for i := len(e.fields) - 1; i >= 0; i-- {
		if e.fields[i].name == name {
			return &e.fields[i]
		}
	}
	return nil
}

func (e *netrcEntry) login() string {
	if f := e.get("login"); f != nil {
		return f.value.text
	}
	return ""
}

// netrcDoc is a parsed file.
type netrcDoc struct {
	data     []byte
	entries  []netrcEntry
	lastWins bool // the last entry of a machine counts
}

// Decode implements [Format].
func (f netrc) Decode(data []byte) (*Node, error) {
	root, _, err := decodeFor(f, data)
	return root, err
}

// decode implements [clientele].
func (f netrc) decode(data []byte) (*Node, error) {
	d, err := f.parse(data)
	if err != nil {
		return nil, err
	}
	return d.tree(), nil
}

// clients implements [clientele].
func (f netrc) clients() Clients { return f.of }

func (f netrc) parse(data []byte) (*netrcDoc, error) {
	d, err := netrcParse(data)
	if err == nil {
		d.lastWins = f.of.has("python") && !f.of.has("curl")
	}
	return d, err
}

func (d *netrcDoc) tree() *Node {
	root := &Node{Kind: Map}
	lineAt := lineCounter(d.data)
	counts := map[string]int{}
	for i := range d.entries {
		name := d.entries[i].name
		if _, seen := counts[name]; !seen || d.lastWins {
			counts[name] = i
		}
	}
	for i := range d.entries {
		e := &d.entries[i]
		if counts[e.name] != i {
			continue
		}
		machine := &Node{Kind: Map, Line: lineAt(e.from)}
		for _, name := range netrcFields() {
			if f := e.get(name); f != nil {
				machine.Pairs = append(machine.Pairs, Pair{name, &Node{Kind: String, Text: f.value.text}})
			}
		}
		for _, f := range e.fields {
			machine.Get(f.name).Line = lineAt(f.value.from)
		}
		root.set(e.name, machine)
	}
	return root
}

// lineCounter returns a function that gives the line of an offset, counted from
// 1, for offsets that do not get smaller.
func lineCounter(data []byte) func(offset int) int {
	lines, i := splitLines(data, 0), 0
	return func(offset int) int {
		for i < len(lines) && lines[i].next <= offset {
			i++
		}
		return i + 1
	}
}

func netrcParse(data []byte) (*netrcDoc, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	d := &netrcDoc{data: data}
	fail := func(at int, msg string) error {
		return &Error{Line: lineCounter(data)(at), Msg: msg}
	}
	var entry *netrcEntry
	for pos := bomLen(data); ; {
		key, ok, msg := netrcNext(data, pos)
		switch {
		case msg != "":
			return nil, fail(key.from, msg)
		case !ok:
			return d, nil
		case !key.quoted && data[key.from] == '#':
			pos = netrcLineEnd(data, key.from)
			continue
		}
		pos = key.end
		if key.text == "default" && !key.quoted {
			d.entries = append(d.entries, netrcEntry{name: netrcDefault, from: key.from, end: key.end})
			entry = &d.entries[len(d.entries)-1]
			continue
		}
		if key.quoted || !netrcKeyword(key.text) {
			return nil, fail(key.from, "not machine, default, login, user, password, account or macdef")
		}
		value, ok, msg := netrcNext(data, pos)
		switch {
		case msg != "":
			return nil, fail(value.from, msg)
		case !ok:
			return nil, fail(key.from, "nothing follows "+key.text)
		}
		pos = value.end
		switch key.text {
		case "machine":
			if value.text == "" {
				return nil, fail(value.from, "the machine has no name")
			}
			d.entries = append(d.entries, netrcEntry{name: value.text, from: key.from, end: value.end})
			entry = &d.entries[len(d.entries)-1]
		case "macdef":
			entry = nil
			if pos = netrcMacroEnd(data, pos); pos < 0 {
				return nil, fail(key.from, "no empty line ends the macro")
			}
		default:
			if entry == nil {
				return nil, fail(key.from, key.text+" without a machine")
			}
			name := key.text
			if name == "user" {
				name = "login"
			}
			entry.fields = append(entry.fields, netrcField{name, key, value})
			entry.end = value.end
		}
	}
}

func netrcKeyword(s string) bool {
	switch s {
	case "machine", "login", "user", "password", "account", "macdef":
		return true
	}
	return false
}

func netrcBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// netrcNext returns the next token from pos, whether there is one, and what is
// wrong with it.
func netrcNext(data []byte, pos int) (t netrcToken, ok bool, problem string) {
	for pos < len(data) && netrcBlank(data[pos]) {
		pos++
	}
	t.from = pos
	if pos == len(data) {
		return t, false, ""
	}
	if t.quoted = data[pos] == '"'; t.quoted {
		pos++
	}
	var text strings.Builder
	for ; pos < len(data); pos++ {
		c := data[pos]
		if t.quoted && c == '"' {
			t.text, t.end = text.String(), pos+1
			return t, true, ""
		}
		if !t.quoted && netrcBlank(c) {
			break
		}
		if c == '\\' {
			if pos++; pos == len(data) {
				return t, false, "nothing follows the last backslash"
			}
			c = data[pos]
		}
		text.WriteByte(c)
	}
	if t.quoted {
		return t, false, "the quote that opens here is not closed"
	}
	t.text, t.end = text.String(), pos
	return t, true, ""
}

// netrcLineEnd returns the offset of the end of the line that pos is on.
func netrcLineEnd(data []byte, pos int) int {
	for pos < len(data) && data[pos] != '\n' && data[pos] != '\r' {
		pos++
	}
	return pos
}

// netrcMacroEnd returns the offset behind the empty line that ends the macro
// whose name ends at pos, or -1.
func netrcMacroEnd(data []byte, pos int) int {
	lines := splitLines(data, pos)
	for i, l := range lines {
		if i > 0 && l.start == l.end {
			return l.next
		}
	}
	return -1
}
