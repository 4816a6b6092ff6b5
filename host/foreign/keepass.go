package foreign

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
)

// KeePass reads an export of KeePass 2 or KeePassXC: XML or CSV.
func KeePass(data []byte) (*Export, error) {
	if first(data) == '<' {
		return keepassXML(data)
	}
	if bytes.HasPrefix(data, []byte{0x03, 0xd9, 0xa2, 0x9a}) {
		return nil, fault.WithHint(errors.New("it is the database itself, which is encrypted"), "keepassxc-cli export -f xml FILE | rhx import keepass - leaves no file")
	}
	return keepassCSV(data)
}

func keepassCSV(data []byte) (*Export, error) {
	// KeePassXC's columns, and those of KeePass.
	name := map[string]string{"title": "Title", "user": "Username", "password": "Password", "url": "URL", "notes": "Notes"}
	rows, err := table(data, "Title", "Username", "Password")
	if err != nil {
		name = map[string]string{"title": "Account", "user": "Login Name", "password": "Password", "url": "Web Site", "notes": "Comments"}
		var other error
		if rows, other = table(data, "Account", "Login Name", "Password"); other != nil {
			return nil, err
		}
	}
	e := &Export{}
	for _, row := range rows {
		it := Item{Title: joined(below(row("Group")), row(name["title"])), User: row(name["user"])}
		it.url(row(name["url"]))
		it.add("username", it.User, true)
		it.add("password", row(name["password"]), false)
		it.add("otp", row("TOTP"), false)
		it.add("notes", row(name["notes"]), false)
		e.put(it)
	}
	return e.checked()
}

// below is the path of a group without the database's own.
func below(group string) string {
	_, rest, _ := strings.Cut(group, "/")
	return rest
}

// maxDepth bounds how deeply elements may be in one another, and maxParts how many there
// may be.
const (
	maxDepth = 100
	maxParts = 5_000_000
)

// keepassXML reads KeePass's XML. It is read element by element: a type of document with
// entities of its own is refused by the decoder.
func keepassXML(data []byte) (*Export, error) {
	r := &keepassReader{d: xml.NewDecoder(bytes.NewReader(data)), e: &Export{}}
	err := r.read()
	var wrong *xml.SyntaxError
	switch {
	case errors.As(err, &wrong): // its text may quote
		return nil, fmt.Errorf("line %d is not XML as KeePass writes it", wrong.Line)
	case err != nil:
		return nil, err
	case !r.found:
		return nil, errors.New("it is XML, but not of KeePass")
	}
	return r.e.checked()
}

type keepassReader struct {
	d      *xml.Decoder
	e      *Export
	path   []string // elements
	groups []keepassGroup
	bin    string // the recycle bin's UUID
	found  bool
	parts  int

	it            *Item
	key, value    string
	title         string
	sealed        bool
	historyLevels int
	text          strings.Builder
}

type keepassGroup struct{ name, uuid string }

func (r *keepassReader) read() error {
	for {
		tok, err := r.d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.parts++; r.parts > maxParts {
			return errors.New("it has too many elements")
		}
		switch t := tok.(type) {
		case xml.Directive:
			return errors.New("it has a document type, which no export of KeePass has")
		case xml.StartElement:
			if err := r.start(t); err != nil {
				return err
			}
		case xml.CharData:
			if r.text.Len() <= maxText { // what is longer is left by its size
				r.text.Write(t)
			}
		case xml.EndElement:
			r.end(t.Name.Local)
			r.path = r.path[:len(r.path)-1]
		}
	}
}

func (r *keepassReader) start(t xml.StartElement) error {
	if len(r.path) >= maxDepth {
		return errors.New("its elements are too deep in one another")
	}
	r.path = append(r.path, t.Name.Local)
	r.text.Reset()
	switch t.Name.Local {
	case "KeePassFile":
		r.found = r.found || len(r.path) == 1
	case "Group":
		r.groups = append(r.groups, keepassGroup{})
	case "Entry":
		if r.historyLevels == 0 {
			r.it, r.title = &Item{}, ""
		}
	case "History":
		r.historyLevels++
	case "String":
		r.key, r.value, r.sealed = "", "", false
	case "Value":
		for _, a := range t.Attr {
			r.sealed = r.sealed || a.Name.Local == "Protected" && a.Value == "True"
		}
	}
	return nil
}

func (r *keepassReader) end(name string) {
	text := r.text.String()
	r.text.Reset()
	parent := ""
	if len(r.path) > 1 {
		parent = r.path[len(r.path)-2]
	}
	switch {
	case name == "RecycleBinUUID":
		r.bin = text
	case name == "Group":
		r.groups = r.groups[:len(r.groups)-1]
	case name == "Name" && parent == "Group":
		r.groups[len(r.groups)-1].name = text
	case name == "UUID" && parent == "Group":
		r.groups[len(r.groups)-1].uuid = text
	case name == "History":
		if r.historyLevels--; r.historyLevels < 0 {
			r.historyLevels = 0
		}
	case r.it == nil || r.historyLevels > 0:
	case name == "Key" && parent == "String":
		r.key = text
	case name == "Value" && parent == "String":
		r.value = text
	case name == "String":
		r.field()
	case name == "Key" && parent == "Binary":
		r.it.leave("the file "+text, "files are not taken")
	case name == "Entry":
		r.entry()
	}
}

// field takes one text of an entry.
func (r *keepassReader) field() {
	if r.sealed {
		r.it.leave(r.key, "it is encrypted within the export")
		return
	}
	switch r.key {
	case "Title":
		r.title = r.value
	case "UserName":
		r.it.User = r.value
		r.it.add("username", r.value, true)
	case "Password":
		r.it.add("password", r.value, false)
	case "URL":
		r.it.url(r.value)
	case "Notes":
		r.it.add("notes", r.value, false)
	default:
		r.it.add(r.key, r.value, false)
	}
}

func (r *keepassReader) entry() {
	var names []string
	deleted := false
	for i, g := range r.groups {
		if i > 0 { // the first one is the database's
			names = append(names, g.name)
		}
		deleted = deleted || r.bin != "" && g.uuid == r.bin
	}
	r.it.Title = joined(append(names, r.title)...)
	if deleted {
		r.e.Left = append(r.e.Left, Left{Name: r.it.Title, Why: "it is in the recycle bin", NoValue: true})
	} else {
		r.e.put(*r.it)
	}
	r.it = nil
}
